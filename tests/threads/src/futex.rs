//! futex(2) without locks.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use test_support::{Outcome, call, report};

pub const WAIT: u64 = 0;
pub const WAKE: u64 = 1;
const REQUEUE: u64 = 3;
const CMP_REQUEUE: u64 = 4;
const WAKE_OP: u64 = 5;
const WAIT_BITSET: u64 = 9;
const WAKE_BITSET: u64 = 10;
pub const PRIVATE: u64 = 128;
const REALTIME: u64 = 256;

pub fn at(word: &AtomicU32) -> u64 {
    word.as_ptr() as u64
}

pub fn futex(word: &AtomicU32, operation: u64, rest: &[u64]) -> Outcome {
    let mut args = vec![at(word), operation];
    args.extend_from_slice(rest);
    call(libc::SYS_futex, &args)
}

/// A time as two words.
pub fn spec(time: Duration) -> [u64; 2] {
    [time.as_secs(), time.subsec_nanos().into()]
}

/// The time on CLOCK_MONOTONIC.
pub fn monotonic() -> Duration {
    let mut now = [0_u64; 2];
    let _ = call(libc::SYS_clock_gettime, &[1, now.as_mut_ptr() as u64]);
    Duration::new(now[0], now[1] as u32)
}

fn realtime() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Waits until `threads` others have come to `word`: until that many could be moved nowhere.
pub fn until_waiting(word: &AtomicU32, threads: i64) {
    // Moving onto itself counts and changes nothing.
    while futex(word, REQUEUE | PRIVATE, &[0, 1000, at(word)]).is_ok_and(|found| found < threads) {
        thread::sleep(Duration::from_millis(1));
    }
}

pub fn wait() -> io::Result<()> {
    let word = AtomicU32::new(5);
    report("another value", futex(&word, WAIT | PRIVATE, &[4, 0]));
    let soon = Duration::from_millis(20);
    let timed = |name: &str, operation: u64, timeout: [u64; 2]| {
        let start = Instant::now();
        let rest = [5, timeout.as_ptr() as u64, 0, u32::MAX.into()];
        report(name, futex(&word, operation, &rest));
        let took = start.elapsed();
        println!(
            "  in time: {}",
            (soon..soon * 40).contains(&(took + Duration::from_millis(1)))
        );
    };
    timed("a while", WAIT | PRIVATE, spec(soon));
    timed("a while, shared", WAIT, spec(soon));
    timed("until", WAIT_BITSET | PRIVATE, spec(monotonic() + soon));
    timed(
        "until, by the wall clock",
        WAIT_BITSET | PRIVATE | REALTIME,
        spec(realtime() + soon),
    );
    let past = spec(Duration::from_millis(1));
    report(
        "long ago",
        futex(
            &word,
            WAIT_BITSET | PRIVATE,
            &[5, past.as_ptr() as u64, 0, 1],
        ),
    );
    let zero = [0_u64; 2];
    report(
        "no time",
        futex(&word, WAIT | PRIVATE, &[5, zero.as_ptr() as u64]),
    );
    Ok(())
}

pub fn wake() -> io::Result<()> {
    let word = AtomicU32::new(0);
    report("nobody", futex(&word, WAKE | PRIVATE, &[1]));
    let finished = AtomicU32::new(0);
    thread::scope(|scope| {
        for bits in [1_u64, 2, 4, 6] {
            let (word, finished) = (&word, &finished);
            scope.spawn(move || {
                let result = futex(word, WAIT_BITSET | PRIVATE, &[0, 0, 0, bits]);
                finished.fetch_add(u32::from(result.is_ok()), SeqCst);
            });
        }
        until_waiting(&word, 4);
        report(
            "no such bit",
            futex(&word, WAKE_BITSET | PRIVATE, &[9, 0, 0, 8]),
        );
        report(
            "two of three",
            futex(&word, WAKE_BITSET | PRIVATE, &[9, 0, 0, 4]),
        );
        report("another kind", futex(&word, WAKE, &[9]));
        report("none is one", futex(&word, WAKE | PRIVATE, &[0]));
        report(
            "the rest",
            futex(&word, WAKE | PRIVATE, &[u64::from(u32::MAX >> 1)]),
        );
    });
    println!("finished: {}", finished.into_inner());
    Ok(())
}

pub fn requeue() -> io::Result<()> {
    let words = [const { AtomicU32::new(3) }; 2];
    let second = at(&words[1]);
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| futex(&words[0], WAIT | PRIVATE, &[3, 0]).is_ok());
        }
        until_waiting(&words[0], 5);
        report(
            "changed",
            futex(&words[0], CMP_REQUEUE | PRIVATE, &[1, 1, second, 4]),
        );
        report(
            "one and one",
            futex(&words[0], CMP_REQUEUE | PRIVATE, &[1, 1, second, 3]),
        );
        report(
            "none and two",
            futex(&words[0], REQUEUE | PRIVATE, &[0, 2, second]),
        );
        report("left", futex(&words[0], WAKE | PRIVATE, &[9]));
        report("moved", futex(&words[1], WAKE | PRIVATE, &[9]));
        report(
            "negative",
            futex(&words[0], REQUEUE | PRIVATE, &[u64::MAX, 1, second]),
        );
        report(
            "negative",
            futex(&words[0], REQUEUE | PRIVATE, &[1, u64::MAX, second]),
        );
    });
    Ok(())
}

