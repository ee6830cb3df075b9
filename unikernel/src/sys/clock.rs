//! Clocks and sleeping.

use crate::errno::{Errno, SysResult};
use crate::sched;
use crate::signal;
use crate::time::{self, NANOS};
use crate::uaccess::UserPtr;
use linux_raw_sys::general as abi;

/// Clock ids (clock_gettime(2)).
const REALTIME: u32 = abi::CLOCK_REALTIME;
const MONOTONIC: u32 = abi::CLOCK_MONOTONIC;
const PROCESS_CPUTIME: u32 = abi::CLOCK_PROCESS_CPUTIME_ID;
const THREAD_CPUTIME: u32 = abi::CLOCK_THREAD_CPUTIME_ID;
const MONOTONIC_RAW: u32 = abi::CLOCK_MONOTONIC_RAW;
const REALTIME_COARSE: u32 = abi::CLOCK_REALTIME_COARSE;
const MONOTONIC_COARSE: u32 = abi::CLOCK_MONOTONIC_COARSE;
const BOOTTIME: u32 = abi::CLOCK_BOOTTIME;

/// The reading of a clock in ns. CPU time is the time since boot less what was slept: one process
/// has the machine to itself. The coarse clocks are as fine as the others, which POSIX allows.
#[inline(always)]
fn reading(clock: u32) -> Result<u64, Errno> {
    match clock {
        MONOTONIC | MONOTONIC_RAW | MONOTONIC_COARSE | BOOTTIME => Ok(time::monotonic_ns()),
        REALTIME | REALTIME_COARSE => Ok(time::realtime_ns()),
        PROCESS_CPUTIME => Ok(time::monotonic_ns() - time::slept_ns()),
        THREAD_CPUTIME => Ok(sched::current().cpu_ns()),
        _ => Err(Errno::EINVAL),
    }
}

/// clock_gettime(2).
#[inline(always)]
pub fn clock_gettime(clock: u32, result: UserPtr<[u64; 2]>) -> SysResult {
    let (seconds, nanos) = time::split(reading(clock)?);
    result.write_pair(seconds, u64::from(nanos))?;
    Ok(0)
}

/// clock_getres(2): all clocks count nanoseconds.
pub fn clock_getres(clock: u32, result: UserPtr<[u64; 2]>) -> SysResult {
    reading(clock)?;
    if let Some(result) = result.optional() {
        result.write_pair(0, 1)?;
    }
    Ok(0)
}

/// gettimeofday(2). The time zone is UTC.
pub fn gettimeofday(result: UserPtr<[u64; 2]>, zone: UserPtr<[i32; 2]>) -> SysResult {
    if let Some(result) = result.optional() {
        let (seconds, nanos) = time::realtime();
        // n / 1000 == n * 274877907 >> 38 for n below 10^9 (checked in the tests).
        result.write_pair(seconds, (u64::from(nanos) * 274_877_907) >> 38)?;
    }
    if let Some(zone) = zone.optional() {
        zone.write(&[0, 0])?;
    }
    Ok(0)
}

/// time(2).
pub fn time(result: UserPtr<i64>) -> SysResult {
    let (seconds, _) = time::realtime();
    if let Some(result) = result.optional() {
        result.write(&(seconds as i64))?;
    }
    Ok(seconds as usize)
}

/// A timespec as nanoseconds; `EINVAL` outside of what nanosleep(2) allows. Saturates at the end
/// of time, 584 years on.
pub fn nanoseconds(from: UserPtr<abi::__kernel_timespec>) -> Result<u64, Errno> {
    let spec = from.read()?;
    let (seconds, nanos) = (u64::try_from(spec.tv_sec), u64::try_from(spec.tv_nsec));
    match (seconds, nanos) {
        (Ok(seconds), Ok(nanos)) if nanos < NANOS => {
            Ok(seconds.saturating_mul(NANOS).saturating_add(nanos))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// Sleeps until CLOCK_MONOTONIC reaches `deadline`. A signal ends it: `left`, if there is one, gets
/// what remains, and without a handler the sleep goes on.
fn sleep([deadline, left, _]: [u64; 3]) -> SysResult {
    if !time::sleep_until(Some(deadline), signal::is_due) {
        return Ok(0);
    }
    if let Some(left) = UserPtr::<[u64; 2]>::new(left as usize).optional() {
        let (seconds, nanos) = time::split(deadline.saturating_sub(time::monotonic_ns()));
        left.write_pair(seconds, nanos.into())?;
    }
    let args = [deadline, left, 0];
    Err(signal::interrupted(signal::Restart { run: sleep, args }))
}

/// nanosleep(2).
pub fn nanosleep(duration: UserPtr<abi::__kernel_timespec>, left: usize) -> SysResult {
    let deadline = time::monotonic_ns().saturating_add(nanoseconds(duration)?);
    sleep([deadline, left as u64, 0])
}

/// clock_nanosleep(2).
pub fn clock_nanosleep(
    clock: u32,
    flags: i32,
    request: UserPtr<abi::__kernel_timespec>,
    left: usize,
) -> SysResult {
    // Linux sleeps on no raw, coarse or thread clock. Process CPU time stands still while the
    // only thread sleeps, so waiting for it would be for ever; that is not supported either.
    match clock {
        REALTIME | MONOTONIC | BOOTTIME => {}
        _ => return reading(clock).and(Err(Errno::EOPNOTSUPP)),
    }
    let wanted = nanoseconds(request)?;
    let now = time::monotonic_ns();
    if flags & abi::TIMER_ABSTIME as i32 == 0 {
        return sleep([now.saturating_add(wanted), left as u64, 0]);
    }
    let deadline = now.saturating_add(wanted.saturating_sub(reading(clock)?));
    match time::sleep_until(Some(deadline), signal::is_due) {
        true => Err(Errno::ERESTARTNOHAND),
        false => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timespecs_are_checked() {
        let cases = [
            (0, 0, Ok(0)),
            (1, 5, Ok(NANOS + 5)),
            (0, 1_000_000_000, Err(Errno::EINVAL)),
        ];
        let more = [
            (-1, 0, Err(Errno::EINVAL)),
            (0, -1, Err(Errno::EINVAL)),
            (i64::MAX, 0, Ok(u64::MAX)),
        ];
        for (tv_sec, tv_nsec, expected) in cases.into_iter().chain(more) {
            let spec = abi::__kernel_timespec { tv_sec, tv_nsec };
            let pointer = UserPtr::new(core::ptr::from_ref(&spec) as usize);
            assert_eq!(nanoseconds(pointer), expected, "{tv_sec} {tv_nsec}");
        }
    }

    #[test]
    fn microseconds_without_division() {
        for nanos in (0..NANOS).step_by(997).chain([999, 1000, 999_999_999]) {
            assert_eq!((nanos * 274_877_907) >> 38, nanos / 1000, "{nanos}");
        }
    }
}
