//! open(2): every combination of flags that means something, on everything that there is.

use crate::fixture;
use libc::{
    O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_RDONLY, O_RDWR,
    O_TRUNC, O_WRONLY,
};
use std::io;
use test_support::files::{Scratch, content, fstat, kind, lstat, make, names_in, stat_at, tree};
use test_support::sys::{self, HERE, close, open};
use test_support::{checksum, report};

const TARGETS: [&str; 9] = [
    "missing",
    "file",
    "dir",
    "full",
    "link",
    "link-dir",
    "dangling",
    "loop",
    "missing/x",
];

const FLAGS: [(&str, i32); 26] = [
    ("RDONLY", O_RDONLY),
    ("WRONLY", O_WRONLY),
    ("RDWR", O_RDWR),
    ("3", O_WRONLY | O_RDWR),
    ("TRUNC", O_TRUNC),
    ("WRONLY|TRUNC", O_WRONLY | O_TRUNC),
    ("RDWR|APPEND", O_RDWR | O_APPEND),
    ("CREAT", O_CREAT),
    ("WRONLY|CREAT", O_WRONLY | O_CREAT),
    ("RDWR|CREAT|TRUNC", O_RDWR | O_CREAT | O_TRUNC),
    ("RDWR|CREAT|EXCL", O_RDWR | O_CREAT | O_EXCL),
    (
        "RDWR|CREAT|EXCL|NOFOLLOW",
        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
    ),
    ("RDWR|CREAT|NOFOLLOW", O_RDWR | O_CREAT | O_NOFOLLOW),
    ("RDWR|CREAT|CLOEXEC", O_RDWR | O_CREAT | O_CLOEXEC),
    ("EXCL", O_EXCL),
    ("DIRECTORY", O_DIRECTORY),
    ("WRONLY|DIRECTORY", O_WRONLY | O_DIRECTORY),
    ("NOFOLLOW", O_NOFOLLOW),
    ("NOFOLLOW|TRUNC|WRONLY", O_NOFOLLOW | O_TRUNC | O_WRONLY),
    ("DIRECTORY|NOFOLLOW", O_DIRECTORY | O_NOFOLLOW),
    ("PATH", O_PATH),
    ("PATH|NOFOLLOW", O_PATH | O_NOFOLLOW),
    ("PATH|DIRECTORY", O_PATH | O_DIRECTORY),
    ("PATH|DIRECTORY|NOFOLLOW", O_PATH | O_DIRECTORY | O_NOFOLLOW),
    (
        "PATH|CREAT|EXCL|TRUNC|RDWR",
        O_PATH | O_CREAT | O_EXCL | O_TRUNC | O_RDWR,
    ),
    ("CREAT|DIRECTORY", O_CREAT | O_DIRECTORY),
];

/// What is open: its type, size, the flags it has, and whether it is closed on exec.
fn about(fd: i64) -> io::Result<String> {
    let stat = fstat(fd)?;
    let flags = sys::fcntl(fd, libc::F_GETFL, 0)?;
    let own = sys::fcntl(fd, libc::F_GETFD, 0)?;
    Ok(format!(
        "{} {:04o} size {} flags {flags:#o} own {own}",
        kind(stat.st_mode),
        stat.st_mode & 0o7777,
        stat.st_size
    ))
}

/// Every set of flags on every target.
pub fn matrix() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    fixture::build()?;
    let untouched = tree_or_loop();
    for (name, flags) in FLAGS {
        for target in TARGETS {
            let opened = open(target, flags, 0o640);
            let what = format!("{name} {target}");
            match opened {
                Ok(fd) => {
                    report(what, about(fd));
                    close(fd)?;
                }
                Err(error) => report(what, Err::<i64, _>(error)),
            }
            let now = tree_or_loop();
            if now != untouched {
                println!("    left {now}");
                fixture::build()?;
            }
        }
    }
    Ok(())
}

