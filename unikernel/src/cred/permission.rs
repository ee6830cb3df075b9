//! What a file system asks before it does something: path_resolution(7), chmod(2), chown(2),
//! inode(7). The functions of Linux they follow are in fs/namei.c, fs/attr.c and fs/inode.c.

use super::{Cred, caps};
use crate::errno::Errno;
use linux_raw_sys::general::{
    S_IFDIR, S_IFMT, S_IFREG, S_ISGID, S_ISUID, S_ISVTX, S_IXGRP, S_IXOTH, S_IXUSR,
};

/// Execute a file, or search a directory.
pub const MAY_EXEC: u32 = 1;
/// Write.
pub const MAY_WRITE: u32 = 2;
/// Read.
pub const MAY_READ: u32 = 4;

const ANY_EXEC: u32 = S_IXUSR | S_IXGRP | S_IXOTH;

/// Whose a file is and who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// `st_mode`, the type included.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Attributes {
    const fn is(self, kind: u32) -> bool {
        self.mode & S_IFMT == kind
    }

    /// Whether it is a directory.
    pub const fn is_dir(self) -> bool {
        self.is(S_IFDIR)
    }

    /// Whether it is a regular file.
    pub const fn is_file(self) -> bool {
        self.is(S_IFREG)
    }

    /// [`may`] as a result: `EACCES`.
    #[inline]
    pub fn check(self, mask: u32, cred: &Cred) -> Result<(), Errno> {
        if may(self.mode, self.uid, self.gid, self.is_dir(), mask, cred) {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    /// Whether `cred` may do what is the owner's: chmod(2), setting times, `O_NOATIME`.
    pub fn is_owner(self, cred: &Cred) -> bool {
        self.uid == cred.fsuid() || cred.has(caps::FOWNER)
    }

    /// `EPERM` unless `cred` may do what is the owner's.
    pub fn check_owner(self, cred: &Cred) -> Result<(), Errno> {
        permit(self.is_owner(cred))
    }
}

const fn permit(allowed: bool) -> Result<(), Errno> {
    if allowed { Ok(()) } else { Err(Errno::EPERM) }
}

/// Whether `cred` may do all of `mask` (`MAY_*`; 0 is always allowed) with a file that has these
/// permission bits and owners. One test of one word for root.
#[inline(always)]
pub fn may(mode: u32, uid: u32, gid: u32, is_dir: bool, mask: u32, cred: &Cred) -> bool {
    if cred.has(caps::DAC_OVERRIDE) {
        return is_dir || mask & MAY_EXEC == 0 || mode & ANY_EXEC != 0;
    }
    may_as_other(mode, uid, gid, is_dir, mask, cred)
}

#[inline(never)]
fn may_as_other(mode: u32, uid: u32, gid: u32, is_dir: bool, mask: u32, cred: &Cred) -> bool {
    let granted = if uid == cred.fsuid() {
        mode >> 6
    } else if mask & (mode ^ (mode >> 3)) != 0 && cred.in_group(gid) {
        // Only asked where the group's bits are not the others'.
        mode >> 3
    } else {
        mode
    };
    if mask & 7 & !granted == 0 {
        return true;
    }
    let searches = if is_dir {
        mask & MAY_WRITE == 0
    } else {
        mask == MAY_READ
    };
    searches && cred.has(caps::DAC_READ_SEARCH)
}

/// Whether an entry for a file of `victim` may be removed from or renamed in `dir`. Errors:
/// `EACCES`, `EPERM` (the sticky bit).
pub fn may_remove(dir: Attributes, victim: u32, cred: &Cred) -> Result<(), Errno> {
    dir.check(MAY_WRITE | MAY_EXEC, cred)?;
    permit(
        dir.mode & S_ISVTX == 0
            || victim == cred.fsuid()
            || dir.uid == cred.fsuid()
            || cred.has(caps::FOWNER),
    )
}

/// Whether `file` may get another name, as `fs.protected_hardlinks` has it: what runs with another's
/// privileges, what is no regular file and what one may not read and write is the owner's to link.
/// Errors: `EPERM`.
pub fn may_link(file: Attributes, cred: &Cred) -> Result<(), Errno> {
    let runs_as_group = file.mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP;
    let plain = file.is_file() && file.mode & S_ISUID == 0 && !runs_as_group;
    permit(plain && file.check(MAY_READ | MAY_WRITE, cred).is_ok() || file.is_owner(cred))
}

/// Whether the set-group-ID bit may stay on a file of group `gid`.
fn keeps_setgid(gid: u32, cred: &Cred) -> bool {
    cred.has(caps::FSETID) || cred.in_group(gid)
}

/// chmod(2): the new mode of `file` for the bits `bits` (07777; the type is the old one). Errors:
/// `EPERM`.
pub fn chmod(file: Attributes, bits: u32, cred: &Cred) -> Result<u32, Errno> {
    file.check_owner(cred)?;
    let mut mode = file.mode & S_IFMT | bits & 0o7777;
    if mode & S_ISGID != 0 && !keeps_setgid(file.gid, cred) {
        mode &= !S_ISGID;
    }
    Ok(mode)
}

/// chown(2): the new attributes of `file`; `None` leaves an owner as it is. Of anything but a
/// directory the set-user-ID bit goes, and the set-group-ID bit where it is not for locking, root
/// or not and changed or not. Errors: `EPERM`.
pub fn chown(
    file: Attributes,
    uid: Option<u32>,
    gid: Option<u32>,
    cred: &Cred,
) -> Result<Attributes, Errno> {
    let owns = file.uid == cred.fsuid();
    let free = cred.has(caps::CHOWN);
    permit(free || uid.is_none_or(|uid| owns && uid == file.uid))?;
    permit(free || gid.is_none_or(|gid| owns && (gid == file.gid || cred.in_group(gid))))?;
    let mut mode = file.mode;
    if !file.is_dir() {
        mode = without_setid(file, cred);
    }
    let gid = gid.unwrap_or(file.gid);
    if mode != file.mode {
        // Linux makes it a chmod(2) as well, with that call's rules for the new group.
        file.check_owner(cred)?;
        if !keeps_setgid(gid, cred) {
            mode &= !S_ISGID;
        }
    }
    let uid = uid.unwrap_or(file.uid);
    Ok(Attributes { mode, uid, gid })
}

/// The mode without set-user-ID, and without set-group-ID unless the group may not execute (then it
/// once meant mandatory locking) and the caller belongs to it.
fn without_setid(file: Attributes, cred: &Cred) -> u32 {
    let mut mode = file.mode & !S_ISUID;
    if mode & S_ISGID != 0 && (mode & S_IXGRP != 0 || !keeps_setgid(file.gid, cred)) {
        mode &= !S_ISGID;
    }
    mode
}

/// The mode after content of `file` was changed (write(2), truncate(2)): who could not give the
/// file its set-id bits must not change what runs with them. Almost always one test.
#[inline]
pub fn mode_after_write(file: Attributes, cred: &Cred) -> u32 {
    if file.mode & (S_ISUID | S_ISGID) == 0 || cred.has(caps::FSETID) || !file.is_file() {
        return file.mode;
    }
    without_setid(file, cred)
}

/// Owners and mode of a file that is made in `dir` with `mode` (type included; the umask comes
/// after this). A set-group-ID directory hands its group on, and to directories the bit.
pub fn create(dir: Attributes, mode: u32, cred: &Cred) -> Attributes {
    let mut new = Attributes {
        mode,
        uid: cred.fsuid(),
        gid: cred.fsgid(),
    };
    if dir.mode & S_ISGID == 0 {
        return new;
    }
    new.gid = dir.gid;
    let runs_as_group = mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP;
    if new.is_dir() {
        new.mode |= S_ISGID;
    } else if runs_as_group && !keeps_setgid(dir.gid, cred) {
        new.mode &= !S_ISGID;
    }
    new
}

/// utimensat(2): whether the times of `file` may be set, both to the present (`now`) or to anything.
/// Errors: `EPERM`, and for the present `EACCES`.
pub fn may_set_times(file: Attributes, now: bool, cred: &Cred) -> Result<(), Errno> {
    match (file.is_owner(cred), now) {
        (true, _) => Ok(()),
        (false, true) => file.check(MAY_WRITE, cred),
        (false, false) => Err(Errno::EPERM),
    }
}

#[cfg(test)]
mod tests;
