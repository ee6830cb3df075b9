//! Ends: copies, what a pipe is not, and what happens when one side has gone.

use crate::pipe::{Pipe, events, read, told, write};
use std::ffi::CString;
use std::io;
use test_support::{call, checked, report};

/// Everything about ends.
pub fn ends() -> io::Result<()> {
    broken()?;
    copies()?;
    flags()?;
    kind()?;
    reopened()?;
    not_a_file()
}

/// SIGPIPE is ignored in programs of Rust, so the error arrives.
fn broken() -> io::Result<()> {
    let mut pipe = Pipe::new(0)?;
    pipe.write(b"lost")?;
    pipe.close_input();
    report("write without readers", pipe.write(b"x"));
    report("of nothing", pipe.write(b""));
    report("writev", call(libc::SYS_writev, &[pipe.output, 0, 0]));
    Ok(())
}

/// A copy of an end counts.
fn copies() -> io::Result<()> {
    let mut pipe = Pipe::new(0)?;
    let reader = call(libc::SYS_dup, &[pipe.input])? as u64;
    let writer = call(libc::SYS_dup, &[pipe.output])? as u64;
    pipe.close_input();
    report("write, a copy reads", pipe.write(b"copy"));
    pipe.close_output();
    report(
        "read, a copy could write",
        read(reader, 9).map(|bytes| bytes.len()),
    );
    report("read again", read(reader, 9).map(|bytes| bytes.len()));
    report("write to the copy", write(writer, b"more"));
    call(libc::SYS_close, &[writer])?;
    report("read", read(reader, 9).map(|bytes| bytes.len()));
    report("the end", read(reader, 9).map(|bytes| bytes.len()));
    call(libc::SYS_close, &[reader])?;
    Ok(())
}

fn flags() -> io::Result<()> {
    for wanted in [0, libc::O_CLOEXEC, libc::O_NONBLOCK, libc::O_DIRECT] {
        let mut fds = [0_i32; 2];
        let args = [fds.as_mut_ptr() as u64, wanted as u64];
        report(format!("pipe2 {wanted:#x}"), call(libc::SYS_pipe2, &args));
        for fd in fds.map(|fd| fd as u64) {
            let get = |command: i32| call(libc::SYS_fcntl, &[fd, command as u64]);
            let (status, cloexec) = (get(libc::F_GETFL)?, get(libc::F_GETFD)?);
            println!("status {status:#x}, close on exec {cloexec}");
            call(libc::SYS_close, &[fd])?;
        }
    }
    let mut fds = [0_i32; 2];
    report("pipe", call(libc::SYS_pipe, &[fds.as_mut_ptr() as u64]));
    println!("two numbers, the reader's first: {}", fds[0] < fds[1]);
    let [input, output] = fds.map(|fd| fd as u64);
    report(
        "read from the writer",
        read(output, 1).map(|bytes| bytes.len()),
    );
    report("write to the reader", write(input, b"x"));
    let set = [input, libc::F_SETFL as u64, libc::O_NONBLOCK as u64];
    report("not to wait", call(libc::SYS_fcntl, &set));
    report("read", read(input, 1).map(|bytes| bytes.len()));
    for (what, on) in [("to wait again", 0_i32), ("and not", 1)] {
        let request = [input, libc::FIONBIO, &raw const on as u64];
        report(what, call(libc::SYS_ioctl, &request));
    }
    report("read", read(input, 1).map(|bytes| bytes.len()));
    call(libc::SYS_close, &[input])?;
    call(libc::SYS_close, &[output])?;
    Ok(())
}

fn kind() -> io::Result<()> {
    let pipe = Pipe::new(0)?;
    pipe.write(b"content")?;
    let mut inodes = Vec::new();
    for fd in [pipe.input, pipe.output] {
        // SAFETY: any bytes are a stat.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: there is room for one.
        checked(unsafe { libc::fstat(fd as i32, &raw mut stat) })?;
        println!(
            "mode {:o}, size {}, links {}, block size {}, blocks {}",
            stat.st_mode, stat.st_size, stat.st_nlink, stat.st_blksize, stat.st_blocks
        );
        inodes.push((stat.st_dev, stat.st_ino));
        let link = std::fs::read_link(format!("/proc/self/fd/{fd}"));
        let wanted = format!("pipe:[{}]", stat.st_ino);
        report(
            "the link of its descriptor",
            link.map(|link| link.as_os_str() == &*wanted),
        );
    }
    println!("one inode: {}", inodes[0] == inodes[1]);
    Ok(())
}

/// Through `/proc/self/fd` the same pipe is opened again; nobody is waited for.
fn reopened() -> io::Result<()> {
    let mut pipe = Pipe::new(0)?;
    let path = CString::new(format!("/proc/self/fd/{}", pipe.input))?;
    let open = |flags: i32| {
        let args = [path.as_ptr() as u64, (flags | libc::O_NONBLOCK) as u64];
        call(libc::SYS_open, &args)
    };
    let writer = open(libc::O_WRONLY)? as u64;
    report("write through the reader's link", write(writer, b"again"));
    report("read", pipe.read(2));
    pipe.close_output();
    report("a writer is left", pipe.ready());
    let reader = open(libc::O_RDONLY)? as u64;
    report("read the same", read(reader, 9).map(|bytes| told(&bytes)));
    call(libc::SYS_close, &[writer])?;
    report("none is left", events(reader));
    let late = open(libc::O_RDONLY)? as u64;
    report("nor for who comes then", events(late));
    let both = open(libc::O_RDWR)? as u64;
    report("until there is one", events(late));
    for fd in [reader, late, both] {
        call(libc::SYS_close, &[fd])?;
    }
    Ok(())
}

/// Calls that pipes refuse.
fn not_a_file() -> io::Result<()> {
    let pipe = Pipe::new(0)?;
    pipe.write(b"content")?;
    let mut bytes = [0_u8; 8];
    let at = bytes.as_mut_ptr() as u64;
    let fd = pipe.input;
    report("lseek", call(libc::SYS_lseek, &[fd, 0, 1]));
    report("pread", call(libc::SYS_pread64, &[fd, at, 4, 0]));
    report("pwrite", call(libc::SYS_pwrite64, &[pipe.output, at, 4, 0]));
    report("ftruncate", call(libc::SYS_ftruncate, &[pipe.output, 0]));
    report("fsync", call(libc::SYS_fsync, &[fd]));
    report("fchdir", call(libc::SYS_fchdir, &[fd]));
    report("getdents64", call(libc::SYS_getdents64, &[fd, at, 8]));
    let map = [
        0,
        4096,
        libc::PROT_READ as u64,
        libc::MAP_PRIVATE as u64,
        fd,
        0,
    ];
    report("mmap", call(libc::SYS_mmap, &map));
    report("TCGETS", call(libc::SYS_ioctl, &[fd, libc::TCGETS, at]));
    let name = c"x".as_ptr() as u64;
    report("openat", call(libc::SYS_openat, &[fd, name, 0]));
    report("read", pipe.read(99));
    Ok(())
}

/// Ends as SIGPIPE ends a program that does nothing about it.
pub fn sigpipe() -> io::Result<()> {
    let mut pipe = Pipe::new(0)?;
    pipe.close_input();
    // SAFETY: the default action has no handler.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    println!("before");
    report("write", pipe.write(b"x"));
    Ok(())
}
