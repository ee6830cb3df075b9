//! stat(2), statx(2), access(2) and their kin.

use crate::errno::{Errno, SysResult};
use crate::fs::inode::file_type;
use crate::fs::path::PathBuf;
use crate::fs::stat::{to_stat, to_statx};
use crate::fs::{fd, permission, vfs};
use crate::uaccess::UserPtr;
use linux_raw_sys::general::{
    AT_EACCESS, AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_STATX_SYNC_TYPE, AT_SYMLINK_NOFOLLOW,
    R_OK, S_IFREG, STATX__RESERVED, W_OK, X_OK, stat as Stat, statx as Statx,
};

const STAT_FLAGS: u32 = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;

/// stat(2).
pub fn stat(path: UserPtr<u8>, buffer: UserPtr<Stat>) -> SysResult {
    newfstatat(AT_FDCWD, path, buffer, 0)
}

/// lstat(2).
pub fn lstat(path: UserPtr<u8>, buffer: UserPtr<Stat>) -> SysResult {
    newfstatat(AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW)
}

/// fstat(2).
pub fn fstat(fd: i32, buffer: UserPtr<Stat>) -> SysResult {
    let described = to_stat(fd::peek(fd)?.inode());
    buffer.write(&described)?;
    Ok(0)
}

/// Whether the call is about the descriptor itself: since Linux 6.11 with NULL for the empty path.
fn is_descriptor(path: UserPtr<u8>, flags: u32) -> bool {
    flags & AT_EMPTY_PATH != 0 && path.is_null()
}

/// newfstatat(2), which is fstatat(3).
pub fn newfstatat(dirfd: i32, path: UserPtr<u8>, buffer: UserPtr<Stat>, flags: u32) -> SysResult {
    if flags & !STAT_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let described = if is_descriptor(path, flags) {
        let vfs = vfs();
        to_stat(vfs.inode(vfs.descriptor(dirfd)?)?)
    } else {
        let mut room = PathBuf::new();
        let path = room.read(path)?;
        let mut vfs = vfs();
        let found = vfs.find(dirfd, path, flags)?;
        to_stat(vfs.inode(found)?)
    };
    buffer.write(&described)?;
    Ok(0)
}

/// statx(2): the basic set of fields, the mount, and the birth time when it is asked for.
pub fn statx(
    dirfd: i32,
    path: UserPtr<u8>,
    flags: u32,
    mask: u32,
    buffer: UserPtr<Statx>,
) -> SysResult {
    let both_syncs = flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE;
    if mask & STATX__RESERVED != 0 || flags & !STAT_FLAGS != 0 || both_syncs {
        return Err(Errno::EINVAL);
    }
    let described = {
        let mut room = PathBuf::new();
        let path = if is_descriptor(path, flags) {
            room.copy(b"")?
        } else {
            room.read(path)?
        };
        let mut vfs = vfs();
        let found = vfs.find(dirfd, path, flags)?;
        let is_root = found == vfs.root || vfs.cache.covered_by(found).is_some();
        to_statx(vfs.inode(found)?, mask, is_root)
    };
    buffer.write(&described)?;
    Ok(0)
}

/// access(2).
pub fn access(path: UserPtr<u8>, mode: u32) -> SysResult {
    faccessat2(AT_FDCWD, path, mode, 0)
}

/// faccessat(2), the system call: it has no flags.
pub fn faccessat(dirfd: i32, path: UserPtr<u8>, mode: u32) -> SysResult {
    faccessat2(dirfd, path, mode, 0)
}

