//! The descriptor table: small numbers for open files.
//!
//! A lookup is two loads and no lock: the slots are words. Which numbers are taken is a bitmap, so
//! the lowest free one is found without touching the slots.

use super::file::Description;
use super::rc::Ref;
use crate::errno::Errno;
use crate::sync::Exclusive;
use alloc::vec::Vec;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

/// Descriptors that a process may have by default (the soft `RLIMIT_NOFILE`).
pub const SOFT_LIMIT: usize = 1024;
/// Descriptors that it may ask for (the hard limit, and `/proc/sys/fs/nr_open`).
pub const LIMIT: usize = 65_536;
const WORDS: usize = LIMIT / 64;
const CHUNK: usize = 1024;

/// A shared open file.
pub type File = Ref<Description>;
/// A bare pointer of [`Ref::into_raw`], or null.
type Slot = AtomicPtr<()>;

static FIRST: [Slot; CHUNK] = [const { AtomicPtr::new(null_mut()) }; CHUNK];
/// Chunks for the numbers from 1024 on, made when they are first used.
static MORE: [AtomicPtr<Slot>; LIMIT / CHUNK] =
    [const { AtomicPtr::new(null_mut()) }; LIMIT / CHUNK];
static NUMBERS: Exclusive<Numbers> = Exclusive::new(Numbers::new());
/// The soft RLIMIT_NOFILE: new descriptors are below it.
static CURRENT_LIMIT: AtomicUsize = AtomicUsize::new(SOFT_LIMIT);

/// A set of descriptors.
#[derive(Debug)]
struct Bitmap([u64; WORDS]);

impl Bitmap {
    #[inline(always)]
    fn contains(&self, fd: usize) -> bool {
        self.0[fd / 64] & (1 << (fd % 64)) != 0
    }

    #[inline(always)]
    fn set(&mut self, fd: usize, value: bool) {
        let (word, bit) = (&mut self.0[fd / 64], 1 << (fd % 64));
        *word = if value { *word | bit } else { *word & !bit };
    }

    /// The lowest number not in the set, from `from` on.
    #[inline(always)]
    fn lowest_free(&self, from: usize) -> Option<usize> {
        let mut below = !(u64::MAX << (from % 64));
        for word in from / 64..WORDS {
            let taken = self.0[word] | below;
            if taken != u64::MAX {
                return Some(word * 64 + taken.trailing_ones() as usize);
            }
            below = 0;
        }
        None
    }

    /// The lowest number in the set, from `from` on.
    fn next(&self, from: usize) -> Option<usize> {
        let mut above = u64::MAX << (from % 64);
        for word in from / 64..WORDS {
            let found = self.0[word] & above;
            if found != 0 {
                return Some(word * 64 + found.trailing_zeros() as usize);
            }
            above = u64::MAX;
        }
        None
    }
}

struct Numbers {
    taken: Bitmap,
    /// Of those that are taken: nothing is kept of free numbers.
    close_on_exec: Bitmap,
    /// Every number below is taken.
    hint: usize,
}

impl Numbers {
    const fn new() -> Self {
        Self {
            taken: Bitmap([0; WORDS]),
            close_on_exec: Bitmap([0; WORDS]),
            hint: 0,
        }
    }

    #[inline(always)]
    fn lowest_free(&self, from: usize) -> Result<usize, Errno> {
        let fd = self.taken.lowest_free(from.max(self.hint));
        fd.filter(|&fd| fd < CURRENT_LIMIT.load(Relaxed))
            .ok_or(Errno::EMFILE)
    }

    #[inline(always)]
    fn take(&mut self, fd: usize, cloexec: bool) {
        self.taken.set(fd, true);
        self.close_on_exec.set(fd, cloexec);
        if fd == self.hint {
            self.hint = fd + 1;
        }
    }

    #[inline(always)]
    fn give(&mut self, fd: usize) {
        self.taken.set(fd, false);
        self.close_on_exec.set(fd, false);
        self.hint = self.hint.min(fd);
    }

