//! Hard links.

use std::io;
use test_support::files::{Scratch, content, content_of, fstat, looks, lstat, make, stat, tree};
use test_support::report;
use test_support::sys::{self, HERE, close, open};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    make("a", b"one file")?;
    let count = |what: &str| report(what, stat("a").map(|stat| looks(&stat)));
    count("alone");
    report("link", sys::link("a", "b"));
    count("two names");
    sys::mkdir("dir", 0o755)?;
    report("link into a directory", sys::link("b", "dir/c"));
    count("three names");
    report("one inode", Ok(stat("a")?.st_ino == stat("dir/c")?.st_ino));
    report("write to one", make("dir/c", b"changed").map(|()| "done"));
    report("read another", content("a"));
    report("chmod one", sys::chmod("b", 0o600));
    count("seen at another");
    report("unlink the first", sys::unlink("a"));
    report("second", stat("b").map(|stat| looks(&stat)));
    report("link back", sys::link("b", "a"));
    report(
        "rename over another file",
        make("x", b"x").and_then(|()| sys::rename("b", "x")),
    );
    count("renamed");
    report("tree", tree());
    of_links()?;
    many()?;
    unlinked_while_open()
}

/// Links to symbolic links, and through them.
fn of_links() -> io::Result<()> {
    sys::symlink("a", "soft")?;
    sys::symlink("dir", "soft-dir")?;
    sys::symlink("nowhere", "soft-dead")?;
    for name in ["soft", "soft-dir", "soft-dead"] {
        report(format_args!("link {name}"), sys::link(name, "hard"));
        report("    is", lstat("hard").map(|stat| looks(&stat)));
        report("    says", sys::readlink("hard"));
        let _ = sys::unlink("hard");
        let followed = sys::linkat(HERE, name, HERE, "hard", libc::AT_SYMLINK_FOLLOW);
        report(format_args!("link what {name} leads to"), followed);
        report("    is", lstat("hard").map(|stat| looks(&stat)));
        let _ = sys::unlink("hard");
    }
    report("unknown flag", sys::linkat(HERE, "a", HERE, "hard", 1));
    report(
        "nofollow is no flag here",
        sys::linkat(HERE, "a", HERE, "hard", libc::AT_SYMLINK_NOFOLLOW),
    );
    report("onto a dead link", sys::link("a", "soft-dead"));
    report("into a missing directory", sys::link("a", "missing/hard"));
    report("into a file", sys::link("a", "a/hard"));
    report("of a directory", sys::link("dir", "hard"));
    report("of a missing file", sys::link("missing", "hard"));
    report("tree", tree());
    Ok(())
}

/// A thousand names, taken away in another order.
fn many() -> io::Result<()> {
    for number in 0..1000 {
        sys::link("a", &format!("dir/name-{number}"))?;
    }
    report("names", stat("a").map(|stat| stat.st_nlink));
    for number in (0..1000).step_by(2).chain((0..1000).skip(1).step_by(2)) {
        sys::unlink(&format!("dir/name-{number}"))?;
    }
    report("names", stat("a").map(|stat| stat.st_nlink));
    Ok(())
}

fn unlinked_while_open() -> io::Result<()> {
    make("last", b"still here")?;
    let fd = open("last", libc::O_RDWR, 0)?;
    sys::link("last", "other")?;
    sys::unlink("last")?;
    report("one name left", fstat(fd).map(|stat| looks(&stat)));
    sys::unlink("other")?;
    report("none left", fstat(fd).map(|stat| looks(&stat)));
    report("content", content_of(fd));
    close(fd)?;
    Ok(())
}
