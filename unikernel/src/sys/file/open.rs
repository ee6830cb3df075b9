//! Descriptors: open(2), close(2), dup(2) and their kin.

use crate::errno::{Errno, SysResult};
use crate::fs::dcache::DentryId;
use crate::fs::fd::{self, File, LIMIT};
use crate::fs::file::Description;
use crate::fs::inode::{Inode, Kind};
use crate::fs::name::Name;
use crate::fs::namei::Vacant;
use crate::fs::pages::PageStore;
use crate::fs::path::{PathBuf, is_empty};
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
    __O_TMPFILE, AT_FDCWD, O_ACCMODE, O_CLOEXEC, O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL,
    O_LARGEFILE, O_NOFOLLOW, O_PATH, O_RDONLY, O_TRUNC, O_WRONLY, S_IFREG,
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
    let kept = flags & !(O_CLOEXEC | __O_TMPFILE);
    let opened = match &inode.kind {
        _ if flags & O_PATH != 0 => Ok(None),
        Kind::Fifo(fifo) if inode.sb.fs_type == FsType::Pipefs => fifo.reopen(flags).map(Some),
        Kind::Fifo(fifo) => fifo.open(flags).map(Some),
        Kind::File(_) if flags & O_TRUNC != 0 && !created => resize(&inode, 0).map(|_| None),
        _ => Ok(None),
    };
    let file = opened.and_then(|end| {
        File::new(match end {
            Some(end) => Description::of_pipe(id, inode, kept, end),
            None => Description::new(id, inode, kept),
        })
    });
    file.inspect_err(|_| vfs().cache.put(id))
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
        Some(id) => Ok((id, false)),
        None if create => Ok((make(vfs, walked, mode)?, true)),
        None => Err(Errno::ENOENT),
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
    let id = vfs.cache.add_nameless(Name::Static(b""), inode)?;
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
        Kind::Socket => Err(Errno::ENXIO),
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
    drop(fd::remove(fd)?);
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
    drop(fd::replace(new, file, flags & O_CLOEXEC != 0)?);
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
mod tests {
    use super::*;
    use crate::fs::Stdin;
    use crate::fs::testing::{Packer, boot_with, cstr};
    use linux_raw_sys::general::{O_NONBLOCK, O_RDWR, O_TMPFILE};

    fn boot() -> impl Sized {
        let packer = Packer::default()
            .file("f", b"abc")
            .dir("d")
            .link("l", "f")
            .link("gone", "x");
        boot_with(Some(packer), Stdin::Null)
    }

    fn refused(rows: &[(&str, u32, Errno)]) {
        let _fs = boot();
        for &(path, flags, errno) in rows {
            assert_eq!(
                open(cstr(path), flags, 0o644),
                Err(errno),
                "{path:?} {flags:#o}"
            );
        }
        assert_eq!(
            open(cstr("f\0"), O_RDONLY, 0),
            Ok(3),
            "a refusal leaves no descriptor behind"
        );
    }

    #[test]
    fn files_are_made_and_refused_in_the_order_of_linux() {
        refused(&[
            ("f\0", O_CREAT | O_EXCL, Errno::EEXIST),
            ("gone\0", O_CREAT | O_EXCL, Errno::EEXIST),
            ("new/\0", O_CREAT, Errno::EISDIR),
            ("f/\0", O_CREAT, Errno::EISDIR),
            ("f/\0", 0, Errno::ENOTDIR),
            ("none/new\0", O_CREAT, Errno::ENOENT),
            ("new\0", 0, Errno::ENOENT),
            ("\0", 0, Errno::ENOENT),
        ]);
        let _fs = boot();
        for path in ["new\0", "gone\0", "f\0"] {
            assert!(
                open(cstr(path), O_CREAT | O_RDWR, 0o666).is_ok(),
                "{path:?}"
            );
        }
        for (path, mode) in [("new\0", 0o644), ("x\0", 0o644), ("f\0", 0o644)] {
            let fd = open(cstr(path), 0, 0).unwrap() as i32;
            assert_eq!(fd::get(fd).unwrap().inode().mode(), S_IFREG | mode);
        }
    }

    #[test]
    fn truncation_empties_what_was_there() {
        let _fs = boot();
        let fd = open(cstr("l\0"), O_TRUNC | O_WRONLY, 0).unwrap() as i32;
        assert_eq!(fd::get(fd).unwrap().inode().size(), 0);
    }

    #[test]
    fn files_may_have_no_name() {
        let _fs = boot();
        let fd = open(cstr("d\0"), O_TMPFILE | O_RDWR, 0o600).unwrap() as i32;
        let inode = fd::get(fd).unwrap().inode().clone();
        assert_eq!((inode.nlink(), inode.mode()), (0, S_IFREG | 0o600));
        assert_eq!(close(fd), Ok(0));
        assert_eq!(Ref::count(&inode), 1);
    }

