//! The items that may be ready, in the order of their wake-ups. Interrupts add to the list, so it
//! changes with them closed.

use super::item::Item;
use crate::cpu::without_interrupts;
use core::ptr::{from_ref, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

/// The list.
#[derive(Debug)]
pub struct Ready {
    first: AtomicPtr<Item>,
    last: AtomicPtr<Item>,
    len: AtomicUsize,
}

impl Ready {
    pub const fn new() -> Self {
        Self {
            first: AtomicPtr::new(null_mut()),
            last: AtomicPtr::new(null_mut()),
            len: AtomicUsize::new(0),
        }
    }

    pub fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Adds an item at the end, unless it is there.
    pub fn push(&self, item: &Item) {
        self.insert(item, |list, item| {
            // SAFETY: items are removed before they go.
            match unsafe { list.last.load(Relaxed).as_ref() } {
                Some(last) => last.next.store(item, Relaxed),
                None => list.first.store(item, Relaxed),
            }
            list.last.store(item, Relaxed);
        });
    }

    /// Adds an item at the start, unless it is there.
    pub fn push_front(&self, item: &Item) {
        self.insert(item, |list, at| {
            item.next.store(list.first.load(Relaxed), Relaxed);
            list.first.store(at, Relaxed);
            if list.last.load(Relaxed).is_null() {
                list.last.store(at, Relaxed);
            }
        });
    }

    fn insert(&self, item: &Item, place: impl FnOnce(&Self, *mut Item)) {
        without_interrupts(|| {
            if !item.is_listed.swap(true, Relaxed) {
                item.next.store(null_mut(), Relaxed);
                self.len.store(self.len() + 1, Relaxed);
                place(self, from_ref(item).cast_mut());
            }
        });
    }

    /// Takes the first.
    pub fn pop(&self) -> Option<&Item> {
        without_interrupts(|| {
            // SAFETY: items are removed before they go.
            let first = unsafe { self.first.load(Relaxed).as_ref() }?;
            self.unlink(&self.first, None, first);
            Some(first)
        })
    }

    /// Takes an item out, if it is there.
    pub fn remove(&self, item: &Item) {
        without_interrupts(|| {
            if !item.is_listed.load(Relaxed) {
                return;
            }
            let (mut link, mut before) = (&self.first, None);
            // SAFETY: as above.
            while let Some(at) = unsafe { link.load(Relaxed).as_ref() } {
                if core::ptr::eq(at, item) {
                    return self.unlink(link, before, item);
                }
                (link, before) = (&at.next, Some(at));
            }
        });
    }

    /// Takes out the item that `link` leads to, which is of the item `before` or the list's own.
    fn unlink(&self, link: &AtomicPtr<Item>, before: Option<&Item>, item: &Item) {
        let next = item.next.load(Relaxed);
        link.store(next, Relaxed);
        if next.is_null() {
            let last = before.map_or(null_mut(), |item| from_ref(item).cast_mut());
            self.last.store(last, Relaxed);
        }
        item.is_listed.store(false, Relaxed);
        self.len.store(self.len() - 1, Relaxed);
    }
}
