//! Open file descriptions (open(2)): a file, a position and the flags that may change.
//!
//! Several descriptors can share one, and several threads can use it at once. The position is one
//! atomic word: a read of a regular file claims its range before it copies, so two readers never
//! get the same bytes and nobody holds a lock while user memory is touched.

use super::tree::{EntryId, Inode, Kind};
use crate::errno::{Errno, SysResult};
use crate::uaccess::UserSlice;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use linux_raw_sys::general::{
    O_ACCMODE, O_APPEND, O_CREAT, O_DIRECT, O_EXCL, O_NOATIME, O_NOCTTY, O_NONBLOCK, O_PATH,
    O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET,
};

/// Flags that only matter while the file is being opened.
const OPEN_ONLY: u32 = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC;
/// Flags that `F_SETFL` may change.
const CHANGEABLE: u32 = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;

/// An open file.
#[derive(Debug)]
pub struct Description {
    entry: EntryId,
    inode: &'static Inode,
    flags: AtomicU32,
    position: AtomicU64,
}

impl Description {
    /// Opens `entry`, whose file is `inode`, with the flags of open(2) (without `O_CLOEXEC`, which
    /// belongs to the descriptor). Permissions are the caller's business.
    pub const fn new(entry: EntryId, inode: &'static Inode, flags: u32) -> Self {
        let flags = AtomicU32::new(flags & !OPEN_ONLY);
        Self {
            entry,
            inode,
            flags,
            position: AtomicU64::new(0),
        }
    }

    /// The name it was opened by.
    pub const fn entry(&self) -> EntryId {
        self.entry
    }

