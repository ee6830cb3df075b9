//! setitimer(2), alarm(2), timer_create(2), timerfd_create(2).

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub static ALARMS: AtomicU32 = AtomicU32::new(0);
pub static VALUE: AtomicI32 = AtomicI32::new(-1);
static CODE: AtomicI32 = AtomicI32::new(0);

extern "C" fn rang(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    ALARMS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the kernel hands over a siginfo_t.
    unsafe {
        CODE.store((*info).si_code, Ordering::Relaxed);
        VALUE.store((*info).si_value().sival_ptr as i32, Ordering::Relaxed);
    }
}

pub fn handle(number: i32) {
    // SAFETY: integers; the handler touches atomics only.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = rang as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        libc::sigaction(number, &raw const action, null_mut());
    }
    ALARMS.store(0, Ordering::Relaxed);
}

pub fn answer(result: i32) -> String {
    match result {
        -1 => format!(
            "error {}",
            io::Error::last_os_error().raw_os_error().unwrap_or(0)
        ),
        done => done.to_string(),
    }
}

/// Computes until so many have come, or for too long.
pub fn compute_until(count: u32) -> bool {
    let start = Instant::now();
    while ALARMS.load(Ordering::Relaxed) < count {
        if start.elapsed() > Duration::from_secs(10) {
            return false;
        }
        std::hint::spin_loop();
    }
    true
}

pub fn value(interval: i64, value: i64) -> libc::itimerval {
    let time = |us: i64| libc::timeval {
        tv_sec: us / 1_000_000,
        tv_usec: us % 1_000_000,
    };
    libc::itimerval {
        it_interval: time(interval),
        it_value: time(value),
    }
}

/// The process's own timer.
pub fn interval() -> io::Result<()> {
    handle(libc::SIGALRM);
    let start = Instant::now();
    let twenty = value(20_000, 20_000);
    // SAFETY: the values are there, in all these calls.
    unsafe {
        println!(
            "{}",
            answer(libc::setitimer(
                libc::ITIMER_REAL,
                &raw const twenty,
                null_mut()
            ))
        );
        let computed = compute_until(3);
        println!(
            "computing {computed} early {}",
            start.elapsed() < Duration::from_millis(60)
        );
        println!("code {:#x}", CODE.load(Ordering::Relaxed));
        // Asleep.
        let before = ALARMS.load(Ordering::Relaxed);
        let interrupted = libc::usleep(5_000_000);
        println!(
            "asleep {interrupted} {}",
            ALARMS.load(Ordering::Relaxed) > before
        );
        let mut left = value(0, 0);
        println!(
            "{}",
            answer(libc::getitimer(libc::ITIMER_REAL, &raw mut left))
        );
        println!(
            "{} {}",
            left.it_interval.tv_usec,
            (1..=20_000).contains(&left.it_value.tv_usec)
        );
        let none = value(0, 0);
        println!(
            "{}",
            answer(libc::setitimer(
                libc::ITIMER_REAL,
                &raw const none,
                &raw mut left
            ))
        );
        println!("{}", left.it_interval.tv_usec);
        println!(
            "alarm {} {} {}",
            libc::alarm(10),
            libc::alarm(3),
            libc::alarm(0)
        );
        println!("none left {}", libc::alarm(0));
        let bad = libc::itimerval {
            it_value: libc::timeval {
                tv_sec: 0,
                tv_usec: 1_000_000,
            },
            ..none
        };
        println!(
            "bad {}",
            answer(libc::setitimer(
                libc::ITIMER_REAL,
                &raw const bad,
                null_mut()
            ))
        );
        println!(
            "bad {}",
            answer(libc::setitimer(9, &raw const none, null_mut()))
        );
        println!(
            "bad {}",
            answer(libc::setitimer(
                libc::ITIMER_REAL,
                16 as *const _,
                null_mut()
            ))
        );
    }
    Ok(())
}

pub fn spec(interval: i64, value: i64) -> libc::itimerspec {
    let time = |ns: i64| libc::timespec {
        tv_sec: ns / 1_000_000_000,
        tv_nsec: ns % 1_000_000_000,
    };
    libc::itimerspec {
        it_interval: time(interval),
        it_value: time(value),
    }
}

