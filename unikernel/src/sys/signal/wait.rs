//! Waiting for signals: sigsuspend(2), pause(2), sigtimedwait(2); and restart_syscall(2).

use super::{SET_SIZE, read_set};
use crate::errno::{Errno, SysResult};
use crate::signal::{self, SigInfo};
use crate::sys::clock;
use crate::time;
use crate::uaccess::UserPtr;
use linux_raw_sys::general::__kernel_timespec;

/// pause(2).
pub fn pause() -> SysResult {
    time::sleep_until(None, signal::is_due);
    Err(Errno::ERESTARTNOHAND)
}

/// rt_sigsuspend(2). The mask is put back by the delivery that ends it.
pub fn rt_sigsuspend(mask: UserPtr<u64>, set_size: usize) -> SysResult {
    signal::borrow_mask(read_set(mask, set_size)?);
    pause()
}

/// rt_sigtimedwait(2). A signal that is not waited for ends it, and it is not made again.
pub fn rt_sigtimedwait(
    set: UserPtr<u64>,
    info: UserPtr<SigInfo>,
    timeout: UserPtr<__kernel_timespec>,
    set_size: usize,
) -> SysResult {
    if set_size != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let set = set.read()?;
    let timeout = timeout.optional().map(clock::nanoseconds).transpose()?;
    let mut taken = signal::take(set);
    if taken.is_none() && timeout != Some(0) {
        let deadline = timeout.map(|ns| time::monotonic_ns().saturating_add(ns));
        taken = signal::wait_for(set, || {
            time::sleep_until(deadline, signal::is_due);
        });
    }
    let Some(taken) = taken else {
        return match signal::is_due() {
            true => Err(Errno::EINTR),
            false => Err(Errno::EAGAIN),
        };
    };
    if let Some(info) = info.optional() {
        UserPtr::new(info.address()).write(&taken.words())?;
    }
    Ok(taken.signo as usize)
}

/// restart_syscall(2): only the return from a handler makes it, for what was interrupted.
pub fn restart_syscall() -> SysResult {
    signal::restart()
}
