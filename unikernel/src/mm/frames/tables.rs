//! Frames that are page tables.

use super::FRAMES;
use crate::mm::PAGE;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Frames that are page tables, but for those of the image.
static TABLES: AtomicUsize = AtomicUsize::new(0);

/// Counts a frame that has become a page table.
pub fn count_table() {
    TABLES.fetch_add(1, Relaxed);
}

/// Counts a page table that has become a free frame.
pub fn uncount_table() {
    TABLES.fetch_sub(1, Relaxed);
}

/// Frames in use as page tables.
pub fn tables() -> usize {
    TABLES.load(Relaxed)
}

/// One frame, cleared; for page tables.
pub fn alloc_zeroed() -> Option<usize> {
    let address = FRAMES.lock().alloc(1)?;
    count_table();
    // SAFETY: the frame is RAM, mapped writable, and nobody else's since the allocation.
    unsafe { core::ptr::write_bytes(address as *mut u64, 0, PAGE / 8) };
    Some(address)
}
