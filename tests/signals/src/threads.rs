//! Signals between threads: whom they reach, and what they interrupt.

use crate::handler::{bit, blocking, install, notes, noting, raise};
use libc::{SA_RESTART, SIGUSR1, SIGUSR2, c_int, c_void, pthread_t, siginfo_t, timespec};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use test_support::{call, report};

/// Who ran the handler last, and how often it ran.
static RAN: AtomicI32 = AtomicI32::new(0);
static TIMES: AtomicU32 = AtomicU32::new(0);

extern "C" fn telling(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    RAN.store(tid(), SeqCst);
    TIMES.fetch_add(1, SeqCst);
}

fn tid() -> i32 {
    // SAFETY: no arguments.
    unsafe { libc::gettid() }
}

/// Waits until the thread `tid` sleeps.
fn wait_asleep(tid: &AtomicI32) {
    let own = loop {
        match tid.load(SeqCst) {
            0 => thread::yield_now(),
            tid => break tid,
        }
    };
    let path = format!("/proc/self/task/{own}/stat");
    let asleep = || std::fs::read_to_string(&path).is_ok_and(|stat| stat.contains(") S "));
    while !asleep() {
        thread::sleep(Duration::from_millis(1));
        // Who looks at its condition after an interrupt is not asleep for a moment.
        thread::yield_now();
    }
}

fn kill<T>(thread: &JoinHandle<T>, signal: c_int) {
    let id: pthread_t = thread.as_pthread_t();
    // SAFETY: the thread is joined later.
    assert_eq!(unsafe { libc::pthread_kill(id, signal) }, 0);
}

/// Runs `wait` in a thread, sends it a signal when it sleeps, then calls `after`; its result.
fn interrupted<T: Send + 'static>(
    name: &str,
    wait: impl FnOnce() -> T + Send + 'static,
    after: impl FnOnce(),
) -> T {
    static TID: AtomicI32 = AtomicI32::new(0);
    TID.store(0, SeqCst);
    let before = TIMES.load(SeqCst);
    let waiter = thread::spawn(move || {
        TID.store(tid(), SeqCst);
        wait()
    });
    wait_asleep(&TID);
    kill(&waiter, SIGUSR1);
    while TIMES.load(SeqCst) == before {
        thread::yield_now();
    }
    let there = RAN.load(SeqCst) == TID.load(SeqCst);
    after();
    let result = waiter.join().expect("joined");
    println!("{name}: the handler ran in the waiting thread: {there}");
    result
}

fn read_one(fd: i32) -> io::Result<i64> {
    let mut byte = [0u8];
    call(libc::SYS_read, &[fd as u64, byte.as_mut_ptr() as u64, 1])
}

pub fn waiting() -> io::Result<()> {
    install(SIGUSR1, telling, 0, &[]);
    let (reader, writer) = io::pipe()?;
    let fd = reader.as_raw_fd();
    report("read", interrupted("read", move || read_one(fd), || {}));
    let sleep = || {
        let mut left = timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let wanted = timespec {
            tv_sec: 100,
            tv_nsec: 0,
        };
        let at = [&raw const wanted as u64, &raw mut left as u64];
        (call(libc::SYS_nanosleep, &at), left.tv_sec)
    };
    let (result, left) = interrupted("nanosleep", sleep, || {});
    report("nanosleep", result);
    println!("seconds left: {}", (90..=100).contains(&left));
    report(
        "pause",
        interrupted("pause", || call(libc::SYS_pause, &[]), || {}),
    );
    let word = Box::leak(Box::new(0u32));
    let at = word as *const u32 as u64;
    let futex = move || call(libc::SYS_futex, &[at, libc::FUTEX_WAIT as u64, 0, 0]);
    report("futex", interrupted("futex", futex, || {}));
    let other = bit(SIGUSR2);
    let timed = move || {
        call(
            libc::SYS_rt_sigtimedwait,
            &[&raw const other as u64, 0, 0, 8],
        )
    };
    report("sigtimedwait", interrupted("sigtimedwait", timed, || {}));

    install(SIGUSR1, telling, SA_RESTART, &[]);
    let again = interrupted(
        "read again",
        move || read_one(fd),
        || {
            std::io::Write::write_all(&mut &writer, b"x").expect("written");
        },
    );
    report("read again", again);
    report(
        "pause is not",
        interrupted("pause", || call(libc::SYS_pause, &[]), || {}),
    );
    let wake = || {
        let woken = call(libc::SYS_futex, &[at, libc::FUTEX_WAKE as u64, 1]);
        println!("woken: {}", woken.is_ok_and(|woken| woken == 1));
    };
    let wake_asleep = || {
        thread::sleep(Duration::from_millis(50));
        wake();
    };
    report(
        "futex again",
        interrupted("futex again", futex, wake_asleep),
    );
    let (result, _) = interrupted("nanosleep", sleep, || {});
    report("nanosleep is not", result);
    Ok(())
}

/// poll(2) is not made again either way.
pub fn polling() -> io::Result<()> {
    let (reader, _writer) = io::pipe()?;
    let fd = reader.as_raw_fd();
    let poll = move || {
        let fds = [libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        }];
        call(libc::SYS_poll, &[fds.as_ptr() as u64, 1, u64::MAX])
    };
    for flags in [0, SA_RESTART] {
        install(SIGUSR1, telling, flags, &[]);
        report("poll", interrupted("poll", poll, || {}));
    }
    Ok(())
}

