//! Locks.
//!
//! [`SpinLock`] uses the primitive of `spinning_top`. On one CPU a lock that is found held can
//! never be released while we spin, so contention *is* the deadlock report; the uncontended path
//! pays nothing for it: one compare-exchange, no `cli`, no backtrace, no formatting.

use crate::cpu;
use core::cell::UnsafeCell;
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::AtomicBool;
#[cfg(test)]
use core::sync::atomic::Ordering::{Acquire, Release};
use spinning_top::RawSpinlock;
use spinning_top::lock_api::RawMutex;

/// A mutual-exclusion lock. [`lock`](Self::lock) closes the soft interrupt flag for as long as it
/// is held; [`lock_no_irq`](Self::lock_no_irq) does not, and is for data no upcall touches.
pub struct SpinLock<T> {
    raw: RawSpinlock,
    data: UnsafeCell<T>,
}

// SAFETY: `raw` admits one holder at a time, and only a holder reaches `data`.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> Self {
        Self {
            raw: RawSpinlock::INIT,
            data: UnsafeCell::new(value),
        }
    }

    /// Takes the lock with upcalls deferred until the guard is dropped.
    ///
    /// # Panics
    /// When the lock is held already: on one CPU that is a deadlock.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        let was = cpu::soft_disable();
        self.acquire();
        Guard {
            lock: self,
            reopen: was,
        }
    }

    /// Takes the lock and leaves the soft interrupt flag alone.
    ///
    /// # Panics
    /// When the lock is held already: on one CPU that is a deadlock.
    #[inline]
    pub fn lock_no_irq(&self) -> Guard<'_, T> {
        self.acquire();
        Guard {
            lock: self,
            reopen: false,
        }
    }

    /// Takes the lock if it is free, with upcalls deferred: for reports of crashes, which may have
    /// happened anywhere.
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        let was = cpu::soft_disable();
        if self.raw.try_lock() {
            return Some(Guard {
                lock: self,
                reopen: was,
            });
        }
        cpu::soft_restore(was);
        None
    }

    #[inline]
    fn acquire(&self) {
        if !self.raw.try_lock() {
            self.contended();
        }
    }

    /// Host tests run on threads, where waiting makes sense; in the VM it does not.
    #[cold]
    #[inline(never)]
    fn contended(&self) {
        #[cfg(test)]
        while !self.raw.try_lock() {
            std::thread::yield_now();
        }
        #[cfg(not(test))]
        panic!(
            "deadlock: the lock around `{}` is taken twice on one CPU",
            core::any::type_name::<T>()
        );
    }
}

/// Access to what a [`SpinLock`] protects; releases it when dropped.
pub struct Guard<'a, T> {
    lock: &'a SpinLock<T>,
    reopen: bool,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a guard exists only while its lock is held.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and `&mut self` makes this the only reference.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: this guard holds the lock.
        unsafe { self.lock.raw.unlock() };
        cpu::soft_restore(self.reopen);
    }
}

/// State that only system calls touch, never an upcall: on one CPU, where the library is not
/// preempted, nobody can be inside when somebody comes, unless the same call comes twice. So the
/// flag is read and written plainly, without a locked instruction; it catches the mistake.
///
/// Nothing may sleep while it holds a guard.
pub struct Exclusive<T> {
    taken: AtomicBool,
    data: UnsafeCell<T>,
}

// SAFETY: one guard exists at a time: `taken` is set while there is one. In the machine plain
// accesses suffice, because one CPU runs one system call at a time and interrupts make none; on the
// host, where tests have threads, the flag is swapped atomically.
unsafe impl<T: Send> Sync for Exclusive<T> {}

impl<T> Exclusive<T> {
    /// Free state.
    pub const fn new(value: T) -> Self {
        Self {
            taken: AtomicBool::new(false),
            data: UnsafeCell::new(value),
        }
    }

    /// Takes it.
    ///
    /// # Panics
    /// When it is taken already: a call that comes back to where it is.
    #[inline(always)]
    pub fn lock(&self) -> Inside<'_, T> {
        #[cfg(test)]
        while !self.enter() {
            std::thread::yield_now();
        }
        #[cfg(not(test))]
        if !self.enter() {
            reentered(core::any::type_name::<T>());
        }
        Inside(self)
    }

    /// Takes it if nobody is inside.
    #[inline(always)]
    pub fn try_lock(&self) -> Option<Inside<'_, T>> {
        if !self.enter() {
            return None;
        }
        Some(Inside(self))
    }

    /// Sets the flag; whether it was clear.
    #[inline(always)]
    fn enter(&self) -> bool {
        #[cfg(test)]
        return !self.taken.swap(true, Acquire);
        // SAFETY: one CPU runs one system call at a time, and interrupts touch no such state, so
        // nobody else reads or writes the flag meanwhile. Plainly, because the compiler makes no
        // operand of a comparison of what is read atomically.
        #[cfg(not(test))]
        unsafe {
            let taken = self.taken.as_ptr();
            if *taken {
                return false;
            }
            *taken = true;
            true
        }
    }

    /// The value, for who owns it anyway.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }
}

#[cfg(not(test))]
#[cold]
#[inline(never)]
fn reentered(what: &str) -> ! {
    panic!("deadlock: `{what}` is taken twice by one system call")
}

impl<T: fmt::Debug> fmt::Debug for Exclusive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exclusive")
    }
}

/// Access to what an [`Exclusive`] protects; leaves when dropped.
pub struct Inside<'a, T>(&'a Exclusive<T>);

impl<T> Deref for Inside<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: there is one `Inside` at a time.
        unsafe { &*self.0.data.get() }
    }
}

impl<T> DerefMut for Inside<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and `&mut self` makes this the only reference.
        unsafe { &mut *self.0.data.get() }
    }
}

impl<T> Drop for Inside<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        #[cfg(test)]
        self.0.taken.store(false, Release);
        // SAFETY: as in `enter`.
        #[cfg(not(test))]
        unsafe {
            *self.0.taken.as_ptr() = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_exclude_each_other() {
        let lock = SpinLock::new(0u32);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| (0..1000).for_each(|_| *lock.lock_no_irq() += 1));
            }
        });
        assert_eq!(*lock.lock_no_irq(), 4000);
    }
}
