//! What the calls refuse.

use crate::sys::{Answer, add, control, counter, epoll};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::null_mut;

use libc::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLEXCLUSIVE, EPOLLIN, EPOLLONESHOT};

/// One line a rule.
pub fn run() -> io::Result<()> {
    let all = epoll();
    let fd = all.as_raw_fd();
    let event = counter(1, 0);
    let file: OwnedFd = File::create("rules.txt")?.into();
    let directory: OwnedFd = File::open("/")?.into();
    let null: OwnedFd = File::open("/dev/null")?.into();
    println!("file {}", add(&all, &file, EPOLLIN, 0));
    println!("directory {}", add(&all, &directory, EPOLLIN, 0));
    println!("null {}", add(&all, &null, EPOLLIN, 0));
    println!("closed {}", control(&all, EPOLL_CTL_ADD, 999, 1, 0));
    println!("not an epoll {}", add(&event, &all, EPOLLIN, 0));
    println!(
        "absent {}",
        control(&all, EPOLL_CTL_MOD, event.as_raw_fd(), 1, 0)
    );
    println!(
        "absent {}",
        control(&all, EPOLL_CTL_DEL, event.as_raw_fd(), 1, 0)
    );
    println!("operation {}", control(&all, 17, event.as_raw_fd(), 1, 0));
    println!(
        "twice {} {}",
        add(&all, &event, EPOLLIN, 0),
        add(&all, &event, EPOLLIN, 0)
    );
    let exclusive = EPOLLEXCLUSIVE | EPOLLIN;
    println!(
        "exclusive {}",
        control(&all, EPOLL_CTL_MOD, event.as_raw_fd(), exclusive as u32, 0)
    );
    let other = counter(0, 0);
    println!(
        "exclusive once {}",
        add(&all, &other, exclusive | EPOLLONESHOT, 0)
    );
    println!("exclusive {}", add(&all, &other, exclusive, 0));
    println!(
        "exclusive changed {}",
        control(&all, EPOLL_CTL_MOD, other.as_raw_fd(), 1, 0)
    );
    println!("exclusive epoll {}", add(&all, &epoll(), exclusive, 0));
    // SAFETY: bad arguments are the kernel's to refuse.
    unsafe {
        let null = null_mut::<libc::epoll_event>();
        println!(
            "no event {}",
            answer(libc::epoll_ctl(fd, EPOLL_CTL_ADD, event.as_raw_fd(), null))
        );
        println!("no room {}", answer(libc::epoll_wait(fd, null, 1, 0)));
        println!(
            "none {}",
            answer(libc::epoll_wait(fd, 4096 as *mut _, 0, 0))
        );
        println!(
            "negative {}",
            answer(libc::epoll_wait(fd, 4096 as *mut _, -1, 0))
        );
        println!(
            "too many {}",
            answer(libc::epoll_wait(fd, 4096 as *mut _, i32::MAX, 0))
        );
        println!(
            "not an epoll {}",
            answer(libc::epoll_wait(event.as_raw_fd(), 4096 as *mut _, 1, 0))
        );
        println!(
            "not open {}",
            answer(libc::epoll_wait(999, 4096 as *mut _, 1, 0))
        );
        println!(
            "size {} flags {}",
            answer(libc::epoll_create(0)),
            answer(libc::epoll_create1(1))
        );
        let mut byte = [0_u8; 16];
        println!(
            "read {}",
            Answer(libc::read(fd, byte.as_mut_ptr().cast(), 16) as i64)
        );
        println!(
            "write {}",
            Answer(libc::write(fd, byte.as_ptr().cast(), 16) as i64)
        );
    }
    std::fs::remove_file("rules.txt")
}

fn answer(result: i32) -> Answer {
    Answer(result.into())
}
