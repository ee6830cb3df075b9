//! mount(2) and umount2(2).
//!
//! A mount is a new tmpfs, devtmpfs, procfs, sysfs or control group tree. Binding and moving are not
//! there, and neither are mounts that others see: every mount is private.

use crate::cred::{self, caps};
use crate::errno::{Errno, SysResult};
use crate::fs::mount::memory;
use crate::fs::mount::options::Options;
use crate::fs::path::PathBuf;
use crate::fs::super_block::FsType;
use crate::fs::vfs;
use crate::mm::PAGE;
use crate::uaccess::{UserPtr, UserSlice, read_path};
use alloc::vec::Vec;
use linux_raw_sys::general::{
    AT_FDCWD, AT_SYMLINK_NOFOLLOW, MNT_DETACH, MNT_EXPIRE, MNT_FORCE, MS_BIND, MS_MGC_MSK,
    MS_MGC_VAL, MS_MOVE, MS_NOSYMFOLLOW, MS_NOUSER, MS_PRIVATE, MS_REC, MS_REMOUNT, MS_SHARED,
    MS_SILENT, MS_SLAVE, MS_STRICTATIME, MS_UNBINDABLE, PATH_MAX,
};

/// `UMOUNT_NOFOLLOW` of umount2(2).
const UMOUNT_NOFOLLOW: u32 = 8;
/// How mounts are passed on to other name spaces.
const PROPAGATION: u32 = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

/// What can be mounted.
const TYPES: [FsType; 5] = [
    FsType::Tmpfs,
    FsType::Devtmpfs,
    FsType::Proc,
    FsType::Sysfs,
    FsType::Cgroup,
];

/// mount(2). Errors beside those of the path: `EPERM`, `ENODEV` (a type that is not there),
/// `EINVAL` (options; binding, moving, sharing; `MS_STRICTATIME`, `MS_NOSYMFOLLOW`), and those of
/// [`Vfs::mount_new`](vfs::Vfs::mount_new) and [`Vfs::remount`](vfs::Vfs::remount).
pub fn mount(
    source: UserPtr<u8>,
    target: UserPtr<u8>,
    fs_type: UserPtr<u8>,
    flags: u32,
    data: UserPtr<u8>,
) -> SysResult {
    let fs_type = fs_type.optional().map(read_type).transpose()?;
    let source = source.optional().map(read_source).transpose()?;
    let data = data.optional().map(read_data).transpose()?;
    let mut room = PathBuf::new();
    let path = room.read(target)?;
    let mut vfs = vfs();
    let point = vfs.find(AT_FDCWD, path, 0)?;
    let flags = match flags & MS_MGC_MSK {
        // What every caller had to say before Linux 2.4.
        MS_MGC_VAL => flags & !MS_MGC_MSK,
        _ => flags,
    };
    if flags & MS_NOUSER != 0 {
        return Err(Errno::EINVAL);
    }
    cred::current().require(caps::SYS_ADMIN)?;
    if flags & (MS_STRICTATIME | MS_NOSYMFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    let data = data.as_deref().unwrap_or(&[]);
    let options = |fs_type| Options::parse(text(data), fs_type, memory());
    match flags & (MS_REMOUNT | MS_BIND | PROPAGATION | MS_MOVE) {
        0 => {
            let fs_type = fs_type.ok_or(Errno::EINVAL)?.ok_or(Errno::ENODEV)?;
            let source = source.as_deref().unwrap_or(b"none");
            vfs.mount_new(point, fs_type, flags, options(fs_type)?, source)?;
        }
        kind if kind & (MS_REMOUNT | MS_BIND) == MS_REMOUNT | MS_BIND => {
            vfs.change_flags(point, flags)?;
        }
        kind if kind & MS_REMOUNT != 0 => {
            let index = vfs.mount_at(point)?;
            let options = options(vfs.mounts[index].sb.fs_type)?;
            vfs.remount(point, flags, options)?;
        }
        // Every mount is private already, and so is the slave of one that is not shared.
        MS_PRIVATE | MS_SLAVE if flags & !(PROPAGATION | MS_REC | MS_SILENT) == 0 => {
            vfs.mount_at(point)?;
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// What is before the first NUL.
fn text(data: &[u8]) -> &[u8] {
    data.split(|&byte| byte == 0).next().unwrap_or(&[])
}

/// Reads a string that may be as long as a path: `EFAULT`; `EINVAL` when it is longer.
fn read_string(from: UserPtr<u8>, room: &mut [u8]) -> Result<&[u8], Errno> {
    read_path(from, room).map_err(|errno| match errno {
        Errno::ENAMETOOLONG => Errno::EINVAL,
        other => other,
    })
}

/// A type of file systems; `None` for one that is not there.
#[inline(never)]
fn read_type(from: UserPtr<u8>) -> Result<Option<FsType>, Errno> {
    let mut room = [0; PATH_MAX as usize];
    let name = read_string(from, &mut room)?;
    let is_it = |fs_type: &FsType| fs_type.name().as_bytes() == name;
    Ok(TYPES.into_iter().find(is_it))
}

#[inline(never)]
fn read_source(from: UserPtr<u8>) -> Result<Vec<u8>, Errno> {
    let mut room = [0; PATH_MAX as usize];
    let source = read_string(from, &mut room)?;
    let mut copy = empty(source.len())?;
    copy.extend_from_slice(source);
    Ok(copy)
}

/// The options: a page of memory, or as much of one as there is. `EFAULT` when there is nothing.
fn read_data(from: UserPtr<u8>) -> Result<Vec<u8>, Errno> {
    let mut data = empty(PAGE)?;
    data.resize(PAGE, 0);
    let first = PAGE - from.address() % PAGE;
    let len = UserSlice::new(from.address(), first).read(&mut data)?;
    if len == first {
        // What is behind the first page may be anything.
        let rest = UserSlice::new(from.add(first).address(), PAGE - first);
        let _ = rest.read(&mut data[first..]);
    }
    Ok(data)
}

fn empty(room: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(room).map_err(|_| Errno::ENOMEM)?;
    Ok(bytes)
}

/// umount2(2). Errors beside those of the path: `EPERM`, `EINVAL` (unknown flags, not the root of a
/// mount), `EBUSY`, `EAGAIN`.
pub fn umount2(target: UserPtr<u8>, flags: u32) -> SysResult {
    if flags & !(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    let mut room = PathBuf::new();
    let path = room.read(target)?;
    let nofollow = match flags & UMOUNT_NOFOLLOW {
        0 => 0,
        _ => AT_SYMLINK_NOFOLLOW,
    };
    let mut vfs = vfs();
    // Looking for a mount is no use of it.
    let expiring = core::mem::replace(&mut vfs.expiring, false);
    let found = vfs.find(AT_FDCWD, path, nofollow);
    vfs.expiring = expiring;
    let root = found?;
    cred::current().require(caps::SYS_ADMIN)?;
    vfs.unmount(root, flags)?;
    Ok(0)
}

#[cfg(test)]
mod tests;
