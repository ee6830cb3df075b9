//! The calls, with results that can be printed.

use std::fmt;
use std::io::Error;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// What a call returned: a number, or the name of an error.
pub struct Answer(pub i64);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 0 {
            return write!(f, "{}", self.0);
        }
        let error = Error::last_os_error().raw_os_error().unwrap_or(0);
        match error {
            libc::EINVAL => f.write_str("EINVAL"),
            libc::EAGAIN => f.write_str("EAGAIN"),
            libc::EEXIST => f.write_str("EEXIST"),
            libc::ENOENT => f.write_str("ENOENT"),
            libc::ELOOP => f.write_str("ELOOP"),
            libc::EPERM => f.write_str("EPERM"),
            libc::EBADF => f.write_str("EBADF"),
            libc::EFAULT => f.write_str("EFAULT"),
            libc::EINTR => f.write_str("EINTR"),
            libc::ESPIPE => f.write_str("ESPIPE"),
            other => write!(f, "error {other}"),
        }
    }
}

/// A new descriptor, which must be one.
pub fn owned(fd: i32) -> OwnedFd {
    assert!(fd >= 0, "{}", Error::last_os_error());
    // SAFETY: the call that returned it has just opened it, for nobody else.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// eventfd(2).
pub fn counter(value: u32, flags: i32) -> OwnedFd {
    // SAFETY: no pointers.
    owned(unsafe { libc::eventfd(value, flags) })
}

/// epoll_create1(2).
pub fn epoll() -> OwnedFd {
    // SAFETY: no pointers.
    owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

/// A pipe that does not wait: the end to read from, and the end to write to.
pub fn pipe() -> [OwnedFd; 2] {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK) };
    assert_eq!(made, 0);
    ends.map(owned)
}

/// epoll_ctl(2).
pub fn control(epoll: &OwnedFd, operation: i32, fd: RawFd, events: u32, data: u64) -> Answer {
    let mut event = libc::epoll_event { events, u64: data };
    // SAFETY: the event is one.
    Answer(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), operation, fd, &raw mut event) }.into())
}

/// `EPOLL_CTL_ADD`, with the descriptor as data.
pub fn add(epoll: &OwnedFd, fd: &OwnedFd, events: i32, data: u64) -> Answer {
    control(
        epoll,
        libc::EPOLL_CTL_ADD,
        fd.as_raw_fd(),
        events as u32,
        data,
    )
}

/// epoll_wait(2): data and events.
pub fn wait(epoll: &OwnedFd, most: usize, milliseconds: i32) -> Vec<(u64, u32)> {
    let mut room = vec![libc::epoll_event { events: 0, u64: 0 }; most];
    let (fd, to) = (epoll.as_raw_fd(), room.as_mut_ptr());
    // SAFETY: the room is for that many.
    let count = unsafe { libc::epoll_wait(fd, to, most as i32, milliseconds) };
    let count = usize::try_from(count).expect("epoll_wait");
    room[..count].iter().map(|e| (e.u64, e.events)).collect()
}

/// write(2).
pub fn write(fd: &OwnedFd, bytes: &[u8]) -> Answer {
    // SAFETY: the bytes are there.
    Answer(unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) } as i64)
}

/// read(2).
pub fn read(fd: &OwnedFd, room: &mut [u8]) -> Answer {
    // SAFETY: the room is there.
    Answer(unsafe { libc::read(fd.as_raw_fd(), room.as_mut_ptr().cast(), room.len()) } as i64)
}
