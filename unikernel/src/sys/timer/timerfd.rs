//! timerfd_create(2), timerfd_settime(2), timerfd_gettime(2).

use super::{Spec, read_spec, write_spec};
use crate::errno::{Errno, SysResult};
use crate::fs::event::Event;
use crate::fs::event::timerfd::TimerFd;
use crate::fs::fd::{self, File};
use crate::fs::inode::Kind;
use crate::sys::event;
use crate::timer::Clock;
use crate::uaccess::UserPtr;
use linux_raw_sys::general::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, O_CLOEXEC, O_NONBLOCK,
};

/// Times of the timer's clock instead of lengths.
const ABSOLUTE: u32 = 1;
/// `ECANCELED` when the clock is set, which it cannot be.
const CANCEL_ON_SET: u32 = 2;

/// timerfd_create(2).
pub fn timerfd_create(clock: u32, flags: u32) -> SysResult {
    if flags & !(O_NONBLOCK | O_CLOEXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    let clock = match clock {
        CLOCK_REALTIME => Clock::Realtime,
        CLOCK_MONOTONIC | CLOCK_BOOTTIME => Clock::Monotonic,
        _ => return Err(Errno::EINVAL),
    };
    event::open(Event::Timer(TimerFd::new(clock)?), flags)
}

fn timer(file: &File) -> Result<&TimerFd, Errno> {
    match &file.inode().kind {
        Kind::Event(Event::Timer(timer)) => Ok(timer),
        _ => Err(Errno::EINVAL),
    }
}

/// timerfd_settime(2).
pub fn timerfd_settime(fd: i32, flags: u32, new: UserPtr<Spec>, old: UserPtr<Spec>) -> SysResult {
    let wanted = read_spec(new)?;
    if flags & !(ABSOLUTE | CANCEL_ON_SET) != 0 {
        return Err(Errno::EINVAL);
    }
    let file = fd::get(fd)?;
    let timer = timer(&file)?;
    let before = timer.timer().left();
    timer.timer().set(wanted, flags & ABSOLUTE != 0);
    if let Some(old) = old.optional() {
        write_spec(old, before)?;
    }
    Ok(0)
}

/// timerfd_gettime(2).
pub fn timerfd_gettime(fd: i32, to: UserPtr<Spec>) -> SysResult {
    let file = fd::get(fd)?;
    write_spec(to, timer(&file)?.timer().left())?;
    Ok(0)
}
