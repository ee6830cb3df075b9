//! What a system call costs, and what two reads of the time-stamp counter cost: with it, what a
//! kernel with the profiler or the events pays more than one without.

use std::arch::asm;
use std::arch::x86_64::_rdtsc;
use std::hint::black_box;
use std::time::Instant;

/// Of so many rounds the best counts: the others were disturbed.
const ROUNDS: usize = 200;
const TIMES: u32 = 10_000;

/// Prints both, in hundredths of a nanosecond.
pub fn print() {
    let reads = best(|| {
        // SAFETY: reading the counter has no side effect.
        black_box(unsafe { _rdtsc() });
        // SAFETY: as above.
        black_box(unsafe { _rdtsc() });
    });
    println!("reads {reads} getppid {}", best(getppid));
}

/// One `step` in the best round, in hundredths of a nanosecond.
fn best(step: impl Fn()) -> u128 {
    let round = || {
        let start = Instant::now();
        for _ in 0..TIMES {
            step();
        }
        start.elapsed().as_nanos() * 100 / u128::from(TIMES)
    };
    (0..ROUNDS).map(|_| round()).min().unwrap_or_default()
}

/// As glibc makes it: a comparison stands behind the instruction, so that it can be lowered.
#[inline(always)]
fn getppid() {
    // SAFETY: getppid has no arguments; the registers that a system call changes are listed.
    unsafe {
        asm!(
            "syscall",
            "cmp rax, -4095",
            inlateout("rax") libc::SYS_getppid => _,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
}
