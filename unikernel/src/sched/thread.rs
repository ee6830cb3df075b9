//! What is known of a thread.

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering::Relaxed};

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// It has the CPU.
    Running = 0,
    /// It is in the run queue.
    Ready = 1,
    /// It waits to be woken.
    Blocked = 2,
}

/// A thread. Fields are words of their own and are accessed plainly (relaxed): one CPU runs them
/// all, and what an interrupt may change is touched with the soft interrupt flag closed.
///
/// Threads are never freed, only used again, so a reference to one is `'static`.
#[repr(C)]
pub struct Thread {
    /// Its id: the process's for the main thread.
    pub tid: i32,
    state: AtomicU8,
    /// [`wake`](super::wake) was called since it last returned from [`block`](super::block).
    woken: AtomicBool,
    watching: AtomicBool,
    level: AtomicU8,
    /// One past the highest byte of its kernel stack.
    stack: AtomicUsize,
    /// Its neighbours in the run queue.
    pub(super) next: AtomicPtr<Thread>,
    pub(super) prev: AtomicPtr<Thread>,
    #[cfg(test)]
    pub(super) host: std::sync::OnceLock<std::thread::Thread>,
}

impl Thread {
    pub(super) const fn new(tid: i32) -> Self {
        Self {
            tid,
            state: AtomicU8::new(State::Running as u8),
            woken: AtomicBool::new(false),
            watching: AtomicBool::new(false),
            level: AtomicU8::new(super::queue::ORDINARY),
            stack: AtomicUsize::new(0),
            next: AtomicPtr::new(core::ptr::null_mut()),
            prev: AtomicPtr::new(core::ptr::null_mut()),
            #[cfg(test)]
            host: std::sync::OnceLock::new(),
        }
    }

    /// Whether both are the same thread.
    #[inline(always)]
    pub fn is(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }

    /// What it is doing.
    pub fn state(&self) -> State {
        match self.state.load(Relaxed) {
            0 => State::Running,
            1 => State::Ready,
            _ => State::Blocked,
        }
    }

    #[inline(always)]
    pub(super) fn is_in(&self, state: State) -> bool {
        self.state.load(Relaxed) == state as u8
    }

    #[inline(always)]
    pub(super) fn set_state(&self, state: State) {
        self.state.store(state as u8, Relaxed);
    }

    /// Its place in the order of priorities: 0 goes first.
    #[inline(always)]
    pub(super) fn level(&self) -> u8 {
        self.level.load(Relaxed)
    }

    #[cfg(test)]
    pub(super) fn set_level(&self, level: u8) {
        self.level.store(level, Relaxed);
    }

    pub(super) fn set_stack(&self, top: usize) {
        self.stack.store(top, Relaxed);
    }

    pub(super) fn set_watching(&self, watching: bool) {
        self.watching.store(watching, Relaxed);
    }

    pub(super) fn is_watching(&self) -> bool {
        self.watching.load(Relaxed)
    }

    #[inline(always)]
    pub(super) fn set_woken(&self) {
        self.woken.store(true, Relaxed);
    }

    /// Whether it was woken since this was last asked.
    #[inline(always)]
    pub(super) fn take_woken(&self) -> bool {
        let woken = self.woken.load(Relaxed);
        self.woken.store(false, Relaxed);
        woken
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thread({})", self.tid)
    }
}
