//! Tests of the dentry cache.

use super::*;
use crate::fs::inode::Kind;
use crate::fs::testing::inode;

fn file() -> Ref<Inode> {
    inode(Kind::Socket, 0o140_644)
}

fn cache() -> (Dcache, DentryId) {
    let mut cache = Dcache::new();
    let root = cache.add_root(inode(Kind::Dir, 0o040_755)).unwrap();
    (cache, root)
}

fn name(text: &str) -> Name {
    Name::copy(text.as_bytes()).unwrap()
}

fn children(cache: &Dcache, directory: DentryId) -> Vec<String> {
    let first = cache.first_child(directory);
    core::iter::successors(first, |&child| cache.next_sibling(child))
        .map(|child| String::from_utf8(cache.name(child).to_vec()).unwrap())
        .collect()
}

#[test]
fn names_are_found_until_they_are_unlinked() {
    let (mut cache, root) = cache();
    for index in 0..1000 {
        let id = cache.add(root, name(&format!("file-number-{index}")), file());
        assert_eq!(cache.parent(id.unwrap()), Some(root));
    }
    let find = |cache: &Dcache, index| cache.find(root, format!("file-number-{index}").as_bytes());
    for index in (0..1000).step_by(2) {
        let id = find(&cache, index).unwrap();
        cache.unlink(id);
    }
    for index in 0..1000 {
        assert_eq!(find(&cache, index).is_some(), index % 2 == 1, "{index}");
    }
    assert_eq!(cache.counts().0, 501);
    assert_eq!(cache.find(root, b"file-number"), None);
}

#[test]
fn who_uses_a_dentry_keeps_it_and_those_above() {
    let (mut cache, root) = cache();
    let held = file();
    let dir = cache
        .add(root, name("dir"), inode(Kind::Dir, 0o040_755))
        .unwrap();
    let id = cache.add(dir, name("file"), held.clone()).unwrap();
    cache.get(id);
    cache.unlink(id);
    cache.unlink(dir);
    assert!(!cache.is_linked(id) && !cache.is_linked(dir));
    assert_eq!(
        (cache.parent(id), cache.name(dir)),
        (Some(dir), &b"dir"[..])
    );
    assert_eq!((Ref::count(&held), cache.find(root, b"dir")), (2, None));
    cache.put(id);
    assert_eq!((Ref::count(&held), cache.counts().0), (1, 1));
}

#[test]
fn names_move_and_change_places() {
    let (mut cache, root) = cache();
    let dir = cache
        .add(root, name("d"), inode(Kind::Dir, 0o040_755))
        .unwrap();
    let [a, b] = ["a", "b"].map(|n| cache.add(root, name(n), file()).unwrap());
    cache.rename(a, dir, name("a-rather-long-new-name-in-there"));
    assert_eq!(cache.find(root, b"a"), None);
    assert_eq!(cache.find(dir, b"a-rather-long-new-name-in-there"), Some(a));
    assert!(cache.is_above(root, a) && cache.is_above(dir, a) && !cache.is_above(a, dir));
    cache.exchange(a, b);
    assert_eq!(
        (cache.find(root, b"b"), cache.parent(a)),
        (Some(a), Some(root))
    );
    assert_eq!(cache.find(dir, b"a-rather-long-new-name-in-there"), Some(b));
    assert_eq!(
        (children(&cache, root), children(&cache, dir).len()),
        (vec!["d".into(), "b".into()], 1)
    );
    for id in [a, b, dir] {
        cache.unlink(id);
    }
    assert!(cache.is_empty(root) && cache.counts().0 == 1);
}

#[test]
fn a_place_in_a_directory_survives_changes() {
    let (mut cache, root) = cache();
    let ids: Vec<_> = (0..10)
        .map(|n| cache.add(root, name(&n.to_string()), file()).unwrap())
        .collect();
    let place = cache.cookie(ids[5]);
    assert_eq!(cache.child_from(root, place, None), Some(ids[5]));
    assert_eq!(cache.child_from(root, place, Some(ids[5])), Some(ids[5]));
    cache.unlink(ids[2]);
    cache.unlink(ids[5]);
    // The hint is stale, and its number may mean something else by now.
    let new = cache.add(root, name("new"), file()).unwrap();
    assert_eq!(cache.child_from(root, place, Some(ids[5])), Some(ids[6]));
    assert_eq!(cache.cookie(new), 10);
    assert_eq!(cache.child_from(root, 11, None), None);
}

#[test]
fn generated_names_are_bounded_and_those_in_use_stay() {
    let (mut cache, root) = cache();
    let kept = cache
        .add_evictable(root, name("kept"), Some(file()))
        .unwrap();
    cache.get(kept);
    for index in 0..3 * EVICTABLE {
        let missing = index % 3 == 0;
        let inode = (!missing).then(file);
        let id = cache
            .add_evictable(root, name(&index.to_string()), inode)
            .unwrap();
        assert_eq!(cache.inode(id).is_none(), missing);
    }
    let (count, evicted) = cache.counts();
    assert_eq!((count, evicted), (1 + EVICTABLE, 2 * EVICTABLE as u64 + 1));
    assert_eq!(
        (cache.find(root, b"kept"), cache.find(root, b"0")),
        (Some(kept), None)
    );
    let last = (3 * EVICTABLE - 1).to_string();
    assert!(cache.find(root, last.as_bytes()).is_some());
}

#[test]
fn what_is_in_use_cannot_be_evicted() {
    let (mut cache, root) = cache();
    for index in 0..EVICTABLE {
        let id = cache
            .add_evictable(root, name(&index.to_string()), None)
            .unwrap();
        cache.get(id);
    }
    let one_more = cache.add_evictable(root, name("more"), None);
    assert_eq!(one_more, Err(Errno::ENOMEM));
    assert_eq!(cache.counts().0, 1 + EVICTABLE);
}

#[test]
fn mounts_hold_their_point() {
    let (mut cache, root) = cache();
    let point = cache
        .add(root, name("mnt"), inode(Kind::Dir, 0o040_755))
        .unwrap();
    let other = cache.add_root(inode(Kind::Dir, 0o040_755)).unwrap();
    cache.set_mount(point, Some(other));
    assert_eq!(
        (cache.mounted_on(point), cache.covered_by(other)),
        (Some(other), Some(point))
    );
    cache.set_mount(point, None);
    assert_eq!(
        (cache.mounted_on(point), cache.covered_by(other)),
        (None, None)
    );
    cache.unlink(point);
    assert_eq!(cache.counts().0, 2);
}
