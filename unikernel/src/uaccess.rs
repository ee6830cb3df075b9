//! User memory is an allegation.
//!
//! The application and this library share one address space, so a bad pointer in a system call
//! would otherwise be *our* fault. [`UserPtr`] and [`UserSlice`] cannot be dereferenced; the only
//! doors are the copies below. They run in a handful of assembly routines. When one of their
//! instructions faults, the exception upcall asks [`fixup`] for the landing pad and the copy
//! returns short: `EFAULT`, as on Linux, and never a crash.

#[cfg_attr(miri, path = "uaccess/plain.rs")]
mod copy;
#[cfg(not(miri))]
mod fixup;
mod slice;
#[cfg_attr(miri, path = "uaccess/plain_store.rs")]
mod store;
mod versioned;
#[cfg(not(miri))]
mod wide;

#[cfg(all(test, not(miri)))]
pub(crate) mod faults;
#[cfg(test)]
mod tests;

#[cfg(miri)]
pub use copy::{fixup, init};
#[cfg(not(miri))]
pub use fixup::fixup;
pub use slice::UserSlice;
#[cfg(not(miri))]
pub use wide::init;

use crate::errno::Errno;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, size_of};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// End of the canonical lower half, the address space of a Linux process (x86_64, four levels).
pub const USER_END: usize = 0x7fff_ffff_f000;

/// The library's own writable memory: data, bss, frame maps, as start and length. A system call
/// must not be talked into reading or writing it.
static OWN: [(AtomicUsize, AtomicUsize); 3] =
    [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; 3];

/// Bounds of all of them: what lies outside needs no closer look.
static OWN_BOUNDS: (AtomicUsize, AtomicUsize) = (AtomicUsize::new(usize::MAX), AtomicUsize::new(0));

/// Declares a range of the library's own memory, which user pointers may not name.
pub fn forbid(slot: usize, start: usize, len: usize) {
    OWN[slot].0.store(start, Relaxed);
    OWN[slot].1.store(len, Relaxed);
    OWN_BOUNDS.0.fetch_min(start, Relaxed);
    OWN_BOUNDS.1.fetch_max(start.saturating_add(len), Relaxed);
}

/// Whether `start..start + len` can be user memory at all: it does not wrap, lies in the lower
/// half and touches nothing of the library's own. Whether it is mapped, the copy finds out.
#[inline(always)]
pub fn access_ok(start: usize, len: usize) -> bool {
    if len > USER_END || start > USER_END - len {
        return false;
    }
    is_outside(start, len) || !is_own(start, len)
}

/// The same for a few bytes; `false`, too, for what needs a closer look.
#[inline(always)]
fn short_ok(start: usize, len: usize) -> bool {
    start <= USER_END - len && is_outside(start, len)
}

/// Whether `start..start + len`, which does not wrap, is outside the bounds of what is ours.
#[inline(always)]
fn is_outside(start: usize, len: usize) -> bool {
    start >= OWN_BOUNDS.1.load(Relaxed) || start + len <= OWN_BOUNDS.0.load(Relaxed)
}

/// Whether some of `start..start + len`, which does not wrap, is the library's own.
#[inline(never)]
fn is_own(start: usize, len: usize) -> bool {
    OWN.iter().any(|range| {
        let (own, own_len) = (range.0.load(Relaxed), range.1.load(Relaxed));
        start.wrapping_sub(own) < own_len || (start < own && own - start < len)
    })
}

/// Plain old data: any bit pattern is a value, and there is no padding whose content would leak
/// more than the caller already knows.
///
/// # Safety
/// Implementors are `repr(C)` types of integers and arrays of them.
pub unsafe trait Pod: Sized {}

macro_rules! pod {
    ($($t:ty),* $(,)?) => { $(
        // SAFETY: an integer, an array of integers or a repr(C) struct of such, from the Linux headers.
        unsafe impl Pod for $t {}
    )* };
}

pod!(u8, u16, u32, u64, i32, i64, usize, isize);
pod!([u64; 2], [u64; 4], [i32; 2]);
pod!(
    linux_raw_sys::general::__kernel_timespec,
    linux_raw_sys::general::__kernel_old_timeval,
    linux_raw_sys::general::pollfd,
    linux_raw_sys::general::stat,
    linux_raw_sys::general::statfs,
    linux_raw_sys::general::statx,
    linux_raw_sys::general::rlimit64,
    linux_raw_sys::general::iovec,
    linux_raw_sys::general::termios,
    linux_raw_sys::general::winsize,
    linux_raw_sys::system::new_utsname,
    linux_raw_sys::system::sysinfo,
);

/// An address that the application says holds a `T`.
#[derive(Debug)]
#[repr(transparent)]
pub struct UserPtr<T>(usize, PhantomData<*mut T>);

impl<T> Clone for UserPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for UserPtr<T> {}

impl<T> UserPtr<T> {
    /// Wraps an address as it came in a register.
    pub const fn new(address: usize) -> Self {
        Self(address, PhantomData)
    }

    /// The address, for comparisons and messages only.
    pub const fn address(self) -> usize {
        self.0
    }

    /// Whether the application passed NULL.
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// `None` for NULL: many calls take an optional pointer.
    pub fn optional(self) -> Option<Self> {
        (self.0 != 0).then_some(self)
    }

    /// The `index`-th element behind this one (wrapping; the copy checks the result).
    pub const fn add(self, index: usize) -> Self {
        Self::new(self.0.wrapping_add(index.wrapping_mul(size_of::<T>())))
    }

    /// The same address with another type.
    pub const fn cast<U>(self) -> UserPtr<U> {
        UserPtr::new(self.0)
    }
}

