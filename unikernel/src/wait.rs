//! Wait queues: how a system call sleeps until another makes its condition true.
//!
//! A [`Queue`] belongs to what can change (the readable side of a pipe, a socket's buffer). Who
//! needs a change waits on it with a condition; who makes a change [wakes](Queue::wake) it.
//! Nobody is woken when nobody waits: then a wake-up is one load and a branch.
//!
//! Who waits has a [`Hook`] on the queue: a function that each wake-up calls. That of a thread wakes
//! it, so that it looks at its condition again; others keep lists of what may be ready (epoll(7)).

use crate::cpu::without_interrupts;
use crate::sched::{self, Thread};
use crate::signal;
use core::ptr::{from_ref, null_mut};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering::Relaxed};

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
    /// How many wait.
    waiting: AtomicU32,
    /// Wake-ups while somebody waited, so that who waits can tell that there was one. Wraps.
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
        let hook = Hook::waking();
        // SAFETY: neither moves until the hook is detached, when it is dropped at the end of this call
        // at the latest.
        #[cfg(not(test))]
        unsafe {
            hook.attach(self, sched::current());
        }
        // Threads of a host would have to lock the list; they look all the time instead.
        #[cfg(test)]
        let _here = Enrolment::at(self);
        let held = sleep(deadline, || ready() || signal::is_due());
        hook.detach();
        if held && signal::is_due() && !ready() {
            return Err(Interrupted);
        }
        Ok(held)
    }

    /// One more waits, until it [leaves](Self::leave).
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

    /// Calls the hooks. Of the exclusive ones, the last that still finds somebody to wake is the first
    /// that does.
    #[cold]
    #[inline(never)]
    fn call(&self) {
        self.calls.fetch_add(1, Relaxed);
        without_interrupts(|| {
            let (mut next, mut taken) = (self.hooks.load(Relaxed), false);
            // SAFETY: a hook is in the list only while it lives where it is (see `Hook::attach`),
            // and lists change only with interrupts closed.
            while let Some(hook) = unsafe { next.as_ref() } {
                next = hook.next.load(Relaxed);
                let exclusive = hook.exclusive.load(Relaxed);
                if !(exclusive && taken) {
                    taken |= hook.call() && exclusive;
                }
            }
        });
    }
}

/// A function that each wake-up of a queue calls, with interrupts closed, maybe in an interrupt. It
/// returns whether that woke anybody.
#[derive(Debug)]
pub struct Hook {
    next: AtomicPtr<Hook>,
    /// Where it is attached; null when it is not.
    queue: AtomicPtr<Queue>,
    owner: AtomicPtr<()>,
    /// `None`: the owner is a thread, which is woken.
    called: Option<fn(*const ()) -> bool>,
    /// It is left out when another such hook has woken somebody.
    exclusive: AtomicBool,
}

impl Hook {
    /// A hook that is not attached.
    pub const fn new(called: fn(*const ()) -> bool) -> Self {
        Self::with(Some(called))
    }

    const fn with(called: Option<fn(*const ()) -> bool>) -> Self {
        Self {
            next: AtomicPtr::new(null_mut()),
            queue: AtomicPtr::new(null_mut()),
            owner: AtomicPtr::new(null_mut()),
            called,
            exclusive: AtomicBool::new(false),
        }
    }

    /// The hook of a thread, which is its owner.
    pub const fn waking() -> Self {
        Self::with(None)
    }

    #[inline(always)]
    fn call(&self) -> bool {
        let owner = self.owner.load(Relaxed);
        if let Some(called) = self.called {
            return called(owner);
        }
        // SAFETY: such a hook is attached with a thread, and those live for ever.
        sched::wake(unsafe { &*owner.cast::<Thread>() });
        true
    }

    /// One of those of which only one is to wake somebody (EPOLLEXCLUSIVE).
    pub fn set_exclusive(&self) {
        self.exclusive.store(true, Relaxed);
    }

