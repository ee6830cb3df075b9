//! Calls that look up a name, and directories.

use super::{Row, row};
use crate::errno::verify;
use crate::fixture::{self, Crowd, Fixture};
use crate::meter::{Meter, Outcome};
use crate::sys::{call, open};
use std::ffi::CStr;
use std::mem::{MaybeUninit, offset_of};
use std::os::fd::AsRawFd;

pub const ROWS: &[Row] = &[
    row(
        "stat_1",
        "stat(\"f\", &stat): a name of one component",
        stat_1,
    ),
    row("stat_3", "stat(\"a/b/c\", &stat): three components", stat_3),
    row(
        "stat_10",
        "stat(\"5\", &stat) in a directory of 10 names",
        stat_10,
    ),
    row(
        "stat_100k",
        "stat(\"5\", &stat) in a directory of 100,000 names",
        stat_100k,
    ),
    row(
        "statx",
        "statx(AT_FDCWD, \"f\", 0, STATX_BASIC_STATS, &statx)",
        statx,
    ),
    row("access", "access(\"f\", R_OK)", access),
    row("readlink", "readlink(\"link\", buffer, 64)", readlink),
    row(
        "open_close",
        "openat(AT_FDCWD, \"f\", O_RDONLY); close",
        open_close,
    ),
    row("getcwd", "getcwd(buffer, 4096)", getcwd),
    row(
        "getdents64",
        "lseek(fd of d, 0, SEEK_SET); getdents64 of its 18 entries in one call",
        getdents64,
    ),
];

fn stat_1(meter: &mut Meter) -> Outcome {
    let _file = Fixture::file();
    stat(meter, fixture::FILE, fixture::FILE_SIZE)
}

fn stat_3(meter: &mut Meter) -> Outcome {
    let _file = Fixture::deep();
    stat(meter, fixture::DEEP, 0)
}

fn stat_10(meter: &mut Meter) -> Outcome {
    let _names = Crowd::new(10)?;
    stat(meter, c"5", 0)
}

fn stat_100k(meter: &mut Meter) -> Outcome {
    let _names = Crowd::new(100_000)?;
    stat(meter, c"5", 0)
}

/// Measures `stat` of a regular file of this size.
#[inline(always)]
fn stat(meter: &mut Meter, path: &CStr, size: usize) -> Outcome {
    let path = path.as_ptr();
    let mut status = MaybeUninit::<libc::stat>::zeroed();
    let to = status.as_mut_ptr();
    // SAFETY: the path ends with a zero; `stat` writes one `stat`, for which there is room.
    let sample = meter.measure(move || unsafe { call!(SYS_stat, path, to) }.is(0))?;
    // SAFETY: a `stat` is integers, and all its bytes were zeroed at least.
    let status = unsafe { status.assume_init() };
    let regular = status.st_mode & libc::S_IFMT == libc::S_IFREG;
    verify(regular && status.st_size == size as i64, "stat")?;
    Ok(sample)
}

fn statx(meter: &mut Meter) -> Outcome {
    let _file = Fixture::file();
    let path = fixture::FILE.as_ptr();
    let mut status = MaybeUninit::<libc::statx>::zeroed();
    let to = status.as_mut_ptr();
    let (at, what) = (libc::AT_FDCWD, libc::STATX_BASIC_STATS);
    // SAFETY: the path ends with a zero; `statx` writes one `statx`, for which there is room.
    let call = move || unsafe { call!(SYS_statx, at, path, 0, what, to) }.is(0);
    let sample = meter.measure(call)?;
    // SAFETY: a `statx` is integers, and all its bytes were zeroed at least.
    let status = unsafe { status.assume_init() };
    verify(status.stx_size == fixture::FILE_SIZE as u64, "statx")?;
    Ok(sample)
}

fn access(meter: &mut Meter) -> Outcome {
    let _file = Fixture::file();
    let path = fixture::FILE.as_ptr();
    // SAFETY: the path ends with a zero; `access` changes nothing.
    meter.measure(move || unsafe { call!(SYS_access, path, libc::R_OK) }.is(0))
}

fn readlink(meter: &mut Meter) -> Outcome {
    const SIZE: usize = 64;
    let _link = Fixture::link();
    let path = fixture::LINK.as_ptr();
    let mut buffer = [0_u8; SIZE];
    let to = buffer.as_mut_ptr();
    // SAFETY: the path ends with a zero; `readlink` writes at most SIZE bytes to the buffer.
    let sample = meter.measure(move || unsafe { call!(SYS_readlink, path, to, SIZE) }.is(1))?;
    verify(buffer[0] == b'f', "readlink")?;
    Ok(sample)
}

fn open_close(meter: &mut Meter) -> Outcome {
    let _file = Fixture::file();
    let path = fixture::FILE.as_ptr();
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    meter.measure(move || {
        // SAFETY: the path ends with a zero; a file that is only read needs no mode.
        let fd = unsafe { call!(SYS_openat, libc::AT_FDCWD, path, flags) }.ok()?;
        // SAFETY: the descriptor was just made, and nobody else knows its number.
        unsafe { call!(SYS_close, fd) }.is(0)
    })
}

fn getcwd(meter: &mut Meter) -> Outcome {
    const SIZE: usize = 4096;
    let mut buffer = [0_u8; SIZE];
    let to = buffer.as_mut_ptr();
    // SAFETY: `getcwd` writes at most SIZE bytes, and the buffer has that many.
    let length = unsafe { call!(SYS_getcwd, to, SIZE) }.ok()?;
    // SAFETY: as above.
    let sample = meter.measure(move || unsafe { call!(SYS_getcwd, to, SIZE) }.is(length))?;
    let path = CStr::from_bytes_until_nul(&buffer);
    let right = path.is_ok_and(|path| path.to_bytes_with_nul().len() as i64 == length);
    verify(right && buffer[0] == b'/', "getcwd")?;
    Ok(sample)
}

fn getdents64(meter: &mut Meter) -> Outcome {
    const SIZE: usize = 4096;
    let _entries = Fixture::entries();
    let directory = open(fixture::DIRECTORY, libc::O_RDONLY | libc::O_DIRECTORY)?;
    let fd = directory.as_raw_fd();
    let mut buffer = Records([0; SIZE]);
    let to = buffer.0.as_mut_ptr();
    // SAFETY: `getdents64` writes at most SIZE bytes, and the buffer has that many.
    let length = unsafe { call!(SYS_getdents64, fd, to, SIZE) }.ok()?;
    let sample = meter.measure(move || {
        // SAFETY: the descriptor is this row's, and nobody else reads the directory by it.
        unsafe { call!(SYS_lseek, fd, 0, libc::SEEK_SET) }.is(0)?;
        // SAFETY: as above.
        unsafe { call!(SYS_getdents64, fd, to, SIZE) }.is(length)
    })?;
    let records = &buffer.0[..length as usize];
    verify(count(records) == fixture::ENTRIES + 2, "getdents64")?;
    Ok(sample)
}

/// Aligned as the records that `getdents64` writes.
#[repr(C, align(8))]
struct Records([u8; 4096]);

/// How many records there are.
fn count(mut records: &[u8]) -> usize {
    const LENGTH: usize = offset_of!(libc::dirent64, d_reclen);
    let mut count = 0;
    while let Some(&[low, high]) = records.get(LENGTH..LENGTH + 2) {
        let length = usize::from(u16::from_le_bytes([low, high])).max(1);
        records = records.get(length..).unwrap_or_default();
        count += 1;
    }
    count
}
