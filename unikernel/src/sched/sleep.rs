//! Sleeps that end at a time: those who sleep, the first to wake up first, and the timer for it.

use super::thread::{State, Thread};
use super::{run, tick};
use crate::platform::platform;
use crate::time::{monotonic_ns, tsc_at};
use crate::timer;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};

/// The sleeper with the earliest deadline; the others follow by [`Thread::later`].
static FIRST: AtomicPtr<Thread> = AtomicPtr::new(null_mut());

/// When the timer is going to fire (ns); `u64::MAX` when it is not set.
static ARMED: AtomicU64 = AtomicU64::new(u64::MAX);

/// Enlists `thread`, unless the deadline has passed; whether it did. The flag is closed.
pub fn enter(thread: &'static Thread, deadline: u64) -> bool {
    if monotonic_ns() >= deadline {
        return false;
    }
    thread.deadline.store(deadline, Relaxed);
    let mut link = &FIRST;
    // SAFETY: the list holds threads, which live for ever.
    while let Some(other) = unsafe { link.load(Relaxed).as_ref() } {
        if other.deadline.load(Relaxed) > deadline {
            break;
        }
        link = &other.later;
    }
    thread.later.store(link.load(Relaxed), Relaxed);
    link.store(core::ptr::from_ref(thread).cast_mut(), Relaxed);
    true
}

/// Takes `thread` out if it is still enlisted. The flag is closed.
pub fn leave(thread: &'static Thread) {
    let mut link = &FIRST;
    // SAFETY: as above.
    while let Some(other) = unsafe { link.load(Relaxed).as_ref() } {
        if other.is(thread) {
            link.store(thread.later.load(Relaxed), Relaxed);
            return;
        }
        link = &other.later;
    }
}

fn first() -> Option<&'static Thread> {
    // SAFETY: as above.
    unsafe { FIRST.load(Relaxed).as_ref() }
}

/// The first deadline, of a sleeper or of a timer; `u64::MAX` when there is none.
fn next(busy: bool) -> u64 {
    let sleeper = first().map_or(u64::MAX, |thread| thread.deadline.load(Relaxed));
    sleeper.min(timer::first(busy))
}

/// Makes those ready whose time has come. From the timer's interrupts and before a halt.
pub fn expire() {
    timer::expire();
    while let Some(thread) = first() {
        if thread.deadline.load(Relaxed) > monotonic_ns() {
            break;
        }
        FIRST.store(thread.later.load(Relaxed), Relaxed);
        if thread.state() == State::Blocked {
            run::make_ready(thread);
        }
    }
}

/// Whether the timer is the tick's, which is then what makes sleeps end.
fn is_taken() -> bool {
    tick::is_on() && platform().shares_timer()
}

/// The timer fired.
pub fn on_timer() {
    ARMED.store(u64::MAX, Relaxed);
    expire();
    arm();
}

/// Sets the timer for the first deadline, if it would fire too late.
pub fn arm() {
    arm_for(next(true));
}

fn arm_for(deadline: u64) {
    if deadline < ARMED.load(Relaxed) && !is_taken() {
        ARMED.store(deadline, Relaxed);
        platform().set_timer(tsc_at(deadline));
    }
}

/// The tick has ended: the timer, if it was the tick's, is nobody's.
pub fn tick_ended() {
    if platform().shares_timer() {
        ARMED.store(u64::MAX, Relaxed);
        arm();
    }
}

/// Sees to it that an interrupt comes for the first deadline; `false` when that has passed already.
pub fn before_halt() -> bool {
    expire();
    if !run::is_alone() {
        return false;
    }
    let deadline = next(false);
    if deadline != u64::MAX {
        tick::end_for_sleep();
    }
    arm_for(deadline);
    true
}

/// The machine has been idle: timers of CPU time go on.
pub fn after_halt() {
    if timer::counts_cpu() {
        arm();
    }
}
