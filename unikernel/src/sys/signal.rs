//! Signals, as far as a process needs them before any is delivered: dispositions, masks and the
//! alternate stack are kept and given back, and a signal that the process sends itself has its
//! default action. A handler is never called yet; where Linux would call one, `ENOSYS` says so.

use crate::errno::{Errno, SysResult};
use crate::process::{self, PID};
use crate::sync::SpinLock;
use crate::uaccess::{Pod, UserPtr};

const SIGNALS: usize = 64;
const SIGKILL: usize = 9;
const SIGSTOP: usize = 19;
const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;

/// The kernel's sigaction (rt_sigaction(2), C library/kernel differences).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

// SAFETY: a repr(C) struct of integers.
unsafe impl Pod for SigAction {}

/// stack_t (sigaltstack(2)).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AltStack {
    sp: usize,
    flags: i32,
    _pad: i32,
    size: usize,
}

// SAFETY: a repr(C) struct of integers, the padding named.
unsafe impl Pod for AltStack {}

const SS_DISABLE: i32 = 2;
const SS_AUTODISARM: i32 = i32::MIN;
/// Smallest alternate stack Linux accepts.
const MINSIGSTKSZ: usize = 2048;

struct Signals {
    actions: [SigAction; SIGNALS + 1],
    mask: u64,
    stack: AltStack,
}

static SIGNALS_STATE: SpinLock<Signals> = SpinLock::new(Signals {
    actions: [SigAction {
        handler: SIG_DFL,
        flags: 0,
        restorer: 0,
        mask: 0,
    }; SIGNALS + 1],
    mask: 0,
    stack: AltStack {
        sp: 0,
        flags: SS_DISABLE,
        _pad: 0,
        size: 0,
    },
});

/// Signals that are blocked, ignored, and handled, as `/proc/self/status` shows them: bit `n - 1` for
/// signal `n`.
pub fn sets() -> [u64; 3] {
    let state = SIGNALS_STATE.lock_no_irq();
    let (mut ignored, mut handled) = (0, 0);
    for (number, action) in state.actions.iter().enumerate().skip(1) {
        match action.handler {
            SIG_DFL => {}
            SIG_IGN => ignored |= 1 << (number - 1),
            _ => handled |= 1 << (number - 1),
        }
    }
    [state.mask, ignored, handled]
}

fn unblockable() -> u64 {
    1 << (SIGKILL - 1) | 1 << (SIGSTOP - 1)
}

/// rt_sigaction(2).
pub fn rt_sigaction(
    signal: i32,
    new: UserPtr<SigAction>,
    old: UserPtr<SigAction>,
    set_size: usize,
) -> SysResult {
    if set_size != 8 {
        return Err(Errno::EINVAL);
    }
    let wanted = new.optional().map(UserPtr::read).transpose()?;
    let number = usize::try_from(signal)
        .ok()
        .filter(|n| (1..=SIGNALS).contains(n));
    let number = number.ok_or(Errno::EINVAL)?;
    if wanted.is_some() && (number == SIGKILL || number == SIGSTOP) {
        return Err(Errno::EINVAL);
    }
    let before = {
        let mut state = SIGNALS_STATE.lock_no_irq();
        let before = state.actions[number];
        if let Some(mut action) = wanted {
            action.mask &= !unblockable();
            state.actions[number] = action;
        }
        before
    };
    if let Some(old) = old.optional() {
        old.write(&before)?;
    }
    Ok(0)
}

/// rt_sigprocmask(2).
pub fn rt_sigprocmask(
    how: i32,
    new: UserPtr<u64>,
    old: UserPtr<u64>,
    set_size: usize,
) -> SysResult {
    if set_size != 8 {
        return Err(Errno::EINVAL);
    }
    let wanted = new.optional().map(UserPtr::read).transpose()?;
    let before = {
        let mut state = SIGNALS_STATE.lock_no_irq();
        let before = state.mask;
        if let Some(set) = wanted {
            let mask = match how {
                0 => before | set,
                1 => before & !set,
                2 => set,
                _ => return Err(Errno::EINVAL),
            };
            state.mask = mask & !unblockable();
        }
        before
    };
    if let Some(old) = old.optional() {
        old.write(&before)?;
    }
    Ok(0)
}

