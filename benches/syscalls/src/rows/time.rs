//! Reading the clock: by a system call, through the C library, through `std`; and sleeping.

use super::{Row, row};
use crate::errno::{Stop, verify};
use crate::meter::{Meter, Outcome};
use crate::sys::call;
use std::hint::black_box;
use std::io;
use std::ptr::null_mut;
use std::time::Instant;

pub const ROWS: &[Row] = &[
    row(
        "clock_gettime",
        "clock_gettime(CLOCK_MONOTONIC, &time), the system call",
        clock_gettime,
    ),
    row(
        "clock_gettime_libc",
        "clock_gettime(CLOCK_MONOTONIC, &time), the C library's function (vDSO)",
        clock_gettime_libc,
    ),
    row("instant_now", "std::time::Instant::now()", instant_now),
    row(
        "nanosleep_100us",
        "nanosleep of 100 µs: the time that it takes, so 100,000 ns and what it is late",
        nanosleep,
    ),
];

const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// No time that a clock shows.
const NO_TIME: libc::timespec = libc::timespec {
    tv_sec: -1,
    tv_nsec: -1,
};

fn is_time(time: &libc::timespec) -> bool {
    time.tv_sec >= 0 && (0..1_000_000_000).contains(&time.tv_nsec)
}

fn clock_gettime(meter: &mut Meter) -> Outcome {
    let mut time = NO_TIME;
    let to = &raw mut time;
    // SAFETY: `clock_gettime` writes one `timespec`, and `time` is one.
    let sample = meter.measure(move || unsafe { call!(SYS_clock_gettime, CLOCK, to) }.is(0))?;
    verify(is_time(&time), "clock_gettime")?;
    Ok(sample)
}

fn clock_gettime_libc(meter: &mut Meter) -> Outcome {
    let mut time = NO_TIME;
    let to = &raw mut time;
    let sample = meter.measure(move || {
        // SAFETY: the function writes one `timespec`, and `time` is one.
        match unsafe { libc::clock_gettime(CLOCK, black_box(to)) } {
            0 => Ok(()),
            _ => Err(last("clock_gettime")),
        }
    })?;
    verify(is_time(&time), "clock_gettime")?;
    Ok(sample)
}

fn nanosleep(meter: &mut Meter) -> Outcome {
    let duration = libc::timespec {
        tv_sec: 0,
        tv_nsec: 100_000,
    };
    let (wanted, left) = (&raw const duration, null_mut::<libc::timespec>());
    // SAFETY: `nanosleep` reads one `timespec`, and `duration` is one.
    meter.measure_asleep(move || unsafe { call!(SYS_nanosleep, wanted, left) }.is(0))
}

#[cold]
fn last(call: &'static str) -> Stop {
    Stop::from_io(call, &io::Error::last_os_error())
}

fn instant_now(meter: &mut Meter) -> Outcome {
    let start = Instant::now();
    let mut latest = start;
    let sample = meter.measure(|| {
        latest = black_box(Instant::now());
        Ok(())
    })?;
    verify(latest >= start, "clock_gettime")?;
    Ok(sample)
}
