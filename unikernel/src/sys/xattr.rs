//! setxattr(2), getxattr(2), listxattr(2), removexattr(2) and their kin.
//!
//! The calls are written against two traits: [`Target`] is a file as attributes see it, [`Find`]
//! finds one by path or descriptor. Linux copies name and value in before it looks for the file (since 6.13);
//! so is it here.

mod files;

pub use files::Files;

use crate::cred::permission::Attributes;
use crate::cred::{self, Cred};
use crate::errno::{Errno, SysResult};
use crate::fs::xattr::namespace::{self, Access};
use crate::fs::xattr::{Slot, space};
use crate::uaccess::{UserPtr, UserSlice, read_path};
use alloc::boxed::Box;
use alloc::vec::Vec;
use linux_raw_sys::general::{
    XATTR_CREATE, XATTR_LIST_MAX, XATTR_NAME_MAX, XATTR_REPLACE, XATTR_SIZE_MAX,
};

/// A file that may have attributes.
pub trait Target {
    /// Mode and owners.
    fn attributes(&self) -> Attributes;

    /// Its attributes; `None` where the file system has none (`EOPNOTSUPP`).
    fn xattrs(&self) -> Option<&Slot>;

    /// The same, for one that gets an attribute. Errors: `ENOMEM`.
    fn own_xattrs(&self) -> Result<&Slot, Errno>;

    /// `EROFS` when it was reached by a mount that is read-only.
    fn check_writable(&self) -> Result<(), Errno>;

    /// Takes space for attributes. Errors: `ENOSPC`.
    fn charge(&self, bytes: usize) -> Result<(), Errno>;

    /// Gives space for attributes back.
    fn release(&self, bytes: usize);

    /// They changed: `st_ctime`, `IN_ATTRIB`.
    fn changed(&self);
}

/// How files are found.
pub trait Find {
    /// What is found.
    type Target: Target;

    /// The file that a path names, followed if it is a symbolic link and `follow`. Errors: those
    /// of path_resolution(7).
    fn by_path(path: UserPtr<u8>, follow: bool) -> Result<Self::Target, Errno>;

    /// The file that a descriptor refers to. Errors: `EBADF`, also for an `O_PATH` one.
    fn by_descriptor(fd: i32) -> Result<Self::Target, Errno>;
}

type Name = heapless::Vec<u8, { XATTR_NAME_MAX as usize }>;

/// Copies a name in. Errors: `ERANGE` (empty, or longer than 255 bytes), `EFAULT`.
fn read_name(name: UserPtr<u8>) -> Result<Name, Errno> {
    let mut room = [0; XATTR_NAME_MAX as usize + 1];
    match read_path(name, &mut room) {
        Ok([]) | Err(Errno::ENAMETOOLONG) => Err(Errno::ERANGE),
        Ok(name) => Name::from_slice(name).map_err(|_| Errno::ERANGE),
        Err(errno) => Err(errno),
    }
}

