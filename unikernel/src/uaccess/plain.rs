//! The copies without assembly and without bad pointers, for Miri.

use core::ptr::{copy as copy_bytes, with_exposed_provenance, with_exposed_provenance_mut};

/// No copy faults.
pub fn fixup(_rip: usize) -> Option<usize> {
    None
}

/// There is nothing to decide.
pub fn init(_cpuid: impl Fn(u32, u32) -> [u32; 4]) {}

pub(super) unsafe fn copy(dst: usize, src: usize, len: usize) -> usize {
    let from = with_exposed_provenance::<u8>(src);
    // SAFETY: tests pass addresses of memory that is there.
    unsafe { copy_bytes(from, with_exposed_provenance_mut(dst), len) };
    0
}

pub(super) unsafe fn zero(dst: usize, len: usize) -> usize {
    // SAFETY: as above.
    unsafe { with_exposed_provenance_mut::<u8>(dst).write_bytes(0, len) };
    0
}

pub(super) unsafe fn string(dst: *mut u8, src: usize, room: usize) -> isize {
    for at in 0..room {
        // SAFETY: as above; the string ends with NUL.
        let byte = unsafe { with_exposed_provenance::<u8>(src + at).read() };
        // SAFETY: `dst` has room for `room` bytes.
        unsafe { dst.add(at).write(byte) };
        if byte == 0 {
            return at as isize;
        }
    }
    -1
}
