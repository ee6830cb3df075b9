//! What may not happen to the content and the size of a regular file: seals (fcntl(2),
//! `F_ADD_SEALS`) and the largest size that the process may give a file (`RLIMIT_FSIZE`).
//!
//! A file that nobody sealed costs a write one load, and the limit another.

use super::inode::Inode;
use crate::errno::Errno;
use crate::mm::{PAGE, demand};
use crate::sys::signal::send;
use crate::uaccess::UserSlice;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use linux_raw_sys::general::{
    F_SEAL_EXEC, F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE,
};

/// SIGXFSZ of signal(7): a file would have become too large.
const SIGXFSZ: u32 = 25;
/// Every seal there is (`F_ALL_SEALS`).
const ALL: u32 =
    F_SEAL_SEAL | F_SEAL_EXEC | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
/// The seals that keep the content as it is.
const CONTENT: u32 = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
/// The permissions that `F_SEAL_EXEC` is about.
const EXECUTE: u32 = 0o111;
/// The largest offset that any file has.
const MAX_OFFSET: u64 = i64::MAX as u64;

/// Sizes above are `EFBIG`.
static LIMIT: AtomicU64 = AtomicU64::new(MAX_OFFSET);

/// Sets the soft `RLIMIT_FSIZE`, in bytes; `u64::MAX` is none.
pub fn set_limit(bytes: u64) {
    LIMIT.store(bytes.min(MAX_OFFSET), Relaxed);
}

/// Seals of a file.
#[derive(Debug)]
pub struct Seals(AtomicU32);

impl Seals {
    /// Those of a file of a tmpfs: it cannot be sealed.
    pub const fn new() -> Self {
        Self(AtomicU32::new(F_SEAL_SEAL))
    }

    /// What `F_GET_SEALS` returns.
    #[inline(always)]
    pub fn bits(&self) -> u32 {
        self.0.load(Relaxed)
    }

    /// Replaces them: for memfd_create(2), before anybody sees the file.
    pub fn set(&self, bits: u32) {
        self.0.store(bits, Relaxed);
    }

    fn has(&self, seals: u32) -> bool {
        self.bits() & seals != 0
    }
}

impl Default for Seals {
    fn default() -> Self {
        Self::new()
    }
}

/// Why something does not happen. Whoever gets one lets go of the file first and then
/// [raises](Refused::raise) it.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    errno: Errno,
    signals: bool,
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        let signals = false;
        Self { errno, signals }
    }
}

impl Refused {
    const SEALED: Self = Self {
        errno: Errno::EPERM,
        signals: false,
    };

    /// Behind the limit, or behind the end of all files: only the limit is worth a signal.
    fn too_large(limit: u64) -> Self {
        Self {
            errno: Errno::EFBIG,
            signals: limit < MAX_OFFSET,
        }
    }

    /// Sends the signal that goes with it, if there is one; the error that the call returns.
    #[cold]
    pub fn raise(self) -> Errno {
        if self.signals {
            send::raise(SIGXFSZ);
        }
        self.errno
    }
}

/// How many of `len` bytes may be written to byte `at` of a file of `size` bytes: all, or as many
/// as a limit or a seal leaves (as on Linux, no part of a page that would reach behind a sealed
/// end). `EFBIG` or `EPERM` when none.
#[inline(always)]
pub fn write(inode: &Inode, at: u64, len: usize, size: u64) -> Result<usize, Refused> {
    let is_free = !inode.seals.has(CONTENT | F_SEAL_GROW);
    if is_free && at.saturating_add(len as u64) <= LIMIT.load(Relaxed) {
        Ok(len)
    } else {
        bounded_write(inode, at, len, size)
    }
}

#[cold]
#[inline(never)]
fn bounded_write(inode: &Inode, at: u64, len: usize, size: u64) -> Result<usize, Refused> {
    let limit = LIMIT.load(Relaxed);
    if at >= limit {
        return Err(Refused::too_large(limit));
    }
    let end = at.saturating_add(len as u64).min(limit);
    if inode.seals.has(CONTENT) {
        return Err(Refused::SEALED);
    }
    if end <= size || !inode.seals.has(F_SEAL_GROW) {
        return Ok((end - at) as usize);
    }
    match (size & !(PAGE as u64 - 1)).saturating_sub(at) {
        0 => Err(Refused::SEALED),
        whole => Ok(whole as usize),
    }
}

