//! Threads that never give the CPU up.

use crate::order::only_first;
use std::arch::asm;
use std::io;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// Counts until told to stop, on the first processor and without a system call, when all have begun.
fn count(begin: &Barrier, stop: &AtomicBool, to: &AtomicU64) {
    let _ = only_first();
    begin.wait();
    while !stop.load(Relaxed) {
        to.fetch_add(1, Relaxed);
    }
}

/// Two that compute have about equal shares, also where the host is busy; a third that sleeps is not kept
/// waiting. `SECONDS` in the environment makes it longer; the shares are told on standard error.
pub fn shares() -> io::Result<()> {
    let seconds = std::env::var("SECONDS").ok();
    let seconds = seconds.and_then(|seconds| seconds.parse().ok());
    let length = Duration::from_secs(seconds.unwrap_or(2));
    let stop = AtomicBool::new(false);
    let counts = [const { AtomicU64::new(0) }; 2];
    let begin = Barrier::new(3);
    let mut start = Instant::now();
    thread::scope(|scope| {
        for to in &counts {
            scope.spawn(|| count(&begin, &stop, to));
        }
        begin.wait();
        start = Instant::now();
        thread::sleep(length);
        stop.store(true, Relaxed);
    });
    let [first, second] = counts.map(|count| count.into_inner());
    if seconds.is_some() {
        eprintln!("{first} and {second} in {:?}", start.elapsed());
    }
    println!("both ran: {}", first > 1000 && second > 1000);
    println!("equal: {}", first.abs_diff(second) < first.max(second) / 3);
    println!(
        "in time: {}",
        start.elapsed() < length + Duration::from_secs(1)
    );
    Ok(())
}

/// A sleeper among those who compute wakes up in time, each time.
pub fn sleepers() -> io::Result<()> {
    let stop = AtomicBool::new(false);
    let counts = [const { AtomicU64::new(0) }; 2];
    let begin = Barrier::new(3);
    thread::scope(|scope| {
        for to in &counts {
            scope.spawn(|| count(&begin, &stop, to));
        }
        begin.wait();
        let start = Instant::now();
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(5));
        }
        let took = start.elapsed();
        stop.store(true, Relaxed);
        println!("long enough: {}", took >= Duration::from_millis(100));
        println!("short enough: {}", took < Duration::from_millis(1500));
    });
    Ok(())
}

/// Computes with a pattern in vector and x87 registers; how often they came out otherwise.
fn pattern(seed: u64, begin: &Barrier) -> (u64, u64) {
    begin.wait();
    let until = Instant::now() + Duration::from_secs(1);
    let (mut rounds, mut bad) = (0, 0);
    let wide = std::is_x86_feature_detected!("avx");
    let control = 0x1f80_u32 | ((seed as u32 & 3) << 13);
    let word = 0x037f_u16 & !0x0c00 | ((seed as u16 & 3) << 10);
    while Instant::now() < until {
        let mut out = [0_u64; 16];
        let mut modes = (0_u32, 0_u16);
        let values: [u64; 4] = std::array::from_fn(|n| seed.wrapping_mul(0x9e37_79b9) + n as u64);
        let number = seed as f64;
        let mut back = 0_f64;
        // SAFETY: what is changed is declared, control words are put back as the ABI has them.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const control);
            asm!("fldcw [{}]", in(reg) &raw const word);
            if wide {
                asm!(
                    "vmovdqu ymm3, [{values}]", "vmovdqu ymm12, [{values}]",
                    "fld qword ptr [{number}]",
                    "mov {n:e}, 200000", "2: dec {n:e}", "jnz 2b",
                    "vmovdqu [{out}], ymm3", "vmovdqu [{out} + 32], ymm12",
                    "fstp qword ptr [{back}]",
                    "vzeroupper",
                    values = in(reg) values.as_ptr(), out = in(reg) out.as_mut_ptr(),
                    number = in(reg) &raw const number, back = in(reg) &raw mut back,
                    n = out(reg) _, out("xmm3") _, out("xmm12") _, out("st(0)") _,
                );
                bad += u64::from(out[..4] != values || out[4..8] != values);
            } else {
                asm!(
                    "movdqu xmm3, [{values}]", "movdqu xmm12, [{values}]",
                    "fld qword ptr [{number}]",
                    "mov {n:e}, 200000", "2: dec {n:e}", "jnz 2b",
                    "movdqu [{out}], xmm3", "movdqu [{out} + 32], xmm12",
                    "fstp qword ptr [{back}]",
                    values = in(reg) values.as_ptr(), out = in(reg) out.as_mut_ptr(),
                    number = in(reg) &raw const number, back = in(reg) &raw mut back,
                    n = out(reg) _, out("xmm3") _, out("xmm12") _, out("st(0)") _,
                );
                bad += u64::from(out[..2] != values[..2] || out[4..6] != values[..2]);
            }
            asm!("stmxcsr [{}]", in(reg) &raw mut modes.0);
            asm!("fnstcw [{}]", in(reg) &raw mut modes.1);
            let usual = (0x1f80_u32, 0x037f_u16);
            asm!("ldmxcsr [{}]", in(reg) &raw const usual.0);
            asm!("fninit");
        }
        bad += u64::from(back.to_bits() != number.to_bits());
        bad += u64::from(modes.0 & 0x7f80 != control & 0x7f80 || modes.1 != word);
        rounds += 1;
        if rounds % 7 == seed % 7 {
            thread::yield_now();
        }
    }
    (rounds, bad)
}

/// Vector registers, x87, and their control words are a thread's own.
pub fn registers() -> io::Result<()> {
    let begin = Barrier::new(4);
    let found: Vec<(u64, u64)> = thread::scope(|scope| {
        let workers: Vec<_> = (1..=4)
            .map(|seed| {
                let begin = &begin;
                scope.spawn(move || pattern(seed, begin))
            })
            .collect();
        workers
            .into_iter()
            .filter_map(|worker| worker.join().ok())
            .collect()
    });
    println!(
        "all ran: {}",
        found.len() == 4 && found.iter().all(|found| found.0 > 3)
    );
    println!(
        "damaged: {}",
        found.iter().map(|found| found.1).sum::<u64>()
    );
    Ok(())
}
