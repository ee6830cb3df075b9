//! setitimer(2), getitimer(2), alarm(2).

use crate::errno::{Errno, SysResult};
use crate::fs::rc::Ref;
use crate::signal::SigInfo;
use crate::sync::Exclusive;
use crate::time::{self, NANOS};
use crate::timer::{Action, Clock, Timer};
use crate::uaccess::UserPtr;
use linux_raw_sys::general::{ITIMER_REAL, ITIMER_VIRTUAL, SIGALRM, SIGPROF, SIGVTALRM};

/// The process's timers, each made when it is first set: of real time, and of CPU time, which is all
/// the user's, so that the second and the third differ in their signals only.
static TIMERS: Exclusive<[Option<Ref<Timer>>; 3]> = Exclusive::new([const { None }; 3]);

/// `struct itimerval`: interval and value, in seconds and microseconds.
type Value = [u64; 4];

/// The timer `which`, if it was made. `EINVAL`.
fn known(which: u32) -> Result<Option<Ref<Timer>>, Errno> {
    let timers = TIMERS.lock();
    let timer = timers.get(which as usize).ok_or(Errno::EINVAL)?;
    Ok(timer.clone())
}

fn make(which: u32) -> Result<Ref<Timer>, Errno> {
    let (signal, clock) = match which {
        ITIMER_REAL => (SIGALRM, Clock::Monotonic),
        ITIMER_VIRTUAL => (SIGVTALRM, Clock::Process),
        _ => (SIGPROF, Clock::Process),
    };
    let timer = Timer::new(Action::Alarm(SigInfo::kernel(signal as i32)), clock)?;
    TIMERS.lock()[which as usize] = Some(timer.clone());
    Ok(timer)
}

/// Interval and time left, in ns. `EINVAL`.
fn left(which: u32) -> Result<(u64, u64), Errno> {
    Ok(known(which)?.map_or((0, 0), |timer| timer.left()))
}

fn set(which: u32, wanted: [u64; 2]) -> Result<(), Errno> {
    match known(which)? {
        None if wanted[1] == 0 => return Ok(()),
        None => make(which)?,
        Some(timer) => timer,
    }
    .set(wanted, false);
    Ok(())
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
    write(to, left(which)?)?;
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
    let before = left(which)?;
    set(which, wanted)?;
    if let Some(old) = old.optional() {
        write(old, before)?;
    }
    Ok(0)
}

/// alarm(2): seconds that were left, rounded, and at least 1.
pub fn alarm(seconds: u32) -> SysResult {
    let (_, before) = left(ITIMER_REAL)?;
    set(ITIMER_REAL, [0, u64::from(seconds) * NANOS])?;
    let (whole, rest) = time::split(before);
    let round = u64::from(rest >= 500_000_000 || (whole == 0 && rest > 0));
    Ok((whole + round) as usize)
}
