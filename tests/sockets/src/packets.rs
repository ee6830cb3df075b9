//! Datagrams and sequenced packets.

use crate::sys::{accept, bind, connect, listen, pair, ready, receive, send, send_to, socket};
use libc::{MSG_PEEK, MSG_TRUNC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_SEQPACKET};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

const DATAGRAMS: i32 = SOCK_DGRAM | SOCK_NONBLOCK;

/// Messages stay whole; what there is no room for is lost.
pub fn datagrams() -> io::Result<()> {
    let [near, far] = pair(DATAGRAMS);
    println!(
        "{} {} {}",
        send(&near, b"one"),
        send(&near, b""),
        send(&near, b"three")
    );
    println!("{} {}", receive(&far, 2, MSG_PEEK), receive(&far, 2, 0));
    println!("{} {}", receive(&far, 9, 0), receive(&far, 2, MSG_TRUNC));
    println!("{} {:#x}", receive(&far, 9, 0), ready(&far));

    let (one, two) = (socket(DATAGRAMS), socket(DATAGRAMS));
    println!("alone {} {:#x}", send(&one, b"x"), ready(&one));
    println!(
        "{} {}",
        bind(&two, b"\0two"),
        send_to(&one, b"hello", b"\0two")
    );
    println!(
        "{} {}",
        receive(&two, 9, 0),
        send_to(&one, b"x", b"\0nobody")
    );
    println!("{} {}", connect(&one, b"\0two"), send(&one, b"again"));
    println!("{}", receive(&two, 9, 0));
    println!(
        "{} {} {}",
        bind(&one, b"\0one"),
        connect(&two, b"\0one"),
        send(&two, b"back")
    );
    println!("{}", receive(&one, 9, 0));
    let other = socket(DATAGRAMS);
    println!(
        "another's partner {} {}",
        send_to(&other, b"x", b"\0two"),
        connect(&other, b"\0two")
    );
    drop(two);
    println!("gone {} {}", send(&one, b"x"), send(&one, b"x"));

    let receiver = UnixDatagram::bind("datagram.sock")?;
    let sender = UnixDatagram::bind("sender.sock")?;
    sender.send_to(b"named", "datagram.sock")?;
    let mut room = [0; 16];
    let (count, from) = receiver.recv_from(&mut room)?;
    println!("{count} from {from:?}");
    UnixDatagram::unbound()?.send_to(b"nameless", "datagram.sock")?;
    let (count, from) = receiver.recv_from(&mut room)?;
    println!("{count} from {from:?}");
    std::fs::remove_file("datagram.sock")?;
    std::fs::remove_file("sender.sock")
}

/// Messages, with a connection.
pub fn packets() -> io::Result<()> {
    let kind = SOCK_SEQPACKET | SOCK_NONBLOCK;
    let (listener, client) = (socket(kind), socket(kind));
    println!("{} {}", send(&client, b"x"), receive(&client, 1, 0));
    println!("{} {}", bind(&listener, b"\0packets"), listen(&listener, 4));
    println!(
        "{} {} {}",
        connect(&client, b"\0packets"),
        send(&client, b"first"),
        send(&client, b"second")
    );
    let server = accept(&listener).map_err(|answer| io::Error::other(answer.to_string()))?;
    println!(
        "{} {} {}",
        receive(&server, 3, 0),
        receive(&server, 99, 0),
        receive(&server, 9, 0)
    );
    println!("{}", send_to(&client, b"elsewhere", b"\0nobody"));
    println!("{}", receive(&server, 99, 0));
    send(&server, b"rest");
    drop(server);
    println!(
        "{:#x} {} {}",
        ready(&client),
        receive(&client, 9, 0),
        receive(&client, 9, 0)
    );
    println!("{}", send(&client, b"x"));
    Ok(())
}

/// Too many, too long.
pub fn limits() -> io::Result<()> {
    let [near, far] = pair(DATAGRAMS);
    let mut sent = 0;
    while let crate::sys::Answer::Done(_) = send(&near, b"x") {
        sent += 1;
    }
    println!("{sent} {} {:#x}", send(&near, b"x"), ready(&near));
    println!(
        "{} {:#x} {}",
        receive(&far, 1, 0),
        ready(&near),
        send(&near, b"x")
    );
    let [near, _far] = pair(DATAGRAMS);
    println!("{}", send(&near, &vec![0; 300_000]));
    Ok(())
}

/// sendmmsg(2) and recvmmsg(2): several messages at a time.
pub fn several() -> io::Result<()> {
    const MOST: usize = 4;
    let [near, far] = pair(libc::SOCK_DGRAM);
    let many = |fd: &OwnedFd, sending: bool, count: u32, flags: i32, timeout: Option<[i64; 2]>| {
        let mut bytes = [*b"first---", *b"second--", *b"third---", *b"fourth--"];
        let mut parts: Vec<libc::iovec> = bytes
            .iter_mut()
            .enumerate()
            .map(|(index, bytes)| libc::iovec {
                iov_base: bytes.as_mut_ptr().cast(),
                iov_len: 5 + index,
            })
            .collect();
        let mut messages: Vec<libc::mmsghdr> = parts
            .iter_mut()
            .map(|part| {
                // SAFETY: integers and pointers, for which 0 is a value.
                let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
                message.msg_hdr.msg_iov = part;
                message.msg_hdr.msg_iovlen = 1;
                message.msg_len = 99;
                message
            })
            .collect();
        if !sending {
            bytes = [[b'.'; 8]; MOST];
        }
        let timeout = timeout.as_ref().map_or(0, |time| time.as_ptr() as u64);
        let (at, fd) = (messages.as_mut_ptr() as u64, fd.as_raw_fd() as u64);
        let args = [fd, at, count.into(), flags as u64, timeout];
        let number = match sending {
            true => libc::SYS_sendmmsg,
            false => libc::SYS_recvmmsg,
        };
        let outcome = test_support::call(number, &args);
        test_support::report(if sending { "send" } else { "receive" }, outcome);
        for (message, bytes) in messages.iter().zip(&bytes).take(count as usize) {
            print!(" {} {}", message.msg_len, String::from_utf8_lossy(bytes));
        }
        println!();
    };
    let dont = libc::MSG_DONTWAIT;
    many(&near, true, 3, 0, None);
    many(&far, false, 2, 0, None);
    many(&far, false, 4, dont, None);
    many(&far, false, 4, dont, None);
    many(&far, false, 0, dont, None);
    many(&near, true, 0, 0, None);
    // The first is waited for, the others are not.
    many(&near, true, 2, 0, None);
    many(&far, false, 4, libc::MSG_WAITFORONE, None);
    // The time is looked at behind each message.
    many(&near, true, 4, 0, None);
    many(&far, false, 4, 0, Some([0, 1]));
    many(&far, false, 4, dont, Some([0, 1_000_000_000]));
    many(&far, false, 4, dont, Some([5, 0]));
    drop(far);
    many(&near, true, 2, libc::MSG_NOSIGNAL, None);
    let null = std::fs::File::open("/dev/null")?.into();
    many(&null, true, 2, 0, None);
    many(&null, false, 0, 0, None);
    let at = 8_u64;
    let near = near.as_raw_fd() as u64;
    for number in [libc::SYS_sendmmsg, libc::SYS_recvmmsg] {
        let outcome = test_support::call(number, &[near, at, 1, dont as u64, 0]);
        test_support::report("nowhere", outcome);
        let outcome = test_support::call(number, &[99, at, 1, 0, 0]);
        test_support::report("not open", outcome);
    }
    Ok(())
}
