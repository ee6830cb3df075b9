//! RLIMIT_AS and RLIMIT_DATA: how much address space the program may have (getrlimit(2)).
//!
//! There is no running total: where a limit is set, each call that wants more adds up the regions of
//! the address space; where none is, as nearly always, it costs one load.

use super::regions::{self, Backing, Region};
use crate::errno::Errno;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// The limits in bytes: of everything, and of what is private and writable.
static ALL: AtomicU64 = AtomicU64::new(u64::MAX);
static DATA: AtomicU64 = AtomicU64::new(u64::MAX);
/// Whether one of them is set.
static LIMITED: AtomicBool = AtomicBool::new(false);

/// Sets RLIMIT_AS.
pub fn set_all(bytes: u64) {
    set(&ALL, bytes);
}

/// Sets RLIMIT_DATA.
pub fn set_data(bytes: u64) {
    set(&DATA, bytes);
}

fn set(limit: &AtomicU64, bytes: u64) {
    limit.store(bytes, Relaxed);
    let limited = ALL.load(Relaxed) != u64::MAX || DATA.load(Relaxed) != u64::MAX;
    LIMITED.store(limited, Relaxed);
}

/// Whether the program may have `more` bytes, where what lies in `replaced` goes: `ENOMEM`. `is_data`
/// says that they are private and writable.
#[inline]
pub fn check(more: usize, is_data: bool, replaced: Range<usize>) -> Result<(), Errno> {
    match LIMITED.load(Relaxed) {
        true => sum_up(more, is_data, replaced),
        false => Ok(()),
    }
}

#[cold]
#[inline(never)]
fn sum_up(more: usize, is_data: bool, replaced: Range<usize>) -> Result<(), Errno> {
    let (mut all, mut data) = (more as u64, if is_data { more as u64 } else { 0 });
    let mut from = 0;
    while let Some(region) = regions::region(from) {
        from = region.range.end;
        let size = size_without(&region.range, &replaced) as u64;
        all += size;
        data += if is_charged(&region) { size } else { 0 };
    }
    if all > ALL.load(Relaxed) || is_data && data > DATA.load(Relaxed) {
        return Err(Errno::ENOMEM);
    }
    Ok(())
}

/// Linux's `is_data_mapping`.
fn is_charged(region: &Region) -> bool {
    region.write && !region.shared && region.backing != Backing::Stack
}

fn size_without(range: &Range<usize>, gone: &Range<usize>) -> usize {
    let common = range
        .end
        .min(gone.end)
        .saturating_sub(range.start.max(gone.start));
    range.len() - common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_limit_everything_goes() {
        assert_eq!(check(usize::MAX, true, 0..0), Ok(()));
    }

    #[test]
    fn what_goes_does_not_count() {
        assert_eq!(size_without(&(10..20), &(0..0)), 10);
        assert_eq!(size_without(&(10..20), &(15..30)), 5);
        assert_eq!(size_without(&(10..20), &(0..30)), 0);
        assert_eq!(size_without(&(10..20), &(20..30)), 10);
    }
}
