//! A range of user memory, and the copies from it and to it.

use super::{access_ok, copy};
use crate::errno::Errno;

/// `len` bytes of alleged user memory.
#[derive(Clone, Copy, Debug)]
pub struct UserSlice {
    start: usize,
    len: usize,
}

impl UserSlice {
    /// A buffer as a system call names it.
    pub const fn new(start: usize, len: usize) -> Self {
        Self { start, len }
    }

    /// First address.
    pub const fn start(&self) -> usize {
        self.start
    }

    /// Length in bytes.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The part behind the first `n` bytes (`n` at most the length).
    pub fn skip(self, n: usize) -> Self {
        let n = n.min(self.len);
        Self::new(self.start.wrapping_add(n), self.len - n)
    }

    /// The first `n` bytes, or all of it when it is shorter.
    pub fn take(self, n: usize) -> Self {
        Self::new(self.start, self.len.min(n))
    }

    /// Copies out as much of `from` as fits; returns the bytes written. `EFAULT` only when
    /// nothing could be written, otherwise a short count: what read(2) does.
    pub fn write(&self, from: &[u8]) -> Result<usize, Errno> {
        let len = from.len().min(self.len);
        // SAFETY: `from` has `len` bytes.
        unsafe { self.write_raw(from.as_ptr(), len) }
    }

    /// Copies in as much as fits `into`; returns the bytes read (short on a partly bad range).
    pub fn read(&self, into: &mut [u8]) -> Result<usize, Errno> {
        let len = into.len().min(self.len);
        // SAFETY: `into` has room for `len` bytes.
        unsafe { self.read_raw(into.as_mut_ptr(), len) }
    }

    /// Fills the slice, for the short cuts: no vector register changes, and `None` says that
    /// something is wrong with it.
    ///
    /// # Safety
    /// There are as many bytes at `from`, and none of them is in the slice.
    #[inline(always)]
    pub(crate) unsafe fn write_all(&self, from: *const u8) -> Option<()> {
        if !access_ok(self.start, self.len) {
            return None;
        }
        // SAFETY: the caller's bytes are read; the destination is user memory: just checked.
        let left = unsafe { copy::copy(self.start, from as usize, self.len) };
        (left == 0).then_some(())
    }

    /// Reads all of the slice, as [`write_all`](Self::write_all).
    ///
    /// # Safety
    /// There is room for as many bytes at `into`, to which nothing refers.
    #[inline(always)]
    pub(crate) unsafe fn read_all(&self, into: *mut u8) -> Option<()> {
        if !access_ok(self.start, self.len) {
            return None;
        }
        // SAFETY: the caller's room is written; the source is user memory: just checked.
        let left = unsafe { copy::copy(into as usize, self.start, self.len) };
        (left == 0).then_some(())
    }

    /// Clears all of the slice; `None` when not all of it is user memory that can be written to.
    #[inline(always)]
    pub(crate) fn zero_all(&self) -> Option<()> {
        // SAFETY: the range is not ours; that it may not be mapped is the routine's business.
        let done =
            access_ok(self.start, self.len) && unsafe { copy::zero(self.start, self.len) == 0 };
        done.then_some(())
    }

    /// As [`write`](Self::write), from memory to which there can be no reference, because others
    /// may write to it: a page of a file.
    ///
    /// # Safety
    /// There are `len` bytes at `from`, and `len` is at most the slice's length.
    #[inline]
    pub unsafe fn write_raw(&self, from: *const u8, len: usize) -> Result<usize, Errno> {
        debug_assert!(len <= self.len);
        // SAFETY: the source is there, and the destination is user memory by `transfer`'s check.
        self.transfer(len, |at| unsafe { copy::copy(at, from as usize, len) })
    }

    /// As [`read`](Self::read), into memory to which there can be no reference.
    ///
    /// # Safety
    /// There is room for `len` bytes at `into`, and `len` is at most the slice's length.
    #[inline]
    pub unsafe fn read_raw(&self, into: *mut u8, len: usize) -> Result<usize, Errno> {
        debug_assert!(len <= self.len);
        // SAFETY: the caller's memory is written; the source is user memory by `transfer`'s check.
        self.transfer(len, |at| unsafe { copy::copy(into as usize, at, len) })
    }

    /// As [`read`](Self::read), but the library's own memory is not out of bounds.
    pub fn peek(&self, into: &mut [u8]) -> Result<usize, Errno> {
        let len = into.len().min(self.len);
        // SAFETY: `into` has room for `len` bytes; the other side is guarded by the fixup.
        Ok(len - unsafe { copy::copy(into.as_mut_ptr() as usize, self.start, len) })
    }

    /// Clears all of it; returns the bytes cleared (short on a partly bad range).
    #[inline]
    pub fn zero(&self) -> Result<usize, Errno> {
        let len = self.len;
        // SAFETY: the range is user memory by `transfer`'s check; guarded by the fixup.
        self.transfer(len, |at| unsafe { copy::zero(at, len) })
    }

    #[inline(always)]
    fn transfer(&self, len: usize, run: impl FnOnce(usize) -> usize) -> Result<usize, Errno> {
        if len == 0 {
            return Ok(0);
        }
        if !access_ok(self.start, len) {
            return Err(Errno::EFAULT);
        }
        match len - run(self.start) {
            0 => Err(Errno::EFAULT),
            done => Ok(done),
        }
    }
}
