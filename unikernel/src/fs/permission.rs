//! Who may do what with a file: the rules of [`crate::cred::permission`] on inodes.

use super::inode::{Inode, Kind};
use crate::cred::permission::{self as rules, Attributes, MAY_EXEC, MAY_READ, MAY_WRITE};
use crate::cred::{self, Cred, caps};
use crate::errno::Errno;
use linux_raw_sys::general::{O_ACCMODE, O_NOATIME, O_RDONLY, O_TRUNC, O_WRONLY};

/// Mode and owners of a file, as the rules take them.
#[inline(always)]
pub fn attributes(inode: &Inode) -> Attributes {
    let (uid, gid) = inode.owner();
    Attributes {
        mode: inode.mode(),
        uid,
        gid,
    }
}

/// Whether all of `wanted` (`MAY_*`, or the bits of access(2)) is permitted. `EACCES`.
pub fn access(inode: &Inode, wanted: u32) -> Result<(), Errno> {
    check(inode, wanted, cred::current())
}

#[inline]
fn check(inode: &Inode, wanted: u32, cred: &Cred) -> Result<(), Errno> {
    let node = match &inode.kind {
        Kind::Proc(node) => Some(node),
        _ => None,
    };
    if node.is_some_and(|node| node.lists_descriptors()) {
        return Ok(());
    }
    attributes(inode).check(wanted, cred)?;
    // There the permissions hold for root, too.
    let is_strict = node.is_some_and(|node| node.is_strict());
    if is_strict && wanted & MAY_WRITE & !granted(inode) != 0 {
        return Err(Errno::EACCES);
    }
    Ok(())
}

/// What anybody at all may do with a file.
fn granted(inode: &Inode) -> u32 {
    let mode = inode.mode();
    mode >> 6 | mode >> 3 | mode
}

/// access(2): as [`access`], by the real user if `real`.
pub fn check_access(inode: &Inode, wanted: u32, real: bool) -> Result<(), Errno> {
    if real {
        cred::current().with_real(|cred| check(inode, wanted, cred))
    } else {
        access(inode, wanted)
    }
}

/// Whether a directory may be searched. One test of one word for root.
#[inline(always)]
pub fn search(directory: &Inode) -> Result<(), Errno> {
    let cred = cred::current();
    if cred.has(caps::DAC_OVERRIDE) {
        return Ok(());
    }
    search_as_other(directory, cred)
}

#[cold]
#[inline(never)]
fn search_as_other(directory: &Inode, cred: &Cred) -> Result<(), Errno> {
    check(directory, MAY_EXEC, cred)
}

/// Whether names may be made in a directory.
pub fn change_directory(directory: &Inode) -> Result<(), Errno> {
    access(directory, MAY_WRITE | MAY_EXEC)
}

/// Mode and owners of a file that is made in `directory`.
pub fn create(directory: &Inode, mode: u32) -> Attributes {
    rules::create(attributes(directory), mode, cred::current())
}

/// Whether a name may be removed from its directory (the sticky bit).
pub fn delete(directory: &Inode, victim: &Inode) -> Result<(), Errno> {
    rules::may_remove(attributes(directory), victim.owner().0, cred::current())
}

/// Whether a file may get another name (`fs.protected_hardlinks`).
pub fn link(inode: &Inode) -> Result<(), Errno> {
    rules::may_link(attributes(inode), cred::current())
}

/// Whether device nodes may be made.
pub fn make_node() -> Result<(), Errno> {
    cred::current().require(caps::MKNOD)
}

/// Whether the root of the process may be changed.
pub fn change_root() -> Result<(), Errno> {
    cred::current().require(caps::SYS_CHROOT)
}

/// The mode that chmod(2) gives.
pub fn change_mode(inode: &Inode, bits: u32) -> Result<u32, Errno> {
    rules::chmod(attributes(inode), bits, cred::current())
}

/// Mode and owners that chown(2) gives.
pub fn change_owner(
    inode: &Inode,
    user: Option<u32>,
    group: Option<u32>,
) -> Result<Attributes, Errno> {
    rules::chown(attributes(inode), user, group, cred::current())
}

/// Whether the times may be set: to the present (`now`) or to any time.
pub fn change_times(inode: &Inode, now: bool) -> Result<(), Errno> {
    rules::may_set_times(attributes(inode), now, cred::current())
}

/// Whether the size may become `size`.
pub fn resize(_inode: &Inode, _size: u64) -> Result<(), Errno> {
    Ok(())
}

/// The content was written: who could not give the file its set-id bits takes them away.
#[inline]
pub fn wrote(inode: &Inode) {
    let attributes = attributes(inode);
    let mode = rules::mode_after_write(attributes, cred::current());
    if mode != attributes.mode {
        inode.set_permissions(mode);
    }
}

/// Whether a file that exists may be opened with these flags of open(2).
pub fn open(inode: &Inode, flags: u32) -> Result<(), Errno> {
    let mut wanted = match flags & O_ACCMODE {
        O_RDONLY => MAY_READ,
        O_WRONLY => MAY_WRITE,
        _ => MAY_READ | MAY_WRITE,
    };
    if flags & O_TRUNC != 0 {
        wanted |= MAY_WRITE;
    }
    access(inode, wanted)?;
    if flags & O_NOATIME != 0 {
        own(inode)?;
    }
    Ok(())
}

/// Whether it is the process's file, or as good as that. `EPERM`.
pub fn own(inode: &Inode) -> Result<(), Errno> {
    attributes(inode).check_owner(cred::current())
}

#[cfg(test)]
mod tests {
    use crate::errno::Errno;
    use crate::fs::Stdin;
    use crate::fs::testing::{Packer, boot_with, cstr};
    use crate::sys::dir::{mknod, renameat2};
    use crate::sys::file::{fcntl, open};
    use crate::sys::identity::setuid;
    use linux_raw_sys::general::{
        AT_FDCWD, F_SETFL, O_CREAT, O_NOATIME, O_PATH, O_RDWR, RENAME_WHITEOUT, S_IFBLK, S_IFCHR,
    };

    #[test]
    fn an_ordinary_user_may_do_less() {
        let packer = Packer::default().file("f", b"").entry(0o041_777, "d", b"");
        let _fs = boot_with(Some(packer), Stdin::Null);
        let other = open(cstr("f\0"), 0, 0).unwrap() as i32;
        assert_eq!(setuid(1000), Ok(0));
        let own = open(cstr("d/own\0"), O_CREAT | O_RDWR, 0o600).unwrap() as i32;
        let hide = |fd| fcntl(fd, F_SETFL, O_NOATIME as usize);
        assert_eq!((hide(other), hide(own)), (Err(Errno::EPERM), Ok(0)));
        let path = format!("/proc/self/fd/{own}\0");
        assert!(
            open(cstr(&path), O_PATH, 0).is_ok() && open(cstr("/proc/self/fd\0"), 0, 0).is_ok()
        );
        assert_eq!(mknod(cstr("d/c\0"), S_IFCHR, 0), Ok(0));
        assert_eq!(mknod(cstr("d/b\0"), S_IFBLK, 0), Err(Errno::EPERM));
        let (from, to) = (cstr("d/own\0"), cstr("d/to\0"));
        let moved = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_WHITEOUT);
        assert_eq!(moved, Ok(0));
    }
}
