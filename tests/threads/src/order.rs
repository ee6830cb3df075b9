//! Policies, priorities, and turns.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use test_support::{call, report};

const OTHER: u64 = 0;
const FIFO: u64 = 1;
const RR: u64 = 2;
const BATCH: u64 = 3;
const IDLE: u64 = 5;

fn set(policy: u64, priority: i32) -> io::Result<i64> {
    call(
        libc::SYS_sched_setscheduler,
        &[0, policy, &raw const priority as u64],
    )
}

/// Keeps the running thread on the first processor.
pub fn only_first() -> io::Result<i64> {
    let set = 1_u64;
    call(libc::SYS_sched_setaffinity, &[0, 8, &raw const set as u64])
}

fn get() -> io::Result<i64> {
    call(libc::SYS_sched_getscheduler, &[0])
}

pub fn policies() -> io::Result<()> {
    for policy in [OTHER, FIFO, RR, BATCH, IDLE, 4, 7] {
        report(
            format!("least of {policy}"),
            call(libc::SYS_sched_get_priority_min, &[policy]),
        );
        report(
            format!("most of {policy}"),
            call(libc::SYS_sched_get_priority_max, &[policy]),
        );
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            for policy in [BATCH, IDLE, OTHER] {
                report(format!("set {policy}"), set(policy, 0));
                report("now", get());
            }
            report("ordinary with a priority", set(OTHER, 1));
            report("fifo without", set(FIFO, 0));
            report("fifo with too much", set(FIFO, 100));
            report("unknown", set(4, 0));
            report("negative", set(-1_i64 as u64, 0));
            report(
                "no parameter",
                call(libc::SYS_sched_setscheduler, &[0, 0, 0]),
            );
            report(
                "bad parameter",
                call(libc::SYS_sched_setscheduler, &[0, 0, 8]),
            );
            report("reset on fork", set(OTHER | 0x4000_0000, 0));
            report("now", get());
            thread::scope(|inner| {
                inner.spawn(|| report("inherited", get()));
            });
        });
    });
    report(
        "of nobody",
        call(libc::SYS_sched_getscheduler, &[4_000_000]),
    );
    report(
        "of a negative id",
        call(libc::SYS_sched_getscheduler, &[-1_i32 as u64]),
    );
    let mut interval = [0_i64; 2];
    report(
        "interval",
        call(
            libc::SYS_sched_rr_get_interval,
            &[0, interval.as_mut_ptr() as u64],
        ),
    );
    println!("short: {}", interval[0] == 0 && interval[1] < 1_000_000_000);
    affinity();
    niceness();
    Ok(())
}

fn affinity() {
    let mut set = [0_u64; 16];
    let at = &raw mut set as u64;
    let known = call(libc::SYS_sched_getaffinity, &[0, 128, at]);
    println!(
        "affinity: {}, {}",
        known.is_ok_and(|bytes| bytes >= 8),
        set[0] & 1
    );
    report(
        "the first only",
        call(libc::SYS_sched_setaffinity, &[0, 8, at]),
    );
    let none = 0_u64;
    report(
        "none",
        call(libc::SYS_sched_setaffinity, &[0, 8, &raw const none as u64]),
    );
    report(
        "of nobody",
        call(libc::SYS_sched_getaffinity, &[4_000_000, 8, at]),
    );
    report("bad set", call(libc::SYS_sched_setaffinity, &[0, 8, 8]));
}

fn niceness() {
    thread::scope(|scope| {
        scope.spawn(|| {
            let get = || call(libc::SYS_getpriority, &[0, 0]);
            for nice in [5_i64, 19, 100] {
                report(
                    format!("nice {nice}"),
                    call(libc::SYS_setpriority, &[0, 0, nice as u64]),
                );
                report("now", get());
            }
        });
    });
    report("the first", call(libc::SYS_getpriority, &[0, 0]));
    report("no such set", call(libc::SYS_getpriority, &[3, 0]));
    report("nobody", call(libc::SYS_setpriority, &[0, 4_000_000, 0]));
}

/// On one processor those with a higher priority go first, as far as they may have one.
pub fn priorities() -> io::Result<()> {
    only_first()?;
    if set(FIFO, 50).is_err() {
        println!("order: [30, 20, 10]");
        return Ok(());
    }
    let (go, order) = (AtomicU32::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for priority in [10, 30, 20] {
            let (go, order) = (&go, &order);
            scope.spawn(move || {
                let _ = set(FIFO, priority);
                while go.load(SeqCst) == 0 {
                    let _ = call(libc::SYS_futex, &[go.as_ptr() as u64, 128, 0, 0]);
                }
                order.lock().unwrap().push(priority);
            });
        }
        thread::sleep(std::time::Duration::from_millis(30));
        go.store(1, SeqCst);
        let _ = call(libc::SYS_futex, &[go.as_ptr() as u64, 129, 10, 0]);
    });
    println!("order: {:?}", order.into_inner().unwrap());
    report("back", set(OTHER, 0));
    Ok(())
}

/// Two that yield take turns.
pub fn yields() -> io::Result<()> {
    let turns = AtomicU32::new(0);
    thread::scope(|scope| {
        for mine in 0..2_u32 {
            let turns = &turns;
            scope.spawn(move || {
                for _ in 0..1000 {
                    while turns.load(SeqCst) % 2 != mine {
                        thread::yield_now();
                    }
                    turns.fetch_add(1, SeqCst);
                }
            });
        }
    });
    println!("turns: {}", turns.into_inner());
    Ok(())
}
