//! Advisory locks of files: record locks and open file description locks (fcntl(2)), and locks of
//! whole files (flock(2)). Linux has them in fs/locks.c.
//!
//! An inode has one [`Slot`]. A record lock belongs to the process and goes when *any* of its
//! descriptors of the file is closed; the other two belong to an open file description and go with
//! it. Record locks and description locks exclude each other; flock(2) is a world of its own.
//!
//! A file that nobody locks has no list, and closing a descriptor looks at one word of memory while
//! no file at all is locked.

pub mod command;
pub mod record;

use crate::errno::Errno;
use crate::sync::Exclusive;
use crate::wait::Queue;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use record::{Owner, Record, Records, Span};

pub use command::{Flock, Opened, Whole, fcntl, is_lock_command};

/// How a lock is held. Two locks of different owners go together if both are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `F_RDLCK`, `LOCK_SH`.
    Shared,
    /// `F_WRLCK`, `LOCK_EX`.
    Exclusive,
}

impl Mode {
    /// Whether a lock of this mode keeps another owner from one of the `other` mode.
    pub const fn excludes(self, other: Self) -> bool {
        matches!(self, Self::Exclusive) || matches!(other, Self::Exclusive)
    }
}

/// The locks of one file; at least one, but for a moment.
#[derive(Debug, Default)]
pub struct Locks {
    records: Records,
    /// flock(2): the holder and the mode; one for each holder.
    whole: Vec<(u64, Mode)>,
}

impl Locks {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.whole.is_empty()
    }

    fn whole_is_free(&self, description: u64, mode: Mode) -> bool {
        let mut others = self.whole.iter().filter(|held| held.0 != description);
        !others.any(|held| held.1.excludes(mode))
    }

    /// flock(2). A conversion is a release first: when it fails the old lock is lost.
    fn lock_whole(&mut self, description: u64, mode: Mode) -> Result<(), Errno> {
        if self.whole.contains(&(description, mode)) {
            return Ok(());
        }
        self.unlock_whole(description);
        if !self.whole_is_free(description, mode) {
            return Err(Errno::EAGAIN);
        }
        self.whole.try_reserve(1).map_err(|_| Errno::ENOLCK)?;
        self.whole.push((description, mode));
        Ok(())
    }

    fn unlock_whole(&mut self, description: u64) {
        self.whole.retain(|held| held.0 != description);
    }
}

/// How many slots have a list.
static LOCKED: AtomicU32 = AtomicU32::new(0);

/// Whether any file at all is locked: for a caller that must find out who is closed.
#[inline(always)]
pub fn is_active() -> bool {
    LOCKED.load(Relaxed) != 0
}

/// Those who wait for a lock of any file. Locks are rarely waited for, so they share one queue.
static RELEASED: Queue = Queue::new();

/// The locks of an inode, if there are any.
#[derive(Debug)]
pub struct Slot(Exclusive<Option<Box<Locks>>>);

impl Default for Slot {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    /// No locks.
    pub const fn new() -> Self {
        Self(Exclusive::new(None))
    }

    /// `F_GETLK`: a lock of another owner that is in the way of `mode` on `span`.
    pub fn conflict(&self, owner: Owner, mode: Mode, span: Span) -> Option<Record> {
        let locks = self.0.lock();
        locks.as_ref()?.records.conflict(owner, mode, span)
    }

    /// `F_OFD_GETLK` with `F_UNLCK`: a lock of `owner` itself within `span`.
    pub fn own(&self, owner: Owner, span: Span) -> Option<Record> {
        let locks = self.0.lock();
        locks.as_ref()?.records.own(owner, span)
    }

    /// `F_SETLK`, and with `wait` `F_SETLKW`: locks `span`, changing what `owner` holds there.
    /// Errors: `EAGAIN`, `EINTR`, `ENOLCK` (no memory).
    pub fn lock(&self, owner: Owner, mode: Mode, span: Span, wait: bool) -> Result<(), Errno> {
        loop {
            match self.change(|locks| locks.records.lock(owner, mode, span)) {
                Err(Errno::EAGAIN) if wait => {
                    RELEASED.wait(|| self.conflict(owner, mode, span).is_none())?;
                }
                done => return done,
            }
        }
    }