    /// Attaches it, which is attached nowhere yet; its function will get `owner`.
    ///
    /// # Safety
    /// Hook and queue stay where they are, and `owner` is what the function takes, until the hook
    /// is [detached](Self::detach).
    pub unsafe fn attach<T>(&self, queue: &Queue, owner: *const T) {
        queue.join();
        self.owner.store(owner.cast_mut().cast(), Relaxed);
        self.queue.store(from_ref(queue).cast_mut(), Relaxed);
        without_interrupts(|| {
            self.next.store(queue.hooks.load(Relaxed), Relaxed);
            queue.hooks.store(from_ref(self).cast_mut(), Relaxed);
        });
    }

    /// Detaches it, if it is attached.
    pub fn detach(&self) {
        // No exchange, which would be dear: nobody else changes it.
        let queue = self.queue.load(Relaxed);
        // SAFETY: the queue lives until its hooks are detached (see `attach`).
        let Some(queue) = (unsafe { queue.as_ref() }) else {
            return;
        };
        self.queue.store(null_mut(), Relaxed);
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

impl Drop for Hook {
    fn drop(&mut self) {
        self.detach();
    }
}

/// A place in a queue that only counts, for tests of who wakes whom.
#[cfg(test)]
pub struct Enrolment<'a> {
    queue: &'a Queue,
    /// Wake-ups of the queue when the place was taken.
    calls: u32,
}

#[cfg(test)]
impl<'a> Enrolment<'a> {
    /// Takes a place.
    pub fn at(queue: &'a Queue) -> Self {
        queue.join();
        let calls = queue.calls();
        Self { queue, calls }
    }

    /// Whether the queue was woken since the place was taken.
    pub fn was_called(&self) -> bool {
        self.queue.calls() != self.calls
    }
}

#[cfg(test)]
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

    #[test]
    fn waiters_are_counted_while_they_wait() {
        let queue = Queue::new();
        queue.wake();
        assert!(!queue.has_waiters());
        let saw = queue.wait_until(None, || queue.has_waiters());
        assert_eq!(saw, Ok(true));
        assert!(!queue.has_waiters());
        queue.join();
        queue.join();
        queue.leave();
        assert!(queue.has_waiters());
        queue.leave();
        assert!(!queue.has_waiters());
    }

    #[test]
    fn wake_ups_are_counted_while_somebody_waits() {
        let queue = Queue::new();
        queue.wake();
        queue.join();
        let calls = queue.calls();
        queue.wake();
        assert_eq!(queue.calls(), calls.wrapping_add(1));
        queue.leave();
        queue.wake();
        assert_eq!(queue.calls(), calls.wrapping_add(1));
    }

    #[test]
    fn one_exclusive_hook_wakes_and_the_others_do_not() {
        fn count(owner: *const ()) -> bool {
            // SAFETY: the owner below is such a counter; those with 100 wake nobody.
            let before = unsafe { &*owner.cast::<AtomicU32>() }.fetch_add(1, Relaxed);
            before < 100
        }
        let (queue, hooks) = (Queue::new(), [const { Hook::new(count) }; 4]);
        let counters = [0, 0, 0, 100].map(AtomicU32::new);
        for (hook, counter) in hooks.iter().zip(&counters) {
            // SAFETY: nothing moves until all are dropped.
            unsafe { hook.attach(&queue, from_ref(counter)) };
        }
        hooks[1..].iter().for_each(Hook::set_exclusive);
        queue.wake();
        queue.wake();
        let counts = counters.each_ref().map(|counter| counter.load(Relaxed));
        assert_eq!(counts, [2, 0, 2, 102]);
        hooks.iter().for_each(Hook::detach);
    }

    #[test]
    fn hooks_are_called_while_they_are_attached() {
        fn count(owner: *const ()) -> bool {
            // SAFETY: the owner below is such a counter.
            unsafe { &*owner.cast::<AtomicU32>() }.fetch_add(1, Relaxed);
            true
        }
        let (queue, counter) = (Queue::new(), AtomicU32::new(0));
        let (first, second) = (Hook::new(count), Hook::new(count));
        // SAFETY: nothing moves until both are detached.
        unsafe {
            first.attach(&queue, from_ref(&counter));
            second.attach(&queue, from_ref(&counter));
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
