//! timerfd_create(2).

use crate::errno::{Errno, SysResult};
use crate::fs::rc::Ref;
use crate::timer::{Action, Clock, Timer};
use crate::uaccess::{UserPtr, UserSlice};
use crate::wait::Queue;
use linux_raw_sys::general::POLLIN;

const SIZE: usize = size_of::<u64>();

/// A timer whose expirations are read.
#[derive(Debug)]
pub struct TimerFd {
    timer: Ref<Timer>,
}

impl TimerFd {
    /// A timer that is not armed. `ENOMEM`.
    pub fn new(clock: Clock) -> Result<Self, Errno> {
        let timer = Timer::new(Action::Count, clock)?;
        Ok(Self { timer })
    }

    /// The timer.
    pub const fn timer(&self) -> &Ref<Timer> {
        &self.timer
    }

    /// Takes the number of expirations, as a word of 8 bytes. Waits for the first. Errors: `EINVAL`
    /// (no room for a word), `EAGAIN`, `EINTR`, `EFAULT`.
    pub fn read(&self, to: UserSlice, nonblocking: bool) -> SysResult {
        if to.len() < SIZE {
            return Err(Errno::EINVAL);
        }
        while self.timer.count() == 0 {
            if nonblocking {
                return Err(Errno::EAGAIN);
            }
            self.timer.queue().wait(|| self.timer.count() != 0)?;
        }
        let count = self.timer.take_count();
        UserPtr::<u64>::new(to.start()).write(&count)?;
        Ok(SIZE)
    }

    /// `POLLIN` when it has expired.
    pub fn events(&self) -> u32 {
        if self.timer.count() > 0 { POLLIN } else { 0 }
    }

    /// Who waits for that.
    pub fn queue(&self) -> &Queue {
        self.timer.queue()
    }
}