/// Timers with numbers.
pub fn posix() -> io::Result<()> {
    handle(libc::SIGUSR1);
    // SAFETY: the structures are there, in all these calls.
    unsafe {
        let mut event: libc::sigevent = zeroed();
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = libc::SIGUSR1;
        event.sigev_value.sival_ptr = 77 as *mut _;
        let mut timer: libc::timer_t = null_mut();
        println!(
            "{}",
            answer(libc::timer_create(
                libc::CLOCK_MONOTONIC,
                &raw mut event,
                &raw mut timer
            ))
        );
        let once = spec(0, 5_000_000);
        println!(
            "{}",
            answer(libc::timer_settime(timer, 0, &raw const once, null_mut()))
        );
        println!(
            "{} code {} value {}",
            compute_until(1),
            CODE.load(Ordering::Relaxed),
            VALUE.load(Ordering::Relaxed)
        );
        let mut left = spec(0, 0);
        println!(
            "{} {}",
            answer(libc::timer_gettime(timer, &raw mut left)),
            left.it_value.tv_nsec
        );
        // Blocked, so that one signal stands for several.
        let mut set: libc::sigset_t = zeroed();
        libc::sigaddset(&raw mut set, libc::SIGUSR1);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, null_mut());
        let often = spec(2_000_000, 2_000_000);
        println!(
            "{}",
            answer(libc::timer_settime(timer, 0, &raw const often, null_mut()))
        );
        std::thread::sleep(Duration::from_millis(60));
        let none = spec(0, 0);
        let before = ALARMS.load(Ordering::Relaxed);
        let mut info: libc::siginfo_t = zeroed();
        println!(
            "{}",
            libc::sigwaitinfo(&raw const set, &raw mut info) == libc::SIGUSR1
        );
        println!("overrun {}", libc::timer_getoverrun(timer) >= 5);
        libc::timer_settime(timer, 0, &raw const none, null_mut());
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, null_mut());
        println!("handled {}", ALARMS.load(Ordering::Relaxed) - before <= 1);
        // A time that has passed.
        ALARMS.store(0, Ordering::Relaxed);
        let past = spec(0, 1);
        println!(
            "{}",
            answer(libc::timer_settime(
                timer,
                libc::TIMER_ABSTIME,
                &raw const past,
                null_mut()
            ))
        );
        println!("past {}", compute_until(1));
        println!(
            "{} {}",
            answer(libc::timer_delete(timer)),
            answer(libc::timer_delete(timer))
        );
        println!("gone {}", answer(libc::timer_gettime(timer, &raw mut left)));
        event.sigev_signo = 99;
        println!(
            "signal {}",
            answer(libc::timer_create(
                libc::CLOCK_MONOTONIC,
                &raw mut event,
                &raw mut timer
            ))
        );
        println!(
            "clock {}",
            answer(libc::timer_create(99, null_mut(), &raw mut timer))
        );
        // To the thread itself, as the C library's own timers use it.
        event.sigev_signo = libc::SIGUSR1;
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_notify_thread_id = libc::syscall(libc::SYS_gettid) as i32;
        ALARMS.store(0, Ordering::Relaxed);
        println!(
            "{}",
            answer(libc::timer_create(
                libc::CLOCK_REALTIME,
                &raw mut event,
                &raw mut timer
            ))
        );
        libc::timer_settime(timer, 0, &raw const once, null_mut());
        println!("to a thread {}", compute_until(1));
        println!("{}", answer(libc::timer_delete(timer)));
    }
    Ok(())
}

fn read(fd: &OwnedFd) -> String {
    let mut count = 0_u64;
    // SAFETY: room for a word.
    let result = unsafe { libc::read(fd.as_raw_fd(), (&raw mut count).cast(), 8) };
    match result {
        8 => format!("expired {}", count.min(3)),
        other => answer(other as i32),
    }
}

