//! Descriptors: open(2), close(2), dup(2) and their kin.

use super::lock;
use crate::cred;
use crate::errno::{Errno, SysResult};
use crate::fs::dcache::DentryId;
use crate::fs::fd::{self, File, LIMIT};
use crate::fs::file::Description;
use crate::fs::inode::{Inode, Kind};
use crate::fs::name::Name;
use crate::fs::namei::Vacant;
use crate::fs::notify::hooks;
use crate::fs::pages::PageStore;
use crate::fs::path::{PathBuf, is_empty};
use crate::fs::proc::Text;
use crate::fs::rc::Ref;
use crate::fs::super_block::FsType;
use crate::fs::vfs::Vfs;
use crate::fs::walk::{Goal, Walked};
use crate::fs::{permission, vfs};
use crate::sync::Exclusive;
use crate::sys::dir::attributes::resize;
use crate::uaccess::UserPtr;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use linux_raw_sys::general::{
    __O_TMPFILE, AT_FDCWD, IN_OPEN, O_ACCMODE, O_CLOEXEC, O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL,
    O_LARGEFILE, O_NOFOLLOW, O_PATH, O_RDONLY, O_TRUNC, O_WRONLY, S_IFREG, S_ISVTX, S_IWOTH,
};

/// From `linux/close_range.h`.
const CLOSE_RANGE_UNSHARE: u32 = 2;
const CLOSE_RANGE_CLOEXEC: u32 = 4;
/// Every flag that open(2) knows (`VALID_OPEN_FLAGS`); it ignores others.
const KNOWN: u32 = 0o37_777_703;
/// The flags that count beside `O_PATH`.
const WITH_PATH: u32 = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;

/// open(2).
pub fn open(path: UserPtr<u8>, flags: u32, mode: u32) -> SysResult {
    openat(AT_FDCWD, path, flags, mode)
}

/// creat(2).
pub fn creat(path: UserPtr<u8>, mode: u32) -> SysResult {
    openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode)
}

/// openat(2).
pub fn openat(dirfd: i32, path: UserPtr<u8>, flags: u32, mode: u32) -> SysResult {
    let flags = effective_flags(flags)?;
    let (id, inode, created) = {
        let mut room = PathBuf::new();
        let path = room.read(path)?;
        if is_empty(path) {
            return Err(Errno::ENOENT);
        }
        fd::check_room()?;
        let mut vfs = vfs();
        let (id, created) = find(&mut vfs, dirfd, path, flags, mode)?;
        let inode = vfs.inode(id)?.clone();
        if !created {
            check(&inode, flags)?;
        }
        vfs.cache.get(id);
        (id, inode, created)
    };
    let file = finish(id, inode, flags, created)?;
    fd::insert(file, 0, flags & O_CLOEXEC != 0)
}

/// Opens a dentry that was counted for it: waits for the other end of a FIFO, truncates.
fn finish(id: DentryId, inode: Ref<Inode>, flags: u32, created: bool) -> Result<File, Errno> {
    let kept = flags & !O_CLOEXEC;
    let mut truncation = 0;
    let opened = match &inode.kind {
        _ if flags & O_PATH != 0 => Ok(None),
        Kind::Fifo(fifo) if inode.sb.fs_type == FsType::Pipefs => fifo.reopen(flags).map(Some),
        Kind::Fifo(fifo) => fifo.open(flags).map(Some),
        Kind::File(_) if flags & O_TRUNC != 0 && !created => resize(&inode, 0).map(|events| {
            truncation = events;
            // Here the times change even if nothing was cut off.
            inode.wrote();
            None
        }),
        _ => Ok(None),
    };
    // From here on the description has the count.
    let file = File::new(match opened.inspect_err(|_| vfs().cache.put(id))? {
        Some(end) => Description::of_pipe(id, inode, kept, end),
        None => Description::new(id, inode, kept),
    })?;
    if flags & O_PATH == 0 {
        hooks::file(&file, IN_OPEN);
    }
    if truncation != 0 {
        hooks::file(&file, truncation);
    }
    Ok(file)
}

