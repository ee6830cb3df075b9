//! Options, and what is refused.

use crate::sys::{Answer, option, pair, receive, set_option, socket};
use libc::{SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// What can be asked, what can be set.
pub fn run() -> io::Result<()> {
    let [near, far] = pair(SOCK_STREAM);
    let numbers = [
        ("type", libc::SO_TYPE),
        ("domain", libc::SO_DOMAIN),
        ("protocol", libc::SO_PROTOCOL),
        ("error", libc::SO_ERROR),
        ("listening", libc::SO_ACCEPTCONN),
        ("receive", libc::SO_RCVBUF),
        ("send", libc::SO_SNDBUF),
        ("credentials", libc::SO_PASSCRED),
        ("reuse", libc::SO_REUSEADDR),
        ("keep", libc::SO_KEEPALIVE),
        ("none", 9999),
    ];
    for (name, number) in numbers {
        println!("{name}: {}", option(&near, number));
    }
    println!(
        "{} {}",
        set_option(&near, libc::SO_SNDBUF, 10_000),
        option(&near, libc::SO_SNDBUF)
    );
    println!(
        "{} {}",
        set_option(&near, libc::SO_RCVBUF, 1),
        option(&near, libc::SO_RCVBUF)
    );
    println!(
        "{} {}",
        set_option(&near, libc::SO_REUSEADDR, 1),
        option(&near, libc::SO_REUSEADDR)
    );
    println!("{}", set_option(&near, 9999, 1));
    println!(
        "{} {}",
        option(&socket(SOCK_DGRAM), libc::SO_TYPE),
        option(&socket(SOCK_SEQPACKET), libc::SO_TYPE)
    );

    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut len = 12;
    let to = (&raw mut peer).cast();
    // SAFETY: room for credentials.
    let answer = Answer::of(unsafe {
        libc::getsockopt(
            far.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            to,
            &raw mut len,
        )
    });
    println!("{answer} {len} {}", peer.pid == std::process::id() as i32);

    let time = libc::timeval {
        tv_sec: 0,
        tv_usec: 30_000,
    };
    let from = (&raw const time).cast();
    // SAFETY: the time is there.
    let answer = Answer::of(unsafe {
        libc::setsockopt(
            near.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            from,
            16,
        )
    });
    let start = Instant::now();
    println!(
        "{answer} {} early {}",
        receive(&near, 1, 0),
        start.elapsed() < Duration::from_millis(29)
    );
    Ok(())
}

/// One line a rule.
pub fn rules() -> io::Result<()> {
    let file = File::open("/dev/null")?;
    let fd = file.as_raw_fd();
    let null = std::ptr::null_mut::<libc::c_void>;
    // SAFETY: bad arguments are the kernel's to refuse.
    unsafe {
        println!("family {}", Answer::of(libc::socket(999, SOCK_STREAM, 0)));
        println!("style {}", Answer::of(libc::socket(libc::AF_UNIX, 9, 0)));
        println!(
            "flags {}",
            Answer::of(libc::socket(libc::AF_UNIX, SOCK_STREAM | 0x100_0000, 0))
        );
        println!(
            "protocol {}",
            Answer::of(libc::socket(libc::AF_UNIX, SOCK_STREAM, 5))
        );
        println!("not open {}", Answer::of(libc::listen(999, 1)));
        println!("no socket {}", Answer::of(libc::listen(fd, 1)));
        println!(
            "no socket {}",
            Answer::of(libc::send(fd, null(), 0, 0) as i64)
        );
        println!(
            "no socket {}",
            Answer::of(libc::recv(fd, null(), 0, 0) as i64)
        );
        println!(
            "no room {}",
            Answer::of(libc::socketpair(libc::AF_UNIX, SOCK_STREAM, 0, 8 as *mut _))
        );
        let socket = socket(SOCK_STREAM);
        let fd = socket.as_raw_fd();
        let (address, _) = crate::sys::address(b"x");
        let address = (&raw const address).cast();
        println!("short {}", Answer::of(libc::bind(fd, address, 1)));
        println!("long {}", Answer::of(libc::bind(fd, address, 111)));
        println!("bad {}", Answer::of(libc::bind(fd, 8 as *const _, 10)));
        let other = libc::sockaddr {
            sa_family: libc::AF_INET as u16,
            sa_data: [0; 14],
        };
        println!(
            "family {}",
            Answer::of(libc::bind(fd, &raw const other, 16))
        );
        println!(
            "family {}",
            Answer::of(libc::connect(fd, &raw const other, 16))
        );
        println!("unnamed {}", Answer::of(libc::listen(fd, 1)));
    }
    Ok(())
}