/// Copies a value in. Errors: `E2BIG`, `ENOMEM`, `EFAULT`.
fn read_value(value: UserPtr<u8>, size: usize) -> Result<Box<[u8]>, Errno> {
    if size > XATTR_SIZE_MAX as usize {
        return Err(Errno::E2BIG);
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(size, 0);
    if UserSlice::new(value.address(), size).read(&mut bytes)? < size {
        return Err(Errno::EFAULT);
    }
    Ok(bytes.into_boxed_slice())
}

fn write(to: UserSlice, bytes: &[u8]) -> Result<(), Errno> {
    if to.write(bytes)? < bytes.len() {
        return Err(Errno::EFAULT);
    }
    Ok(())
}

#[inline(never)]
fn set<T: Target>(
    find: impl FnOnce() -> Result<T, Errno>,
    name: UserPtr<u8>,
    value: UserPtr<u8>,
    size: usize,
    flags: u32,
) -> SysResult {
    if flags & !(XATTR_CREATE | XATTR_REPLACE) != 0 {
        return Err(Errno::EINVAL);
    }
    let name = read_name(name)?;
    let value = read_value(value, size)?;
    let target = find()?;
    target.check_writable()?;
    namespace::check_value(&name, &value)?;
    namespace::check(&name, Access::Change, target.attributes(), cred::current())?;
    target.xattrs().ok_or(Errno::EOPNOTSUPP)?;
    namespace::check_support(&name)?;
    let slot = target.own_xattrs()?;
    let taken = space(&name, value.len());
    target.charge(taken)?;
    match slot.set(&name, value, flags) {
        Ok(old) => target.release(old),
        Err(errno) => {
            target.release(taken);
            return Err(errno);
        }
    }
    target.changed();
    Ok(0)
}

#[inline(never)]
fn get<T: Target>(
    find: impl FnOnce() -> Result<T, Errno>,
    name: UserPtr<u8>,
    value: UserPtr<u8>,
    size: usize,
) -> SysResult {
    let name = read_name(name)?;
    let target = find()?;
    namespace::check(&name, Access::Get, target.attributes(), cred::current())?;
    let slot = target.xattrs().ok_or(Errno::EOPNOTSUPP)?;
    namespace::check_support(&name)?;
    slot.get(&name, |held| {
        if size != 0 {
            if held.len() > size {
                return Err(Errno::ERANGE);
            }
            write(UserSlice::new(value.address(), size), held)?;
        }
        Ok(held.len())
    })
}

#[inline(never)]
fn list<T: Target>(
    find: impl FnOnce() -> Result<T, Errno>,
    buffer: UserPtr<u8>,
    size: usize,
) -> SysResult {
    let target = find()?;
    let Some(slot) = target.xattrs() else {
        return Ok(0);
    };
    let cred = cred::current();
    let total = listed_len(slot, cred);
    if size == 0 || total == 0 {
        return Ok(total);
    }
    if total > size.min(XATTR_LIST_MAX as usize) {
        let too_long = size >= XATTR_LIST_MAX as usize;
        return Err(if too_long {
            Errno::E2BIG
        } else {
            Errno::ERANGE
        });
    }
    let mut room = UserSlice::new(buffer.address(), total);
    slot.names(|name| {
        if namespace::is_listed(name, cred) {
            for part in [name, &[0]] {
                write(room, part)?;
                room = room.skip(part.len());
            }
        }
        Ok(())
    })?;
    Ok(total)
}

/// Bytes that the list takes: every name and a NUL.
fn listed_len(slot: &Slot, cred: &Cred) -> usize {
    let mut total = 0;
    // The closure has no error to hand on.
    let _ = slot.names(|name| {
        if namespace::is_listed(name, cred) {
            total += name.len() + 1;
        }
        Ok(())
    });
    total
}

#[inline(never)]
fn remove<T: Target>(find: impl FnOnce() -> Result<T, Errno>, name: UserPtr<u8>) -> SysResult {
    let name = read_name(name)?;
    let target = find()?;
    target.check_writable()?;
    namespace::check(&name, Access::Change, target.attributes(), cred::current())?;
    let slot = target.xattrs().ok_or(Errno::EOPNOTSUPP)?;
    namespace::check_support(&name)?;
    target.release(slot.remove(&name)?);
    target.changed();
    Ok(0)
}

type Text = UserPtr<u8>;

/// setxattr(2).
#[inline(never)]
pub fn setxattr<F: Find>(
    path: Text,
    name: Text,
    value: Text,
    size: usize,
    flags: u32,
) -> SysResult {
    set(|| F::by_path(path, true), name, value, size, flags)
}

/// lsetxattr(2).
#[inline(never)]
pub fn lsetxattr<F: Find>(
    path: Text,
    name: Text,
    value: Text,
    size: usize,
    flags: u32,
) -> SysResult {
    set(|| F::by_path(path, false), name, value, size, flags)
}

/// fsetxattr(2).
#[inline(never)]
pub fn fsetxattr<F: Find>(fd: i32, name: Text, value: Text, size: usize, flags: u32) -> SysResult {
    set(|| F::by_descriptor(fd), name, value, size, flags)
}

/// getxattr(2).
#[inline(never)]
pub fn getxattr<F: Find>(path: Text, name: Text, value: Text, size: usize) -> SysResult {
    get(|| F::by_path(path, true), name, value, size)
}

/// lgetxattr(2).
#[inline(never)]
pub fn lgetxattr<F: Find>(path: Text, name: Text, value: Text, size: usize) -> SysResult {
    get(|| F::by_path(path, false), name, value, size)
}

/// fgetxattr(2).
#[inline(never)]
pub fn fgetxattr<F: Find>(fd: i32, name: Text, value: Text, size: usize) -> SysResult {
    get(|| F::by_descriptor(fd), name, value, size)
}

/// listxattr(2).
#[inline(never)]
pub fn listxattr<F: Find>(path: Text, buffer: Text, size: usize) -> SysResult {
    list(|| F::by_path(path, true), buffer, size)
}

/// llistxattr(2).
#[inline(never)]
pub fn llistxattr<F: Find>(path: Text, buffer: Text, size: usize) -> SysResult {
    list(|| F::by_path(path, false), buffer, size)
}

/// flistxattr(2).
#[inline(never)]
pub fn flistxattr<F: Find>(fd: i32, buffer: Text, size: usize) -> SysResult {
    list(|| F::by_descriptor(fd), buffer, size)
}

/// removexattr(2).
#[inline(never)]
pub fn removexattr<F: Find>(path: Text, name: Text) -> SysResult {
    remove(|| F::by_path(path, true), name)
}

/// lremovexattr(2).
#[inline(never)]
pub fn lremovexattr<F: Find>(path: Text, name: Text) -> SysResult {
    remove(|| F::by_path(path, false), name)
}

/// fremovexattr(2).
#[inline(never)]
pub fn fremovexattr<F: Find>(fd: i32, name: Text) -> SysResult {
    remove(|| F::by_descriptor(fd), name)
}

#[cfg(test)]
mod tests;