    #[test]
    fn directories_and_links_have_their_own_rules() {
        refused(&[
            ("d\0", O_WRONLY, Errno::EISDIR),
            ("d\0", O_TRUNC, Errno::EISDIR),
            ("d\0", O_CREAT, Errno::EISDIR),
            ("d\0", O_TMPFILE, Errno::EINVAL),
            ("d\0", __O_TMPFILE | O_RDWR, Errno::EINVAL),
            ("f\0", O_TMPFILE | O_RDWR, Errno::ENOTDIR),
            ("d\0", O_CREAT | O_DIRECTORY, Errno::EINVAL),
            ("f\0", O_DIRECTORY, Errno::ENOTDIR),
            ("l\0", O_NOFOLLOW, Errno::ELOOP),
            ("l\0", O_NOFOLLOW | O_DIRECTORY, Errno::ENOTDIR),
            ("l\0", O_NOFOLLOW | O_CREAT, Errno::ELOOP),
            ("/dev/stdin\0", O_NOFOLLOW, Errno::ELOOP),
        ]);
    }

    #[test]
    fn path_only_descriptors_name_links_too() {
        let _fs = boot();
        let fd = open(cstr("l\0"), O_PATH | O_NOFOLLOW | O_WRONLY | O_CREAT, 0).unwrap() as i32;
        assert_eq!(fd::get(fd).err(), Some(Errno::EBADF));
        let file = fd::get_any(fd).unwrap();
        assert_eq!(file.flags(), O_PATH | O_NOFOLLOW);
        assert!(file.inode().is_symlink());
    }

    #[test]
    fn devices_open_for_writing() {
        let _fs = boot();
        for flags in [
            O_RDONLY,
            O_WRONLY,
            O_RDWR,
            O_ACCMODE,
            O_TRUNC | O_CREAT | O_RDWR,
        ] {
            assert!(open(cstr("/dev/null\0"), flags, 0).is_ok());
        }
        assert_eq!(open(cstr("/dev/null\0"), O_DIRECT, 0), Err(Errno::EINVAL));
        assert!(open(cstr("/dev/stdout\0"), O_WRONLY | O_NONBLOCK, 0).is_ok());
    }

    #[test]
    fn flags_arrive_where_they_belong() {
        let _fs = boot();
        let fd = open(cstr("f\0"), O_CLOEXEC | O_NONBLOCK | 1 << 30, 0).unwrap() as i32;
        assert_eq!(fd::get(fd).unwrap().flags(), O_LARGEFILE | O_NONBLOCK);
        assert_eq!(fd::close_on_exec(fd), Ok(true));
    }

    #[test]
    fn a_full_table_refuses_before_the_walk() {
        let _fs = boot();
        while dup(0).is_ok() {}
        assert_eq!(open(cstr("none\0"), 0, 0), Err(Errno::EMFILE));
        assert_eq!(open(cstr("\0"), 0, 0), Err(Errno::ENOENT));
        assert_eq!(dup(0), Err(Errno::EMFILE));
        assert_eq!((close(77), dup(0)), (Ok(0), Ok(77)));
    }

    #[test]
    fn duplicates_share_the_open_file() {
        let _fs = boot();
        let fd = open(cstr("f\0"), 0, 0).unwrap() as i32;
        assert_eq!(dup2(fd, 9), Ok(9));
        fd::get(9).unwrap().set_position(2);
        assert_eq!(fd::get(fd).unwrap().position(), 2);
        assert_eq!(
            (dup2(fd, fd), dup2(99, 99)),
            (Ok(fd as usize), Err(Errno::EBADF))
        );
        assert_eq!(
            (dup2(fd, 1024), dup2(fd, -1)),
            (Err(Errno::EBADF), Err(Errno::EBADF))
        );
        assert_eq!(
            (dup3(fd, fd, 0), dup3(fd, 9, 1)),
            (Err(Errno::EINVAL), Err(Errno::EINVAL))
        );
        assert_eq!(dup3(fd, 9, O_CLOEXEC), Ok(9));
        assert_eq!(fd::close_on_exec(9), Ok(true));
    }

    #[test]
    fn ranges_are_closed_or_marked() {
        let _fs = boot();
        for fd in [5, 6, 1023] {
            dup2(0, fd).unwrap();
        }
        assert_eq!(close_range(5, 5, 8), Err(Errno::EINVAL));
        assert_eq!(close_range(6, 5, 0), Err(Errno::EINVAL));
        assert_eq!(close_range(6, u32::MAX, CLOSE_RANGE_CLOEXEC), Ok(0));
        assert_eq!(fd::close_on_exec(1023), Ok(true));
        assert_eq!(close_range(6, u32::MAX, 0), Ok(0));
        assert_eq!(
            (close(5), close(6), close(1023)),
            (Ok(0), Err(Errno::EBADF), Err(Errno::EBADF))
        );
        assert_eq!(close_range(5000, 6000, 0), Ok(0));
    }

    #[test]
    fn umask_keeps_nine_bits() {
        assert_eq!(umask(0o7077), Ok(0o022));
        assert_eq!(umask(0o022), Ok(0o077));
    }
}
