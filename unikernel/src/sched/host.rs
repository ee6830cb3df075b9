//! Threads of the host, on which the unit tests run: each is a thread of the library, too.

use super::Thread;
use core::time::Duration;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

static NEXT: AtomicI32 = AtomicI32::new(crate::process::PID);

std::thread_local! {
    static CURRENT: &'static Thread = {
        let thread = Thread::new(NEXT.fetch_add(1, Relaxed));
        let _ = thread.host.set(std::thread::current());
        Box::leak(Box::new(thread))
    };
}

/// The thread that runs.
pub fn current() -> &'static Thread {
    CURRENT.with(|&thread| thread)
}

/// Sleeps until woken or until CLOCK_MONOTONIC reaches `deadline` (ns); whether it was woken.
pub fn block(deadline: Option<u64>) -> bool {
    let me = current();
    if !me.take_woken() {
        let left = deadline.map(|end| end.saturating_sub(crate::time::monotonic_ns()));
        // The clock of tests may be fast: waking early is always allowed.
        std::thread::park_timeout(Duration::from_nanos(
            left.unwrap_or(1_000_000).min(1_000_000),
        ));
        return me.take_woken();
    }
    true
}

/// Ends the sleep of `thread`, or the next one if it does not sleep.
pub fn wake(thread: &'static Thread) {
    thread.set_woken();
    if let Some(host) = thread.host.get() {
        host.unpark();
    }
}

/// Lets others run.
pub fn yield_now() {
    std::thread::yield_now();
}
