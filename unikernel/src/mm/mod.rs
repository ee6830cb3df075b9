//! Memory: frames, page tables, the kernel heap, and the application's address space.
//!
//! Physical and virtual addresses are the same number. RAM is mapped up front, user-accessible,
//! writable, not executable; ordinary anonymous memory is therefore handed out without a
//! page-table write, a fault or a flush.

pub mod area;
pub mod aslr;
pub mod demand;
pub mod frames;
pub mod heap;
pub mod layout;
pub mod limit;
pub mod paging;
pub mod place;
mod ram;
pub mod regions;
pub mod space;

/// Bytes in a base page.
pub const PAGE: usize = 4096;

/// Bytes in a large page (a page-directory entry with PS set).
pub const LARGE: usize = 2 << 20;

/// `n` rounded up to a whole page; `None` when that overflows.
pub const fn page_up(n: usize) -> Option<usize> {
    match n.checked_add(PAGE - 1) {
        Some(sum) => Some(sum & !(PAGE - 1)),
        None => None,
    }
}

/// `n` rounded down to a whole page.
pub const fn page_down(n: usize) -> usize {
    n & !(PAGE - 1)
}
