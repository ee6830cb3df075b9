//! Clocks and sleeping.

use crate::cred::{self, caps};
use crate::errno::{Errno, SysResult};
use crate::process::PID;
use crate::sched;
use crate::signal;
use crate::time::{self, NANOS};
use crate::timer::{Action, Clock, Timer};
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
/// International Atomic Time: as on Linux without a time server, nobody said how far it is ahead.
const TAI: u32 = abi::CLOCK_TAI;

/// The reading of a clock in ns. CPU time is the time since boot less what was slept: one process
/// has the machine to itself. The coarse clocks are as fine as the others, which POSIX allows.
/// `None`: not a clock that has a name.
#[inline(always)]
fn named(clock: u32) -> Option<u64> {
    match clock {
        MONOTONIC | MONOTONIC_RAW | MONOTONIC_COARSE | BOOTTIME => Some(time::monotonic_ns()),
        REALTIME | REALTIME_COARSE | TAI => Some(time::realtime_ns()),
        PROCESS_CPUTIME => Some(time::cpu_ns()),
        THREAD_CPUTIME => Some(sched::current().cpu_ns()),
        _ => None,
    }
}

fn reading(clock: u32) -> Result<u64, Errno> {
    match named(clock) {
        Some(ns) => Ok(ns),
        None => of_cpu(clock)?.now().ok_or(Errno::EINVAL),
    }
}

/// The lowest three bits of the number of a device's clock.
const DEVICE: u32 = 3;

/// The clock of a process or thread by number (clock_getcpuclockid(3), pthread_getcpuclockid(3)): the
/// complement of the number in the upper bits, then whether it is a thread's, then one of three
/// kinds of CPU time, which are the same here; the fourth kind is a device. `EINVAL`.
fn of_cpu(clock: u32) -> Result<Clock, Errno> {
    let number = !(clock as i32 >> 3);
    match (number < 0 || clock & 3 == 3, clock & 4 != 0, number) {
        (true, ..) => Err(Errno::EINVAL),
        (_, false, 0 | PID) => Ok(Clock::Process),
        (_, false, _) => Err(Errno::EINVAL),
        (_, true, 0) => Ok(Clock::Thread(sched::current(), sched::current().tid)),
        (_, true, tid) => {
            let thread = sched::find(tid).ok_or(Errno::EINVAL)?;
            Ok(Clock::Thread(thread, tid))
        }
    }
}

/// The clock that a timer can go by. Errors: `EINVAL`; `EOPNOTSUPP`, a clock that has no timers.
pub fn find(clock: u32) -> Result<Clock, Errno> {
    match clock {
        REALTIME | TAI => Ok(Clock::Realtime),
        MONOTONIC | BOOTTIME => Ok(Clock::Monotonic),
        PROCESS_CPUTIME => Ok(Clock::Process),
        THREAD_CPUTIME => Ok(Clock::Thread(sched::current(), sched::current().tid)),
        MONOTONIC_RAW..=abi::CLOCK_BOOTTIME_ALARM => Err(Errno::EOPNOTSUPP),
        _ if (clock as i32) < 0 && clock & 7 == DEVICE => Err(Errno::EOPNOTSUPP),
        _ => of_cpu(clock),
    }
}

/// Writes nanoseconds as a timespec. `EFAULT`.
#[inline(always)]
pub fn write(to: UserPtr<[u64; 2]>, ns: u64) -> Result<(), Errno> {
    let (seconds, rest) = time::split(ns);
    to.write_pair(seconds, rest.into())
}

/// clock_gettime(2) of a clock that has a name, to where it can be written; else declined. The two
/// clocks that are asked all the time take no call, so no register is saved for one.
#[inline(always)]
pub fn clock_gettime_fast(clock: u32, result: UserPtr<[u64; 2]>) -> Option<usize> {
    let now = match clock {
        MONOTONIC => time::monotonic_again()?,
        REALTIME => time::realtime_again()?,
        _ => return other_clock(clock, result),
    };
    let (seconds, rest) = time::split(now);
    result.write_pair_short(seconds, rest.into())?;
    Some(0)
}

#[inline(never)]
fn other_clock(clock: u32, result: UserPtr<[u64; 2]>) -> Option<usize> {
    write(result, named(clock)?).ok()?;
    Some(0)
}

/// clock_gettime(2).
pub fn clock_gettime(clock: u32, result: UserPtr<[u64; 2]>) -> SysResult {
    write(result, reading(clock)?)?;
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
    let args = [deadline, left, 0];
    interrupted(sleep, args, time::monotonic_ns())
}

/// A signal has ended a sleep at `now`: its deadline and where to write what is left, if anywhere, begin
/// `args`; `run` with them is how it goes on without a handler.
fn interrupted(run: fn([u64; 3]) -> SysResult, args: [u64; 3], now: u64) -> SysResult {
    let [deadline, left, _] = args;
    if let Some(left) = UserPtr::<[u64; 2]>::new(left as usize).optional() {
        write(left, deadline.saturating_sub(now))?;
    }
    Err(signal::interrupted(signal::Restart { run, args }))
}

