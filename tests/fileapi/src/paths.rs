//! How paths are walked: dots, slashes, links, and the limits of length.

use crate::fixture::build;
use libc::{O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR};
use std::io;
use std::time::{Duration, Instant};
use test_support::files::{Scratch, content, kind, make, stat};
use test_support::sys::{self, close, open};
use test_support::{report, report_ok};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    build()?;
    walks();
    chains()?;
    through_links()?;
    names()?;
    lengths()?;
    quickly();
    deep()
}

fn walks() {
    let paths = [
        "./file",
        ".//file",
        "././././file",
        "dir/../file",
        "dir/./../file",
        "full/inner",
        "full//inner",
        "full///.//inner",
        "full/../full/inner",
        "dir/../dir/../file",
        "link-dir/../file",
        "missing/../file",
        "file/../file",
        "dangling/../file",
        "loop/../file",
        "full/inner/../inner",
        "dir/file/..",
        "...",
        "..a",
        "dir/...",
    ];
    for path in paths {
        report(
            format_args!("{path:?}"),
            stat(path).map(|stat| kind(stat.st_mode)),
        );
        report(
            format_args!("{path:?} open"),
            open(path, O_RDONLY, 0).and_then(close),
        );
    }
    let root = |path: &str| stat(path).map(|stat| stat.st_ino);
    for path in ["/..", "/../..", "//", "/.", "/../", "///..//.."] {
        report(
            format_args!("{path:?} is the root"),
            root(path).and_then(|ino| Ok(ino == root("/")?)),
        );
    }
}

/// Links that lead to links: forty are followed.
fn chains() -> io::Result<()> {
    make("c0", b"the end")?;
    for count in 1..=42 {
        sys::symlink(&format!("c{}", count - 1), &format!("c{count}"))?;
    }
    for count in [1, 2, 39, 40, 41, 42] {
        let last = format!("c{count}");
        report(format_args!("{count} links"), content(&last));
        let nofollow = open(&last, O_RDONLY | libc::O_NOFOLLOW, 0);
        report(format_args!("{count} links, not followed"), nofollow);
    }
    // They count together, wherever they stand in the path.
    sys::symlink(".", "dot")?;
    for count in [39, 40, 41] {
        let path = format!("{}file", "dot/".repeat(count));
        report(format_args!("{count} links in a path"), content(&path));
        let path = format!("{}dot", "dot/".repeat(count - 1));
        report(
            format_args!("{count} links, the last too"),
            stat(&path).map(|stat| kind(stat.st_mode)),
        );
        let path = format!("{}c1", "dot/".repeat(count - 1));
        report(
            format_args!("{count} links and one at the end"),
            content(&path),
        );
        let path = format!("{}c1", "dot/".repeat(count));
        report(
            format_args!("{count} links, the last not followed"),
            sys::readlink(&path),
        );
    }
    sys::symlink("two", "one")?;
    sys::symlink("one", "two")?;
    for path in ["loop", "one", "loop/x", "one/.."] {
        report(
            format_args!("{path}"),
            stat(path).map(|stat| kind(stat.st_mode)),
        );
        report(
            format_args!("{path} made"),
            open(path, O_CREAT | O_RDWR, 0o644),
        );
        report(
            format_args!("{path} made anew"),
            open(path, O_CREAT | libc::O_EXCL | O_RDWR, 0o644),
        );
        report(format_args!("{path} directory"), sys::mkdir(path, 0o755));
    }
    Ok(())
}

/// What a link's text means.
fn through_links() -> io::Result<()> {
    make("dir/leaf", b"leaf")?;
    sys::mkdir("full/sub", 0o755)?;
    for (target, name) in [
        ("dir/", "slash"),
        ("dir/.", "slash-dot"),
        ("./dir/../dir//", "winding"),
        ("file/", "file-slash"),
        ("../dir/leaf", "full/up"),
        ("../../dir", "full/sub/up"),
        ("/", "root"),
        ("/../../", "root-up"),
        (" ", "blank"),
    ] {
        sys::symlink(target, name)?;
        report(format_args!("{name} says"), sys::readlink(name));
        report(
            format_args!("{name} is"),
            stat(name).map(|stat| kind(stat.st_mode)),
        );
        report(
            format_args!("{name}/ is"),
            stat(&format!("{name}/")).map(|stat| kind(stat.st_mode)),
        );
        report(
            format_args!("{name}/leaf"),
            content(&format!("{name}/leaf")),
        );
    }
    report("an empty target", sys::symlink("", "empty"));
    report(
        "make behind a link",
        open("slash/made", O_CREAT | O_RDWR, 0o644).and_then(close),
    );
    report("dir/made", stat("dir/made").map(|stat| kind(stat.st_mode)));
    for room in [0, 1, 3, 4, 8] {
        let mut buffer = [b'.'; 8];
        let args = [c"link".as_ptr() as u64, buffer.as_mut_ptr() as u64, room];
        let read = test_support::call(libc::SYS_readlink, &args);
        report(format_args!("readlink with room for {room}"), read);
        println!("    {:?}", String::from_utf8_lossy(&buffer));
    }
    Ok(())
}

