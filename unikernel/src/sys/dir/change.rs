//! Calls that make, remove and move names.

use crate::errno::{Errno, SysResult};
use crate::fs::inode::{Kind, Link, empty, file_type};
use crate::fs::path::{PathBuf, is_empty};
use crate::fs::permission;
use crate::fs::stat::decode;
use crate::fs::vfs;
use crate::fs::walk::Goal;
use crate::sys::file::open::UMASK;
use crate::uaccess::UserPtr;
use core::sync::atomic::Ordering::Relaxed;
use linux_raw_sys::general::{
    AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW, RENAME_EXCHANGE,
    RENAME_NOREPLACE, RENAME_WHITEOUT, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG,
    S_IFSOCK,
};

fn masked(mode: u32) -> u32 {
    mode & !UMASK.load(Relaxed)
}

/// mkdir(2).
pub fn mkdir(path: UserPtr<u8>, mode: u32) -> SysResult {
    mkdirat(AT_FDCWD, path, mode)
}

/// mkdirat(2).
pub fn mkdirat(dirfd: i32, path: UserPtr<u8>, mode: u32) -> SysResult {
    let mut buffer = PathBuf::new();
    let path = buffer.read(path)?;
    let mut vfs = vfs();
    let at = vfs.vacant(dirfd, path, true)?;
    vfs.create(at, Kind::Dir, S_IFDIR | masked(mode & 0o1777))?;
    Ok(0)
}

/// mknod(2).
pub fn mknod(path: UserPtr<u8>, mode: u32, device: u32) -> SysResult {
    mknodat(AT_FDCWD, path, mode, device)
}

/// mknodat(2).
pub fn mknodat(dirfd: i32, path: UserPtr<u8>, mode: u32, device: u32) -> SysResult {
    match file_type(mode) {
        0 | S_IFREG | S_IFCHR | S_IFBLK | S_IFIFO | S_IFSOCK => {}
        S_IFDIR => return Err(Errno::EPERM),
        _ => return Err(Errno::EINVAL),
    }
    let mut buffer = PathBuf::new();
    let path = buffer.read(path)?;
    let mut vfs = vfs();
    let at = vfs.vacant(dirfd, path, false)?;
    let kind = empty(mode, decode(device)).ok_or(Errno::EINVAL)?;
    let is_whiteout = file_type(mode) == S_IFCHR && device == 0;
    if matches!(kind, Kind::Device(_)) && !is_whiteout {
        permission::make_node()?;
    }
    let regular = if file_type(mode) == 0 { S_IFREG } else { 0 };
    vfs.create(at, kind, regular | file_type(mode) | masked(mode & 0o7777))?;
    Ok(0)
}

/// symlink(2).
pub fn symlink(target: UserPtr<u8>, path: UserPtr<u8>) -> SysResult {
    symlinkat(target, AT_FDCWD, path)
}

/// symlinkat(2).
pub fn symlinkat(target: UserPtr<u8>, dirfd: i32, path: UserPtr<u8>) -> SysResult {
    let link = {
        let mut buffer = PathBuf::new();
        let target = buffer.read(target)?;
        if is_empty(target) {
            return Err(Errno::ENOENT);
        }
        Link::new(&target[..target.len() - crate::fs::name::PADDING])?
    };
    let mut buffer = PathBuf::new();
    let path = buffer.read(path)?;
    let mut vfs = vfs();
    let at = vfs.vacant(dirfd, path, false)?;
    vfs.create(at, Kind::Symlink(link), S_IFLNK | 0o777)?;
    Ok(0)
}

/// link(2).
pub fn link(old: UserPtr<u8>, new: UserPtr<u8>) -> SysResult {
    linkat(AT_FDCWD, old, AT_FDCWD, new, 0)
}

/// linkat(2). A file that was opened with `O_TMPFILE` gets its first name so, unless it was opened
/// with `O_EXCL` too.
pub fn linkat(
    old_dirfd: i32,
    old: UserPtr<u8>,
    new_dirfd: i32,
    new: UserPtr<u8>,
    flags: u32,
) -> SysResult {
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let nofollow = if flags & AT_SYMLINK_FOLLOW == 0 {
        AT_SYMLINK_NOFOLLOW
    } else {
        0
    };
    let inode = {
        let mut buffer = PathBuf::new();
        let old = buffer.read(old)?;
        let mut vfs = vfs();
        let found = vfs.find(old_dirfd, old, flags & AT_EMPTY_PATH | nofollow)?;
        vfs.inode(found)?.clone()
    };
    let mut buffer = PathBuf::new();
    let new = buffer.read(new)?;
    let mut vfs = vfs();
    let at = vfs.vacant(new_dirfd, new, false)?;
    vfs.link(&inode, at)?;
    Ok(0)
}

/// unlink(2).
pub fn unlink(path: UserPtr<u8>) -> SysResult {
    unlinkat(AT_FDCWD, path, 0)
}

/// rmdir(2).
pub fn rmdir(path: UserPtr<u8>) -> SysResult {
    unlinkat(AT_FDCWD, path, AT_REMOVEDIR)
}

/// unlinkat(2).
pub fn unlinkat(dirfd: i32, path: UserPtr<u8>, flags: u32) -> SysResult {
    if flags & !AT_REMOVEDIR != 0 {
        return Err(Errno::EINVAL);
    }
    let mut buffer = PathBuf::new();
    let path = buffer.read(path)?;
    vfs().unlink(dirfd, path, flags & AT_REMOVEDIR != 0)?;
    Ok(0)
}

/// rename(2).
pub fn rename(old: UserPtr<u8>, new: UserPtr<u8>) -> SysResult {
    renameat2(AT_FDCWD, old, AT_FDCWD, new, 0)
}

/// renameat(2).
pub fn renameat(old_dirfd: i32, old: UserPtr<u8>, new_dirfd: i32, new: UserPtr<u8>) -> SysResult {
    renameat2(old_dirfd, old, new_dirfd, new, 0)
}

/// renameat2(2).
pub fn renameat2(
    old_dirfd: i32,
    old: UserPtr<u8>,
    new_dirfd: i32,
    new: UserPtr<u8>,
    flags: u32,
) -> SysResult {
    let known = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
    let contradicts = flags & RENAME_EXCHANGE != 0 && flags & (known & !RENAME_EXCHANGE) != 0;
    if flags & !known != 0 || contradicts {
        return Err(Errno::EINVAL);
    }
    let (mut old_room, mut new_room) = (PathBuf::new(), PathBuf::new());
    let from = vfs().walk(old_dirfd, old_room.read(old)?, Goal::Name)?;
    // Linux finds out that the second path is bad only now.
    let new = new_room.read(new)?;
    let mut vfs = vfs();
    let to = vfs.walk(new_dirfd, new, Goal::Name)?;
    vfs.rename(&from, to, flags)?;
    Ok(0)
}
