//! inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2).

use crate::errno::{Errno, SysResult};
use crate::fs::fd::{self, File};
use crate::fs::inode::{Inode, Kind};
use crate::fs::notify::{Inotify, check_flags, check_mask};
use crate::fs::path::PathBuf;
use crate::fs::rc::Ref;
use crate::fs::{anon, permission, vfs};
use crate::uaccess::UserPtr;
use linux_raw_sys::general::{
    AT_FDCWD, AT_SYMLINK_NOFOLLOW, IN_CLOEXEC, IN_DONT_FOLLOW, IN_MASK_ADD, IN_MASK_CREATE,
    IN_ONLYDIR, O_NONBLOCK, O_RDONLY, R_OK,
};

/// inotify_init(2).
pub fn inotify_init() -> SysResult {
    inotify_init1(0)
}

/// inotify_init1(2).
pub fn inotify_init1(flags: u32) -> SysResult {
    check_flags(flags)?;
    let status = O_RDONLY | (flags & O_NONBLOCK);
    let file = anon::open(Kind::Inotify(Inotify::new()?), 0o600, (0, 0), status)?;
    fd::insert(file, 0, flags & IN_CLOEXEC != 0)
}

/// The queue behind a descriptor: `EINVAL` if it is something else.
fn inotify(file: &File) -> Result<&Inotify, Errno> {
    match &file.inode().kind {
        Kind::Inotify(inotify) => Ok(inotify),
        _ => Err(Errno::EINVAL),
    }
}

/// inotify_add_watch(2).
pub fn inotify_add_watch(fd: i32, path: UserPtr<u8>, mask: u32) -> SysResult {
    check_mask(mask)?;
    let file = fd::get(fd)?;
    if mask & IN_MASK_ADD != 0 && mask & IN_MASK_CREATE != 0 {
        return Err(Errno::EINVAL);
    }
    let inotify = inotify(&file)?;
    let inode = find(path, mask)?;
    let watches = &inode.extras_or_new()?.watches;
    let number = inotify.add(watches, (inode.ino, inode.sb.device), mask)?;
    Ok(number as usize)
}

/// The file to watch, which the caller may read.
fn find(path: UserPtr<u8>, mask: u32) -> Result<Ref<Inode>, Errno> {
    let mut room = PathBuf::new();
    let path = room.read(path)?;
    let flags = if mask & IN_DONT_FOLLOW != 0 {
        AT_SYMLINK_NOFOLLOW
    } else {
        0
    };
    let mut vfs = vfs();
    let found = vfs.find(AT_FDCWD, path, flags)?;
    let inode = vfs.inode(found)?;
    if mask & IN_ONLYDIR != 0 && !inode.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    permission::access(inode, R_OK)?;
    Ok(inode.clone())
}

/// inotify_rm_watch(2).
pub fn inotify_rm_watch(fd: i32, watch: i32) -> SysResult {
    let file = fd::get(fd)?;
    inotify(&file)?.remove(watch)?;
    Ok(0)
}

#[cfg(test)]
mod tests;
