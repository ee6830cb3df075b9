//! System calls on sockets: socket(2), socketpair(2), bind(2) and the rest, for unix(7).

mod many;
mod message;
mod options;

pub use many::{recvmmsg, sendmmsg};
pub use message::{read, recvfrom, recvmsg, sendmsg, sendto, write};
pub use options::{getsockopt, setsockopt};

use crate::errno::{Errno, SysResult};
use crate::fs::anon;
use crate::fs::fd::{self, File};
use crate::fs::inode::Kind;
use crate::fs::rc::Ref;
use crate::net::unix::address::{self, Name};
use crate::net::unix::{Endpoint, RECEIVE, SEND, Style, Unix, connect};
use crate::sys::file::open::UMASK;
use crate::uaccess::UserPtr;
use core::sync::atomic::Ordering::Relaxed;
use linux_raw_sys::general::{O_CLOEXEC, O_NONBLOCK, O_RDWR, S_IFSOCK};
use linux_raw_sys::net::{AF_UNIX, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM};

/// Flags beside the style of a socket.
const FLAGS: u32 = O_NONBLOCK | O_CLOEXEC;
const AF_UNSPEC: u16 = 0;

/// The socket behind an open file: `ENOTSOCK`.
fn unix(file: &File) -> Result<&Ref<Unix>, Errno> {
    match &file.inode().kind {
        Kind::Endpoint(endpoint) => Ok(endpoint.socket()),
        _ => Err(Errno::ENOTSOCK),
    }
}

fn open(endpoint: Endpoint, flags: u32) -> Result<File, Errno> {
    let cred = crate::cred::current();
    let owner = (cred.fsuid(), cred.fsgid());
    let status = O_RDWR | flags & O_NONBLOCK;
    anon::open(Kind::Endpoint(endpoint), S_IFSOCK | 0o777, owner, status)
}

fn style(family: u32, style: u32, protocol: u32) -> Result<Style, Errno> {
    if style & !(FLAGS | 15) != 0 {
        return Err(Errno::EINVAL);
    }
    if family != AF_UNIX {
        return Err(Errno::EAFNOSUPPORT);
    }
    if protocol != 0 && protocol != AF_UNIX {
        return Err(Errno::EPROTONOSUPPORT);
    }
    match style & 15 {
        SOCK_STREAM => Ok(Style::Stream),
        // As on Linux, a raw one is one of datagrams.
        SOCK_DGRAM | SOCK_RAW => Ok(Style::Datagram),
        SOCK_SEQPACKET => Ok(Style::Packets),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}

/// socket(2).
pub fn socket(family: u32, kind: u32, protocol: u32) -> SysResult {
    let style = style(family, kind, protocol)?;
    let file = open(Endpoint::new(Unix::new(style)?), kind)?;
    fd::insert(file, 0, kind & O_CLOEXEC != 0)
}

/// socketpair(2).
pub fn socketpair(family: u32, kind: u32, protocol: u32, to: UserPtr<[i32; 2]>) -> SysResult {
    let pair = Unix::pair(style(family, kind, protocol)?)?.map(Endpoint::new);
    let [one, other] = pair.map(|endpoint| open(endpoint, kind));
    let cloexec = kind & O_CLOEXEC != 0;
    let first = fd::insert(one?, 0, cloexec)? as i32;
    let close = |fd| drop(fd::remove(fd));
    let second = other.and_then(|other| fd::insert(other, 0, cloexec));
    let second = second.inspect_err(|_| close(first))? as i32;
    to.write(&[first, second]).inspect_err(|_| {
        close(first);
        close(second);
    })?;
    Ok(0)
}

/// bind(2).
pub fn bind(fd: i32, address: usize, length: u32) -> SysResult {
    let file = fd::get(fd)?;
    let socket = unix(&file)?;
    let name = Name::read(address, length)?;
    connect::bind(socket, name, 0o777 & !UMASK.load(Relaxed))?;
    Ok(0)
}

/// listen(2).
pub fn listen(fd: i32, backlog: i32) -> SysResult {
    unix(&fd::get(fd)?)?.listen(backlog)?;
    Ok(0)
}

/// accept(2).
pub fn accept(fd: i32, address: usize, length: UserPtr<i32>) -> SysResult {
    accept4(fd, address, length, 0)
}

/// accept4(2).
pub fn accept4(fd: i32, address: usize, length: UserPtr<i32>, flags: u32) -> SysResult {
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let file = fd::get(fd)?;
    let endpoint = unix(&file)?.accept(file.is_nonblocking())?;
    if address != 0 {
        // A partner that is gone already has no name.
        let name = endpoint.socket().peer_name().unwrap_or(None);
        address::write(name.as_ref(), address, length)?;
    }
    let new = open(endpoint, flags)?;
    fd::insert(new, 0, flags & O_CLOEXEC != 0)
}

/// connect(2); without a family, a datagram socket has no partner any more.
pub fn connect(fd: i32, address: usize, length: u32) -> SysResult {
    let file = fd::get(fd)?;
    let socket = unix(&file)?;
    let family = UserPtr::<u16>::new(address);
    if length >= 2 && family.read()? == AF_UNSPEC && socket.style == Style::Datagram {
        socket.disconnect();
        return Ok(0);
    }
    let name = Name::read(address, length)?.ok_or(Errno::EINVAL)?;
    connect::connect(socket, &name, file.is_nonblocking())?;
    Ok(0)
}

/// getsockname(2).
pub fn getsockname(fd: i32, address: usize, length: UserPtr<i32>) -> SysResult {
    let file = fd::get(fd)?;
    address::write(unix(&file)?.name().as_ref(), address, length)?;
    Ok(0)
}

/// getpeername(2).
pub fn getpeername(fd: i32, address: usize, length: UserPtr<i32>) -> SysResult {
    let file = fd::get(fd)?;
    address::write(unix(&file)?.peer_name()?.as_ref(), address, length)?;
    Ok(0)
}

/// shutdown(2).
pub fn shutdown(fd: i32, how: u32) -> SysResult {
    let file = fd::get(fd)?;
    let socket = unix(&file)?;
    let mut halves = [false; 2];
    match how {
        0 => halves[RECEIVE] = true,
        1 => halves[SEND] = true,
        2 => halves = [true; 2],
        _ => return Err(Errno::EINVAL),
    }
    socket.shut_down(halves);
    Ok(0)
}
