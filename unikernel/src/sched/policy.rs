//! Scheduling policies (sched(7)): which level of the run queue a thread has, and how long its turn.

use super::SLICE;
use super::queue::ORDINARY;
use crate::errno::Errno;
use linux_raw_sys::general as abi;

/// How a thread is scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `SCHED_OTHER`, `SCHED_FIFO`, `SCHED_RR`, `SCHED_BATCH` or `SCHED_IDLE`.
    pub kind: u32,
    /// 1 to 99 for FIFO and RR, the greater the sooner; else 0.
    pub priority: i32,
    /// -20 to 19, kept by every policy.
    pub nice: i32,
    /// `SCHED_RESET_ON_FORK`.
    pub reset_on_fork: bool,
}

/// The real-time priorities.
const PRIORITIES: core::ops::RangeInclusive<i32> = 1..=99;

impl Policy {
    /// What every program starts with.
    pub const ORDINARY: Self = Self {
        kind: abi::SCHED_NORMAL,
        priority: 0,
        nice: 0,
        reset_on_fork: false,
    };

    /// A policy of this kind with this priority: `EINVAL` if there is none.
    pub fn new(kind: u32, priority: i32, nice: i32) -> Result<Self, Errno> {
        let right = match kind {
            abi::SCHED_FIFO | abi::SCHED_RR => PRIORITIES.contains(&priority),
            abi::SCHED_NORMAL | abi::SCHED_BATCH | abi::SCHED_IDLE => priority == 0,
            _ => false,
        };
        right
            .then_some(Self {
                kind,
                priority,
                nice,
                reset_on_fork: false,
            })
            .ok_or(Errno::EINVAL)
    }

    /// Whether it goes before all ordinary threads.
    pub const fn is_real_time(&self) -> bool {
        matches!(self.kind, abi::SCHED_FIFO | abi::SCHED_RR)
    }

    /// The level of the run queue.
    pub const fn level(&self) -> u8 {
        if self.is_real_time() {
            ORDINARY - self.priority as u8
        } else {
            ORDINARY
        }
    }

    /// Ticks of a turn, 0 for ever. Ordinary threads share one level, so that none starves; who is
    /// nice, or idle, has shorter turns.
    pub const fn slice(&self) -> u8 {
        match (self.kind, self.nice) {
            (abi::SCHED_FIFO, _) => 0,
            (abi::SCHED_RR, _) => SLICE,
            (abi::SCHED_IDLE, _) | (_, 7..) => 1,
            (_, 1..) => 2,
            (_, 0) => SLICE,
            (_, -10..) => 2 * SLICE,
            _ => 3 * SLICE,
        }
    }

    /// What a new thread gets (sched(7), the reset-on-fork flag).
    pub const fn inherited(&self) -> Self {
        match self.reset_on_fork {
            false => *self,
            true => Self {
                nice: if self.nice < 0 || self.is_real_time() {
                    0
                } else {
                    self.nice
                },
                kind: if self.is_real_time() {
                    abi::SCHED_NORMAL
                } else {
                    self.kind
                },
                priority: 0,
                reset_on_fork: false,
            },
        }
    }
}

/// sched_get_priority_min(2) and _max: `EINVAL` for an unknown policy.
pub fn priorities(kind: u32) -> Result<(i32, i32), Errno> {
    match kind {
        abi::SCHED_FIFO | abi::SCHED_RR => Ok((*PRIORITIES.start(), *PRIORITIES.end())),
        abi::SCHED_NORMAL
        | abi::SCHED_BATCH
        | abi::SCHED_IDLE
        | abi::SCHED_DEADLINE
        | abi::SCHED_EXT => Ok((0, 0)),
        _ => Err(Errno::EINVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_fit_their_policies() {
        assert_eq!(
            Policy::new(abi::SCHED_FIFO, 99, 0).map(|p| p.level()),
            Ok(0)
        );
        assert_eq!(Policy::new(abi::SCHED_RR, 1, 0).map(|p| p.level()), Ok(98));
        assert_eq!(
            Policy::new(abi::SCHED_BATCH, 0, 5).map(|p| p.level()),
            Ok(ORDINARY)
        );
        for (kind, priority) in [
            (abi::SCHED_FIFO, 0),
            (abi::SCHED_RR, 100),
            (0, 1),
            (4, 0),
            (7, 0),
        ] {
            assert_eq!(
                Policy::new(kind, priority, 0),
                Err(Errno::EINVAL),
                "{kind} {priority}"
            );
        }
    }

    #[test]
    fn turns_depend_on_policy_and_niceness() {
        let slice = |kind, priority, nice| Policy::new(kind, priority, nice).map(|p| p.slice());
        assert_eq!(slice(abi::SCHED_FIFO, 5, 0), Ok(0));
        assert_eq!(slice(abi::SCHED_IDLE, 0, -20), Ok(1));
        let by_nice = [-20, -5, 0, 5, 19].map(|nice| slice(abi::SCHED_NORMAL, 0, nice));
        assert_eq!(by_nice, [Ok(9), Ok(6), Ok(3), Ok(2), Ok(1)]);
    }

    #[test]
    fn reset_on_fork_gives_up_privileges() {
        let mut policy = Policy::new(abi::SCHED_RR, 7, -3).unwrap();
        assert_eq!(policy.inherited(), policy);
        policy.reset_on_fork = true;
        assert_eq!(policy.inherited(), Policy::ORDINARY);
    }
}
