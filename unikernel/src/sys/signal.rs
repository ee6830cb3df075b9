//! Signals: dispositions, masks, the alternate stack ([`send`] and [`wait`] have the rest).

pub mod send;
pub mod wait;

pub use send::{kill, rt_sigqueueinfo, rt_tgsigqueueinfo, tgkill, tkill};
pub use wait::{pause, restart_syscall, rt_sigsuspend, rt_sigtimedwait};

use crate::errno::{Errno, SysResult};
use crate::signal::{self, AltStack, COUNT, SigAction, action};
use crate::uaccess::{UserPtr, UserSlice};

/// Size of the kernel's `sigset_t` in bytes.
pub const SET_SIZE: usize = 8;

/// Reads a set whose size the program says, too.
pub fn read_set(set: UserPtr<u64>, size: usize) -> Result<u64, Errno> {
    if size != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    set.read()
}

/// rt_sigaction(2).
pub fn rt_sigaction(
    number: i32,
    new: UserPtr<SigAction>,
    old: UserPtr<SigAction>,
    set_size: usize,
) -> SysResult {
    if set_size != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let wanted = new.optional().map(UserPtr::read).transpose()?;
    let number = u32::try_from(number)
        .ok()
        .filter(|number| (1..=COUNT).contains(number));
    let number = number.ok_or(Errno::EINVAL)?;
    if wanted.is_some() && action::UNBLOCKABLE & signal::bit(number) != 0 {
        return Err(Errno::EINVAL);
    }
    let before = signal::set_action(number, wanted);
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
    if set_size != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let wanted = new.optional().map(UserPtr::read).transpose()?;
    if wanted.is_some() && !(0..=2).contains(&how) {
        return Err(Errno::EINVAL);
    }
    let before = signal::change_mask(|before| match (how, wanted) {
        (_, None) => before,
        (0, Some(set)) => before | set,
        (1, Some(set)) => before & !set,
        (_, Some(set)) => set,
    });
    if let Some(old) = old.optional() {
        old.write(&before)?;
    }
    Ok(0)
}

/// rt_sigpending(2): those that are pending and blocked.
pub fn rt_sigpending(set: UserPtr<u64>, set_size: usize) -> SysResult {
    if set_size > SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let [_, pending] = signal::blocked();
    let pending = pending.to_ne_bytes();
    let into = UserSlice::new(set.address(), set_size);
    match into.write(&pending)? {
        written if written == set_size => Ok(0),
        _ => Err(Errno::EFAULT),
    }
}

/// sigaltstack(2).
pub fn sigaltstack(new: UserPtr<AltStack>, old: UserPtr<AltStack>) -> SysResult {
    let wanted = new.optional().map(UserPtr::read).transpose()?;
    let before = signal::set_stack(wanted, signal::caller_sp())?;
    if let Some(old) = old.optional() {
        old.write(&before)?;
    }
    Ok(0)
}

/// rt_sigreturn(2): nothing of its own result is seen.
pub fn rt_sigreturn() -> SysResult {
    signal::start_return();
    Ok(0)
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
            handler: action::SIG_IGN,
            flags: 4,
            restorer: 5,
            mask: !0,
        };
        let mut before = action;
        assert_eq!(rt_sigaction(33, at(&mut action), UserPtr::new(0), 8), Ok(0));
        assert_eq!(rt_sigaction(33, UserPtr::new(0), at(&mut before), 8), Ok(0));
        assert_eq!(before.handler, action::SIG_IGN);
        assert_eq!(before.mask, !action::UNBLOCKABLE);
        assert_eq!(kill(crate::process::PID, 33), Ok(0));
        for (number, size) in [(9, 8), (65, 8), (0, 8), (33, 4)] {
            assert_eq!(
                rt_sigaction(number, at(&mut action), UserPtr::new(0), size),
                Err(Errno::EINVAL)
            );
        }
    }
}
