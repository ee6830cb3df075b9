//! Names, types, permissions and listings.

use crate::errno::Errno;
use crate::fs::proc::testing::Fake;
use crate::fs::proc::{Content, Jump, Kind, Node, Text};
use std::collections::{BTreeMap, BTreeSet};

/// All nodes below `root` with their paths.
fn walk(fake: &Fake, root: Node) -> Vec<(String, Node)> {
    let mut found = Vec::new();
    let mut todo = vec![(String::new(), root)];
    while let Some((path, node)) = todo.pop() {
        let mut from = 0;
        while let Some(member) = node.list(fake.source(), from) {
            assert!(member.next > from, "{path}");
            from = member.next;
            let name = String::from_utf8(member.name.to_vec()).unwrap();
            let same = node.lookup(fake.source(), &member.name);
            assert_eq!(same, Ok(member.node), "{path}/{name}");
            let path = format!("{path}/{name}");
            if member.node.kind() == Kind::Directory {
                todo.push((path.clone(), member.node));
            }
            found.push((path, member.node));
        }
    }
    found
}

fn roots() -> [Node; 3] {
    [Node::PROC, Node::SYS, Node::CGROUP]
}

#[test]
fn everything_listed_is_found_and_can_be_read() {
    let fake = Fake::default().spawn(5, b"helper");
    let mut files = 0;
    for (path, node) in roots().into_iter().flat_map(|root| walk(&fake, root)) {
        let mut text = Text::new();
        let read = node.read(fake.source(), &mut text);
        match node.kind() {
            Kind::Directory => assert_eq!(read, Err(Errno::EISDIR), "{path}"),
            Kind::File => {
                assert_eq!(read, Ok(()), "{path}");
                files += 1;
                let ended = text.is_empty() || matches!(text.as_bytes(), [.., b'\n' | 0]);
                assert!(ended, "{path}: {:?}", text.as_bytes());
                assert_eq!(node.target(fake.source(), &mut text), Err(Errno::EINVAL));
            }
            Kind::Link => {
                assert_eq!(read, Err(Errno::EINVAL), "{path}");
                assert_eq!(node.target(fake.source(), &mut text), Ok(()), "{path}");
                assert!(!text.is_empty());
            }
        }
    }
    assert!(files > 100, "{files}");
}

#[test]
fn names_and_inode_numbers_are_used_once() {
    let fake = Fake::default().spawn(5, b"helper").spawn(6, b"helper");
    for root in roots() {
        let nodes = walk(&fake, root);
        let inodes: BTreeSet<u64> = nodes.iter().map(|(_, node)| node.inode()).collect();
        let paths: BTreeSet<&String> = nodes.iter().map(|(path, _)| path).collect();
        assert_eq!((inodes.len(), paths.len()), (nodes.len(), nodes.len()));
        assert!(!inodes.contains(&root.inode()) && !inodes.contains(&0));
    }
}

#[test]
fn listings_go_on_while_members_come_and_go() {
    let mut fake = Fake::default();
    let fds = fake.find(Node::PROC, "self").err();
    assert_eq!(fds, None, "a link is a node like any other");
    let fds = fake.find(Node::PROC, "1/fd").unwrap();
    let first = fds.list(fake.source(), 0).unwrap();
    assert_eq!((&first.name[..], first.node.number()), (&b"0"[..], 0));
    fake.files.remove(&1);
    fake = fake.open(5, "/five", 0);
    let second = fds.list(fake.source(), first.next).unwrap();
    assert_eq!(&second.name[..], b"5");
    let third = fds.list(fake.source(), second.next).unwrap();
    assert_eq!(&third.name[..], b"7");
    assert!(fds.list(fake.source(), third.next).is_none());
    assert!(fds.list(fake.source(), u64::MAX).is_none());
}

#[test]
fn only_proper_numbers_are_names() {
    let fake = Fake::default();
    for name in ["00", "07", "2", "-1", "+7", "7 ", "", "99999999999", "x"] {
        let node = fake.find(Node::PROC, "1/fd").unwrap();
        let found = node.lookup(fake.source(), name.as_bytes());
        assert_eq!(found, Err(Errno::ENOENT), "{name:?}");
    }
    assert_eq!(fake.find(Node::PROC, "2"), Err(Errno::ENOENT));
    assert_eq!(fake.find(Node::PROC, "1/task/2"), Err(Errno::ENOENT));
    assert_eq!(fake.find(Node::PROC, "version/x"), Err(Errno::ENOTDIR));
    let root = Node::PROC;
    assert!(root.is_stable(b"version") && !root.is_stable(b"1"));
    assert!(Node::SYS.is_stable(b"anything"));
}

#[test]
fn modes_are_those_of_linux() {
    let fake = Fake::default();
    let mode = |path| fake.find(Node::PROC, path).unwrap().mode(fake.source());
    for (path, wanted) in [
        ("meminfo", 0o100_444),
        ("self", 0o120_777),
        ("1", 0o040_555),
        ("1/comm", 0o100_644),
        ("1/environ", 0o100_400),
        ("1/exe", 0o120_777),
        ("1/fd", 0o040_500),
        ("1/fd/0", 0o120_700),
        ("1/fd/1", 0o120_300),
        ("1/fd/7", 0o120_500),
        ("1/fdinfo/0", 0o100_444),
        ("1/task/1", 0o040_555),
        ("sys/kernel/hostname", 0o100_644),
        ("sys/kernel/osrelease", 0o100_444),
    ] {
        assert_eq!(mode(path), wanted, "{path}: {:o}", mode(path));
    }
}

