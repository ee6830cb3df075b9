//! Known numbers of system calls, so that a profile can be compared with what was done.
//!
//! Arguments name what to do: `count sleep`, `cost` (which is measured, and never the same), `fault`, or one of those that never end: `spin` (no system
//! call at all), `call` (nothing else), `rest` (asleep), `write` (to standard output).
//!
//! Every counted call goes through one `syscall` instruction of this program's, with numbers that
//! neither the C library nor `std` uses of its own accord. The first call traps and has its site
//! rewritten, so all the later ones are lowered.

mod cost;
mod site;

use lintel as _;

use site::call;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use test_support::report;

fn main() -> io::Result<()> {
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "count" => count()?,
            "sleep" => sleep(),
            // SAFETY: none: the point is that it is fatal.
            "fault" => unsafe { std::ptr::null_mut::<u8>().write_volatile(black_box(1)) },
            "cost" => cost::print(),
            "spin" => forever(|| _ = black_box(0)),
            "call" => forever(|| _ = call(libc::SYS_getppid, &[])),
            "rest" => forever(|| std::thread::sleep(std::time::Duration::from_secs(3600))),
            "write" => forever(|| print!("{}", "y".repeat(1000))),
            other => println!("{other}?"),
        }
    }
    Ok(())
}

/// Says that it is about to begin, and never ends.
fn forever(step: impl Fn()) {
    println!("ready");
    loop {
        step();
    }
}

/// Makes a call `times` times and reports how often it did what.
fn repeat(name: &str, times: usize, number: i64, args: &[u64]) {
    let outcomes: Vec<_> = (0..times).map(|_| call(number, args).ok()).collect();
    let (done, sum) = outcomes
        .iter()
        .flatten()
        .fold((0, 0), |(done, sum), result| (done + 1, sum + result));
    // What the parent's number is, is nobody's business.
    let sum = if number == libc::SYS_getppid { 0 } else { sum };
    report(name, Ok(format!("{done} of {times}, {sum} in all")));
}

fn count() -> io::Result<()> {
    let (null, zero) = (
        File::options().write(true).open("/dev/null")?,
        File::open("/dev/zero")?,
    );
    let (null, zero) = (null.as_raw_fd() as u64, zero.as_raw_fd() as u64);
    let mut buffer = [0_u8; 128];
    let at = buffer.as_mut_ptr() as u64;
    let vector = [libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: 50,
    }; 2];
    // The first one traps; getpgrp's result differs between machines.
    report("getpgrp", call(libc::SYS_getpgrp, &[]).map(|id| id > 0));
    repeat("getppid", 10_000, libc::SYS_getppid, &[]);
    repeat("getpgid of nobody", 7, libc::SYS_getpgid, &[99_999_999]);
    repeat("pwrite64", 30, libc::SYS_pwrite64, &[null, at, 100, 0]);
    repeat(
        "pwrite64 to nowhere",
        4,
        libc::SYS_pwrite64,
        &[9999, at, 100, 0],
    );
    repeat(
        "pwrite64 of nothing there",
        3,
        libc::SYS_pwrite64,
        &[null, at, 100, u64::MAX],
    );
    let vector = vector.as_ptr() as u64;
    repeat("preadv", 10, libc::SYS_preadv, &[zero, vector, 2, 0]);
    repeat("call 511", 9, 511, &[]);
    repeat("call 100000", 5, 100_000, &[]);
    io::stdout().flush()
}

/// Sleeps: time blocked, and hardly any on the CPU.
fn sleep() {
    let fifty = [0_u64, 50_000_000];
    repeat(
        "nanosleep",
        4,
        libc::SYS_nanosleep,
        &[fifty.as_ptr() as u64, 0],
    );
    repeat("poll", 2, libc::SYS_poll, &[0, 0, 60]);
}
