//! What is known of a thread.

use super::counts::Counters;
use super::fpu::Saved;
use super::policy::Policy;
use super::queue;
use super::rseq::Registration;
use crate::cpu::{CPU, work};
use crate::signal::ThreadSignals;
use crate::sync::Exclusive;
use crate::{events, profile};
use core::fmt;
use core::ptr::null_mut;
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed,
};

/// `TASK_COMM_LEN`: a name with its NUL.
pub const NAME: usize = 16;

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
    /// It has ended: the main thread while others live.
    Dead = 3,
}

/// A thread. Fields are words of their own and are accessed plainly (relaxed): one CPU runs them
/// all, and what an interrupt may change is touched with the soft interrupt flag closed.
///
/// The memory of a thread is never freed, only used for another one, so a reference is `'static`.
#[repr(C, align(64))]
pub struct Thread {
    /// Its stack pointer while it does not run.
    pub(super) sp: AtomicUsize,
    /// One past the highest byte of its kernel stack.
    pub(super) stack: AtomicUsize,
    /// The bases of FS and GS while it does not run.
    pub(super) fs: AtomicUsize,
    pub(super) gs: AtomicUsize,
    /// What [`Cpu::work`](crate::cpu::Cpu::work) is to be when it runs again.
    work: AtomicU64,
    /// Its neighbours in the run queue.
    pub(super) next: AtomicPtr<Thread>,
    pub(super) prev: AtomicPtr<Thread>,
    /// Its id: the process's for the main thread.
    pub tid: i32,
    state: AtomicU8,
    level: AtomicU8,
    /// Ticks of a turn, 0 without an end; and what is left of this one.
    pub(super) turn: AtomicU8,
    pub(super) slice: AtomicU8,
    /// [`wake`](super::wake) was called since it last returned from [`block`](super::block).
    woken: AtomicBool,
    /// Vector registers while it does not run, but for XMM0-15.
    pub(super) fpu: Saved,
    /// Time-stamp ticks on the CPU until it was last given up, and when that was taken up.
    pub(super) ran: AtomicU64,
    pub(super) since: AtomicU64,
    /// When [`block`](super::block) is to return (CLOCK_MONOTONIC in ns), and who is next.
    pub(super) deadline: AtomicU64,
    pub(super) later: AtomicPtr<Thread>,
    /// What has happened to it.
    pub(super) counters: Counters,
    /// The next in the chain of its hash in the table of ids.
    pub(super) chain: AtomicPtr<Thread>,
    /// set_tid_address(2): a word that is cleared and woken when it ends.
    pub clear_tid: AtomicUsize,
    /// set_robust_list(2): the head of its list of locks.
    pub robust: AtomicUsize,
    /// Its restartable sequences.
    pub(super) rseq: Registration,
    pub(super) policy: Exclusive<Policy>,
    name: Exclusive<[u8; NAME]>,
    /// Its mask, pending signals and alternate stack.
    pub signals: ThreadSignals,
    /// What the profiler keeps of the call that is being made.
    pub(super) profile: profile::Call,
    /// The same for the events.
    pub(super) events: events::Call,
    #[cfg(test)]
    pub(super) host: std::sync::OnceLock<std::thread::Thread>,
}

impl Thread {
    pub(super) const fn new(tid: i32) -> Self {
        Self {
            sp: AtomicUsize::new(0),
            stack: AtomicUsize::new(0),
            fs: AtomicUsize::new(0),
            gs: AtomicUsize::new(0),
            work: AtomicU64::new(0),
            next: AtomicPtr::new(null_mut()),
            prev: AtomicPtr::new(null_mut()),
            tid,
            state: AtomicU8::new(State::Running as u8),
            level: AtomicU8::new(queue::ORDINARY),
            turn: AtomicU8::new(super::SLICE),
            slice: AtomicU8::new(super::SLICE),
            woken: AtomicBool::new(false),
            fpu: Saved::new(),
            ran: AtomicU64::new(0),
            since: AtomicU64::new(0),
            deadline: AtomicU64::new(0),
            later: AtomicPtr::new(null_mut()),
            counters: Counters::new(),
            chain: AtomicPtr::new(null_mut()),
            clear_tid: AtomicUsize::new(0),
            robust: AtomicUsize::new(0),
            rseq: Registration::new(),
            policy: Exclusive::new(Policy::ORDINARY),
            name: Exclusive::new([0; NAME]),
            signals: ThreadSignals::new(),
            profile: profile::Call::new(),
            events: events::Call::new(),
            #[cfg(test)]
            host: std::sync::OnceLock::new(),
        }
    }

    /// Whether both are the same thread.
    #[inline(always)]
    pub fn is(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }

    /// Whether it is the one that exists from boot on.
    #[inline(always)]
    pub fn is_main(&self) -> bool {
        self.tid == crate::process::PID
    }

    /// What it is doing.
    pub fn state(&self) -> State {
        match self.state.load(Relaxed) {
            0 => State::Running,
            1 => State::Ready,
            2 => State::Blocked,
            _ => State::Dead,
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
    pub fn level(&self) -> u8 {
        self.level.load(Relaxed)
    }

    pub(super) fn set_level(&self, level: u8) {
        self.level.store(level, Relaxed);
    }

    /// How it is scheduled.
    pub fn policy(&self) -> Policy {
        *self.policy.lock()
    }

    /// Changes that while it is in no queue.
    pub(super) fn set_policy(&self, policy: Policy) {
        *self.policy.lock() = policy;
        self.level.store(policy.level(), Relaxed);
        self.turn.store(policy.slice(), Relaxed);
    }

    /// What must be done before its application code goes on: bits of [`work`](crate::cpu::work).
    #[inline(always)]
    fn work(&self) -> &AtomicU64 {
        if super::current().is(self) {
            &CPU.work
        } else {
            &self.work
        }
    }

    /// Adds to that.
    pub fn add_work(&self, bits: u64) {
        let work = self.work();
        work.store(work.load(Relaxed) | bits, Relaxed);
    }

    /// Takes away from it.
    pub fn end_work(&self, bits: u64) {
        let work = self.work();
        work.store(work.load(Relaxed) & !bits, Relaxed);
    }

    /// Keeps what is to be done for when it runs again; a wish that others run is granted.
    #[inline(always)]
    pub(super) fn put_work_aside(&self, next: &Self) {
        let work = CPU.work.load(Relaxed) & !work::RESCHEDULE;
        self.work.store(work, Relaxed);
        CPU.work.store(next.work.load(Relaxed), Relaxed);
    }

    /// Its name, ended and filled up with NULs.
    pub fn name(&self) -> [u8; NAME] {
        *self.name.lock()
    }

    /// Names it: `name` is cut to what fits.
    pub fn set_name(&self, name: &[u8]) {
        let mut new = [0; NAME];
        let len = name.len().min(NAME - 1);
        new[..len].copy_from_slice(&name[..len]);
        *self.name.lock() = new;
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
