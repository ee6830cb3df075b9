//! futex(2), as far as one thread can use it: waking finds nobody, and waiting ends by timeout.

use crate::errno::{Errno, SysResult};
use crate::sys::clock;
use crate::time;
use crate::uaccess::UserPtr;
use linux_raw_sys::general as abi;

const FLAGS: u32 = abi::FUTEX_PRIVATE_FLAG | abi::FUTEX_CLOCK_REALTIME;

/// futex(2): WAIT, WAIT_BITSET, WAKE, WAKE_BITSET; other operations are `ENOSYS`.
pub fn futex(
    word: UserPtr<u32>,
    operation: u32,
    value: u32,
    timeout: UserPtr<abi::__kernel_timespec>,
    _word2: usize,
    bits: u32,
) -> SysResult {
    let command = operation & !FLAGS;
    if !word.address().is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    match command {
        abi::FUTEX_WAKE_BITSET | abi::FUTEX_WAIT_BITSET if bits == 0 => Err(Errno::EINVAL),
        abi::FUTEX_WAKE | abi::FUTEX_WAKE_BITSET => {
            // A private futex needs no page behind it, but an address that could have one.
            if crate::uaccess::access_ok(word.address(), 4) {
                Ok(0)
            } else {
                Err(Errno::EFAULT)
            }
        }
        abi::FUTEX_WAIT | abi::FUTEX_WAIT_BITSET => {
            let timeout = timeout.optional().map(clock::nanoseconds).transpose()?;
            if word.read()? != value {
                return Err(Errno::EAGAIN);
            }
            let deadline = timeout.map(|timeout| deadline(operation, timeout));
            // Nobody else can wake us: without a timeout this is the deadlock it would be on Linux.
            time::sleep_until(deadline, || false);
            Err(Errno::ETIMEDOUT)
        }
        _ => Err(Errno::ENOSYS),
    }
}

/// The CLOCK_MONOTONIC time at which a wait ends: FUTEX_WAIT takes a duration, the bitset variant
/// a time on one of two clocks.
fn deadline(operation: u32, timeout: u64) -> u64 {
    let now = time::monotonic_ns();
    if operation & !FLAGS == abi::FUTEX_WAIT {
        now.saturating_add(timeout)
    } else if operation & abi::FUTEX_CLOCK_REALTIME != 0 {
        now.saturating_add(timeout.saturating_sub(time::realtime_ns()))
    } else {
        timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(word: &u32, operation: u32, value: u32) -> SysResult {
        let word = UserPtr::new(core::ptr::from_ref(word) as usize);
        futex(word, operation, value, UserPtr::new(0), 0, 1)
    }

    #[test]
    fn nobody_is_woken_and_a_changed_word_is_not_waited_for() {
        assert_eq!(
            call(&5, abi::FUTEX_WAKE | abi::FUTEX_PRIVATE_FLAG, 1),
            Ok(0)
        );
        assert_eq!(call(&5, abi::FUTEX_WAIT, 4), Err(Errno::EAGAIN));
        assert_eq!(call(&5, abi::FUTEX_REQUEUE, 4), Err(Errno::ENOSYS));
        let odd = futex(UserPtr::new(1), abi::FUTEX_WAKE, 1, UserPtr::new(0), 0, 0);
        assert_eq!(odd, Err(Errno::EINVAL));
    }
}
