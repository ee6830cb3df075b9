//! What goes in comes out: sizes, order, what a full pipe takes, packets.

use crate::pipe::{Pipe, pattern, told};
use std::io;
use test_support::{call, report};

/// Bytes in and out.
pub fn stream() -> io::Result<()> {
    let mut pipe = Pipe::new(0)?;
    report("read of an empty pipe", pipe.read(9));
    report("write nothing", pipe.write(b""));
    report("write", pipe.write(b"hello, "));
    report("write", pipe.write(b"world"));
    report("unread", pipe.unread());
    report("read nothing", pipe.read(0));
    report("read 3", pipe.read(3));
    report("read 1", pipe.read(1));
    report("read the rest", pipe.read(100));
    for size in [1, 4095, 4096, 4097, 8192, 10_000, 65_536] {
        report(format!("write {size}"), pipe.write(&pattern(size)));
        report(format!("read {size}"), pipe.read(size));
    }
    vectors(&pipe)?;
    interleaved(&pipe)?;
    report("write", pipe.write(b"the end"));
    pipe.close_output();
    report("read", pipe.read(4));
    report("read", pipe.read(4));
    report("read at the end", pipe.read(4));
    report("and again", pipe.read(4));
    Ok(())
}

fn vectors(pipe: &Pipe) -> io::Result<()> {
    let bytes = pattern(5000);
    let part = |from: usize, len: usize| libc::iovec {
        iov_base: bytes[from..].as_ptr().cast_mut().cast(),
        iov_len: len,
    };
    let parts = [part(0, 1), part(1, 0), part(1, 4990), part(4991, 9)];
    let write = [pipe.output, parts.as_ptr() as u64, 4];
    report("writev", call(libc::SYS_writev, &write));
    let (mut first, mut second) = ([0_u8; 17], [0_u8; 6000]);
    let parts = [
        libc::iovec {
            iov_base: first.as_mut_ptr().cast(),
            iov_len: 17,
        },
        libc::iovec {
            iov_base: second.as_mut_ptr().cast(),
            iov_len: 6000,
        },
    ];
    let read = [pipe.input, parts.as_ptr() as u64, 2];
    report("readv", call(libc::SYS_readv, &read));
    println!("{} and {}", told(&first), told(&second[..4983]));
    Ok(())
}

/// Writes and reads of odd sizes, so that both wander through the pages.
fn interleaved(pipe: &Pipe) -> io::Result<()> {
    let bytes = pattern(20_000);
    let (mut written, mut read) = (0, 0);
    for round in 0..40 {
        let end = (written + 300 + round * 13).min(bytes.len());
        written += pipe.write(&bytes[written..end])? as usize;
        let got = crate::pipe::read(pipe.input, 200 + round * 11)?;
        assert_eq!(got, bytes[read..read + got.len()], "round {round}");
        read += got.len();
    }
    println!("written {written}, read {read}");
    report("unread", pipe.unread());
    report("read the rest", pipe.read(20_000));
    Ok(())
}

/// What a full pipe takes: up to PIPE_BUF bytes at once or not at all.
pub fn atomic() -> io::Result<()> {
    let pipe = Pipe::new(0)?;
    let mut total = 0;
    while let Ok(count) = pipe.write(&[1; 1000]) {
        total += count;
    }
    println!("a full pipe has {total} bytes in pieces of 1000");
    report("one byte more", pipe.write(b"x"));
    report("a few more", pipe.write(&[2; 96]));
    report("too many more", pipe.write(&[2; 4096]));
    report("unread", pipe.unread());
    report("read 999", pipe.read(999));
    report("write a page", pipe.write(&[3; 4096]));
    report("read 3097 more", pipe.read(3097));
    report("write a page", pipe.write(&[3; 4096]));
    report("write a page", pipe.write(&[3; 4096]));
    report("read two pages", pipe.read(8192));
    report("write three pages", pipe.write(&[4; 3 * 4096]));
    report("write more than fits", pipe.write(&pattern(100_000)));
    report("unread", pipe.unread());
    report("read all", pipe.read(100_000));
    report("write more than the pipe", pipe.write(&pattern(100_000)));
    report("write more than a page", pipe.write(&pattern(5000)));
    report("read a page", pipe.read(4096));
    report("write more than a page", pipe.write(&pattern(5000)));
    report("read all", pipe.read(100_000));
    // The odd bytes of a large write go to the page that has room.
    for size in [1, 5000, 4095, 4096, 9000, 3, 12_289] {
        report(format!("write {size}"), pipe.write(&pattern(size)));
    }
    while let Ok(1) = pipe.write(b"f") {}
    report("unread, filled up by the byte", pipe.unread());
    report("read all", pipe.read(100_000));
    Ok(())
}

/// `O_DIRECT`: packets.
pub fn packets() -> io::Result<()> {
    let pipe = Pipe::new(libc::O_DIRECT)?;
    report("write", pipe.write(b"one"));
    report("write", pipe.write(b"two"));
    report("write nothing", pipe.write(b""));
    report("write 5000", pipe.write(&pattern(5000)));
    report("unread", pipe.unread());
    report("read", pipe.read(100));
    report("read a part", pipe.read(1));
    report("read", pipe.read(100_000));
    report("read", pipe.read(100_000));
    report("read", pipe.read(100));
    let mut count = 0;
    while pipe.write(b"p").is_ok() {
        count += 1;
    }
    println!("a full pipe has {count} packets");
    report("unread", pipe.unread());
    let set = |flags: i32| {
        let args = [pipe.output, libc::F_SETFL as u64, flags as u64];
        call(libc::SYS_fcntl, &args)
    };
    report("packets off", set(libc::O_NONBLOCK));
    report("read", pipe.read(100));
    report("write", pipe.write(b"stream"));
    for _ in 0..count {
        pipe.read(100)?;
    }
    report("write", pipe.write(b" and more"));
    report("packets on", set(libc::O_NONBLOCK | libc::O_DIRECT));
    report("write", pipe.write(b"packet"));
    report("packets off", set(libc::O_NONBLOCK));
    report("write", pipe.write(b"tail"));
    for _ in 0..3 {
        report("read", pipe.read(100));
    }
    Ok(())
}
