//! A count with a limit.

use crate::errno::Errno;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How many of something there are, and may be.
pub struct Limited {
    count: AtomicU32,
    limit: u32,
}

impl Limited {
    pub const fn new(limit: u32) -> Self {
        Self {
            count: AtomicU32::new(0),
            limit,
        }
    }

    /// Whether there is one.
    #[inline(always)]
    pub fn any(&self) -> bool {
        self.count.load(Relaxed) != 0
    }

    /// Counts one more, or fails with `full`.
    pub fn take(&self, full: Errno) -> Result<(), Errno> {
        let more = |count| (count < self.limit).then_some(count + 1);
        let taken = self.count.fetch_update(Relaxed, Relaxed, more);
        taken.map(|_| ()).map_err(|_| full)
    }

    /// Counts `n` less.
    pub fn give_back(&self, n: u32) {
        self.count.fetch_sub(n, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds() {
        let count = Limited::new(2);
        assert!(!count.any());
        assert_eq!(count.take(Errno::ENOSPC), Ok(()));
        assert_eq!(count.take(Errno::ENOSPC), Ok(()));
        assert_eq!(count.take(Errno::ENOSPC), Err(Errno::ENOSPC));
        count.give_back(1);
        assert!(count.any());
        assert_eq!(count.take(Errno::ENOSPC), Ok(()));
        count.give_back(2);
        assert!(!count.any());
    }
}
