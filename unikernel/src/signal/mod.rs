//! Signals.
//!
//! A signal is [sent](send) by a call, an interrupt or an exception, waits in a [queue](pending)
//! while it is blocked, and is [delivered](deliver) where the application would go on: at the end
//! of a system call, behind an interrupt, or behind the exception that it is. Whether there is
//! anything to do is one bit of [`CPU.work`](crate::cpu::Cpu::work), which is all that a call looks
//! at. The frame that a handler gets is Linux's, to the byte ([`frame`]).
//!
//! Everything here is changed with the soft interrupt flag closed, because interrupts send signals;
//! [`with`] sees to it. What takes long (writing a frame) is done with it open.

pub mod action;
mod deliver;
mod exception;
mod exit;
mod fpu;
mod frame;
pub mod info;
mod pending;
mod send;
mod stack;
mod window;

pub use action::SigAction;
pub use exception::{is_of_library, raise as raise_exception};
pub(crate) use exit::{EXIT, on_exit, on_exit_again, step_out};
pub use exit::{after_interrupt, caller_sp, stepped};
pub use info::SigInfo;
pub use send::{Target, add_overrun, ended, inherit, send, send_process};
pub use stack::AltStack;
pub use window::close as close_window;

use crate::cpu::{CPU, work};
use crate::errno::{Errno, SysResult};
use crate::sched;
use crate::sync::Exclusive;
use crate::wait::Queue;
use action::{SYNCHRONOUS, UNBLOCKABLE};
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering::Relaxed;
use pending::{Pending, Pool};

/// Signals there are (`_NSIG`).
pub const COUNT: u32 = 64;
/// The first real-time signal, as the kernel counts.
pub const SIGRTMIN: u32 = 32;

pub(crate) const SIGINT: u32 = 2;
pub(crate) const SIGQUIT: u32 = 3;
pub(crate) const SIGILL: u32 = 4;
pub(crate) const SIGTRAP: u32 = 5;
pub(crate) const SIGBUS: u32 = 7;
pub(crate) const SIGFPE: u32 = 8;
pub(crate) const SIGKILL: u32 = 9;
pub(crate) const SIGSEGV: u32 = 11;
pub(crate) const SIGCONT: u32 = 18;
pub(crate) const SIGSTOP: u32 = 19;
pub(crate) const SIGTSTP: u32 = 20;

/// The place of a signal, 1 to 64, in a set.
pub const fn bit(number: u32) -> u64 {
    1 << (number - 1)
}

/// What all threads share.
pub struct Process {
    actions: [SigAction; COUNT as usize],
    shared: Pending,
    pool: Pool,
    /// Stopped, until SIGCONT or SIGKILL.
    stopped: bool,
}

/// RLIMIT_SIGPENDING at first: generous, because nobody else's signals count.
pub const MOST_QUEUED: u64 = 32768;

static PROCESS: Exclusive<Process> = Exclusive::new(Process {
    actions: [SigAction::DEFAULT; COUNT as usize],
    shared: Pending::new(),
    pool: Pool::new(MOST_QUEUED),
    stopped: false,
});

impl Process {
    fn action(&mut self, number: u32) -> &mut SigAction {
        &mut self.actions[number as usize - 1]
    }
}

/// How the last exception came about, for the frames of signals (`sigcontext`).
#[derive(Clone, Copy, Default)]
pub struct Trap {
    vector: u64,
    error: u64,
    cr2: u64,
}

/// How a call goes on that a signal without a handler interrupted: what to call, with what.
#[derive(Clone, Copy)]
pub struct Restart {
    /// The rest of the call.
    pub run: fn([u64; 3]) -> SysResult,
    /// What it needs to know.
    pub args: [u64; 3],
}

/// A thread's part.
pub struct ThreadSignals(UnsafeCell<Thread>);

// SAFETY: reached only through `with`, which is exclusive.
unsafe impl Sync for ThreadSignals {}

/// The state of a thread.
pub struct Thread {
    blocked: u64,
    pending: Pending,
    /// The mask to go back to when a call that replaced it is over (sigsuspend(2), ppoll(2)).
    saved: Option<u64>,
    /// The mask while sigtimedwait(2) waits with some signals open.
    real: u64,
    stack: AltStack,
    trap: Trap,
    /// How restart_syscall(2) goes on.
    restart: Option<Restart>,
    /// rt_sigreturn(2) was called.
    returning: bool,
    /// The trap flag is ours: it leads out of the library.
    stepping: bool,
}

