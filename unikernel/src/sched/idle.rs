//! The machine's side: giving the CPU up, and halting it when nobody wants it.

use super::thread::{State, Thread};
use super::{MAIN, queue::RunQueue};
use crate::cpu::{soft_disable, soft_restore, without_interrupts};
use crate::sync::Exclusive;
use crate::{events, profile, time};
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

static CURRENT: AtomicPtr<Thread> = AtomicPtr::new(core::ptr::from_ref(&MAIN).cast_mut());

/// Who is ready to run. Taken with the soft interrupt flag closed.
static READY: Exclusive<RunQueue> = Exclusive::new(RunQueue::new());

/// The thread that runs.
#[inline(always)]
pub fn current() -> &'static Thread {
    // SAFETY: the pointer is always to a thread, and threads live for ever.
    unsafe { &*CURRENT.load(Relaxed) }
}

/// Sleeps until woken or until CLOCK_MONOTONIC reaches `deadline` (ns). Returns whether the thread
/// was woken; it may also return without any reason. The caller holds no lock.
pub fn block(deadline: Option<u64>) -> bool {
    let (me, since) = (current(), time::tsc());
    let was = soft_disable();
    let mut woken = me.take_woken();
    if !woken {
        me.set_state(State::Blocked);
        run_next(me, deadline);
        woken = me.take_woken();
    }
    soft_restore(was);
    profile::idled(since);
    woken
}

/// Ends the sleep of `thread`, or the next one if it does not sleep. From interrupts, too.
pub fn wake(thread: &'static Thread) {
    without_interrupts(|| {
        thread.set_woken();
        if thread.is_in(State::Blocked) {
            thread.set_state(State::Ready);
            READY.lock().push(thread, false);
        }
    });
}

/// Gives the CPU to others of the same priority, if there are any.
pub fn yield_now() {}

/// Waits until `me`, which is blocked, is to run. The flag is closed.
fn run_next(me: &'static Thread, deadline: Option<u64>) {
    loop {
        let next = READY.lock().pop();
        if let Some(next) = next {
            debug_assert!(next.is(me));
            next.set_state(State::Running);
            return;
        }
        if !idle(deadline) {
            me.set_state(State::Running);
            return;
        }
    }
}

/// Halts until something happens; whether `deadline` is yet to come.
fn idle(deadline: Option<u64>) -> bool {
    soft_restore(true);
    events::write();
    profile::safe_point();
    soft_disable();
    if READY.lock().best().is_some() {
        return true;
    }
    let left = deadline.map(|deadline| deadline.saturating_sub(time::monotonic_ns()));
    if left == Some(0) {
        return false;
    }
    let since = time::tsc();
    time::halt(left);
    time::slept(since);
    // What is pending is delivered by the next round.
    true
}