fn tree_or_loop() -> String {
    tree().unwrap_or_else(|error| error.to_string())
}

/// Modes, numbers, trailing slashes, and several descriptors of one file.
pub fn more() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    fixture::build()?;
    for mask in [0o000, 0o022, 0o077, 0o777] {
        sys::umask(mask)?;
        for mode in [0o000, 0o444, 0o666, 0o777, 0o7777, 0o170_644] {
            let fd = open("made", O_RDWR | O_CREAT | O_EXCL, mode)?;
            report(format_args!("umask {mask:03o} mode {mode:05o}"), about(fd));
            close(fd)?;
            sys::unlink("made")?;
        }
    }
    sys::umask(0o022)?;
    // The mode restrains later opens, not the one that makes the file.
    let fd = open("sealed", O_RDWR | O_CREAT, 0)?;
    report("write to a new file of mode 0", sys::write(fd, b"four"));
    report("read it", sys::pread(fd, &mut [0; 10], 0));
    close(fd)?;
    for path in [
        "new/",
        "file/",
        "dir/",
        "link/",
        "link-dir/",
        "dangling/",
        "missing/new/",
    ] {
        for (name, flags) in [("RDONLY", 0), ("CREAT", O_CREAT | O_RDWR), ("PATH", O_PATH)] {
            let opened = open(path, flags, 0o644).and_then(about_and_close);
            report(format_args!("{name} {path}"), opened);
        }
    }
    for path in [".", "..", "dir/.", "dir/..", "/", "file/..", "link-dir/.."] {
        let opened = open(path, O_CREAT | O_RDWR, 0o644).and_then(about_and_close);
        report(format_args!("CREAT {path}"), opened);
        let opened = open(path, O_CREAT | O_EXCL, 0o644).and_then(about_and_close);
        report(format_args!("CREAT|EXCL {path}"), opened);
        let kind_of = |fd| {
            let stat = fstat(fd);
            close(fd)?;
            stat.map(|stat| kind(stat.st_mode))
        };
        let opened = open(path, O_RDONLY, 0);
        report(format_args!("RDONLY {path}"), opened.and_then(kind_of));
    }
    numbers()?;
    creat()?;
    unknown_flags();
    report("what is left", names_in(HERE, "."));
    Ok(())
}

fn about_and_close(fd: i64) -> io::Result<String> {
    let text = about(fd);
    close(fd)?;
    text
}

/// The lowest free number is taken.
fn numbers() -> io::Result<()> {
    let first = open("file", O_RDONLY, 0)?;
    let rest: Vec<i64> = (0..5)
        .map_while(|_| open("file", O_RDONLY, 0).ok())
        .collect();
    println!(
        "five more: {:?}",
        rest.iter().map(|fd| fd - first).collect::<Vec<_>>()
    );
    close(rest[1])?;
    close(rest[3])?;
    let again: Vec<i64> = (0..3)
        .map_while(|_| open("file", O_RDONLY, 0).ok())
        .collect();
    println!(
        "two closed, three more: {:?}",
        again.iter().map(|fd| fd - first).collect::<Vec<_>>()
    );
    report("close", close(first));
    report("close again", close(first));
    report("read a closed one", sys::read(first, &mut [0; 4]));
    for fd in rest.into_iter().chain(again) {
        let _ = close(fd);
    }
    Ok(())
}

fn creat() -> io::Result<()> {
    make("old", b"something")?;
    let fd = sys::creat("old", 0o600)?;
    report("creat of an old file", about(fd));
    report("read it", sys::read(fd, &mut [0; 4]));
    report("write it", sys::write(fd, b"new"));
    close(fd)?;
    report("old now", content("old"));
    report("creat of a directory", sys::creat("dir", 0o600));
    report(
        "creat through a dangling link",
        sys::creat("dangling", 0o600).and_then(about_and_close),
    );
    report(
        "nowhere now",
        lstat("nowhere").map(|stat| kind(stat.st_mode)),
    );
    sys::unlink("nowhere")?;
    Ok(())
}

