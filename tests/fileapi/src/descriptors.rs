//! dup(2), fcntl(2), close_range(2): which number is which file.

use libc::{
    F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFD, F_SETFL, FD_CLOEXEC, O_APPEND, O_ASYNC,
    O_CLOEXEC, O_CREAT, O_EXCL, O_NOATIME, O_NONBLOCK, O_RDONLY, O_RDWR, O_SYNC, O_TRUNC, O_WRONLY,
};
use std::io;
use test_support::files::{Scratch, fstat, make};
use test_support::report;
use test_support::sys::{self, close, close_range, open};

/// Far above what is open anyway.
const BASE: i64 = 50;

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    make("file", b"content")?;
    copies()?;
    numbers()?;
    status_flags()?;
    own_flags()?;
    ranges()
}

fn is_open(fd: i64) -> bool {
    fstat(fd).is_ok()
}

fn copies() -> io::Result<()> {
    let fd = open("file", O_RDONLY, 0)?;
    report("dup closed", sys::dup(987));
    report("dup -1", sys::dup(-1));
    report("dup2", sys::dup2(fd, BASE));
    report("dup2 again", sys::dup2(fd, BASE));
    report("dup2 to itself", sys::dup2(BASE, BASE));
    report("dup2 closed to itself", sys::dup2(987, 987));
    report("dup2 of closed", sys::dup2(987, BASE));
    println!("still open {}", is_open(BASE));
    for target in [-1, i64::from(i32::MAX), 1 << 20, 1 << 31] {
        report(format_args!("dup2 to {target}"), sys::dup2(fd, target));
    }
    report("dup3", sys::dup3(fd, BASE + 1, O_CLOEXEC));
    report("    own flags", sys::fcntl(BASE + 1, F_GETFD, 0));
    report("dup3 to itself", sys::dup3(fd, fd, 0));
    report("dup3 closed to itself", sys::dup3(987, 987, 0));
    for flags in [O_NONBLOCK, 1, O_CLOEXEC | O_APPEND] {
        report(
            format_args!("dup3 flags {flags:#o}"),
            sys::dup3(fd, BASE + 2, flags),
        );
    }
    // What was open there is closed.
    let [reader, writer] = sys::pipe2(0)?;
    sys::dup2(writer, BASE + 3)?;
    close(writer)?;
    sys::dup2(fd, BASE + 3)?;
    report("the pipe's end is gone", sys::read(reader, &mut [0; 4]));
    for fd in [fd, BASE, BASE + 1, BASE + 3, reader] {
        close(fd)?;
    }
    Ok(())
}

fn numbers() -> io::Result<()> {
    let fd = open("file", O_RDONLY, 0)?;
    report("from 50", sys::fcntl(fd, F_DUPFD, BASE));
    report("from 50 again", sys::fcntl(fd, F_DUPFD, BASE));
    report("from 50 with a flag", sys::fcntl(fd, F_DUPFD_CLOEXEC, BASE));
    report("    own flags", sys::fcntl(BASE + 2, F_GETFD, 0));
    close(BASE + 1)?;
    report("from 50, one closed", sys::fcntl(fd, F_DUPFD, BASE));
    report("from 51", sys::fcntl(fd, F_DUPFD, BASE + 1));
    for least in [-1, i64::from(i32::MAX), 1 << 20] {
        report(format_args!("from {least}"), sys::fcntl(fd, F_DUPFD, least));
    }
    report("of closed", sys::fcntl(987, F_DUPFD, 0));
    for command in [-1, 99, 500, 2000, i32::MAX] {
        report(
            format_args!("command {command}"),
            sys::fcntl(fd, command, 0),
        );
    }
    report("close", close_range(BASE as u32, BASE as u32 + 10, 0));
    close(fd)?;
    Ok(())
}

