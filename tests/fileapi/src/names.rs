//! Every call that takes a path, with every kind of path.

use crate::fixture::{PATHS, build, real};
use libc::{O_CREAT, O_RDWR, S_IFREG};
use std::io;
use test_support::files::{Scratch, kind, lstat, stat, tree};
use test_support::sys::{self, HERE};
use test_support::{Outcome, report};

type Try = fn(&str) -> Outcome;

/// What is tried on each path.
const CALLS: [(&str, Try); 20] = [
    ("mkdir", |path| sys::mkdir(path, 0o755)),
    ("mknod", |path| sys::mknod(path, S_IFREG | 0o644, 0)),
    ("symlink to", |path| sys::symlink("target", path)),
    ("link file to", |path| sys::link("file", path)),
    ("link link to", |path| sys::link("link", path)),
    ("link dir to", |path| sys::link("dir", path)),
    ("link from", |path| sys::link(path, "fresh")),
    ("link following from", |path| {
        sys::linkat(HERE, path, HERE, "fresh", libc::AT_SYMLINK_FOLLOW)
    }),
    ("unlink", sys::unlink),
    ("rmdir", sys::rmdir),
    ("unlinkat as a directory", |path| {
        sys::unlinkat(HERE, path, libc::AT_REMOVEDIR)
    }),
    ("rename from", |path| sys::rename(path, "fresh")),
    ("rename file to", |path| sys::rename("file", path)),
    ("rename dir to", |path| sys::rename("dir", path)),
    ("rename link to", |path| sys::rename("link", path)),
    ("truncate", |path| sys::truncate(path, 3)),
    ("chmod", |path| sys::chmod(path, 0o700)),
    ("open to make", |path| {
        sys::open(path, O_CREAT | O_RDWR, 0o644).and_then(sys::close)
    }),
    ("access", |path| sys::access(path, libc::F_OK)),
    ("chdir", |path| {
        let outcome = sys::chdir(path);
        let _ = sys::fchdir(back());
        outcome
    }),
];

/// The descriptor of the directory that everything happens in: the first one that was opened.
fn back() -> i64 {
    3
}

/// Every call with every path; what changed is shown.
pub fn run() -> io::Result<()> {
    let scratch = Scratch::enter()?;
    let home = sys::open(scratch.path(), libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    sys::dup2(home, back())?;
    build()?;
    let untouched = tree()?;
    for (name, call) in CALLS {
        // What `..` is, belongs to the host.
        for path in PATHS
            .into_iter()
            .filter(|path| (name, *path) != ("chmod", ".."))
        {
            report(format_args!("{name} {path:?}"), call(&real(path)));
            let now = tree()?;
            // The tree does not show modes.
            if now != untouched || name == "chmod" {
                show(&untouched, &now);
                build()?;
            }
        }
    }
    println!("the root itself");
    report("mkdir /", sys::mkdir("/", 0o755));
    report("mknod /", sys::mknod("/", S_IFREG | 0o644, 0));
    report("symlink to /", sys::symlink("target", "/"));
    report("rmdir /", sys::rmdir("/"));
    report("unlink /", sys::unlink("/"));
    report("rename /", sys::rename("/", "fresh"));
    report("rename to /", sys::rename("dir", "/"));
    look()
}

/// What is there now and was not, and what was there and is not.
fn show(before: &str, now: &str) {
    let parts = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (old, new) = (parts(before), parts(now));
    let gone: Vec<&String> = old.iter().filter(|part| !new.contains(part)).collect();
    let come: Vec<&String> = new.iter().filter(|part| !old.contains(part)).collect();
    if !gone.is_empty() || !come.is_empty() {
        println!("    without {gone:?}, with {come:?}");
    }
}

/// stat(2), lstat(2) and readlink(2) of every path.
fn look() -> io::Result<()> {
    build()?;
    for path in PATHS {
        let path = real(path);
        let shown = &path[..path.len().min(12)];
        let kind_of = |stat: libc::stat| kind(stat.st_mode);
        report(format_args!("stat {shown:?}"), stat(&path).map(kind_of));
        report(format_args!("lstat {shown:?}"), lstat(&path).map(kind_of));
        report(format_args!("readlink {shown:?}"), sys::readlink(&path));
    }
    Ok(())
}
