//! The clocks that timers go by. Some stand still while nobody computes, one can be set; the one-shot
//! knows CLOCK_MONOTONIC only.

use crate::sched::{self, State, Thread};
use crate::time;

/// A clock (clock_gettime(2)).
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// CLOCK_MONOTONIC and CLOCK_BOOTTIME.
    Monotonic,
    /// CLOCK_REALTIME.
    Realtime,
    /// The CPU time of the process.
    Process,
    /// The CPU time of a thread, which had this number.
    Thread(&'static Thread, i32),
}

/// How often a timer by the clock of a thread that does not run is looked at, in ns. Linux looks at
/// each tick, of which there are usually 250 in a second.
const LOOK: u64 = 4_000_000;

impl Clock {
    /// Its reading in ns; `None`: of a thread that has gone.
    pub fn now(self) -> Option<u64> {
        match self {
            Self::Monotonic => Some(time::monotonic_ns()),
            Self::Realtime => Some(time::realtime_ns()),
            Self::Process => Some(time::cpu_ns()),
            Self::Thread(thread, tid) => {
                let lives = thread.state() != State::Dead && thread.tid == tid;
                lives.then(|| thread.cpu_ns())
            }
        }
    }

    /// Whether it counts CPU time.
    pub fn is_of_cpu(self) -> bool {
        matches!(self, Self::Process | Self::Thread(..))
    }

    /// When to look whether it has come to `deadline`: on CLOCK_MONOTONIC, or in CPU time of the
    /// process for the clocks of CPU time, which are never faster than that.
    pub fn due(self, deadline: u64) -> u64 {
        match self {
            Self::Monotonic | Self::Process => deadline,
            Self::Realtime => time::monotonic_of(deadline),
            Self::Thread(thread, _) => {
                let left = deadline.saturating_sub(self.now().unwrap_or(0));
                let runs = thread.is(sched::current());
                let left = if runs { left } else { left.max(LOOK) };
                time::cpu_ns().saturating_add(left)
            }
        }
    }
}
