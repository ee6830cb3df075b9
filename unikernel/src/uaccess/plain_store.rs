//! The short stores without assembly and without bad pointers, for Miri.

use core::ptr::with_exposed_provenance_mut;

pub(super) unsafe fn put_short(dst: usize, value: u16) -> bool {
    // SAFETY: tests pass addresses of memory that is there.
    unsafe { with_exposed_provenance_mut::<u16>(dst).write_unaligned(value) };
    true
}

pub(super) unsafe fn put(dst: usize, value: u64) -> bool {
    // SAFETY: as above.
    unsafe { with_exposed_provenance_mut::<u64>(dst).write_unaligned(value) };
    true
}

pub(super) unsafe fn put_pair(dst: usize, low: u64, high: u64) -> bool {
    // SAFETY: as above.
    unsafe { with_exposed_provenance_mut::<[u64; 2]>(dst).write_unaligned([low, high]) };
    true
}
