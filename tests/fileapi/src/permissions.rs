//! Permissions, as root and as an ordinary user.

use crate::identity::{EXTRA, GROUP, OTHER, USER, as_user, mark};
use libc::{AT_EACCESS, O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};
use std::io;
use test_support::files::{Scratch, getdents, make, stat};
use test_support::sys::{self, HERE, close, open};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let scratch = Scratch::enter()?;
    sys::chmod(scratch.path(), 0o777)?;
    files()?;
    directories()?;
    new_parents()?;
    sticky()
}

/// Whose class of permissions counts.
const CLASSES: [(&str, i64, i64, u32); 4] = [
    ("owner", USER, OTHER, 6),
    ("group", OTHER, GROUP, 3),
    ("extra group", OTHER, EXTRA, 3),
    ("others", OTHER, OTHER, 0),
];

/// Every permission of every class, the other classes with none and with all.
fn files() -> io::Result<()> {
    for (class, uid, gid, shift) in CLASSES {
        for others in [0, 0o777] {
            for bits in 0..8 {
                let mode = others & !(7 << shift) | bits << shift;
                make("file", b"content")?;
                sys::chown("file", uid, gid)?;
                sys::chmod("file", mode)?;
                let tried = || {
                    let opened = [O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC, libc::O_PATH]
                        .map(|flags| mark(open("file", flags, 0).and_then(close)));
                    let effective =
                        [4, 2, 1].map(|bits| mark(sys::faccessat2(HERE, "file", bits, AT_EACCESS)));
                    let real = [4, 2, 1].map(|bits| mark(sys::access("file", bits)));
                    let cut = mark(sys::truncate("file", 3));
                    (opened, effective, real, cut)
                };
                let (opened, effective, real, cut) = as_user(tried)?;
                println!("{class} {mode:03o}: r w rw trunc path {opened:?}");
                println!("    access r w x effective {effective:?} real {real:?} truncate {cut}");
                let root = [4, 2, 1].map(|bits| mark(sys::access("file", bits)));
                println!(
                    "    root {root:?} {}",
                    mark(open("file", O_RDWR, 0).and_then(close))
                );
            }
        }
    }
    sys::unlink("file")?;
    Ok(())
}

fn directories() -> io::Result<()> {
    for (class, uid, gid, shift) in CLASSES {
        for bits in 0..8 {
            let mode = bits << shift;
            sys::mkdir("dir", 0o755)?;
            make("dir/inner", b"inner")?;
            sys::chmod("dir/inner", 0o666)?;
            sys::chown("dir", uid, gid)?;
            sys::chmod("dir", mode)?;
            let list = || {
                let fd = open("dir", O_RDONLY | O_DIRECTORY, 0)?;
                let count = getdents(fd, 512).map(|entries| entries.len() as i64);
                close(fd)?;
                count
            };
            let home = open(".", O_RDONLY | O_DIRECTORY, 0)?;
            let tried = || {
                [
                    ("list", list()),
                    ("stat inside", stat("dir/inner").map(|_| 0)),
                    ("stat of none", stat("dir/none").map(|_| 0)),
                    ("open inside", open("dir/inner", O_RDWR, 0).and_then(close)),
                    (
                        "create",
                        open("dir/new", O_CREAT | O_RDWR, 0o644).and_then(close),
                    ),
                    ("mkdir", sys::mkdir("dir/sub", 0o755)),
                    ("symlink", sys::symlink("x", "dir/soft")),
                    ("rename inside", sys::rename("dir/inner", "dir/other")),
                    ("unlink", sys::unlink("dir/other")),
                    ("unlink none", sys::unlink("dir/none")),
                    ("create existing", sys::mkdir("dir/new", 0o755)),
                    ("chdir", sys::chdir("dir")),
                    ("up again", sys::fchdir(home)),
                    ("through it", stat("dir/../dir").map(|_| 0)),
                    (
                        "move it",
                        sys::rename("dir", "moved").and_then(|_| sys::rename("moved", "dir")),
                    ),
                ]
            };
            println!("{class} {mode:03o}");
            for (what, outcome) in as_user(tried)? {
                println!("    {what} {}", mark(outcome));
            }
            sys::fchdir(home)?;
            close(home)?;
            std::fs::remove_dir_all("dir")?;
        }
    }
    Ok(())
}

/// A directory that gets another parent is written to: its `..` changes.
fn new_parents() -> io::Result<()> {
    for (class, uid, gid, shift) in CLASSES {
        for bits in [0, 2, 5, 7] {
            sys::mkdir("here", 0o755)?;
            sys::mkdir("here/dir", 0o755)?;
            sys::mkdir("there", 0o755)?;
            make("there/file", b"x")?;
            sys::chown("here/dir", uid, gid)?;
            sys::chmod("here/dir", bits << shift)?;
            sys::chmod("here", 0o777)?;
            sys::chmod("there", 0o777)?;
            sys::chmod("there/file", 0)?;
            let exchange = |one: &str, other: &str| {
                sys::renameat2(HERE, one, HERE, other, libc::RENAME_EXCHANGE)
            };
            let tried = || {
                [
                    ("beside itself", sys::rename("here/dir", "here/moved")),
                    ("back", sys::rename("here/moved", "here/dir")),
                    ("away", sys::rename("here/dir", "there/dir")),
                    ("home", sys::rename("there/dir", "here/dir")),
                    ("for a file", exchange("here/dir", "there/file")),
                    ("for a file, home", exchange("there/file", "here/dir")),
                    ("a file away", sys::rename("there/file", "here/file")),
                ]
            };
            println!("{class} {:03o} to another parent", bits << shift);
            for (what, outcome) in as_user(tried)? {
                println!("    {what} {}", mark(outcome));
            }
            std::fs::remove_dir_all("here")?;
            std::fs::remove_dir_all("there")?;
        }
    }
    Ok(())
}

/// In a sticky directory only owners remove: of the entry, or of the directory.
fn sticky() -> io::Result<()> {
    for (whose_dir, whose_file) in [(0, 0), (0, USER), (USER, 0), (OTHER, USER), (OTHER, OTHER)] {
        sys::mkdir("sticky", 0o755)?;
        make("sticky/file", b"x")?;
        make("sticky/second", b"y")?;
        sys::mkdir("sticky/dir", 0o777)?;
        for path in ["sticky/file", "sticky/second", "sticky/dir"] {
            sys::chown(path, whose_file, whose_file)?;
        }
        sys::chown("sticky", whose_dir, whose_dir)?;
        sys::chmod("sticky", 0o1777)?;
        let tried = || {
            [
                ("rename", sys::rename("sticky/file", "sticky/renamed")),
                (
                    "rename over",
                    sys::rename("sticky/renamed", "sticky/second"),
                ),
                (
                    "exchange",
                    sys::renameat2(
                        HERE,
                        "sticky/second",
                        HERE,
                        "sticky/dir",
                        libc::RENAME_EXCHANGE,
                    ),
                ),
                ("make over", sys::mkdir("sticky/new", 0o755)),
                ("rename mine over", sys::rename("sticky/new", "sticky/dir")),
                ("rmdir", sys::rmdir("sticky/dir")),
                ("unlink", sys::unlink("sticky/file")),
                ("unlink", sys::unlink("sticky/second")),
            ]
        };
        println!("sticky directory of {whose_dir}, entries of {whose_file}");
        for (what, outcome) in as_user(tried)? {
            println!("    {what} {}", mark(outcome));
        }
        std::fs::remove_dir_all("sticky")?;
    }
    Ok(())
}
