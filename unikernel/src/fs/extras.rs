//! What few files have: locks, extended attributes, watches. An inode has one word for all of them.

use super::inode::Inode;
use super::notify::Watches;
use super::rc::Ref;
use super::{lock, xattr};
use crate::errno::Errno;
use core::fmt;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering::AcqRel, Ordering::Acquire};

/// What few files have.
#[derive(Debug, Default)]
pub struct Extras {
    /// Advisory locks.
    pub locks: lock::Slot,
    /// Extended attributes.
    pub xattrs: xattr::Slot,
    /// Who watches it by inotify(7).
    pub watches: Watches,
}

/// The extras of an inode: made when they are first needed, and then there as long as it is.
#[derive(Default)]
pub struct Lazy(AtomicPtr<()>);

impl Lazy {
    /// None.
    pub const fn new() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    /// The extras, if there are any.
    #[inline(always)]
    pub fn get(&self) -> Option<&Extras> {
        let raw = NonNull::new(self.0.load(Acquire))?;
        // SAFETY: the pointer comes from `into_raw`, and its count is given up by `drop` alone.
        Some(unsafe { Ref::borrow_raw(raw) })
    }

    /// The extras, made if there were none. `ENOMEM`.
    #[inline]
    pub fn get_or_new(&self) -> Result<&Extras, Errno> {
        if let Some(extras) = self.get() {
            return Ok(extras);
        }
        let new = Ref::into_raw(Ref::new(Extras::default())?);
        let stored = self.0.compare_exchange(null_mut(), new, AcqRel, Acquire);
        if stored.is_err() {
            // SAFETY: `new` was just given up and nobody else has seen it.
            NonNull::new(new).map(|new| unsafe { Ref::<Extras>::from_raw(new) });
        }
        self.get().ok_or(Errno::ENOMEM)
    }
}

impl Drop for Lazy {
    fn drop(&mut self) {
        if let Some(raw) = NonNull::new(*self.0.get_mut()) {
            // SAFETY: the pointer comes from `into_raw`, and nobody can ask for it any more.
            drop(unsafe { Ref::<Extras>::from_raw(raw) });
        }
    }
}

impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl Inode {
    /// Locks, attributes and watches, if it has or had any of them.
    #[inline(always)]
    pub fn extras(&self) -> Option<&Extras> {
        self.extras.get()
    }

    /// The same, made if there are none. `ENOMEM`.
    pub fn extras_or_new(&self) -> Result<&Extras, Errno> {
        self.extras.get_or_new()
    }

    /// A descriptor of this file was closed (any but an `O_PATH` one): record locks end.
    #[inline(always)]
    pub fn descriptor_closed(&self) {
        if lock::is_active()
            && let Some(extras) = self.extras.get()
        {
            extras.locks.descriptor_closed();
        }
    }

    /// An open file of this inode, with this identity, is about to be no more: its locks end.
    #[inline(always)]
    pub fn description_closed(&self, identity: u64) {
        if lock::is_active()
            && let Some(extras) = self.extras.get()
        {
            extras.locks.description_closed(identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extras_are_made_once() {
        let lazy = Lazy::new();
        assert!(lazy.get().is_none());
        let first = core::ptr::from_ref(lazy.get_or_new().unwrap());
        assert!(core::ptr::eq(lazy.get_or_new().unwrap(), first));
        assert!(core::ptr::eq(lazy.get().unwrap(), first));
        assert_eq!(size_of::<Lazy>(), size_of::<usize>());
    }
}
