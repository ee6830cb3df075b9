//! Making things: every way, its permissions, and files that have no name.

use crate::fixture;
use libc::{
    AT_EMPTY_PATH, O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_TMPFILE, O_WRONLY,
};
use libc::{S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK};
use std::io;
use test_support::files::{Scratch, content, content_of, fstat, looks, lstat, names_in, stat};
use test_support::report;
use test_support::sys::{self, HERE, close, open};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    for mask in [0o000, 0o027, 0o777] {
        sys::umask(mask)?;
        for mode in [0o000, 0o755, 0o1777, 0o7777] {
            report(
                format_args!("umask {mask:03o} mkdir {mode:04o}"),
                sys::mkdir("d", mode),
            );
            report("    is", lstat("d").map(|stat| looks(&stat)));
            sys::rmdir("d")?;
        }
        report(
            format_args!("umask {mask:03o} symlink"),
            sys::symlink("target", "l"),
        );
        report("    is", lstat("l").map(|stat| looks(&stat)));
        sys::unlink("l")?;
    }
    report(
        "umask keeps nine bits",
        sys::umask(0o777_022).map(|old| format!("{old:03o}")),
    );
    report(
        "umask was",
        sys::umask(0o022).map(|old| format!("{old:03o}")),
    );
    nodes()?;
    counts()
}

/// mknod(2) of what anybody may make, and what nobody can.
fn nodes() -> io::Result<()> {
    let kinds = [
        ("nothing", 0),
        ("file", S_IFREG),
        ("fifo", S_IFIFO),
        ("socket", S_IFSOCK),
        ("directory", S_IFDIR),
        ("link", S_IFLNK),
        ("unknown", 0o030_000),
    ];
    for (name, kind) in kinds {
        report(
            format_args!("mknod {name}"),
            sys::mknod("n", kind | 0o666, 0),
        );
        report("    is", lstat("n").map(|stat| looks(&stat)));
        report("    again", sys::mknod("n", kind | 0o666, 0));
        let _ = sys::unlink("n");
    }
    report("mknod socket", sys::mknod("s", S_IFSOCK | 0o600, 0));
    report("open a socket", open("s", O_RDWR, 0));
    report(
        "open a socket as a place",
        open("s", libc::O_PATH, 0).and_then(close),
    );
    report("truncate a socket", sys::truncate("s", 0));
    sys::unlink("s")?;
    Ok(())
}

/// A directory's links and size follow what is in it.
fn counts() -> io::Result<()> {
    sys::mkdir("top", 0o755)?;
    let show = |what: &str| report(what, stat("top").map(|stat| looks(&stat)));
    show("empty");
    sys::mkdir("top/a", 0o755)?;
    show("one directory in it");
    sys::mkdir("top/b", 0o755)?;
    sys::mknod("top/file", S_IFREG | 0o644, 0)?;
    sys::symlink("x", "top/link")?;
    show("two, a file and a link");
    sys::link("top/file", "top/again")?;
    show("and a second name");
    sys::rename("top/a", "top/b/a")?;
    show("one moved down");
    report("down there", stat("top/b").map(|stat| looks(&stat)));
    sys::rename("top/b/a", "top/a")?;
    sys::rmdir("top/a")?;
    sys::rmdir("top/b")?;
    sys::unlink("top/file")?;
    sys::unlink("top/again")?;
    sys::unlink("top/link")?;
    show("empty again");
    report("rmdir", sys::rmdir("top"));
    Ok(())
}

fn tmpfile(path: &str, flags: i32, mode: u32) -> io::Result<i64> {
    open(path, O_TMPFILE | flags, mode)
}

/// `O_TMPFILE`, and giving such a file a name. linkat(2) with `AT_EMPTY_PATH` needs a capability
/// on kernels before 6.10.
pub fn without_names() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    fixture::build()?;
    let before = names_in(HERE, "dir")?;
    let fd = tmpfile("dir", O_RDWR, 0o7666)?;
    report("new", fstat(fd).map(|stat| looks(&stat)));
    report(
        "flags",
        sys::fcntl(fd, libc::F_GETFL, 0).map(|flags| format!("{flags:#o}")),
    );
    report("write", sys::write(fd, b"without a name"));
    report("content", content_of(fd));
    println!("dir has nothing more: {}", names_in(HERE, "dir")? == before);
    report(
        "name it",
        sys::linkat(fd, "", HERE, "dir/named", AT_EMPTY_PATH),
    );
    report("    is", stat("dir/named").map(|stat| looks(&stat)));
    report(
        "another name",
        sys::linkat(fd, "", HERE, "named", AT_EMPTY_PATH),
    );
    report(
        "a taken name",
        sys::linkat(fd, "", HERE, "file", AT_EMPTY_PATH),
    );
    report(
        "without the flag",
        sys::linkat(fd, "", HERE, "unflagged", 0),
    );
    report("content", content("named"));
    sys::unlink("named")?;
    sys::unlink("dir/named")?;
    report("both names gone", fstat(fd).map(|stat| looks(&stat)));
    report(
        "name it again",
        sys::linkat(fd, "", HERE, "late", AT_EMPTY_PATH),
    );
    close(fd)?;
    let fd = tmpfile("dir", O_RDWR | O_EXCL, 0o600)?;
    report("exclusive", fstat(fd).map(|stat| looks(&stat)));
    report("name it", sys::linkat(fd, "", HERE, "never", AT_EMPTY_PATH));
    close(fd)?;
    let fd = tmpfile("dir", O_WRONLY | O_APPEND, 0o600)?;
    sys::write(fd, b"one ")?;
    sys::pwrite(fd, b"two", 0)?;
    report("read a write-only one", sys::pread(fd, &mut [0; 4], 0));
    report(
        "name it",
        sys::linkat(fd, "", HERE, "appended", AT_EMPTY_PATH),
    );
    report("content", content("appended"));
    close(fd)?;
    refused();
    report("what is left", names_in(HERE, "."));
    Ok(())
}

fn refused() {
    let cases = [
        ("read-only", "dir", O_RDONLY),
        ("with O_CREAT", "dir", O_RDWR | O_CREAT),
        ("in a file", "file", O_RDWR),
        ("in a link to a directory", "link-dir", O_RDWR),
        ("in a dangling link", "dangling", O_RDWR),
        ("in nothing", "missing", O_RDWR),
        ("in an empty path", "", O_RDWR),
        ("in the working directory", ".", O_RDWR),
        ("not following", "link-dir", O_RDWR | libc::O_NOFOLLOW),
    ];
    for (what, path, flags) in cases {
        report(what, tmpfile(path, flags, 0o600).and_then(close));
    }
    // Without O_DIRECTORY the bit means nothing, and dir cannot be written.
    let alone = O_TMPFILE & !O_DIRECTORY;
    report(
        "the bit alone, of a directory",
        open("dir", alone | O_RDWR, 0o600),
    );
    report(
        "the bit alone, of a file",
        open("file", alone | O_RDWR, 0o600).and_then(close),
    );
}
