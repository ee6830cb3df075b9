//! User and group ids: credentials(7), and what of each call the manual says. The rules are those
//! of [`cred::ids`].

use crate::cred::caps;
use crate::cred::ids::UNCHANGED;
use crate::cred::{self, ids::Ids};
use crate::errno::{Errno, SysResult};
use crate::uaccess::UserPtr;
use alloc::vec::Vec;
use linux_raw_sys::general::NGROUPS_MAX;

/// getuid(2).
#[inline(always)]
pub fn getuid() -> SysResult {
    Ok(cred::current().uid() as usize)
}

/// geteuid(2).
#[inline(always)]
pub fn geteuid() -> SysResult {
    Ok(cred::current().euid() as usize)
}

/// getgid(2).
#[inline(always)]
pub fn getgid() -> SysResult {
    Ok(cred::current().gid() as usize)
}

/// getegid(2).
#[inline(always)]
pub fn getegid() -> SysResult {
    Ok(cred::current().egid() as usize)
}

/// getresuid(2).
pub fn getresuid(real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) -> SysResult {
    write_ids(cred::current().user(), [real, effective, saved])
}

/// getresgid(2).
pub fn getresgid(real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) -> SysResult {
    write_ids(cred::current().group(), [real, effective, saved])
}

fn write_ids(ids: Ids, to: [UserPtr<u32>; 3]) -> SysResult {
    for (id, to) in [ids.real, ids.effective, ids.saved].iter().zip(to) {
        to.write(id)?;
    }
    Ok(0)
}

/// setuid(2).
pub fn setuid(id: u32) -> SysResult {
    user(|ids, privileged| ids.set(id, privileged))
}

/// setgid(2).
pub fn setgid(id: u32) -> SysResult {
    group(|ids, privileged| ids.set(id, privileged))
}

/// setreuid(2).
pub fn setreuid(real: u32, effective: u32) -> SysResult {
    user(|ids, privileged| ids.set_re(real, effective, privileged))
}

/// setregid(2).
pub fn setregid(real: u32, effective: u32) -> SysResult {
    group(|ids, privileged| ids.set_re(real, effective, privileged))
}

/// setresuid(2).
pub fn setresuid(real: u32, effective: u32, saved: u32) -> SysResult {
    user(|ids, privileged| ids.set_res(real, effective, saved, privileged))
}

/// setresgid(2).
pub fn setresgid(real: u32, effective: u32, saved: u32) -> SysResult {
    group(|ids, privileged| ids.set_res(real, effective, saved, privileged))
}

fn user(rule: impl FnOnce(Ids, bool) -> Result<Ids, Errno>) -> SysResult {
    cred::current().change_user(rule).map(|()| 0)
}

fn group(rule: impl FnOnce(Ids, bool) -> Result<Ids, Errno>) -> SysResult {
    cred::current().change_group(rule).map(|()| 0)
}

/// setfsuid(2): never an error; the previous id.
pub fn setfsuid(id: u32) -> SysResult {
    Ok(cred::current().set_fsuid(id) as usize)
}

/// setfsgid(2): never an error; the previous id.
pub fn setfsgid(id: u32) -> SysResult {
    Ok(cred::current().set_fsgid(id) as usize)
}

/// getgroups(2): the supplementary groups, in ascending order.
pub fn getgroups(size: i32, list: UserPtr<u32>) -> SysResult {
    let room = usize::try_from(size).map_err(|_| Errno::EINVAL)?;
    let groups = cred::current().groups();
    let groups = groups.as_deref().unwrap_or(&[]);
    if room == 0 {
        return Ok(groups.len());
    }
    if groups.len() > room {
        return Err(Errno::EINVAL);
    }
    for (index, gid) in groups.iter().enumerate() {
        list.add(index).write(gid)?;
    }
    Ok(groups.len())
}