    /// The file.
    pub const fn inode(&self) -> &'static Inode {
        self.inode
    }

    /// What `F_GETFL` returns.
    pub fn flags(&self) -> u32 {
        self.flags.load(Relaxed)
    }

    /// `F_SETFL`: flags that cannot change are ignored.
    pub fn set_flags(&self, flags: u32) {
        let merge = |old| Some((old & !CHANGEABLE) | (flags & CHANGEABLE));
        // The closure never gives up, so this cannot fail.
        let _ = self.flags.fetch_update(Relaxed, Relaxed, merge);
    }

    /// Whether `O_PATH` was given: it names a file, no more.
    pub fn is_path(&self) -> bool {
        self.flags() & O_PATH != 0
    }

    /// Whether reads would wait.
    pub fn is_nonblocking(&self) -> bool {
        self.flags() & O_NONBLOCK != 0
    }

    /// Whether it was opened for reading.
    pub fn is_readable(&self) -> bool {
        matches!(self.flags() & O_ACCMODE, O_RDONLY | O_RDWR) && !self.is_path()
    }

    /// Whether it was opened for writing.
    pub fn is_writable(&self) -> bool {
        matches!(self.flags() & O_ACCMODE, O_WRONLY | O_RDWR) && !self.is_path()
    }

    /// `EBADF` unless it was opened for reading.
    pub fn check_readable(&self) -> Result<(), Errno> {
        if self.is_readable() {
            Ok(())
        } else {
            Err(Errno::EBADF)
        }
    }

    /// `EBADF` unless it was opened for writing; a directory never is.
    pub fn check_writable(&self) -> Result<(), Errno> {
        if self.is_writable() {
            Ok(())
        } else {
            Err(Errno::EBADF)
        }
    }

    /// Whether it has a position at all: the console has none (`ESPIPE`).
    pub const fn is_seekable(&self) -> bool {
        !matches!(self.inode.kind, Kind::Device(device) if device.is_console())
    }

    /// The position, for directories, whose positions are made by getdents64(2).
    pub fn position(&self) -> u64 {
        self.position.load(Relaxed)
    }

    /// Sets the position.
    pub fn set_position(&self, position: u64) {
        self.position.store(position, Relaxed);
    }

    /// Reads into `parts`, `total` bytes in all; from byte `at`, or from the position, which then
    /// moves. Returns the bytes read: fewer at the end of the file, or when a part is a bad pointer
    /// and something was read before. Errors: `EISDIR`, `EAGAIN`, `EFAULT`, `EINVAL` (the range ends
    /// behind the largest offset).
    pub fn read(
        &self,
        parts: impl Iterator<Item = UserSlice>,
        total: usize,
        at: Option<u64>,
    ) -> SysResult {
        match self.inode.kind {
            Kind::File(bytes) => match at {
                Some(at) => copy_out(available(bytes, at, total), parts),
                None => self.read_on(bytes, total, parts),
            },
            Kind::Device(device) if device.is_console() => {
                // One part: a terminal or a pipe gives what there is, and the next part might wait.
                let part = parts.into_iter().find(|part| !part.is_empty());
                part.map_or(Ok(0), |part| device.read(part, self.is_nonblocking()))
            }
            Kind::Device(device) => each(parts, |part| device.read(part, self.is_nonblocking())),
            Kind::Dir(_) => Err(Errno::EISDIR),
            Kind::Symlink(_) | Kind::Descriptor(_) => Err(Errno::EBADF),
        }
    }

    /// Claims the next `total` bytes, copies them, and gives back what could not be delivered.
    fn read_on(
        &self,
        bytes: &'static [u8],
        total: usize,
        parts: impl Iterator<Item = UserSlice>,
    ) -> SysResult {
        let mut start = self.position();
        let taken = loop {
            if start.saturating_add(total as u64) > i64::MAX as u64 {
                return Err(Errno::EINVAL);
            }
            let taken = available(bytes, start, total);
            let end = start + taken.len() as u64;
            match self
                .position
                .compare_exchange_weak(start, end, Relaxed, Relaxed)
            {
                Ok(_) => break taken,
                Err(now) => start = now,
            }
        };
        let result = copy_out(taken, parts);
        let done = result.unwrap_or(0);
        if done < taken.len() {
            let end = start + taken.len() as u64;
            // If another thread has moved on meanwhile, its position counts.
            let _ = self
                .position
                .compare_exchange(end, start + done as u64, Relaxed, Relaxed);
        }
        result
    }

    /// Writes `parts`. Returns the bytes written; errors as the device says. Only devices can be
    /// written: nothing else is ever opened for writing.
    pub fn write(&self, parts: impl Iterator<Item = UserSlice>) -> SysResult {
        match self.inode.kind {
            Kind::Device(device) => each(parts, |part| device.write(part)),
            _ => Err(Errno::EBADF),
        }
    }

    /// lseek(2): the new position. Errors: `EINVAL`, `ENXIO` (no data or hole behind `offset`),
    /// `ESPIPE`.
    pub fn seek(&self, offset: i64, whence: u32) -> Result<u64, Errno> {
        if whence > SEEK_HOLE {
            return Err(Errno::EINVAL);
        }
        let size = match self.inode.kind {
            Kind::Device(device) if device.is_console() => return Err(Errno::ESPIPE),
            // Memory devices accept every seek and stay at the start.
            Kind::Device(_) => return Ok(0),
            Kind::Dir(_) if whence != SEEK_SET && whence != SEEK_CUR => return Err(Errno::EINVAL),
            _ => self.inode.size(),
        };
        let target = match whence {
            SEEK_SET => Some(offset),
            SEEK_CUR => offset.checked_add_unsigned(self.position()),
            SEEK_END => offset.checked_add_unsigned(size),
            SEEK_DATA | SEEK_HOLE if offset as u64 >= size => return Err(Errno::ENXIO),
            SEEK_DATA => Some(offset),
            _ => Some(size as i64),
        };
        let target = target
            .and_then(|target| u64::try_from(target).ok())
            .ok_or(Errno::EINVAL)?;
        self.set_position(target);
        Ok(target)
    }
}

/// At most `total` bytes from `at` on; nothing behind the end.
fn available(bytes: &'static [u8], at: u64, total: usize) -> &'static [u8] {
    let start = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    let rest = &bytes[start..];
    &rest[..rest.len().min(total)]
}

/// Spreads `bytes` over `parts`; the number delivered, or `EFAULT` when that is none.
fn copy_out(bytes: &[u8], parts: impl Iterator<Item = UserSlice>) -> SysResult {
    let mut done = 0;
    each(parts, |part| {
        let count = part.write(&bytes[done..])?;
        done += count;
        Ok(count)
    })
}

/// Runs `transfer` on one part after the other until one is not used up. An error counts only when
/// nothing was transferred before it.
fn each(
    parts: impl Iterator<Item = UserSlice>,
    mut transfer: impl FnMut(UserSlice) -> SysResult,
) -> SysResult {
    let mut done = 0;
    for part in parts {
        match transfer(part) {
            Ok(count) => {
                done += count;
                if count < part.len() {
                    break;
                }
            }
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests;
