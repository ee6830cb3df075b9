//! The descriptor table: small numbers for open files.
//!
//! Which numbers are taken is a bitmap, so the lowest free one is found without touching the slots,
//! and an unused table costs no memory that the host would have to back.

use super::file::Description;
use crate::errno::Errno;
use crate::sync::SpinLock;
use alloc::sync::Arc;

/// Descriptors are `0..LIMIT` (the soft `RLIMIT_NOFILE` of an ordinary Linux process).
pub const LIMIT: usize = 1024;
const WORDS: usize = LIMIT / 64;

/// A shared open file.
pub type File = Arc<Description>;

/// The process's table. It is locked for a few instructions only, never while anything is
/// copied from or to the application or waited for.
static TABLE: SpinLock<FdTable> = SpinLock::new(FdTable::new());

/// A set of descriptors.
#[derive(Debug)]
struct Bitmap([u64; WORDS]);

impl Bitmap {
    fn contains(&self, fd: usize) -> bool {
        self.0[fd / 64] & (1 << (fd % 64)) != 0
    }

    fn set(&mut self, fd: usize, value: bool) {
        let (word, bit) = (&mut self.0[fd / 64], 1 << (fd % 64));
        *word = if value { *word | bit } else { *word & !bit };
    }

    /// The lowest number not in the set, from `from` on.
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
}

/// Numbers to open files, with `FD_CLOEXEC` for each.
#[derive(Debug)]
pub struct FdTable {
    files: [Option<File>; LIMIT],
    taken: Bitmap,
    close_on_exec: Bitmap,
    /// The soft RLIMIT_NOFILE: new descriptors are below it.
    limit: usize,
}

impl Default for FdTable {
    fn default() -> Self {
        Self::new()
    }
}

impl FdTable {
    /// An empty table.
    pub const fn new() -> Self {
        Self {
            files: [const { None }; LIMIT],
            taken: Bitmap([0; WORDS]),
            close_on_exec: Bitmap([0; WORDS]),
            limit: LIMIT,
        }
    }

    /// The file behind `fd`, or `EBADF`.
    pub fn get(&self, fd: i32) -> Result<&File, Errno> {
        let slot = usize::try_from(fd).ok().and_then(|fd| self.files.get(fd));
        slot.and_then(Option::as_ref).ok_or(Errno::EBADF)
    }

    /// Puts `file` at the lowest free number from `from` on. `EINVAL` when `from` is no descriptor,
    /// `EMFILE` when none is free.
    pub fn insert(&mut self, file: File, from: i32, cloexec: bool) -> Result<usize, Errno> {
        let from = usize::try_from(from)
            .ok()
            .filter(|&from| from < self.limit)
            .ok_or(Errno::EINVAL)?;
        let fd = self.lowest_free(from)?;
        self.put(fd, file, cloexec);
        Ok(fd)
    }

    /// Whether a number is free for open(2): `EMFILE` if not.
    pub fn check_room(&self) -> Result<(), Errno> {
        self.lowest_free(0).map(|_| ())
    }

    fn lowest_free(&self, from: usize) -> Result<usize, Errno> {
        let fd = self.taken.lowest_free(from);
        fd.filter(|&fd| fd < self.limit).ok_or(Errno::EMFILE)
    }

    /// Changes the limit for new descriptors, to at most [`LIMIT`]; open ones stay.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit.min(LIMIT);
    }

    /// Puts `file` at `fd`; returns what was there. `EBADF` when `fd` is no descriptor.
    pub fn replace(&mut self, fd: i32, file: File, cloexec: bool) -> Result<Option<File>, Errno> {
        let fd = usize::try_from(fd)
            .ok()
            .filter(|&fd| fd < self.limit)
            .ok_or(Errno::EBADF)?;
        Ok(self.put(fd, file, cloexec))
    }

    fn put(&mut self, fd: usize, file: File, cloexec: bool) -> Option<File> {
        self.taken.set(fd, true);
        self.close_on_exec.set(fd, cloexec);
        self.files[fd].replace(file)
    }

    /// Frees `fd` and returns its file, to be dropped outside the lock; or `EBADF`.
    pub fn remove(&mut self, fd: i32) -> Result<File, Errno> {
        let slot = usize::try_from(fd)
            .ok()
            .and_then(|fd| self.files.get_mut(fd));
        let file = slot.and_then(Option::take).ok_or(Errno::EBADF)?;
        self.taken.set(fd as usize, false);
        Ok(file)
    }

    /// `FD_CLOEXEC` of `fd`, or `EBADF`.
    pub fn close_on_exec(&self, fd: i32) -> Result<bool, Errno> {
        self.get(fd)
            .map(|_| self.close_on_exec.contains(fd as usize))
    }

    /// Sets `FD_CLOEXEC` of `fd`, or `EBADF`.
    pub fn set_close_on_exec(&mut self, fd: i32, value: bool) -> Result<(), Errno> {
        self.get(fd)?;
        self.close_on_exec.set(fd as usize, value);
        Ok(())
    }
}

