//! futex_waitv(2): waiting for several words at once.

use super::absolute;
use super::table::{Key, TABLE, Waiter};
use crate::errno::{Errno, SysResult};
use crate::sys::clock;
use crate::time;
use crate::uaccess::UserPtr;
use crate::{sched, signal};
use alloc::vec::Vec;
use core::pin::Pin;
use linux_raw_sys::general as abi;

/// `FUTEX2_SIZE_U32` and `FUTEX2_PRIVATE` (linux/futex.h).
const SIZE_U32: u64 = 2;
const SIZE_MASK: u64 = 3;
const PRIVATE: u64 = 128;
const MOST: u32 = abi::FUTEX_WAITV_MAX;

/// A word to wait for: its key, and the value it must have.
fn wanted(at: UserPtr<u64>) -> Result<(Key, UserPtr<u32>, u32), Errno> {
    let [value, address] = [at.read()?, at.add(1).read()?];
    // The flags, and behind them what must be zero.
    let rest = at.add(2).read()?;
    let (flags, reserved) = (rest & u64::from(u32::MAX), rest >> 32);
    if reserved != 0 || flags & !(SIZE_MASK | PRIVATE) != 0 || flags & SIZE_MASK != SIZE_U32 {
        return Err(Errno::EINVAL);
    }
    let value = u32::try_from(value).map_err(|_| Errno::EINVAL)?;
    let key = Key::new(address as usize, flags & PRIVATE == 0)?;
    Ok((key, UserPtr::new(address as usize), value))
}

/// futex_waitv(2): returns the index of one that was woken.
pub fn futex_waitv(
    list: UserPtr<u64>,
    count: u32,
    flags: u32,
    timeout: UserPtr<abi::__kernel_timespec>,
    clock: u32,
) -> SysResult {
    if flags != 0 || count == 0 || count > MOST || list.is_null() {
        return Err(Errno::EINVAL);
    }
    let mut deadline = None;
    if let Some(timeout) = timeout.optional() {
        let realtime = match clock {
            abi::CLOCK_MONOTONIC => false,
            abi::CLOCK_REALTIME => true,
            _ => return Err(Errno::EINVAL),
        };
        deadline = Some(absolute(clock::nanoseconds(timeout)?, realtime));
    }
    let count = count as usize;
    let mut words = Vec::new();
    let mut waiters = Vec::new();
    words.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    waiters
        .try_reserve_exact(count)
        .map_err(|_| Errno::ENOMEM)?;
    for index in 0..count {
        words.push(wanted(list.add(3 * index))?);
        waiters.push(Waiter::new(u32::MAX));
    }
    for &(_, word, value) in &words {
        if word.read()? != value {
            return Err(Errno::EAGAIN);
        }
    }
    let mut table = TABLE.lock();
    for (waiter, &(key, ..)) in waiters.iter().zip(&words) {
        // SAFETY: the vector does not grow any more, and outlives the waiters' time in the table.
        table.add(unsafe { Pin::new_unchecked(waiter) }, key);
    }
    drop(table);
    let result = sleep(&waiters, deadline);
    let mut table = TABLE.lock();
    waiters.iter().for_each(|waiter| table.remove(waiter));
    result
}

fn sleep(waiters: &[Waiter], deadline: Option<u64>) -> SysResult {
    loop {
        if let Some(woken) = waiters.iter().position(|waiter| !waiter.is_listed()) {
            return Ok(woken);
        }
        if deadline.is_some_and(|deadline| time::monotonic_ns() >= deadline) {
            return Err(Errno::ETIMEDOUT);
        }
        if signal::is_due() {
            return Err(Errno::ERESTARTSYS);
        }
        sched::block(deadline);
    }
}
