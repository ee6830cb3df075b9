//! Tests of the unpacking.

use super::*;
use crate::fs::testing::Packer;

fn find(tree: &Tree, path: &str) -> Option<EntryId> {
    match walk(tree, EntryId::ROOT, path.as_bytes(), Goal::NoFollow)
        .ok()?
        .target?
    {
        Target::Entry(entry) => Some(entry),
        Target::Descriptor(_) => None,
    }
}

fn content(tree: &Tree, path: &str) -> &'static [u8] {
    match tree.inode(find(tree, path).expect(path)).kind {
        Kind::File(bytes) => bytes,
        ref other => panic!("{path} is {other:?}"),
    }
}

fn refusal(packer: Packer) -> Error {
    mount(Some(packer.leak())).unwrap_err()
}

#[test]
fn without_an_archive_there_are_only_the_devices() {
    let tree = mount(None).unwrap();
    let root: Vec<_> = tree
        .children(EntryId::ROOT)
        .map(|child| tree.name(child))
        .collect();
    assert_eq!(root, [b"dev"]);
    let null = tree.inode(find(&tree, "/dev/null").unwrap());
    assert_eq!(
        (null.mode, null.kind),
        (0o020_666, Kind::Device(Device::Null))
    );
    let stdin = tree.inode(find(&tree, "/dev/stdin").unwrap());
    assert_eq!(stdin.link_target(), Some(&b"/proc/self/fd/0"[..]));
    assert_eq!((stdin.mode, stdin.size()), (0o120_777, 15));
}

#[test]
fn names_are_found_however_they_were_written() {
    let packer = Packer::default()
        .dir(".")
        .file("./a", b"1")
        .file("/b", b"2")
        .file("c//d/", b"3");
    let tree = mount(Some(packer.leak())).unwrap();
    assert_eq!(
        [
            content(&tree, "a"),
            content(&tree, "b"),
            content(&tree, "c/d")
        ],
        [b"1", b"2", b"3"]
    );
    assert_eq!(tree.inode(EntryId::ROOT).mtime, 1_700_000_000);
}

#[test]
fn missing_parents_are_made_and_described_later() {
    let packer = Packer::default()
        .file("x/y/z", b"deep")
        .entry(0o040_700, "x/y", b"");
    let tree = mount(Some(packer.leak())).unwrap();
    assert_eq!(content(&tree, "x/y/z"), b"deep");
    let modes = ["x", "x/y"].map(|path| tree.inode(find(&tree, path).unwrap()).mode);
    assert_eq!(modes, [0o040_755, 0o040_700]);
}

#[test]
fn later_entries_replace_earlier_ones() {
    let packer = Packer::default()
        .file("f", b"old")
        .link("l", "f")
        .file("f", b"new")
        .file("l", b"x");
    let mut image = packer.end().0;
    image.extend(
        Packer::default()
            .file("g", b"1")
            .file("f", b"newest")
            .end()
            .0,
    );
    let tree = mount(Some(image.leak())).unwrap();
    assert_eq!(
        [
            content(&tree, "f"),
            content(&tree, "l"),
            content(&tree, "g")
        ]
        .concat(),
        b"newestx1"
    );
    assert_eq!(tree.inode(find(&tree, "f").unwrap()).nlink, 1);
}

#[test]
fn hard_links_share_content_that_comes_last() {
    let first = Packer::default()
        .hard(7, "a", b"")
        .hard(8, "other", b"o")
        .hard(7, "b", b"data");
    let mut image = first.end().0;
    image.extend(Packer::default().hard(7, "c", b"elsewhere").end().0);
    let tree = mount(Some(image.leak())).unwrap();
    assert_eq!(
        [content(&tree, "a"), content(&tree, "b")],
        [b"data", b"data"]
    );
    assert_eq!(
        (content(&tree, "other"), content(&tree, "c")),
        (&b"o"[..], &b"elsewhere"[..])
    );
    let a = find(&tree, "a").unwrap();
    assert_eq!(
        (tree.inode_id(a), tree.inode(a).nlink),
        (tree.inode_id(find(&tree, "b").unwrap()), 2)
    );
}

#[test]
fn parents_may_be_links_to_directories() {
    let packer = Packer::default()
        .dir("usr/lib")
        .link("lib", "usr/lib")
        .file("lib/x", b"here");
    let tree = mount(Some(packer.leak())).unwrap();
    assert_eq!(content(&tree, "usr/lib/x"), b"here");
}

#[test]
fn the_archive_may_bring_its_own_devices() {
    let null = [1, 0o020_600, 0, 0, 1, 0, 0, 0, 0, 1, 3, 9];
    let disk = [2, 0o060_600, 0, 0, 1, 0, 0, 0, 0, 8, 0, 4];
    let packer = Packer::default()
        .raw(null, b"dev/null", b"")
        .raw(disk, b"sda", b"");
    let tree = mount(Some(packer.leak())).unwrap();
    let null = tree.inode(find(&tree, "/dev/null").unwrap());
    assert_eq!(
        (null.mode, null.kind),
        (0o020_600, Kind::Device(Device::Null))
    );
    let disk = tree.inode(find(&tree, "/sda").unwrap());
    assert_eq!(
        (disk.mode, disk.kind),
        (0o060_600, Kind::Device(Device::Other(8, 0)))
    );
    assert!(find(&tree, "/dev/zero").is_some());
    let odd = mount(Some(Packer::default().file("dev", b"").leak())).unwrap();
    assert_eq!(find(&odd, "/dev/zero"), None);
}

#[test]
fn entries_without_a_place_are_refused_with_their_offset() {
    let nested = Packer::default().file("f", b"").file("f/x", b"");
    assert_eq!(refusal(nested), Error::Entry(112, Errno::ENOTDIR));
    let over = Packer::default().dir("d").file("d", b"");
    assert_eq!(refusal(over), Error::Entry(112, Errno::EISDIR));
    let long = Packer::default().file(&"n".repeat(256), b"");
    assert_eq!(refusal(long), Error::Entry(0, Errno::ENAMETOOLONG));
    let circle = Packer::default().link("l", "l").file("l/x", b"");
    assert_eq!(
        refusal(circle).to_string(),
        "the entry at byte 0x74 cannot be unpacked: \
        its parent is a loop of links"
    );
    let error = mount(Some(b"\x1f\x8b\x08")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "compressed initrd: decompress it (gzip at byte 0)"
    );
}

#[test]
fn large_archives_unpack_in_linear_time() {
    let mut packer = Packer::default();
    for index in 0..100_000 {
        packer = packer.file(&format!("dir{}/file{index}", index / 100), b"content");
    }
    let image = packer.leak();
    let start = std::time::Instant::now();
    let tree = mount(Some(image)).unwrap();
    // Generous, for a loaded machine and an unoptimised build: 50 µs an entry.
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    assert_eq!(content(&tree, "dir999/file99999"), b"content");
}
