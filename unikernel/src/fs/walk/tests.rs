//! Tests of path resolution.

use super::*;
use crate::fs::mount::mount;
use crate::fs::testing::Packer;

fn tree() -> Tree {
    let mut packer = Packer::default()
        .file("etc/motd", b"hello")
        .dir("usr/share/doc")
        .link("usr/up", "..")
        .link("abs", "/usr/share")
        .link("rel", "usr/./share//doc")
        .link("slash", "etc/motd/")
        .link("dirslash", "usr/")
        .link("root", "/")
        .link("nothing", "etc/none")
        .link("loop", "loop")
        .link("chain0", "etc/motd")
        .link("deep0", "usr");
    for index in 1..=41 {
        packer = packer.link(&format!("chain{index}"), &format!("chain{}", index - 1));
        packer = packer.link(&format!("deep{index}"), &format!("deep{}/.", index - 1));
    }
    mount(Some(packer.leak())).unwrap()
}

fn path_of(tree: &Tree, mut entry: EntryId) -> String {
    let mut path = String::new();
    while entry != EntryId::ROOT {
        path.insert_str(0, core::str::from_utf8(tree.name(entry)).unwrap());
        path.insert(0, '/');
        entry = tree.parent(entry).unwrap();
    }
    if path.is_empty() { "/".into() } else { path }
}

fn go(tree: &Tree, path: &str, goal: Goal) -> Result<String, Errno> {
    match walk(tree, EntryId::ROOT, path.as_bytes(), goal)?.found()? {
        Target::Entry(entry) => Ok(path_of(tree, entry)),
        Target::Descriptor(number) => Ok(format!("descriptor {number}")),
    }
}

fn expect(rows: &[(&str, Result<&str, Errno>)], goal: Goal) {
    let tree = tree();
    for &(path, wanted) in rows {
        assert_eq!(go(&tree, path, goal), wanted.map(String::from), "{path}");
    }
}

#[test]
fn plain_paths() {
    let rows = [
        ("/", Ok("/")),
        ("///", Ok("/")),
        (".", Ok("/")),
        ("..", Ok("/")),
        ("/../..", Ok("/")),
        ("etc/motd", Ok("/etc/motd")),
        ("//etc///motd", Ok("/etc/motd")),
        ("./etc/../usr/./share/", Ok("/usr/share")),
        ("usr/share/doc/..", Ok("/usr/share")),
        ("", Err(Errno::ENOENT)),
        ("none", Err(Errno::ENOENT)),
        ("none/x", Err(Errno::ENOENT)),
        ("none/..", Err(Errno::ENOENT)),
        ("etc/motd/", Err(Errno::ENOTDIR)),
        ("etc/motd/x", Err(Errno::ENOTDIR)),
        ("etc/motd/.", Err(Errno::ENOTDIR)),
        ("etc/motd/..", Err(Errno::ENOTDIR)),
    ];
    expect(&rows, Goal::Follow);
    expect(&rows, Goal::NoFollow);
}

#[test]
fn links_are_followed_in_the_middle_and_at_the_end() {
    let rows = [
        ("abs", Ok("/usr/share")),
        ("abs/doc", Ok("/usr/share/doc")),
        ("abs/..", Ok("/usr")),
        ("rel/", Ok("/usr/share/doc")),
        ("usr/up/etc/motd", Ok("/etc/motd")),
        ("root/etc", Ok("/etc")),
        ("root/", Ok("/")),
        ("dirslash", Ok("/usr")),
        ("dirslash/share", Ok("/usr/share")),
        ("slash", Err(Errno::ENOTDIR)),
        ("nothing", Err(Errno::ENOENT)),
        ("nothing/x", Err(Errno::ENOENT)),
        ("loop", Err(Errno::ELOOP)),
        ("loop/x", Err(Errno::ELOOP)),
    ];
    expect(&rows, Goal::Follow);
}

#[test]
fn a_final_link_is_left_alone_on_demand() {
    let rows = [
        ("abs", Ok("/abs")),
        ("abs/", Ok("/usr/share")),
        ("abs/.", Ok("/usr/share")),
        ("loop", Ok("/loop")),
        ("usr/up", Ok("/usr/up")),
        ("root/abs", Ok("/abs")),
        ("dev/stdin", Ok("/dev/stdin")),
    ];
    expect(&rows, Goal::NoFollow);
}