/// Timers that are files.
pub fn files() -> io::Result<()> {
    // SAFETY: the structures are there, in all these calls; the descriptors are new.
    unsafe {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        let fd = OwnedFd::from_raw_fd(libc::timerfd_create(libc::CLOCK_MONOTONIC, flags));
        let raw = fd.as_raw_fd();
        println!(
            "{}",
            std::fs::read_link(format!("/proc/self/fd/{raw}"))?.display()
        );
        println!("{}", read(&fd));
        let start = Instant::now();
        let once = spec(0, 15_000_000);
        println!(
            "{}",
            answer(libc::timerfd_settime(raw, 0, &raw const once, null_mut()))
        );
        let mut fds = [libc::pollfd {
            fd: raw,
            events: libc::POLLIN,
            revents: 0,
        }];
        println!("early {}", libc::poll(fds.as_mut_ptr(), 1, 0));
        println!(
            "{} {:#x}",
            libc::poll(fds.as_mut_ptr(), 1, 10_000),
            fds[0].revents
        );
        let passed = start.elapsed();
        println!(
            "early {} late {}",
            passed < Duration::from_millis(15),
            passed > Duration::from_secs(5)
        );
        println!("{} {}", read(&fd), read(&fd));
        let epoll = OwnedFd::from_raw_fd(libc::epoll_create1(0));
        let mut event = libc::epoll_event {
            events: (libc::EPOLLIN | libc::EPOLLET) as u32,
            u64: 5,
        };
        libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, raw, &raw mut event);
        let often = spec(3_000_000, 3_000_000);
        println!(
            "{}",
            answer(libc::timerfd_settime(raw, 0, &raw const often, null_mut()))
        );
        for limit in [10_000, 20, 20] {
            // Once: nobody reads it.
            println!(
                "{}",
                libc::epoll_wait(epoll.as_raw_fd(), &raw mut event, 1, limit)
            );
        }
        std::thread::sleep(Duration::from_millis(30));
        println!("{}", read(&fd));
        let mut before = spec(0, 0);
        let none = spec(0, 0);
        println!(
            "{} {}",
            answer(libc::timerfd_settime(
                raw,
                0,
                &raw const none,
                &raw mut before
            )),
            before.it_interval.tv_nsec
        );
        println!("{}", read(&fd));
        println!(
            "{} {}",
            answer(libc::timerfd_gettime(raw, &raw mut before)),
            before.it_value.tv_nsec
        );
        libc::fcntl(raw, libc::F_SETFL, 0);
        libc::timerfd_settime(raw, 0, &raw const once, null_mut());
        println!("waits {}", read(&fd));
        println!(
            "flags {}",
            answer(libc::timerfd_create(libc::CLOCK_MONOTONIC, 1))
        );
        println!("clock {}", answer(libc::timerfd_create(99, 0)));
        println!(
            "flags {}",
            answer(libc::timerfd_settime(raw, 8, &raw const none, null_mut()))
        );
        println!(
            "other {}",
            answer(libc::timerfd_settime(
                epoll.as_raw_fd(),
                0,
                &raw const none,
                null_mut()
            ))
        );
        println!(
            "null {}",
            answer(libc::timerfd_settime(raw, 0, null(), null_mut()))
        );
        let bad = libc::itimerspec {
            it_value: libc::timespec {
                tv_sec: 0,
                tv_nsec: -1,
            },
            ..none
        };
        println!(
            "bad {}",
            answer(libc::timerfd_settime(raw, 0, &raw const bad, null_mut()))
        );
    }
    Ok(())
}

/// As many as there may be: an error, or all of them; and all expire.
pub fn many() -> io::Result<()> {
    // SAFETY: the structures are there.
    unsafe {
        let mut event: libc::sigevent = zeroed();
        event.sigev_notify = libc::SIGEV_NONE;
        let mut timers: Vec<libc::timer_t> = Vec::new();
        for number in 0..10_000 {
            let mut timer: libc::timer_t = null_mut();
            if libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) != 0 {
                break;
            }
            let value = spec(0, 1_000_000 + 1000 * (number * 7919 % 10_000));
            libc::timer_settime(timer, 0, &raw const value, null_mut());
            timers.push(timer);
        }
        std::thread::sleep(Duration::from_millis(50));
        let mut left = spec(0, 0);
        let armed = timers.iter().filter(|&&timer| {
            libc::timer_gettime(timer, &raw mut left);
            left.it_value.tv_nsec != 0
        });
        println!("{} of them armed {}", timers.len() > 5000, armed.count());
        timers.iter().for_each(|&timer| {
            libc::timer_delete(timer);
        });
    }
    Ok(())
}
