//! Tests of path resolution.

use super::*;
use crate::fs::testing::Packer;
use crate::fs::{mount, path::PathBuf};

fn tree() -> Vfs {
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
    let mut vfs = Vfs::new();
    mount::boot(&mut vfs, Some(packer.leak())).unwrap();
    vfs
}

fn path_of(vfs: &Vfs, id: DentryId) -> String {
    let mut path = String::new();
    vfs.components(id, |name| {
        path.insert_str(0, core::str::from_utf8(name).unwrap());
        path.insert(0, '/');
    });
    if path.is_empty() { "/".into() } else { path }
}

fn walk_from(vfs: &mut Vfs, start: DentryId, path: &str, goal: Goal) -> Result<Walked, Errno> {
    let mut buffer = PathBuf::new();
    walk(vfs, start, buffer.copy(path.as_bytes())?, goal)
}

fn go(vfs: &mut Vfs, path: &str, goal: Goal) -> Result<String, Errno> {
    let id = walk_from(vfs, vfs.root, path, goal)?.found()?;
    Ok(path_of(vfs, id))
}

fn expect(rows: &[(&str, Result<&str, Errno>)], goal: Goal) {
    let mut vfs = tree();
    for &(path, wanted) in rows {
        assert_eq!(go(&mut vfs, path, goal), wanted.map(String::from), "{path}");
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
    let mut vfs = tree();
    let mut go = |path: &str| {
        let walked = walk_from(&mut vfs, vfs.root, path, Goal::Follow)?;
        Ok((walked.found, walked.slash))
    };
    assert_eq!(go("etc/new"), Ok((None, false)));
    assert_eq!(go("etc/new//"), Ok((None, true)));
    assert_eq!(go("nothing"), Ok((None, false)));
    assert_eq!(go("new/x"), Err(Errno::ENOENT));
}

#[test]
fn walks_start_where_they_are_told() {
    let mut vfs = tree();
    let etc = vfs.cache.find(vfs.root, b"etc").unwrap();
    let mut from_etc = |path: &str| walk_from(&mut vfs, etc, path, Goal::Follow)?.found();
    let motd = from_etc("motd").unwrap();
    assert_eq!(from_etc("/etc/motd"), Ok(motd));
    assert_eq!(from_etc("../etc/./motd"), Ok(motd));
    assert_eq!(from_etc("etc"), Err(Errno::ENOENT));
}

#[test]
fn names_are_found_as_such() {
    let mut vfs = tree();
    let rows = [
        ("x", Ok((Last::Name, false, false))),
        ("etc/x/", Ok((Last::Name, false, true))),
        ("abs/x", Ok((Last::Name, false, false))),
        ("abs/", Ok((Last::Name, true, true))),
        ("loop", Ok((Last::Name, true, false))),
        ("/", Ok((Last::Root, true, true))),
        ("etc/.", Ok((Last::Dot, true, false))),
        ("etc/..//", Ok((Last::DotDot, true, true))),
        ("etc/motd/x", Err(Errno::ENOTDIR)),
        ("none/x", Err(Errno::ENOENT)),
        ("loop/x", Err(Errno::ELOOP)),
        ("", Err(Errno::ENOENT)),
    ];
    for (path, wanted) in rows {
        let walked = walk_from(&mut vfs, vfs.root, path, Goal::Name);
        let told = walked.map(|w| (w.last, w.found.is_some(), w.slash));
        assert_eq!(told, wanted, "{path}");
    }
}

#[test]
fn mounts_are_crossed_both_ways() {
    let mut vfs = tree();
    let dev = walk_from(&mut vfs, vfs.root, "dev", Goal::Follow).unwrap();
    let (point, root) = (
        vfs.cache.find(vfs.root, b"dev").unwrap(),
        dev.found.unwrap(),
    );
    assert_eq!(vfs.cache.mounted_on(point), Some(root));
    let null = walk_from(&mut vfs, root, "null", Goal::Follow).unwrap();
    assert!(null.found.is_some());
    let up = walk_from(&mut vfs, root, "..", Goal::Follow).unwrap();
    assert_eq!(up.found, Some(vfs.root));
    let name = walk_from(&mut vfs, vfs.root, "dev", Goal::Name).unwrap();
    assert_eq!(name.found, Some(point));
    assert_eq!(go(&mut vfs, "dev/shm/..", Goal::Follow), Ok("/dev".into()));
}