impl<T: Pod> UserPtr<T> {
    /// Copies one value in.
    pub fn read(self) -> Result<T, Errno> {
        let mut value = MaybeUninit::<T>::uninit();
        transfer(value.as_mut_ptr() as usize, self.0, size_of::<T>(), self.0)?;
        // SAFETY: the copy filled all bytes, and any bytes make a `Pod` value.
        Ok(unsafe { value.assume_init() })
    }

    /// Copies one value out.
    pub fn write(self, value: &T) -> Result<(), Errno> {
        transfer(
            self.0,
            core::ptr::from_ref(value) as usize,
            size_of::<T>(),
            self.0,
        )
    }
}

impl UserPtr<usize> {
    /// Reads any word, the library's own included: for crash reports, which trust no pointer.
    pub fn peek(address: usize) -> Result<usize, Errno> {
        let mut word = [0; size_of::<usize>()];
        match UserSlice::new(address, word.len()).peek(&mut word) {
            Ok(n) if n == word.len() => Ok(usize::from_ne_bytes(word)),
            _ => Err(Errno::EFAULT),
        }
    }
}

impl UserPtr<u8> {
    /// Copies a string with its NUL for the short cuts; its length without it. `None`: it is longer
    /// than `room`, or bad.
    ///
    /// # Safety
    /// `into` has room for `room` bytes.
    #[inline(always)]
    pub(crate) unsafe fn read_string(self, into: *mut u8, room: usize) -> Option<usize> {
        if !access_ok(self.0, 1) {
            return None;
        }
        // SAFETY: as the caller says.
        usize::try_from(unsafe { copy::string(into, self.0, room) }).ok()
    }
}

impl UserPtr<[u64; 2]> {
    /// Writes two words (a timespec, a timeval) without touching a vector register.
    #[inline(always)]
    pub fn write_pair(self, low: u64, high: u64) -> Result<(), Errno> {
        if !access_ok(self.0, 16) {
            return Err(Errno::EFAULT);
        }
        // SAFETY: the range is not ours; that it may not be mapped is the routine's business.
        if unsafe { store::put_pair(self.0, low, high) } {
            Ok(())
        } else {
            Err(Errno::EFAULT)
        }
    }

    /// The same as [`UserPtr::write_short`] has it.
    #[inline(always)]
    pub fn write_pair_short(self, low: u64, high: u64) -> Option<()> {
        // SAFETY: where `store` has it write nothing is ours; unmapped memory is its business.
        self.store(|at| unsafe { store::put_pair(at, low, high) })
    }
}

impl UserPtr<u64> {
    /// Writes a word as [`UserPtr::write_short`] writes two bytes.
    #[inline(always)]
    pub fn write_word(self, value: u64) -> Option<()> {
        // SAFETY: where `store` has it write nothing is ours; unmapped memory is its business.
        self.store(|at| unsafe { store::put(at, value) })
    }
}

impl UserPtr<[u8; 2]> {
    /// Writes two bytes without touching a vector register; `None` when that takes a closer look, or
    /// ends in `EFAULT`.
    #[inline(always)]
    pub fn write_short(self, bytes: [u8; 2]) -> Option<()> {
        // SAFETY: where `store` has it write nothing is ours; unmapped memory is its business.
        self.store(|at| unsafe { store::put_short(at, u16::from_ne_bytes(bytes)) })
    }
}

impl<T> UserPtr<T> {
    /// Runs a short store of a `T`, which says whether all of it was mapped, at an address where
    /// nothing is ours; `None` as for [`UserPtr::write_short`].
    #[inline(always)]
    fn store(self, put: impl FnOnce(usize) -> bool) -> Option<()> {
        (short_ok(self.0, size_of::<T>()) && put(self.0)).then_some(())
    }
}

#[inline]
fn transfer(dst: usize, src: usize, len: usize, user: usize) -> Result<(), Errno> {
    if !access_ok(user, len) {
        return Err(Errno::EFAULT);
    }
    // SAFETY: one side is kernel memory of `len` bytes (the callers' types say so), the other is
    // checked not to be ours; a fault in it ends in a landing pad.
    let left = unsafe { copy::copy(dst, src, len) };
    if left == 0 {
        Ok(())
    } else {
        Err(Errno::EFAULT)
    }
}

/// Clears `len` bytes of the library's own memory: faster than `memset` for large blocks.
///
/// # Safety
/// They are there, and nothing refers to them.
#[inline]
pub(crate) unsafe fn clear(start: *mut u8, len: usize) {
    // SAFETY: as the caller says.
    let left = unsafe { copy::zero(start as usize, len) };
    debug_assert_eq!(left, 0);
}

/// Copies `len` bytes inside the library's memory: faster than `memcpy` for large blocks.
///
/// # Safety
/// Both ranges are there, do not overlap, and nothing refers to those at `to`.
#[inline]
pub(crate) unsafe fn copy_block(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: as the caller says.
    let left = unsafe { copy::copy(to as usize, from as usize, len) };
    debug_assert_eq!(left, 0);
}

/// Copies a NUL-terminated path in. Returns it without the NUL; `ENAMETOOLONG` when `room` (which
/// counts the NUL: `PATH_MAX` is 4096) is too small, `EFAULT` on a bad pointer.
pub fn read_path(path: UserPtr<u8>, room: &mut [u8]) -> Result<&[u8], Errno> {
    if !access_ok(path.address(), 1) {
        return Err(Errno::EFAULT);
    }
    // SAFETY: `room` is ours and as long as we say; reads of the user side are guarded.
    match unsafe { copy::string(room.as_mut_ptr(), path.address(), room.len()) } {
        -1 => Err(Errno::ENAMETOOLONG),
        -2 => Err(Errno::EFAULT),
        len => Ok(&room[..len as usize]),
    }
}
