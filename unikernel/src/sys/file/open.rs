//! Descriptors: open(2), close(2), dup(2) and their kin.

use crate::errno::{Errno, SysResult};
use crate::fs::fd::{self, File, LIMIT};
use crate::fs::file::Description;
use crate::fs::path::{Found, PathBuf, start};
use crate::fs::tree;
use crate::fs::tree::Kind;
use crate::fs::walk::{Goal, walk};
use crate::uaccess::UserPtr;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use linux_raw_sys::general::{
    __O_TMPFILE, AT_FDCWD, O_ACCMODE, O_CLOEXEC, O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL,
    O_LARGEFILE, O_NOFOLLOW, O_PATH, O_RDONLY, O_TRUNC, O_WRONLY,
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

/// openat(2). The root is read-only, so nothing is ever created and `_mode` has no effect.
pub fn openat(dirfd: i32, path: UserPtr<u8>, flags: u32, _mode: u32) -> SysResult {
    let flags = effective_flags(flags)?;
    let found = find(dirfd, path, flags)?;
    check(&found, flags)?;
    let file = Arc::new(Description::new(
        found.entry,
        found.inode,
        flags & !O_CLOEXEC,
    ));
    fd::with_table(|table| table.insert(file, 0, flags & O_CLOEXEC != 0))
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

/// The file to open. `EROFS` when it would have to be created.
#[inline(never)]
fn find(dirfd: i32, path: UserPtr<u8>, flags: u32) -> Result<Found, Errno> {
    let mut buffer = PathBuf::new();
    let path = buffer.read(path)?;
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    fd::with_table(|table| table.check_room())?;
    let start = start(dirfd, path)?;
    let create = flags & O_CREAT != 0;
    let exclusive = create && flags & O_EXCL != 0;
    let goal = match (create, exclusive || flags & O_NOFOLLOW != 0) {
        (false, false) => Goal::Follow,
        (false, true) => Goal::NoFollow,
        (true, false) => Goal::Create,
        (true, true) => Goal::CreateNew,
    };
    match walk(tree(), start, path, goal)?.target {
        Some(_) if exclusive => Err(Errno::EEXIST),
        Some(target) => Found::target(target),
        None if create => Err(Errno::EROFS),
        None => Err(Errno::ENOENT),
    }
}

/// Whether `found` may be opened with `flags`, in the order of Linux's checks.
fn check(found: &Found, flags: u32) -> Result<(), Errno> {
    let is_dir = found.inode.is_dir();
    if flags & O_CREAT != 0 && is_dir {
        return Err(Errno::EISDIR);
    }
    if flags & O_DIRECTORY != 0 && !is_dir {
        return Err(Errno::ENOTDIR);
    }
    if flags & O_PATH != 0 {
        return Ok(());
    }
    if flags & __O_TMPFILE != 0 {
        return Err(Errno::EROFS);
    }
    let changes = flags & O_ACCMODE != O_RDONLY || flags & O_TRUNC != 0;
    match found.inode.kind {
        Kind::Symlink(_) | Kind::Descriptor(_) => Err(Errno::ELOOP),
        Kind::Dir(_) if changes => Err(Errno::EISDIR),
        Kind::File(_) if changes => Err(Errno::EROFS),
        Kind::Device(device) => {
            device.open(flags & O_ACCMODE)?;
            check_direct(flags)
        }
        Kind::Dir(_) => check_direct(flags),
        Kind::File(_) => Ok(()),
    }
}

/// Only regular files can bypass a cache that there is not.
fn check_direct(flags: u32) -> Result<(), Errno> {
    if flags & O_DIRECT != 0 {
        Err(Errno::EINVAL)
    } else {
        Ok(())
    }
}

/// close(2).
pub fn close(fd: i32) -> SysResult {
    drop(fd::with_table(|table| table.remove(fd))?);
    Ok(0)
}

/// close_range(2). The table is never shared, so `CLOSE_RANGE_UNSHARE` changes nothing.
pub fn close_range(first: u32, last: u32, flags: u32) -> SysResult {
    if flags & !(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) != 0 || first > last {
        return Err(Errno::EINVAL);
    }
    let (first, last) = (first.min(LIMIT as u32), last.min(LIMIT as u32 - 1));
    for fd in first as i32..=last as i32 {
        if flags & CLOSE_RANGE_CLOEXEC != 0 {
            // Free numbers in the range are passed over.
            let _ = fd::with_table(|table| table.set_close_on_exec(fd, true));
        } else {
            drop(fd::with_table(|table| table.remove(fd)));
        }
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
        fd::get_any(old)?;
        return Ok(new as usize);
    }
    dup3(old, new, 0)
}

/// dup3(2).
pub fn dup3(old: i32, new: i32, flags: u32) -> SysResult {
    if flags & !O_CLOEXEC != 0 || old == new {
        return Err(Errno::EINVAL);
    }
    let replace = |table: &mut fd::FdTable| -> Result<Option<File>, Errno> {
        let file = table.get(old)?.clone();
        table.replace(new, file, flags & O_CLOEXEC != 0)
    };
    drop(fd::with_table(replace)?);
    Ok(new as usize)
}

/// The lowest free descriptor from `from` on as a second name of `fd`'s open file.
pub(super) fn duplicate(fd: i32, from: i32, cloexec: bool) -> SysResult {
    fd::with_table(|table| {
        let file = table.get(fd)?.clone();
        table.insert(file, from, cloexec)
    })
}

static UMASK: AtomicU32 = AtomicU32::new(0o022);

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
    fn files_open_for_reading_only() {
        refused(&[
            ("f\0", O_WRONLY, Errno::EROFS),
            ("f\0", O_RDWR, Errno::EROFS),
            ("f\0", O_ACCMODE, Errno::EROFS),
            ("l\0", O_TRUNC, Errno::EROFS),
            ("f\0", O_CREAT | O_WRONLY, Errno::EROFS),
            ("f\0", O_CREAT | O_EXCL, Errno::EEXIST),
            ("gone\0", O_CREAT | O_EXCL, Errno::EEXIST),
            ("gone\0", O_CREAT, Errno::EROFS),
            ("new\0", O_CREAT, Errno::EROFS),
            ("new/\0", O_CREAT, Errno::EISDIR),
            ("f/\0", O_CREAT, Errno::EISDIR),
            ("f/\0", 0, Errno::ENOTDIR),
            ("none/new\0", O_CREAT, Errno::ENOENT),
            ("new\0", 0, Errno::ENOENT),
            ("\0", 0, Errno::ENOENT),
        ]);
    }

    #[test]
    fn directories_and_links_have_their_own_rules() {
        refused(&[
            ("d\0", O_WRONLY, Errno::EISDIR),
            ("d\0", O_TRUNC, Errno::EISDIR),
            ("d\0", O_CREAT, Errno::EISDIR),
            ("d\0", O_TMPFILE | O_RDWR, Errno::EROFS),
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
        assert_eq!(file.inode().link_target(), Some(&b"f"[..]));
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
        assert_eq!(fd::with_table(|table| table.close_on_exec(fd)), Ok(true));
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
        assert_eq!(fd::with_table(|table| table.close_on_exec(9)), Ok(true));
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
        assert_eq!(fd::with_table(|table| table.close_on_exec(1023)), Ok(true));
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