/// Process-directed signals reach who does not block them.
pub fn targets() -> io::Result<()> {
    install(SIGUSR1, telling, 0, &[]);
    let (go, stop) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let open = Arc::new(AtomicI32::new(0));
    let before = TIMES.load(SeqCst);
    let (here, there, end) = (Arc::clone(&open), Arc::clone(&go), Arc::clone(&stop));
    let thread = thread::spawn(move || {
        here.store(tid(), SeqCst);
        there.store(true, SeqCst);
        while !end.load(SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
    });
    while !go.load(SeqCst) {
        thread::yield_now();
    }
    blocking(bit(SIGUSR1), || {
        // SAFETY: to oneself, with a handler.
        unsafe { libc::kill(libc::getpid(), SIGUSR1) };
        while TIMES.load(SeqCst) == before {
            thread::yield_now();
        }
    });
    println!(
        "the other took it: {}",
        RAN.load(SeqCst) == open.load(SeqCst)
    );
    // SAFETY: as above.
    unsafe { libc::kill(libc::getpid(), SIGUSR1) };
    println!("the main thread took it: {}", RAN.load(SeqCst) == tid());
    stop.store(true, SeqCst);
    thread.join().expect("joined");

    // Blocked by all: who unblocks it gets it.
    install(SIGUSR2, noting, 0, &[]);
    blocking(bit(SIGUSR2) | bit(50), || {
        let inherited = thread::spawn(|| crate::handler::mask(libc::SIG_BLOCK, 0));
        println!("inherited: {:#x}", inherited.join().expect("joined"));
        // SAFETY: as above.
        unsafe { libc::kill(libc::getpid(), SIGUSR2) };
        println!("not yet: {:?}", notes());
        let other = thread::spawn(|| {
            crate::handler::mask(libc::SIG_UNBLOCK, bit(SIGUSR2));
            notes()
        });
        println!("in the other: {:?}", other.join().expect("joined"));
        // A thread's own signals end with it.
        thread::spawn(|| raise(SIGUSR2)).join().expect("joined");
        // A thread that waits for signals is a good target.
        let waiter = thread::spawn(|| {
            let set = bit(50);
            call(libc::SYS_rt_sigtimedwait, &[&raw const set as u64, 0, 0, 8])
        });
        thread::sleep(Duration::from_millis(20));
        crate::handler::queue(50, 1);
        report("waited for", waiter.join().expect("joined"));
    });
    println!("nothing left: {:?}", notes());
    Ok(())
}

/// A thread that computes, and one that makes short calls, get a storm of signals.
pub fn storm() -> io::Result<()> {
    const MANY: u32 = 200;
    install(SIGUSR1, telling, SA_RESTART, &[]);
    let stop = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&stop);
    let computing = thread::spawn(move || {
        let mut state = [1u64, 2, 3, 4, 5, 6, 7, 8];
        let mut rounds = 0u64;
        let mut sum = 0f64;
        while !end.load(SeqCst) || !rounds.is_multiple_of(1024) {
            for (index, word) in state.iter_mut().enumerate() {
                *word = word
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(index as u64);
            }
            sum += 0.5;
            rounds += 1;
        }
        let mut again = [1u64, 2, 3, 4, 5, 6, 7, 8];
        for _ in 0..rounds {
            for (index, word) in again.iter_mut().enumerate() {
                *word = word
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(index as u64);
            }
        }
        state == again && sum == rounds as f64 * 0.5
    });
    let end = Arc::clone(&stop);
    let calling = thread::spawn(move || {
        let (pid, mut right) = (std::process::id(), true);
        while !end.load(SeqCst) {
            right &= std::process::id() == pid && tid() != 0;
        }
        right
    });
    let end = Arc::clone(&stop);
    let pair = Arc::new((Mutex::new(0u32), Condvar::new()));
    let shared = Arc::clone(&pair);
    let sleeping = thread::spawn(move || {
        let (lock, changed) = &*shared;
        let mut number = lock.lock().expect("locked");
        while !end.load(SeqCst) {
            number = changed
                .wait_timeout(number, Duration::from_millis(2))
                .expect("waited")
                .0;
            *number += 1;
        }
        *number > 0
    });
    let start = Instant::now();
    let before = TIMES.load(SeqCst);
    for round in 0..MANY {
        kill(&computing, SIGUSR1);
        kill(&calling, SIGUSR1);
        kill(&sleeping, SIGUSR1);
        // Now and then several before anybody has taken one.
        if round % 4 != 0 {
            thread::sleep(Duration::from_micros(300));
        }
    }
    stop.store(true, SeqCst);
    println!("registers: {}", computing.join().expect("joined"));
    println!("calls: {}", calling.join().expect("joined"));
    println!("sleeps: {}", sleeping.join().expect("joined"));
    println!("some came: {}", TIMES.load(SeqCst) - before >= 3);
    println!("in time: {}", start.elapsed() < Duration::from_secs(60));
    Ok(())
}
