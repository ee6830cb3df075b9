//! Files that are no files but events: eventfd(2), epoll(7), signalfd(2),
//! timerfd_create(2).
//!
//! - [`counter`]: a number that is read and added to;
//! - [`epoll`]: many files, and which of them are ready;
//! - [`signals`]: signals that are read;
//! - [`timerfd`]: a timer whose expirations are read.

pub mod counter;
pub mod epoll;
pub mod signals;
pub mod timerfd;

use crate::errno::{Errno, SysResult};
use crate::uaccess::UserSlice;
use crate::wait::Queue;
use counter::Counter;
use epoll::Epoll;
use signals::Signals;
use timerfd::TimerFd;

/// One of them.
#[derive(Debug)]
pub enum Event {
    /// eventfd(2).
    Counter(Counter),
    /// epoll_create(2).
    Epoll(Epoll),
    /// signalfd(2).
    Signals(Signals),
    /// timerfd_create(2).
    Timer(TimerFd),
}

impl Event {
    /// What `/proc/self/fd` calls it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Counter(_) => "anon_inode:[eventfd]",
            Self::Epoll(_) => "anon_inode:[eventpoll]",
            Self::Signals(_) => "anon_inode:[signalfd]",
            Self::Timer(_) => "anon_inode:[timerfd]",
        }
    }

    /// read(2) into one part of a buffer. `EINVAL` when it cannot be read, or does not fit.
    pub fn read(&self, part: UserSlice, nonblocking: bool) -> SysResult {
        match self {
            Self::Counter(counter) => counter.read(part, nonblocking),
            Self::Signals(signals) => signals.read(part, nonblocking),
            Self::Timer(timer) => timer.read(part, nonblocking),
            Self::Epoll(_) => Err(Errno::EINVAL),
        }
    }

    /// write(2) from one part of a buffer. `EINVAL` when it cannot be written, or is too short.
    pub fn write(&self, part: UserSlice, nonblocking: bool) -> SysResult {
        match self {
            Self::Counter(counter) => counter.write(part, nonblocking),
            Self::Signals(_) | Self::Epoll(_) | Self::Timer(_) => Err(Errno::EINVAL),
        }
    }

    /// The events of poll(2) that hold now.
    pub fn events(&self) -> u32 {
        match self {
            Self::Counter(counter) => counter.events(),
            Self::Epoll(epoll) => epoll.events(),
            Self::Signals(signals) => signals.events(),
            Self::Timer(timer) => timer.events(),
        }
    }

    /// The queues that are woken when [`events`](Self::events) may have changed.
    pub fn queues(&self) -> [Option<&Queue>; 2] {
        match self {
            Self::Counter(counter) => counter.queues(),
            Self::Epoll(epoll) => [Some(epoll.queue()), None],
            Self::Signals(signals) => [Some(signals.queue()), None],
            Self::Timer(timer) => [Some(timer.queue()), None],
        }
    }
}
