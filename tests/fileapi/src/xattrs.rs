//! Extended attributes: `user.` ones, which a tmpfs has since Linux 6.6.

use libc::{O_PATH, O_RDONLY, XATTR_CREATE, XATTR_REPLACE};
use std::io;
use test_support::files::{Scratch, make};
use test_support::sys::{self, close, open};
use test_support::{Outcome, report};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    make("file", b"content")?;
    sys::mkdir("dir", 0o755)?;
    sys::symlink("file", "link")?;
    values()?;
    flags();
    sizes()?;
    names();
    targets()?;
    with_the_inode()
}

fn set(path: &str, name: &str, value: &[u8], flags: i32) -> Outcome {
    sys::setxattr(path, name, value, value.len(), flags)
}

fn get(path: &str, name: &str) -> io::Result<String> {
    let mut room = vec![0; 1 << 16];
    let length = sys::getxattr(path, name, &mut room, 1 << 16)? as usize;
    Ok(room[..length.min(40)].escape_ascii().to_string())
}

/// The names, sorted: their order is the file system's affair. Only those of `user.`: what a
/// security module adds is the host's.
fn list(path: &str) -> io::Result<String> {
    let mut room = vec![0; 1 << 16];
    let length = sys::listxattr(path, &mut room, 1 << 16)? as usize;
    let mut names: Vec<String> = room[..length]
        .split(|&byte| byte == 0)
        .map(|name| name.escape_ascii().to_string())
        .filter(|name| name.starts_with("user."))
        .collect();
    names.sort();
    Ok(names.join(" "))
}

fn values() -> io::Result<()> {
    report("none", list("file"));
    report("get none", get("file", "user.a"));
    report("set", set("file", "user.a", b"first", 0));
    report("get", get("file", "user.a"));
    report("set another", set("file", "user.b", b"", 0));
    report("get it", get("file", "user.b"));
    report("list", list("file"));
    report("replace", set("file", "user.a", b"second", 0));
    report("get", get("file", "user.a"));
    report(
        "bytes that are no text",
        set("file", "user.c", b"\0\xff\n", 0),
    );
    report("get", get("file", "user.c"));
    report("remove", sys::removexattr("file", "user.a"));
    report("remove again", sys::removexattr("file", "user.a"));
    report("list", list("file"));
    report("of a directory", set("dir", "user.d", b"dir", 0));
    report("list", list("dir"));
    Ok(())
}

fn flags() {
    report("create", set("file", "user.f", b"1", XATTR_CREATE));
    report("create again", set("file", "user.f", b"2", XATTR_CREATE));
    report("replace", set("file", "user.f", b"3", XATTR_REPLACE));
    report("replace none", set("file", "user.g", b"4", XATTR_REPLACE));
    report(
        "both",
        set("file", "user.f", b"5", XATTR_CREATE | XATTR_REPLACE),
    );
    report(
        "both, none there",
        set("file", "user.h", b"5", XATTR_CREATE | XATTR_REPLACE),
    );
    report("unknown", set("file", "user.f", b"6", 4));
    report("get", get("file", "user.f"));
    report("list", list("file"));
}

fn sizes() -> io::Result<()> {
    let mut room = [b'.'; 8];
    report(
        "ask for the size",
        sys::getxattr("file", "user.c", &mut room, 0),
    );
    report("too small", sys::getxattr("file", "user.c", &mut room, 2));
    report("just right", sys::getxattr("file", "user.c", &mut room, 3));
    println!("    {}", room.escape_ascii());
    let names = sys::listxattr("file", &mut room, 0)?;
    println!("a list of some size: {}", names >= 21);
    report(
        "a list in too small a room",
        sys::listxattr("file", &mut room, 8),
    );
    for length in [4096, 65_535, 65_536, 65_537, 1 << 20] {
        report(
            format_args!("a value of {length}"),
            set("file", "user.v", &vec![b'v'; length], 0),
        );
        report("    size", sys::getxattr("file", "user.v", &mut room, 0));
    }
    report("remove", sys::removexattr("file", "user.v"));
    Ok(())
}

fn names() {
    for length in [249, 250, 251, 4000] {
        let name = format!("user.{}", "n".repeat(length));
        report(
            format_args!("a name of {}", name.len()),
            set("dir", &name, b"1", 0),
        );
        report("    get", get("dir", &name));
        report("    remove", sys::removexattr("dir", &name));
    }
    for name in [
        "",
        "user",
        "user.",
        ".",
        "a",
        "nothing.a",
        "User.a",
        "user.a.b",
        "user.ünï",
    ] {
        report(format_args!("set {name:?}"), set("dir", name, b"1", 0));
        report(format_args!("get {name:?}"), get("dir", name));
        report(
            format_args!("remove {name:?}"),
            sys::removexattr("dir", name),
        );
    }
}

fn targets() -> io::Result<()> {
    report("through a link", set("link", "user.l", b"1", 0));
    report("list", list("file"));
    report(
        "the link itself",
        sys::lsetxattr("link", "user.l", b"1", 1, 0),
    );
    report(
        "get of the link itself",
        sys::lgetxattr("link", "user.l", &mut [0; 4], 4),
    );
    report(
        "remove of the link itself",
        sys::lremovexattr("link", "user.l"),
    );
    report("remove through it", sys::removexattr("link", "user.l"));
    for path in ["", "missing", "file/x"] {
        report(format_args!("set {path:?}"), set(path, "user.a", b"1", 0));
        report(format_args!("get {path:?}"), get(path, "user.a"));
        report(format_args!("list {path:?}"), list(path));
        report(
            format_args!("remove {path:?}"),
            sys::removexattr(path, "user.a"),
        );
    }
    let fd = open("file", O_RDONLY, 0)?;
    let place = open("file", O_PATH, 0)?;
    let [reader, writer] = sys::pipe2(0)?;
    for (name, fd) in [
        ("read-only", fd),
        ("place", place),
        ("pipe", writer),
        ("closed", 987),
    ] {
        report(
            format_args!("{name} set"),
            sys::fsetxattr(fd, "user.p", b"1", 1, 0),
        );
        report(
            format_args!("{name} get"),
            sys::fgetxattr(fd, "user.p", &mut [0; 4], 4),
        );
        report(
            format_args!("{name} list"),
            sys::flistxattr(fd, &mut [0; 4096], 4096).map(|_| "ok"),
        );
        report(
            format_args!("{name} remove"),
            sys::fremovexattr(fd, "user.p"),
        );
    }
    for fd in [fd, place, reader, writer] {
        close(fd)?;
    }
    sys::mknod("fifo", libc::S_IFIFO | 0o644, 0)?;
    report("a fifo", set("fifo", "user.a", b"1", 0));
    report("get of a fifo", get("fifo", "user.a"));
    Ok(())
}

/// Attributes are the inode's: all its names have them, another file of that name does not.
fn with_the_inode() -> io::Result<()> {
    make("first", b"1")?;
    set("first", "user.mark", b"m", 0)?;
    sys::link("first", "second")?;
    sys::rename("first", "third")?;
    report("second", get("second", "user.mark"));
    report("third", get("third", "user.mark"));
    make("first", b"2")?;
    report("a new first", get("first", "user.mark"));
    sys::rename("first", "third")?;
    report("third now", get("third", "user.mark"));
    Ok(())
}
