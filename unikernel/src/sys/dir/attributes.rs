//! Calls that change what is known of a file: permissions, owner, times, size.

use crate::cred::permission::MAY_WRITE;
use crate::errno::{Errno, SysResult};
use crate::fs::dcache::DentryId;
use crate::fs::fd;
use crate::fs::guard::{self, Refused};
use crate::fs::inode::{Inode, Kind};
use crate::fs::notify::hooks;
use crate::fs::path::PathBuf;
use crate::fs::rc::Ref;
use crate::fs::{permission, vfs};
use crate::mm::{PAGE, demand};
use crate::uaccess::UserPtr;
use linux_raw_sys::general::{
    __kernel_old_timeval, __kernel_timespec, AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW,
    IN_ACCESS, IN_ATTRIB, IN_MODIFY, UTIME_NOW, UTIME_OMIT,
};

const OMIT: i64 = UTIME_OMIT as i64;
const NOW: i64 = UTIME_NOW as i64;

/// A file whose attributes are to change, by the name that was used: it exists and its file system
/// can be written.
struct Changeable {
    id: DentryId,
    inode: Ref<Inode>,
}

fn changeable_at(dirfd: i32, path: UserPtr<u8>, flags: u32) -> Result<Changeable, Errno> {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let mut buffer = PathBuf::new();
    let path = buffer.read(path)?;
    let mut vfs = vfs();
    let id = vfs.find(dirfd, path, flags)?;
    let inode = vfs.inode(id)?.clone();
    inode.sb.check_writable()?;
    Ok(Changeable { id, inode })
}

fn changeable(fd: i32) -> Result<Changeable, Errno> {
    let file = fd::get(fd)?;
    let (id, inode) = (file.dentry(), file.inode().clone());
    inode.sb.check_writable()?;
    Ok(Changeable { id, inode })
}

/// chmod(2).
pub fn chmod(path: UserPtr<u8>, mode: u32) -> SysResult {
    fchmodat(AT_FDCWD, path, mode)
}

/// fchmod(2).
pub fn fchmod(fd: i32, mode: u32) -> SysResult {
    change_mode(changeable(fd)?, mode)
}

/// fchmodat(2), the system call: it has no flags.
pub fn fchmodat(dirfd: i32, path: UserPtr<u8>, mode: u32) -> SysResult {
    fchmodat2(dirfd, path, mode, 0)
}

/// fchmodat2(2).
pub fn fchmodat2(dirfd: i32, path: UserPtr<u8>, mode: u32, flags: u32) -> SysResult {
    change_mode(changeable_at(dirfd, path, flags)?, mode)
}

fn change_mode(Changeable { id, inode }: Changeable, mode: u32) -> SysResult {
    if inode.is_symlink() {
        return Err(Errno::EOPNOTSUPP);
    }
    let mode = permission::change_mode(&inode, mode & 0o7777)?;
    guard::change_mode(&inode, mode)?;
    inode.set_permissions(mode);
    inode.touch_ctime();
    hooks::changed(id, IN_ATTRIB);
    Ok(0)
}

/// chown(2).
pub fn chown(path: UserPtr<u8>, user: u32, group: u32) -> SysResult {
    fchownat(AT_FDCWD, path, user, group, 0)
}

/// lchown(2).
pub fn lchown(path: UserPtr<u8>, user: u32, group: u32) -> SysResult {
    fchownat(AT_FDCWD, path, user, group, AT_SYMLINK_NOFOLLOW)
}

/// fchown(2).
pub fn fchown(fd: i32, user: u32, group: u32) -> SysResult {
    change_owner(changeable(fd)?, user, group)
}

/// fchownat(2).
pub fn fchownat(dirfd: i32, path: UserPtr<u8>, user: u32, group: u32, flags: u32) -> SysResult {
    change_owner(changeable_at(dirfd, path, flags)?, user, group)
}

/// A user or group of -1 stays as it is.
fn change_owner(Changeable { id, inode }: Changeable, user: u32, group: u32) -> SysResult {
    let wanted = |id: u32| (id != u32::MAX).then_some(id);
    let new = permission::change_owner(&inode, wanted(user), wanted(group))?;
    let says_nothing = user == u32::MAX && group == u32::MAX && new.mode == inode.mode();
    inode.set_owner((new.uid, new.gid));
    inode.set_permissions(new.mode);
    inode.touch_ctime();
    hooks::changed(id, if says_nothing { 0 } else { IN_ATTRIB });
    Ok(0)
}

/// utimensat(2). A NULL path means `dirfd` itself: that is futimens(3).
pub fn utimensat(
    dirfd: i32,
    path: UserPtr<u8>,
    times: UserPtr<[__kernel_timespec; 2]>,
    flags: u32,
) -> SysResult {
    let mut pair = [(0, NOW); 2];
    if let Some(times) = times.optional() {
        let times = times.cast::<__kernel_timespec>();
        for (index, time) in pair.iter_mut().enumerate() {
            let given = times.add(index).read()?;
            *time = (given.tv_sec, given.tv_nsec);
        }
        if pair.iter().all(|time| time.1 == OMIT) {
            return Ok(0);
        }
    }
    if path.is_null() && dirfd != AT_FDCWD {
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        return set_times(changeable(dirfd)?, pair);
    }
    set_times(changeable_at(dirfd, path, flags)?, pair)
}

