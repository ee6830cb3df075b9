//! Which operation touches which time. Times are set to the distant past first; a time that is no
//! longer there afterwards was touched.

use crate::fixture::build;
use libc::{O_CREAT, O_NOATIME, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, UTIME_NOW, UTIME_OMIT};
use std::ffi::CString;
use std::io;
use std::thread::sleep;
use std::time::Duration;
use test_support::files::{Scratch, lstat, rest_of, stat};
use test_support::sys::{self, HERE, close, open};
use test_support::{Outcome, call, report};

/// Longer than the steps of the clock that files are stamped with.
const A_WHILE: Duration = Duration::from_millis(12);
const PAST: (i64, i64) = (1_000_000_000, 123_456_789);

type Time = (i64, i64);

fn utimens(path: &str, times: [Time; 2], flags: i32) -> Outcome {
    let path = CString::new(path)?;
    let times = times.map(|(tv_sec, tv_nsec)| libc::timespec { tv_sec, tv_nsec });
    let args = [
        HERE as u64,
        path.as_ptr() as u64,
        times.as_ptr() as u64,
        flags as u64,
    ];
    call(libc::SYS_utimensat, &args)
}

fn times(stat: &libc::stat) -> [Time; 3] {
    [
        (stat.st_atime, stat.st_atime_nsec),
        (stat.st_mtime, stat.st_mtime_nsec),
        (stat.st_ctime, stat.st_ctime_nsec),
    ]
}

/// Says which times of the things at `paths` an operation touches. The path of something that is
/// gone, or was not there before, is reported as such.
fn touches(what: &str, paths: &[&str], operation: impl FnOnce() -> Outcome) -> io::Result<()> {
    let mut before = Vec::new();
    for path in paths {
        let _ = utimens(path, [PAST, PAST], libc::AT_SYMLINK_NOFOLLOW);
        before.push(lstat(path).ok().map(|stat| times(&stat)));
    }
    sleep(A_WHILE);
    let outcome = operation();
    print!("{what}:");
    for (path, before) in paths.iter().zip(before) {
        let after = lstat(path).ok().map(|stat| times(&stat));
        let touched = match (before, after) {
            (None, None) => "nothing there".to_owned(),
            (None, Some([a, m, c])) => {
                format!("new{}", if a == m && m == c { ", one time" } else { "" })
            }
            (Some(_), None) => "gone".to_owned(),
            (Some(old), Some(new)) => ["atime", "mtime", "ctime"]
                .iter()
                .zip(old.iter().zip(&new))
                .filter(|(_, (old, new))| old != new)
                .map(|(name, (old, new))| if new > old { *name } else { "back in time" })
                .collect::<Vec<_>>()
                .join(" "),
        };
        print!(" {path} [{touched}]");
    }
    report("", outcome.map(|_| "ok"));
    Ok(())
}

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    build()?;
    contents()?;
    build()?;
    names()?;
    build()?;
    attributes()?;
    build()?;
    set()?;
    order()
}

fn contents() -> io::Result<()> {
    let file = ["file"];
    let fd = open("file", O_RDWR, 0)?;
    let quiet = open("file", O_RDONLY | O_NOATIME, 0)?;
    touches("open", &file, || open("file", O_RDONLY, 0).and_then(close))?;
    touches("stat", &file, || stat("file").map(|_| 0))?;
    touches("read", &file, || sys::pread(fd, &mut [0; 3], 0))?;
    touches("read nothing", &file, || sys::pread(fd, &mut [], 0))?;
    touches("read at the end", &file, || {
        sys::pread(fd, &mut [0; 3], 1000)
    })?;
    touches("read quietly", &file, || sys::pread(quiet, &mut [0; 3], 0))?;
    touches("write", &file, || sys::pwrite(fd, b"x", 0))?;
    touches("write nothing", &file, || sys::pwrite(fd, b"", 0))?;
    touches("write a bad buffer", &file, || {
        call(libc::SYS_pwrite64, &[fd as u64, 0x6000_0000_0000, 8, 0])
    })?;
    touches("ftruncate", &file, || sys::ftruncate(fd, 3))?;
    touches("ftruncate to its size", &file, || sys::ftruncate(fd, 3))?;
    touches("truncate", &file, || sys::truncate("file", 9))?;
    touches("truncate to its size", &file, || sys::truncate("file", 9))?;
    touches("open with O_TRUNC", &file, || {
        open("file", O_WRONLY | O_TRUNC, 0).and_then(close)
    })?;
    touches("again, empty", &file, || {
        open("file", O_WRONLY | O_TRUNC, 0).and_then(close)
    })?;
    touches("open with O_CREAT", &file, || {
        open("file", O_WRONLY | O_CREAT, 0).and_then(close)
    })?;
    touches("fallocate", &file, || sys::fallocate(fd, 0, 0, 100))?;
    touches("punch", &file, || sys::fallocate(fd, 3, 0, 50))?;
    touches("fsync", &file, || sys::fsync(fd))?;
    touches("seek", &file, || sys::lseek(fd, 5, 0))?;
    let other = open("other", O_RDWR, 0)?;
    touches("sendfile", &["file", "other"], || {
        sys::sendfile(other, fd, 0, 20)
    })?;
    touches("copy_file_range", &["file", "other"], || {
        sys::lseek(fd, 0, 0)?;
        sys::copy_file_range(fd, 0, other, 0, 20, 0)
    })?;
    touches("readlink", &["link"], || sys::readlink("link").map(|_| 0))?;
    touches("stat through a link", &["link", "file"], || {
        stat("link").map(|_| 0)
    })?;
    let dir = open("full", O_RDONLY, 0)?;
    touches("open a directory", &["full"], || {
        open("full", O_RDONLY, 0).and_then(close)
    })?;
    touches("read a directory", &["full"], || rest_of(dir).map(|_| 0))?;
    touches("at its end", &["full"], || rest_of(dir).map(|_| 0))?;
    touches("look into it", &["full"], || stat("full/inner").map(|_| 0))?;
    for fd in [fd, quiet, other, dir] {
        close(fd)?;
    }
    Ok(())
}

