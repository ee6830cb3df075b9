//! Names, connections.

use crate::sys::{accept, bind, connect, listen, name, ready, receive, send, socket};
use libc::{SOCK_DGRAM, SOCK_NONBLOCK, SOCK_SEQPACKET, SOCK_STREAM, getpeername, getsockname};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};

fn stream() -> OwnedFd {
    socket(SOCK_STREAM | SOCK_NONBLOCK)
}

fn accepted(listener: &OwnedFd) -> String {
    match accept(listener) {
        Ok(_) => "a connection".into(),
        Err(answer) => answer.to_string(),
    }
}

/// Connections by a path, in their order.
pub fn listen_path() -> io::Result<()> {
    let listener = stream();
    println!(
        "early {} {}",
        listen(&listener, 1),
        connect(&stream(), b"listen.sock")
    );
    println!("bind {}", bind(&listener, b"listen.sock"));
    let data = fs::metadata("listen.sock")?;
    println!(
        "{} {:o}",
        data.file_type().is_socket(),
        data.permissions().mode()
    );
    println!("not yet {}", connect(&stream(), b"listen.sock"));
    println!(
        "listen {} {:#x} {}",
        listen(&listener, 1),
        ready(&listener),
        accepted(&listener)
    );
    let clients: Vec<OwnedFd> = (0..4).map(|_| stream()).collect();
    for client in &clients {
        println!("connect {}", connect(client, b"listen.sock"));
    }
    println!(
        "{:#x} again {}",
        ready(&listener),
        connect(&clients[0], b"listen.sock")
    );
    send(&clients[0], b"first");
    let server = accept(&listener).map_err(|answer| io::Error::other(answer.to_string()))?;
    println!("{}", receive(&server, 10, 0));
    println!(
        "server {} of {}",
        name(&server, getsockname),
        name(&server, getpeername)
    );
    println!(
        "client {} of {}",
        name(&clients[0], getsockname),
        name(&clients[0], getpeername)
    );
    send(&server, b"answer");
    println!("{}", receive(&clients[0], 10, 0));
    // Nobody will accept the second.
    drop(listener);
    println!("{:#x} {}", ready(&clients[1]), receive(&clients[1], 10, 0));
    println!("gone {}", connect(&stream(), b"listen.sock"));
    fs::remove_file("listen.sock")?;
    println!("no name {}", connect(&stream(), b"listen.sock"));
    Ok(())
}

/// Paths, abstract names, none.
pub fn names() -> io::Result<()> {
    let socket = stream();
    println!(
        "{} {}",
        name(&socket, getsockname),
        name(&socket, getpeername)
    );
    println!(
        "{} {}",
        bind(&socket, b"\0abstract"),
        name(&socket, getsockname)
    );
    println!("twice {}", bind(&socket, b"\0other"));
    println!("taken {}", bind(&stream(), b"\0abstract"));
    let longer = stream();
    println!("longer {}", bind(&longer, b"\0abstract\0"));
    listen(&socket, 5);
    println!(
        "{} {}",
        connect(&stream(), b"\0abstract"),
        connect(&stream(), b"\0absent")
    );
    drop(socket);
    println!(
        "free {} {}",
        connect(&stream(), b"\0abstract"),
        bind(&stream(), b"\0abstract")
    );
    let by_path = stream();
    println!(
        "{} {}",
        bind(&by_path, b"name.sock"),
        name(&by_path, getsockname)
    );
    println!(
        "taken {} {}",
        bind(&stream(), b"name.sock"),
        bind(&stream(), b"no/such/name")
    );
    let automatic = stream();
    println!("{}", bind(&automatic, b""));
    println!("{}", name(&automatic, getsockname).len());
    fs::remove_file("name.sock")
}

/// Connections that cannot be.
pub fn refused() -> io::Result<()> {
    let listener = stream();
    bind(&listener, b"\0refused");
    listen(&listener, 0);
    println!("style {}", connect(&socket(SOCK_DGRAM), b"\0refused"));
    println!("style {}", connect(&socket(SOCK_SEQPACKET), b"\0refused"));
    println!("listener {}", connect(&listener, b"\0refused"));
    let (first, second) = (stream(), stream());
    println!(
        "{} {}",
        connect(&first, b"\0refused"),
        connect(&second, b"\0refused")
    );
    drop(first);
    println!("{}", accepted(&listener));
    println!("{}", connect(&second, b"\0refused"));
    fs::write("file.sock", b"")?;
    println!("a file {}", connect(&stream(), b"file.sock"));
    println!(
        "datagrams {} {}",
        listen_on_datagrams(),
        accepted(&socket(SOCK_DGRAM))
    );
    println!(
        "not connected {} {}",
        send(&stream(), b"x"),
        receive(&stream(), 1, 0)
    );
    fs::remove_file("file.sock")
}

fn listen_on_datagrams() -> String {
    let datagrams = socket(SOCK_DGRAM);
    bind(&datagrams, b"\0datagrams");
    listen(&datagrams, 1).to_string()
}