/// The file behind `fd` for calls that use its content: `EBADF` if there is none or it was opened
/// with `O_PATH`.
pub fn get(fd: i32) -> Result<File, Errno> {
    let file = get_any(fd)?;
    if file.is_path() {
        Err(Errno::EBADF)
    } else {
        Ok(file)
    }
}

/// The file behind `fd`, `O_PATH` or not.
pub fn get_any(fd: i32) -> Result<File, Errno> {
    TABLE.lock().get(fd).cloned()
}

/// Runs `change` on the table, locked. What it returns is dropped outside the lock.
pub fn with_table<R>(change: impl FnOnce(&mut FdTable) -> R) -> R {
    change(&mut TABLE.lock())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::testing::inode;
    use crate::fs::tree::{EntryId, Kind};

    fn file() -> File {
        let inode = Box::leak(Box::new(inode(Kind::File(b""))));
        Arc::new(Description::new(EntryId::ROOT, inode, 0))
    }

    #[test]
    fn the_lowest_free_number_is_given() {
        let mut table = FdTable::new();
        for wanted in 0..LIMIT {
            table.check_room().unwrap();
            assert_eq!(table.insert(file(), 0, false), Ok(wanted));
        }
        assert_eq!(table.check_room(), Err(Errno::EMFILE));
        assert_eq!(table.insert(file(), 0, false), Err(Errno::EMFILE));
        for fd in [700, 63, 64] {
            table.remove(fd).unwrap();
        }
        assert_eq!(table.insert(file(), 64, false), Ok(64));
        assert_eq!(table.insert(file(), 64, false), Ok(700));
        assert_eq!(table.insert(file(), 64, false), Err(Errno::EMFILE));
        assert_eq!(table.insert(file(), 0, false), Ok(63));
    }

    #[test]
    fn bad_numbers_are_refused() {
        let mut table = FdTable::new();
        for fd in [-1, 0, 1023, 1024, i32::MAX, i32::MIN] {
            assert_eq!(table.get(fd).err(), Some(Errno::EBADF));
            assert_eq!(table.remove(fd).err(), Some(Errno::EBADF));
            assert_eq!(table.close_on_exec(fd), Err(Errno::EBADF));
        }
        assert_eq!(table.insert(file(), 1024, false), Err(Errno::EINVAL));
        assert_eq!(table.insert(file(), -1, false), Err(Errno::EINVAL));
        assert_eq!(table.replace(1024, file(), false).err(), Some(Errno::EBADF));
    }

    #[test]
    fn close_on_exec_belongs_to_the_number() {
        let mut table = FdTable::new();
        let shared = file();
        table.insert(shared.clone(), 0, true).unwrap();
        table.insert(shared, 0, false).unwrap();
        assert_eq!(
            (table.close_on_exec(0), table.close_on_exec(1)),
            (Ok(true), Ok(false))
        );
        table.set_close_on_exec(1, true).unwrap();
        table.remove(1).unwrap();
        table.insert(file(), 0, false).unwrap();
        assert_eq!(table.close_on_exec(1), Ok(false));
    }

    #[test]
    fn replacing_returns_the_old_file() {
        let mut table = FdTable::new();
        let (old, new) = (file(), file());
        assert!(table.replace(5, old.clone(), false).unwrap().is_none());
        let was = table.replace(5, new.clone(), true).unwrap().unwrap();
        assert!(Arc::ptr_eq(&was, &old) && Arc::ptr_eq(table.get(5).unwrap(), &new));
        assert_eq!(table.insert(old, 5, false), Ok(6));
    }
}