impl ThreadSignals {
    /// A thread that blocks nothing, and has nothing else.
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(Thread::new(0)))
    }
}

impl Thread {
    const fn new(blocked: u64) -> Self {
        Self {
            blocked,
            pending: Pending::new(),
            saved: None,
            real: 0,
            stack: AltStack::NONE,
            trap: Trap {
                vector: 0,
                error: 0,
                cr2: 0,
            },
            restart: None,
            returning: false,
            stepping: false,
        }
    }
}

/// Woken when a signal becomes pending; for signalfd(2).
pub static ARRIVED: Queue = Queue::new();

/// Sends the running thread a SIGSEGV that it cannot block or ignore.
pub fn force_segv() {
    deliver::force_segv(false);
}

/// Runs `body` on the state of the process, interrupts closed.
fn with_process<R>(body: impl FnOnce(&mut Process) -> R) -> R {
    crate::cpu::without_interrupts(|| body(&mut PROCESS.lock()))
}

/// The same with the state of the running thread.
fn with<R>(body: impl FnOnce(&mut Process, &mut Thread) -> R) -> R {
    with_process(|process| {
        // SAFETY: the guard is taken, and `body` is handed no way to another reference.
        let thread = unsafe { &mut *sched::current().signals.0.get() };
        body(process, thread)
    })
}

impl ThreadSignals {
    /// Runs `body` on a thread's state; `_process` is the proof that the guard is taken. Not inside
    /// of another such call.
    fn with<R>(&self, _process: &Process, body: impl FnOnce(&mut Thread) -> R) -> R {
        // SAFETY: the guard is taken; the only reference, as the callers in `send` see to.
        body(unsafe { &mut *self.0.get() })
    }
}

impl Thread {
    /// What can be taken now.
    fn ready(&self, process: &Process) -> u64 {
        (self.pending.set | process.shared.set) & !self.blocked
    }

    /// Notes whether the running thread, which this is, has something to do.
    fn recalculate(&self, process: &Process) {
        // Interrupts are closed, so nobody changes the word in between.
        let other = CPU.work.load(Relaxed) & !work::SIGNAL;
        let due = self.ready(process) != 0 || self.returning;
        CPU.work
            .store(other | if due { work::SIGNAL } else { 0 }, Relaxed);
    }

    #[inline(always)]
    fn set_blocked(&mut self, process: &Process, blocked: u64) {
        let newly = blocked & !self.blocked;
        self.blocked = blocked & !UNBLOCKABLE;
        self.recalculate(process);
        if process.shared.set & newly != 0 {
            send::pass_on(process, newly);
        }
    }

    /// Takes the next signal that is in `set`: of an instruction first, then the thread's, then the
    /// process's, each from the lowest number up.
    fn take(&mut self, process: &mut Process, set: u64) -> Option<SigInfo> {
        let pool = &mut process.pool;
        for pending in [&mut self.pending, &mut process.shared] {
            let ready = pending.set & set;
            if ready != 0 {
                let urgent = ready & SYNCHRONOUS;
                let first = if urgent != 0 { urgent } else { ready };
                return Some(pending.take(pool, first.trailing_zeros() + 1));
            }
        }
        None
    }
}

/// Whether the running thread has a signal to take: a wait ends with
/// [`Interrupted`](crate::wait::Interrupted) then. One load. In the library's tests nothing is
/// delivered, so nothing is due.
#[inline(always)]
pub fn is_due() -> bool {
    cfg!(not(test)) && CPU.work.load(Relaxed) & work::SIGNAL != 0
}

/// Takes the next pending signal in `set`, blocked or not: sigtimedwait(2), and reading a signalfd.
pub fn take(set: u64) -> Option<SigInfo> {
    with(|process, thread| {
        let taken = thread.take(process, set & !UNBLOCKABLE);
        thread.recalculate(process);
        taken
    })
}

/// Signals that are pending for the running thread or for the process.
pub fn pending() -> u64 {
    with(|process, thread| thread.pending.set | process.shared.set)
}

/// Signals that the running thread blocks, and those of them that are pending for it or for the
/// process.
pub fn blocked() -> [u64; 2] {
    with(|process, thread| {
        let pending = thread.pending.set | process.shared.set;
        [thread.blocked, pending & thread.blocked]
    })
}