/// How many of `len` bytes may be copied to byte `at`, which may be negative still: `EFBIG`, even
/// when there are none.
pub fn copy(at: i64, len: u64) -> Result<u64, Refused> {
    let limit = LIMIT.load(Relaxed);
    match u64::try_from(at) {
        Ok(at) if at >= limit => Err(Refused::too_large(limit)),
        Ok(at) => Ok(len.min(limit - at)),
        Err(_) => Ok(len),
    }
}

/// Whether the size of a file may change from `old` to `new`: `EFBIG`, `EPERM`.
pub fn resize(inode: &Inode, old: u64, new: u64) -> Result<(), Refused> {
    let limit = LIMIT.load(Relaxed);
    if new > old && new > limit {
        return Err(Refused::too_large(limit));
    }
    let sealed = (new < old && inode.seals.has(F_SEAL_SHRINK))
        || (new > old && inode.seals.has(F_SEAL_GROW));
    if sealed { Err(Refused::SEALED) } else { Ok(()) }
}

/// Whether holes may be made in a file: `EPERM`.
pub fn punch(inode: &Inode) -> Result<(), Refused> {
    if inode.seals.has(CONTENT) {
        Err(Refused::SEALED)
    } else {
        Ok(())
    }
}

/// Whether a file may be mapped shared and writable: `EPERM`.
pub fn map_shared(inode: &Inode) -> Result<(), Errno> {
    if inode.seals.has(CONTENT) {
        Err(Errno::EPERM)
    } else {
        Ok(())
    }
}

/// Whether a file may get the mode `mode`: `EPERM` when it is sealed and would gain or lose a
/// permission to execute it.
pub fn change_mode(inode: &Inode, mode: u32) -> Result<(), Errno> {
    if inode.seals.has(F_SEAL_EXEC) && (inode.mode() ^ mode) & EXECUTE != 0 {
        Err(Errno::EPERM)
    } else {
        Ok(())
    }
}

/// `F_ADD_SEALS`, of a file that is open for writing: `EINVAL` (unknown seals, or a file that has
/// none), `EPERM` (sealed against it).
pub fn add_seals(inode: &Inode, seals: u32) -> Result<(), Errno> {
    if seals & !ALL != 0 || inode.store().is_none() {
        return Err(Errno::EINVAL);
    }
    if inode.seals.has(F_SEAL_SEAL) {
        return Err(Errno::EPERM);
    }
    let implied = if seals & F_SEAL_EXEC != 0 && inode.mode() & EXECUTE != 0 {
        // What can be executed is not to be written (Linux, `memfd_add_seals`).
        F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE
    } else {
        0
    };
    if (seals | implied) & F_SEAL_WRITE != 0 && demand::is_shared_for_writing(inode) {
        return Err(Errno::EBUSY);
    }
    inode.seals.set(inode.seals.bits() | seals | implied);
    Ok(())
}

/// The first `left` bytes of some parts.
pub struct Cut<'a> {
    /// The parts.
    pub parts: &'a mut dyn Iterator<Item = UserSlice>,
    /// Bytes still to come.
    pub left: usize,
}

