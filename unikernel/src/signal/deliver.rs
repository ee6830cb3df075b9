//! Delivery: what happens to pending signals before the application goes on.

use super::action::{self, Default, flag};
use super::fpu::Xmm;
use super::frame::{self, Delivery};
use super::{Process, SIGSEGV, SigInfo, Thread, bit, is_due, with};
use crate::control;
use crate::cpu;
use crate::errno::Errno;
use crate::irq::{self, Frame};
use crate::platform::platform;
use crate::sched::rseq;
use crate::{process, report};

/// The system call that ends where signals are delivered, by its number; its result is in `rax`.
pub type Call = Option<u64>;

/// `restart_syscall`, which goes on with what was interrupted.
const RESTART_SYSCALL: u64 = 219;

enum Step {
    Nothing,
    /// The end of rt_sigreturn(2).
    Return,
    /// A handler: the delivery is filled in.
    Enter,
    Stop,
    Terminate(u32),
    Core(u32),
}

/// Where the application goes on after a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Where it would have.
    Same,
    /// At the start of a handler.
    Handler,
    /// Somewhere else: back from a handler, or in a call once more.
    Elsewhere,
}

/// Delivers all signals that the running thread can take. `frame` is where the application would go
/// on, `xmm` its XMM registers; both may change.
///
/// # Safety
/// `xmm` is the save area of the entry that `frame` is of, and both are put into effect if they
/// changed.
pub unsafe fn deliver(frame: &mut Frame, xmm: *mut Xmm, mut call: Call) -> Next {
    let mut to = Next::Same;
    // Filled in where it is, because it is too large to be handed about.
    let mut delivery = None;
    loop {
        match with(|process, thread| next(process, thread, &mut delivery)) {
            Step::Nothing => {
                if call
                    .take()
                    .is_some_and(|number| finish(frame, number, None))
                {
                    to = Next::Elsewhere;
                }
                if !with(restore_mask) {
                    return to;
                }
            }
            Step::Return => {
                (to, call) = (Next::Elsewhere, None);
                go_back(frame, xmm);
                if !is_due() {
                    return to;
                }
            }
            Step::Enter => {
                let Some(delivery) = &delivery else { continue };
                if let Some(number) = call.take()
                    && finish(frame, number, Some(delivery.action.flags))
                {
                    to = Next::Elsewhere;
                }
                let entered = match rseq::interrupt(frame) {
                    Ok(()) => frame::enter(frame, xmm, delivery),
                    Err(_) => Err(()),
                };
                match entered {
                    Ok(()) if !is_due() => return Next::Handler,
                    Ok(()) => to = Next::Handler,
                    Err(()) => no_room(frame, delivery),
                }
            }
            Step::Stop => stop(),
            Step::Terminate(number) => terminate(number),
            Step::Core(number) => {
                report::killed(frame, number);
                terminate(number)
            }
        }
    }
}

/// Takes the next signal and finds out what is to be done.
#[inline(always)]
fn next(process: &mut Process, thread: &mut Thread, delivery: &mut Option<Delivery>) -> Step {
    if core::mem::take(&mut thread.returning) {
        return Step::Return;
    }
    while let Some(info) = take(process, thread) {
        let number = info.signo as u32;
        let action = *process.action(number);
        match action.handler {
            action::SIG_IGN => continue,
            action::SIG_DFL => match action::default(number) {
                Default::Ignore => continue,
                // Nobody is above the process, so its group is orphaned, and only SIGSTOP stops it.
                Default::Stop if number != super::SIGSTOP => continue,
                Default::Stop => {
                    process.stopped = true;
                    return Step::Stop;
                }
                Default::Terminate => return Step::Terminate(number),
                Default::Core => return Step::Core(number),
            },
            _ => {}
        }
        if action.flags & flag::RESETHAND != 0 {
            process.action(number).handler = action::SIG_DFL;
        }
        let delivery = delivery.insert(Delivery {
            info,
            action,
            mask: thread.saved.unwrap_or(thread.blocked),
            stack: thread.stack,
            before: (thread.blocked, thread.saved),
            trap: thread.trap,
        });
        thread.started(process, delivery);
        return Step::Enter;
    }
    thread.recalculate(process);
    Step::Nothing
}

/// What an instruction caused comes first, so that the frame has its address; then the rest.
fn take(process: &mut Process, thread: &mut Thread) -> Option<SigInfo> {
    let open = !thread.blocked;
    let caused = thread.pending.set & open & action::SYNCHRONOUS;
    if caused != 0
        && let Some(number) = thread.pending.synchronous(&mut process.pool, caused)
    {
        return Some(thread.pending.take(&mut process.pool, number));
    }
    thread.take(process, open)
}

/// Puts a borrowed mask back; whether that opens a pending signal.
fn restore_mask(process: &mut Process, thread: &mut Thread) -> bool {
    match thread.saved.take() {
        Some(mask) => {
            thread.set_blocked(process, mask);
            thread.ready(process) != 0
        }
        None => false,
    }
}

impl Thread {
    /// A handler starts: its mask holds, and the borrowed one is in the frame.
    fn started(&mut self, process: &Process, delivery: &Delivery) {
        let number = delivery.info.signo as u32;
        let itself = match delivery.action.flags & flag::NODEFER {
            0 => bit(number),
            _ => 0,
        };
        self.saved = None;
        self.set_blocked(process, self.blocked | delivery.action.mask | itself);
        if self.stack.disarms() {
            self.stack = super::AltStack::NONE;
        }
    }