/// `F_SETFL` changes some flags, ignores others, and never the access mode.
fn status_flags() -> io::Result<()> {
    for access in [O_RDONLY, O_WRONLY, O_RDWR] {
        let fd = open("file", access | O_CREAT | O_NOATIME, 0)?;
        let get = || sys::fcntl(fd, F_GETFL, 0).map(|flags| format!("{flags:#o}"));
        report(format_args!("opened {access}"), get());
        for flags in [
            0,
            O_APPEND,
            O_NONBLOCK,
            O_APPEND | O_NONBLOCK,
            O_NOATIME,
            O_ASYNC,
            O_SYNC,
            O_RDWR,
            O_WRONLY,
            O_CREAT | O_EXCL | O_TRUNC,
            O_CLOEXEC,
            libc::O_PATH,
            libc::O_DIRECTORY,
        ] {
            report(
                format_args!("set {flags:#o}"),
                sys::fcntl(fd, F_SETFL, flags.into()),
            );
            report("    get", get());
        }
        close(fd)?;
    }
    for flags in [O_SYNC, libc::O_DSYNC, O_NONBLOCK, O_EXCL, libc::O_NOCTTY] {
        let fd = open("file", O_RDWR | flags, 0)?;
        let got = sys::fcntl(fd, F_GETFL, 0).map(|flags| format!("{flags:#o}"));
        report(format_args!("opened with {flags:#o}"), got);
        close(fd)?;
    }
    let [reader, writer] = sys::pipe2(O_NONBLOCK | O_CLOEXEC)?;
    for (name, fd) in [("reader", reader), ("writer", writer)] {
        report(
            name,
            sys::fcntl(fd, F_GETFL, 0).map(|flags| format!("{flags:#o}")),
        );
        report("    own", sys::fcntl(fd, F_GETFD, 0));
        close(fd)?;
    }
    report("get of closed", sys::fcntl(987, F_GETFL, 0));
    report("set of closed", sys::fcntl(987, F_SETFL, 0));
    Ok(())
}

fn own_flags() -> io::Result<()> {
    let fd = open("file", O_RDONLY | O_CLOEXEC, 0)?;
    let copy = sys::dup(fd)?;
    println!(
        "one {:?} copy {:?}",
        sys::fcntl(fd, F_GETFD, 0)?,
        sys::fcntl(copy, F_GETFD, 0)?
    );
    for flags in [0, 1, 2, 3, -1] {
        report(
            format_args!("set {flags}"),
            sys::fcntl(copy, F_SETFD, flags),
        );
        println!(
            "one {:?} copy {:?}",
            sys::fcntl(fd, F_GETFD, 0)?,
            sys::fcntl(copy, F_GETFD, 0)?
        );
    }
    println!("FD_CLOEXEC is {FD_CLOEXEC}");
    close(fd)?;
    close(copy)?;
    Ok(())
}

fn ranges() -> io::Result<()> {
    const CLOEXEC: u32 = 4;
    const UNSHARE: u32 = 2;
    let fd = open("file", O_RDONLY, 0)?;
    let base = BASE as u32;
    let fill = || (0..10).try_for_each(|n| sys::dup2(fd, BASE + n).map(|_| ()));
    let which = || {
        let state = |n: i64| match sys::fcntl(BASE + n, F_GETFD, 0) {
            Ok(0) => 'o',
            Ok(_) => 'c',
            Err(_) => '.',
        };
        (0..10).map(state).collect::<String>()
    };
    for (first, last, flags) in [
        (base + 2, base + 4, 0),
        (base + 2, base + 4, CLOEXEC),
        (base + 2, base + 4, UNSHARE),
        (base + 5, u32::MAX, 0),
        (base + 5, u32::MAX, CLOEXEC),
        (base + 5, base + 5, 0),
        (base + 20, base + 30, 0),
        (base + 5, base + 4, 0),
        (base, base + 1, 1),
        (base, base + 1, 8),
        (base, base + 9, UNSHARE | CLOEXEC),
        (1 << 20, u32::MAX, 0),
    ] {
        fill()?;
        report(
            format_args!(
                "close_range {} {} {flags}",
                first.wrapping_sub(base),
                last.wrapping_sub(base)
            ),
            close_range(first, last, flags),
        );
        println!("    {}", which());
    }
    report("all of them", close_range(base, u32::MAX, 0));
    println!("    {}", which());
    println!("the first is open {}", is_open(fd));
    close(fd)?;
    Ok(())
}
