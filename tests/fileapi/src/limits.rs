//! Full tables: RLIMIT_NOFILE and EMFILE.

use libc::{F_DUPFD, O_CREAT, O_RDONLY, O_RDWR, RLIMIT_NOFILE};
use std::io;
use test_support::files::{Scratch, make, names_in};
use test_support::sys::{self, HERE, close, close_range, open};
use test_support::{Outcome, call, report};

/// Sets the soft limit; returns the old one.
fn limit(soft: u64) -> io::Result<u64> {
    let mut old = [0_u64; 2];
    call(
        libc::SYS_prlimit64,
        &[0, RLIMIT_NOFILE.into(), 0, old.as_mut_ptr() as u64],
    )?;
    let new = [soft, old[1]];
    call(
        libc::SYS_prlimit64,
        &[0, RLIMIT_NOFILE.into(), new.as_ptr() as u64, 0],
    )?;
    Ok(old[0])
}

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    make("file", b"content")?;
    let first = open("file", O_RDONLY, 0)?;
    let old = limit(first as u64 + 20)?;
    let mut highest = first;
    let error = loop {
        match open("file", O_RDONLY, 0) {
            Ok(fd) => highest = fd,
            Err(error) => break error,
        }
    };
    report("one more", Err::<i64, _>(error));
    println!("the highest is {} above the first", highest - first);
    report("dup", sys::dup(first));
    report("from 0", sys::fcntl(first, F_DUPFD, 0));
    report("from the limit", sys::fcntl(first, F_DUPFD, highest + 1));
    report("from the last", sys::fcntl(first, F_DUPFD, highest));
    report(
        "dup2 onto the last",
        sys::dup2(first, highest).map(|_| "ok"),
    );
    report("dup2 onto the limit", sys::dup2(first, highest + 1));
    report("dup3 onto the limit", sys::dup3(first, highest + 1, 0));
    report("pipe", sys::pipe2(0).map(|_| "ok"));
    report("memory", sys::memfd_create("m", 0));
    report("inotify", sys::inotify_init1(0));
    // What cannot have a descriptor is not made, and not emptied.
    report("create", open("new", O_RDWR | O_CREAT, 0o644));
    report("truncate", open("file", O_RDWR | libc::O_TRUNC, 0));
    report("missing", open("missing", O_RDONLY, 0));
    report("there is", names_in_when_possible(highest));
    close(highest)?;
    report("a pipe needs two", sys::pipe2(0).map(|_| "ok"));
    report(
        "one is free",
        open("file", O_RDONLY, 0).map(|fd| fd - first),
    );
    raised(first, highest)?;
    lowered(first, old)
}

/// Frees the number for the moment.
fn names_in_when_possible(fd: i64) -> io::Result<String> {
    close(fd)?;
    let names = names_in(HERE, ".");
    open("file", O_RDONLY, 0)?;
    names
}

fn raised(first: i64, highest: i64) -> io::Result<()> {
    limit(highest as u64 + 3)?;
    report("two more", open("file", O_RDONLY, 0).map(|fd| fd - first));
    report("two more", open("file", O_RDONLY, 0).map(|fd| fd - first));
    report("three more", open("file", O_RDONLY, 0).map(|fd| fd - first));
    Ok(())
}

/// A lower limit takes nothing away that is open.
fn lowered(first: i64, old: u64) -> io::Result<()> {
    limit(first as u64 + 2)?;
    let mut room = [0; 4];
    let read = |fd: i64, room: &mut [u8]| -> Outcome { sys::pread(fd, room, 0) };
    report("read above the limit", read(first + 10, &mut room));
    report("open", open("file", O_RDONLY, 0));
    report("dup2 above the limit", sys::dup2(first, first + 10));
    report("close above the limit", close(first + 10));
    report("open again", open("file", O_RDONLY, 0));
    close(first + 1)?;
    report(
        "open below the limit",
        open("file", O_RDONLY, 0).map(|fd| fd - first),
    );
    limit(0)?;
    report("no more at all", open("file", O_RDONLY, 0));
    limit(old)?;
    report("close them", close_range(first as u32, u32::MAX, 0));
    report("open", open("file", O_RDONLY, 0).map(|fd| fd - first));
    Ok(())
}