/// nanosleep(2).
pub fn nanosleep(duration: UserPtr<abi::__kernel_timespec>, left: usize) -> SysResult {
    let deadline = time::monotonic_ns().saturating_add(nanoseconds(duration)?);
    sleep([deadline, left as u64, 0])
}

/// Sleeps until a clock that can stand still, or be set, comes to `deadline` (ns). What a signal
/// interrupts is `on_signal`.
fn sleep_by(clock: Clock, deadline: u64, on_signal: Errno) -> SysResult {
    let timer = Timer::new(Action::Count, clock)?;
    // A time that is none would disarm it.
    timer.set([0, deadline.max(1)], true);
    let expired = || timer.count() != 0;
    timer.queue().wait(expired).map_err(|_| on_signal)?;
    Ok(0)
}

/// The same for a length of CPU time, of which `left` gets what remains; the clock by its number.
fn sleep_cpu([deadline, left, clock]: [u64; 3]) -> SysResult {
    let by = find(clock as u32)?;
    let result = sleep_by(by, deadline, Errno::EINTR);
    if result != Err(Errno::EINTR) {
        return result;
    }
    let args = [deadline, left, clock];
    interrupted(sleep_cpu, args, by.now().unwrap_or(0))
}

/// clock_nanosleep(2).
pub fn clock_nanosleep(
    clock: u32,
    flags: i32,
    request: UserPtr<abi::__kernel_timespec>,
    left: usize,
) -> SysResult {
    // Linux sleeps on no raw, coarse, thread or alarm clock.
    let by = match clock {
        THREAD_CPUTIME => return Err(Errno::EOPNOTSUPP),
        _ => find(clock)?,
    };
    let wanted = nanoseconds(request)?;
    let absolute = flags & abi::TIMER_ABSTIME as i32 != 0;
    if matches!(by, Clock::Thread(thread, _) if thread.is(sched::current())) {
        return Err(Errno::EINVAL);
    }
    match (by, absolute) {
        (Clock::Monotonic | Clock::Realtime, false) => {
            let now = time::monotonic_ns();
            sleep([now.saturating_add(wanted), left as u64, 0])
        }
        (Clock::Monotonic, true) => match time::sleep_until(Some(wanted), signal::is_due) {
            true => Err(Errno::ERESTARTNOHAND),
            false => Ok(0),
        },
        (_, true) => sleep_by(by, wanted, Errno::ERESTARTNOHAND),
        (_, false) => {
            let now = by.now().unwrap_or(0);
            sleep_cpu([now.saturating_add(wanted), left as u64, clock.into()])
        }
    }
}

/// clock_settime(2). Only CLOCK_REALTIME can be set; the coarse clock follows.
pub fn clock_settime(clock: u32, time: UserPtr<abi::__kernel_timespec>) -> SysResult {
    match clock {
        REALTIME => set(nanoseconds(time)?),
        // The clocks of processes and threads by number could be, if somebody were allowed to.
        _ if (clock as i32) < 0 => {
            time.read()?;
            of_cpu(clock).and(Err(Errno::EPERM))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// settimeofday(2). A time zone is taken and has no effect.
pub fn settimeofday(time: UserPtr<[u64; 2]>, zone: UserPtr<[i32; 2]>) -> SysResult {
    let time = time.optional().map(UserPtr::read).transpose()?;
    let zone = zone.optional().map(UserPtr::read).transpose()?;
    if let Some([seconds, micros]) = time {
        if seconds > i64::MAX as u64 || micros >= 1_000_000 {
            return Err(Errno::EINVAL);
        }
        check_zone(zone)?;
        return set(seconds.saturating_mul(NANOS).saturating_add(micros * 1000));
    }
    cred::current().require(caps::SYS_TIME)?;
    check_zone(zone)?;
    Ok(0)
}

/// Minutes west of Greenwich: at most 15 hours.
fn check_zone(zone: Option<[i32; 2]>) -> Result<(), Errno> {
    match zone {
        Some([-900..=900, _]) | None => Ok(()),
        Some(_) => Err(Errno::EINVAL),
    }
}

/// The last second that Linux lets one set, so that 30 years later times can still be kept
/// (`TIME_SETTOD_SEC_MAX`).
const LAST_SECOND: u64 = i64::MAX as u64 / NANOS - 30 * 365 * 24 * 3600;

fn set(time: u64) -> SysResult {
    if time >= LAST_SECOND * NANOS {
        return Err(Errno::EINVAL);
    }
    cred::current().require(caps::SYS_TIME)?;
    match time::set_realtime(time) {
        true => Ok(0),
        false => Err(Errno::EINVAL),
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
        let step = if cfg!(miri) { 997_001 } else { 997 };
        for nanos in (0..NANOS).step_by(step).chain([999, 1000, 999_999_999]) {
            assert_eq!((nanos * 274_877_907) >> 38, nanos / 1000, "{nanos}");
        }
    }
}
