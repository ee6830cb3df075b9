//! Threads fill every register with a pattern of their own, compute or make system calls, and look
//! at the registers again, while they are preempted and interrupted by signals whose handler uses
//! the same registers.
//!
//!     test-strain [SECONDS [THREADS]]     3 seconds, 3 threads

mod handler;
mod visit;

use lintel as _;

use std::os::unix::thread::JoinHandleExt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
use visit::Visit;

static STOP: AtomicBool = AtomicBool::new(false);

/// What a thread found.
struct Found {
    visits: u64,
    damaged: u64,
    first: Option<String>,
}

fn main() -> ExitCode {
    let words = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let Ok(words) = words.collect::<Result<Vec<u64>, _>>() else {
        eprintln!("usage: test-strain [SECONDS [THREADS]]");
        return ExitCode::from(2);
    };
    let (seconds, threads) = (*words.first().unwrap_or(&3), *words.get(1).unwrap_or(&3));
    handler::install();
    let workers: Vec<_> = (1..=threads)
        .map(|n| thread::spawn(move || work(n)))
        .collect();
    let end = Instant::now() + Duration::from_secs(seconds);
    for worker in workers.iter().cycle() {
        if Instant::now() >= end {
            break;
        }
        thread::sleep(Duration::from_micros(300));
        // SAFETY: the worker has not been joined, so its handle names a thread.
        unsafe { libc::pthread_kill(worker.as_pthread_t(), libc::SIGUSR1) };
    }
    STOP.store(true, Relaxed);
    let found: Vec<Found> = workers.into_iter().filter_map(|w| w.join().ok()).collect();
    let damaged: u64 = found.iter().map(|found| found.damaged).sum();
    println!("threads: {}", found.len());
    println!(
        "all visited: {}",
        found.iter().all(|found| found.visits > 100)
    );
    println!("signals: {}", handler::count() > 100);
    println!("damaged: {damaged}");
    found
        .iter()
        .filter_map(|f| f.first.as_ref())
        .for_each(|what| println!("{what}"));
    let visits: u64 = found.iter().map(|found| found.visits).sum();
    eprintln!("{visits} visits, {} signals", handler::count());
    ExitCode::from(u8::from(damaged != 0))
}

/// Visits until it is told to stop: by turns it computes and makes calls of every class.
fn work(number: u64) -> Found {
    let calls = [
        None,
        Some(libc::SYS_getpid),
        Some(libc::SYS_uname),
        None,
        Some(libc::SYS_gettid),
        Some(libc::SYS_sched_yield),
        Some(libc::SYS_getppid),
    ];
    let mut found = Found {
        visits: 0,
        damaged: 0,
        first: None,
    };
    let mut visit = Visit::new();
    for round in 0_u64.. {
        if STOP.load(Relaxed) {
            break;
        }
        let call = calls[round as usize % calls.len()];
        let spins = if call.is_some() { 20 } else { 20_000 };
        visit.fill(number << 56 | round << 8);
        found.visits += 1;
        if let Some(what) = visit.run(call, spins) {
            found.damaged += 1;
            found
                .first
                .get_or_insert(format!("thread {number}, call {call:?}: {what}"));
        }
    }
    found
}
