//! Extended attributes (xattr(7)) of files in memory, as Linux's tmpfs has them since 6.6: `user.*`,
//! `trusted.*` and `security.*`. There are no access control lists, so `system.*` is `EOPNOTSUPP`.
//!
//! An inode has one [`Slot`]; a file without attributes has no list. Who may do what is in
//! [`namespace`].

pub mod namespace;

use crate::errno::Errno;
use crate::sync::Exclusive;
use alloc::boxed::Box;
use alloc::vec::Vec;
use linux_raw_sys::general::{XATTR_CREATE, XATTR_REPLACE};

/// What one attribute takes of the space for attributes, in bytes, by Linux's estimate
/// (`simple_xattr_space`).
pub const fn space(name: &[u8], value: usize) -> usize {
    40 + value + name.len()
}

#[derive(Debug)]
struct Attribute {
    name: Box<[u8]>,
    value: Box<[u8]>,
}

impl Attribute {
    fn space(&self) -> usize {
        space(&self.name, self.value.len())
    }
}

/// The attributes of one file, in the order of their names; at least one.
#[derive(Debug, Default)]
pub struct Xattrs(Vec<Attribute>);

impl Xattrs {
    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.0.binary_search_by(|held| (*held.name).cmp(name))
    }

    /// Sets an attribute; returns the space that the old one took.
    fn set(&mut self, name: &[u8], value: Box<[u8]>, flags: u32) -> Result<usize, Errno> {
        match self.find(name) {
            Ok(_) if flags & XATTR_CREATE != 0 => Err(Errno::EEXIST),
            Err(_) if flags & XATTR_REPLACE != 0 => Err(Errno::ENODATA),
            Ok(at) => {
                let old = self.0[at].space();
                self.0[at].value = value;
                Ok(old)
            }
            Err(at) => {
                let name = boxed(name)?;
                self.0.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                self.0.insert(at, Attribute { name, value });
                Ok(0)
            }
        }
    }
}

/// A copy on the heap. Errors: `ENOMEM`.
fn boxed(bytes: &[u8]) -> Result<Box<[u8]>, Errno> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| Errno::ENOMEM)?;
    copy.extend_from_slice(bytes);
    Ok(copy.into_boxed_slice())
}

/// The attributes of an inode, if it has any. Names are complete (`user.name`).
#[derive(Debug)]
pub struct Slot(Exclusive<Option<Box<Xattrs>>>);

impl Default for Slot {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    /// No attributes.
    pub const fn new() -> Self {
        Self(Exclusive::new(None))
    }

    /// Shows `look` the value of `name`, under the lock: a copy to user memory may be made there.
    /// Errors: `ENODATA`, and those of `look`.
    pub fn get<R>(
        &self,
        name: &[u8],
        look: impl FnOnce(&[u8]) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let slot = self.0.lock();
        let xattrs = slot.as_ref().ok_or(Errno::ENODATA)?;
        let at = xattrs.find(name).map_err(|_| Errno::ENODATA)?;
        look(&xattrs.0[at].value)
    }

    /// Sets `name`; `flags` are those of setxattr(2). Returns the [`space`] that the old value took,
    /// 0 if there was none. Errors: `EEXIST`, `ENODATA`, `ENOMEM`.
    pub fn set(&self, name: &[u8], value: Box<[u8]>, flags: u32) -> Result<usize, Errno> {
        let mut slot = self.0.lock();
        if let Some(xattrs) = slot.as_mut() {
            return xattrs.set(name, value, flags);
        }
        let mut xattrs = Box::<Xattrs>::default();
        let old = xattrs.set(name, value, flags)?;
        *slot = Some(xattrs);
        Ok(old)
    }