impl Iterator for Cut<'_> {
    type Item = UserSlice;

    fn next(&mut self) -> Option<UserSlice> {
        if self.left == 0 {
            return None;
        }
        let part = self.parts.next()?.take(self.left);
        self.left -= part.len();
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::super::inode::Kind;
    use super::super::pages::PageStore;
    use super::super::rc::Ref;
    use super::super::testing::inode;
    use super::*;
    use crate::sync::Exclusive;

    fn file(seals: u32) -> Ref<Inode> {
        let file = inode(Kind::File(Exclusive::new(PageStore::new())), 0o100_755);
        file.seals.set(seals);
        file
    }

    fn refused(errno: Errno, signals: bool) -> Refused {
        Refused { errno, signals }
    }

    #[test]
    fn a_sealed_end_stops_a_write_at_its_page() {
        let grow = file(F_SEAL_GROW);
        for (at, len, size, wanted) in [
            (0, 100, 100, Ok(100)),
            (0, 101, 100, Err(Refused::SEALED)),
            (8190, 4, 8192, Ok(2)),
            (8192, 1, 8192, Err(Refused::SEALED)),
            (0, 20_000, 8200, Ok(8192)),
            (8193, 20_000, 8200, Err(Refused::SEALED)),
            (9000, 1, 8200, Err(Refused::SEALED)),
        ] {
            assert_eq!(write(&grow, at, len, size), wanted, "{at} {len} {size}");
        }
        for seals in [F_SEAL_WRITE, F_SEAL_FUTURE_WRITE] {
            assert_eq!(write(&file(seals), 0, 1, 9), Err(Refused::SEALED));
            assert_eq!(punch(&file(seals)), Err(Refused::SEALED));
            assert_eq!(map_shared(&file(seals)), Err(Errno::EPERM));
        }
        assert_eq!(write(&file(F_SEAL_SHRINK), 0, 9, 0), Ok(9));
        assert_eq!(punch(&grow), Ok(()));
        assert_eq!(map_shared(&grow), Ok(()));
    }

    #[test]
    fn nothing_is_written_behind_the_largest_offset() {
        let file = file(0);
        let end = MAX_OFFSET;
        assert_eq!(write(&file, end - 3, 9, 0), Ok(3));
        let too_far = Err(refused(Errno::EFBIG, false));
        assert_eq!(write(&file, end, 1, 0), too_far);
        assert_eq!(write(&file, u64::MAX, 1, 0), too_far);
    }

    #[test]
    fn sizes_are_sealed_in_one_direction_or_both() {
        let sealed = Err(Refused::SEALED);
        for (seals, shrink, grow) in [
            (0, Ok(()), Ok(())),
            (F_SEAL_SHRINK, sealed, Ok(())),
            (F_SEAL_GROW, Ok(()), Err(Refused::SEALED)),
            (F_SEAL_WRITE | F_SEAL_SEAL, Ok(()), Ok(())),
        ] {
            let file = file(seals);
            assert_eq!(resize(&file, 10, 9), shrink);
            assert_eq!(resize(&file, 10, 10), Ok(()));
            assert_eq!(resize(&file, 10, 11), grow);
        }
    }

    #[test]
    fn seals_are_added_until_they_are_sealed() {
        let file = file(0);
        assert_eq!(add_seals(&file, 0x40), Err(Errno::EINVAL));
        assert_eq!(add_seals(&file, F_SEAL_GROW), Ok(()));
        assert_eq!(add_seals(&file, F_SEAL_SEAL), Ok(()));
        assert_eq!(add_seals(&file, 0), Err(Errno::EPERM));
        assert_eq!(file.seals.bits(), F_SEAL_GROW | F_SEAL_SEAL);
        assert_eq!(
            add_seals(&inode(Kind::Dir, 0o040_755), 0),
            Err(Errno::EINVAL)
        );
    }

    #[test]
    fn an_executable_file_that_stays_one_stays_as_it_is() {
        let file = file(0);
        assert_eq!(change_mode(&file, 0o644), Ok(()));
        assert_eq!(add_seals(&file, F_SEAL_EXEC), Ok(()));
        assert_eq!(file.seals.bits(), ALL & !F_SEAL_SEAL);
        assert_eq!(change_mode(&file, 0o744), Err(Errno::EPERM));
        assert_eq!(change_mode(&file, 0o655), Err(Errno::EPERM));
        assert_eq!(change_mode(&file, 0o7511), Ok(()));
        let plain = inode(Kind::File(Exclusive::new(PageStore::new())), 0o100_644);
        plain.seals.set(0);
        assert_eq!(add_seals(&plain, F_SEAL_EXEC), Ok(()));
        assert_eq!(plain.seals.bits(), F_SEAL_EXEC);
    }

    #[test]
    fn parts_are_cut() {
        let mut parts = [UserSlice::new(0, 5), UserSlice::new(8, 5)].into_iter();
        let cut = Cut {
            parts: &mut parts,
            left: 7,
        };
        let lens: Vec<_> = cut.map(|part| part.len()).collect();
        assert_eq!(lens, [5, 2]);
    }
}
