//! The system calls made at the sites.

use crate::state::Cell;
use std::fs::File;
use std::os::fd::IntoRawFd;

const ENOSYS: i64 = -38;
const EBADF: i64 = -9;
/// A descriptor that is never open.
const BAD_FD: u64 = 987;
/// Linux has no such call (and 512 upwards is the x32 range).
const UNKNOWN: u64 = 511;

/// A system call: what it gets and what it must return.
pub struct Call {
    /// Its number.
    pub number: u64,
    /// Its name, for reports.
    pub name: &'static str,
    /// Its arguments; registers beyond these hold a pattern.
    pub args: Vec<u64>,
    /// Its result.
    pub result: i64,
}

impl Call {
    fn new(number: i64, name: &'static str, args: &[u64], result: i64) -> Self {
        Self {
            number: number as u64,
            name,
            args: args.to_vec(),
            result,
        }
    }
}

/// Memory that the calls write to or read from.
static BUFFER: Cell<[u64; 64]> = Cell::new([0; 64]);

/// Bytes that the large calls move: so many that a kernel would use vector registers.
const LARGE: usize = 4000;
static LARGE_BUFFER: Cell<[u8; LARGE + 1]> = Cell::new([0; LARGE + 1]);

/// A file of more than [`LARGE`] bytes in the working directory.
const FILE: &str = "visit.rs";

/// Calls that copy and clear much memory, to an address that is not aligned.
fn large() -> [Call; 2] {
    let open = |path| File::open(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let [file, zeros] = [FILE, "/dev/zero"].map(|path| open(path).into_raw_fd() as u64);
    let (buffer, len) = (LARGE_BUFFER.get() as u64 + 1, LARGE as u64);
    [
        Call::new(
            libc::SYS_pread64,
            "pread of a file",
            &[file, buffer, len, 0],
            LARGE as i64,
        ),
        Call::new(
            libc::SYS_read,
            "read of zeros",
            &[zeros, buffer, len],
            LARGE as i64,
        ),
    ]
}

/// The calls; the first with a number is made where a site sets it.
pub fn all() -> Vec<Call> {
    let buffer = BUFFER.get() as u64;
    let zero_timespec = const { &[0_u64; 2] }.as_ptr() as u64;
    // SAFETY: these two calls have no arguments and always succeed.
    let (pid, parent) = unsafe { (libc::getpid(), libc::getppid()) };
    let monotonic = libc::CLOCK_MONOTONIC as u64;
    let mut calls = vec![
        Call::new(libc::SYS_getpid, "getpid", &[], pid.into()),
        Call::new(
            libc::SYS_clock_gettime,
            "clock_gettime",
            &[monotonic, buffer],
            0,
        ),
        Call::new(libc::SYS_write, "write of nothing", &[1, buffer, 0], 0),
        Call::new(libc::SYS_getppid, "getppid", &[], parent.into()),
        Call::new(UNKNOWN as i64, "an unknown call", &[], ENOSYS),
        Call::new(
            libc::SYS_read,
            "read from a closed descriptor",
            &[BAD_FD, buffer, 8],
            EBADF,
        ),
        Call::new(libc::SYS_uname, "uname", &[buffer], 0),
        Call::new(
            libc::SYS_nanosleep,
            "nanosleep of nothing",
            &[zero_timespec, 0],
            0,
        ),
        Call::new(libc::SYS_sched_yield, "sched_yield", &[], 0),
    ];
    calls.extend(large());
    calls
}
