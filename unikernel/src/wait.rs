//! Wait queues: how a system call sleeps until another makes its condition true.
//!
//! A [`Queue`] belongs to what can change (the readable side of a pipe, a socket's buffer). Who
//! needs a change waits on it with a condition; who makes a change [wakes](Queue::wake) it.
//! Nobody is woken when nobody waits: then a wake-up is one load and a branch.
//!
//! A sleeper is in [`sleep_until`](crate::time::sleep_until), which looks at its condition again after every interrupt
//! and every wake-up of any queue; for it the queue only counts. What cannot sleep on a queue has a
//! [`Hook`] there: a function that each wake-up calls (epoll(7)).

use crate::cpu::without_interrupts;
use crate::signal;
use core::ptr::{from_ref, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering::Relaxed};

/// A signal ended the wait before its condition held: `EINTR`, or the call starts again
/// (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

impl From<Interrupted> for crate::errno::Errno {
    fn from(_: Interrupted) -> Self {
        Self::ERESTARTSYS
    }
}

/// Those who wait for one kind of change.
#[derive(Debug)]
pub struct Queue {
    /// How many wait or have [enrolled](Self::enrol).
    waiting: AtomicU32,
    /// Wake-ups while somebody waited, so that who enrolled can tell that there was one. Wraps.
    calls: AtomicU32,
    /// The first hook; the others follow. Interrupts wake queues, so it changes with them closed.
    hooks: AtomicPtr<Hook>,
}

impl Queue {
    /// A queue on which nobody waits.
    #[allow(clippy::new_without_default, reason = "const, for statics")]
    pub const fn new() -> Self {
        Self {
            waiting: AtomicU32::new(0),
            calls: AtomicU32::new(0),
            hooks: AtomicPtr::new(null_mut()),
        }
    }

    /// Sleeps until `ready()`. The caller holds no lock that `ready` or a waker takes.
    pub fn wait(&self, ready: impl Fn() -> bool) -> Result<(), Interrupted> {
        self.wait_until(None, ready).map(|_| ())
    }

    /// Sleeps until `ready()`, or until CLOCK_MONOTONIC reaches `deadline` (ns). Returns whether
    /// the condition held.
    pub fn wait_until(
        &self,
        deadline: Option<u64>,
        ready: impl Fn() -> bool,
    ) -> Result<bool, Interrupted> {
        let _here = self.enrol();
        let held = sleep(deadline, || ready() || signal::is_due());
        if held && signal::is_due() && !ready() {
            return Err(Interrupted);
        }
        Ok(held)
    }

    /// Declares interest for as long as the result lives: poll(2) enrols at every queue that it
    /// looks at, then sleeps on a condition of its own.
    pub fn enrol(&self) -> Enrolment<'_> {
        self.join();
        Enrolment {
            queue: self,
            calls: self.calls(),
        }
    }

    /// One more waits, until it [leaves](Self::leave): for who cannot keep an [`Enrolment`].
    pub fn join(&self) {
        self.waiting.fetch_add(1, Relaxed);
    }

    /// One that had [joined](Self::join) waits no more.
    pub fn leave(&self) {
        self.waiting.fetch_sub(1, Relaxed);
    }

    /// Wake-ups while somebody waited. Wraps.
    pub fn calls(&self) -> u32 {
        self.calls.load(Relaxed)
    }

    /// Whether anybody waits.
    #[inline(always)]
    pub fn has_waiters(&self) -> bool {
        self.waiting.load(Relaxed) != 0
    }

    /// Tells those who wait that something changed: after the change, without its lock.
    #[inline(always)]
    pub fn wake(&self) {
        if self.has_waiters() {
            self.call();
        }
    }

    /// Marks the change for those who enrolled, and lets sleepers look at their conditions.
    #[cold]
    #[inline(never)]
    fn call(&self) {
        self.calls.fetch_add(1, Relaxed);
        crate::sched::stir();
        without_interrupts(|| {
            let mut next = self.hooks.load(Relaxed);
            // SAFETY: a hook is in the list only while it lives where it is (see `Hook::attach`),
            // and lists change only with interrupts closed.
            while let Some(hook) = unsafe { next.as_ref() } {
                next = hook.next.load(Relaxed);
                (hook.called)(hook.owner.load(Relaxed));
            }
        });
    }
}

/// A function that each wake-up of a queue calls, with interrupts closed, maybe in an interrupt.
#[derive(Debug)]
pub struct Hook {
    next: AtomicPtr<Hook>,
    /// Where it is attached; null when it is not.
    queue: AtomicPtr<Queue>,
    owner: AtomicPtr<()>,
    called: fn(*const ()),
}