/// Signals that are pending for the process, ignored, and handled, as `/proc/self/status` shows them:
/// bit `n - 1` for signal `n`; and how many are queued.
pub fn sets() -> ([u64; 3], u32) {
    with_process(|process| {
        let (mut ignored, mut handled) = (0, 0);
        for number in 1..=COUNT {
            match process.action(number).handler {
                action::SIG_DFL => {}
                action::SIG_IGN => ignored |= bit(number),
                _ => handled |= bit(number),
            }
        }
        let sets = [process.shared.set, ignored, handled];
        (sets, process.pool.queued())
    })
}

/// Signals that a thread blocks, and that are pending for it alone.
pub fn sets_of(thread: &'static sched::Thread) -> [u64; 2] {
    with_process(|process| {
        let signals = &thread.signals;
        signals.with(process, |state| [state.blocked, state.pending.set])
    })
}

/// Sets RLIMIT_SIGPENDING.
pub fn set_limit(limit: u64) {
    with_process(|process| process.pool.limit = limit);
}

/// Exchanges the disposition of signal `number` (1 to 64, and not one that cannot be caught).
pub fn set_action(number: u32, new: Option<SigAction>) -> SigAction {
    with_process(|process| {
        let before = *process.action(number);
        if let Some(new) = new {
            let new = new.sanitised();
            *process.action(number) = new;
            if new.ignores(number) {
                // What is pending is discarded, blocked or not (POSIX.1, 2.4.3).
                send::flush(process, bit(number));
            }
        }
        before
    })
}

/// Changes the running thread's mask; what it was.
pub fn change_mask(change: impl FnOnce(u64) -> u64) -> u64 {
    with(|process, thread| {
        let before = thread.blocked;
        let after = change(before);
        if after != before {
            thread.set_blocked(process, after);
        }
        before
    })
}

/// Replaces the mask until the end of the call: sigsuspend(2), ppoll(2), pselect(2), epoll_pwait(2).
pub fn borrow_mask(mask: u64) {
    with(|process, thread| {
        thread.saved = Some(thread.blocked);
        thread.set_blocked(process, mask);
    });
}

/// Puts the mask back that [`borrow_mask`] replaced, if it did: for a call that ends otherwise than
/// by a signal. One that does end so leaves that to the delivery, so that the handler still runs
/// under the borrowed mask.
pub fn return_mask() {
    with(|process, thread| {
        if let Some(mask) = thread.saved.take() {
            thread.set_blocked(process, mask);
        }
    });
}

/// Opens the signals of `set` while `wait` waits for one of them; then one of them, if it came.
pub fn wait_for(set: u64, wait: impl FnOnce()) -> Option<SigInfo> {
    let set = set & !UNBLOCKABLE;
    with(|process, thread| {
        thread.real = thread.blocked;
        thread.set_blocked(process, thread.blocked & !set);
    });
    wait();
    with(|process, thread| {
        let taken = thread.take(process, set);
        let mask = core::mem::take(&mut thread.real);
        thread.set_blocked(process, mask);
        taken
    })
}

/// Exchanges the alternate stack, for who has stack pointer `sp`; the one before, as it is shown.
pub fn set_stack(new: Option<AltStack>, sp: usize) -> Result<AltStack, Errno> {
    with(|_, thread| {
        let before = thread.stack.shown(sp);
        match new {
            Some(new) => thread.stack.set(new, sp).map(|()| before),
            None => Ok(before),
        }
    })
}

/// Ends a call so that it goes on with `restart` if no handler runs, and is `EINTR` if one does.
pub fn interrupted(restart: Restart) -> Errno {
    with(|_, thread| thread.restart = Some(restart));
    Errno::ERESTART_RESTARTBLOCK
}

/// restart_syscall(2): goes on with what [`interrupted`] kept; `EINTR` when that is nothing.
pub fn restart() -> SysResult {
    match with(|_, thread| thread.restart.take()) {
        Some(restart) => (restart.run)(restart.args),
        None => Err(Errno::EINTR),
    }
}

/// rt_sigreturn(2): the rest happens where the call ends.
pub fn start_return() {
    with(|process, thread| {
        thread.returning = true;
        thread.recalculate(process);
    });
}
