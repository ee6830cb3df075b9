//! FIFOs: pipes with a name.

use crate::pipe::{events, read, told, write};
use std::ffi::CStr;
use std::io;
use test_support::{Outcome, call, checked, report, report_ok};

const NAME: &CStr = c"fifo";
const NONBLOCK: i32 = libc::O_NONBLOCK;

fn open(name: &CStr, flags: i32) -> Outcome {
    // SAFETY: the name is one.
    checked(unsafe { libc::open(name.as_ptr(), flags) })
}

fn close(fd: i64) {
    let _ = call(libc::SYS_close, &[fd as u64]);
}

fn take(fd: i64, most: usize) -> io::Result<String> {
    read(fd as u64, most).map(|bytes| told(&bytes))
}

fn put(fd: i64, bytes: &[u8]) -> Outcome {
    write(fd as u64, bytes)
}

/// Everything about FIFOs.
pub fn run() -> io::Result<()> {
    let _ = std::fs::remove_file("fifo");
    make()?;
    alone()?;
    both()?;
    lifetime()?;
    names()
}

fn make() -> io::Result<()> {
    // SAFETY: the name is one.
    let outcome = checked(unsafe { libc::mkfifo(NAME.as_ptr(), 0o640) });
    report("mkfifo", outcome);
    // SAFETY: as above.
    report(
        "again",
        checked(unsafe { libc::mkfifo(NAME.as_ptr(), 0o640) }),
    );
    // SAFETY: any bytes are a stat.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the name is one, and there is room.
    checked(unsafe { libc::stat(NAME.as_ptr(), &raw mut stat) })?;
    let (mode, size) = (stat.st_mode, stat.st_size);
    println!("mode {mode:o}, size {size}, links {}", stat.st_nlink);
    Ok(())
}

/// Who comes first, without waiting.
fn alone() -> io::Result<()> {
    report(
        "to write, nobody reads",
        open(NAME, libc::O_WRONLY | NONBLOCK),
    );
    let reader = open(NAME, libc::O_RDONLY | NONBLOCK)?;
    report("the reader, before a writer", events(reader as u64));
    report("read", take(reader, 9));
    let writer = open(NAME, libc::O_WRONLY | NONBLOCK)?;
    report("the reader, with a writer", events(reader as u64));
    report("read", take(reader, 9));
    report("the writer", events(writer as u64));
    report("write", put(writer, b"through a name"));
    report("read", take(reader, 99));
    close(writer);
    report("the reader, after the writer", events(reader as u64));
    report("read", take(reader, 9));
    let late = open(NAME, libc::O_RDONLY | NONBLOCK)?;
    report("a later reader", events(late as u64));
    let writer = open(NAME, libc::O_WRONLY)?;
    report("the reader, with a new writer", events(reader as u64));
    close(reader);
    close(late);
    report("the writer, after the readers", events(writer as u64));
    report("write", put(writer, b"x"));
    close(writer);
    Ok(())
}

/// Opened both ways it waits for nobody.
fn both() -> io::Result<()> {
    let both = open(NAME, libc::O_RDWR)?;
    report("alone", events(both as u64));
    report("write", put(both, b"to myself"));
    report("with content", events(both as u64));
    // The other side is there, so these do not wait.
    let reader = open(NAME, libc::O_RDONLY)?;
    let writer = open(NAME, libc::O_WRONLY)?;
    report("write", put(writer, b" and others"));
    report("read", take(reader, 99));
    close(both);
    close(writer);
    report("read", take(reader, 9));
    close(reader);
    Ok(())
}

/// What is in it goes when nobody has it open; its size, too.
fn lifetime() -> io::Result<()> {
    let both = open(NAME, libc::O_RDWR)?;
    let size = |fd: i64| call(libc::SYS_fcntl, &[fd as u64, libc::F_GETPIPE_SZ as u64]);
    let set = [both as u64, libc::F_SETPIPE_SZ as u64, 4096];
    report("one page", call(libc::SYS_fcntl, &set));
    report("write", put(both, b"kept"));
    let reader = open(NAME, libc::O_RDONLY | NONBLOCK)?;
    close(both);
    report("size", size(reader));
    report("read", take(reader, 1));
    close(reader);
    let reader = open(NAME, libc::O_RDONLY | NONBLOCK)?;
    report("read anew", take(reader, 9));
    report("size", size(reader));
    close(reader);
    Ok(())
}

/// The name is one thing, the pipe another.
fn names() -> io::Result<()> {
    let both = open(NAME, libc::O_RDWR | NONBLOCK)?;
    report("write", put(both, b"moved"));
    report_ok("rename", std::fs::rename("fifo", "moved"));
    report("the old name", open(NAME, libc::O_RDWR));
    let reader = open(c"moved", libc::O_RDONLY | NONBLOCK)?;
    report("read through the new", take(reader, 9));
    report_ok("link", std::fs::hard_link("moved", "linked"));
    report("write", put(both, b"linked"));
    let linked = open(c"linked", libc::O_RDONLY | NONBLOCK)?;
    report("read through the link", take(linked, 9));
    close(linked);
    report_ok("unlink", std::fs::remove_file("linked"));
    report_ok("unlink", std::fs::remove_file("moved"));
    report("write, without a name", put(both, b"nameless"));
    report("read", take(reader, 9));
    let status = |fd: i64| call(libc::SYS_fcntl, &[fd as u64, libc::F_GETFL as u64]);
    report("status", status(reader));
    report("lseek", call(libc::SYS_lseek, &[reader as u64, 0, 0]));
    let args = [reader as u64, libc::F_SETFL as u64, libc::O_DIRECT as u64];
    report("packets", call(libc::SYS_fcntl, &args));
    close(reader);
    close(both);
    Ok(())
}