impl Hook {
    /// A hook that is not attached.
    pub const fn new(called: fn(*const ())) -> Self {
        Self {
            next: AtomicPtr::new(null_mut()),
            queue: AtomicPtr::new(null_mut()),
            owner: AtomicPtr::new(null_mut()),
            called,
        }
    }

    /// Attaches it, which is attached nowhere yet; its function will get `owner`.
    ///
    /// # Safety
    /// Hook and queue stay where they are, and `owner` is what the function takes, until the hook
    /// is [detached](Self::detach).
    pub unsafe fn attach(&self, queue: &Queue, owner: *const ()) {
        queue.join();
        self.owner.store(owner.cast_mut(), Relaxed);
        self.queue.store(from_ref(queue).cast_mut(), Relaxed);
        without_interrupts(|| {
            self.next.store(queue.hooks.load(Relaxed), Relaxed);
            queue.hooks.store(from_ref(self).cast_mut(), Relaxed);
        });
    }

    /// Detaches it, if it is attached.
    pub fn detach(&self) {
        let queue = self.queue.swap(null_mut(), Relaxed);
        // SAFETY: the queue lives until its hooks are detached (see `attach`).
        let Some(queue) = (unsafe { queue.as_ref() }) else {
            return;
        };
        queue.leave();
        without_interrupts(|| {
            let mut link = &queue.hooks;
            // SAFETY: as in `call`.
            while let Some(hook) = unsafe { link.load(Relaxed).as_ref() } {
                if core::ptr::eq(hook, self) {
                    link.store(self.next.load(Relaxed), Relaxed);
                    return;
                }
                link = &hook.next;
            }
        });
    }
}

/// A place in a [`Queue`], given up when dropped.
#[derive(Debug)]
pub struct Enrolment<'a> {
    queue: &'a Queue,
    /// Wake-ups of the queue when the place was taken.
    calls: u32,
}

impl Enrolment<'_> {
    /// Whether the queue was woken since the place was taken.
    pub fn was_called(&self) -> bool {
        self.queue.calls() != self.calls
    }
}

impl Drop for Enrolment<'_> {
    fn drop(&mut self) {
        self.queue.leave();
    }
}

#[cfg(not(test))]
use crate::time::sleep_until as sleep;

/// The tests run on threads of the host, where no machine is registered that could idle. Time
/// counts from the start of the wait.
#[cfg(test)]
fn sleep(deadline: Option<u64>, ready: impl Fn() -> bool) -> bool {
    let start = std::time::Instant::now();
    let late = |ns| start.elapsed() > std::time::Duration::from_nanos(ns);
    while !ready() {
        if deadline.is_some_and(late) {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn waiters_are_counted_while_they_wait() {
        let queue = Queue::new();
        queue.wake();
        assert!(!queue.has_waiters());
        let saw = queue.wait_until(None, || queue.has_waiters());
        assert_eq!(saw, Ok(true));
        assert!(!queue.has_waiters());
        let (first, second) = (queue.enrol(), queue.enrol());
        drop(first);
        assert!(queue.has_waiters());
        drop(second);
        assert!(!queue.has_waiters());
    }

    #[test]
    fn who_enrolled_learns_of_wake_ups_from_then_on() {
        let queue = Queue::new();
        queue.wake();
        let early = queue.enrol();
        assert!(!early.was_called());
        queue.wake();
        let late = queue.enrol();
        assert!(early.was_called() && !late.was_called());
    }

    #[test]
    fn hooks_are_called_while_they_are_attached() {
        fn count(owner: *const ()) {
            // SAFETY: the owner below is such a counter.
            unsafe { &*owner.cast::<AtomicU32>() }.fetch_add(1, Relaxed);
        }
        let (queue, counter) = (Queue::new(), AtomicU32::new(0));
        let (first, second) = (Hook::new(count), Hook::new(count));
        // SAFETY: nothing moves until both are detached.
        unsafe {
            first.attach(&queue, from_ref(&counter).cast());
            second.attach(&queue, from_ref(&counter).cast());
        }
        queue.wake();
        first.detach();
        queue.wake();
        second.detach();
        queue.wake();
        assert_eq!(counter.load(Relaxed), 3);
        assert!(!queue.has_waiters());
    }

    #[test]
    fn a_condition_or_a_deadline_ends_the_wait() {
        let queue = Queue::new();
        let done = AtomicBool::new(false);
        assert_eq!(queue.wait_until(Some(1), || false), Ok(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !queue.has_waiters() {
                    std::thread::yield_now();
                }
                done.store(true, Relaxed);
                queue.wake();
            });
            assert_eq!(queue.wait(|| done.load(Relaxed)), Ok(()));
        });
    }
}