/// Drops what has no effect and refuses what contradicts itself.
fn effective_flags(flags: u32) -> Result<u32, Errno> {
    if flags & O_PATH != 0 {
        return Ok(flags & WITH_PATH);
    }
    let flags = (flags & KNOWN) | O_LARGEFILE;
    if flags & O_CREAT != 0 && flags & O_DIRECTORY != 0 {
        return Err(Errno::EINVAL);
    }
    let tmpfile_is_sound = flags & O_DIRECTORY != 0 && flags & O_ACCMODE != O_RDONLY;
    if flags & __O_TMPFILE != 0 && !tmpfile_is_sound {
        return Err(Errno::EINVAL);
    }
    Ok(flags)
}

/// The file to open, made if need be, and whether it was.
fn find(
    vfs: &mut Vfs,
    dirfd: i32,
    path: &[u8],
    flags: u32,
    mode: u32,
) -> Result<(DentryId, bool), Errno> {
    let create = flags & O_CREAT != 0;
    let exclusive = create && flags & O_EXCL != 0;
    let goal = match (create, exclusive || flags & O_NOFOLLOW != 0) {
        (false, false) => Goal::Follow,
        (false, true) => Goal::NoFollow,
        (true, false) => Goal::Create,
        (true, true) => Goal::CreateNew,
    };
    let walked = vfs.walk(dirfd, path, goal)?;
    match walked.found {
        Some(_) if exclusive => Err(Errno::EEXIST),
        Some(id) if flags & __O_TMPFILE != 0 => Ok((make_nameless(vfs, id, flags, mode)?, true)),
        Some(id) if create => {
            check_sticky(vfs, walked.directory, id)?;
            Ok((id, false))
        }
        Some(id) => Ok((id, false)),
        None if create => Ok((make(vfs, walked, mode)?, true)),
        None => Err(Errno::ENOENT),
    }
}

/// Whether a file that was there may be opened with `O_CREAT`: in a sticky directory that everybody
/// may write, a special file must be one's own or the directory's owner's (`may_create_in_sticky`;
/// for regular files and FIFOs that is a setting, which is off by default).
fn check_sticky(vfs: &Vfs, directory: DentryId, id: DentryId) -> Result<(), Errno> {
    const SHARED: u32 = S_ISVTX | S_IWOTH;
    let (directory, inode) = (vfs.inode(directory)?, vfs.inode(id)?);
    let owner = inode.owner().0;
    let is_free = matches!(inode.kind, Kind::File(_) | Kind::Fifo(_)) || inode.is_dir();
    if is_free
        || directory.mode() & SHARED != SHARED
        || owner == directory.owner().0
        || owner == cred::current().fsuid()
    {
        Ok(())
    } else {
        Err(Errno::EACCES)
    }
}

/// Makes an empty regular file where a walk found none.
#[inline(never)]
fn make(vfs: &mut Vfs, walked: Walked, mode: u32) -> Result<DentryId, Errno> {
    let (directory, name) = (walked.directory, walked.name.ok_or(Errno::ENOENT)?);
    vfs.inode(directory)?.sb.check_writable()?;
    let made = vfs.create(Vacant { directory, name }, empty(), new_mode(mode));
    // proc(5) says it so.
    made.map_err(|errno| match errno {
        Errno::EPERM => Errno::EACCES,
        other => other,
    })
}

/// `O_TMPFILE`: a regular file without a name, on the file system of `directory`.
#[inline(never)]
fn make_nameless(
    vfs: &mut Vfs,
    directory: DentryId,
    flags: u32,
    mode: u32,
) -> Result<DentryId, Errno> {
    let inode = vfs.inode(directory)?;
    if !inode.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    if !inode.sb.fs_type.is_tmpfs() {
        return Err(Errno::EOPNOTSUPP);
    }
    inode.sb.check_writable()?;
    let inode = vfs.create_nameless(directory, empty(), new_mode(mode))?;
    inode.linkable.store(flags & O_EXCL == 0, Relaxed);
    let mut shown = Text::new();
    shown.byte(b'#').dec(inode.ino);
    let name = Name::copy(shown.as_bytes())?;
    let id = vfs.cache.add_hidden(directory, name, inode)?;
    // The descriptor is its only user; the count from making it is given up by the caller's.
    vfs.cache.keep_for_user(id);
    Ok(id)
}

