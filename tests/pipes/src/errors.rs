//! Bad pointers, and what pipe2(2) refuses.

use crate::pipe::{NOWHERE, Pipe, pattern};
use std::io;
use test_support::{call, report};

/// Two pages, the second of which cannot be touched: the address of the first.
fn half_mapped() -> io::Result<u64> {
    let anywhere = [
        0,
        8192,
        (libc::PROT_READ | libc::PROT_WRITE) as u64,
        (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64,
        u64::MAX,
        0,
    ];
    let start = call(libc::SYS_mmap, &anywhere)? as u64;
    let nothing = libc::PROT_NONE as u64;
    call(libc::SYS_mprotect, &[start + 4096, 4096, nothing])?;
    Ok(start)
}

/// Reads and writes with bad pointers: what was done before them counts.
pub fn faults() -> io::Result<()> {
    let pipe = Pipe::new(0)?;
    let half = half_mapped()?;
    let write = |at: u64, len: u64| call(libc::SYS_write, &[pipe.output, at, len]);
    let read = |at: u64, len: u64| call(libc::SYS_read, &[pipe.input, at, len]);
    for at in [0, 1, NOWHERE, u64::MAX, half + 4096] {
        report("write from nowhere", write(at, 10));
    }
    report("unread", pipe.unread());
    report("write nothing from nowhere", write(0, 0));
    report("write, the end is missing", write(half + 4000, 200));
    report("unread", pipe.unread());
    report("write a page and more", write(half, 5000));
    report("unread", pipe.unread());
    report("write two pages", write(half, 8192));
    report("unread", pipe.unread());
    report("read", pipe.read(1 << 16).map(|_| "something"));
    pipe.write(b"kept")?;
    // What would be appended to the byte that is there.
    report("append, the end is missing", write(half + 4000, 200));
    report("unread", pipe.unread());
    for at in [0, 1, NOWHERE, u64::MAX, half + 4096] {
        report("read to nowhere", read(at, 10));
    }
    report("read nothing to nowhere", read(0, 0));
    report("read, the end is missing", read(half + 4094, 4));
    report("unread", pipe.unread());
    report("read", pipe.read(99));
    report("read to nowhere, and nothing there", read(0, 10));
    pipe.write(&pattern(4096))?;
    pipe.write(b"the second buffer")?;
    report("read over both", read(half, 5000));
    report("read", pipe.read(99));
    vectors(&pipe, half);
    let ioctl = [pipe.input, libc::FIONREAD, NOWHERE];
    report("FIONREAD", call(libc::SYS_ioctl, &ioctl));
    Ok(())
}

fn vectors(pipe: &Pipe, half: u64) {
    let bytes = pattern(100);
    let at = bytes.as_ptr() as u64;
    let parts = [[at, 100], [half + 4096, 100]];
    let args = [pipe.output, parts.as_ptr() as u64, 2];
    report("writev, the second is bad", call(libc::SYS_writev, &args));
    let parts = [[half, 4096], [half + 4096, 100]];
    let args = [pipe.output, parts.as_ptr() as u64, 2];
    report("writev, behind a page", call(libc::SYS_writev, &args));
    report("unread", pipe.unread());
    let args = [pipe.input, parts.as_ptr() as u64, 2];
    report("readv, the second is bad", call(libc::SYS_readv, &args));
    report("unread", pipe.unread());
}

/// What pipe(2) and pipe2(2) refuse; no descriptor is left behind.
pub fn errors() -> io::Result<()> {
    let before = Pipe::new(0)?;
    report("pipe to nowhere", call(libc::SYS_pipe, &[NOWHERE]));
    report("pipe to NULL", call(libc::SYS_pipe2, &[0, 0]));
    let half = half_mapped()?;
    report("pipe to a half", call(libc::SYS_pipe, &[half + 4092]));
    let mut fds = [0_i32; 2];
    let at = fds.as_mut_ptr() as u64;
    for flags in [1, 2, libc::O_APPEND, libc::O_PATH, libc::O_CREAT, -1] {
        let args = [at, flags as u64];
        report(format!("flags {flags:#x}"), call(libc::SYS_pipe2, &args));
    }
    report("flags above an int", call(libc::SYS_pipe2, &[at, 1 << 32]));
    println!(
        "no number in between: {}",
        fds[0] as u64 == before.output + 1
    );
    for fd in fds {
        call(libc::SYS_close, &[fd as u64])?;
    }
    limits(at)
}

/// One descriptor is free: a pipe needs two.
fn limits(at: u64) -> io::Result<()> {
    let mut old = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: there is room for one.
    test_support::checked(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut old) })?;
    let few = libc::rlimit {
        rlim_cur: 20,
        ..old
    };
    // SAFETY: a limit that is there.
    test_support::checked(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const few) })?;
    let mut pipes = Vec::new();
    while let Ok(pipe) = Pipe::new(0) {
        pipes.push(pipe);
    }
    report("no room for two", call(libc::SYS_pipe, &[at]));
    let last = call(libc::SYS_dup, &[0]);
    println!(
        "one more, at most: {}",
        last.is_ok() as usize + pipes.len() * 2 <= 20
    );
    if let Ok(fd) = last {
        report("no room at all", call(libc::SYS_pipe, &[at]));
        call(libc::SYS_close, &[fd as u64])?;
    } else {
        report("no room at all", call(libc::SYS_pipe, &[at]));
    }
    drop(pipes);
    // SAFETY: as above.
    test_support::checked(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const old) })?;
    Ok(())
}