    /// Sends a signal that cannot be blocked or ignored: then it has its default action. Returns
    /// whether it has it now.
    pub(super) fn force(&mut self, process: &mut Process, info: SigInfo, fatal: bool) -> bool {
        let number = info.signo as u32;
        let action = process.action(number);
        let blocked = self.blocked & bit(number) != 0;
        if blocked || fatal || action.handler == action::SIG_IGN {
            action.handler = action::SIG_DFL;
            self.blocked &= !bit(number);
        }
        let is_default = action.handler == action::SIG_DFL;
        // A standard signal is always queued, or pending already.
        let _ = self.pending.push(&mut process.pool, info);
        self.recalculate(process);
        is_default
    }
}

/// Ends a system call whose wait a signal ended: `EINTR`, or it is made again. `handler` has the
/// flags of the disposition when one will run. Returns whether anything changed.
fn finish(frame: &mut Frame, number: u64, handler: Option<u64>) -> bool {
    let Some(error) = Errno::from_number(frame.rax.wrapping_neg().min(0xfff) as u16) else {
        return false;
    };
    let again = match (error, handler) {
        (Errno::ERESTARTSYS, Some(flags)) => (flags & flag::RESTART != 0).then_some(number),
        (Errno::ERESTARTNOHAND | Errno::ERESTART_RESTARTBLOCK, Some(_)) => None,
        (Errno::ERESTARTSYS | Errno::ERESTARTNOHAND, None) => Some(number),
        (Errno::ERESTARTNOINTR, _) => Some(number),
        (Errno::ERESTART_RESTARTBLOCK, None) => Some(RESTART_SYSCALL),
        _ => return false,
    };
    match again {
        Some(number) => {
            frame.rax = number;
            frame.rip = frame.rip.wrapping_sub(2);
        }
        None => frame.rax = u64::from(Errno::EINTR.number()).wrapping_neg(),
    }
    true
}

/// The end of rt_sigreturn(2).
fn go_back(frame: &mut Frame, xmm: *mut Xmm) {
    let sp = frame.rsp as usize;
    let returned = frame::leave(frame, xmm);
    let bad = with(|process, thread| match returned {
        Some(returned) => {
            thread.restart = None;
            thread.set_blocked(process, returned.mask);
            // Linux overlooks what is wrong with the stack.
            let _ = thread.stack.set(returned.stack, sp);
            returned.is_bad
        }
        None => true,
    });
    if bad && force_segv(false) {
        control!("lintel: rt_sigreturn: bad frame at {sp:#x}");
    }
}

/// There is no room for a handler's frame: SIGSEGV, and if it was that, the end.
fn no_room(frame: &Frame, delivery: &Delivery) {
    with(|process, thread| {
        (_, thread.saved) = delivery.before;
        thread.stack = delivery.stack;
        thread.set_blocked(process, delivery.before.0);
    });
    let number = delivery.info.signo as u32;
    if force_segv(number == SIGSEGV) {
        let (rip, rsp) = (frame.rip, frame.rsp);
        control!("lintel: no room for a handler of signal {number}: rip {rip:#x} rsp {rsp:#x}");
    }
}

/// Forces SIGSEGV; whether it ends the program.
pub(super) fn force_segv(fatal: bool) -> bool {
    let info = SigInfo::kernel(SIGSEGV as i32);
    with(|process, thread| thread.force(process, info, fatal))
}

/// Stops the process until SIGCONT is sent, or a signal that ends it. Only interrupts can.
fn stop() {
    let was = cpu::soft_disable();
    while with(|process, thread| {
        let killed = thread.pending.set | process.shared.set;
        process.stopped && killed & bit(super::SIGKILL) == 0
    }) {
        platform().idle();
        irq::take_pending();
    }
    cpu::soft_restore(was);
}

/// Ends the program as a signal does.
pub(super) fn terminate(number: u32) -> ! {
    process::exit(128 + number as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(error: Errno, handler: Option<u64>) -> (i64, u64) {
        // SAFETY: a frame is integers.
        let mut frame: Frame = unsafe { core::mem::zeroed() };
        frame.rax = u64::from(error.number()).wrapping_neg();
        frame.rip = 0x1002;
        finish(&mut frame, 7, handler);
        (frame.rax as i64, frame.rip)
    }

    #[test]
    fn interrupted_calls_are_made_again_as_linux_does() {
        let (plain, restart) = (Some(0), Some(flag::RESTART));
        let again = (7, 0x1000);
        let failed = (-4, 0x1002);
        assert_eq!(finished(Errno::ERESTARTSYS, None), again);
        assert_eq!(finished(Errno::ERESTARTSYS, restart), again);
        assert_eq!(finished(Errno::ERESTARTSYS, plain), failed);
        assert_eq!(finished(Errno::ERESTARTNOHAND, restart), failed);
        assert_eq!(finished(Errno::ERESTARTNOHAND, None), again);
        assert_eq!(finished(Errno::ERESTART_RESTARTBLOCK, restart), failed);
        assert_eq!(finished(Errno::ERESTART_RESTARTBLOCK, None), (219, 0x1000));
        assert_eq!(finished(Errno::ERESTARTNOINTR, plain), again);
        assert_eq!(finished(Errno::EAGAIN, restart), (-11, 0x1002));
    }
}