/// sigaltstack(2).
pub fn sigaltstack(new: UserPtr<AltStack>, old: UserPtr<AltStack>) -> SysResult {
    let wanted = new.optional().map(UserPtr::read).transpose()?;
    let before = {
        let mut state = SIGNALS_STATE.lock_no_irq();
        let before = state.stack;
        if let Some(stack) = wanted {
            state.stack = checked(stack)?;
        }
        before
    };
    if let Some(old) = old.optional() {
        old.write(&before)?;
    }
    Ok(0)
}

fn checked(stack: AltStack) -> Result<AltStack, Errno> {
    let mode = stack.flags & !SS_AUTODISARM;
    match mode {
        SS_DISABLE => Ok(AltStack {
            sp: 0,
            size: 0,
            ..stack
        }),
        // SS_ONSTACK (1) is accepted and ignored, as Linux does.
        0 | 1 if stack.size < MINSIGSTKSZ => Err(Errno::ENOMEM),
        0 | 1 => Ok(AltStack {
            flags: stack.flags & SS_AUTODISARM,
            ..stack
        }),
        _ => Err(Errno::EINVAL),
    }
}

/// What a signal without a handler does (signal(7)).
fn ignored_by_default(signal: usize) -> bool {
    // SIGCHLD, SIGURG, SIGWINCH; SIGCONT continues what is not stopped.
    matches!(signal, 17 | 18 | 23 | 28)
}

fn raise(signal: i32) -> SysResult {
    let number = usize::try_from(signal)
        .ok()
        .filter(|&n| n <= SIGNALS)
        .ok_or(Errno::EINVAL)?;
    if number == 0 {
        return Ok(0);
    }
    let (handler, blocked) = {
        let state = SIGNALS_STATE.lock_no_irq();
        (
            state.actions[number].handler,
            state.mask >> (number - 1) & 1 != 0,
        )
    };
    match handler {
        SIG_IGN => Ok(0),
        SIG_DFL if ignored_by_default(number) => Ok(0),
        // SIGSTOP and its kin would stop the process for good: nobody could continue it.
        SIG_DFL if !blocked && !matches!(number, 19..=22) => process::exit(128 + number as u8),
        _ => Err(Errno::ENOSYS),
    }
}

/// kill(2), to oneself.
pub fn kill(pid: i32, signal: i32) -> SysResult {
    if matches!(pid, 0 | -1 | PID) || pid == -PID {
        raise(signal)
    } else {
        Err(Errno::ESRCH)
    }
}

/// tkill(2), to oneself.
pub fn tkill(tid: i32, signal: i32) -> SysResult {
    match tid {
        PID => raise(signal),
        2.. => Err(Errno::ESRCH),
        _ => Err(Errno::EINVAL),
    }
}

/// tgkill(2), to oneself.
pub fn tgkill(group: i32, tid: i32, signal: i32) -> SysResult {
    match (group, tid) {
        (PID, PID) => raise(signal),
        (1.., 1..) => Err(Errno::ESRCH),
        _ => Err(Errno::EINVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<T>(value: &mut T) -> UserPtr<T> {
        UserPtr::new(core::ptr::from_mut(value) as usize)
    }

    #[test]
    fn dispositions_are_kept_and_kill_cannot_be_caught() {
        let mut action = SigAction {
            handler: SIG_IGN,
            flags: 4,
            restorer: 5,
            mask: !0,
        };
        let mut before = action;
        assert_eq!(rt_sigaction(13, at(&mut action), UserPtr::new(0), 8), Ok(0));
        assert_eq!(rt_sigaction(13, UserPtr::new(0), at(&mut before), 8), Ok(0));
        assert_eq!((before.handler, before.mask), (SIG_IGN, !unblockable()));
        assert_eq!(raise(13), Ok(0));
        for (signal, size) in [(9, 8), (65, 8), (0, 8), (13, 4)] {
            assert_eq!(
                rt_sigaction(signal, at(&mut action), UserPtr::new(0), size),
                Err(Errno::EINVAL)
            );
        }
    }

    #[test]
    fn alternate_stacks_are_checked() {
        let stack = |flags, size| AltStack {
            sp: 0x1000,
            flags,
            _pad: 0,
            size,
        };
        assert_eq!(checked(stack(0, 100)), Err(Errno::ENOMEM));
        assert_eq!(checked(stack(8, 8192)), Err(Errno::EINVAL));
        assert_eq!(checked(stack(0, 8192)).map(|s| s.size), Ok(8192));
        assert_eq!(checked(stack(SS_DISABLE, 8192)).map(|s| s.size), Ok(0));
    }
}
