//! Sockets.

use super::{Row, row};
use crate::errno::{Stop, verify};
use crate::meter::{Meter, Outcome};
use crate::sys::call;
use std::os::fd::{AsRawFd, OwnedFd};

pub const ROWS: &[Row] = &[
    row(
        "socketpair",
        "socketpair(AF_UNIX, SOCK_STREAM); close of both",
        socketpair,
    ),
    row(
        "setsockopt",
        "setsockopt(stream socket of AF_UNIX, SO_REUSEADDR, 1)",
        setsockopt,
    ),
    row(
        "getsockopt",
        "getsockopt(stream socket of AF_UNIX, SO_TYPE)",
        getsockopt,
    ),
];

const INT_SIZE: u32 = size_of::<i32>() as u32;

fn socketpair(meter: &mut Meter) -> Outcome {
    let mut pair = [-1_i32; 2];
    let to = pair.as_mut_ptr();
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    meter.measure(move || {
        // SAFETY: `socketpair` writes two integers, for which there is room at `to`.
        unsafe { call!(SYS_socketpair, libc::AF_UNIX, kind, 0, to) }.is(0)?;
        // SAFETY: the pair is still there, and the call has written it.
        let [first, second] = unsafe { to.cast::<[i32; 2]>().read() };
        // SAFETY: the descriptor was just made, and nobody else knows its number.
        unsafe { call!(SYS_close, first) }.is(0)?;
        // SAFETY: as above.
        unsafe { call!(SYS_close, second) }.is(0)
    })
}

fn stream_socket() -> Result<OwnedFd, Stop> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: `socket` takes three numbers and makes a new descriptor.
    unsafe { call!(SYS_socket, libc::AF_UNIX, kind, 0).descriptor() }
}

fn setsockopt(meter: &mut Meter) -> Outcome {
    let socket = stream_socket()?;
    let (fd, on) = (socket.as_raw_fd(), 1_i32);
    let from = &raw const on;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_REUSEADDR);
    // SAFETY: `setsockopt` reads the one integer that there is.
    meter.measure(move || unsafe { call!(SYS_setsockopt, fd, level, option, from, INT_SIZE) }.is(0))
}

fn getsockopt(meter: &mut Meter) -> Outcome {
    let socket = stream_socket()?;
    let (fd, mut kind, mut size) = (socket.as_raw_fd(), 0_i32, INT_SIZE);
    let (to, length) = (&raw mut kind, &raw mut size);
    let (level, option) = (libc::SOL_SOCKET, libc::SO_TYPE);
    // SAFETY: `getsockopt` writes at most `size` bytes, which is one integer, and their number.
    let call = move || unsafe { call!(SYS_getsockopt, fd, level, option, to, length) }.is(0);
    let sample = meter.measure(call)?;
    verify(kind == libc::SOCK_STREAM && size == INT_SIZE, "getsockopt")?;
    Ok(sample)
}
