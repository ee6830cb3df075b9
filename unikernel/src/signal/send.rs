//! Sending: to whom a signal goes, and that it is noticed.

use super::action::{self, Default, STOPS};
use super::{ARRIVED, Process, SIGCONT, SIGKILL, SigInfo, ThreadSignals, bit, with_process};
use crate::cpu::{CPU, work};
use crate::errno::Errno;
use crate::process::PID;
use crate::sched::{self, State};
use core::sync::atomic::Ordering::Relaxed;

/// Who gets a signal.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Any thread of the process that does not block it.
    Process,
    /// The same, the running thread before others.
    Running,
    /// This thread.
    Thread(&'static sched::Thread),
}

/// Sends a signal (1 to 64). May be called from an interrupt; allocates only outside of one.
/// `EAGAIN` when a real-time signal cannot be queued.
pub fn send(target: Target, info: SigInfo) -> Result<(), Errno> {
    let may_allocate = CPU.soft_if.load(Relaxed) != 0;
    with_process(|process| {
        if may_allocate {
            process.pool.fill();
        }
        post(process, target, info)
    })?;
    ARRIVED.wake();
    Ok(())
}

/// The pending signal of a POSIX timer, if there is one, stands for `times` more expirations; for
/// how many beside one.
pub fn add_overrun(target: Target, info: &SigInfo, times: u64) -> Option<u64> {
    with_process(|process| {
        let Process { shared, pool, .. } = process;
        match target {
            Target::Process | Target::Running => shared.expired_again(pool, info, times),
            Target::Thread(thread) => {
                // SAFETY: the guard is taken, and this is the only reference.
                let state = unsafe { &mut *thread.signals.0.get() };
                state.pending.expired_again(pool, info, times)
            }
        }
    })
}

/// Sends a signal to the process.
pub fn send_process(info: SigInfo) -> Result<(), Errno> {
    send(Target::Process, info)
}

/// The main thread, which stands for the process as long as anything lives.
fn main() -> &'static sched::Thread {
    sched::find(PID).unwrap_or_else(sched::current)
}

fn post(process: &mut Process, target: Target, info: SigInfo) -> Result<(), Errno> {
    let number = info.signo as u32;
    prepare(process, number);
    let asked = match target {
        Target::Process => main(),
        Target::Running => sched::current(),
        Target::Thread(thread) => thread,
    };
    let ignored = process.action(number).ignores(number);
    if ignored && !blocks(process, asked, number) {
        return Ok(());
    }
    match target {
        Target::Process | Target::Running => {
            let Process { shared, pool, .. } = process;
            shared.push(pool, info)?;
            if let Some(thread) = choose(process, asked, number) {
                notify(thread);
            }
        }
        Target::Thread(thread) => {
            // SAFETY: the guard is taken, and this is the only reference.
            let state = unsafe { &mut *thread.signals.0.get() };
            state.pending.push(&mut process.pool, info)?;
            if state.blocked & bit(number) == 0 {
                notify(thread);
            }
        }
    }
    Ok(())
}

/// Whether a thread blocks a signal, or does when it does not wait for it.
fn blocks(process: &Process, thread: &'static sched::Thread, number: u32) -> bool {
    let set = |state: &mut super::Thread| state.blocked | state.real;
    thread.signals.with(process, set) & bit(number) != 0
}

/// Whether a thread can take a signal.
fn wants(process: &Process, thread: &'static sched::Thread, set: u64) -> bool {
    thread.state() != State::Dead
        && thread.signals.with(process, |state| state.blocked) & set != set
}

/// The thread that gets a signal sent to the process: the one that was `asked`, if it can; then any.
/// What ends the process does it at once.
fn choose(
    process: &mut Process,
    asked: &'static sched::Thread,
    number: u32,
) -> Option<&'static sched::Thread> {
    let action = *process.action(number);
    let fatal = action.handler == action::SIG_DFL
        && matches!(action::default(number), Default::Terminate | Default::Core);
    let me = sched::current();
    let first = if fatal { [me, asked] } else { [asked, me] };
    let able = |thread: &&'static sched::Thread| wants(process, thread, bit(number));
    if let Some(thread) = first.into_iter().find(able) {
        return Some(thread);
    }
    let mut found = None;
    sched::each(|thread| {
        if found.is_none() && able(&thread) {
            found = Some(thread);
        }
    });
    found
}

/// Has a thread look for signals.
fn notify(thread: &'static sched::Thread) {
    thread.add_work(work::SIGNAL);
    if !thread.is(sched::current()) {
        sched::wake(thread);
    }
}

