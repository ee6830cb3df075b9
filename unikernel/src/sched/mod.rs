//! Threads: who runs, who waits, and how one gives the CPU to another.
//!
//! There is one CPU, and library code is never preempted by another thread: a system call gives the
//! CPU up only where it sleeps, in [`block`], and where it ends. So state that belongs to system
//! calls alone needs no lock ([`Exclusive`](crate::sync::Exclusive)); what interrupts touch, too,
//! the run queue among it, is touched with the soft interrupt flag closed.
//!
//! A sleep is [`block`], and [`wake`] ends it: also one that has not begun yet, so whoever looks at
//! a condition and then blocks cannot miss a change in between. Blocking may return without reason;
//! callers look at their condition again.

mod birth;
mod counts;
pub(crate) mod fpu;
#[cfg(test)]
mod host;
mod leave;
pub mod policy;
mod queue;
pub mod rseq;
#[cfg_attr(
    test,
    allow(dead_code, reason = "unit tests run on threads of the host")
)]
mod run;
#[cfg_attr(
    test,
    allow(dead_code, reason = "unit tests run on threads of the host")
)]
mod sleep;
mod stack;
mod table;
mod thread;
pub mod tick;

pub use birth::{KEPT, Wish, clone};
pub use counts::{Counts, count_fault, counts};
#[cfg(test)]
pub use host::{block, current, wake, yield_now};
pub use leave::leave;
pub use policy::Policy;
#[cfg(not(test))]
pub use run::{block, current, wake, yield_now};
pub use run::{handled, handling, is_alone, lend_level, retreat, set_policy, wake_quickly};
pub use sleep::{expire, on_timer};
pub use stack::in_use as stacks;
pub use table::{each, find, others};
pub use thread::{NAME, State, Thread};

use crate::cpu::without_interrupts;
use crate::time::monotonic_ns;
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering::Relaxed;

/// Ticks of a turn: 30 ms.
pub const SLICE: u8 = 3;

/// The thread that exists from boot on; its id is that of the process.
static MAIN: Thread = Thread::new(crate::process::PID);

/// Where its vector state is saved.
#[repr(C, align(64))]
struct Area(UnsafeCell<[u8; fpu::AREA]>);

// SAFETY: only the CPU's instructions access it, when the main thread gives up the CPU or gets it.
unsafe impl Sync for Area {}

static MAIN_AREA: Area = Area(UnsafeCell::new([0; fpu::AREA]));

/// The main thread runs on the kernel stack that ends at `stack`, since `now` (TSC).
pub fn init(stack: usize, now: u64) {
    fpu::init();
    MAIN.stack.store(stack, Relaxed);
    MAIN.since.store(now, Relaxed);
    // SAFETY: the area is a static of that size and alignment, for this alone.
    unsafe { MAIN.fpu.set_area(MAIN_AREA.0.get() as usize) };
}

/// A timer of the program has a new deadline.
pub fn arm_timer() {
    if cfg!(not(test)) {
        without_interrupts(sleep::arm);
    }
}

/// Sleeps until `ready()` or until CLOCK_MONOTONIC reaches `deadline` (ns). Returns whether it was
/// `ready()`, which is looked at again whenever somebody [wakes](wake) the thread, as signals do.
pub fn sleep_until(deadline: Option<u64>, ready: impl Fn() -> bool) -> bool {
    loop {
        if ready() {
            return true;
        }
        if deadline.is_some_and(|deadline| monotonic_ns() >= deadline) {
            return false;
        }
        block(deadline);
    }
}