fn set_times(Changeable { id, inode }: Changeable, [access, change]: [(i64, i64); 2]) -> SysResult {
    let sound = |&(_, nsec): &(i64, i64)| matches!(nsec, 0..=999_999_999 | OMIT | NOW);
    if ![access, change].iter().all(sound) {
        return Err(Errno::EINVAL);
    }
    permission::change_times(&inode, access.1 == NOW && change.1 == NOW)?;
    inode.set_times(access, change);
    hooks::changed(
        id,
        match (access.1, change.1) {
            (OMIT, OMIT) => 0,
            (OMIT, _) => IN_MODIFY,
            (_, OMIT) => IN_ACCESS,
            _ => IN_ATTRIB,
        },
    );
    Ok(0)
}

/// Seconds and microseconds as utimes(2) and futimesat(2) give them.
fn from_timevals(times: UserPtr<[__kernel_old_timeval; 2]>) -> Result<[(i64, i64); 2], Errno> {
    let mut pair = [(0, NOW); 2];
    if let Some(times) = times.optional() {
        let times = times.cast::<__kernel_old_timeval>();
        for (index, time) in pair.iter_mut().enumerate() {
            let given = times.add(index).read()?;
            if !(0..1_000_000).contains(&given.tv_usec) {
                return Err(Errno::EINVAL);
            }
            *time = (given.tv_sec, given.tv_usec * 1000);
        }
    }
    Ok(pair)
}

/// utimes(2).
pub fn utimes(path: UserPtr<u8>, times: UserPtr<[__kernel_old_timeval; 2]>) -> SysResult {
    futimesat(AT_FDCWD, path, times)
}

/// futimesat(2). A NULL path means `dirfd` itself.
pub fn futimesat(
    dirfd: i32,
    path: UserPtr<u8>,
    times: UserPtr<[__kernel_old_timeval; 2]>,
) -> SysResult {
    let pair = from_timevals(times)?;
    if path.is_null() && dirfd != AT_FDCWD {
        return set_times(changeable(dirfd)?, pair);
    }
    set_times(changeable_at(dirfd, path, 0)?, pair)
}

/// utime(2): two times in whole seconds.
pub fn utime(path: UserPtr<u8>, times: UserPtr<[i64; 2]>) -> SysResult {
    let mut pair = [(0, NOW); 2];
    if let Some(times) = times.optional() {
        let times = times.cast::<i64>();
        pair = [(times.read()?, 0), (times.add(1).read()?, 0)];
    }
    set_times(changeable_at(AT_FDCWD, path, 0)?, pair)
}

/// truncate(2).
pub fn truncate(path: UserPtr<u8>, length: i64) -> SysResult {
    let size = u64::try_from(length).map_err(|_| Errno::EINVAL)?;
    let (id, inode) = {
        let mut buffer = PathBuf::new();
        let path = buffer.read(path)?;
        let mut vfs = vfs();
        let found = vfs.find(AT_FDCWD, path, 0)?;
        (found, vfs.inode(found)?.clone())
    };
    match inode.kind {
        Kind::Dir => return Err(Errno::EISDIR),
        Kind::File(_) => {}
        Kind::Proc(_) if inode.is_dir() => return Err(Errno::EISDIR),
        _ => return Err(Errno::EINVAL),
    }
    inode.sb.check_writable()?;
    permission::access(&inode, MAY_WRITE)?;
    resize_noted(id, &inode, size)
}

/// ftruncate(2): `EINVAL` unless the file is a regular one that is open for writing.
pub fn ftruncate(fd: i32, length: i64) -> SysResult {
    let size = u64::try_from(length).map_err(|_| Errno::EINVAL)?;
    let file = fd::get(fd)?;
    if !file.is_writable() || file.inode().store().is_none() {
        return Err(Errno::EINVAL);
    }
    resize_noted(file.dentry(), file.inode(), size)?;
    // Unlike truncate(2) it notes the time whatever the size was.
    file.inode().touch();
    Ok(0)
}

/// [`resize`], and tells who watches.
fn resize_noted(id: DentryId, inode: &Inode, size: u64) -> SysResult {
    hooks::changed(id, resize(inode, size)?);
    Ok(0)
}

/// Sets the size of a regular file; returns what inotify(7) says of that.
pub fn resize(inode: &Inode, size: u64) -> Result<u32, Errno> {
    let mode = inode.mode();
    let store = inode.store().ok_or(Errno::EINVAL)?;
    permission::resize(inode, size)?;
    let old = store.lock().size();
    guard::resize(inode, old, size).map_err(Refused::raise)?;
    let had_pages = {
        let mut store = store.lock();
        let had_pages = store.pages() > 0;
        store.truncate(size, &inode.sb.quota);
        had_pages
    };
    demand::file_cut(inode, size.div_ceil(PAGE as u64)..u64::MAX);
    // As tmpfs has it: nothing was cut off, no time changed. The set-id bits go all the same.
    if size != old || had_pages {
        inode.wrote();
    } else {
        permission::wrote(inode);
    }
    let loses_bits = inode.mode() != mode;
    Ok(IN_MODIFY | if loses_bits { IN_ATTRIB } else { 0 })
}
