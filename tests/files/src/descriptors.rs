//! Descriptors: their numbers, copies and flags.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, IntoRawFd};
use test_support::{call, report, report_ok};

const BAD_FD: u64 = 987;

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    numbers()?;
    closed();
    copies()?;
    flags()
}

/// A new descriptor is the lowest that is free.
fn numbers() -> io::Result<()> {
    let first = File::open("a.txt")?;
    let second = File::open("a.txt")?;
    let number = first.as_raw_fd();
    println!("one after the other {}", second.as_raw_fd() > number);
    drop(first);
    let third = File::open("empty")?;
    println!("the lowest is used again {}", third.as_raw_fd() == number);
    let many: Vec<File> = (0..100)
        .map(|_| File::open("a.txt"))
        .collect::<io::Result<_>>()?;
    println!("a hundred at once {}", many.len());
    Ok(())
}

fn closed() {
    let mut buffer = [0_u64; 32];
    let buffer = buffer.as_mut_ptr() as u64;
    report("close", call(libc::SYS_close, &[BAD_FD]));
    report("close -1", call(libc::SYS_close, &[u64::MAX]));
    report("read", call(libc::SYS_read, &[BAD_FD, buffer, 8]));
    report("lseek", call(libc::SYS_lseek, &[BAD_FD, 0, 0]));
    report("fstat", call(libc::SYS_fstat, &[BAD_FD, buffer]));
    report(
        "getdents64",
        call(libc::SYS_getdents64, &[BAD_FD, buffer, 64]),
    );
    report("dup", call(libc::SYS_dup, &[BAD_FD]));
    report(
        "fcntl",
        call(libc::SYS_fcntl, &[BAD_FD, libc::F_GETFD as u64]),
    );
    if let Ok(file) = File::open("a.txt") {
        let fd = file.into_raw_fd() as u64;
        report("close once", call(libc::SYS_close, &[fd]));
        report("close twice", call(libc::SYS_close, &[fd]));
    }
}

/// Copies share one position; two openings do not.
fn copies() -> io::Result<()> {
    let mut file = File::open("a.txt")?;
    let mut copy = file.try_clone()?;
    let mut other = File::open("a.txt")?;
    let mut piece = [0; 4];
    file.read_exact(&mut piece)?;
    copy.read_exact(&mut piece)?;
    println!(
        "the copy goes on with {:?}",
        String::from_utf8_lossy(&piece)
    );
    other.read_exact(&mut piece)?;
    println!(
        "the other begins with {:?}",
        String::from_utf8_lossy(&piece)
    );
    drop(file);
    copy.read_exact(&mut piece)?;
    println!("the copy outlives it {:?}", String::from_utf8_lossy(&piece));

    let fd = copy.as_raw_fd() as u64;
    report("dup2 to 400", call(libc::SYS_dup2, &[fd, 400]));
    report("position", call(libc::SYS_lseek, &[400, 0, 1]));
    report("dup2 onto itself", call(libc::SYS_dup2, &[400, 400]));
    report("dup3 onto itself", call(libc::SYS_dup3, &[400, 400, 0]));
    report("dup2 of nothing", call(libc::SYS_dup2, &[BAD_FD, 400]));
    report("dup2 to -1", call(libc::SYS_dup2, &[fd, u64::MAX]));
    report("close 400", call(libc::SYS_close, &[400]));
    Ok(())
}

fn flags() -> io::Result<()> {
    let file = File::open("a.txt")?;
    let fd = file.as_raw_fd() as u64;
    let fcntl =
        |command: i32, value: i32| call(libc::SYS_fcntl, &[fd, command as u64, value as u64]);
    report("close-on-exec", fcntl(libc::F_GETFD, 0));
    report("clear it", fcntl(libc::F_SETFD, 0));
    report("close-on-exec", fcntl(libc::F_GETFD, 0));
    let mode = fcntl(libc::F_GETFL, 0).map(|flags| flags & i64::from(libc::O_ACCMODE));
    report("access mode", mode);
    report("copy from 500", fcntl(libc::F_DUPFD_CLOEXEC, 500));
    report("close 500", call(libc::SYS_close, &[500]));
    report("no such command", fcntl(9999, 0));
    report_ok("fsync", file.sync_all());
    Ok(())
}
