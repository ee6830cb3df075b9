//! What a system call costs, in either life.
//!
//! Every row is one way to make a call: its name, then the median, the least and the greatest of
//! 15 rounds, in nanoseconds a call, separated by tabs. A round lasts about 10 ms; three rounds
//! before the first warm up. Time is that of `CLOCK_MONOTONIC`.

use lintel as _;

use std::arch::asm;
use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;
const WARM_UP_ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_millis(10);

const GETPID: u64 = libc::SYS_getpid as u64;
const CLOCK_GETTIME: u64 = libc::SYS_clock_gettime as u64;
const MONOTONIC: u64 = libc::CLOCK_MONOTONIC as u64;

fn main() {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    row("empty loop", || {
        black_box(0_u64);
    });
    row("getpid", || {
        // SAFETY: the call has no arguments.
        black_box(unsafe { syscall::<GETPID>(0, 0) });
    });
    row("clock_gettime", || {
        // SAFETY: the result goes to a live `timespec`.
        black_box(unsafe { syscall::<CLOCK_GETTIME>(MONOTONIC, &raw mut time as u64) });
    });
    row("libc getpid", || {
        // SAFETY: the call has no arguments.
        black_box(unsafe { libc::getpid() });
    });
    row("libc clock_gettime", || {
        // SAFETY: the result goes to a live `timespec`.
        black_box(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) });
    });
    row("Instant::now", || {
        black_box(Instant::now());
    });
}

/// A system call from a site of its own, in the form that C libraries use.
///
/// # Safety
/// The call `NUMBER` is safe to make with these arguments.
#[inline(always)]
unsafe fn syscall<const NUMBER: u64>(first: u64, second: u64) -> u64 {
    let result;
    // SAFETY: the caller's promise; a call changes rax, rcx and r11 only.
    unsafe {
        asm!(
            "mov eax, {number}",
            "syscall",
            "cmp rax, -4096",
            number = const NUMBER,
            out("rax") result,
            in("rdi") first,
            in("rsi") second,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result
}

/// Measures `call` and prints its row.
fn row(name: &str, mut call: impl FnMut()) {
    let calls = calibrate(&mut call);
    for _ in 0..WARM_UP_ROUNDS {
        round(calls, &mut call);
    }
    let mut costs: [f64; ROUNDS] = std::array::from_fn(|_| round(calls, &mut call));
    costs.sort_by(f64::total_cmp);
    println!(
        "{name}\t{:.1}\t{:.1}\t{:.1}",
        costs[ROUNDS / 2],
        costs[0],
        costs[ROUNDS - 1]
    );
}

/// How many calls make a round.
fn calibrate(call: &mut impl FnMut()) -> u32 {
    let mut calls = 16;
    loop {
        let start = Instant::now();
        repeat(calls, call);
        if start.elapsed() > ROUND / 2 {
            return calls;
        }
        calls *= 2;
    }
}

/// Nanoseconds a call.
fn round(calls: u32, call: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    repeat(calls, call);
    start.elapsed().as_nanos() as f64 / f64::from(calls)
}

#[inline(always)]
fn repeat(calls: u32, call: &mut impl FnMut()) {
    for _ in 0..calls {
        call();
    }
}
