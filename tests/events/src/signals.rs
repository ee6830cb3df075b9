//! signalfd(2).

use crate::sys::{Answer, add, epoll, owned, read, wait};
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, OwnedFd};

use libc::{SIGUSR1, SIGUSR2};

fn set(numbers: &[i32]) -> libc::sigset_t {
    // SAFETY: a set is integers.
    let mut set: libc::sigset_t = unsafe { zeroed() };
    for &number in numbers {
        // SAFETY: the set is one.
        unsafe { libc::sigaddset(&raw mut set, number) };
    }
    set
}

fn take(fd: &OwnedFd, most: usize) -> String {
    let mut room = vec![0_u8; most * 128];
    let count = read(fd, &mut room);
    if count.0 < 0 {
        return count.to_string();
    }
    let word = |at: usize| i32::from_ne_bytes([room[at], room[at + 1], room[at + 2], room[at + 3]]);
    let me = std::process::id() as i32;
    let mut line = count.to_string();
    for at in (0..count.0 as usize).step_by(128) {
        let (number, code, mine) = (word(at), word(at + 8), word(at + 12) == me);
        line += &format!(
            " [{number} code {code} mine {mine} value {}]",
            word(at + 44)
        );
    }
    line
}

/// Signals that are read, singly and together.
pub fn run() -> io::Result<()> {
    let wanted = set(&[SIGUSR1, SIGUSR2, 40]);
    // SAFETY: the set is one; no old one is wanted.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const wanted, std::ptr::null_mut()) };
    // SAFETY: the set is one.
    let fd = owned(unsafe { libc::signalfd(-1, &raw const wanted, libc::SFD_NONBLOCK) });
    let all = epoll();
    println!("{}", add(&all, &fd, libc::EPOLLIN, 7));
    println!("{} {:?}", take(&fd, 1), wait(&all, 1, 0));
    // SAFETY: signals to this process, which blocks them.
    unsafe {
        libc::raise(SIGUSR1);
        libc::kill(libc::getpid(), SIGUSR2);
        let value = libc::sigval {
            sival_ptr: 5 as *mut _,
        };
        libc::sigqueue(libc::getpid(), 40, value);
    }
    println!("{:?}", wait(&all, 1, 0));
    println!("{}", take(&fd, 2));
    println!("{}", take(&fd, 2));
    println!("{} {:?}", take(&fd, 2), wait(&all, 1, 0));
    let mut room = [0; 127];
    println!("short {}", read(&fd, &mut room));
    let fewer = set(&[SIGUSR2]);
    // SAFETY: the set is one.
    let changed = unsafe { libc::signalfd(fd.as_raw_fd(), &raw const fewer, 0) };
    println!("changed {}", changed == fd.as_raw_fd());
    // SAFETY: as above.
    unsafe { libc::raise(SIGUSR1) };
    println!("{} {:?}", take(&fd, 1), wait(&all, 1, 0));
    // SAFETY: bad arguments are the kernel's to refuse.
    unsafe {
        let answer = |result: i32| Answer(result.into());
        println!("flags {}", answer(libc::signalfd(-1, &raw const fewer, 1)));
        println!("no set {}", answer(libc::signalfd(-1, std::ptr::null(), 0)));
        println!(
            "another file {}",
            answer(libc::signalfd(all.as_raw_fd(), &raw const fewer, 0))
        );
    }
    Ok(())
}
