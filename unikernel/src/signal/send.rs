//! Sending.

use super::action::STOPS;
use super::{
    ARRIVED, Process, SIGCONT, SIGKILL, SigInfo, Thread, ThreadSignals, bit, current, with,
};
use crate::cpu::CPU;
use crate::errno::Errno;
use core::sync::atomic::Ordering::Relaxed;

/// Who gets a signal.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    /// Any thread of the process that does not block it.
    Process,
    /// This thread.
    Thread(&'a ThreadSignals),
}

/// Sends a signal (1 to 64). May be called from an interrupt; allocates only outside of one.
/// `EAGAIN` when a real-time signal cannot be queued.
pub fn send(target: Target<'_>, info: SigInfo) -> Result<(), Errno> {
    let may_allocate = CPU.soft_if.load(Relaxed) != 0;
    with(|process, thread| {
        if may_allocate {
            process.pool.fill();
        }
        thread.send(process, target, info)
    })?;
    ARRIVED.wake();
    Ok(())
}

/// Sends a signal to the process.
pub fn send_process(info: SigInfo) -> Result<(), Errno> {
    send(Target::Process, info)
}

/// Sends a signal to the running thread.
pub fn send_thread(info: SigInfo) -> Result<(), Errno> {
    send(Target::Thread(current()), info)
}

impl Thread {
    /// Sends from the running thread, which this is.
    fn send(
        &mut self,
        process: &mut Process,
        target: Target<'_>,
        info: SigInfo,
    ) -> Result<(), Errno> {
        let number = info.signo as u32;
        self.prepare(process, number);
        let blocked = (self.blocked | self.real) & bit(number) != 0;
        if !blocked && process.action(number).ignores(number) {
            return Ok(());
        }
        let Process { shared, pool, .. } = process;
        match target {
            Target::Process => shared.push(pool, info)?,
            Target::Thread(_) => self.pending.push(pool, info)?,
        }
        self.recalculate(process);
        Ok(())
    }

    /// Stop signals and SIGCONT cancel each other where they are pending, and SIGCONT continues the
    /// process even if it is blocked or ignored (signal(7)).
    fn prepare(&mut self, process: &mut Process, number: u32) {
        let cancelled = match number {
            SIGCONT => STOPS,
            number if STOPS & bit(number) != 0 => bit(SIGCONT),
            SIGKILL => 0,
            _ => return,
        };
        let Process { shared, pool, .. } = process;
        shared.flush(pool, cancelled);
        self.pending.flush(pool, cancelled);
        if cancelled != bit(SIGCONT) {
            process.stopped = false;
        }
        self.recalculate(process);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Pending, Pool, SigAction, action, info::code};
    use super::*;

    fn fresh() -> (Process, Thread) {
        let process = Process {
            actions: [SigAction::DEFAULT; 64],
            shared: Pending::new(),
            pool: Pool::new(100),
            stopped: false,
        };
        (process, ThreadSignals::new(0).0.into_inner())
    }

    fn send(process: &mut Process, thread: &mut Thread, number: i32) {
        let info = SigInfo::new(number, code::SI_USER);
        thread.send(process, Target::Process, info).unwrap();
    }

    // The tests of this module leave `CPU.work` alone in effect: it is a machine's.

    #[test]
    fn ignored_signals_vanish_unless_they_are_blocked() {
        let (mut process, mut thread) = fresh();
        send(&mut process, &mut thread, 17);
        process.action(10).handler = action::SIG_IGN;
        send(&mut process, &mut thread, 10);
        assert_eq!(process.shared.set, 0);
        thread.blocked = bit(10) | bit(17);
        send(&mut process, &mut thread, 17);
        send(&mut process, &mut thread, 10);
        assert_eq!(process.shared.set, bit(10) | bit(17));
        thread.blocked = 0;
        thread.recalculate(&process);
        while thread.take(&mut process, !0).is_some() {}
        thread.recalculate(&process);
    }

    #[test]
    fn stop_and_continue_cancel_each_other() {
        let (mut process, mut thread) = fresh();
        thread.blocked = !0;
        process.stopped = true;
        send(&mut process, &mut thread, 20);
        assert!(process.stopped);
        send(&mut process, &mut thread, 18);
        assert_eq!((process.shared.set, process.stopped), (bit(18), false));
        send(&mut process, &mut thread, 21);
        assert_eq!(process.shared.set, bit(21));
    }

    #[test]
    fn the_order_is_instructions_thread_process_number() {
        let (mut process, mut thread) = fresh();
        thread.blocked = !0;
        for number in [40, 12, 11, 2] {
            send(&mut process, &mut thread, number);
        }
        let own = SigInfo::new(15, code::SI_TKILL);
        let Process { pool, .. } = &mut process;
        thread.pending.push(pool, own).unwrap();
        let taken = core::iter::from_fn(|| thread.take(&mut process, !0)).map(|i| i.signo);
        assert_eq!(taken.collect::<Vec<_>>(), [15, 11, 2, 12, 40]);
    }
}
