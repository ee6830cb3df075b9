//! epoll_create(2), epoll_ctl(2), epoll_wait(2).

use crate::errno::{Errno, SysResult};
use crate::fs::event::Event;
use crate::fs::event::epoll::{Epoll, Wanted};
use crate::fs::fd;
use crate::signal;
use crate::sys::poll::{Wait, timespec, under_mask};
use crate::uaccess::{UserPtr, access_ok};
use linux_raw_sys::general::{
    __kernel_timespec, EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLERR,
    EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLWAKEUP,
};

/// Most events that a wait may ask for (EP_MAX_EVENTS).
const MOST: usize = i32::MAX as usize / size_of::<Wanted>();
/// What may be wanted together with `EPOLLEXCLUSIVE`.
const EXCLUSIVE: u32 =
    EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

/// epoll_create(2): the size is a hint of old, but must be positive.
pub fn epoll_create(size: i32) -> SysResult {
    match size {
        1.. => epoll_create1(0),
        _ => Err(Errno::EINVAL),
    }
}

/// epoll_create1(2).
pub fn epoll_create1(flags: u32) -> SysResult {
    if flags & !EPOLL_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    super::open(Event::Epoll(Epoll::new()), flags)
}

/// epoll_ctl(2).
pub fn epoll_ctl(epfd: i32, operation: u32, fd: i32, event: UserPtr<Wanted>) -> SysResult {
    let wanted = match operation {
        EPOLL_CTL_DEL => Wanted::default(),
        _ => event.read()?,
    };
    let me = fd::get(epfd)?;
    let file = fd::get(fd)?;
    if !file.can_be_watched() {
        return Err(Errno::EPERM);
    }
    let epoll = me.epoll().ok_or(Errno::EINVAL)?;
    if me.identity() == file.identity() {
        return Err(Errno::EINVAL);
    }
    let events = wanted.events;
    if events & EPOLLEXCLUSIVE != 0 {
        let may = operation == EPOLL_CTL_ADD && file.epoll().is_none();
        if !may || events & !EXCLUSIVE != 0 {
            return Err(Errno::EINVAL);
        }
    }
    match operation {
        // SAFETY: it is in an inode, on the heap, and does not move.
        EPOLL_CTL_ADD => unsafe { epoll.add(&me, (fd, &file), wanted) },
        EPOLL_CTL_MOD => epoll.change(fd, &file, wanted),
        EPOLL_CTL_DEL => epoll.remove(fd, &file),
        _ => Err(Errno::EINVAL),
    }?;
    Ok(0)
}

/// epoll_wait(2): `timeout` is in milliseconds, negative for ever.
pub fn epoll_wait(epfd: i32, to: UserPtr<Wanted>, most: i32, timeout: i32) -> SysResult {
    wait(epfd, to, most, Wait::milliseconds(timeout))
}

/// epoll_pwait(2).
pub fn epoll_pwait(
    epfd: i32,
    to: UserPtr<Wanted>,
    most: i32,
    timeout: i32,
    mask: UserPtr<u64>,
    size: usize,
) -> SysResult {
    let until = Wait::milliseconds(timeout);
    under_mask(mask, size, || wait(epfd, to, most, until))?
}

/// epoll_pwait2(2).
pub fn epoll_pwait2(
    epfd: i32,
    to: UserPtr<Wanted>,
    most: i32,
    timeout: UserPtr<__kernel_timespec>,
    mask: UserPtr<u64>,
    size: usize,
) -> SysResult {
    let until = timespec(timeout)?;
    under_mask(mask, size, || wait(epfd, to, most, until))?
}

fn wait(epfd: i32, to: UserPtr<Wanted>, most: i32, until: Wait) -> SysResult {
    let most = usize::try_from(most)
        .ok()
        .filter(|most| (1..=MOST).contains(most))
        .ok_or(Errno::EINVAL)?;
    if !access_ok(to.address(), most * size_of::<Wanted>()) {
        return Err(Errno::EFAULT);
    }
    let file = fd::get(epfd)?;
    let epoll = file.epoll().ok_or(Errno::EINVAL)?;
    loop {
        let done = epoll.collect(to, most)?;
        if done > 0 {
            return Ok(done);
        }
        if signal::is_due() {
            return Err(Errno::EINTR);
        }
        let Some(deadline) = until.deadline() else {
            return Ok(0);
        };
        // What ended it, the next round finds out.
        let _ = epoll.queue().wait_until(deadline, || epoll.may_be_ready());
    }
}
