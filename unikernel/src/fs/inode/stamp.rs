//! Time stamps.

use crate::time;
use core::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};

/// A point in time: seconds since 1970 and nanoseconds.
#[derive(Debug, Default)]
pub struct Stamp {
    seconds: AtomicI64,
    nanoseconds: AtomicU32,
}

pub(super) const DAY: i64 = 24 * 60 * 60;

/// The time of boot, for files that are there from the start: what the wall clock says then is found
/// out only when somebody asks, because asking a machine's clock is slow.
pub const AT_BOOT: (i64, u32) = (i64::MIN, u32::MAX);

impl Stamp {
    pub(super) fn new((seconds, nanoseconds): (i64, u32)) -> Self {
        Self {
            seconds: AtomicI64::new(seconds),
            nanoseconds: AtomicU32::new(nanoseconds),
        }
    }

    /// Seconds and nanoseconds.
    #[inline]
    pub fn get(&self) -> (i64, u32) {
        let time = (self.seconds.load(Relaxed), self.nanoseconds.load(Relaxed));
        if time.1 == AT_BOOT.1 { at_boot() } else { time }
    }

    /// As it is stored: the time of boot is before every other.
    #[inline(always)]
    pub(super) fn raw(&self) -> (i64, u32) {
        (self.seconds.load(Relaxed), self.nanoseconds.load(Relaxed))
    }

    /// Seconds and nanoseconds, unless a clock must be asked first.
    #[inline(always)]
    pub fn known(&self) -> Option<(i64, u32)> {
        let time = self.raw();
        (time.1 != AT_BOOT.1).then_some(time)
    }

    /// Sets it.
    #[inline]
    pub fn set(&self, (seconds, nanoseconds): (i64, u32)) {
        self.seconds.store(seconds, Relaxed);
        self.nanoseconds.store(nanoseconds, Relaxed);
    }
}

#[cold]
#[inline(never)]
fn at_boot() -> (i64, u32) {
    let (seconds, nanoseconds) = time::boot_time();
    (seconds as i64, nanoseconds)
}

/// The wall clock, for time stamps.
pub fn now() -> (i64, u32) {
    let (seconds, nanoseconds) = time::realtime();
    (seconds as i64, nanoseconds)
}
