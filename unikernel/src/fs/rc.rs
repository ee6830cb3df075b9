//! A counted reference without locked instructions.
//!
//! `Arc` pays for two locked instructions where a descriptor is looked up and let go, some ten
//! nanoseconds: more than the rest of the call. On one CPU, with a library that is not preempted,
//! a plain increment is as good.

use crate::errno::Errno;
use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::fmt;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

struct Counted<T> {
    count: AtomicU32,
    value: T,
}

/// A shared, immutable `T` on the heap, dropped with its last reference.
pub struct Ref<T>(NonNull<Counted<T>>);

// SAFETY: a `Ref` gives out `&T` only, hence `T: Sync`, and may drop it anywhere, hence `Send`. The
// count is not changed atomically: in the machine one CPU runs the library, which is not preempted
// and whose upcalls hold no `Ref`; on the host, tests that share one hold a lock around its use.
unsafe impl<T: Send + Sync> Send for Ref<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Ref<T> {}

impl<T> Ref<T> {
    /// Puts `value` on the heap, or `ENOMEM`.
    pub fn new(value: T) -> Result<Self, Errno> {
        let layout = Layout::new::<Counted<T>>();
        // SAFETY: the layout has a size: there is a counter in it.
        let room = unsafe { alloc(layout) }.cast::<Counted<T>>();
        let room = NonNull::new(room).ok_or(Errno::ENOMEM)?;
        let count = AtomicU32::new(1);
        // SAFETY: fresh memory of the right layout.
        unsafe { room.write(Counted { count, value }) };
        Ok(Self(room))
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: the value lives as long as any reference to it.
        unsafe { self.0.as_ref() }
    }

    /// How many references there are.
    pub fn count(this: &Self) -> u32 {
        this.counted().count.load(Relaxed)
    }

    /// Whether both refer to the same value.
    #[inline]
    pub fn same(one: &Self, other: &Self) -> bool {
        one.0 == other.0
    }

    /// Where the value is: an identity that lives as long as it does.
    pub fn address(this: &Self) -> usize {
        this.0.as_ptr() as usize
    }

    /// Gives the count up for a bare pointer; [`Ref::from_raw`] takes it back.
    pub fn into_raw(this: Self) -> *mut () {
        core::mem::ManuallyDrop::new(this).0.as_ptr().cast()
    }

    /// The reference that [`Ref::into_raw`] gave up.
    ///
    /// # Safety
    /// `raw` comes from `into_raw` of the same type and is taken back once.
    pub unsafe fn from_raw(raw: NonNull<()>) -> Self {
        Self(raw.cast())
    }

    /// Another reference to what a bare pointer of [`Ref::into_raw`] refers to.
    ///
    /// # Safety
    /// As for `from_raw`; the pointer keeps its own count.
    #[inline(always)]
    pub unsafe fn clone_raw(raw: NonNull<()>) -> Self {
        // SAFETY: the caller's promise; the copy's count is not given up.
        let held = core::mem::ManuallyDrop::new(unsafe { Self::from_raw(raw) });
        (*held).clone()
    }

    /// The value behind a bare pointer of [`Ref::into_raw`].
    ///
    /// # Safety
    /// As for `from_raw`; the pointer keeps its count for all of `'a`.
    #[inline(always)]
    pub unsafe fn borrow_raw<'a>(raw: NonNull<()>) -> &'a T {
        // SAFETY: the caller's promise.
        &unsafe { raw.cast::<Counted<T>>().as_ref() }.value
    }

    /// Gives this reference's count up, unless it is the last: then nothing happens. The reference
    /// must not be dropped any more if the result is true.
    #[inline(always)]
    pub fn leave(this: &core::mem::ManuallyDrop<Self>) -> bool {
        let count = &this.counted().count;
        let left = count.load(Relaxed) - 1;
        if left == 0 {
            return false;
        }
        count.store(left, Relaxed);
        true
    }

    #[cold]
    #[inline(never)]
    fn free(&mut self) {
        // SAFETY: this was the last reference; nothing refers to the memory any more.
        unsafe {
            core::ptr::drop_in_place(&raw mut (*self.0.as_ptr()).value);
            dealloc(self.0.as_ptr().cast(), Layout::new::<Counted<T>>());
        }
    }
}

impl<T> Clone for Ref<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        let count = &self.counted().count;
        count.store(count.load(Relaxed) + 1, Relaxed);
        Self(self.0)
    }
}

impl<T> Drop for Ref<T> {
    #[inline(always)]
    fn drop(&mut self) {
        let count = &self.counted().count;
        let left = count.load(Relaxed) - 1;
        count.store(left, Relaxed);
        if left == 0 {
            self.free();
        }
    }
}

impl<T> Deref for Ref<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    struct Bell<'a>(&'a Cell<u32>);

    impl Drop for Bell<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn the_last_reference_drops_the_value() {
        let rung = Cell::new(0);
        let one = Ref::new(Bell(&rung)).unwrap();
        let two = one.clone();
        assert!(Ref::same(&one, &two) && Ref::count(&one) == 2);
        drop(one);
        assert_eq!(rung.get(), 0);
        drop(two);
        assert_eq!(rung.get(), 1);
    }

    #[test]
    fn bare_pointers_keep_their_count() {
        let rung = Cell::new(0);
        let raw = NonNull::new(Ref::into_raw(Ref::new(Bell(&rung)).unwrap())).unwrap();
        // SAFETY: `raw` was just given up, and is taken back once, at the end.
        unsafe {
            let other = Ref::<Bell<'_>>::clone_raw(raw);
            assert_eq!(Ref::count(&other), 2);
            drop(other);
            assert_eq!(
                (Ref::<Bell<'_>>::borrow_raw(raw).0.get(), rung.get()),
                (0, 0)
            );
            drop(Ref::<Bell<'_>>::from_raw(raw));
        }
        assert_eq!(rung.get(), 1);
    }
}
