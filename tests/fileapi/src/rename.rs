//! rename(2) and renameat2(2).

use crate::fixture::build;
use libc::{RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT};
use std::io;
use test_support::files::{
    Scratch, content, content_of, fstat, looks, lstat, make, names_in, stat, tree,
};
use test_support::sys::{self, HERE, close, open};
use test_support::{Outcome, report};

const FROM: [&str; 9] = [
    "file", "dir", "full", "link", "link-dir", "dangling", "missing", "dir/", "file/",
];
const TO: [&str; 13] = [
    "file",
    "other",
    "dir",
    "full",
    "link",
    "link-dir",
    "dangling",
    "new",
    "missing/new",
    "dir/new",
    "full/new",
    "new/",
    "dir/",
];

fn rename2(old: &str, new: &str, flags: u32) -> Outcome {
    sys::renameat2(HERE, old, HERE, new, flags)
}

/// Everything onto everything, with each flag.
pub fn matrix() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    build()?;
    let untouched = tree()?;
    let ways = [
        ("rename", 0),
        ("noreplace", RENAME_NOREPLACE),
        ("exchange", RENAME_EXCHANGE),
    ];
    for (name, flags) in ways {
        for from in FROM {
            for to in TO {
                report(format_args!("{name} {from} {to}"), rename2(from, to, flags));
                let now = tree()?;
                if now != untouched {
                    println!("    {now}");
                    build()?;
                }
            }
        }
    }
    Ok(())
}

/// What the matrix does not have.
pub fn more() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    build()?;
    dots();
    inside()?;
    flags();
    whiteout()?;
    links()?;
    build()?;
    open_files()?;
    build()?;
    moved_directories()
}

fn dots() {
    for from in [".", "..", "dir/.", "dir/..", "full/.."] {
        report(format_args!("rename {from}"), sys::rename(from, "new"));
        report(format_args!("rename to {from}"), sys::rename("dir", from));
        report(
            format_args!("exchange {from}"),
            rename2(from, "dir", RENAME_EXCHANGE),
        );
    }
    let long = "n".repeat(256);
    report("rename a long name", sys::rename(&long, "new"));
    report("rename to a long name", sys::rename("file", &long));
    report(
        "renameat, bad first",
        sys::renameat(987, "file", HERE, "new"),
    );
    report(
        "renameat, bad second",
        sys::renameat(HERE, "file", 987, "new"),
    );
    report(
        "renameat, both missing",
        sys::renameat(HERE, "missing", 987, "missing"),
    );
}

/// A directory into itself or what is below it, and the other way round.
fn inside() -> io::Result<()> {
    sys::mkdir("full/deep", 0o755)?;
    sys::mkdir("full/deep/er", 0o755)?;
    for (from, to) in [
        ("full", "full"),
        ("full", "full/new"),
        ("full", "full/deep"),
        ("full", "full/deep/new"),
        ("full", "full/deep/er"),
        ("full/deep", "full"),
        ("full/deep/er", "full"),
        ("full/deep", "full/deep/er/new"),
        ("full/inner", "full"),
        ("full", "full/inner"),
        ("full/inner", "full/inner"),
        ("file", "file"),
    ] {
        report(format_args!("rename {from} {to}"), sys::rename(from, to));
        report(
            format_args!("noreplace {from} {to}"),
            rename2(from, to, RENAME_NOREPLACE),
        );
        report(
            format_args!("exchange {from} {to}"),
            rename2(from, to, RENAME_EXCHANGE),
        );
    }
    report("unchanged", tree());
    build()
}

fn flags() {
    for flags in [3, 4, 5, 6, 7, 8, 16, 1 << 31] {
        report(
            format_args!("flags {flags:#x}"),
            rename2("file", "other", flags),
        );
        report(
            format_args!("flags {flags:#x} to new"),
            rename2("file", "new", flags),
        );
        report("    left", tree());
        let _ = build();
    }
}

/// What a whiteout leaves: a character device with number 0.
fn whiteout() -> io::Result<()> {
    report("whiteout", rename2("file", "new", RENAME_WHITEOUT));
    report(
        "left behind",
        lstat("file")
            .map(|stat| (looks(&stat), stat.st_rdev))
            .map(|x| format!("{x:?}")),
    );
    report("new", content("new"));
    report("onto it", sys::rename("other", "file"));
    report("file", content("file"));
    report(
        "whiteout of a directory",
        rename2("full", "file-dir", RENAME_WHITEOUT),
    );
    report("over one", rename2("file-dir", "dir", RENAME_WHITEOUT));
    report("left", tree());
    build()?;
    report(
        "whiteout across",
        rename2("file", "dir/file", RENAME_WHITEOUT),
    );
    report("left", tree());
    build()
}

/// Two names of one file: nothing happens.
fn links() -> io::Result<()> {
    sys::link("file", "again")?;
    report("rename to its own name", sys::rename("file", "again"));
    report(
        "noreplace to its own name",
        rename2("file", "again", RENAME_NOREPLACE),
    );
    report(
        "exchange of its names",
        rename2("file", "again", RENAME_EXCHANGE),
    );
    report("left", tree());
    report("over one of its names", sys::rename("other", "again"));
    report("file", stat("file").map(|stat| looks(&stat)));
    Ok(())
}

/// Open files live on, replaced or moved.
fn open_files() -> io::Result<()> {
    let old = open("other", libc::O_RDWR, 0)?;
    let moved = open("file", libc::O_RDWR, 0)?;
    report("replace", sys::rename("file", "other"));
    report("the replaced one", fstat(old).map(|stat| looks(&stat)));
    report("its content", content_of(old));
    report("write to the moved one", sys::write(moved, b"CON"));
    report("other", content("other"));
    close(old)?;
    close(moved)?;
    let dir = open("dir", libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    report("replace an empty directory", sys::rename("full", "dir"));
    report("the replaced one", fstat(dir).map(|stat| stat.st_nlink));
    report("make something in it", sys::mkdirat(dir, "x", 0o755));
    report("dir", names_in(HERE, "dir"));
    close(dir)?;
    Ok(())
}

/// `..`, link counts and the working directory follow a directory that moves.
fn moved_directories() -> io::Result<()> {
    sys::mkdir("a", 0o755)?;
    sys::mkdir("a/moves", 0o755)?;
    sys::mkdir("b", 0o755)?;
    make("b/mark", b"here")?;
    let nlink = |path: &str| stat(path).map(|stat| stat.st_nlink).unwrap_or(0);
    println!("links of a {}, b {}", nlink("a"), nlink("b"));
    sys::chdir("a/moves")?;
    let home = open("../..", libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    report("move", sys::renameat(home, "a/moves", home, "b/moved"));
    report("..", content("../mark"));
    report("at", sys::getcwd().map(|path| path.ends_with("/b/moved")));
    sys::fchdir(home)?;
    println!("links of a {}, b {}", nlink("a"), nlink("b"));
    report(
        "exchange a directory and a file",
        rename2("a", "b/mark", RENAME_EXCHANGE),
    );
    report("left", tree());
    println!("links of b {}, here {}", nlink("b"), nlink("."));
    report(
        "exchange two levels",
        rename2("b/moved", "dir", RENAME_EXCHANGE),
    );
    report("the same inode", same_parent("dir/..", "."));
    report("the same inode", same_parent("b/moved/..", "b"));
    report("left", tree());
    close(home)?;
    Ok(())
}

fn same_parent(left: &str, right: &str) -> io::Result<bool> {
    Ok(stat(left)?.st_ino == stat(right)?.st_ino)
}
