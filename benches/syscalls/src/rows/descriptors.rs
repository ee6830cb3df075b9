//! Calls on an open file or device.

use super::{Row, row};
use crate::errno::{Stop, verify};
use crate::fixture::{self, Fixture};
use crate::meter::{Meter, Outcome};
use crate::sys::{call, open};
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

pub const ROWS: &[Row] = &[
    row(
        "read_null",
        "read(fd of /dev/null, buffer, 1) = 0",
        read_null,
    ),
    row(
        "write_null",
        "write(fd of /dev/null, buffer, 1)",
        write_null,
    ),
    row(
        "read_zero",
        "read(fd of /dev/zero, buffer, 4096)",
        read_zero,
    ),
    row("pread", "pread64(fd of f, buffer, 64, 0)", pread),
    row(
        "writev",
        "writev(fd of /dev/null, 2 buffers of 32 bytes)",
        writev,
    ),
    row("lseek", "lseek(fd of f, 0, SEEK_SET)", lseek),
    row("fstat", "fstat(fd of f, &stat)", fstat),
    row("dup_close", "dup(fd of /dev/null); close", dup_close),
    row(
        "fcntl_getfl",
        "fcntl(fd of /dev/null, F_GETFL)",
        fcntl_getfl,
    ),
    row(
        "fcntl_lock",
        "fcntl(fd of f, F_SETLK, &read lock); the same, unlock",
        fcntl_lock,
    ),
    row(
        "flock",
        "flock(fd of f, LOCK_EX); flock(fd of f, LOCK_UN)",
        flock,
    ),
];

const NULL: &CStr = c"/dev/null";

/// `f` while it is open, and made if it was not there.
struct OpenFile {
    fd: OwnedFd,
    _fixture: Fixture,
}

impl OpenFile {
    fn new() -> Result<Self, Stop> {
        let fixture = Fixture::file();
        let fd = open(fixture::FILE, libc::O_RDONLY)?;
        Ok(Self {
            fd,
            _fixture: fixture,
        })
    }
}

fn read_null(meter: &mut Meter) -> Outcome {
    let null = open(NULL, libc::O_RDONLY)?;
    let (fd, mut byte) = (null.as_raw_fd(), 0_u8);
    let to = &raw mut byte;
    // SAFETY: `read` writes at most the one byte that there is at `to`.
    meter.measure(move || unsafe { call!(SYS_read, fd, to, 1) }.is(0))
}

fn write_null(meter: &mut Meter) -> Outcome {
    let null = open(NULL, libc::O_WRONLY)?;
    let (fd, byte) = (null.as_raw_fd(), b'x');
    let from = &raw const byte;
    // SAFETY: `write` reads the one byte that there is at `from`.
    meter.measure(move || unsafe { call!(SYS_write, fd, from, 1) }.is(1))
}

fn read_zero(meter: &mut Meter) -> Outcome {
    const SIZE: usize = 4096;
    let zero = open(c"/dev/zero", libc::O_RDONLY)?;
    let (fd, mut buffer) = (zero.as_raw_fd(), [0xff_u8; SIZE]);
    let to = buffer.as_mut_ptr();
    // SAFETY: `read` writes at most SIZE bytes, and the buffer has that many.
    let sample = meter.measure(move || unsafe { call!(SYS_read, fd, to, SIZE) }.is(SIZE as i64))?;
    verify(buffer == [0; SIZE], "read")?;
    Ok(sample)
}

fn pread(meter: &mut Meter) -> Outcome {
    const SIZE: usize = 64;
    let file = OpenFile::new()?;
    let (fd, mut buffer) = (file.fd.as_raw_fd(), [0_u8; SIZE]);
    let to = buffer.as_mut_ptr();
    // SAFETY: `pread64` writes at most SIZE bytes, and the buffer has that many.
    let call = move || unsafe { call!(SYS_pread64, fd, to, SIZE, 0) }.is(SIZE as i64);
    let sample = meter.measure(call)?;
    verify(buffer == fixture::FILE_BYTES[..SIZE], "pread64")?;
    Ok(sample)
}

