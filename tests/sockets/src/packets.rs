//! Datagrams and sequenced packets.

use crate::sys::{accept, bind, connect, listen, pair, ready, receive, send, send_to, socket};
use libc::{MSG_PEEK, MSG_TRUNC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_SEQPACKET};
use std::io;
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
