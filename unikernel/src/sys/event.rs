//! System calls that make files of events: eventfd(2), signalfd(2), epoll(7).

mod epoll;

pub use epoll::{epoll_create, epoll_create1, epoll_ctl, epoll_pwait, epoll_pwait2, epoll_wait};

use super::signal::read_set;
use crate::errno::{Errno, SysResult};
use crate::fs::event::Event;
use crate::fs::event::counter::Counter;
use crate::fs::event::signals::Signals;
use crate::fs::inode::Kind;
use crate::fs::{anon, fd};
use crate::uaccess::UserPtr;
use linux_raw_sys::general::{
    EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE, O_CLOEXEC, O_NONBLOCK, O_RDWR,
};

/// Gives a new one a descriptor; `flags` may have `O_NONBLOCK` and `O_CLOEXEC`.
pub fn open(event: Event, flags: u32) -> SysResult {
    let status = O_RDWR | flags & O_NONBLOCK;
    let file = anon::open(Kind::Event(event), 0o600, (0, 0), status)?;
    fd::insert(file, 0, flags & O_CLOEXEC != 0)
}

/// eventfd(2).
pub fn eventfd(value: u32) -> SysResult {
    eventfd2(value, 0)
}

/// eventfd2(2).
pub fn eventfd2(value: u32, flags: u32) -> SysResult {
    const _: () = assert!(EFD_CLOEXEC == O_CLOEXEC && EFD_NONBLOCK == O_NONBLOCK);
    if flags & !(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let counter = Counter::new(value, flags & EFD_SEMAPHORE != 0);
    open(Event::Counter(counter), flags)
}

/// signalfd(2).
pub fn signalfd(fd: i32, set: UserPtr<u64>, size: usize) -> SysResult {
    signalfd4(fd, set, size, 0)
}

/// signalfd4(2): `fd` is -1 for a new descriptor, or one whose set is replaced.
pub fn signalfd4(fd: i32, set: UserPtr<u64>, size: usize, flags: u32) -> SysResult {
    let set = read_set(set, size)?;
    if flags & !(O_NONBLOCK | O_CLOEXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    if fd == -1 {
        return open(Event::Signals(Signals::new(set)), flags);
    }
    match &fd::get(fd)?.inode().kind {
        Kind::Event(Event::Signals(signals)) => signals.set(set),
        _ => return Err(Errno::EINVAL),
    }
    Ok(fd as usize)
}