const fn empty() -> Kind {
    Kind::File(Exclusive::new(PageStore::new()))
}

fn new_mode(mode: u32) -> u32 {
    S_IFREG | (mode & 0o7777 & !UMASK.load(Relaxed))
}

/// Whether a file that was there may be opened with `flags`, in the order of Linux's checks.
#[inline]
fn check(inode: &Inode, flags: u32) -> Result<(), Errno> {
    let is_dir = inode.is_dir();
    if flags & O_CREAT != 0 && is_dir {
        return Err(Errno::EISDIR);
    }
    if flags & O_DIRECTORY != 0 && !is_dir {
        return Err(Errno::ENOTDIR);
    }
    if flags & O_PATH != 0 {
        return Ok(());
    }
    if inode.is_symlink() {
        return Err(Errno::ELOOP);
    }
    let access = flags & O_ACCMODE;
    let writes = access != O_RDONLY || flags & O_TRUNC != 0;
    if is_dir && writes {
        return Err(Errno::EISDIR);
    }
    if writes && inode.store().is_some() {
        inode.sb.check_writable()?;
    }
    permission::open(inode, flags)?;
    match &inode.kind {
        Kind::Socket | Kind::Inotify(_) | Kind::Event(_) | Kind::Endpoint(_) => Err(Errno::ENXIO),
        Kind::Device(_) if inode.sb.is_nodev() => Err(Errno::EACCES),
        Kind::Device(device) => {
            device.open(access)?;
            check_direct(flags)
        }
        Kind::Dir | Kind::Proc(_) => check_direct(flags),
        _ => Ok(()),
    }?;
    Ok(())
}

/// Only regular files and pipes know O_DIRECT.
fn check_direct(flags: u32) -> Result<(), Errno> {
    if flags & O_DIRECT != 0 {
        Err(Errno::EINVAL)
    } else {
        Ok(())
    }
}

/// close(2).
pub fn close(fd: i32) -> SysResult {
    lock::closed(fd::remove(fd)?);
    Ok(0)
}

/// close_range(2). The table is never shared, so `CLOSE_RANGE_UNSHARE` changes nothing.
pub fn close_range(first: u32, last: u32, flags: u32) -> SysResult {
    if flags & !(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) != 0 || first > last {
        return Err(Errno::EINVAL);
    }
    let mut from = first.min(LIMIT as u32) as usize;
    while let Some(fd) = fd::next_open(from).filter(|&fd| fd <= last as usize) {
        if flags & CLOSE_RANGE_CLOEXEC != 0 {
            fd::set_close_on_exec(fd as i32, true)?;
        } else {
            close(fd as i32)?;
        }
        from = fd + 1;
    }
    Ok(0)
}

/// dup(2).
pub fn dup(fd: i32) -> SysResult {
    duplicate(fd, 0, false)
}

/// dup2(2).
pub fn dup2(old: i32, new: i32) -> SysResult {
    if old == new {
        fd::peek(old)?;
        return Ok(new as usize);
    }
    dup3(old, new, 0)
}

/// dup3(2).
pub fn dup3(old: i32, new: i32, flags: u32) -> SysResult {
    if flags & !O_CLOEXEC != 0 || old == new {
        return Err(Errno::EINVAL);
    }
    let file = fd::get_any(old)?;
    if let Some(old) = fd::replace(new, file, flags & O_CLOEXEC != 0)? {
        lock::closed(old);
    }
    Ok(new as usize)
}

/// The lowest free descriptor from `from` on as a second name of `fd`'s open file.
pub(super) fn duplicate(fd: i32, from: i32, cloexec: bool) -> SysResult {
    fd::insert(fd::get_any(fd)?, from, cloexec)
}

/// The file mode creation mask.
pub static UMASK: AtomicU32 = AtomicU32::new(0o022);

/// umask(2).
pub fn umask(mask: u32) -> SysResult {
    Ok(UMASK.swap(mask & 0o777, Relaxed) as usize)
}

#[cfg(test)]
mod tests;
