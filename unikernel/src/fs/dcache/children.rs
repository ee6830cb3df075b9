//! The children of a directory, and who is above whom.

use super::{Dcache, DentryId, NONE, some};

impl Dcache {
    /// Whether a directory has no entries.
    pub fn is_empty(&self, directory: DentryId) -> bool {
        self.dentry(directory).first_child == NONE
    }

    /// The first child of a directory, in the order of arrival.
    #[inline]
    pub fn first_child(&self, directory: DentryId) -> Option<DentryId> {
        some(self.dentry(directory).first_child)
    }

    /// The child behind `child`.
    #[inline]
    pub fn next_sibling(&self, child: DentryId) -> Option<DentryId> {
        some(self.dentry(child).next)
    }

    /// Where a child stands among its siblings.
    #[inline]
    pub fn cookie(&self, child: DentryId) -> u32 {
        self.dentry(child).cookie
    }

    /// The first child whose place is `cookie` or behind it. `hint` is where a reader thinks that it
    /// stands: if it is right, nothing has to be searched.
    pub fn child_from(
        &self,
        directory: DentryId,
        cookie: u32,
        hint: Option<DentryId>,
    ) -> Option<DentryId> {
        let stands_there = |&id: &DentryId| {
            self.dentries.peek(id.0).is_some_and(|dentry| {
                dentry.parent == directory.0 && dentry.cookie == cookie && dentry.state.is_hashed()
            })
        };
        if let Some(id) = hint.filter(stands_there) {
            return Some(id);
        }
        let mut at = self.first_child(directory);
        while let Some(id) = at
            && self.cookie(id) < cookie
        {
            at = self.next_sibling(id);
        }
        at
    }

    /// Whether `above` is `below` or one of the directories over it.
    pub fn is_above(&self, above: DentryId, below: DentryId) -> bool {
        let mut at = Some(below);
        while let Some(id) = at {
            if id == above {
                return true;
            }
            at = self.parent(id);
        }
        false
    }
}
