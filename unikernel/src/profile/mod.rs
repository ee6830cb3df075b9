//! The profiler: what every system call costs, and every VM exit that the library causes.
//!
//! It is compiled in by the feature `profile` and costs nothing without it: `absent.rs` stands here
//! then, where each hook is an empty inline function. With it, a call pays two reads of the
//! time-stamp counter and a few relaxed atomics on a fixed table: no lock, no allocation, no
//! formatting, no vector register (fast handlers are wrapped, too). The dump at exit is JSONL, one
//! line a call; `docs/` describes it.

mod ask;
mod causes;
mod dump;
mod histogram;

pub use ask::{asked, interrupted, safe_point};
pub use causes::{Cause, caused, fault, port, unmeasured};
pub use dump::{dump, set_port};

use crate::shim::Class;
use crate::shim::dispatch::CLASSES;
use crate::shim::{LIMIT, is_declined};
use crate::time::tsc;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};
use histogram::Histogram;

/// Whether the profiler is compiled in.
pub const ENABLED: bool = cfg!(feature = "profile");

/// Table entries: every number that is dispatched, and one for all that are out of range. Without
/// the profiler there is no table.
const ENTRIES: usize = if ENABLED { LIMIT + 1 } else { 0 };

/// Distinct error numbers kept per call; further ones are counted together.
const ERRORS: usize = 6;

/// The way a call came in, where the caller knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// A Rust function call.
    Direct,
}

/// What is known of one system call; cycles are time-stamp ticks. A call changes `total` and the
/// histogram and nothing else, unless it is special: so how many calls there were is the sum of
/// the histogram, and how many were lowered is what remains of it.
#[repr(C, align(64))]
struct Entry {
    total: AtomicU64,
    /// Inverted, so that zero-initialised memory means "none yet".
    min_inverted: AtomicU64,
    /// The longest minus the shortest.
    span: AtomicU64,
    direct: AtomicU64,
    trapped: AtomicU64,
    blocked: AtomicU64,
    bytes: AtomicU64,
    errors: [(AtomicU16, AtomicU32); ERRORS],
    other_errors: AtomicU32,
    histogram: Histogram,
}

impl Entry {
    const fn new() -> Self {
        Self {
            total: AtomicU64::new(0),
            min_inverted: AtomicU64::new(0),
            span: AtomicU64::new(0),
            direct: AtomicU64::new(0),
            trapped: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            errors: [const { (AtomicU16::new(0), AtomicU32::new(0)) }; ERRORS],
            other_errors: AtomicU32::new(0),
            histogram: Histogram::new(),
        }
    }

    /// How many calls came in directly, lowered, and trapped.
    fn doors(&self) -> [u64; 3] {
        let [direct, trapped] = [&self.direct, &self.trapped].map(|count| count.load(Relaxed));
        let lowered = self.histogram.count().saturating_sub(direct + trapped);
        [direct, lowered, trapped]
    }

    /// The shortest and the longest.
    fn extremes(&self) -> (u64, u64) {
        let min = !self.min_inverted.load(Relaxed);
        (min, min.wrapping_add(self.span.load(Relaxed)))
    }

    /// Counts a call that was `busy` cycles on the CPU.
    #[inline(always)]
    fn record(&self, busy: u64) {
        bump(&self.total, busy);
        // One comparison: below the shortest it wraps around and is large. `busy` minus the
        // shortest is `busy` plus its inverse plus one.
        let above = busy.wrapping_add(self.min_inverted.load(Relaxed));
        if above.wrapping_add(1) > self.span.load(Relaxed) {
            self.extend(busy);
        }
        self.histogram.add(busy);
    }

    /// A shorter or a longer one than all before.
    #[cold]
    #[inline(never)]
    fn extend(&self, busy: u64) {
        let (min, max) = match self.min_inverted.load(Relaxed) {
            0 => (busy, busy),
            _ => self.extremes(),
        };
        self.min_inverted.store(!min.min(busy), Relaxed);
        self.span.store(max.max(busy) - min.min(busy), Relaxed);
    }

    /// The same for a call that may have slept meanwhile. Out of line: there are many of them.
    #[inline(never)]
    fn record_full(&self, cycles: u64, slept: u64) {
        let mut busy = cycles;
        if slept != 0 {
            bump(&self.blocked, slept);
            busy = cycles.saturating_sub(slept);
        }
        self.record(busy);
    }

    #[cold]
    #[inline(never)]
    fn error(&self, errno: u16) {
        for (slot, count) in &self.errors {
            let held = slot.load(Relaxed);
            if held == 0 {
                slot.store(errno, Relaxed);
            }
            if held == 0 || held == errno {
                count.store(count.load(Relaxed) + 1, Relaxed);
                return;
            }
        }
        let count = &self.other_errors;
        count.store(count.load(Relaxed) + 1, Relaxed);
    }
}

/// Adds without a locked instruction: one CPU, and an upcall in between loses at most a count.
#[inline(always)]
fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
}

static CALLS: [Entry; ENTRIES] = [const { Entry::new() }; ENTRIES];

/// Time-stamp ticks spent idle, by [`crate::sched::block`].
static BLOCKED: AtomicU64 = AtomicU64::new(0);

/// Set by the trapped door for the call it is about to make.
static TRAPPED: AtomicU64 = AtomicU64::new(0);