fn writev(meter: &mut Meter) -> Outcome {
    let null = open(NULL, libc::O_WRONLY)?;
    let fd = null.as_raw_fd();
    let mut buffers = [[b'x'; 32], [b'y'; 32]];
    let parts = buffers.each_mut().map(|buffer| libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    });
    let from = parts.as_ptr();
    // SAFETY: `writev` reads two descriptions and the buffers described, which all live on.
    meter.measure(move || unsafe { call!(SYS_writev, fd, from, 2) }.is(64))
}

fn lseek(meter: &mut Meter) -> Outcome {
    let file = OpenFile::new()?;
    let fd = file.fd.as_raw_fd();
    // SAFETY: the descriptor is this row's, and nobody cares for its offset.
    meter.measure(move || unsafe { call!(SYS_lseek, fd, 0, libc::SEEK_SET) }.is(0))
}

fn fstat(meter: &mut Meter) -> Outcome {
    let file = OpenFile::new()?;
    let fd = file.fd.as_raw_fd();
    let mut status = MaybeUninit::<libc::stat>::zeroed();
    let to = status.as_mut_ptr();
    // SAFETY: `fstat` writes one `stat`, for which there is room at `to`.
    let sample = meter.measure(move || unsafe { call!(SYS_fstat, fd, to) }.is(0))?;
    // SAFETY: a `stat` is integers, and all its bytes were zeroed at least.
    let status = unsafe { status.assume_init() };
    verify(status.st_size == fixture::FILE_SIZE as i64, "fstat")?;
    Ok(sample)
}

fn dup_close(meter: &mut Meter) -> Outcome {
    let null = open(NULL, libc::O_RDONLY)?;
    let fd = null.as_raw_fd();
    meter.measure(move || {
        // SAFETY: a copy of the descriptor takes nothing away from its owner.
        let copy = unsafe { call!(SYS_dup, fd) }.ok()?;
        // SAFETY: the copy was just made, and nobody else knows its number.
        unsafe { call!(SYS_close, copy) }.is(0)
    })
}

fn fcntl_getfl(meter: &mut Meter) -> Outcome {
    let null = open(NULL, libc::O_RDWR)?;
    let fd = null.as_raw_fd();
    // SAFETY: F_GETFL has no argument and changes nothing.
    let flags = unsafe { call!(SYS_fcntl, fd, libc::F_GETFL) }.ok()?;
    verify(
        flags & i64::from(libc::O_ACCMODE) == i64::from(libc::O_RDWR),
        "fcntl",
    )?;
    // SAFETY: as above.
    meter.measure(move || unsafe { call!(SYS_fcntl, fd, libc::F_GETFL) }.is(flags))
}

fn fcntl_lock(meter: &mut Meter) -> Outcome {
    let file = OpenFile::new()?;
    let fd = file.fd.as_raw_fd();
    let whole = |kind: i32| libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    let (lock, unlock) = (whole(libc::F_RDLCK), whole(libc::F_UNLCK));
    let (lock, unlock) = (&raw const lock, &raw const unlock);
    meter.measure(move || {
        // SAFETY: F_SETLK reads one `flock`, and `lock` leads to one.
        unsafe { call!(SYS_fcntl, fd, libc::F_SETLK, lock) }.is(0)?;
        // SAFETY: as above, with `unlock`.
        unsafe { call!(SYS_fcntl, fd, libc::F_SETLK, unlock) }.is(0)
    })
}

fn flock(meter: &mut Meter) -> Outcome {
    let file = OpenFile::new()?;
    let fd = file.fd.as_raw_fd();
    let lock = libc::LOCK_EX | libc::LOCK_NB;
    meter.measure(move || {
        // SAFETY: `flock` takes two numbers, and the descriptor is this row's.
        unsafe { call!(SYS_flock, fd, lock) }.is(0)?;
        // SAFETY: as above.
        unsafe { call!(SYS_flock, fd, libc::LOCK_UN) }.is(0)
    })
}
