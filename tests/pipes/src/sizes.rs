//! F_SETPIPE_SZ, and what poll(2) and select(2) say.

use crate::pipe::{Pipe, pattern};
use std::io;
use test_support::{Outcome, call, checked, report};

fn set_size(pipe: &Pipe, bytes: u64) -> Outcome {
    call(
        libc::SYS_fcntl,
        &[pipe.input, libc::F_SETPIPE_SZ as u64, bytes],
    )
}

fn size(pipe: &Pipe) -> Outcome {
    call(libc::SYS_fcntl, &[pipe.output, libc::F_GETPIPE_SZ as u64])
}

/// Sizes of pipes.
pub fn sizes() -> io::Result<()> {
    let pipe = Pipe::new(0)?;
    report("size", size(&pipe));
    for bytes in [0, 1, 4096, 4097, 12_288, 65_536, 70_000, 1 << 20] {
        report(format!("set to {bytes}"), set_size(&pipe, bytes));
        report("size", size(&pipe));
    }
    for bytes in [(1 << 31) + 1, u64::from(u32::MAX), u64::MAX] {
        report(format!("set to {bytes}"), set_size(&pipe, bytes));
    }
    report("the argument is an int", set_size(&pipe, (1 << 32) + 5000));
    report("write", pipe.write(&pattern(10_000)));
    report("to one page", set_size(&pipe, 4096));
    report("to two pages", set_size(&pipe, 8192));
    report("to four", set_size(&pipe, 16_384));
    report("write", pipe.write(&pattern(10_000)));
    report("read", pipe.read(9_000));
    report("to two", set_size(&pipe, 8192));
    report("read", pipe.read(9_000));
    report("to one", set_size(&pipe, 4096));
    report("write", pipe.write(&pattern(10_000)));
    report("read", pipe.read(9_000));
    let file = std::fs::File::open("lines.txt")?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file) as u64;
    for command in [libc::F_GETPIPE_SZ, libc::F_SETPIPE_SZ] {
        report(
            "of a file",
            call(libc::SYS_fcntl, &[fd, command as u64, 4096]),
        );
    }
    Ok(())
}

/// What is ready.
pub fn ready() -> io::Result<()> {
    let mut pipe = Pipe::new(0)?;
    report("empty", pipe.ready());
    pipe.write(b"x")?;
    report("a byte", pipe.ready());
    report("select", select(&pipe));
    pipe.write(&pattern(65_535))?;
    report("unread", pipe.unread());
    report("full but for a byte", pipe.ready());
    report("read", pipe.read(4095));
    report("no page is free", pipe.ready());
    report("read", pipe.read(1));
    report("a page is free", pipe.ready());
    report("select", select(&pipe));
    pipe.close_output();
    report("no writer", pipe.ready());
    report("read", pipe.read(65_536));
    report("no writer, and empty", pipe.ready());
    report("select", select(&pipe));
    let mut pipe = Pipe::new(0)?;
    pipe.close_input();
    report("no reader", pipe.ready());
    report("select", select(&pipe));
    let mut pipe = Pipe::new(0)?;
    while pipe.write(&[0; 4096]).is_ok() {}
    report("full", pipe.ready());
    report("select", select(&pipe));
    pipe.close_input();
    report("full, and no reader", pipe.ready());
    Ok(())
}

/// Which ends select(2) finds readable, writable, and exceptional.
fn select(pipe: &Pipe) -> io::Result<String> {
    let ends = [pipe.input, pipe.output]
        .into_iter()
        .filter(|&fd| fd != u64::MAX);
    let ends: Vec<i32> = ends.map(|fd| fd as i32).collect();
    // SAFETY: a set of no members is all zeros.
    let mut sets: [libc::fd_set; 3] = unsafe { std::mem::zeroed() };
    for set in &mut sets {
        // SAFETY: the numbers are below FD_SETSIZE.
        ends.iter().for_each(|&fd| unsafe { libc::FD_SET(fd, set) });
    }
    let [read, write, except] = &mut sets;
    let mut none = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    let count = ends.iter().max().map_or(0, |fd| fd + 1);
    // SAFETY: three sets and a time, all alive.
    let found = checked(unsafe { libc::select(count, read, write, except, &raw mut none) })?;
    let members = sets.iter().map(|set| {
        let has = ends.iter().map(|&fd| {
            // SAFETY: as above.
            let member = unsafe { libc::FD_ISSET(fd, set) };
            if member { "+" } else { "-" }
        });
        has.collect::<String>()
    });
    let members: Vec<String> = members.collect();
    Ok(format!("{found}: {}", members.join(" ")))
}