/// What is here has the type and the permissions that the host gives it, but for the permission to
/// write what is not kept, and for the files that the host's root may see as something else.
#[test]
#[cfg_attr(miri, ignore)]
fn types_and_permissions_agree_with_the_host() {
    use std::os::unix::fs::MetadataExt;
    let fake = Fake::default();
    let mut compared = 0;
    for (root, at) in [(Node::PROC, "/proc"), (Node::SYS, "/sys")] {
        for (path, node) in walk(&fake, root) {
            let here = path.replacen("/1/", "/self/", 1);
            let here = here.replace("/task/1", &format!("/task/{}", std::process::id()));
            let numbered = here.contains("/fd/") || here.contains("/fdinfo/");
            let Ok(found) = std::fs::symlink_metadata(format!("{at}{here}")) else {
                continue;
            };
            if numbered || here == "/1" || here == "/sys/fs/cgroup" {
                continue;
            }
            let ours = node.mode(fake.source());
            let allowed = [found.mode(), found.mode() & !0o222];
            assert!(
                allowed.contains(&ours),
                "{path}: {ours:o} {:o}",
                found.mode()
            );
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn links_lead_where_they_say() {
    let fake = Fake {
        current: 5,
        ..Fake::default().spawn(5, b"helper")
    };
    let links = BTreeMap::from([
        ("self", "1"),
        ("thread-self", "1/task/5"),
        ("mounts", "self/mounts"),
        ("1/cwd", "/work"),
        ("1/root", "/"),
        ("1/exe", "/prog (deleted)"),
        ("1/fd/1", "pipe:[4026]"),
        ("1/task/5/fd/7", "/tmp/a file"),
    ]);
    for (path, target) in links {
        assert_eq!(fake.link(path), target);
    }
    let jump = |path| fake.find(Node::PROC, path).unwrap().jump();
    assert_eq!(jump("1/fd/7"), Some(Jump::Descriptor));
    assert_eq!(jump("1/exe"), Some(Jump::Program));
    assert_eq!(jump("1/cwd"), Some(Jump::Current));
    assert_eq!((jump("self"), jump("1/comm")), (None, None));
    assert_eq!(fake.find(Node::PROC, "1/fd/7").unwrap().number(), 7);
}

#[test]
fn writes_are_taken_or_refused() {
    let fake = Fake::default();
    let write = |path: &str, at, bytes: &[u8]| {
        let node = fake.find(Node::PROC, path).unwrap();
        node.write(fake.source(), at, bytes)
    };
    assert_eq!(write("meminfo", 0, b"1"), Err(Errno::EIO));
    assert_eq!(write("1/maps", 0, b"1"), Err(Errno::EINVAL));
    assert_eq!(write("1/comm", 0, b"another name for it"), Ok(19));
    assert_eq!(fake.read("1/comm"), "another name fo\n");
    assert_eq!(write("1/comm", 0, b""), Ok(0));
    assert_eq!(fake.read("1/comm"), "\n");

    assert_eq!(write("sys/kernel/hostname", 0, b"other\nmore"), Ok(10));
    assert_eq!(fake.read("sys/kernel/hostname"), "other\n");
    assert_eq!(write("sys/kernel/hostname", 5, b"-end"), Ok(4));
    assert_eq!(fake.read("sys/kernel/hostname"), "other-end\n");
    assert_eq!(write("sys/kernel/hostname", 30, b"x"), Ok(0));
    assert_eq!(write("sys/kernel/hostname", 0, &[b'h'; 100]), Ok(100));
    assert_eq!(fake.read("sys/kernel/hostname").len(), 65);

    assert_eq!(write("1/oom_score_adj", 0, b" -17\n"), Ok(5));
    assert_eq!(fake.read("1/oom_score_adj"), "-17\n");
    for bad in [&b"1001"[..], b"-1001", b"x", b"", b"\xff"] {
        assert_eq!(write("1/oom_score_adj", 0, bad), Err(Errno::EINVAL));
    }
    assert_eq!(write("1/oom_score_adj", 0, b"0"), Ok(1));
    let strict = |path| fake.find(Node::PROC, path).unwrap().is_strict();
    assert!(strict("sys/kernel/pid_max") && !strict("1/comm") && !strict("meminfo"));
}

#[test]
fn content_stays_until_it_is_read_from_the_start() {
    let fake = Fake::default();
    let node = fake.find(Node::PROC, "1/comm").unwrap();
    let mut content = Content::new();
    assert_eq!(content.from(node, fake.source(), 2), Ok(&b"og\n"[..]));
    node.write(fake.source(), 0, b"x").unwrap();
    assert_eq!(content.from(node, fake.source(), 1), Ok(&b"rog\n"[..]));
    assert_eq!(content.from(node, fake.source(), u64::MAX), Ok(&b""[..]));
    assert_eq!(content.from(node, fake.source(), 0), Ok(&b"x\n"[..]));
    assert_eq!(
        content.from(Node::PROC, fake.source(), 0),
        Err(Errno::EISDIR)
    );
}
