//! A program without `std` and without libc, with two lives all the same.
//!
//! It depends on the library like on any crate, so its system calls are inlined Rust calls (the
//! *direct* door); as a Linux process the same functions make the real system calls. `bench`
//! measures what a call costs.

#![no_std]
#![no_main]

use lintel_kernel as _;
use unikernel::start::Args;
use unikernel::sys;

unikernel::entry!(main);

const ROUNDS: usize = 15;
const CALLS: u64 = 100_000;

fn main(args: Args) -> i32 {
    sys::write(1, b"Hello without std!");
    for arg in args.iter().skip(1) {
        sys::write(1, b" ");
        sys::write(1, arg);
    }
    sys::write(1, b"\n");
    if args.iter().nth(1) == Some(b"bench") {
        bench();
    }
    i32::from(sys::getpid() < 1)
}

/// Prints the median cost of getpid in hundredths of a nanosecond.
fn bench() {
    let mut rounds = [0; ROUNDS];
    for round in &mut rounds {
        let start = sys::monotonic_ns();
        for _ in 0..CALLS {
            core::hint::black_box(sys::getpid());
        }
        *round = (sys::monotonic_ns() - start) * 100 / CALLS;
    }
    rounds.sort_unstable();
    sys::write(1, b"getpid direct, 0.01 ns: ");
    print_number(rounds[ROUNDS / 2]);
    sys::write(1, b"\n");
}

fn print_number(mut n: u64) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while n != 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
    }
    sys::write(1, &digits[at..]);
}
