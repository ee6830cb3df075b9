//! futex(2): sleeping until a word of memory changes.

mod op;
pub mod pi;
mod requeue;
mod robust;
mod table;
mod vector;

pub use robust::leave_robust_list;
pub use table::wake_quickly;
pub use vector::futex_waitv;

use crate::errno::{Errno, SysResult};
use crate::sys::clock;
use crate::time;
use crate::uaccess::UserPtr;
use crate::{sched, signal};
use core::pin::{Pin, pin};
use linux_raw_sys::general as abi;
use table::{Key, TABLE, Waiter};

/// What may stand beside a command.
const FLAGS: u32 = abi::FUTEX_PRIVATE_FLAG | abi::FUTEX_CLOCK_REALTIME;

/// The arguments, as most commands have them.
#[derive(Clone, Copy, Debug)]
struct Call {
    command: u32,
    shared: bool,
    realtime: bool,
    word: UserPtr<u32>,
    value: u32,
    /// The fourth argument, which is a pointer to a timeout or a number.
    fourth: usize,
    word2: UserPtr<u32>,
    value3: u32,
}

impl Call {
    fn key(&self) -> Result<Key, Errno> {
        Key::new(self.word.address(), self.shared)
    }

    fn key2(&self) -> Result<Key, Errno> {
        Key::new(self.word2.address(), self.shared)
    }

    /// The fourth argument where it is a count.
    fn count2(&self) -> i32 {
        self.fourth as i32
    }

    /// When to give up (CLOCK_MONOTONIC in ns): FUTEX_WAIT has a duration, the others a time.
    fn deadline(&self) -> Result<Option<u64>, Errno> {
        let timeout = UserPtr::new(self.fourth).optional();
        let timeout = timeout.map(clock::nanoseconds).transpose()?;
        let realtime = self.realtime || self.command == abi::FUTEX_LOCK_PI;
        Ok(timeout.map(|timeout| match self.command {
            abi::FUTEX_WAIT => time::monotonic_ns().saturating_add(timeout),
            _ => absolute(timeout, realtime),
        }))
    }
}

/// The CLOCK_MONOTONIC time (ns) of a time on one of two clocks.
fn absolute(timeout: u64, realtime: bool) -> u64 {
    if !realtime {
        return timeout;
    }
    let left = timeout.saturating_sub(time::realtime_ns());
    time::monotonic_ns().saturating_add(left)
}

/// futex(2).
pub fn futex(
    word: UserPtr<u32>,
    operation: u32,
    value: u32,
    fourth: usize,
    word2: UserPtr<u32>,
    value3: u32,
) -> SysResult {
    // What is most frequent.
    if operation == abi::FUTEX_WAIT | abi::FUTEX_PRIVATE_FLAG && fourth == 0 {
        return wait_until(word, false, value, u32::MAX, None);
    }
    let call = Call {
        command: operation & !FLAGS,
        shared: operation & abi::FUTEX_PRIVATE_FLAG == 0,
        realtime: operation & abi::FUTEX_CLOCK_REALTIME != 0,
        word,
        value,
        fourth,
        word2,
        value3,
    };
    match call.command {
        abi::FUTEX_WAIT_BITSET | abi::FUTEX_WAIT_REQUEUE_PI | abi::FUTEX_LOCK_PI2 => {}
        _ if call.realtime => return Err(Errno::ENOSYS),
        _ => {}
    }
    match call.command {
        abi::FUTEX_WAIT => wait(&call, u32::MAX),
        abi::FUTEX_WAIT_BITSET => wait(&call, value3),
        abi::FUTEX_WAKE => wake(&call, u32::MAX),
        abi::FUTEX_WAKE_BITSET => wake(&call, value3),
        abi::FUTEX_REQUEUE => requeue::requeue(&call, None),
        abi::FUTEX_CMP_REQUEUE => requeue::requeue(&call, Some(value3)),
        abi::FUTEX_WAKE_OP => op::wake_op(&call),
        abi::FUTEX_LOCK_PI | abi::FUTEX_LOCK_PI2 => pi::lock(&call, false),
        abi::FUTEX_TRYLOCK_PI => pi::lock(&call, true),
        abi::FUTEX_UNLOCK_PI => pi::unlock(&call),
        abi::FUTEX_WAIT_REQUEUE_PI => requeue::wait_requeue_pi(&call),
        abi::FUTEX_CMP_REQUEUE_PI => requeue::requeue_pi(&call),
        _ => Err(Errno::ENOSYS),
    }
}

