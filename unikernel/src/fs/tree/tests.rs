//! Tests of the tree.

use super::*;
use linux_raw_sys::general::S_IFREG;

fn with_files(count: usize) -> Tree {
    let mut tree = Tree::new(0).unwrap();
    for index in 0..count {
        let file = tree.add(Kind::File(b"x"), S_IFREG | 0o644).unwrap();
        let name = format!("file{index}").into_bytes().leak();
        tree.link(EntryId::ROOT, name, file).unwrap();
    }
    tree
}

fn names(tree: &Tree, dir: EntryId) -> Vec<&'static str> {
    tree.children(dir)
        .map(|child| core::str::from_utf8(tree.name(child)).unwrap())
        .collect()
}

#[test]
fn a_new_tree_is_an_empty_root() {
    let tree = Tree::new(0).unwrap();
    let root = tree.inode(EntryId::ROOT);
    assert_eq!(
        (root.mode, root.nlink, root.ino, root.size()),
        (0o040_755, 2, 1, 0)
    );
    assert_eq!(tree.parent(EntryId::ROOT), Some(EntryId::ROOT));
    assert_eq!(tree.children(EntryId::ROOT).count(), 0);
    assert_eq!(tree.lookup(EntryId::ROOT, b"x"), None);
}

#[test]
fn lookups_depend_on_the_directory() {
    let mut tree = Tree::new(4).unwrap();
    let one = tree
        .make_dir(EntryId::ROOT, b"one", S_IFDIR | 0o700)
        .unwrap();
    let two = tree.make_dir(one, b"one", S_IFDIR | 0o700).unwrap();
    assert_eq!(tree.lookup(EntryId::ROOT, b"one"), Some(one));
    assert_eq!(tree.lookup(one, b"one"), Some(two));
    assert_eq!(tree.lookup(two, b"one"), None);
    assert_eq!(
        (tree.parent(two), tree.parent(one)),
        (Some(one), Some(EntryId::ROOT))
    );
    let links = [EntryId::ROOT, one, two].map(|dir| tree.inode(dir).nlink);
    assert_eq!(links, [3, 3, 2]);
}

#[test]
fn many_names_are_found_and_listed_in_order() {
    let tree = with_files(3000);
    for index in [0, 1, 17, 2999] {
        let name = format!("file{index}");
        let found = tree.lookup(EntryId::ROOT, name.as_bytes()).unwrap();
        assert_eq!(tree.name(found), name.as_bytes());
    }
    assert_eq!(tree.lookup(EntryId::ROOT, b"file3000"), None);
    let listed = names(&tree, EntryId::ROOT);
    assert!(listed.len() == 3000 && listed[2999] == "file2999");
}

#[test]
fn a_later_file_takes_the_name_and_the_place() {
    let mut tree = with_files(3);
    let old = tree.inode_id(tree.lookup(EntryId::ROOT, b"file1").unwrap());
    let new = tree.add(Kind::File(b"later"), S_IFREG | 0o600).unwrap();
    tree.link(EntryId::ROOT, b"file1", new).unwrap();
    assert_eq!(names(&tree, EntryId::ROOT), ["file0", "file1", "file2"]);
    let found = tree.lookup(EntryId::ROOT, b"file1").unwrap();
    assert_eq!((tree.inode(found).size(), tree.inode(found).nlink), (5, 1));
    assert_eq!(tree.inode_mut(old).nlink, 0);
}

#[test]
fn hard_links_share_the_inode() {
    let mut tree = with_files(1);
    let file = tree.inode_id(tree.lookup(EntryId::ROOT, b"file0").unwrap());
    let second = tree.link(EntryId::ROOT, b"again", file).unwrap();
    assert_eq!((tree.inode_id(second), tree.inode(second).nlink), (file, 2));
}

#[test]
fn unlinked_names_vanish_wherever_they_stood() {
    for (gone, left) in [("file0", 1), ("file1", 0), ("file2", 0)] {
        let mut tree = with_files(3);
        let entry = tree.lookup(EntryId::ROOT, gone.as_bytes()).unwrap();
        tree.unlink(entry);
        tree.unlink(entry);
        assert_eq!(tree.lookup(EntryId::ROOT, gone.as_bytes()), None);
        assert_eq!((tree.inode(entry).size(), tree.inode(entry).nlink), (1, 0));
        let listed = names(&tree, EntryId::ROOT);
        assert!(listed.len() == 2 && listed[0] == format!("file{left}"));
        let file = tree.add(Kind::File(b""), S_IFREG).unwrap();
        tree.link(EntryId::ROOT, b"new", file).unwrap();
        assert_eq!(names(&tree, EntryId::ROOT)[2], "new");
    }
}

#[test]
fn directory_positions_are_checked() {
    let mut tree = with_files(2);
    let dir = tree.make_dir(EntryId::ROOT, b"dir", S_IFDIR).unwrap();
    let file = tree.lookup(EntryId::ROOT, b"file1").unwrap();
    assert_eq!(
        tree.child_with_number(EntryId::ROOT, file.number()),
        Some(file)
    );
    assert_eq!(tree.child_with_number(dir, file.number()), None);
    assert_eq!(tree.child_with_number(EntryId::ROOT, 0), None);
    assert_eq!(tree.child_with_number(EntryId::ROOT, 99), None);
}

#[test]
fn entries_and_inodes_stay_small() {
    assert_eq!(core::mem::size_of::<Entry>(), 32);
    assert_eq!(core::mem::size_of::<Inode>(), 48);
}
