//! The profiler: what every system call costs, and every VM exit that the library causes.
//!
//! It is compiled in by the feature `profile` and costs nothing without it: `absent.rs` stands here
//! then, where each hook is an empty inline function. With it, a call pays two reads of the
//! time-stamp counter and a few relaxed atomics on a fixed table: no lock, no allocation, no
//! formatting, no vector register (fast handlers are wrapped, too). The dump at exit is JSONL, one
//! line a call; `docs/` describes it.

mod dump;
mod histogram;

pub use dump::{dump, set_port};

use crate::shim::table::LIMIT;
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

/// The way a call came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Door {
    /// A Rust function call.
    Direct = 0,
    /// A rewritten site.
    Lowered = 1,
    /// A `syscall` instruction.
    Trapped = 2,
}

/// What is known of one system call; cycles are time-stamp ticks.
struct Entry {
    calls: AtomicU64,
    total: AtomicU64,
    /// Inverted, so that zero-initialised memory means "none yet".
    min_inverted: AtomicU64,
    max: AtomicU64,
    blocked: AtomicU64,
    bytes: AtomicU64,
    doors: [AtomicU64; 3],
    errors: [(AtomicU16, AtomicU32); ERRORS],
    other_errors: AtomicU32,
    histogram: Histogram,
}

impl Entry {
    const fn new() -> Self {
        Self {
            calls: AtomicU64::new(0),
            total: AtomicU64::new(0),
            min_inverted: AtomicU64::new(0),
            max: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            doors: [const { AtomicU64::new(0) }; 3],
            errors: [const { (AtomicU16::new(0), AtomicU32::new(0)) }; ERRORS],
            other_errors: AtomicU32::new(0),
            histogram: Histogram::new(),
        }
    }

    #[inline]
    fn record(&self, cycles: u64, blocked: u64, door: Door, result: isize, moves_bytes: bool) {
        let busy = cycles.saturating_sub(blocked);
        bump(&self.calls, 1);
        bump(&self.total, busy);
        bump(&self.blocked, blocked);
        bump(&self.doors[door as usize], 1);
        if !busy > self.min_inverted.load(Relaxed) {
            self.min_inverted.store(!busy, Relaxed);
        }
        if busy > self.max.load(Relaxed) {
            self.max.store(busy, Relaxed);
        }
        self.histogram.add(busy);
        if result < 0 {
            self.error(-result as u16);
        } else if moves_bytes {
            bump(&self.bytes, result as u64);
        }
    }

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

/// Time-stamp ticks spent idle, by [`crate::time::sleep_until`].
static BLOCKED: AtomicU64 = AtomicU64::new(0);

/// Set by the trapped door for the call it is about to make.
static TRAPPED: AtomicU64 = AtomicU64::new(0);

/// Runs the handler of `number`, measured when the profiler is compiled in.
#[inline(always)]
pub fn around(number: u32, door: Option<Door>, run: impl FnOnce() -> isize) -> isize {
    if !ENABLED {
        return run();
    }
    let door = door.unwrap_or_else(|| match TRAPPED.load(Relaxed) {
        0 => Door::Lowered,
        _ => Door::Trapped,
    });
    TRAPPED.store(0, Relaxed);
    let blocked = BLOCKED.load(Relaxed);
    let start = tsc();
    let result = run();
    let cycles = tsc().wrapping_sub(start);
    record(
        number,
        cycles,
        BLOCKED.load(Relaxed) - blocked,
        door,
        result,
    );
    result
}

/// Kept out of line: one copy, so that each wrapped handler grows by a call only.
#[inline(never)]
fn record(number: u32, cycles: u64, blocked: u64, door: Door, result: isize) {
    if let Some(entry) = CALLS.get((number as usize).min(LIMIT)) {
        entry.record(cycles, blocked, door, result, moves_bytes(number));
    }
}

/// A call that does not return: counted, with no time.
pub fn not_returning(number: u32) {
    if ENABLED {
        let trapped = TRAPPED.load(Relaxed) != 0;
        let door = if trapped {
            Door::Trapped
        } else {
            Door::Lowered
        };
        record(number, 0, 0, door, 0);
    }
}

/// The trapped door says so before it dispatches.
#[inline(always)]
pub fn trapping() {
    if ENABLED {
        TRAPPED.store(1, Relaxed);
    }
}

/// Accounts ticks spent idle.
#[inline(always)]
pub fn idled(ticks: u64) {
    if ENABLED {
        bump(&BLOCKED, ticks);
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

macro_rules! causes {
    ($($variant:ident $name:literal)*) => {
        /// What the library makes the machine do, beside running: each costs an exit or a trap.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the names in the profile say it")]
        pub enum Cause { $($variant),* }

        const CAUSE_NAMES: &[&str] = &[$($name),*];
    };
}

causes! {
    PortSerial "port serial"
    PortDebugcon "port debugcon"
    PortPit "port pit"
    PortPic "port pic"
    PortRtc "port rtc"
    PortOther "port other"
    Halt "hlt"
    Msr "msr"
    Cpuid "cpuid"
    Flush "flush"
    IrqTimer "irq timer"
    IrqConsole "irq console"
    IrqSpurious "irq spurious"
    PageFault "page fault"
    ProtectionFault "protection fault"
    OtherFault "other fault"
    Trap "syscall trap"
}

/// Count, total and longest in ticks, per cause.
struct Cost {
    count: AtomicU64,
    total: AtomicU64,
    max: AtomicU64,
}

static COSTS: [Cost; CAUSE_NAMES.len()] = [const {
    Cost {
        count: AtomicU64::new(0),
        total: AtomicU64::new(0),
        max: AtomicU64::new(0),
    }
}; CAUSE_NAMES.len()];

/// Runs `run` and accounts it to `cause` when the profiler is compiled in.
#[inline(always)]
pub fn caused<R>(cause: Cause, run: impl FnOnce() -> R) -> R {
    if !ENABLED {
        return run();
    }
    let start = tsc();
    let result = run();
    let ticks = tsc().wrapping_sub(start);
    let cost = &COSTS[cause as usize];
    bump(&cost.count, 1);
    bump(&cost.total, ticks);
    if ticks > cost.max.load(Relaxed) {
        cost.max.store(ticks, Relaxed);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_keeps_extremes_errors_and_bytes() {
        let entry = Entry::new();
        for (cycles, result) in [(50, 3), (20, -9), (90, -9), (40, -2)] {
            entry.record(cycles, 10, Door::Lowered, result, true);
        }
        assert_eq!(entry.calls.load(Relaxed), 4);
        assert_eq!(entry.total.load(Relaxed), 160);
        assert_eq!(!entry.min_inverted.load(Relaxed), 10);
        assert_eq!(
            (entry.max.load(Relaxed), entry.blocked.load(Relaxed)),
            (80, 40)
        );
        assert_eq!(entry.bytes.load(Relaxed), 3);
        let errors = entry
            .errors
            .each_ref()
            .map(|e| (e.0.load(Relaxed), e.1.load(Relaxed)));
        assert_eq!(errors[..3], [(9, 2), (2, 1), (0, 0)]);
    }

    #[test]
    fn more_kinds_of_errors_than_slots_are_counted_together() {
        let entry = Entry::new();
        (1..=9).for_each(|errno| entry.error(errno));
        assert_eq!(entry.other_errors.load(Relaxed), 3);
    }
}