    /// The lowest free number behind the hint in the same word, where that is not all taken.
    #[inline(always)]
    fn behind_hint(&self) -> Option<usize> {
        let taken = *self.taken.0.get(self.hint / 64)? | !(u64::MAX << (self.hint % 64));
        (taken != u64::MAX).then(|| self.hint / 64 * 64 + taken.trailing_ones() as usize)
    }
}

/// The slot of a number; `None` when its chunk was never made, or it is no descriptor.
#[inline(always)]
fn slot(fd: i32) -> Option<&'static Slot> {
    match FIRST.get(fd as u32 as usize) {
        Some(slot) => Some(slot),
        None => far_slot(fd),
    }
}

#[cold]
#[inline(never)]
fn far_slot(fd: i32) -> Option<&'static Slot> {
    let fd = usize::try_from(fd).ok()?;
    let chunk = NonNull::new(MORE.get(fd / CHUNK)?.load(Relaxed))?;
    // SAFETY: chunks hold `CHUNK` slots and are never freed.
    Some(unsafe { chunk.add(fd % CHUNK).as_ref() })
}

/// Makes the chunk of `fd` (below [`LIMIT`]) if it is missing, or `ENOMEM`.
#[inline]
fn make_slot(fd: usize) -> Result<&'static Slot, Errno> {
    if fd >= CHUNK && MORE[fd / CHUNK].load(Relaxed).is_null() {
        let mut chunk = Vec::<Slot>::new();
        chunk.try_reserve_exact(CHUNK).map_err(|_| Errno::ENOMEM)?;
        chunk.resize_with(CHUNK, Slot::default);
        MORE[fd / CHUNK].store(chunk.leak().as_mut_ptr(), Relaxed);
    }
    slot(fd as i32).ok_or(Errno::EBADF)
}

/// The file behind `fd`, `O_PATH` or not, for as long as nobody can close it: no sleep, no other
/// system call.
#[inline(always)]
pub fn peek<'a>(fd: i32) -> Result<&'a Description, Errno> {
    let raw = slot(fd).and_then(|slot| NonNull::new(slot.load(Relaxed)));
    let raw = raw.ok_or(Errno::EBADF)?;
    // SAFETY: the slot holds a count, and only close(2) and its kin, other calls, take it away.
    Ok(unsafe { File::borrow_raw(raw) })
}

/// The file behind `fd`, `O_PATH` or not.
#[inline(always)]
pub fn get_any(fd: i32) -> Result<File, Errno> {
    let raw = slot(fd).and_then(|slot| NonNull::new(slot.load(Relaxed)));
    let raw = raw.ok_or(Errno::EBADF)?;
    // SAFETY: the slot holds a count of its own.
    Ok(unsafe { File::clone_raw(raw) })
}

/// The file behind `fd` for calls that use its content: `EBADF` if there is none or it was opened
/// with `O_PATH`.
#[inline(always)]
pub fn get(fd: i32) -> Result<File, Errno> {
    let file = get_any(fd)?;
    if file.is_path() {
        Err(Errno::EBADF)
    } else {
        Ok(file)
    }
}

/// Stores a file; returns what was there, to be dropped where nothing is held.
fn store(slot: &Slot, file: Option<File>) -> Option<File> {
    let new = file.map_or(null_mut(), File::into_raw);
    let old = slot.load(Relaxed);
    slot.store(new, Relaxed);
    // SAFETY: what was in the slot came from `into_raw`, and is taken back now that it is out.
    NonNull::new(old).map(|old| unsafe { File::from_raw(old) })
}

/// Puts `file` at the lowest free number from `from` on. `EINVAL` when `from` is no descriptor,
/// `EMFILE` when none is free.
pub fn insert(file: File, from: i32, cloexec: bool) -> Result<usize, Errno> {
    let from = usize::try_from(from)
        .ok()
        .filter(|&from| from < CURRENT_LIMIT.load(Relaxed))
        .ok_or(Errno::EINVAL)?;
    let mut numbers = NUMBERS.lock();
    let fd = numbers.lowest_free(from)?;
    let slot = make_slot(fd)?;
    numbers.take(fd, cloexec);
    // The number was free, so there is nothing to drop.
    store(slot, Some(file));
    Ok(fd)
}

