//! Frames of file content, counted.
//!
//! A [`Page`] is one 4 KiB frame. A file holds one for each page that was written; so does a pipe,
//! and after splice(2) or while it is mapped, several hold the same. The last to let go gives the
//! frame back.
//!
//! What is in a page changes under everybody who has it, and the application may write to it
//! directly while it is mapped. So there is no reference to its bytes: they are copied, by address.
//!
//! Frames come from [`mm::frames`](crate::mm::frames). Unit tests have none and take memory from
//! the allocator; a program that links the library as a crate gives
//! [`FRAMES`](crate::mm::frames::FRAMES) some that it has mapped below 4 GiB or so.

mod spare;
#[cfg(test)]
mod tests;

pub use spare::{spare, trim};

use crate::errno::SysResult;
use crate::mm::PAGE;
use crate::uaccess::{self, UserSlice};
use core::cell::UnsafeCell;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{
    AtomicBool, AtomicU32,
    Ordering::{AcqRel, Acquire, Relaxed},
};

/// What is known of a page, beside its frame.
struct Head {
    /// How many `Page`s there are of it.
    holders: AtomicU32,
    /// See [`Page::is_filled`].
    filled: AtomicBool,
    frame: *mut u8,
}

// SAFETY: the frame is memory that belongs to all holders alike; the functions that touch it say
// what they need.
unsafe impl Sync for Head {}

/// A frame of file content. A clone is another holder of the same frame.
#[repr(transparent)]
pub struct Page(NonNull<Head>);

// SAFETY: the count is atomic, and the last holder alone sees 1.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

/// A cell only so that it lies among the zeroed variables, which take no room in the program's file.
#[repr(C, align(4096))]
struct Zeros(UnsafeCell<[u64; PAGE / 8]>);

// SAFETY: nobody writes to it.
unsafe impl Sync for Zeros {}

/// Written by nobody: `zeros` is the only way to it, and writers ask `is_zeros`.
static ZEROS: Zeros = Zeros(UnsafeCell::new([0; PAGE / 8]));
static ZEROS_HEAD: Head = Head {
    // This one is for the static itself, so the count never ends.
    holders: AtomicU32::new(1),
    filled: AtomicBool::new(false),
    frame: (&raw const ZEROS).cast_mut().cast(),
};

impl Page {
    /// A page with whatever was in its frame before. `None` when there is no memory.
    pub fn dirty() -> Option<Self> {
        let head = spare::take()?;
        // SAFETY: a head from the spare ones is nobody else's.
        let new = unsafe { head.as_ref() };
        new.holders.store(1, Relaxed);
        new.filled.store(true, Relaxed);
        Some(Self(head))
    }

    /// A page of zeros. `None` when there is no memory.
    pub fn zeroed() -> Option<Self> {
        let page = Self::dirty()?;
        page.clear(0..PAGE);
        Some(page)
    }

    /// The page of zeros that all holes share. Nothing may be written to it.
    pub(super) fn zeros() -> Self {
        ZEROS_HEAD.holders.fetch_add(1, Relaxed);
        Self(NonNull::from_ref(&ZEROS_HEAD))
    }

    /// Whether this is the page of [`zeros`](Self::zeros).
    #[inline]
    pub(super) fn is_zeros(&self) -> bool {
        core::ptr::eq(self.0.as_ptr(), &ZEROS_HEAD)
    }

    #[inline]
    fn head(&self) -> &Head {
        // SAFETY: a head lives as long as there is a holder, which we are.
        unsafe { self.0.as_ref() }
    }

    /// Its first byte. To be copied from and to, and not to be referred to.
    #[inline]
    pub fn address(&self) -> *mut u8 {
        self.head().frame
    }

    /// Whether somebody else has it, too.
    #[inline]
    pub fn is_shared(&self) -> bool {
        self.head().holders.load(Acquire) > 1
    }

    /// Whether it is the same page as `other`.
    pub fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Whether it has content: fallocate(2) makes pages that have none, which `SEEK_DATA` passes
    /// over.
    #[inline]
    pub(super) fn is_filled(&self) -> bool {
        self.head().filled.load(Relaxed)
    }

