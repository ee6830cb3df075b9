//! System calls on open files: reading, writing, seeking.
//!
//! Submodules: [`open`](mod@open) makes and copies descriptors, [`vector`] has the calls with an
//! `iovec`, [`control`] has fcntl(2) and ioctl(2), [`lock`] the locks, and [`inotify`] watches.

pub mod control;
pub mod inotify;
pub mod lock;
pub mod open;
pub mod vector;

pub use control::{fcntl, ioctl};
pub use inotify::{inotify_add_watch, inotify_init, inotify_init1, inotify_rm_watch};
pub use lock::flock;
pub use open::{close, close_range, creat, dup, dup2, dup3, open, openat, umask};
pub use vector::{preadv, preadv2, pwritev, pwritev2, readv, writev};

use crate::errno::{Errno, SysResult};
use crate::fs::fd;
use crate::fs::file::{Description, check_range};
use crate::fs::inode::Kind;
use crate::fs::notify::hooks;
use crate::mm::demand::{self, Touch};
use crate::uaccess::{UserPtr, UserSlice, access_ok};
use core::iter::once;
use linux_raw_sys::general::IN_ACCESS;

/// Most bytes that one call transfers (Linux's `MAX_RW_COUNT`).
pub const MAX_TRANSFER: usize = 0x7fff_f000;

/// read(2).
pub fn read(fd: i32, buffer: UserPtr<u8>, count: usize) -> SysResult {
    let file = fd::get(fd)?;
    file.check_readable()?;
    let part = part(buffer, count, Touch::WRITE)?;
    let done = file.read(&mut once(part), part.len(), None);
    hooks::moved(&file, IN_ACCESS, done)
}

/// write(2).
pub fn write(fd: i32, buffer: UserPtr<u8>, count: usize) -> SysResult {
    let file = fd::get(fd)?;
    file.check_writable()?;
    let part = part(buffer, count, Touch::READ)?;
    hooks::write(&file, || {
        file.write(&mut once(part), part.len(), None, false)
    })
}

/// pread(2).
pub fn pread64(fd: i32, buffer: UserPtr<u8>, count: usize, offset: i64) -> SysResult {
    let at = position(offset)?;
    let file = fd::get(fd)?;
    check_seekable(&file)?;
    file.check_readable()?;
    let part = part(buffer, count, Touch::WRITE)?;
    check_range(at, count)?;
    let done = file.read(&mut once(part), part.len(), Some(at));
    hooks::moved(&file, IN_ACCESS, done)
}

/// pwrite(2). With `O_APPEND` it appends, as on Linux, whatever the offset says.
pub fn pwrite64(fd: i32, buffer: UserPtr<u8>, count: usize, offset: i64) -> SysResult {
    let at = position(offset)?;
    let file = fd::get(fd)?;
    check_seekable(&file)?;
    file.check_writable()?;
    let part = part(buffer, count, Touch::READ)?;
    check_range(at, count)?;
    hooks::write(&file, || {
        file.write(&mut once(part), part.len(), Some(at), false)
    })
}

/// lseek(2).
pub fn lseek(fd: i32, offset: i64, whence: u32) -> SysResult {
    let file = fd::peek(fd)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    Ok(file.seek(offset, whence)? as usize)
}

/// fsync(2): nothing is ever dirty. `EINVAL` on devices and pipes, as on Linux.
pub fn fsync(fd: i32) -> SysResult {
    let file = fd::get(fd)?;
    match file.inode().kind {
        Kind::File(_) | Kind::Dir | Kind::Symlink(_) => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// fdatasync(2), the same as [`fsync`].
pub fn fdatasync(fd: i32) -> SysResult {
    fsync(fd)
}

/// The application's buffer, as long as one call may be. `EFAULT` when it cannot be its memory.
#[inline(always)]
fn part(buffer: UserPtr<u8>, count: usize, touch: Touch) -> Result<UserSlice, Errno> {
    if !access_ok(buffer.address(), count) {
        return Err(Errno::EFAULT);
    }
    demand::prepare(buffer.address(), count, touch);
    Ok(UserSlice::new(buffer.address(), count.min(MAX_TRANSFER)))
}

/// A file offset: `EINVAL` when it is negative.
fn position(offset: i64) -> Result<u64, Errno> {
    u64::try_from(offset).map_err(|_| Errno::EINVAL)
}

fn check_seekable(file: &Description) -> Result<(), Errno> {
    if file.is_seekable() {
        Ok(())
    } else {
        Err(Errno::ESPIPE)
    }
}

#[cfg(test)]
mod tests;
