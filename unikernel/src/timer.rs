//! Timers that programs set: what setitimer(2), timer_create(2) and timerfd_create(2) share.
//!
//! Those that are armed are in a binary heap by deadline ([`heap`]): to arm or disarm one of n costs
//! log n steps and no memory, which each timer has taken when it was made. They expire with the
//! sleeps of threads, from the timer interrupt or before a halt, and the one-shot is set for whoever
//! is first.
//!
//! Each goes by a [`Clock`]. Those of CPU time are in a heap of their own, by CPU time of the process,
//! and set no one-shot while the machine is idle.

mod clock;
mod heap;

pub use clock::Clock;

use crate::errno::Errno;
use crate::fs::rc::Ref;
use crate::sched;
use crate::signal::SigInfo;
use crate::signal::{Target, add_overrun, send};
use crate::sync::SpinLock;
use crate::time;
use crate::wait::Queue;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
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
    clock: Clock,
    /// It was set to a time of the clock, which moves when that is set.
    absolute: AtomicBool,
    /// When it expires, in ns.
    deadline: AtomicU64,
    /// When to look at the clock ([`Clock::due`]): the order in the heap.
    due: AtomicU64,
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

/// Armed timers.
struct Armed {
    heap: SpinLock<Heap>,
    /// When the first is due; `u64::MAX` when none is.
    first: AtomicU64,
}

/// By time.
static REAL: Armed = Armed::new();
/// By CPU time.
static CPU: Armed = Armed::new();

impl Armed {
    const fn new() -> Self {
        Self {
            heap: SpinLock::new(Heap::new()),
            first: AtomicU64::new(u64::MAX),
        }
    }

    fn change<R>(&self, body: impl FnOnce(&mut Heap) -> R) -> R {
        let mut heap = self.heap.lock();
        let result = body(&mut heap);
        self.first.store(heap.first(), Relaxed);
        result
    }

    /// The first timer if it is due by its heap's clock, which `now` reads, and how often it has expired: not at all if its clock
    /// goes slower than was thought.
    fn take<'a>(&self, now: impl Fn() -> u64) -> Option<(&'a Timer, u64)> {
        let first = self.first.load(Relaxed);
        if first == u64::MAX || first > now() {
            return None;
        }
        self.change(|heap| {
            let timer = heap.pop()?;
            let Some(reached) = timer.base().now() else {
                return Some((timer, 0));
            };
            let (deadline, interval) = (timer.deadline.load(Relaxed), timer.interval.load(Relaxed));
            let mut times = 0;
            if reached >= deadline {
                times = 1;
                if interval > 0 && reached - deadline >= interval {
                    times += (reached - deadline) / interval;
                }
            }
            if times == 0 || interval > 0 {
                timer.place_at(deadline.saturating_add(times.saturating_mul(interval)));
                heap.insert(timer);
            }
            Some((timer, times))
        })
    }
}

/// When the first timer is due, on CLOCK_MONOTONIC; `u64::MAX` when none is. Those of CPU time count
/// if the machine is `busy`.
#[inline(always)]
pub fn first(busy: bool) -> u64 {
    let real = REAL.first.load(Relaxed);
    match CPU.first.load(Relaxed) {
        cpu if busy && cpu != u64::MAX => real.min(cpu.saturating_add(time::slept_ns())),
        _ => real,
    }
}

/// Whether there is a timer of CPU time to be armed when the machine is busy again.
#[inline(always)]
pub fn counts_cpu() -> bool {
    CPU.first.load(Relaxed) != u64::MAX
}

/// Lets those expire whose time has come. The flag is closed.
pub fn expire() {
    while let Some((timer, times)) = REAL.take(time::monotonic_ns) {
        timer.act(times);
    }
    while let Some((timer, times)) = CPU.take(time::cpu_ns) {
        timer.act(times);
    }
}

/// CLOCK_REALTIME has been set: timers that wait for a time of it are due at another one.
pub fn clock_was_set() {
    REAL.change(|heap| heap.reorder(|timer| timer.place_at(timer.deadline.load(Relaxed))));
    sched::arm_timer();
}

impl Timer {
    /// A timer that is not armed. `ENOMEM`.
    pub fn new(action: Action, clock: Clock) -> Result<Ref<Self>, Errno> {
        let timer = Ref::new(Self {
            action,
            clock,
            absolute: AtomicBool::new(false),
            deadline: AtomicU64::new(0),
            due: AtomicU64::new(0),
            interval: AtomicU64::new(0),
            place: AtomicUsize::new(heap::NOWHERE),
            count: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            expired: Queue::new(),
        })?;
        let heap = &timer.armed().heap;
        if let Err(error) = heap.lock().admit() {
            // It gives back what it did not get.
            heap.lock().count += 1;
            return Err(error);
        }
        Ok(timer)
    }

    fn armed(&self) -> &'static Armed {
        match self.clock.is_of_cpu() {
            true => &CPU,
            false => &REAL,
        }
    }

    /// The clock that it goes by as it is set: a length of time passes however CLOCK_REALTIME is set.
    fn base(&self) -> Clock {
        match self.clock {
            Clock::Realtime if !self.absolute.load(Relaxed) => Clock::Monotonic,
            clock => clock,
        }
    }

    fn place_at(&self, deadline: u64) {
        self.deadline.store(deadline, Relaxed);
        self.due.store(self.base().due(deadline), Relaxed);
    }

    /// Sets it: interval (ns; 0 for once), and `value` (ns) from now or, if that is `absolute`, as a
    /// time of its clock; 0 disarms it. What it counted is forgotten.
    pub fn set(&self, [interval, value]: [u64; 2], absolute: bool) {
        self.armed().change(|heap| {
            heap.remove(self);
            self.absolute.store(absolute, Relaxed);
            self.interval.store(interval, Relaxed);
            self.count.store(0, Relaxed);
            self.accepted.store(0, Relaxed);
            if value != 0 {
                let start = if absolute { Some(0) } else { self.base().now() };
                self.place_at(start.unwrap_or(0).saturating_add(value));
                heap.insert(self);
            }
        });
        if value != 0 {
            sched::arm_timer();
        }
    }

    /// The interval, and the time until it expires (at least 1 ns), or 0 when it will not.
    pub fn left(&self) -> (u64, u64) {
        let armed = self.armed().heap.lock().contains(self);
        let left = match armed.then(|| self.base().now()).flatten() {
            Some(now) => self.deadline.load(Relaxed).saturating_sub(now).max(1),
            None => 0,
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
            _ if times == 0 => {}
            Action::Nothing => {}
            // Standard signals are always sent, or pending already. Who computes is told of it.
            Action::Alarm(info) if self.clock.is_of_cpu() => drop(send(Target::Running, info)),
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
        self.armed().change(|heap| {
            heap.remove(self);
            heap.count -= 1;
        });
    }
}
