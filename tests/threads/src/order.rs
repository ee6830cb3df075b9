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
    attributes();
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

/// `struct sched_attr`, and room for what a later kernel may know.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Attr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    deadline: [u64; 3],
    clamps: [u32; 2],
    more: u64,
}

/// What a thread has by sched_getattr(2): policy, flags, niceness, priority.
fn attr() -> io::Result<String> {
    let mut attr = Attr::default();
    call(libc::SYS_sched_getattr, &[0, &raw mut attr as u64, 56, 0])?;
    let Attr {
        size,
        policy,
        flags,
        nice,
        priority,
        ..
    } = attr;
    Ok(format!("{size} {policy} {flags} {nice} {priority}"))
}

/// sched_setattr(2) and sched_getattr(2), on a thread that nobody minds.
fn attributes() {
    let set = |attr: Attr| call(libc::SYS_sched_setattr, &[0, &raw const attr as u64, 0]);
    let plain = Attr {
        size: 56,
        ..Attr::default()
    };
    let cases = [
        ("nice", Attr { nice: 5, ..plain }),
        ("nicer than there is", Attr { nice: 99, ..plain }),
        ("batch", Attr { policy: 3, ..plain }),
        (
            "keep the policy",
            Attr {
                flags: 8,
                nice: 7,
                ..plain
            },
        ),
        (
            "keep the parameters",
            Attr {
                flags: 16,
                nice: 2,
                ..plain
            },
        ),
        (
            "reset on fork",
            Attr {
                flags: 1,
                nice: 19,
                ..plain
            },
        ),
        (
            "unknown flag",
            Attr {
                flags: 1 << 20,
                ..plain
            },
        ),
        ("unknown policy", Attr { policy: 4, ..plain }),
        (
            "negative policy",
            Attr {
                policy: u32::MAX,
                ..plain
            },
        ),
        (
            "ordinary with a priority",
            Attr {
                priority: 1,
                ..plain
            },
        ),
        ("fifo without", Attr { policy: 1, ..plain }),
        (
            "fifo with too much",
            Attr {
                policy: 1,
                priority: 100,
                ..plain
            },
        ),
        (
            "first version",
            Attr {
                size: 48,
                nice: 19,
                ..plain
            },
        ),
        (
            "no size",
            Attr {
                size: 0,
                nice: 19,
                ..plain
            },
        ),
        ("small", Attr { size: 47, ..plain }),
        (
            "huge",
            Attr {
                size: 4097,
                ..plain
            },
        ),
        (
            "larger, and nothing in it",
            Attr {
                size: 64,
                nice: 19,
                ..plain
            },
        ),
        (
            "larger, and something in it",
            Attr {
                size: 64,
                more: 1,
                ..plain
            },
        ),
    ];
    thread::scope(|scope| {
        scope.spawn(|| {
            report("attributes", attr());
            for (name, wanted) in cases {
                report(name, set(wanted));
                report("now", attr());
            }
            let mut told = Attr { size: 1, ..plain };
            let at = &raw mut told as u64;
            report("size told", call(libc::SYS_sched_setattr, &[0, at, 0]));
            println!("{}", told.size);
            for args in [
                [0, 0, 56, 0],
                [0, at, 47, 0],
                [0, at, 4097, 0],
                [0, at, 56, 1],
            ] {
                report("get", call(libc::SYS_sched_getattr, &args));
            }
            report("get less", call(libc::SYS_sched_getattr, &[0, at, 48, 0]));
            println!("{}", told.size);
            report("nowhere", call(libc::SYS_sched_getattr, &[0, 8, 56, 0]));
            report("from nowhere", call(libc::SYS_sched_setattr, &[0, 8, 0]));
            report(
                "of nobody",
                call(libc::SYS_sched_getattr, &[4_000_000, at, 56, 0]),
            );
            report("flags", call(libc::SYS_sched_setattr, &[0, at, 1]));
            let minus = -1_i64 as u64;
            report("negative", call(libc::SYS_sched_setattr, &[minus, at, 0]));
        });
    });
}
