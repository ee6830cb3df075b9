//! Waiting: what another thread does ends it, at once.

use crate::sys::{add, counter, epoll, pipe, read, wait, write};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Rounds of a ping-pong.
const ROUNDS: usize = 2000;
/// Far more than they take; a wait that only a timeout ends is noticed.
const LONG: i32 = 20_000;

fn wait_for(fd: &OwnedFd) -> i16 {
    let mut fds = [libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    }];
    // SAFETY: the array has one element.
    let count = unsafe { libc::poll(fds.as_mut_ptr(), 1, LONG) };
    assert_eq!(count, 1, "poll waited in vain");
    fds[0].revents
}

fn byte(fd: &OwnedFd) {
    assert_eq!(read(fd, &mut [0]).0, 1);
}

/// Two threads poll, each a pipe that the other writes to.
pub fn poll() -> io::Result<()> {
    let ([from, to], [back_from, back_to]) = (pipe(), pipe());
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                wait_for(&from);
                byte(&from);
                write(&back_to, b"x");
            }
        });
        for _ in 0..ROUNDS {
            write(&to, b"x");
            wait_for(&back_from);
            byte(&back_from);
        }
    });
    println!(
        "{ROUNDS} rounds, in time {}",
        start.elapsed() < Duration::from_secs(10)
    );
    drop(to);
    println!("hung up {:#x}", wait_for(&from));
    Ok(())
}

/// The same with epoll and eventfd; several threads share an epoll.
pub fn wakes() -> io::Result<()> {
    let (all, back) = (epoll(), epoll());
    let (ping, pong) = (
        counter(0, libc::EFD_NONBLOCK),
        counter(0, libc::EFD_NONBLOCK),
    );
    add(&all, &ping, libc::EPOLLIN, 1);
    add(&back, &pong, libc::EPOLLIN | libc::EPOLLET, 2);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    wait(&all, 4, LONG);
                    let mut word = [0; 8];
                    if read(&ping, &mut word).0 < 0 {
                        continue;
                    }
                    match u64::from_ne_bytes(word) {
                        1 => write(&pong, &1_u64.to_ne_bytes()),
                        rest => {
                            // The end: for the next one, too.
                            write(&ping, &rest.to_ne_bytes());
                            return;
                        }
                    };
                }
            });
        }
        for _ in 0..ROUNDS {
            write(&ping, &1_u64.to_ne_bytes());
            assert_eq!(wait(&back, 4, LONG), [(2, libc::EPOLLIN as u32)]);
            assert_eq!(read(&pong, &mut [0; 8]).0, 8);
        }
        write(&ping, &1000_u64.to_ne_bytes());
    });
    println!(
        "{ROUNDS} rounds, in time {}",
        start.elapsed() < Duration::from_secs(10)
    );
    Ok(())
}

/// Nothing comes.
pub fn timeouts() -> io::Result<()> {
    let all = epoll();
    let event = counter(0, 0);
    add(&all, &event, libc::EPOLLIN, 1);
    let start = Instant::now();
    println!("{:?}", wait(&all, 4, 50));
    let passed = start.elapsed();
    println!(
        "early {} late {}",
        passed < Duration::from_millis(50),
        passed > Duration::from_secs(5)
    );
    let start = Instant::now();
    let short = libc::timespec {
        tv_sec: 0,
        tv_nsec: 3_000_000,
    };
    let mut room = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: room for one event; a timespec; no mask.
    let count = unsafe {
        let (fd, to, time) = (all.as_raw_fd(), &raw mut room, &raw const short);
        libc::syscall(
            libc::SYS_epoll_pwait2,
            fd,
            to,
            1,
            time,
            std::ptr::null::<u64>(),
            8,
        )
    };
    println!(
        "{count} early {}",
        start.elapsed() < Duration::from_millis(3)
    );
    Ok(())
}

/// Of two epolls that want a counter exclusively, one is told at a time.
pub fn exclusive() -> io::Result<()> {
    let event = counter(0, libc::EFD_NONBLOCK);
    let told = AtomicUsize::new(0);
    thread::scope(|scope| {
        for data in 1..=2 {
            let all = epoll();
            add(&all, &event, libc::EPOLLIN | libc::EPOLLEXCLUSIVE, data);
            let told = &told;
            scope.spawn(move || {
                let found = wait(&all, 1, LONG);
                told.fetch_add(found.len(), Ordering::Relaxed);
            });
        }
        for _ in 0..2 {
            // Until both are asleep, and then until who is woken has said so.
            thread::sleep(Duration::from_millis(100));
            println!("told {}", told.load(Ordering::Relaxed));
            write(&event, &1_u64.to_ne_bytes());
        }
    });
    println!("told {}", told.load(Ordering::Relaxed));
    Ok(())
}

/// Many threads, each in a call of another kind that waits for its own event: each is woken by it, in
/// any order, and by nothing else.
pub fn crowd() -> io::Result<()> {
    const CROWD: usize = 200;
    let events: Vec<_> = (0..CROWD).map(|_| counter(0, 0)).collect();
    let woken = AtomicUsize::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        for (index, event) in events.iter().enumerate() {
            let woken = &woken;
            scope.spawn(move || {
                match index % 3 {
                    0 => {}
                    1 => _ = wait_for(event),
                    _ => {
                        let all = epoll();
                        add(&all, event, libc::EPOLLIN, 1);
                        wait(&all, 1, LONG);
                    }
                }
                let mut word = [0; 8];
                read(event, &mut word);
                woken.fetch_add(1, Ordering::Relaxed);
                assert_eq!(u64::from_ne_bytes(word), index as u64 + 1);
            });
        }
        thread::sleep(Duration::from_millis(50));
        println!("before {}", woken.load(Ordering::Relaxed));
        for index in (0..CROWD).rev() {
            write(&events[index], &(index as u64 + 1).to_ne_bytes());
        }
    });
    println!(
        "after {} in time {}",
        woken.load(Ordering::Relaxed),
        start.elapsed() < Duration::from_secs(10)
    );
    Ok(())
}