fn names() -> io::Result<()> {
    let in_dir = |name: &str| format!("dir/{name}");
    touches("create", &["dir", "dir/new"], || {
        open(&in_dir("new"), O_CREAT | O_RDWR, 0o644).and_then(close)
    })?;
    touches("mkdir", &["dir", "dir/sub"], || {
        sys::mkdir(&in_dir("sub"), 0o755)
    })?;
    touches("symlink", &["dir", "dir/soft"], || {
        sys::symlink("x", &in_dir("soft"))
    })?;
    touches("mknod", &["dir", "dir/node"], || {
        sys::mknod(&in_dir("node"), libc::S_IFREG | 0o644, 0)
    })?;
    touches("link", &["dir", "dir/new", "dir/hard"], || {
        sys::link(&in_dir("new"), &in_dir("hard"))
    })?;
    touches("unlink one of two", &["dir", "dir/new", "dir/hard"], || {
        sys::unlink(&in_dir("hard"))
    })?;
    touches("rename inside", &["dir", "dir/new"], || {
        sys::rename(&in_dir("new"), &in_dir("old"))
    })?;
    touches("the old name", &["dir/old"], || Ok(0))?;
    touches("rename across", &["dir", "full", "dir/old"], || {
        sys::rename("dir/old", "full/old")
    })?;
    touches("rename over", &["full", "full/inner", "full/old"], || {
        sys::rename("full/old", "full/inner")
    })?;
    touches(
        "rename a directory across",
        &["dir", "full", "dir/sub"],
        || sys::rename("dir/sub", "full/sub"),
    )?;
    touches(
        "exchange",
        &["dir", "full", "dir/soft", "full/inner"],
        || sys::renameat2(HERE, "dir/soft", HERE, "full/inner", libc::RENAME_EXCHANGE),
    )?;
    touches("whiteout", &["full", "full/inner", "full/moved"], || {
        sys::renameat2(
            HERE,
            "full/inner",
            HERE,
            "full/moved",
            libc::RENAME_WHITEOUT,
        )
    })?;
    touches("rmdir", &["full", "full/sub"], || sys::rmdir("full/sub"))?;
    touches("unlink", &["full", "full/moved"], || {
        sys::unlink("full/moved")
    })?;
    touches("fail to create", &["dir"], || sys::mkdir("dir/node", 0o755))?;
    touches("fail to unlink", &["dir"], || sys::unlink("dir/missing"))?;
    let fd = open("file", O_RDWR, 0)?;
    let seen = |fd| {
        test_support::files::fstat(fd)
            .map(|stat| stat.st_ctime_nsec + stat.st_ctime * 1_000_000_000)
    };
    let before = seen(fd)?;
    sleep(A_WHILE);
    sys::unlink("file")?;
    println!(
        "unlink of an open file touches its ctime: {}",
        seen(fd)? > before
    );
    close(fd)?;
    Ok(())
}

