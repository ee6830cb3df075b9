//! chroot(2).

use libc::{O_DIRECTORY, O_RDONLY};
use std::io;
use test_support::files::{Scratch, content, make, names_in, stat};
use test_support::report;
use test_support::sys::{self, HERE, close, open};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let scratch = Scratch::enter()?;
    sys::mkdir("jail", 0o755)?;
    sys::mkdir("jail/sub", 0o755)?;
    make("jail/file", b"inside")?;
    make("file", b"outside")?;
    sys::symlink("/file", "jail/absolute")?;
    sys::symlink("../../../../file", "jail/sub/relative")?;
    sys::symlink("/jail/file", "jail/dead")?;
    for path in ["", "missing", "file", "file/", "jail/absolute"] {
        report(format_args!("chroot {path:?}"), sys::chroot(path));
    }
    let root = open("/", O_RDONLY | O_DIRECTORY, 0)?;
    let home = open(".", O_RDONLY | O_DIRECTORY, 0)?;
    report("chroot", sys::chroot("jail"));
    // The working directory is outside now.
    let outside = |path: &str| {
        sys::getcwd().map(|cwd| cwd == format!("(unreachable){}{path}", scratch.path()))
    };
    report("getcwd", outside(""));
    report("file here", content("file"));
    report("/file", content("/file"));
    report("up", content("../file").map(|_| "found"));
    report("chdir /", sys::chdir("/"));
    inside()?;
    report("in a second one", sys::chroot("sub"));
    report("getcwd", outside("/jail"));
    report("/file", content("/file"));
    report("file here", content("file"));
    report("chdir /", sys::chdir("/"));
    report("here", names_in(HERE, "."));
    report("up", names_in(HERE, ".."));
    // A descriptor of a directory outside is a way out.
    report("fchdir", sys::fchdir(home));
    report("file here", content("file"));
    report("out by it", sys::chdir("jail"));
    report("fchdir to the old root", sys::fchdir(root));
    report("chroot .", sys::chroot("."));
    report("home again", sys::chdir(scratch.path()));
    report("getcwd", sys::getcwd().map(|path| path == scratch.path()));
    report("there", names_in(HERE, "."));
    close(root)?;
    close(home)?;
    Ok(())
}

fn inside() -> io::Result<()> {
    report("getcwd", sys::getcwd());
    report("names", names_in(HERE, "/"));
    for path in [
        "/file",
        "file",
        "../file",
        "/../../file",
        "absolute",
        "sub/relative",
        "dead",
        "/jail",
    ] {
        report(path, content(path));
    }
    let same = |left: &str, right: &str| -> io::Result<bool> {
        Ok(stat(left)?.st_ino == stat(right)?.st_ino)
    };
    report("/ is its own parent", same("/", "/.."));
    report("sub/.. is /", same("sub/..", "/"));
    report("made here", make("/made", b"x").map(|()| "done"));
    sys::chdir("sub")?;
    report("getcwd", sys::getcwd());
    sys::chdir("../..")?;
    report("getcwd", sys::getcwd());
    Ok(())
}
