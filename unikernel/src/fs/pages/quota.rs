//! How much a mounted file system may hold.

use crate::errno::Errno;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number of things with a limit.
struct Counter {
    used: AtomicU64,
    /// `u64::MAX`: none.
    limit: AtomicU64,
}

impl Counter {
    const fn new(limit: Option<u64>) -> Self {
        let limit = match limit {
            Some(limit) => limit,
            None => u64::MAX,
        };
        Self {
            used: AtomicU64::new(0),
            limit: AtomicU64::new(limit),
        }
    }

    fn charge(&self, count: u64) -> Result<(), Errno> {
        let before = self.used.fetch_add(count, Relaxed);
        if before + count <= self.limit.load(Relaxed) {
            return Ok(());
        }
        self.release(count);
        Err(Errno::ENOSPC)
    }

    fn release(&self, count: u64) {
        let before = self.used.fetch_sub(count, Relaxed);
        debug_assert!(before >= count, "released more than was charged");
    }

    fn usage(&self) -> Usage {
        let limit = self.limit.load(Relaxed);
        Usage {
            used: self.used.load(Relaxed),
            limit: (limit != u64::MAX).then_some(limit),
        }
    }

    /// `EINVAL` when more is in use, and when there was no limit: what a remount of tmpfs says.
    fn set_limit(&self, limit: Option<u64>) -> Result<(), Errno> {
        let Usage { used, limit: old } = self.usage();
        if limit.is_some_and(|limit| limit < used || old.is_none()) {
            return Err(Errno::EINVAL);
        }
        self.limit.store(limit.unwrap_or(u64::MAX), Relaxed);
        Ok(())
    }
}

/// Use and limit of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// How many are in use.
    pub used: u64,
    /// The most there may be; `None`: no limit but memory.
    pub limit: Option<u64>,
}

/// What an inode takes of the space for inodes and extended attributes, in bytes
/// (`BOGO_INODE_SIZE`).
const INODE: u64 = 1024;

/// Pages and inodes of one mounted tmpfs (tmpfs(5): `size`, `nr_blocks`, `nr_inodes`). Extended
/// attributes share the space of the inodes, as on Linux since 6.6.
pub struct Quota {
    pages: Counter,
    /// Bytes, [`INODE`] for each.
    inodes: Counter,
}

/// The space of so many inodes.
const fn inode_space(count: Option<u64>) -> Option<u64> {
    match count {
        Some(count) => Some(count.saturating_mul(INODE)),
        None => None,
    }
}

impl Quota {
    /// Nothing in use. `None` is no limit, which is `size=0` and `nr_inodes=0` in mount options.
    pub const fn new(pages: Option<u64>, inodes: Option<u64>) -> Self {
        Self {
            pages: Counter::new(pages),
            inodes: Counter::new(inode_space(inodes)),
        }
    }

    /// Counts `count` more pages. `ENOSPC`.
    #[inline]
    pub fn charge(&self, count: u64) -> Result<(), Errno> {
        self.pages.charge(count)
    }

    /// Counts `count` pages less.
    #[inline]
    pub fn release(&self, count: u64) {
        self.pages.release(count);
    }

    /// Counts one more inode. `ENOSPC`.
    #[inline]
    pub fn charge_inode(&self) -> Result<(), Errno> {
        self.inodes.charge(INODE)
    }

    /// Counts one inode less.
    #[inline]
    pub fn release_inode(&self) {
        self.inodes.release(INODE);
    }

    /// Counts the space of an extended attribute, in bytes. `ENOSPC`.
    pub fn charge_attributes(&self, bytes: usize) -> Result<(), Errno> {
        self.inodes.charge(bytes as u64)
    }

    /// Counts it off.
    pub fn release_attributes(&self, bytes: usize) {
        self.inodes.release(bytes as u64);
    }

    /// Pages in use, and the limit.
    pub fn pages(&self) -> Usage {
        self.pages.usage()
    }

    /// Inodes in use, and the limit.
    pub fn inodes(&self) -> Usage {
        let Usage { used, limit } = self.inodes.usage();
        Usage {
            used: used.div_ceil(INODE),
            limit: limit.map(|limit| limit / INODE),
        }
    }

    /// Changes the limit of pages (a remount). `EINVAL` when more are in use, or when there was no
    /// limit and there is to be one.
    pub fn set_pages(&self, limit: Option<u64>) -> Result<(), Errno> {
        self.pages.set_limit(limit)
    }

    /// Changes the limit of inodes, likewise.
    pub fn set_inodes(&self, limit: Option<u64>) -> Result<(), Errno> {
        self.inodes.set_limit(inode_space(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_and_a_refusal_costs_nothing() {
        let quota = Quota::new(Some(3), Some(1));
        assert_eq!(quota.charge(2), Ok(()));
        assert_eq!(quota.charge(2), Err(Errno::ENOSPC));
        assert_eq!(quota.charge(1), Ok(()));
        assert_eq!(quota.charge(1), Err(Errno::ENOSPC));
        assert_eq!(
            quota.pages(),
            Usage {
                used: 3,
                limit: Some(3)
            }
        );
        quota.release(3);
        assert_eq!(quota.pages().used, 0);
        assert_eq!(quota.charge_inode(), Ok(()));
        assert_eq!(quota.charge_inode(), Err(Errno::ENOSPC));
        quota.release_inode();
        assert_eq!(
            quota.inodes(),
            Usage {
                used: 0,
                limit: Some(1)
            }
        );
    }

    #[test]
    fn attributes_take_the_space_of_inodes() {
        let quota = Quota::new(None, Some(3));
        assert_eq!(quota.charge_inode(), Ok(()));
        assert_eq!(quota.charge_attributes(1), Ok(()));
        assert_eq!(quota.inodes().used, 2);
        assert_eq!(quota.charge_attributes(1023), Ok(()));
        assert_eq!(quota.inodes().used, 2);
        assert_eq!(quota.charge_attributes(1025), Err(Errno::ENOSPC));
        assert_eq!(quota.charge_inode(), Ok(()));
        assert_eq!(quota.charge_attributes(1), Err(Errno::ENOSPC));
        quota.release_attributes(1024);
        assert_eq!(quota.inodes().used, 2);
    }

    #[test]
    fn limits_change_as_tmpfs_allows() {
        let quota = Quota::new(Some(10), None);
        quota.charge(5).unwrap();
        assert_eq!(quota.set_pages(Some(4)), Err(Errno::EINVAL));
        assert_eq!(quota.set_pages(Some(5)), Ok(()));
        assert_eq!(quota.charge(1), Err(Errno::ENOSPC));
        assert_eq!(quota.set_pages(None), Ok(()));
        assert_eq!(quota.charge(100), Ok(()));
        assert_eq!(quota.set_pages(Some(1000)), Err(Errno::EINVAL));
        assert_eq!(quota.set_inodes(Some(5)), Err(Errno::EINVAL));
    }
}
