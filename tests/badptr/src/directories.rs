//! Descriptors' and directories' data.

use crate::each::each;
use crate::places::Places;
use libc::{SYS_fstat, SYS_getcwd, SYS_getdents64};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use test_support::call;

const BAD_FD: u64 = 987;
/// The size of the directory entry `.`.
const DOT: u64 = 24;

/// Reports on everything here.
///
/// # Errors
/// A file of the root directory is missing.
pub fn run(places: &Places) -> io::Result<()> {
    let data = File::open("data.txt")?;
    let data = data.as_raw_fd() as u64;
    each(places, "fstat", 8, |p| call(SYS_fstat, &[data, p]));
    each(places, "fstat bad fd", 8, |p| call(SYS_fstat, &[BAD_FD, p]));

    let entries = |p: u64, length: u64| {
        let dir = File::open("dir")?;
        call(SYS_getdents64, &[dir.as_raw_fd() as u64, p, length])
    };
    each(places, "getdents64", 8, |p| entries(p, 4096));
    each(places, "getdents64 second entry", DOT, |p| entries(p, 4096));
    each(places, "getdents64 no room", 8, |p| entries(p, 10));
    each(places, "getdents64 of a file", 8, |p| {
        call(SYS_getdents64, &[data, p, 4096])
    });

    each(places, "getcwd", 1, |p| call(SYS_getcwd, &[p, 4096]));
    each(places, "getcwd no room", 1, |p| call(SYS_getcwd, &[p, 1]));
    Ok(())
}
