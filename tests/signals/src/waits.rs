use crate::handler::{bit, blocking, install, notes, noting, queue, raise};
use libc::{SIGHUP, SIGUSR1, SIGUSR2, siginfo_t, timespec};
use std::io;
use std::time::{Duration, Instant};
use test_support::{call, report};

/// Takes a pending signal without waiting.
pub fn take(set: u64) -> Option<i32> {
    timed(set, 0).ok().map(|signal| signal as i32)
}

fn timed(set: u64, ns: i64) -> io::Result<i64> {
    let timeout = timespec {
        tv_sec: ns / 1_000_000_000,
        tv_nsec: ns % 1_000_000_000,
    };
    let (set, timeout) = (&raw const set as u64, &raw const timeout as u64);
    call(libc::SYS_rt_sigtimedwait, &[set, 0, timeout, 8])
}

pub fn waits() -> io::Result<()> {
    let set = bit(SIGUSR1) | bit(SIGUSR2) | bit(40);
    install(SIGUSR1, noting, 0, &[]);
    install(SIGHUP, noting, 0, &[]);
    blocking(set, || {
        report("nothing there", timed(set, 0));
        let start = Instant::now();
        report("nothing comes", timed(set, 20_000_000));
        println!("waited: {}", start.elapsed() >= Duration::from_millis(20));
        raise(SIGUSR2);
        raise(SIGUSR1);
        queue(40, 7);
        queue(40, 8);
        for _ in 0..2 {
            report("taken", timed(set, 0));
        }
        // SAFETY: a siginfo_t may be zero.
        let mut info: siginfo_t = unsafe { std::mem::zeroed() };
        let (at, set) = (&raw mut info as u64, &raw const set as u64);
        report(
            "with info",
            call(libc::SYS_rt_sigtimedwait, &[set, at, 0, 8]),
        );
        // SAFETY: a queued signal has a value.
        let value = unsafe { info.si_value().sival_ptr } as usize;
        println!("info: {} {} {value}", info.si_signo, info.si_code);
        report("bad info", call(libc::SYS_rt_sigtimedwait, &[set, 8, 0, 8]));
        report("bad set", call(libc::SYS_rt_sigtimedwait, &[8, 0, 0, 8]));
        report("bad size", call(libc::SYS_rt_sigtimedwait, &[set, 0, 0, 4]));
    });
    report("bad time", timed(set, -1));
    println!("no handler ran: {:?}", notes());
    install(SIGUSR2, noting, 0, &[]);
    blocking(bit(SIGUSR1), || {
        raise(SIGUSR1);
        let open = bit(SIGHUP);
        let suspend = |set: &u64| call(libc::SYS_rt_sigsuspend, &[set as *const u64 as u64, 8]);
        report("suspend", suspend(&open));
        println!("ran: {:?}", notes());
        println!(
            "blocked again: {:#x}",
            crate::handler::mask(libc::SIG_BLOCK, 0)
        );
        raise(SIGUSR1);
        report("suspend", suspend(&0));
        println!("ran: {:?}", notes());
        report("bad set", call(libc::SYS_rt_sigsuspend, &[8, 8]));
        report("bad size", call(libc::SYS_rt_sigsuspend, &[8, 4]));
    });
    Ok(())
}

/// SIGSTOP stops all threads, until a timer sends SIGCONT.
pub fn stopped() -> io::Result<()> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    const STOPPED: Duration = Duration::from_millis(100);
    install(libc::SIGCONT, noting, 0, &[]);
    std::thread::spawn(|| {
        loop {
            COUNT.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    // SAFETY: the structures are integers, and there in all these calls.
    let timer = unsafe {
        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = libc::SIGCONT;
        let mut timer: libc::timer_t = std::ptr::null_mut();
        libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer);
        timer
    };
    for round in 1..=2 {
        let time = |ns| timespec {
            tv_sec: 0,
            tv_nsec: ns,
        };
        let spec = libc::itimerspec {
            it_interval: time(0),
            it_value: time(STOPPED.as_nanos() as i64),
        };
        let (start, before) = (Instant::now(), COUNT.load(Ordering::Relaxed));
        // SAFETY: the timer is one; stopping is what is wanted.
        unsafe {
            libc::timer_settime(timer, 0, &raw const spec, std::ptr::null_mut());
            libc::kill(libc::getpid(), libc::SIGSTOP);
        }
        let counted = COUNT.load(Ordering::Relaxed) - before;
        println!(
            "round {round}: stopped {}, the other thread too {}, {:?}",
            start.elapsed() >= STOPPED,
            counted < 10,
            notes()
        );
    }
    // Continuing what does not stand still runs the handler, too.
    raise(libc::SIGCONT);
    println!("{:?}", notes());
    Ok(())
}
