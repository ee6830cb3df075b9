//! The calls, with results that can be printed.

use std::fmt;
use std::io::Error;
use std::mem::{offset_of, size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// What a call returned: a number, or an error.
pub enum Answer {
    /// A result.
    Done(i64),
    /// An error number.
    Failed(i32),
}

impl Answer {
    /// From the result of a call that has just been made.
    pub fn of(result: impl Into<i64>) -> Self {
        match result.into() {
            -1 => Self::Failed(Error::last_os_error().raw_os_error().unwrap_or(0)),
            done => Self::Done(done),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(result) => write!(f, "{result}"),
            Self::Failed(error) => write!(f, "error {error}"),
        }
    }
}

/// A new descriptor, which must be one.
pub fn owned(fd: i32) -> OwnedFd {
    assert!(fd >= 0, "{}", Error::last_os_error());
    // SAFETY: the call that returned it has just opened it, for nobody else.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// socket(2).
pub fn socket(kind: i32) -> OwnedFd {
    // SAFETY: no pointers.
    owned(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })
}

/// socketpair(2).
pub fn pair(kind: i32) -> [OwnedFd; 2] {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors.
    let result = unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) };
    assert_eq!(result, 0, "{}", Error::last_os_error());
    fds.map(owned)
}

/// An address: of a path, or abstract when it starts with a NUL.
pub fn address(name: &[u8]) -> (libc::sockaddr_un, u32) {
    // SAFETY: an address is integers.
    let mut address: libc::sockaddr_un = unsafe { zeroed() };
    address.sun_family = libc::AF_UNIX as u16;
    for (to, &byte) in address.sun_path.iter_mut().zip(name) {
        *to = byte as libc::c_char;
    }
    let path = name.first().is_some_and(|&first| first != 0);
    let len = offset_of!(libc::sockaddr_un, sun_path) + name.len() + usize::from(path);
    (address, len as u32)
}

/// bind(2).
pub fn bind(fd: &OwnedFd, name: &[u8]) -> Answer {
    let (address, len) = address(name);
    // SAFETY: the address is one of that length.
    Answer::of(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), len) })
}

/// connect(2).
pub fn connect(fd: &OwnedFd, name: &[u8]) -> Answer {
    let (address, len) = address(name);
    // SAFETY: as above.
    Answer::of(unsafe { libc::connect(fd.as_raw_fd(), (&raw const address).cast(), len) })
}

/// listen(2).
pub fn listen(fd: &OwnedFd, backlog: i32) -> Answer {
    // SAFETY: no pointers.
    Answer::of(unsafe { libc::listen(fd.as_raw_fd(), backlog) })
}

/// accept(2), without asking who it is.
pub fn accept(fd: &OwnedFd) -> Result<OwnedFd, Answer> {
    // SAFETY: no address is wanted.
    let fd = unsafe {
        libc::accept4(
            fd.as_raw_fd(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            libc::SOCK_NONBLOCK,
        )
    };
    if fd < 0 {
        Err(Answer::of(-1))
    } else {
        Ok(owned(fd))
    }
}

/// send(2), without SIGPIPE.
pub fn send(fd: &OwnedFd, bytes: &[u8]) -> Answer {
    let flags = libc::MSG_NOSIGNAL;
    // SAFETY: the bytes are there.
    Answer::of(
        unsafe { libc::send(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) } as i64,
    )
}

/// sendto(2).
pub fn send_to(fd: &OwnedFd, bytes: &[u8], name: &[u8]) -> Answer {
    let (address, len) = address(name);
    let (fd, to) = (fd.as_raw_fd(), (&raw const address).cast());
    // SAFETY: bytes and address are there.
    Answer::of(unsafe { libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), 0, to, len) } as i64)
}

/// recv(2) of at most `most` bytes: the result, and what came.
pub fn receive(fd: &OwnedFd, most: usize, flags: i32) -> String {
    let mut room = vec![0_u8; most];
    // SAFETY: the room is there.
    let count = unsafe { libc::recv(fd.as_raw_fd(), room.as_mut_ptr().cast(), most, flags) };
    let answer = Answer::of(count as i64);
    let bytes = usize::try_from(count).unwrap_or(0).min(most);
    format!("{answer} {:?}", String::from_utf8_lossy(&room[..bytes]))
}

/// poll(2) without waiting: what holds.
pub fn ready(fd: &OwnedFd) -> i16 {
    let events = libc::POLLIN | libc::POLLOUT | libc::POLLRDHUP | libc::POLLPRI;
    let mut fds = [libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    }];
    // SAFETY: the array has one element.
    unsafe { libc::poll(fds.as_mut_ptr(), 1, 0) };
    fds[0].revents
}

/// shutdown(2).
pub fn shut_down(fd: &OwnedFd, how: i32) -> Answer {
    // SAFETY: no pointers.
    Answer::of(unsafe { libc::shutdown(fd.as_raw_fd(), how) })
}

/// A call that fills in an address: getsockname(2), getpeername(2).
pub type Ask = unsafe extern "C" fn(i32, *mut libc::sockaddr, *mut libc::socklen_t) -> i32;

/// What one of them says: the length, and the name.
pub fn name(fd: &OwnedFd, ask: Ask) -> String {
    // SAFETY: an address is integers.
    let mut address: libc::sockaddr_un = unsafe { zeroed() };
    let mut len = size_of::<libc::sockaddr_un>() as u32;
    // SAFETY: there is room for an address of that length.
    let answer =
        Answer::of(unsafe { ask(fd.as_raw_fd(), (&raw mut address).cast(), &raw mut len) });
    if let Answer::Failed(_) = answer {
        return answer.to_string();
    }
    let bytes: Vec<u8> = address.sun_path.iter().map(|&byte| byte as u8).collect();
    let text = String::from_utf8_lossy(&bytes[..(len as usize).saturating_sub(2)]).into_owned();
    format!("{len} family {} {text:?}", address.sun_family)
}

/// An option that is a number.
pub fn option(fd: &OwnedFd, option: i32) -> String {
    let (mut value, mut len) = (-1_i32, 4);
    let to = (&raw mut value).cast();
    // SAFETY: there is room for a number.
    let answer = Answer::of(unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, option, to, &raw mut len)
    });
    format!("{answer} {value} ({len})")
}

/// Sets an option that is a number.
pub fn set_option(fd: &OwnedFd, option: i32, value: i32) -> Answer {
    let from = (&raw const value).cast();
    // SAFETY: the number is there.
    Answer::of(unsafe { libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, option, from, 4) })
}
