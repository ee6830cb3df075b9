//! The calls that take a directory's descriptor: what it may be, and what flags mean.

use crate::fixture::build;
use libc::{
    AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, O_CREAT, O_DIRECTORY, O_PATH, O_RDONLY, O_RDWR, S_IFREG,
};
use std::io;
use test_support::files::{Scratch, kind, looks, stat_at, tree};
use test_support::sys::{self, HERE, close, open};
use test_support::{Outcome, call, report};

type Try = fn(i64, &str) -> Outcome;

/// One call each; its path may be missing, relative to whatever the directory is.
const CALLS: [(&str, Try); 15] = [
    ("openat", |dir, path| {
        sys::openat(dir, path, O_RDONLY, 0).and_then(close)
    }),
    ("openat to make", |dir, path| {
        sys::openat(dir, path, O_RDWR | O_CREAT, 0o644).and_then(close)
    }),
    ("mkdirat", |dir, path| sys::mkdirat(dir, path, 0o755)),
    ("mknodat", |dir, path| {
        sys::mknodat(dir, path, S_IFREG | 0o644, 0)
    }),
    ("symlinkat", |dir, path| sys::symlinkat("target", dir, path)),
    ("linkat from", |dir, path| {
        sys::linkat(dir, path, HERE, "fresh", 0)
    }),
    ("linkat to", |dir, path| {
        sys::linkat(HERE, "file", dir, path, 0)
    }),
    ("renameat from", |dir, path| {
        sys::renameat(dir, path, HERE, "fresh")
    }),
    ("renameat to", |dir, path| {
        sys::renameat(HERE, "file", dir, path)
    }),
    ("unlinkat", |dir, path| sys::unlinkat(dir, path, 0)),
    ("fchmodat", |dir, path| sys::fchmodat(dir, path, 0o600)),
    ("fchownat", |dir, path| sys::fchownat(dir, path, -1, -1, 0)),
    ("faccessat2", |dir, path| {
        sys::faccessat2(dir, path, libc::R_OK, 0)
    }),
    ("newfstatat", |dir, path| {
        stat_at(dir, path, 0).map(|stat| stat.st_size)
    }),
    ("utimensat", |dir, path| {
        let path = std::ffi::CString::new(path)?;
        call(
            libc::SYS_utimensat,
            &[dir as u64, path.as_ptr() as u64, 0, 0],
        )
    }),
];

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let scratch = Scratch::enter()?;
    build()?;
    let untouched = tree()?;
    let absolute = format!("{}/full/inner", scratch.path());
    for (name, call) in CALLS {
        for what in ["directory", "place", "file", "closed", "nothing", "here"] {
            for path in ["inner", "missing", "", "/"] {
                let fd = match what {
                    "directory" => open("full", O_RDONLY | O_DIRECTORY, 0)?,
                    "place" => open("full", O_PATH, 0)?,
                    "file" => open("file", O_RDONLY, 0)?,
                    "closed" => 987,
                    "nothing" => -1,
                    _ => HERE,
                };
                if path == "/" {
                    let outcome = call(fd, &absolute);
                    report(format_args!("{name} {what}, absolute path"), outcome);
                } else {
                    report(format_args!("{name} {what} {path:?}"), call(fd, path));
                }
                let _ = close(fd);
                let now = tree()?;
                if now != untouched {
                    println!("    {now}");
                    build()?;
                }
            }
        }
    }
    build()?;
    empty_paths()?;
    unknown_flags()
}

/// `AT_EMPTY_PATH`: the descriptor itself.
fn empty_paths() -> io::Result<()> {
    let file = open("file", O_RDWR, 0)?;
    let dir = open("dir", O_RDONLY, 0)?;
    let link = open("link", O_PATH | libc::O_NOFOLLOW, 0)?;
    let [reader, writer] = sys::pipe2(0)?;
    for (what, fd) in [
        ("file", file),
        ("dir", dir),
        ("link", link),
        ("here", HERE),
        ("pipe", reader),
    ] {
        let stat = stat_at(fd, "", AT_EMPTY_PATH).map(|stat| kind(stat.st_mode));
        report(format_args!("stat {what}"), stat);
        let stat = stat_at(fd, "", 0).map(|stat| kind(stat.st_mode));
        report(format_args!("stat {what} without the flag"), stat);
        report(
            format_args!("access {what}"),
            sys::faccessat2(fd, "", libc::F_OK, AT_EMPTY_PATH),
        );
        report(
            format_args!("chown {what}"),
            sys::fchownat(fd, "", -1, -1, AT_EMPTY_PATH),
        );
        report(
            format_args!("chmod {what}"),
            sys::fchmodat2(fd, "", 0o700, AT_EMPTY_PATH),
        );
        let times = call(
            libc::SYS_utimensat,
            &[fd as u64, c"".as_ptr() as u64, 0, AT_EMPTY_PATH as u64],
        );
        report(format_args!("utimens {what}"), times);
        let times = call(libc::SYS_utimensat, &[fd as u64, 0, 0, 0]);
        report(format_args!("utimens {what} without a path"), times);
        report(format_args!("unlink {what}"), sys::unlinkat(fd, "", 0));
        report(
            format_args!("unlink {what} with the flag"),
            sys::unlinkat(fd, "", AT_EMPTY_PATH),
        );
        // A path that is not empty is a path.
        let other = stat_at(fd, "inner", AT_EMPTY_PATH).map(|stat| looks(&stat));
        report(format_args!("stat {what}/inner"), other);
        let other =
            stat_at(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW).map(|stat| kind(stat.st_mode));
        report(format_args!("stat {what} not following"), other);
    }
    for fd in [file, dir, link, reader, writer] {
        close(fd)?;
    }
    Ok(())
}

/// Each of the calls with flags refuses bits that it does not know.
fn unknown_flags() -> io::Result<()> {
    build()?;
    for bit in 0..31 {
        let flags = 1 << bit;
        let outcomes = [
            stat_at(HERE, "file", flags).map(|_| 0),
            sys::unlinkat(HERE, "missing", flags),
            sys::linkat(HERE, "missing", HERE, "fresh", flags),
            sys::fchownat(HERE, "file", -1, -1, flags),
            sys::faccessat2(HERE, "file", libc::F_OK, flags),
            sys::fchmodat2(HERE, "file", 0o644, flags),
            call(
                libc::SYS_utimensat,
                &[HERE as u64, c"file".as_ptr() as u64, 0, flags as u64],
            ),
            sys::renameat2(HERE, "missing", HERE, "fresh", flags as u32),
        ];
        let words: Vec<String> = outcomes
            .into_iter()
            .map(|outcome| outcome.map_or_else(|e| test_support::errno_name(&e), |_| "ok".into()))
            .collect();
        println!(
            "flag {flags:#x}: stat, unlink, link, chown, access, chmod, utimens, rename: {words:?}"
        );
    }
    Ok(())
}