fn attributes() -> io::Result<()> {
    let file = ["file"];
    touches("chmod", &file, || sys::chmod("file", 0o600))?;
    touches("chmod to the same", &file, || sys::chmod("file", 0o600))?;
    touches("chown to nobody else", &file, || sys::chown("file", -1, -1))?;
    touches("chown through a link", &["link", "file"], || {
        sys::chown("link", -1, -1)
    })?;
    touches("lchown", &["link", "file"], || sys::lchown("link", -1, -1))?;
    touches("chmod of a directory", &["dir"], || {
        sys::chmod("dir", 0o700)
    })?;
    touches("setxattr", &file, || {
        sys::setxattr("file", "user.a", b"1", 1, 0)
    })?;
    touches("getxattr", &file, || {
        sys::getxattr("file", "user.a", &mut [0; 4], 4)
    })?;
    touches("removexattr", &file, || sys::removexattr("file", "user.a"))?;
    touches("removexattr of nothing", &file, || {
        sys::removexattr("file", "user.a")
    })
}

const OMIT: Time = (0, UTIME_OMIT);
const NOW: Time = (0, UTIME_NOW);

/// utimensat(2).
fn set() -> io::Result<()> {
    let read = |path: &str| lstat(path).map(|stat| format!("{:?}", &times(&stat)[..2]));
    let pairs = [
        ((1, 2), (3, 4)),
        ((-1, 999_999_999), (0, 0)),
        ((1 << 33, 5), (1 << 40, 6)),
        ((i64::MAX, 0), (i64::MIN, 0)),
        (OMIT, (5, 5)),
        ((6, 6), OMIT),
        (OMIT, OMIT),
        ((1, -1), (1, 1)),
        ((1, 1), (1, 1_000_000_000)),
        ((7, UTIME_OMIT - 1), (1, 1)),
        (OMIT, (0, -1)),
    ];
    for (atime, mtime) in pairs {
        report(
            format_args!("set {atime:?} {mtime:?}"),
            utimens("file", [atime, mtime], 0),
        );
        report("    is", read("file"));
    }
    touches("set both to now", &["file"], || {
        utimens("file", [NOW, NOW], 0)
    })?;
    touches("set atime to now", &["file"], || {
        utimens("file", [NOW, OMIT], 0)
    })?;
    touches("set mtime to now", &["file"], || {
        utimens("file", [OMIT, NOW], 0)
    })?;
    touches("set neither", &["file"], || {
        utimens("file", [OMIT, OMIT], 0)
    })?;
    touches("set neither of nothing", &["missing"], || {
        utimens("missing", [OMIT, OMIT], 0)
    })?;
    touches("set through a link", &["link", "file"], || {
        utimens("link", [(8, 8), (9, 9)], 0)
    })?;
    report(
        "    link",
        read("link").map(|text| text.contains("123456789")),
    );
    report("    file", read("file"));
    report(
        "set the link",
        utimens("link", [(10, 10), (11, 11)], libc::AT_SYMLINK_NOFOLLOW),
    );
    report("    link", read("link"));
    report("    file", read("file"));
    for path in ["", "missing", "file/x", "dangling", "loop"] {
        report(
            format_args!("set {path:?}"),
            utimens(path, [(1, 1), (1, 1)], 0),
        );
    }
    let dir = open("dir", O_RDONLY, 0)?;
    let here = call(libc::SYS_utimensat, &[HERE as u64, 0, 0, 0]);
    report("no path, here", here);
    report(
        "no path, a directory",
        call(libc::SYS_utimensat, &[dir as u64, 0, 0, 0]),
    );
    report(
        "no path, a flag",
        call(libc::SYS_utimensat, &[dir as u64, 0, 0, 0x100]),
    );
    report(
        "no path, closed",
        call(libc::SYS_utimensat, &[987, 0, 0, 0]),
    );
    close(dir)?;
    Ok(())
}

/// Later is later, also between files, and never before the clock.
fn order() -> io::Result<()> {
    let clock = || -> io::Result<Time> {
        let mut now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let args = [libc::CLOCK_REALTIME as u64, (&raw mut now) as u64];
        call(libc::SYS_clock_gettime, &args)?;
        Ok((now.tv_sec, now.tv_nsec))
    };
    let mut last = (0, 0);
    let mut ordered = true;
    for number in 0..20 {
        let name = format!("f{number}");
        sys::mknod(&name, libc::S_IFREG | 0o644, 0)?;
        let made = times(&stat(&name)?)[1];
        ordered &= made >= last && made <= clock()?;
        last = made;
        sleep(Duration::from_millis(1));
    }
    println!("twenty files are in the order of their times: {ordered}");
    let stamp = times(&stat("f19")?)[1];
    let now = clock()?;
    let apart = (now.0 - stamp.0) * 1_000_000_000 + now.1 - stamp.1;
    println!(
        "the last one is younger than a second: {}",
        (0..1_000_000_000).contains(&apart)
    );
    Ok(())
}
