//! Streams.

use crate::sys::{self, Answer, ready, receive, send};
use libc::{MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL, SOCK_NONBLOCK, SOCK_STREAM};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;

/// Two that do not wait.
fn pair_of() -> [std::os::fd::OwnedFd; 2] {
    sys::pair(SOCK_STREAM | SOCK_NONBLOCK)
}

/// Bytes go over, in both directions, without ends of messages.
pub fn pair() -> io::Result<()> {
    let [near, far] = pair_of();
    println!("{} {}", send(&near, b"hello "), send(&near, b"world"));
    println!("{}", receive(&far, 4, 0));
    println!("{}", receive(&far, 100, 0));
    println!("{}", receive(&far, 100, 0));
    println!("{} {}", send(&far, b"back"), receive(&near, 100, 0));
    println!("nothing {} {}", send(&near, b""), receive(&far, 10, 0));
    let fd = near.as_raw_fd();
    println!(
        "{}",
        std::fs::read_link(format!("/proc/self/fd/{fd}"))?
            .display()
            .to_string()
            .starts_with("socket:[")
    );
    // SAFETY: no pointers.
    println!("seek {}", Answer::of(unsafe { libc::lseek(fd, 0, 0) }));
    // SAFETY: bad pointers are the kernel's to refuse.
    unsafe {
        println!(
            "bad {}",
            Answer::of(libc::send(fd, 8 as *const _, 8, 0) as i64)
        );
        send(&near, b"x");
        println!(
            "bad {}",
            Answer::of(libc::recv(far.as_raw_fd(), 8 as *mut _, 8, 0) as i64)
        );
    }
    println!("still there {}", receive(&far, 8, 0));
    Ok(())
}

/// Megabytes between threads that wait for each other.
pub fn waiting() -> io::Result<()> {
    let (mut near, mut far) = UnixStream::pair()?;
    let all: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 / 3) as u8).collect();
    let got = thread::scope(|scope| {
        scope.spawn(|| {
            near.write_all(&all).expect("all is written");
            near.shutdown(std::net::Shutdown::Write).expect("the end");
        });
        let mut got = Vec::new();
        far.read_to_end(&mut got).map(|_| got)
    })?;
    println!("{} equal {}", got.len(), got == all);
    let [near, far] = pair_of();
    thread::scope(|scope| {
        scope.spawn(|| {
            for piece in [b"ab", b"cd", b"ef"] {
                send(&near, piece);
                thread::yield_now();
            }
        });
        // SAFETY: no pointers.
        unsafe { libc::fcntl(far.as_raw_fd(), libc::F_SETFL, 0) };
        println!("all {}", receive(&far, 6, MSG_WAITALL));
    });
    Ok(())
}

/// One half ends, or both.
pub fn shut_down() -> io::Result<()> {
    for how in 0..3 {
        let [near, far] = pair_of();
        send(&near, b"before");
        println!(
            "{how}: {} {:#x} {:#x}",
            sys::shut_down(&near, how),
            ready(&near),
            ready(&far)
        );
        println!("  near {} {}", send(&near, b"x"), receive(&near, 10, 0));
        println!(
            "  far {} {} {}",
            send(&far, b"x"),
            receive(&far, 10, 0),
            receive(&far, 10, 0)
        );
    }
    let [near, _far] = pair_of();
    println!("3: {}", sys::shut_down(&near, 3));
    Ok(())
}

/// The other side goes, with everything read and with something left.
pub fn closing() -> io::Result<()> {
    let [near, far] = pair_of();
    send(&far, b"last");
    drop(far);
    println!("{:#x}", ready(&near));
    println!(
        "{} {} {}",
        receive(&near, 10, 0),
        receive(&near, 10, 0),
        send(&near, b"x")
    );
    let [near, far] = pair_of();
    send(&near, b"unread");
    drop(far);
    println!("{:#x}", ready(&near));
    println!("{} {}", receive(&near, 10, 0), receive(&near, 10, 0));
    Ok(())
}

/// Looking without taking.
pub fn peek() -> io::Result<()> {
    let [near, far] = pair_of();
    send(&near, b"abc");
    send(&near, b"def");
    println!("{}", receive(&far, 4, MSG_PEEK));
    println!("{}", receive(&far, 2, 0));
    println!("{}", receive(&far, 10, MSG_PEEK | MSG_DONTWAIT));
    let mut waiting = 0;
    // SAFETY: room for a number.
    unsafe { libc::ioctl(far.as_raw_fd(), libc::FIONREAD, &raw mut waiting) };
    println!("{waiting} {}", receive(&far, 10, 0));
    Ok(())
}

/// What poll says.
pub fn readiness() -> io::Result<()> {
    let fresh = sys::socket(SOCK_STREAM);
    println!("fresh {:#x}", ready(&fresh));
    let [near, far] = pair_of();
    println!("pair {:#x} {:#x}", ready(&near), ready(&far));
    send(&near, b"x");
    println!("sent {:#x} {:#x}", ready(&near), ready(&far));
    while let Answer::Done(_) = send(&near, &[7; 8192]) {}
    println!("full {:#x} {:#x}", ready(&near) & libc::POLLIN, ready(&far));
    while !receive(&far, 1 << 16, 0).starts_with("error") {}
    println!("empty {:#x} {:#x}", ready(&near), ready(&far));
    Ok(())
}