    /// `F_SETLK` with `F_UNLCK`: releases `span`. Errors: `ENOLCK` (a lock is split, and there is
    /// no memory).
    pub fn unlock(&self, owner: Owner, span: Span) -> Result<(), Errno> {
        self.release(|locks| locks.records.unlock(owner, span))
    }

    /// flock(2) with `LOCK_SH` or `LOCK_EX`, for the open file description with this number.
    /// Errors: `EAGAIN` (the old lock is lost then), `EINTR`, `ENOLCK` (no memory).
    pub fn lock_whole(&self, description: u64, mode: Mode, wait: bool) -> Result<(), Errno> {
        loop {
            match self.change(|locks| locks.lock_whole(description, mode)) {
                Err(Errno::EAGAIN) if wait => {
                    RELEASED.wait(|| self.whole_is_free(description, mode))?;
                }
                done => return done,
            }
        }
    }

    /// flock(2) with `LOCK_UN`.
    pub fn unlock_whole(&self, description: u64) {
        // The closure has no error to hand on.
        let _ = self.release(|locks| {
            locks.unlock_whole(description);
            Ok(())
        });
    }

    /// Calls `each` with the locks of an open file description: that of the whole file, then those
    /// of bytes.
    pub fn of_description(&self, description: u64, mut each: impl FnMut(Mode, Option<Span>)) {
        let slot = self.0.lock();
        let Some(locks) = slot.as_ref() else { return };
        let whole = locks.whole.iter().filter(|held| held.0 == description);
        whole.for_each(|held| each(held.1, None));
        let records = locks.records.of(Owner::Description(description));
        records.for_each(|record| each(record.mode, Some(record.span)));
    }

    fn whole_is_free(&self, description: u64, mode: Mode) -> bool {
        let locks = self.0.lock();
        locks
            .as_ref()
            .is_none_or(|locks| locks.whole_is_free(description, mode))
    }

    /// A descriptor of this file was closed (any but an `O_PATH` one): the process loses its record
    /// locks.
    #[cold]
    pub fn descriptor_closed(&self) {
        self.drop_owner(Owner::Process);
    }

    /// The last descriptor of the open file description with this number was closed.
    #[cold]
    pub fn description_closed(&self, description: u64) {
        self.drop_owner(Owner::Description(description));
        self.unlock_whole(description);
    }

    fn drop_owner(&self, owner: Owner) {
        // The closure has no error to hand on.
        let _ = self.release(|locks| {
            locks.records.drop_owner(owner);
            Ok(())
        });
    }

    /// Changes the list, making one if there is none.
    fn change(&self, act: impl FnOnce(&mut Locks) -> Result<(), Errno>) -> Result<(), Errno> {
        let mut slot = self.0.lock();
        if slot.is_none() {
            LOCKED.fetch_add(1, Relaxed);
            *slot = Some(Box::default());
        }
        drop(slot);
        self.release(act)
    }

    /// Changes the list if there is one, and forgets it when it is empty.
    fn release(&self, act: impl FnOnce(&mut Locks) -> Result<(), Errno>) -> Result<(), Errno> {
        let mut slot = self.0.lock();
        let Some(locks) = slot.as_mut() else {
            return Ok(());
        };
        let result = act(locks);
        let empty = slot.take_if(|locks| locks.is_empty());
        drop(slot);
        if empty.is_some() {
            LOCKED.fetch_sub(1, Relaxed);
        }
        RELEASED.wake();
        result
    }
}

impl Drop for Slot {
    /// Nothing is locked when nothing is open, but the count must be right if it were.
    fn drop(&mut self) {
        if self.0.lock().is_some() {
            LOCKED.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