/// The running thread blocks `newly`: what is pending for the process may be others' to take.
pub(super) fn pass_on(process: &Process, newly: u64) {
    let set = process.shared.set & newly;
    if set == 0 || sched::others() == 0 {
        return;
    }
    let me = sched::current();
    sched::each(|thread| {
        if !thread.is(me) && wants(process, thread, set) {
            notify(thread);
        }
    });
}

/// Forgets pending signals everywhere.
pub(super) fn flush(process: &mut Process, set: u64) {
    let Process { shared, pool, .. } = process;
    shared.flush(pool, set);
    sched::each(|thread| {
        // SAFETY: the guard is taken, and this is the only reference.
        let state = unsafe { &mut *thread.signals.0.get() };
        state.pending.flush(pool, set);
    });
}

/// Stop signals and SIGCONT cancel each other where they are pending, and SIGCONT continues the
/// process even if it is blocked or ignored (signal(7)).
fn prepare(process: &mut Process, number: u32) {
    match number {
        SIGCONT => {
            flush(process, STOPS);
            process.stopped = false;
        }
        SIGKILL => process.stopped = false,
        _ if STOPS & bit(number) != 0 => flush(process, bit(SIGCONT)),
        _ => {}
    }
}

/// Gives a new thread, whose part is `signals`, the mask of the running one and nothing else
/// (clone(2)).
pub fn inherit(signals: &ThreadSignals) {
    with_process(|process| {
        let blocked = sched::current().signals.with(process, |me| me.blocked);
        signals.with(process, |new| *new = super::Thread::new(blocked));
    });
}

/// The running thread ends: its signals with it, and those of the process go to others.
pub fn ended() {
    with_process(|process| {
        let me = sched::current();
        // SAFETY: the guard is taken, and this is the only reference.
        let state = unsafe { &mut *me.signals.0.get() };
        state.pending.flush(&mut process.pool, !0);
        let open = !state.blocked;
        me.end_work(work::SIGNAL);
        pass_on(process, open);
    });
}

#[cfg(test)]
mod tests {
    use super::super::{Pending, Pool, SigAction, info::code};
    use super::*;

    fn fresh() -> Process {
        Process {
            actions: [SigAction::DEFAULT; 64],
            shared: Pending::new(),
            pool: Pool::new(100),
            stopped: false,
        }
    }

    /// To the running thread, which in a test is of the test alone.
    fn send(process: &mut Process, number: i32) {
        let info = SigInfo::new(number, code::SI_USER);
        post(process, Target::Thread(sched::current()), info).unwrap();
    }

    fn with_me<R>(process: &Process, body: impl FnOnce(&mut super::super::Thread) -> R) -> R {
        sched::current().signals.with(process, body)
    }

    fn pending(process: &Process) -> u64 {
        with_me(process, |me| me.pending.set)
    }

    #[test]
    fn ignored_signals_vanish_unless_they_are_blocked() {
        let mut process = fresh();
        send(&mut process, 17);
        process.action(10).handler = action::SIG_IGN;
        send(&mut process, 10);
        assert_eq!(pending(&process), 0);
        with_me(&process, |me| me.blocked = bit(10) | bit(17));
        send(&mut process, 17);
        send(&mut process, 10);
        assert_eq!(pending(&process), bit(10) | bit(17));
        with_me(&process, |me| me.pending = Pending::new());
    }

    #[test]
    fn stop_and_continue_cancel_each_other() {
        let mut process = fresh();
        with_me(&process, |me| me.blocked = !0);
        process.stopped = true;
        let mut post = |number| {
            prepare(&mut process, number);
            let info = SigInfo::new(number as i32, code::SI_USER);
            let Process { shared, pool, .. } = &mut process;
            shared.push(pool, info).unwrap();
            (process.shared.set, process.stopped)
        };
        assert_eq!(post(20), (bit(20), true));
        assert_eq!(post(18), (bit(18), false));
        assert_eq!(post(21), (bit(21), false));
    }

    #[test]
    fn the_order_is_instructions_thread_process_number() {
        let mut process = fresh();
        let mut thread = super::super::Thread::new(!0);
        let Process { shared, pool, .. } = &mut process;
        for number in [40, 12, 11, 2] {
            shared
                .push(pool, SigInfo::new(number, code::SI_USER))
                .unwrap();
        }
        let own = SigInfo::new(15, code::SI_TKILL);
        thread.pending.push(pool, own).unwrap();
        let taken = core::iter::from_fn(|| thread.take(&mut process, !0)).map(|i| i.signo);
        assert_eq!(taken.collect::<Vec<_>>(), [15, 11, 2, 12, 40]);
    }
}
