//! Calls that would change the tree. The root is read-only, so each ends with an error; which one
//! is what Linux says on a read-only file system, in Linux's order.

use crate::errno::{Errno, SysResult};
use crate::fs::fd;
use crate::fs::path::{Found, create_at, lookup_at, parent_at};
use crate::fs::tree::{Kind, file_type};
use crate::fs::walk::Last;
use crate::uaccess::UserPtr;
use linux_raw_sys::general::{
    __kernel_timespec, AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW,
    AT_SYMLINK_NOFOLLOW, RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT, S_IFBLK, S_IFCHR,
    S_IFDIR, S_IFIFO, S_IFREG, S_IFSOCK, UTIME_NOW, UTIME_OMIT,
};

/// mkdir(2).
pub fn mkdir(path: UserPtr<u8>, mode: u32) -> SysResult {
    mkdirat(AT_FDCWD, path, mode)
}

/// mkdirat(2).
pub fn mkdirat(dirfd: i32, path: UserPtr<u8>, _mode: u32) -> SysResult {
    Err(create_at(dirfd, path, true))
}

/// mknod(2).
pub fn mknod(path: UserPtr<u8>, mode: u32, device: u32) -> SysResult {
    mknodat(AT_FDCWD, path, mode, device)
}

/// mknodat(2).
pub fn mknodat(dirfd: i32, path: UserPtr<u8>, mode: u32, _device: u32) -> SysResult {
    match file_type(mode) {
        0 | S_IFREG | S_IFCHR | S_IFBLK | S_IFIFO | S_IFSOCK => Err(create_at(dirfd, path, false)),
        S_IFDIR => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

/// symlink(2).
pub fn symlink(target: UserPtr<u8>, path: UserPtr<u8>) -> SysResult {
    symlinkat(target, AT_FDCWD, path)
}

/// symlinkat(2).
pub fn symlinkat(target: UserPtr<u8>, dirfd: i32, path: UserPtr<u8>) -> SysResult {
    if target.read()? == 0 {
        return Err(Errno::ENOENT);
    }
    Err(create_at(dirfd, path, false))
}

/// link(2).
pub fn link(old: UserPtr<u8>, new: UserPtr<u8>) -> SysResult {
    linkat(AT_FDCWD, old, AT_FDCWD, new, 0)
}

/// linkat(2).
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
    lookup_at(old_dirfd, old, flags & AT_EMPTY_PATH | nofollow)?;
    Err(create_at(new_dirfd, new, false))
}

/// unlink(2).
pub fn unlink(path: UserPtr<u8>) -> SysResult {
    unlinkat(AT_FDCWD, path, 0)
}

/// rmdir(2).
pub fn rmdir(path: UserPtr<u8>) -> SysResult {
    unlinkat(AT_FDCWD, path, AT_REMOVEDIR)
}

/// unlinkat(2). Linux finds that the file system is read-only before it looks the name up.
pub fn unlinkat(dirfd: i32, path: UserPtr<u8>, flags: u32) -> SysResult {
    if flags & !AT_REMOVEDIR != 0 {
        return Err(Errno::EINVAL);
    }
    let directory = flags & AT_REMOVEDIR != 0;
    Err(match parent_at(dirfd, path)? {
        Last::Name => Errno::EROFS,
        _ if !directory => Errno::EISDIR,
        Last::Dot => Errno::EINVAL,
        Last::DotDot => Errno::ENOTEMPTY,
        Last::Root => Errno::EBUSY,
    })
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
    let (from, to) = (parent_at(old_dirfd, old)?, parent_at(new_dirfd, new)?);
    Err(match (from, to) {
        (Last::Name, Last::Name) => Errno::EROFS,
        (Last::Name, _) if flags & RENAME_NOREPLACE != 0 => Errno::EEXIST,
        _ => Errno::EBUSY,
    })
}

/// chmod(2).
pub fn chmod(path: UserPtr<u8>, mode: u32) -> SysResult {
    fchmodat(AT_FDCWD, path, mode)
}

/// fchmod(2).
pub fn fchmod(fd: i32, _mode: u32) -> SysResult {
    fd::get(fd)?;
    Err(Errno::EROFS)
}

/// fchmodat(2), the system call: it has no flags.
pub fn fchmodat(dirfd: i32, path: UserPtr<u8>, mode: u32) -> SysResult {
    fchmodat2(dirfd, path, mode, 0)
}

/// fchmodat2(2).
pub fn fchmodat2(dirfd: i32, path: UserPtr<u8>, _mode: u32, flags: u32) -> SysResult {
    Err(attributes_refusal(dirfd, path, flags)?)
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
pub fn fchown(fd: i32, _user: u32, _group: u32) -> SysResult {
    fd::get(fd)?;
    Err(Errno::EROFS)
}

/// fchownat(2).
pub fn fchownat(dirfd: i32, path: UserPtr<u8>, _user: u32, _group: u32, flags: u32) -> SysResult {
    Err(attributes_refusal(dirfd, path, flags)?)
}

/// Why the attributes of a file that exists cannot be changed.
fn attributes_refusal(dirfd: i32, path: UserPtr<u8>, flags: u32) -> Result<Errno, Errno> {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    lookup_at(dirfd, path, flags).map(|_| Errno::EROFS)
}

/// utimensat(2). A NULL path means `dirfd` itself: that is futimens(3).
pub fn utimensat(
    dirfd: i32,
    path: UserPtr<u8>,
    times: UserPtr<[__kernel_timespec; 2]>,
    flags: u32,
) -> SysResult {
    const OMIT: i64 = UTIME_OMIT as i64;
    const NOW: i64 = UTIME_NOW as i64;
    let mut nanoseconds = [0; 2];
    if let Some(times) = times.optional() {
        let times = times.cast::<__kernel_timespec>();
        nanoseconds = [times.read()?.tv_nsec, times.add(1).read()?.tv_nsec];
        if nanoseconds == [OMIT; 2] {
            return Ok(0);
        }
    }
    let refusal = if path.is_null() && dirfd != AT_FDCWD {
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        fd::get(dirfd).map(|_| Errno::EROFS)?
    } else {
        attributes_refusal(dirfd, path, flags)?
    };
    let sound = |&nsec: &i64| matches!(nsec, 0..=999_999_999 | OMIT | NOW);
    Err(if nanoseconds.iter().all(sound) {
        refusal
    } else {
        Errno::EINVAL
    })
}

/// truncate(2).
pub fn truncate(path: UserPtr<u8>, length: i64) -> SysResult {
    if length < 0 {
        return Err(Errno::EINVAL);
    }
    let Found { inode, .. } = lookup_at(AT_FDCWD, path, 0)?;
    Err(match inode.kind {
        Kind::Dir(_) => Errno::EISDIR,
        Kind::File(_) => Errno::EROFS,
        _ => Errno::EINVAL,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Stdin;
    use crate::fs::testing::{Packer, boot_with, cstr};
    use Errno as E;

    fn boot() -> impl Sized {
        boot_with(
            Some(Packer::default().file("f", b"abc").link("gone", "none")),
            Stdin::Null,
        )
    }

    #[test]
    fn new_names_meet_old_ones_first() {
        let _fs = boot();
        let rows = [
            ("new\0", E::EROFS),
            ("f\0", E::EEXIST),
            ("f/\0", E::EEXIST),
            ("gone\0", E::EEXIST),
            (".\0", E::EEXIST),
            ("/\0", E::EEXIST),
            ("f/x\0", E::ENOTDIR),
            ("none/x\0", E::ENOENT),
            ("\0", E::ENOENT),
        ];
        for (path, errno) in rows {
            assert_eq!(mkdir(cstr(path), 0o755), Err(errno), "{path:?}");
            assert_eq!(mknod(cstr(path), S_IFIFO, 0), Err(errno), "{path:?}");
            assert_eq!(symlink(cstr("x\0"), cstr(path)), Err(errno), "{path:?}");
            assert_eq!(link(cstr("f\0"), cstr(path)), Err(errno), "{path:?}");
        }
        assert_eq!(mknod(cstr("new\0"), S_IFDIR, 0), Err(E::EPERM));
        assert_eq!(mknod(cstr("new\0"), 0o170_000, 0), Err(E::EINVAL));
        assert_eq!(symlink(cstr("\0"), cstr("new\0")), Err(E::ENOENT));
        assert_eq!(link(cstr("none\0"), cstr("new\0")), Err(E::ENOENT));
        assert_eq!(
            linkat(AT_FDCWD, cstr("f\0"), AT_FDCWD, cstr("new\0"), 1),
            Err(E::EINVAL)
        );
    }

    #[test]
    fn removal_fails_before_the_lookup() {
        let _fs = boot();
        let rows = [
            ("f\0", E::EROFS, E::EROFS),
            ("none\0", E::EROFS, E::EROFS),
            ("none/x\0", E::ENOENT, E::ENOENT),
            (".\0", E::EISDIR, E::EINVAL),
            ("..\0", E::EISDIR, E::ENOTEMPTY),
            ("/\0", E::EISDIR, E::EBUSY),
        ];
        for (path, file, directory) in rows {
            assert_eq!(unlink(cstr(path)), Err(file), "{path:?}");
            assert_eq!(rmdir(cstr(path)), Err(directory), "{path:?}");
        }
        assert_eq!(unlinkat(AT_FDCWD, cstr("f\0"), 1), Err(E::EINVAL));
    }

    #[test]
    fn renames_fail() {
        let _fs = boot();
        assert_eq!(rename(cstr("f\0"), cstr("g\0")), Err(E::EROFS));
        assert_eq!(rename(cstr("f\0"), cstr(".\0")), Err(E::EBUSY));
        assert_eq!(rename(cstr("..\0"), cstr("g\0")), Err(E::EBUSY));
        assert_eq!(rename(cstr("f/x\0"), cstr("g\0")), Err(E::ENOTDIR));
        let with = |flags| renameat2(AT_FDCWD, cstr("f\0"), AT_FDCWD, cstr(".\0"), flags);
        assert_eq!(with(RENAME_NOREPLACE), Err(E::EEXIST));
        assert_eq!(with(RENAME_NOREPLACE | RENAME_EXCHANGE), Err(E::EINVAL));
        assert_eq!(
            renameat(9, cstr("f\0"), AT_FDCWD, cstr("g\0")),
            Err(E::EBADF)
        );
    }

    #[test]
    fn attributes_stay_as_they_are() {
        let _fs = boot();
        assert_eq!(chmod(cstr("f\0"), 0), Err(E::EROFS));
        assert_eq!(chmod(cstr("gone\0"), 0), Err(E::ENOENT));
        assert_eq!(lchown(cstr("gone\0"), 1, 1), Err(E::EROFS));
        assert_eq!(
            (chown(cstr("f\0"), 1, 1), fchown(99, 1, 1)),
            (Err(E::EROFS), Err(E::EBADF))
        );
        assert_eq!(
            (fchmod(0, 0), fchmod(99, 0)),
            (Err(E::EROFS), Err(E::EBADF))
        );
        assert_eq!(fchmodat2(AT_FDCWD, cstr("f\0"), 0, 1), Err(E::EINVAL));
        assert_eq!(truncate(cstr("f\0"), 0), Err(E::EROFS));
        assert_eq!(truncate(cstr("/\0"), 0), Err(E::EISDIR));
        assert_eq!(truncate(cstr("/dev/null\0"), 0), Err(E::EINVAL));
        assert_eq!(truncate(cstr("none\0"), -1), Err(E::EINVAL));
    }

    #[test]
    fn times_are_checked_then_refused() {
        let _fs = boot();
        let set = |path: &str, nsec: [i64; 2]| {
            let times = nsec.map(|tv_nsec| __kernel_timespec { tv_sec: 0, tv_nsec });
            utimensat(
                AT_FDCWD,
                cstr(path),
                UserPtr::new(times.as_ptr() as usize),
                0,
            )
        };
        assert_eq!(set("f\0", [0, UTIME_NOW.into()]), Err(E::EROFS));
        assert_eq!(set("none\0", [UTIME_OMIT.into(); 2]), Ok(0));
        assert_eq!(set("f\0", [0, 1_000_000_000]), Err(E::EINVAL));
        let (null, now) = (UserPtr::new(0), UserPtr::new(0));
        assert_eq!(utimensat(0, null, now, 0), Err(E::EROFS));
        assert_eq!(utimensat(99, null, now, 0), Err(E::EBADF));
    }
}
