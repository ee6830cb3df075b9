//! Room in files, and advice about them: fallocate(2), posix_fadvise(2), readahead(2),
//! sync_file_range(2).

use crate::errno::{Errno, SysResult};
use crate::fs::copy::largest;
use crate::fs::fd;
use crate::fs::guard::{self, Refused};
use crate::fs::inode::{Inode, Kind, file_type};
use crate::fs::notify::hooks;
use crate::mm::{PAGE, demand};
use linux_raw_sys::general::{
    FALLOC_FL_ALLOCATE_RANGE, FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE,
    FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_UNSHARE_RANGE, FALLOC_FL_WRITE_ZEROES,
    FALLOC_FL_ZERO_RANGE, IN_MODIFY, POSIX_FADV_NOREUSE, POSIX_FADV_WILLNEED, S_IFDIR, S_IFIFO,
    S_IFREG, SYNC_FILE_RANGE_WRITE_AND_WAIT,
};

/// fallocate(2), as tmpfs has it: making room, with and without changing the size, and punching
/// holes. The other modes are `EOPNOTSUPP`, as on Linux's tmpfs.
pub fn fallocate(fd: i32, mode: u32, offset: i64, len: i64) -> SysResult {
    let file = fd::get(fd)?;
    let range = (u64::try_from(offset), u64::try_from(len));
    let (Ok(at), Ok(len @ 1..)) = range else {
        return Err(Errno::EINVAL);
    };
    if !is_mode(mode) {
        return Err(Errno::EOPNOTSUPP);
    }
    file.check_writable()?;
    let inode = file.inode();
    match &inode.kind {
        Kind::Fifo(_) => return Err(Errno::ESPIPE),
        Kind::Device(_) if file_type(inode.mode()) == S_IFIFO => return Err(Errno::ESPIPE),
        Kind::File(_) | Kind::Proc(_) => {}
        _ => return Err(Errno::ENODEV),
    }
    let end = at.checked_add(len).filter(|&end| end <= largest(inode));
    let end = end.ok_or(Errno::EFBIG)?;
    match mode {
        FALLOC_FL_ALLOCATE_RANGE | FALLOC_FL_KEEP_SIZE => allocate(inode, at, end, mode != 0)?,
        PUNCH => punch(inode, at, end)?,
        _ => return Err(Errno::EOPNOTSUPP),
    }
    inode.wrote();
    hooks::file(&file, IN_MODIFY);
    Ok(0)
}

/// How a hole is punched: the size never changes.
const PUNCH: u32 = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

/// Whether some file system knows the mode (Linux, `vfs_fallocate`).
const fn is_mode(mode: u32) -> bool {
    let keeps = mode & FALLOC_FL_KEEP_SIZE != 0;
    match mode & !FALLOC_FL_KEEP_SIZE {
        FALLOC_FL_ALLOCATE_RANGE | FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_ZERO_RANGE => true,
        FALLOC_FL_PUNCH_HOLE => keeps,
        FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_WRITE_ZEROES => !keeps,
        _ => false,
    }
}

fn allocate(inode: &Inode, at: u64, end: u64, keep_size: bool) -> Result<(), Errno> {
    let store = inode.store().ok_or(Errno::EOPNOTSUPP)?;
    let size = store.lock().size();
    // The limits hold even if the size is kept.
    guard::resize(inode, size, end.max(size)).map_err(Refused::raise)?;
    let mut store = store.lock();
    store.allocate(at, end - at, keep_size, &inode.sb.quota)
}

fn punch(inode: &Inode, at: u64, end: u64) -> Result<(), Errno> {
    let store = inode.store().ok_or(Errno::EOPNOTSUPP)?;
    guard::punch(inode).map_err(Refused::raise)?;
    store.lock().punch(at, end - at, &inode.sb.quota)?;
    demand::file_cut(inode, at.div_ceil(PAGE as u64)..end / PAGE as u64);
    Ok(())
}

/// posix_fadvise(2), the system call: what is in memory needs no advice. `ESPIPE` for pipes.
pub fn fadvise64(fd: i32, _offset: i64, len: i64, advice: i32) -> SysResult {
    let file = fd::get(fd)?;
    if file_type(file.inode().mode()) == S_IFIFO {
        return Err(Errno::ESPIPE);
    }
    let is_known = (0..=POSIX_FADV_NOREUSE as i32).contains(&advice);
    if len < 0 || !is_known {
        return Err(Errno::EINVAL);
    }
    Ok(0)
}

/// readahead(2): all of it is in memory. `EINVAL` unless the file is a regular one.
pub fn readahead(fd: i32, offset: i64, count: usize) -> SysResult {
    let file = fd::get(fd)?;
    file.check_readable()?;
    if file_type(file.inode().mode()) != S_IFREG {
        return Err(Errno::EINVAL);
    }
    fadvise64(fd, offset, count as i64, POSIX_FADV_WILLNEED as i32)
}

/// sync_file_range(2): nothing is ever dirty. `ESPIPE` for what is neither a file nor a directory.
pub fn sync_file_range(fd: i32, offset: i64, len: i64, flags: u32) -> SysResult {
    let file = fd::get(fd)?;
    let end = offset.wrapping_add(len);
    if flags & !SYNC_FILE_RANGE_WRITE_AND_WAIT != 0 || offset < 0 || end < offset {
        return Err(Errno::EINVAL);
    }
    match file_type(file.inode().mode()) {
        S_IFREG | S_IFDIR => Ok(0),
        _ => Err(Errno::ESPIPE),
    }
}

#[cfg(test)]
mod tests;