    /// Says whether it has content.
    #[inline]
    pub(super) fn set_filled(&self, filled: bool) {
        self.head().filled.store(filled, Relaxed);
    }

    /// Clears some of its bytes.
    ///
    /// # Panics
    /// When the range is not inside a page.
    pub fn clear(&self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= PAGE && !self.is_zeros());
        // SAFETY: the range is inside the frame, which is memory for content.
        unsafe { uaccess::clear(self.address().add(range.start), range.len()) };
    }

    /// Copies `from` to the bytes from `offset` on; its length.
    ///
    /// # Panics
    /// When it does not fit.
    pub fn copy_from(&self, offset: usize, from: &[u8]) -> usize {
        assert!(offset <= PAGE && from.len() <= PAGE - offset && !self.is_zeros());
        // SAFETY: the destination is inside the frame, to which there are no references.
        unsafe { uaccess::copy_block(self.address().add(offset), from.as_ptr(), from.len()) };
        from.len()
    }

    /// Copies the bytes from `offset` on to `to`, as many as there are and fit; how many.
    ///
    /// # Panics
    /// When `offset` is not inside the page.
    pub fn copy_to(&self, offset: usize, to: &mut [u8]) -> usize {
        assert!(offset < PAGE);
        let len = to.len().min(PAGE - offset);
        // SAFETY: the source is inside the frame, to which there are no references, so `to` is not.
        unsafe { uaccess::copy_block(to.as_mut_ptr(), self.address().add(offset), len) };
        len
    }

    /// Copies `len` bytes of a page, this one or another, from byte `at` on, to the bytes from
    /// `offset` on; `len`.
    ///
    /// # Panics
    /// When they are not inside the pages.
    pub fn copy_page(&self, offset: usize, from: &Self, at: usize, len: usize) -> usize {
        assert!(len <= PAGE && offset <= PAGE - len && at <= PAGE - len && !self.is_zeros());
        // SAFETY: both ranges are inside frames, and where it is the same one they may overlap.
        unsafe {
            let source = from.address().add(at);
            if self.is(from) {
                core::ptr::copy(source, self.address().add(offset), len);
            } else {
                uaccess::copy_block(self.address().add(offset), source, len);
            }
        };
        len
    }

    /// Copies to user memory, from `offset` on, as much as there is up to the end of the page and
    /// fits. Returns the bytes copied; `EFAULT` when that is none because of a bad pointer.
    ///
    /// # Panics
    /// When `offset` is not inside the page.
    #[inline]
    pub fn read(&self, offset: usize, to: UserSlice) -> SysResult {
        assert!(offset < PAGE);
        let len = to.len().min(PAGE - offset);
        // SAFETY: as many bytes are there behind `offset`.
        unsafe { to.write_raw(self.address().add(offset), len) }
    }

    /// Copies from user memory, to the bytes from `offset` on, as much as there is and fits.
    /// Returns the bytes copied; `EFAULT` when that is none because of a bad pointer.
    ///
    /// # Panics
    /// When `offset` is not inside the page.
    #[inline]
    pub fn write(&self, offset: usize, from: UserSlice) -> SysResult {
        assert!(offset < PAGE && !self.is_zeros());
        let len = from.len().min(PAGE - offset);
        // SAFETY: as many bytes are there behind `offset`, memory for content.
        unsafe { from.read_raw(self.address().add(offset), len) }
    }
}

impl Clone for Page {
    fn clone(&self) -> Self {
        let before = self.head().holders.fetch_add(1, Relaxed);
        assert!(
            before < u32::MAX / 2,
            "a page with two thousand million holders"
        );
        Self(self.0)
    }
}

impl Drop for Page {
    #[inline]
    fn drop(&mut self) {
        let holders = &self.head().holders;
        // A count of 1 is ours, and nobody can add to it.
        if holders.load(Acquire) == 1 || holders.fetch_sub(1, AcqRel) == 1 {
            spare::give(self.0);
        }
    }
}

impl core::fmt::Debug for Page {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Page({:p})", self.address())
    }
}