/// setgroups(2).
pub fn setgroups(size: i32, list: UserPtr<u32>) -> SysResult {
    let cred = cred::current();
    cred.require(caps::SETGID)?;
    let count = usize::try_from(size)
        .ok()
        .filter(|&count| count <= NGROUPS_MAX as usize)
        .ok_or(Errno::EINVAL)?;
    let mut groups = Vec::new();
    groups.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    for index in 0..count {
        match list.add(index).read()? {
            UNCHANGED => return Err(Errno::EINVAL),
            gid => groups.push(gid),
        }
    }
    cred.set_groups(groups);
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<T>(value: &mut T) -> UserPtr<u32> {
        UserPtr::new(core::ptr::from_mut(value) as usize)
    }

    fn triple(get: fn(UserPtr<u32>, UserPtr<u32>, UserPtr<u32>) -> SysResult) -> [u32; 3] {
        let mut ids = [9; 3];
        let first = at(&mut ids);
        assert_eq!(get(first, first.add(1), first.add(2)), Ok(0));
        ids
    }

    #[test]
    fn ids_are_set_and_read() {
        assert_eq!((setresgid(1, 2, 3), triple(getresgid)), (Ok(0), [1, 2, 3]));
        assert_eq!((setresuid(4, 5, 0), triple(getresuid)), (Ok(0), [4, 5, 0]));
        assert_eq!((getuid(), geteuid()), (Ok(4), Ok(5)));
        assert_eq!((getgid(), getegid()), (Ok(1), Ok(2)));
        assert_eq!(
            (setfsuid(4), setfsuid(9), setfsuid(9)),
            (Ok(5), Ok(4), Ok(4))
        );
        // No capability is effective now, so groups change only among themselves.
        assert_eq!((setgid(7), setgid(3)), (Err(Errno::EPERM), Ok(0)));
        assert_eq!((setregid(2, 1), setregid(3, 1)), (Err(Errno::EPERM), Ok(0)));
        assert_eq!(triple(getresgid), [3, 1, 1]);
        assert_eq!((setreuid(UNCHANGED, 0), setuid(6)), (Ok(0), Ok(0)));
        assert_eq!(triple(getresuid), [6; 3]);
        assert_eq!(setuid(0), Err(Errno::EPERM));
    }

    #[test]
    fn bad_pointers_are_refused() {
        let (mut id, bad) = (0u32, UserPtr::new(usize::MAX));
        let good = at(&mut id);
        assert_eq!(getresuid(good, good, bad), Err(Errno::EFAULT));
        assert_eq!(setgroups(1, bad), Err(Errno::EFAULT));
        assert_eq!((setgroups(0, bad), getgroups(0, bad)), (Ok(0), Ok(0)));
        // Nothing is copied when there is nothing.
        assert_eq!(getgroups(5, bad), Ok(0));
    }

    #[test]
    fn groups_are_set_and_read() {
        let mut list = [30u32, 10, 20];
        assert_eq!(setgroups(3, at(&mut list)), Ok(0));
        let mut found = [0u32; 4];
        assert_eq!(getgroups(0, at(&mut found)), Ok(3));
        assert_eq!(getgroups(2, at(&mut found)), Err(Errno::EINVAL));
        assert_eq!(getgroups(-1, at(&mut found)), Err(Errno::EINVAL));
        assert_eq!(getgroups(4, at(&mut found)), Ok(3));
        assert_eq!(found, [10, 20, 30, 0]);
        assert_eq!(setgroups(-1, at(&mut list)), Err(Errno::EINVAL));
        assert_eq!(setgroups(65_537, at(&mut list)), Err(Errno::EINVAL));
        list[1] = UNCHANGED;
        assert_eq!(setgroups(3, at(&mut list)), Err(Errno::EINVAL));
        assert_eq!(setuid(1), Ok(0));
        assert_eq!(setgroups(-1, at(&mut list)), Err(Errno::EPERM));
        assert_eq!(getgroups(4, at(&mut found)), Ok(3));
    }
}
