//! Moving those who wait from one futex to another, so that they do not wake up all at once.

use super::table::{TABLE, Waiter};
use super::{Call, pi};
use crate::errno::{Errno, SysResult};
use crate::sched;
use core::pin::pin;

/// How many to wake and how many to move.
fn counts(call: &Call) -> Result<(i32, i32), Errno> {
    match (call.value as i32, call.count2()) {
        (wake @ 0.., requeue @ 0..) => Ok((wake, requeue)),
        _ => Err(Errno::EINVAL),
    }
}

/// FUTEX_REQUEUE, and with a value to compare FUTEX_CMP_REQUEUE. Linux returns for both how many were
/// woken or moved.
pub(super) fn requeue(call: &Call, expected: Option<u32>) -> SysResult {
    let (wake, requeue) = counts(call)?;
    let (from, to) = (call.key()?, call.key2()?);
    if let Some(expected) = expected
        && call.word.read()? != expected
    {
        return Err(Errno::EAGAIN);
    }
    let mut table = TABLE.lock();
    let mut done = 0;
    for waiter in table.of(from) {
        if done >= wake.saturating_add(requeue) {
            break;
        }
        if waiter.lock.is_wanted() {
            return Err(Errno::EINVAL);
        }
        done += 1;
        if done <= wake {
            let thread = waiter.thread;
            table.remove(waiter);
            sched::wake(thread);
        } else if from != to {
            table.insert(waiter, to, |_| false);
        }
    }
    Ok(done as usize)
}

/// FUTEX_WAIT_REQUEUE_PI: waits here, then for the lock at the second word.
pub(super) fn wait_requeue_pi(call: &Call) -> SysResult {
    let deadline = call.deadline()?;
    if call.word.address() == call.word2.address() {
        return Err(Errno::EINVAL);
    }
    let (key, lock) = (call.key()?, call.key2()?);
    if call.word.read()? != call.value {
        return Err(Errno::EAGAIN);
    }
    let waiter = pin!(Waiter::new(u32::MAX));
    let waiter = waiter.as_ref();
    waiter.lock.later.set(Some(lock));
    TABLE.lock().add(waiter, key);
    pi::wait(waiter, deadline)
}

/// FUTEX_CMP_REQUEUE_PI: the first gets the lock if it is free, the others wait for it from now on.
pub(super) fn requeue_pi(call: &Call) -> SysResult {
    let (wake, requeue) = counts(call)?;
    if wake != 1 || call.word.address() == call.word2.address() {
        return Err(Errno::EINVAL);
    }
    let (from, to) = (call.key()?, call.key2()?);
    if call.word.read()? != call.value3 {
        return Err(Errno::EAGAIN);
    }
    let mut table = TABLE.lock();
    let mut done = 0;
    for waiter in table.of(from) {
        if done >= requeue.saturating_add(1) {
            break;
        }
        if waiter.lock.later.get() != Some(to) {
            return Err(Errno::EINVAL);
        }
        if done == 0 && pi::acquire(&mut table, call.word2, to, waiter.thread)? {
            pi::give(&mut table, waiter);
        } else {
            pi::enlist(&mut table, call.word2, to, waiter)?;
        }
        done += 1;
    }
    Ok(done as usize)
}
