//! What is counted of threads, for getrusage(2) and `/proc`.

use super::thread::Thread;
use super::{current, each};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What has happened to a thread, or to all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Page faults after which it went on.
    pub faults: u64,
    /// How often it gave the CPU away to wait.
    pub waits: u64,
    /// How often others had it instead: by preemption, or because it yielded.
    pub losses: u64,
}

/// The same while it grows. One CPU counts: plain additions.
#[derive(Debug)]
pub struct Counters([AtomicU64; 3]);

/// What those have that ended.
static ENDED: Counters = Counters::new();

impl Counters {
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; 3])
    }

    #[inline(always)]
    fn add(&self, index: usize, count: u64) {
        let counter = &self.0[index];
        counter.store(counter.load(Relaxed) + count, Relaxed);
    }

    /// The CPU was given away, to wait or to be had again.
    #[inline(always)]
    pub fn switched(&self, waits: bool) {
        self.add(if waits { 1 } else { 2 }, 1);
    }

    fn get(&self) -> Counts {
        let [faults, waits, losses] = self.0.each_ref().map(|counter| counter.load(Relaxed));
        Counts {
            faults,
            waits,
            losses,
        }
    }
}

/// The running thread goes on after a page fault.
#[inline(always)]
pub fn count_fault() {
    current().counters.add(0, 1);
}

/// What happened to `thread` is kept when it ends.
pub(super) fn keep(thread: &Thread) {
    for (index, counter) in thread.counters.0.iter().enumerate() {
        ENDED.add(index, counter.load(Relaxed));
    }
}

impl Thread {
    /// What has happened to it.
    pub fn counts(&self) -> Counts {
        self.counters.get()
    }
}

/// What has happened to all threads, those that have ended included.
pub fn counts() -> Counts {
    let mut all = ENDED.get();
    each(|thread| {
        let of = thread.counts();
        all.faults += of.faults;
        all.waits += of.waits;
        all.losses += of.losses;
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_is_counted_on() {
        let thread = Thread::new(77);
        thread.counters.switched(true);
        thread.counters.switched(false);
        thread.counters.switched(false);
        thread.counters.add(0, 5);
        let own = Counts {
            faults: 5,
            waits: 1,
            losses: 2,
        };
        assert_eq!(thread.counts(), own);
        let before = counts();
        keep(&thread);
        let after = counts();
        assert!(after.faults >= before.faults + 5 && after.losses >= before.losses + 2);
    }
}
