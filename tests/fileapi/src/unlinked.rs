//! Files and directories that are still in use when their last name goes.

use libc::{O_CREAT, O_DIRECTORY, O_PATH, O_RDONLY, O_RDWR};
use std::io;
use test_support::files::{
    Scratch, content, content_of, fstat, looks, make, names_in, rest_of, stat,
};
use test_support::report;
use test_support::sys::{self, HERE, close, open};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    files()?;
    directories()?;
    working_directory()
}

fn files() -> io::Result<()> {
    make("file", b"content")?;
    let fd = open("file", O_RDWR, 0)?;
    let second = open("file", O_RDONLY, 0)?;
    let place = open("file", O_PATH, 0)?;
    report("unlink", sys::unlink("file"));
    report("status", fstat(fd).map(|stat| looks(&stat)));
    report("of the place", fstat(place).map(|stat| looks(&stat)));
    report("content", content_of(second));
    report("write", sys::pwrite(fd, b" and more", 7));
    report("content by the other", content_of(second));
    report("truncate", sys::ftruncate(fd, 100_000));
    report("status", fstat(second).map(|stat| looks(&stat)));
    report("chmod", sys::fchmod(fd, 0o600));
    report("dup", sys::dup(fd).and_then(close));
    report("open its old name", open("file", O_RDWR, 0));
    make("file", b"a new one")?;
    report(
        "one inode",
        fstat(fd).and_then(|old| Ok(old.st_ino == stat("file")?.st_ino)),
    );
    report("new content", content("file"));
    // Unprivileged on an old kernel this is refused for another reason, with the same error.
    report(
        "link it back",
        sys::linkat(fd, "", HERE, "back", libc::AT_EMPTY_PATH),
    );
    close(fd)?;
    report(
        "content after one was closed",
        content_of(second).map(|text| text.len()),
    );
    close(second)?;
    report("status of the place", fstat(place).map(|stat| looks(&stat)));
    close(place)?;
    Ok(())
}

fn directories() -> io::Result<()> {
    sys::mkdir("dir", 0o755)?;
    make("dir/file", b"inside")?;
    let fd = open("dir", O_RDONLY | O_DIRECTORY, 0)?;
    let place = open("dir", O_PATH | O_DIRECTORY, 0)?;
    report("rmdir while full", sys::rmdir("dir"));
    sys::unlink("dir/file")?;
    report("rmdir", sys::rmdir("dir"));
    for (name, fd) in [("open", fd), ("as a place", place)] {
        println!("{name}");
        report("  status", fstat(fd).map(|stat| looks(&stat)));
        report(
            "  open .",
            sys::openat(fd, ".", O_RDONLY, 0).and_then(close),
        );
        report(
            "  open ..",
            sys::openat(fd, "..", O_RDONLY, 0).and_then(close),
        );
        report("  open file", sys::openat(fd, "file", O_RDONLY, 0));
        report(
            "  make a file",
            sys::openat(fd, "file", O_RDWR | O_CREAT, 0o644),
        );
        report("  make a directory", sys::mkdirat(fd, "sub", 0o755));
        report("  make a link", sys::symlinkat("x", fd, "soft"));
        report(
            "  make one without a name",
            sys::openat(fd, ".", libc::O_TMPFILE | O_RDWR, 0o600).map(|_| "made"),
        );
        report(
            "  move something in",
            sys::renameat(HERE, "file", fd, "file"),
        );
        report("  unlink", sys::unlinkat(fd, "file", 0));
        report("  chmod", sys::fchmodat(fd, ".", 0o700));
    }
    report("read it", rest_of(fd).map(|entries| entries.len()));
    report("rewind", sys::lseek(fd, 0, 0));
    report("read it again", rest_of(fd).map(|entries| entries.len()));
    sys::mkdir("dir", 0o755)?;
    report("a new one of that name", names_in(HERE, "dir"));
    report("the old one still", fstat(fd).map(|stat| stat.st_nlink));
    close(fd)?;
    close(place)?;
    sys::rmdir("dir")?;
    Ok(())
}

fn working_directory() -> io::Result<()> {
    let home = open(".", O_RDONLY | O_DIRECTORY, 0)?;
    sys::mkdir("parent", 0o755)?;
    sys::mkdir("parent/gone", 0o755)?;
    sys::chdir("parent/gone")?;
    report("remove .", sys::rmdir("."));
    report("remove it", sys::rmdir("../gone"));
    report("getcwd", sys::getcwd());
    report("stat .", stat(".").map(|stat| looks(&stat)));
    report("stat ..", stat("..").map(|stat| looks(&stat)));
    report("stat ../gone", stat("../gone").map(|stat| looks(&stat)));
    report("make a file", open("file", O_RDWR | O_CREAT, 0o644));
    report("make a directory", sys::mkdir("sub", 0o755));
    report("make a directory above", sys::mkdir("../sub", 0o755));
    report("open .", open(".", O_RDONLY, 0).and_then(close));
    report("chdir .", sys::chdir("."));
    report("an absolute path", stat("/").map(|_| "found"));
    report("an empty path", stat("").map(|_| "found"));
    let here = open(".", O_RDONLY | O_DIRECTORY, 0)?;
    report("read .", rest_of(here).map(|entries| entries.len()));
    report("chdir ..", sys::chdir(".."));
    report("at", sys::getcwd().map(|path| path.ends_with("/parent")));
    report("go back", sys::fchdir(here));
    report("getcwd", sys::getcwd());
    sys::fchdir(home)?;
    // The directory above goes too.
    sys::chdir("parent/sub")?;
    report("remove it", sys::rmdir("../sub"));
    report(
        "remove its parent",
        sys::unlinkat(home, "parent", libc::AT_REMOVEDIR),
    );
    report("getcwd", sys::getcwd());
    report("chdir ..", sys::chdir(".."));
    report("getcwd", sys::getcwd());
    report("chdir .. again", sys::chdir(".."));
    report("home", names_in(HERE, "."));
    sys::fchdir(home)?;
    close(here)?;
    close(home)?;
    Ok(())
}
