//! setitimer(2), getitimer(2), alarm(2).

use crate::errno::{Errno, SysResult};
use crate::fs::rc::Ref;
use crate::signal::SigInfo;
use crate::sync::Exclusive;
use crate::time::{self, NANOS};
use crate::timer::{Action, Timer};
use crate::uaccess::UserPtr;
use linux_raw_sys::general::{ITIMER_REAL, SIGALRM};

/// The process's timer of real time, made when it is first set.
static REAL: Exclusive<Option<Ref<Timer>>> = Exclusive::new(None);

/// `struct itimerval`: interval and value, in seconds and microseconds.
type Value = [u64; 4];

fn known() -> Option<Ref<Timer>> {
    REAL.lock().clone()
}

fn timer() -> Result<Ref<Timer>, Errno> {
    if let Some(timer) = known() {
        return Ok(timer);
    }
    let timer = Timer::new(Action::Alarm(SigInfo::kernel(SIGALRM as i32)))?;
    *REAL.lock() = Some(timer.clone());
    Ok(timer)
}

/// Interval and time left, in ns.
fn left() -> (u64, u64) {
    known().map_or((0, 0), |timer| timer.left())
}

fn set(interval: u64, value: u64) -> Result<(), Errno> {
    if value == 0 && known().is_none() {
        return Ok(());
    }
    let deadline = match value {
        0 => 0,
        _ => time::monotonic_ns().saturating_add(value),
    };
    timer()?.set(deadline, interval);
    Ok(())
}

/// Only ITIMER_REAL; the timers of CPU time are not there.
fn check(which: u32) -> Result<(), Errno> {
    match which {
        ITIMER_REAL => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

fn write(to: UserPtr<Value>, (interval, left): (u64, u64)) -> Result<(), Errno> {
    let to = to.cast::<[u64; 2]>();
    for (index, ns) in [interval, left].into_iter().enumerate() {
        let (seconds, rest) = time::split(ns);
        // As on Linux what is left of a microsecond counts, so that an armed timer never shows 0.
        to.add(index)
            .write_pair(seconds, u64::from(rest).div_ceil(1000).min(999_999))?;
    }
    Ok(())
}

/// getitimer(2).
pub fn getitimer(which: u32, to: UserPtr<Value>) -> SysResult {
    check(which)?;
    write(to, left())?;
    Ok(0)
}

/// setitimer(2); without a new value it is disarmed, as on Linux.
pub fn setitimer(which: u32, new: UserPtr<Value>, old: UserPtr<Value>) -> SysResult {
    let mut wanted = [0; 2];
    if let Some(new) = new.optional() {
        let words = new.cast::<[u64; 2]>();
        for (index, ns) in wanted.iter_mut().enumerate() {
            let [seconds, micros] = words.add(index).read()?;
            if seconds > i64::MAX as u64 || micros >= 1_000_000 {
                return Err(Errno::EINVAL);
            }
            *ns = seconds.saturating_mul(NANOS).saturating_add(micros * 1000);
        }
    }
    check(which)?;
    let before = left();
    let [interval, value] = wanted;
    set(interval, value)?;
    if let Some(old) = old.optional() {
        write(old, before)?;
    }
    Ok(0)
}

/// alarm(2): seconds that were left, rounded, and at least 1.
pub fn alarm(seconds: u32) -> SysResult {
    let (_, before) = left();
    set(0, u64::from(seconds) * NANOS)?;
    let (whole, rest) = time::split(before);
    let round = u64::from(rest >= 500_000_000 || (whole == 0 && rest > 0));
    Ok((whole + round) as usize)
}