/// faccessat2(2). Without `AT_EACCESS` the real user counts.
pub fn faccessat2(dirfd: i32, path: UserPtr<u8>, mode: u32, flags: u32) -> SysResult {
    let known = AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    if mode & !(R_OK | W_OK | X_OK) != 0 || flags & !known != 0 {
        return Err(Errno::EINVAL);
    }
    let mut room = PathBuf::new();
    let path = room.read(path)?;
    let mut vfs = vfs();
    let found = vfs.find(dirfd, path, flags)?;
    if mode == 0 {
        return Ok(0);
    }
    let inode = vfs.inode(found)?;
    if mode & X_OK != 0 && file_type(inode.mode()) == S_IFREG && inode.sb.is_noexec() {
        return Err(Errno::EACCES);
    }
    let by_real_user = flags & AT_EACCESS == 0;
    permission::check_access(inode, mode, by_real_user)?;
    let has_content = inode.store().is_some() || inode.is_dir() || inode.is_symlink();
    if mode & W_OK != 0 && has_content {
        inode.sb.check_writable()?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Stdin;
    use crate::fs::testing::{Packer, boot_with, cstr};
    use crate::sys::file::open;
    use linux_raw_sys::general::{AT_STATX_DONT_SYNC, F_OK, O_NOFOLLOW, O_PATH};

    fn boot() -> impl Sized {
        let packer = Packer::default()
            .file("f", b"hello")
            .entry(0o100_755, "bin/x", b"#!")
            .link("l", "f")
            .link("gone", "none");
        boot_with(Some(packer), Stdin::Null)
    }

    fn buffer() -> (Box<[u8; 256]>, usize) {
        let mut room = Box::new([0; 256]);
        let address = room.as_mut_ptr() as usize;
        (room, address)
    }

    fn stat_of(path: &str, flags: u32) -> Result<(u32, i64), Errno> {
        let (_room, address) = buffer();
        newfstatat(AT_FDCWD, cstr(path), UserPtr::new(address), flags)?;
        let stat: Stat = UserPtr::new(address).read()?;
        Ok((stat.st_mode, stat.st_size))
    }

    #[test]
    fn files_are_described_by_path() {
        let _fs = boot();
        assert_eq!(stat_of("f\0", 0), Ok((0o100_644, 5)));
        assert_eq!(stat_of("l\0", 0), Ok((0o100_644, 5)));
        assert_eq!(stat_of("l\0", AT_SYMLINK_NOFOLLOW), Ok((0o120_777, 1)));
        assert_eq!(stat_of("bin\0", AT_NO_AUTOMOUNT), Ok((0o040_755, 60)));
        assert_eq!(stat_of("gone\0", 0), Err(Errno::ENOENT));
        assert_eq!(stat_of("/dev/null\0", 0), Ok((0o020_666, 0)));
        assert_eq!(stat_of("/dev/stdin\0", 0), Ok((0o020_666, 0)));
        assert_eq!(stat_of("f\0", AT_EACCESS), Err(Errno::EINVAL));
        // Four names here, and /dev, /proc, /sys and /tmp.
        assert_eq!(stat_of("\0", AT_EMPTY_PATH), Ok((0o040_755, 200)));
        assert_eq!(stat_of("\0", 0), Err(Errno::ENOENT));
    }

    #[test]
    fn files_are_described_by_descriptor() {
        let _fs = boot();
        let fd = open(cstr("l\0"), O_PATH | O_NOFOLLOW, 0).unwrap() as i32;
        let (_room, address) = buffer();
        assert_eq!(fstat(fd, UserPtr::new(address)), Ok(0));
        assert_eq!(
            UserPtr::<Stat>::new(address).read().unwrap().st_mode,
            0o120_777
        );
        assert_eq!(fstat(99, UserPtr::new(address)), Err(Errno::EBADF));
        assert_eq!(
            fstat(fd, UserPtr::new(usize::MAX - 255)),
            Err(Errno::EFAULT)
        );
        assert_eq!(
            newfstatat(fd, cstr("\0"), UserPtr::new(address), AT_EMPTY_PATH),
            Ok(0)
        );
        assert_eq!(
            newfstatat(fd, cstr("x\0"), UserPtr::new(address), 0),
            Err(Errno::ENOTDIR)
        );
    }

    #[test]
    fn statx_checks_flags_and_mask() {
        let _fs = boot();
        let (_room, address) = buffer();
        let go = |flags, mask| statx(AT_FDCWD, cstr("f\0"), flags, mask, UserPtr::new(address));
        assert_eq!(go(AT_STATX_DONT_SYNC, 0x7ff), Ok(0));
        assert_eq!(UserPtr::<Statx>::new(address).read().unwrap().stx_size, 5);
        assert_eq!(go(AT_STATX_SYNC_TYPE, 0x7ff), Err(Errno::EINVAL));
        assert_eq!(go(AT_EACCESS, 0x7ff), Err(Errno::EINVAL));
        assert_eq!(go(0, STATX__RESERVED), Err(Errno::EINVAL));
        let null = UserPtr::new(0);
        assert_eq!(
            statx(0, null, AT_EMPTY_PATH, 0, UserPtr::new(address)),
            Ok(0)
        );
        assert_eq!(
            statx(9, null, AT_EMPTY_PATH, 0, UserPtr::new(address)),
            Err(Errno::EBADF)
        );
    }

    #[test]
    fn root_may_do_all_but_execute_what_nobody_may() {
        let _fs = boot();
        let rows = [
            ("f\0", F_OK, Ok(0)),
            ("f\0", R_OK, Ok(0)),
            ("f\0", W_OK, Ok(0)),
            ("f\0", X_OK, Err(Errno::EACCES)),
            ("bin/x\0", R_OK | X_OK, Ok(0)),
            ("bin\0", X_OK, Ok(0)),
            ("bin\0", X_OK | W_OK, Ok(0)),
            ("/dev/null\0", R_OK | W_OK, Ok(0)),
            ("/dev/null\0", X_OK, Err(Errno::EACCES)),
            ("none\0", F_OK, Err(Errno::ENOENT)),
            ("f\0", 8, Err(Errno::EINVAL)),
        ];
        for (path, mode, wanted) in rows {
            assert_eq!(access(cstr(path), mode), wanted, "{path:?} {mode}");
            assert_eq!(faccessat(AT_FDCWD, cstr(path), mode), wanted);
        }
        assert_eq!(
            faccessat2(AT_FDCWD, cstr("gone\0"), 0, AT_SYMLINK_NOFOLLOW),
            Ok(0)
        );
        assert_eq!(
            faccessat2(AT_FDCWD, cstr("f\0"), 0, AT_NO_AUTOMOUNT),
            Err(Errno::EINVAL)
        );
    }
}