/// Runs the handler of `number`, measured when the profiler is compiled in.
#[inline(always)]
pub fn around(number: u32, door: Option<Door>, run: impl FnOnce() -> isize) -> isize {
    if !ENABLED {
        return run();
    }
    let Some(entry) = CALLS.get((number as usize).min(LIMIT)) else {
        return run();
    };
    // Nothing of this remains for a constant number of a fast call, which cannot sleep.
    let full = !is_fast(number);
    let slept = if full { BLOCKED.load(Relaxed) } else { 0 };
    let start = tsc();
    let result = run();
    let cycles = tsc().wrapping_sub(start);
    if is_declined(result) {
        // The ordinary handler will be measured.
        return result;
    }
    count_door(entry, door);
    match full {
        true => entry.record_full(cycles, BLOCKED.load(Relaxed) - slept),
        false => entry.record(cycles),
    }
    if result < 0 {
        entry.error(-result as u16);
    } else if moves_bytes(number) {
        bump(&entry.bytes, result as u64);
    }
    safe_point();
    result
}

/// Counts the door of a call; calls through the table (`None`) are lowered if they did not trap.
#[inline(always)]
fn count_door(entry: &Entry, door: Option<Door>) {
    if door.is_some() {
        bump(&entry.direct, 1);
    } else if TRAPPED.load(Relaxed) != 0 {
        TRAPPED.store(0, Relaxed);
        bump(&entry.trapped, 1);
    }
}

/// Whether a call is one of those that are too short to be measured through another function.
#[inline(always)]
fn is_fast(number: u32) -> bool {
    let class = CLASSES.get(number as usize);
    class.is_some_and(|&class| class == Class::Fast as u8)
}

/// A call that does not return: counted, with no time.
pub fn not_returning(number: u32) {
    if let Some(entry) = CALLS.get((number as usize).min(LIMIT)) {
        count_door(entry, None);
        entry.record(0);
    }
}

/// The trapped door says so before it dispatches.
#[inline(always)]
pub fn trapping() {
    if ENABLED {
        TRAPPED.store(1, Relaxed);
    }
}

/// Accounts the time since then (TSC) as spent idle.
#[inline(always)]
pub fn idled(since: u64) {
    if ENABLED {
        bump(&BLOCKED, tsc() - since);
    }
}

/// What is kept of the call that a thread is making, while it does not run.
#[derive(Debug)]
pub struct Call {
    blocked: AtomicU64,
    trapped: AtomicU64,
    since: AtomicU64,
}

impl Call {
    /// No call.
    #[allow(clippy::new_without_default, reason = "const, for statics")]
    pub const fn new() -> Self {
        Self {
            blocked: AtomicU64::new(0),
            trapped: AtomicU64::new(0),
            since: AtomicU64::new(0),
        }
    }
}

/// Another thread gets the CPU: the time until `from` has it again, it is blocked.
#[inline(always)]
pub fn switched(from: &Call, to: &Call) {
    if ENABLED {
        let now = tsc();
        from.since.store(now, Relaxed);
        from.blocked.store(BLOCKED.load(Relaxed), Relaxed);
        from.trapped.store(TRAPPED.load(Relaxed), Relaxed);
        let away = now.wrapping_sub(to.since.load(Relaxed));
        BLOCKED.store(to.blocked.load(Relaxed).wrapping_add(away), Relaxed);
        TRAPPED.store(to.trapped.load(Relaxed), Relaxed);
    }
}

/// Calls whose result is a number of bytes.
const fn moves_bytes(number: u32) -> bool {
    use linux_raw_sys::general as nr;
    matches!(
        number,
        nr::__NR_read
            | nr::__NR_write
            | nr::__NR_readv
            | nr::__NR_writev
            | nr::__NR_pread64
            | nr::__NR_pwrite64
            | nr::__NR_preadv
            | nr::__NR_pwritev
            | nr::__NR_getrandom
            | nr::__NR_getdents64
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_keeps_extremes_and_errors() {
        let entry = Entry::new();
        for (cycles, errno) in [(50, 0), (20, 9), (90, 9), (40, 2)] {
            entry.record_full(cycles, 10);
            if errno != 0 {
                entry.error(errno);
            }
        }
        assert_eq!((entry.doors(), entry.total.load(Relaxed)), ([0, 4, 0], 160));
        assert_eq!(
            (entry.extremes(), entry.blocked.load(Relaxed)),
            ((10, 80), 40)
        );
        let errors = entry
            .errors
            .each_ref()
            .map(|e| (e.0.load(Relaxed), e.1.load(Relaxed)));
        assert_eq!(errors[..3], [(9, 2), (2, 1), (0, 0)]);
    }

    #[test]
    fn extremes_are_exact_in_any_order() {
        let orders = [
            [0, 5, 9],
            [9, 5, 0],
            [5, 0, 9],
            [5, 9, 0],
            [u64::MAX - 1, 3, 3],
            [1, 1, 1],
        ];
        for order in orders {
            let entry = Entry::new();
            order.iter().for_each(|&busy| entry.record(busy));
            let both = (*order.iter().min().unwrap(), *order.iter().max().unwrap());
            assert_eq!(entry.extremes(), both, "{order:?}");
        }
    }

    #[test]
    fn a_call_is_counted_with_its_bytes_or_its_error() {
        // A number that no other test calls.
        let number = linux_raw_sys::general::__NR_preadv;
        let calls = [7, -9, 0, 5, -9];
        for result in calls {
            assert_eq!(around(number, Some(Door::Direct), || result), result);
        }
        if ENABLED {
            let entry = &CALLS[number as usize];
            assert_eq!(entry.doors(), [5, 0, 0]);
            assert_eq!(
                (entry.histogram.count(), entry.bytes.load(Relaxed)),
                (5, 12)
            );
            assert_eq!(entry.errors[0].1.load(Relaxed), 2);
        }
    }

    #[test]
    fn more_kinds_of_errors_than_slots_are_counted_together() {
        let entry = Entry::new();
        (1..=9).for_each(|errno| entry.error(errno));
        assert_eq!(entry.other_errors.load(Relaxed), 3);
    }
}