/// NAME_MAX, and bytes that are not text.
fn names() -> io::Result<()> {
    for length in [1, 254, 255, 256, 300, 4000] {
        let name = "n".repeat(length);
        let made = open(&name, O_CREAT | O_RDWR, 0o644).and_then(close);
        report(format_args!("a name of {length}"), made);
        report("    directory", sys::mkdir(&format!("dir/{name}"), 0o755));
        report("    link", sys::symlink("x", &format!("full/{name}")));
        report("    found", stat(&name).map(|stat| kind(stat.st_mode)));
        report(
            "    inside",
            stat(&format!("{name}/x")).map(|stat| kind(stat.st_mode)),
        );
        let _ = sys::unlink(&name);
    }
    for name in [
        "ünï cödé",
        " ",
        "-",
        "a\nb",
        "\u{7f}",
        "*?[",
        "...",
        "con",
        "A",
        "a",
    ] {
        report(
            format_args!("{name:?}"),
            make(name, name.as_bytes()).map(|()| "made"),
        );
        report("    says", content(name));
    }
    let raw = b"dir/\xff\xfe\x80\0";
    let args = [
        libc::AT_FDCWD as u64,
        raw.as_ptr() as u64,
        (O_CREAT | O_RDWR) as u64,
        0o644,
    ];
    let fd = test_support::call(libc::SYS_openat, &args)?;
    report(
        "bytes that are no text",
        test_support::files::names_in(sys::HERE, "dir")
            .map(|names| names.contains("\\xff\\xfe\\x80")),
    );
    close(fd)?;
    Ok(())
}

/// PATH_MAX counts the NUL.
fn lengths() -> io::Result<()> {
    for length in [4000, 4094, 4095, 4096, 4097, 8191, 8192, 100_000] {
        let file = "file";
        let path = format!("{}{file}", "/".repeat(length - file.len() - 1));
        let path = format!(".{path}");
        report(
            format_args!("a path of {}", path.len()),
            stat(&path).map(|stat| kind(stat.st_mode)),
        );
        let target = "t".repeat(length);
        report(
            format_args!("a target of {length}"),
            sys::symlink(&target, "long-link"),
        );
        report(
            "    its size",
            test_support::files::lstat("long-link").map(|stat| stat.st_size),
        );
        report(
            "    read",
            sys::readlink("long-link").map(|text| text.len()),
        );
        let _ = sys::unlink("long-link");
    }
    // A link's text comes on top of the path.
    let winding = format!("{}dir", "./".repeat(2000));
    sys::symlink(&winding, "winding-link")?;
    let path = format!("winding-link/{}leaf", "./".repeat(2000));
    report(
        format_args!("a link of {} in a path of {}", winding.len(), path.len()),
        content(&path),
    );
    Ok(())
}

/// However long a path is, the answer comes soon.
fn quickly() {
    for (what, path) in [
        ("100,000 components", "d/".repeat(100_000)),
        ("100,000 dots", "./".repeat(100_000)),
        ("100,000 times up", "../".repeat(100_000)),
        ("a megabyte of slashes", "/".repeat(1 << 20)),
        ("a name of a megabyte", "n".repeat(1 << 20)),
    ] {
        let start = Instant::now();
        report_ok(format_args!("open {what}"), open(&path, O_RDONLY, 0));
        report_ok(format_args!("mkdir {what}"), sys::mkdir(&path, 0o755));
        report_ok(format_args!("rename to {what}"), sys::rename("file", &path));
        report_ok(format_args!("symlink {what}"), sys::symlink(&path, "s"));
        println!("    soon: {}", start.elapsed() < Duration::from_millis(500));
    }
}

/// A tree that is deeper than any path: reached step by step, and named by none.
fn deep() -> io::Result<()> {
    const DEPTH: usize = 500;
    let home = open(".", O_RDONLY | O_DIRECTORY, 0)?;
    sys::mkdir("deep", 0o755)?;
    sys::chdir("deep")?;
    for _ in 0..DEPTH {
        sys::mkdir("ten-letter", 0o755)?;
        sys::chdir("ten-letter")?;
    }
    report("getcwd of 5500 and more", sys::getcwd().map(|_| "a path"));
    make("bottom", b"down here")?;
    report("content", content("bottom"));
    report("up and down", content("../../ten-letter/ten-letter/bottom"));
    sys::unlink("bottom")?;
    let mut climbed = 0;
    for _ in 0..DEPTH {
        sys::chdir("..")?;
        sys::rmdir("ten-letter")?;
        climbed += 1;
    }
    println!("climbed {climbed}");
    report("at", sys::getcwd().map(|path| path.ends_with("/deep")));
    sys::fchdir(home)?;
    report("rmdir", sys::rmdir("deep"));
    close(home)?;
    Ok(())
}
