//! epoll(7): what is reported, and how often.

use crate::sys::{add, control, counter, epoll, pipe, read, wait, write};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use libc::{EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT};

/// Reported as long as it holds; all have a turn.
pub fn levels() -> io::Result<()> {
    let all = epoll();
    let [from, to] = pipe();
    println!(
        "{} {}",
        add(&all, &from, EPOLLIN, 1),
        add(&all, &to, EPOLLOUT, 2)
    );
    println!("{:?}", wait(&all, 8, 0));
    write(&to, b"abc");
    println!("{:?}", wait(&all, 8, 0));
    println!(
        "{:?} {:?} {:?}",
        wait(&all, 1, 0),
        wait(&all, 1, 0),
        wait(&all, 1, 0)
    );
    let mut room = [0; 8];
    read(&from, &mut room);
    println!("{:?}", wait(&all, 8, 0));
    println!("{}", control(&all, EPOLL_CTL_DEL, to.as_raw_fd(), 0, 0));
    println!("{:?}", wait(&all, 8, 0));
    drop(to);
    println!("hung up {:?}", wait(&all, 8, 0));
    Ok(())
}

/// Reported once for each change.
pub fn edges() -> io::Result<()> {
    let all = epoll();
    let [from, to] = pipe();
    write(&to, b"a");
    println!(
        "{} {}",
        add(&all, &from, EPOLLIN | EPOLLET, 1),
        add(&all, &to, EPOLLOUT | EPOLLET, 2)
    );
    println!("{:?} {:?}", wait(&all, 8, 0), wait(&all, 8, 0));
    write(&to, b"b");
    println!("{:?} {:?}", wait(&all, 8, 0), wait(&all, 8, 0));
    while write(&to, &[7; 4096]).0 > 0 {}
    println!("full {:?}", wait(&all, 8, 0));
    let mut room = vec![0; 1 << 20];
    read(&from, &mut room);
    println!("emptied {:?} {:?}", wait(&all, 8, 0), wait(&all, 8, 0));
    let event = counter(0, 0);
    add(&all, &event, EPOLLIN | EPOLLOUT | EPOLLET, 3);
    println!("{:?} {:?}", wait(&all, 8, 0), wait(&all, 8, 0));
    write(&event, &1_u64.to_ne_bytes());
    println!("{:?} {:?}", wait(&all, 8, 0), wait(&all, 8, 0));
    drop(to);
    println!("hung up {:?} {:?}", wait(&all, 8, 0), wait(&all, 8, 0));
    Ok(())
}

/// Reported once until it is asked for anew.
pub fn once() -> io::Result<()> {
    let all = epoll();
    let event = counter(1, libc::EFD_NONBLOCK);
    add(&all, &event, EPOLLIN | EPOLLONESHOT, 1);
    println!("{:?} {:?}", wait(&all, 8, 0), wait(&all, 8, 0));
    write(&event, &1_u64.to_ne_bytes());
    println!("{:?}", wait(&all, 8, 0));
    let again = (EPOLLIN | EPOLLONESHOT) as u32;
    println!(
        "{}",
        control(&all, EPOLL_CTL_MOD, event.as_raw_fd(), again, 2)
    );
    println!("{:?} {:?}", wait(&all, 8, 0), wait(&all, 8, 0));
    Ok(())
}

/// A file leaves with its last close, not with the first.
pub fn closing() -> io::Result<()> {
    let all = epoll();
    let event = counter(1, 0);
    let other = event.try_clone()?;
    add(&all, &event, EPOLLIN, 1);
    println!(
        "both {} {:?}",
        add(&all, &other, EPOLLIN, 2),
        wait(&all, 8, 0)
    );
    drop(event);
    println!("one {:?}", wait(&all, 8, 0));
    drop(other);
    println!("none {:?}", wait(&all, 8, 0));
    Ok(())
}

/// Epolls in epolls.
pub fn nested() -> io::Result<()> {
    let all: Vec<OwnedFd> = (0..7).map(|_| epoll()).collect();
    let event = counter(0, 0);
    println!("{}", add(&all[0], &event, EPOLLIN, 9));
    for depth in 1..6 {
        println!(
            "{depth}: {}",
            add(&all[depth], &all[depth - 1], EPOLLIN, depth as u64)
        );
    }
    println!("circle {}", add(&all[0], &all[2], EPOLLIN, 1));
    println!("itself {}", add(&all[0], &all[0], EPOLLIN, 1));
    println!("{:?}", wait(&all[3], 8, 0));
    write(&event, &1_u64.to_ne_bytes());
    println!("{:?} {:?}", wait(&all[3], 8, 0), wait(&all[0], 8, 0));
    drop(event);
    println!("{:?}", wait(&all[3], 8, 0));
    Ok(())
}

/// Many are watched, few are ready.
pub fn many() -> io::Result<()> {
    let all = epoll();
    let events: Vec<OwnedFd> = (0..900).map(|_| counter(0, libc::EFD_NONBLOCK)).collect();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(add(&all, event, EPOLLIN, number as u64).0, 0);
    }
    println!("{:?}", wait(&all, 8, 0));
    for number in [899, 0, 450] {
        write(&events[number], &1_u64.to_ne_bytes());
    }
    println!("{:?}", wait(&all, 8, 0));
    println!("{:?} {:?}", wait(&all, 2, 0), wait(&all, 2, 0));
    Ok(())
}