/// Whether a number is free for open(2): `EMFILE` if not.
#[inline]
pub fn check_room() -> Result<(), Errno> {
    NUMBERS.lock().lowest_free(0).map(|_| ())
}

/// The limit for new descriptors.
pub fn limit() -> usize {
    CURRENT_LIMIT.load(Relaxed)
}

/// Changes the limit for new descriptors, to at most [`LIMIT`]; open ones stay.
pub fn set_limit(limit: usize) {
    CURRENT_LIMIT.store(limit.min(LIMIT), Relaxed);
}

/// Puts `file` at `fd`; returns what was there. `EBADF` when `fd` is no descriptor.
pub fn replace(fd: i32, file: File, cloexec: bool) -> Result<Option<File>, Errno> {
    let fd = usize::try_from(fd)
        .ok()
        .filter(|&fd| fd < CURRENT_LIMIT.load(Relaxed))
        .ok_or(Errno::EBADF)?;
    let slot = make_slot(fd)?;
    NUMBERS.lock().take(fd, cloexec);
    Ok(store(slot, Some(file)))
}

/// Frees `fd` and returns its file, to be dropped where nothing is held; or `EBADF`.
#[inline]
pub fn remove(fd: i32) -> Result<File, Errno> {
    let file = slot(fd).and_then(|slot| store(slot, None));
    let file = file.ok_or(Errno::EBADF)?;
    NUMBERS.lock().give(fd as usize);
    Ok(file)
}

/// dup(2) as a short cut: the lowest free number, if its slot is there, for the file behind `fd`.
#[inline(always)]
pub fn share(fd: i32) -> Option<usize> {
    let raw = NonNull::new(FIRST.get(fd as u32 as usize)?.load(Relaxed))?;
    let mut numbers = NUMBERS.try_lock()?;
    let mut new = numbers.hint;
    let mut slot = FIRST.get(new)?;
    if numbers.taken.contains(new) {
        new = numbers.behind_hint()?;
        slot = FIRST.get(new)?;
    }
    if new >= CURRENT_LIMIT.load(Relaxed) {
        return None;
    }
    // SAFETY: the slot of `fd` holds a count of its own; the new one gets another.
    slot.store(File::into_raw(unsafe { File::clone_raw(raw) }), Relaxed);
    *numbers.taken.0.get_mut(new / 64)? |= 1 << (new % 64);
    numbers.hint = new + 1;
    Some(new)
}

/// close(2) as a short cut: when other descriptors share the file.
#[inline(always)]
pub fn unshare(fd: i32) -> Option<()> {
    let slot = FIRST.get(fd as u32 as usize)?;
    let raw = NonNull::new(slot.load(Relaxed))?;
    let mut numbers = NUMBERS.try_lock()?;
    // SAFETY: the slot holds a count.
    let file = core::mem::ManuallyDrop::new(unsafe { File::from_raw(raw) });
    if !File::leave(&file) {
        return None;
    }
    slot.store(null_mut(), Relaxed);
    let fd = fd as usize;
    let others = !(1 << (fd % 64));
    *numbers.taken.0.get_mut(fd / 64)? &= others;
    *numbers.close_on_exec.0.get_mut(fd / 64)? &= others;
    numbers.hint = numbers.hint.min(fd);
    Some(())
}

/// `FD_CLOEXEC` of `fd`, or `EBADF`.
pub fn close_on_exec(fd: i32) -> Result<bool, Errno> {
    peek(fd)?;
    Ok(NUMBERS.lock().close_on_exec.contains(fd as usize))
}

/// Sets `FD_CLOEXEC` of `fd`, or `EBADF`.
pub fn set_close_on_exec(fd: i32, value: bool) -> Result<(), Errno> {
    peek(fd)?;
    NUMBERS.lock().close_on_exec.set(fd as usize, value);
    Ok(())
}