/// FUTEX_WAIT and FUTEX_WAIT_BITSET.
fn wait(call: &Call, bits: u32) -> SysResult {
    let deadline = call.deadline()?;
    if bits == 0 {
        return Err(Errno::EINVAL);
    }
    wait_until(call.word, call.shared, call.value, bits, deadline)
}

fn wait_until(
    word: UserPtr<u32>,
    shared: bool,
    value: u32,
    bits: u32,
    deadline: Option<u64>,
) -> SysResult {
    let key = Key::new(word.address(), shared)?;
    if word.read()? != value {
        return Err(Errno::EAGAIN);
    }
    let waiter = pin!(Waiter::new(bits));
    let waiter = waiter.as_ref();
    TABLE.lock().add(waiter, key);
    match (sleep(waiter, deadline), deadline) {
        // The time is when it was, if the call starts again.
        (Err(Errno::ERESTARTSYS), Some(deadline)) => {
            let place = word.address() as u64 | u64::from(shared);
            let args = [place, u64::from(bits) << 32 | u64::from(value), deadline];
            Err(signal::interrupted(signal::Restart { run: resume, args }))
        }
        (result, _) => result.map(|()| 0),
    }
}

/// Goes on with a wait that a signal without a handler interrupted.
fn resume([place, what, deadline]: [u64; 3]) -> SysResult {
    let word = UserPtr::new(place as usize & !1);
    wait_until(
        word,
        place & 1 != 0,
        what as u32,
        (what >> 32) as u32,
        Some(deadline),
    )
}

/// Sleeps until somebody takes `waiter` out of the table; otherwise it is out with an error:
/// `ETIMEDOUT`, or `ERESTARTSYS` for a signal.
fn sleep(waiter: Pin<&Waiter>, deadline: Option<u64>) -> Result<(), Errno> {
    while waiter.is_listed() {
        let late = deadline.is_some_and(|deadline| time::monotonic_ns() >= deadline);
        if late || signal::is_due() {
            TABLE.lock().remove(waiter.get_ref());
            return Err(if late {
                Errno::ETIMEDOUT
            } else {
                Errno::ERESTARTSYS
            });
        }
        sched::block(deadline);
    }
    Ok(())
}

/// FUTEX_WAKE and FUTEX_WAKE_BITSET. Linux wakes one when asked for none.
fn wake(call: &Call, bits: u32) -> SysResult {
    if bits == 0 {
        return Err(Errno::EINVAL);
    }
    wake_some(call.key()?, call.value as i32, bits)
}

/// Wakes up to `count` of those who wait for `key`: at least one. `EINVAL` when one of them waits
/// for a lock, which only its owner can give it.
fn wake_some(key: Key, count: i32, bits: u32) -> SysResult {
    let mut table = TABLE.lock();
    let mut woken = 0;
    for waiter in table.of(key) {
        if waiter.lock.is_wanted() {
            return Err(Errno::EINVAL);
        }
        if waiter.bits & bits == 0 {
            continue;
        }
        let thread = waiter.thread;
        table.remove(waiter);
        sched::wake(thread);
        woken += 1;
        if woken >= count {
            break;
        }
    }
    Ok(woken as usize)
}

/// Wakes up to `count` of those who wait for the word at `address`, as the end of a thread does:
/// whatever is wrong with it is nobody's error.
pub fn wake_all_of(address: usize, count: i32) {
    if let Ok(key) = Key::new(address, true) {
        let _ = wake_some(key, count, u32::MAX);
    }
}

#[cfg(test)]
mod tests;
