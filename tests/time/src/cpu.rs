//! Timers of CPU time, and sleeps by it.

use crate::clocks::read;
use crate::timers::{ALARMS, VALUE, answer, compute_until, handle, spec, value};
use std::io;
use std::mem::zeroed;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use test_support::{call, report};

/// A timer of timer_create(2), made by the system call: its number is the kernel's.
struct Posix(i32);

impl Posix {
    /// One that sends `signal` with `value`.
    fn new(clock: i32, signal: i32, value: usize) -> io::Result<Self> {
        // SAFETY: integers and a union of them.
        let mut event: libc::sigevent = unsafe { zeroed() };
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = signal;
        event.sigev_value.sival_ptr = value as *mut _;
        let mut number = -1;
        let args = [clock as u64, &raw mut event as u64, &raw mut number as u64];
        call(libc::SYS_timer_create, &args)?;
        Ok(Self(number))
    }

    fn set(&self, interval: i64, value: i64, flags: i32) -> io::Result<()> {
        let spec = spec(interval, value);
        let args = [self.0 as u64, flags as u64, &raw const spec as u64, 0];
        call(libc::SYS_timer_settime, &args).map(drop)
    }
}

impl Drop for Posix {
    fn drop(&mut self) {
        let _ = call(libc::SYS_timer_delete, &[self.0 as u64]);
    }
}

/// Whether the code between has used `least` of CPU time, and not much more.
fn used(least: Duration, start: Duration) -> io::Result<bool> {
    let used = read(libc::CLOCK_PROCESS_CPUTIME_ID)? - start;
    Ok(least <= used && used < least + Duration::from_millis(150))
}

/// Timers of CPU time: setitimer's other two, and timer_create's, of the process and of threads.
pub fn run() -> io::Result<()> {
    let cpu = || read(libc::CLOCK_PROCESS_CPUTIME_ID);
    for (which, signal) in [
        (libc::ITIMER_VIRTUAL, libc::SIGVTALRM),
        (libc::ITIMER_PROF, libc::SIGPROF),
    ] {
        handle(signal);
        let start = cpu()?;
        let (each, none) = (value(20_000, 20_000), value(0, 0));
        // SAFETY: the values are there, in all these calls.
        unsafe {
            let set = libc::setitimer(which, &raw const each, null_mut());
            println!("timer {which} {}", answer(set));
            // Asleep no time passes for it.
            std::thread::sleep(Duration::from_millis(60));
            println!("asleep {}", ALARMS.load(Ordering::Relaxed));
            let computed = compute_until(3);
            println!(
                "computing {computed} {}",
                used(Duration::from_millis(60), start)?
            );
            let mut left = value(0, 0);
            libc::getitimer(which, &raw mut left);
            let inside = (1..=20_000).contains(&left.it_value.tv_usec);
            println!("{} {inside}", left.it_interval.tv_usec);
            let set = libc::setitimer(which, &raw const none, &raw mut left);
            println!("{} {}", answer(set), left.it_interval.tv_usec);
            libc::getitimer(which, &raw mut left);
            println!("{} {}", left.it_interval.tv_usec, left.it_value.tv_usec);
        }
    }
    for (name, clock) in [("process", 2), ("thread", 3), ("by number", !0 << 3 | 2)] {
        handle(libc::SIGUSR1);
        let start = cpu()?;
        let timer = Posix::new(clock, libc::SIGUSR1, 7)?;
        timer.set(0, 30_000_000, 0)?;
        std::thread::sleep(Duration::from_millis(50));
        println!("{name} asleep {}", ALARMS.load(Ordering::Relaxed));
        let computed = compute_until(1);
        println!(
            "{name} computing {computed} {} value {}",
            used(Duration::from_millis(30), start)?,
            VALUE.load(Ordering::Relaxed)
        );
    }
    // By the clock of a thread that sleeps, while another computes.
    let (send, receive) = std::sync::mpsc::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    let sleeper = std::thread::spawn(move || {
        // SAFETY: the function has no preconditions.
        let _ = tell.send(unsafe { libc::gettid() });
        let _ = receive.recv();
    });
    let tid = told.recv().map_err(io::Error::other)?;
    handle(libc::SIGUSR1);
    let timer = Posix::new(!tid << 3 | 4 | 2, libc::SIGUSR1, 8)?;
    timer.set(0, 20_000_000, 0)?;
    let start = cpu()?;
    while !used(Duration::from_millis(60), start)? {}
    println!("another's {}", ALARMS.load(Ordering::Relaxed));
    drop(send);
    let _ = sleeper.join();
    println!("gone {}", read(!tid << 3 | 4 | 2).is_err());
    naps()
}

/// Sleeping by CPU time: another thread computes meanwhile.
fn naps() -> io::Result<()> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let start = read(libc::CLOCK_PROCESS_CPUTIME_ID)?;
        let nap = [0_u64, 40_000_000];
        let args = [2, 0, nap.as_ptr() as u64, 0];
        report("nap", call(libc::SYS_clock_nanosleep, &args));
        println!("nap {}", used(Duration::from_millis(40), start)?);
        let past = [0_u64, 1];
        let args = [2, 1, past.as_ptr() as u64, 0];
        report("past", call(libc::SYS_clock_nanosleep, &args));
        stop.store(true, Ordering::Relaxed);
        for clock in [
            3_i32,
            !0 << 3 | 4 | 2,
            !99_999_999 << 3 | 2,
            !0 << 3 | 3,
            11,
        ] {
            let args = [clock as u64, 0, nap.as_ptr() as u64, 0];
            let outcome = call(libc::SYS_clock_nanosleep, &args);
            report(format_args!("clock {clock}"), outcome);
        }
        Ok(())
    })
}
