//! Reading and writing: buffers, and arrays of buffers.

use crate::each::{each, each_but_null};
use crate::places::Places;
use libc::{
    SYS_ioctl, SYS_poll, SYS_ppoll, SYS_pread64, SYS_read, SYS_readv, SYS_write, SYS_writev,
};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use test_support::{call, report};

/// A descriptor that is never open.
const BAD_FD: u64 = 987;
const KEEP: u64 = 8;
const LENGTH: u64 = 20;

fn fd(file: &File) -> u64 {
    file.as_raw_fd() as u64
}

/// Reports on everything here.
///
/// # Errors
/// A file of the root directory, or a device, is missing.
pub fn run(places: &Places) -> io::Result<()> {
    reads(places)?;
    devices(places)?;
    vectors(places)?;
    polls(places);
    let data = File::open("data.txt")?;
    each(places, "ioctl TCGETS file", KEEP, |p| {
        call(SYS_ioctl, &[fd(&data), libc::TCGETS, p])
    });
    each(places, "ioctl TIOCGWINSZ bad fd", KEEP, |p| {
        call(SYS_ioctl, &[BAD_FD, libc::TIOCGWINSZ, p])
    });
    Ok(())
}

fn reads(places: &Places) -> io::Result<()> {
    each(places, "read", KEEP, |p| {
        let data = File::open("data.txt")?;
        call(SYS_read, &[fd(&data), p, LENGTH])
    });

    let data = File::open("data.txt")?;
    each(places, "pread64", KEEP, |p| {
        call(SYS_pread64, &[fd(&data), p, LENGTH, 4])
    });
    let straddling = places.end(KEEP);
    report(
        "pread64 straddling",
        call(SYS_pread64, &[fd(&data), straddling, LENGTH, 4]),
    );
    println!(
        "pread64 got {:?}",
        String::from_utf8_lossy(&places.tail(KEEP as usize))
    );
    each(places, "pread64 of nothing", KEEP, |p| {
        call(SYS_pread64, &[fd(&data), p, 0, 0])
    });
    each(places, "pread64 behind the end", KEEP, |p| {
        call(SYS_pread64, &[fd(&data), p, LENGTH, 1000])
    });
    each(places, "pread64 before the start", KEEP, |p| {
        call(SYS_pread64, &[fd(&data), p, LENGTH, u64::MAX])
    });
    // A read that fails does not move the position, one that is cut short moves it by that much.
    let unmapped = places.bad(KEEP)[1].address;
    report(
        "read unmapped",
        call(SYS_read, &[fd(&data), unmapped, LENGTH]),
    );
    report("lseek behind it", call(libc::SYS_lseek, &[fd(&data), 0, 1]));
    report(
        "read straddling",
        call(SYS_read, &[fd(&data), places.end(KEEP), LENGTH]),
    );
    report("lseek behind it", call(libc::SYS_lseek, &[fd(&data), 0, 1]));

    each(places, "read bad fd", KEEP, |p| {
        call(SYS_read, &[BAD_FD, p, LENGTH])
    });
    each(places, "write bad fd", KEEP, |p| {
        call(SYS_write, &[BAD_FD, p, LENGTH])
    });
    each(places, "write read-only fd", KEEP, |p| {
        call(SYS_write, &[fd(&data), p, LENGTH])
    });
    Ok(())
}

fn devices(places: &Places) -> io::Result<()> {
    let open = |name: &str| OpenOptions::new().read(true).write(true).open(name);
    let null = open("/dev/null")?;
    let zero = open("/dev/zero")?;
    let full = open("/dev/full")?;
    let random = File::open("/dev/urandom")?;
    for (name, file) in [("null", &null), ("zero", &zero), ("full", &full)] {
        each(places, &format!("read /dev/{name}"), KEEP, |p| {
            call(SYS_read, &[fd(file), p, LENGTH])
        });
        each(places, &format!("write /dev/{name}"), KEEP, |p| {
            call(SYS_write, &[fd(file), p, LENGTH])
        });
    }
    each(places, "read /dev/urandom", KEEP, |p| {
        call(SYS_read, &[fd(&random), p, LENGTH])
    });
    report(
        "read /dev/zero straddling",
        call(SYS_read, &[fd(&zero), places.end(KEEP), LENGTH]),
    );
    println!("read got {:?}", places.tail(KEEP as usize));
    Ok(())
}

/// An `iovec`.
type Piece = [u64; 2];

fn vectors(places: &Places) -> io::Result<()> {
    let data = File::open("data.txt")?;
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    let mut good = [0_u8; 4];
    let good = good.as_mut_ptr() as u64;
    let rewind = || call(libc::SYS_lseek, &[fd(&data), 0, 0]);
    let readv = |pieces: &[Piece]| {
        rewind()?;
        call(
            SYS_readv,
            &[fd(&data), pieces.as_ptr() as u64, pieces.len() as u64],
        )
    };
    let writev = |pieces: &[Piece]| {
        call(
            SYS_writev,
            &[fd(&null), pieces.as_ptr() as u64, pieces.len() as u64],
        )
    };

    each(places, "readv array", KEEP, |p| {
        call(SYS_readv, &[fd(&data), p, 2])
    });
    each(places, "writev array", KEEP, |p| {
        call(SYS_writev, &[fd(&null), p, 2])
    });
    each(places, "readv no array", KEEP, |p| {
        call(SYS_readv, &[fd(&data), p, 0])
    });
    each(places, "readv 1025 pieces", KEEP, |p| {
        call(SYS_readv, &[fd(&data), p, 1025])
    });
    each(places, "readv first piece", KEEP, |p| {
        readv(&[[p, LENGTH], [good, 4]])
    });
    each(places, "readv second piece", KEEP, |p| {
        readv(&[[good, 4], [p, LENGTH]])
    });
    each(places, "readv negative length", KEEP, |p| {
        readv(&[[good, 4], [p, u64::MAX]])
    });
    each(places, "writev second piece", KEEP, |p| {
        writev(&[[good, 4], [p, LENGTH]])
    });
    Ok(())
}

fn polls(places: &Places) {
    each(places, "poll", KEEP, |p| call(SYS_poll, &[p, 2, 0]));
    each(places, "poll of nothing", KEEP, |p| {
        call(SYS_poll, &[p, 0, 0])
    });
    let none = 0;
    let now = [0_u64; 2];
    let now = now.as_ptr() as u64;
    each(places, "ppoll", KEEP, |p| {
        call(SYS_ppoll, &[p, 2, now, none, 8])
    });
    // Without a timeout it would wait for ever, and without a mask its size does not matter.
    each_but_null(places, "ppoll timeout", KEEP, |p| {
        call(SYS_ppoll, &[0, 0, p, none, 8])
    });
    each(places, "ppoll mask", 4, |p| {
        call(SYS_ppoll, &[0, 0, now, p, 8])
    });
    each_but_null(places, "ppoll mask size", 4, |p| {
        call(SYS_ppoll, &[0, 0, now, p, 16])
    });
}