#[test]
fn files_are_not_created_with_a_slash() {
    let rows = [
        ("etc/motd", Ok("/etc/motd")),
        ("chain1", Ok("/etc/motd")),
        ("etc/motd/", Err(Errno::EISDIR)),
        ("etc/new/", Err(Errno::EISDIR)),
        ("slash", Err(Errno::EISDIR)),
        ("usr/./", Ok("/usr")),
        ("/", Ok("/")),
        ("etc/motd/x/", Err(Errno::ENOTDIR)),
        ("none/x/", Err(Errno::ENOENT)),
    ];
    expect(&rows, Goal::Create);
    expect(
        &[("chain1", Ok("/chain1")), ("abs/", Err(Errno::EISDIR))],
        Goal::CreateNew,
    );
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let rows = [
        ("chain39", Ok("/etc/motd")),
        ("chain40", Err(Errno::ELOOP)),
        ("deep39", Ok("/usr")),
        ("deep39/share", Ok("/usr/share")),
        ("deep40/share", Err(Errno::ELOOP)),
        ("deep20/../deep20", Err(Errno::ELOOP)),
        ("deep19/../deep19", Ok("/usr")),
    ];
    expect(&rows, Goal::Follow);
}

#[test]
fn descriptor_links_lead_out_of_the_tree() {
    let rows = [
        ("/dev/stdin", Ok("descriptor 0")),
        ("/dev/stderr", Ok("descriptor 2")),
        ("/dev/stdin/", Err(Errno::ENOTDIR)),
        ("/dev/stdin/x", Err(Errno::ENOTDIR)),
    ];
    expect(&rows, Goal::Follow);
}

#[test]
fn long_names_are_told_from_missing_ones() {
    let (long, longest) = ("a".repeat(256), "a".repeat(255));
    let rows = [
        (long.clone(), Err(Errno::ENAMETOOLONG)),
        (longest.clone(), Err(Errno::ENOENT)),
        (format!("etc/{long}/x"), Err(Errno::ENAMETOOLONG)),
        (format!("none/{long}"), Err(Errno::ENOENT)),
        (format!("etc/motd/{long}"), Err(Errno::ENOTDIR)),
    ];
    let rows: Vec<_> = rows
        .iter()
        .map(|(path, wanted)| (path.as_str(), *wanted))
        .collect();
    expect(&rows, Goal::Follow);
}

#[test]
fn a_missing_last_name_is_not_an_error_yet() {
    let tree = tree();
    let go = |path: &str| walk(&tree, EntryId::ROOT, path.as_bytes(), Goal::Follow);
    assert_eq!(
        go("etc/new"),
        Ok(Walked {
            target: None,
            slash: false
        })
    );
    assert_eq!(
        go("etc/new//"),
        Ok(Walked {
            target: None,
            slash: true
        })
    );
    assert_eq!(
        go("nothing"),
        Ok(Walked {
            target: None,
            slash: false
        })
    );
    assert_eq!(go("new/x"), Err(Errno::ENOENT));
}

#[test]
fn walks_start_where_they_are_told() {
    let tree = tree();
    let etc = tree.lookup(EntryId::ROOT, b"etc").unwrap();
    let from_etc = |path: &[u8]| walk(&tree, etc, path, Goal::Follow)?.found();
    let motd = from_etc(b"motd").unwrap();
    assert_eq!(from_etc(b"/etc/motd"), Ok(motd));
    assert_eq!(from_etc(b"../etc/./motd"), Ok(motd));
    assert_eq!(from_etc(b"etc"), Err(Errno::ENOENT));
}

#[test]
fn the_parent_is_found_without_the_name() {
    let tree = tree();
    let rows = [
        ("x", Ok(Last::Name)),
        ("etc/x/", Ok(Last::Name)),
        ("abs/x", Ok(Last::Name)),
        ("loop", Ok(Last::Name)),
        ("/", Ok(Last::Root)),
        ("etc/.", Ok(Last::Dot)),
        ("etc/..//", Ok(Last::DotDot)),
        ("etc/motd/x", Err(Errno::ENOTDIR)),
        ("/dev/stdin/x", Err(Errno::ENOTDIR)),
        ("none/x", Err(Errno::ENOENT)),
        ("loop/x", Err(Errno::ELOOP)),
        ("", Err(Errno::ENOENT)),
    ];
    for (path, wanted) in rows {
        assert_eq!(
            walk_parent(&tree, EntryId::ROOT, path.as_bytes()),
            wanted,
            "{path}"
        );
    }
}