    /// Removes `name`; returns the [`space`] it took. Errors: `ENODATA`.
    pub fn remove(&self, name: &[u8]) -> Result<usize, Errno> {
        let mut slot = self.0.lock();
        let xattrs = slot.as_mut().ok_or(Errno::ENODATA)?;
        let at = xattrs.find(name).map_err(|_| Errno::ENODATA)?;
        let old = xattrs.0.remove(at).space();
        if xattrs.0.is_empty() {
            *slot = None;
        }
        Ok(old)
    }

    /// Calls `each` with every name in order, under the lock. Errors: those of `each`.
    pub fn names(&self, mut each: impl FnMut(&[u8]) -> Result<(), Errno>) -> Result<(), Errno> {
        let slot = self.0.lock();
        let mut names = slot.iter().flat_map(|xattrs| &xattrs.0);
        names.try_for_each(|held| each(&held.name))
    }

    /// The [`space`] that all attributes take: what a file system gets back with the inode.
    pub fn total_space(&self) -> usize {
        let slot = self.0.lock();
        let all = slot.iter().flat_map(|xattrs| &xattrs.0);
        all.map(Attribute::space).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(slot: &Slot, name: &str, value: &[u8], flags: u32) -> Result<usize, Errno> {
        slot.set(name.as_bytes(), value.into(), flags)
    }

    fn get(slot: &Slot, name: &str) -> Result<Vec<u8>, Errno> {
        slot.get(name.as_bytes(), |value| Ok(value.to_vec()))
    }

    fn names(slot: &Slot) -> Vec<String> {
        let mut found = Vec::new();
        let each = |name: &[u8]| {
            found.push(String::from_utf8(name.to_vec()).unwrap());
            Ok(())
        };
        assert_eq!(slot.names(each), Ok(()));
        found
    }

    #[test]
    fn values_are_set_replaced_and_removed() {
        let slot = Slot::new();
        assert_eq!(get(&slot, "user.a"), Err(Errno::ENODATA));
        assert_eq!(set(&slot, "user.a", b"one", 0), Ok(0));
        assert_eq!(get(&slot, "user.a").as_deref(), Ok(&b"one"[..]));
        assert_eq!(set(&slot, "user.a", b"", 0), Ok(40 + 6 + 3));
        assert_eq!(get(&slot, "user.a").as_deref(), Ok(&b""[..]));
        assert_eq!(slot.total_space(), 46);
        assert_eq!(slot.remove(b"user.b"), Err(Errno::ENODATA));
        assert_eq!(slot.remove(b"user.a"), Ok(46));
        assert!(slot.0.lock().is_none());
        assert_eq!(slot.remove(b"user.a"), Err(Errno::ENODATA));
        assert_eq!(slot.total_space(), 0);
    }

    #[test]
    fn flags_are_conditions() {
        let slot = Slot::new();
        let both = XATTR_CREATE | XATTR_REPLACE;
        for flags in [XATTR_REPLACE, both] {
            assert_eq!(set(&slot, "user.a", b"x", flags), Err(Errno::ENODATA));
        }
        assert!(slot.0.lock().is_none());
        assert_eq!(set(&slot, "user.a", b"x", XATTR_CREATE), Ok(0));
        for flags in [XATTR_CREATE, both] {
            assert_eq!(set(&slot, "user.a", b"y", flags), Err(Errno::EEXIST));
        }
        assert!(set(&slot, "user.a", b"z", XATTR_REPLACE).is_ok());
        assert_eq!(get(&slot, "user.a").as_deref(), Ok(&b"z"[..]));
    }

    #[test]
    fn names_come_in_order() {
        let slot = Slot::new();
        for name in ["user.b", "security.x", "user.a", "trusted.t", "user.ab"] {
            assert_eq!(set(&slot, name, b"", 0), Ok(0));
        }
        let sorted = ["security.x", "trusted.t", "user.a", "user.ab", "user.b"];
        assert_eq!(names(&slot), sorted);
        let stop = slot.names(|name| match name {
            b"trusted.t" => Err(Errno::ERANGE),
            _ => Ok(()),
        });
        assert_eq!(stop, Err(Errno::ERANGE));
    }
}
