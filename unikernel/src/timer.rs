//! Timers that programs set: what setitimer(2), timer_create(2) and timerfd_create(2) share.
//!
//! Those that are armed are in a binary heap by deadline ([`heap`]): to arm or disarm one of n costs
//! log n steps and no memory, which each timer has taken when it was made. They expire with the
//! sleeps of threads, from the timer interrupt or before a halt, and the one-shot is set for whoever
//! is first.

mod heap;

use crate::errno::Errno;
use crate::fs::rc::Ref;
use crate::sched;
use crate::signal::SigInfo;
use crate::signal::{Target, add_overrun, send};
use crate::sync::SpinLock;
use crate::time::monotonic_ns;
use crate::wait::Queue;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use heap::Heap;

/// What happens when a timer expires.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// Nothing that anybody is told of.
    Nothing,
    /// A signal that says nothing about the timer.
    Alarm(SigInfo),
    /// A signal with the timer's number, and how often it expired since the last.
    Signal(Target, SigInfo),
    /// It is counted, and who waits for that is woken.
    Count,
}

/// A timer.
#[derive(Debug)]
pub struct Timer {
    action: Action,
    /// When it expires, on CLOCK_MONOTONIC in ns.
    deadline: AtomicU64,
    /// After which time it expires again (ns); 0: not at all.
    interval: AtomicU64,
    /// Its place in the heap.
    place: AtomicUsize,
    /// Expirations that were not read, or that the last signal stands for beside one.
    count: AtomicU64,
    /// What the signal before the last stood for beside one.
    accepted: AtomicU64,
    expired: Queue,
}

static HEAP: SpinLock<Heap> = SpinLock::new(Heap::new());
/// The first deadline; `u64::MAX` when none is armed.
static FIRST: AtomicU64 = AtomicU64::new(u64::MAX);

/// The deadline of the timer that expires first; `u64::MAX` when none will.
#[inline(always)]
pub fn first() -> u64 {
    FIRST.load(Relaxed)
}

impl Timer {
    /// A timer that is not armed. `ENOMEM`.
    pub fn new(action: Action) -> Result<Ref<Self>, Errno> {
        let timer = Ref::new(Self {
            action,
            deadline: AtomicU64::new(0),
            interval: AtomicU64::new(0),
            place: AtomicUsize::new(heap::NOWHERE),
            count: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            expired: Queue::new(),
        })?;
        if let Err(error) = HEAP.lock().admit() {
            // It gives back what it did not get.
            HEAP.lock().count += 1;
            return Err(error);
        }
        Ok(timer)
    }

    /// Sets it: `deadline` on CLOCK_MONOTONIC (ns), 0 to disarm it; `interval` (ns), 0 for once.
    /// What it counted is forgotten.
    pub fn set(&self, deadline: u64, interval: u64) {
        let mut heap = HEAP.lock();
        heap.remove(self);
        self.deadline.store(deadline, Relaxed);
        self.interval.store(interval, Relaxed);
        self.count.store(0, Relaxed);
        self.accepted.store(0, Relaxed);
        if deadline != 0 {
            heap.insert(self);
        }
        FIRST.store(heap.first(), Relaxed);
        drop(heap);
        if deadline != 0 {
            sched::arm_timer();
        }
    }

    /// The interval, and the time until it expires (at least 1 ns), or 0 when it will not.
    pub fn left(&self) -> (u64, u64) {
        let armed = HEAP.lock().contains(self);
        let left = match armed {
            true => self
                .deadline
                .load(Relaxed)
                .saturating_sub(monotonic_ns())
                .max(1),
            false => 0,
        };
        (self.interval.load(Relaxed), left)
    }

    /// Expirations that were not taken, or that the last signal stands for beside one.
    pub fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }

    /// Expirations that the last accepted signal stood for beside one.
    pub fn overrun(&self) -> u64 {
        let Action::Signal(target, info) = self.action else {
            return 0;
        };
        crate::cpu::without_interrupts(|| match add_overrun(target, &info, 0) {
            Some(_) => self.accepted.load(Relaxed),
            None => self.count(),
        })
    }

    /// Takes the count.
    pub fn take_count(&self) -> u64 {
        crate::cpu::without_interrupts(|| self.count.swap(0, Relaxed))
    }

    /// Woken when it expires.
    pub const fn queue(&self) -> &Queue {
        &self.expired
    }

    /// It has expired `times` times.
    fn act(&self, times: u64) {
        match self.action {
            Action::Nothing => {}
            // Standard signals are always sent, or pending already.
            Action::Alarm(info) => drop(send(Target::Process, info)),
            Action::Signal(target, info) => {
                let overrun = add_overrun(target, &info, times).unwrap_or_else(|| {
                    // The one before was accepted, or this is the first.
                    self.accepted.store(self.count(), Relaxed);
                    let mut info = info;
                    info.set_overrun(times - 1);
                    // Without an entry for it, it is lost, as on Linux without memory.
                    let _ = send(target, info);
                    times - 1
                });
                self.count.store(overrun, Relaxed);
            }
            Action::Count => {
                let before = self.count();
                let count = before.saturating_add(times);
                self.count.store(count, Relaxed);
                // As on Linux nobody is told again of what was not read.
                if before == 0 {
                    self.expired.wake();
                }
            }
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let mut heap = HEAP.lock();
        heap.remove(self);
        heap.count -= 1;
        FIRST.store(heap.first(), Relaxed);
    }
}

/// Lets those expire whose time has come. The flag is closed.
pub fn expire() {
    loop {
        let now = monotonic_ns();
        if first() > now {
            return;
        }
        let mut heap = HEAP.lock();
        let Some(timer) = heap.pop() else { return };
        let (deadline, interval) = (timer.deadline.load(Relaxed), timer.interval.load(Relaxed));
        let mut times = 1;
        if interval > 0 {
            if now - deadline >= interval {
                times += (now - deadline) / interval;
            }
            let next = deadline.saturating_add(times.saturating_mul(interval));
            timer.deadline.store(next, Relaxed);
            heap.insert(timer);
        }
        FIRST.store(heap.first(), Relaxed);
        drop(heap);
        timer.act(times);
    }
}