/// The lowest open descriptor from `from` on.
pub fn next_open(from: usize) -> Option<usize> {
    if from >= LIMIT {
        return None;
    }
    NUMBERS.lock().taken.next(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Stdin;
    use crate::fs::testing::boot_with;

    fn boot() -> (impl Sized, File) {
        let guard = boot_with(None, Stdin::Null);
        let file = get(0).unwrap();
        (0..3).for_each(|fd| drop(remove(fd)));
        (guard, file)
    }

    #[test]
    fn the_lowest_free_number_is_given() {
        let (_fs, file) = boot();
        for wanted in 0..SOFT_LIMIT {
            check_room().unwrap();
            assert_eq!(insert(file.clone(), 0, false), Ok(wanted));
        }
        assert_eq!(insert(file.clone(), 0, false), Err(Errno::EMFILE));
        assert_eq!(check_room(), Err(Errno::EMFILE));
        for fd in [700, 64, 5] {
            drop(remove(fd).unwrap());
        }
        assert_eq!(insert(file.clone(), 6, false), Ok(64));
        assert_eq!(insert(file.clone(), 0, false), Ok(5));
        assert_eq!(insert(file.clone(), 0, false), Ok(700));
        assert_eq!(next_open(1000), Some(1000));
        assert_eq!(next_open(1024), None);
    }

    #[test]
    fn the_short_cuts_agree_with_the_table() {
        let (_fs, file) = boot();
        for wanted in 0..70 {
            assert_eq!(insert(file.clone(), 0, true), Ok(wanted));
        }
        assert!(unshare(68).is_some() && unshare(66).is_some());
        assert_eq!(close_on_exec(67), Ok(true));
        assert_eq!((share(0), close_on_exec(66)), (Some(66), Ok(false)));
        let more = [share(0), share(0), share(0)];
        assert_eq!(more, [Some(68), Some(70), Some(71)]);
        set_limit(72);
        assert_eq!((share(0), share(-1), share(5000)), (None, None, None));
        set_limit(SOFT_LIMIT);
        // The rest of the first word is taken.
        assert_eq!((unshare(3), share(0), share(0)), (Some(()), Some(3), None));
        (0..72).for_each(|fd| drop(remove(fd)));
    }

    #[test]
    fn the_limit_can_be_raised() {
        let (_fs, file) = boot();
        assert_eq!(replace(5000, file.clone(), false).err(), Some(Errno::EBADF));
        set_limit(10_000);
        assert!(replace(5000, file.clone(), true).unwrap().is_none());
        assert_eq!(close_on_exec(5000), Ok(true));
        assert_eq!(insert(file.clone(), 5000, false), Ok(5001));
        assert_eq!(insert(file.clone(), 10_000, false), Err(Errno::EINVAL));
        assert!(get(5000).is_ok() && get(5002).is_err() && get(40_000).is_err());
        set_limit(SOFT_LIMIT);
        assert!(remove(5000).is_ok() && remove(5001).is_ok());
    }

    #[test]
    fn numbers_out_of_range_are_bad() {
        let (_fs, file) = boot();
        for fd in [-1, i32::MIN, 0, 1023, 1024, 70_000, i32::MAX] {
            assert_eq!(get_any(fd).err(), Some(Errno::EBADF), "{fd}");
            assert_eq!(remove(fd).err(), Some(Errno::EBADF), "{fd}");
            assert_eq!(close_on_exec(fd), Err(Errno::EBADF), "{fd}");
        }
        assert_eq!(insert(file.clone(), -1, false), Err(Errno::EINVAL));
        assert_eq!(replace(-1, file.clone(), false).err(), Some(Errno::EBADF));
    }

    #[test]
    fn a_replaced_file_is_given_back() {
        let (_fs, file) = boot();
        let before = Ref::count(&file);
        assert!(replace(9, file.clone(), true).unwrap().is_none());
        assert_eq!(
            (close_on_exec(9), Ref::count(&file)),
            (Ok(true), before + 1)
        );
        assert!(replace(9, file.clone(), false).unwrap().is_some());
        assert_eq!(
            (close_on_exec(9), Ref::count(&file)),
            (Ok(false), before + 1)
        );
        set_close_on_exec(9, true).unwrap();
        assert_eq!(close_on_exec(9), Ok(true));
        drop(remove(9).unwrap());
        assert_eq!(Ref::count(&file), before);
    }
}