/// open(2) ignores flags that it does not know.
fn unknown_flags() {
    for bit in [27, 28, 29, 30] {
        let opened = open("file", O_RDONLY | 1 << bit, 0).and_then(about_and_close);
        report(format_args!("unknown flag {bit}"), opened);
    }
}

/// A descriptor that is only a place: what it can be used for.
pub fn path_only() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    fixture::build()?;
    let file = open("file", O_PATH, 0)?;
    let dir = open("dir", O_PATH, 0)?;
    let link = open("link", O_PATH | O_NOFOLLOW, 0)?;
    let mut room = [0; 16];
    for (name, fd) in [("file", file), ("dir", dir), ("link", link)] {
        let flags = sys::fcntl(fd, libc::F_GETFL, 0);
        report(
            format_args!("{name} flags"),
            flags.map(|flags| format!("{flags:#o}")),
        );
        report(
            format_args!("{name} set flags"),
            sys::fcntl(fd, libc::F_SETFL, O_APPEND.into()),
        );
        report(format_args!("{name} read"), sys::read(fd, &mut room));
        report(format_args!("{name} write"), sys::write(fd, b"x"));
        report(format_args!("{name} pread"), sys::pread(fd, &mut room, 0));
        report(format_args!("{name} lseek"), sys::lseek(fd, 0, 0));
        report(format_args!("{name} ftruncate"), sys::ftruncate(fd, 0));
        report(
            format_args!("{name} fallocate"),
            sys::fallocate(fd, 0, 0, 1),
        );
        report(format_args!("{name} fsync"), sys::fsync(fd));
        report(format_args!("{name} fchmod"), sys::fchmod(fd, 0o600));
        report(format_args!("{name} fchown"), sys::fchown(fd, -1, -1));
        report(format_args!("{name} flock"), sys::flock(fd, libc::LOCK_SH));
        report(
            format_args!("{name} getdents"),
            test_support::files::getdents(fd, 512).map(|e| e.len()),
        );
        report(
            format_args!("{name} fgetxattr"),
            sys::fgetxattr(fd, "user.a", &mut room, 16),
        );
        report(
            format_args!("{name} fstat"),
            fstat(fd).map(|stat| kind(stat.st_mode)),
        );
        let here = stat_at(fd, "", libc::AT_EMPTY_PATH).map(|stat| kind(stat.st_mode));
        report(format_args!("{name} empty path"), here);
        report(format_args!("{name} readlinkat"), sys::readlinkat(fd, ""));
        report(format_args!("{name} dup"), sys::dup(fd).and_then(close));
        report(format_args!("{name} fchdir"), sys::fchdir(fd));
        let copied = sys::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0).and_then(about_and_close);
        report(format_args!("{name} copied"), copied);
    }
    report("in dir now", names_in(HERE, "."));
    report(
        "openat in dir",
        sys::openat(dir, "made", O_RDWR | O_CREAT, 0o644).and_then(about_and_close),
    );
    report(
        "openat in file",
        sys::openat(file, "made", O_RDWR | O_CREAT, 0o644),
    );
    report(
        "openat in link",
        sys::openat(link, "made", O_RDWR | O_CREAT, 0o644),
    );
    report("mkdirat in dir", sys::mkdirat(dir, "sub", 0o755));
    report("in dir", names_in(dir, "."));
    // The place stays what it was when its name goes on to something else.
    sys::fchdir(dir)?;
    sys::chdir("..")?;
    sys::rename("file", "moved")?;
    make("file", b"a new one")?;
    report("moved file", fstat(file).map(|stat| stat.st_size));
    let sum = checksum(b"content");
    report(
        "content sum",
        content("moved").map(|text| checksum(text.as_bytes()) == sum),
    );
    for fd in [file, dir, link] {
        close(fd)?;
    }
    Ok(())
}