pub fn operation() -> io::Result<()> {
    // Operation, comparison, their arguments, the word before.
    let cases: [(u64, u64, u64, u64, u32); 9] = [
        (0, 0, 7, 9, 9),
        (1, 1, 7, 9, 9),
        (2, 2, 6, 9, 8),
        (3, 3, 6, 9, 9),
        (4, 4, 6, 9, 10),
        (1, 5, 0xfff, 9, 9),
        (8 | 2, 0, 5, 0, 0),
        (5, 0, 0, 0, 1),
        (0, 6, 2, 0, 1),
    ];
    for (operation, comparison, argument, compared, before) in cases {
        let words = [AtomicU32::new(0), AtomicU32::new(before)];
        let encoded = operation << 28 | comparison << 24 | argument << 12 | compared;
        let rest = [1, 1, at(&words[1]), encoded];
        report(
            format!("{operation}/{comparison}"),
            futex(&words[0], WAKE_OP | PRIVATE, &rest),
        );
        println!("  {}", words[1].load(SeqCst));
    }
    let words = [const { AtomicU32::new(0) }; 2];
    thread::scope(|scope| {
        for word in &words {
            scope.spawn(|| futex(word, WAIT | PRIVATE, &[0, 0]).is_ok());
            until_waiting(word, 1);
        }
        let rest = [1, 1, at(&words[1]), 1 << 24 | 1 << 12 | 1];
        report("both", futex(&words[0], WAKE_OP | PRIVATE, &rest));
    });
    Ok(())
}

pub fn vector() -> io::Result<()> {
    let words = [const { AtomicU32::new(1) }; 3];
    let mut list = [[0_u64; 3]; 3];
    for (entry, word) in list.iter_mut().zip(&words) {
        *entry = [1, at(word), 2 | PRIVATE];
    }
    let waitv = |list: &[[u64; 3]; 3], count: u64, flags: u64, timeout: u64, clock: u64| {
        let args = [list.as_ptr() as u64, count, flags, timeout, clock];
        call(libc::SYS_futex_waitv, &args)
    };
    thread::scope(|scope| {
        let waiter = scope.spawn(|| waitv(&list, 3, 0, 0, 1));
        until_waiting(&words[2], 1);
        report("wake", futex(&words[2], WAKE | PRIVATE, &[1]));
        report("which", waiter.join().unwrap_or(Ok(-1)));
    });
    let until = spec(monotonic() + Duration::from_millis(10));
    let until = until.as_ptr() as u64;
    report("late", waitv(&list, 3, 0, until, 1));
    report("another clock", waitv(&list, 3, 0, until, 2));
    report("none", waitv(&list, 0, 0, 0, 1));
    report("too many", waitv(&list, 129, 0, 0, 1));
    report("flags", waitv(&list, 3, 1, 0, 1));
    words[1].store(2, SeqCst);
    report("another value", waitv(&list, 3, 0, 0, 1));
    for (name, flags) in [
        ("a byte", 0),
        ("unknown", 2 | 64),
        ("reserved", 2 | 1 << 32),
    ] {
        list[0][2] = flags;
        report(name, waitv(&list, 1, 0, 0, 1));
    }
    list[0] = [1, at(&words[0]) + 1, 2];
    report("not aligned", waitv(&list, 1, 0, 0, 1));
    report("no list", call(libc::SYS_futex_waitv, &[0, 1, 0, 0, 1]));
    Ok(())
}

/// Shared and private futexes on one word are two.
pub fn shared() -> io::Result<()> {
    let word = AtomicU32::new(0);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| futex(&word, WAIT, &[0, 0]));
        while futex(&word, REQUEUE, &[0, 9, at(&word)]).is_ok_and(|found| found < 1) {
            thread::sleep(Duration::from_millis(1));
        }
        report("private", futex(&word, WAKE | PRIVATE, &[1]));
        report("shared", futex(&word, WAKE, &[1]));
        report("woken", waiter.join().unwrap_or(Ok(-1)));
    });
    Ok(())
}

pub fn errors() -> io::Result<()> {
    let words = [const { AtomicU32::new(0) }; 2];
    let word = &words[0];
    let odd = |operation: u64| call(libc::SYS_futex, &[at(word) + 1, operation, 0, 0, 0, 1]);
    report("wait, not aligned", odd(WAIT));
    report("wake, not aligned", odd(WAKE | PRIVATE));
    report("no bits", futex(word, WAIT_BITSET | PRIVATE, &[0, 0, 0, 0]));
    report("no bits", futex(word, WAKE_BITSET | PRIVATE, &[1, 0, 0, 0]));
    report("unknown", futex(word, 50, &[0, 0]));
    report("clock of a wake-up", futex(word, WAKE | REALTIME, &[1]));
    report("clock of a wait", futex(word, WAIT | REALTIME, &[1]));
    let bad = |operation: u64| call(libc::SYS_futex, &[8, operation, 0, 0, 0, 1]);
    report("bad word", bad(WAIT));
    report("bad word", bad(WAIT | PRIVATE));
    report("bad word", bad(WAKE));
    report("a private word need not be there", bad(WAKE | PRIVATE));
    let high = call(libc::SYS_futex, &[1 << 63, WAKE | PRIVATE, 1]);
    report("no address", high);
    report("bad timeout", futex(word, WAIT | PRIVATE, &[0, 8]));
    for (seconds, nanos) in [(0_u64, 1_000_000_000_u64), (u64::MAX, 0), (0, u64::MAX)] {
        let timeout = [seconds, nanos];
        report(
            "timeout",
            futex(word, WAIT | PRIVATE, &[0, timeout.as_ptr() as u64]),
        );
    }
    let bad_second = futex(word, CMP_REQUEUE, &[1, 1, 8, 0]);
    report("bad second word", bad_second);
    Ok(())
}
