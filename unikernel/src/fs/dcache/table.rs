//! The table that lookups search: buckets of dentries, by the hash of directory and name.

use super::{Dcache, DentryId, NONE, State, some};
use crate::errno::Errno;
use crate::fs::inode::Inode;
use crate::fs::name::Key;
use alloc::vec::Vec;

impl Dcache {
    /// The dentry of `directory` with this key and name: a probe or two.
    #[inline(always)]
    pub fn lookup(&self, directory: DentryId, key: &Key, name: &[u8]) -> Option<DentryId> {
        let mask = self.buckets.len().wrapping_sub(1);
        let mut at = *self.buckets.get(key.hash as usize & mask)?;
        while at != NONE {
            let dentry = self.dentries.get(at);
            if dentry.parent == directory.0 && dentry.key.is(&dentry.name, key, name) {
                return Some(DentryId(at));
            }
            at = dentry.chain;
        }
        None
    }

    /// As [`Dcache::lookup`], what is mounted there or else the dentry, and its file; for the short
    /// cuts, which must not panic: `None` also if the cache were broken.
    #[inline(always)]
    pub fn probe(&self, directory: DentryId, key: &Key, name: &[u8]) -> Option<(DentryId, &Inode)> {
        let mask = self.buckets.len().wrapping_sub(1);
        let mut at = *self.buckets.get(key.hash as usize & mask)?;
        loop {
            let dentry = self.dentries.peek(at)?;
            if dentry.parent == directory.0 && dentry.key.is(&dentry.name, key, name) {
                if dentry.mounted == NONE {
                    return Some((DentryId(at), dentry.inode.as_ref()?));
                }
                let root = self.dentries.peek(dentry.mounted)?;
                // One mount upon another is for the ordinary walk.
                let is_top = root.mounted == NONE;
                return is_top.then_some((DentryId(dentry.mounted), root.inode.as_ref()?));
            }
            at = dentry.chain;
        }
    }

    /// The file of a dentry, as [`Dcache::probe`].
    #[inline(always)]
    pub fn peek(&self, id: DentryId) -> Option<&Inode> {
        Some(self.dentries.peek(id.0)?.inode.as_ref()?)
    }

    /// [`Dcache::lookup`] without the key.
    pub fn find(&self, directory: DentryId, name: &[u8]) -> Option<DentryId> {
        self.lookup(directory, &Key::of(directory.0, name), name)
    }

    /// Makes a dentry findable in `directory`, as its last child.
    pub(super) fn attach(&mut self, id: DentryId, directory: DentryId, key: Key, state: State) {
        self.get(directory);
        let bucket = key.hash as usize & (self.buckets.len() - 1);
        let chain = core::mem::replace(&mut self.buckets[bucket], id.0);
        self.hashed += 1;
        let parent = self.dentry_mut(directory);
        if let Some(inode) = &parent.inode {
            inode.count_entries(1);
        }
        let cookie = parent.next_cookie;
        parent.next_cookie += 1;
        let previous = core::mem::replace(&mut parent.last_child, id.0);
        match some(previous) {
            Some(previous) => self.dentry_mut(previous).next = id.0,
            None => self.dentry_mut(directory).first_child = id.0,
        }
        let dentry = self.dentry_mut(id);
        (dentry.key, dentry.chain, dentry.parent) = (key, chain, directory.0);
        (dentry.previous, dentry.next) = (previous, NONE);
        (dentry.cookie, dentry.state) = (cookie, state);
    }

    /// Takes a dentry out of its bucket and from among its siblings; its parent it keeps.
    pub(super) fn detach(&mut self, id: DentryId) {
        self.paths.forget();
        let dentry = self.dentry(id);
        let (hash, chain, parent) = (dentry.key.hash, dentry.chain, DentryId(dentry.parent));
        let (previous, next, state) = (dentry.previous, dentry.next, dentry.state);
        if let State::Evictable(slot) = state {
            self.ring[usize::from(slot)] = NONE;
        }
        if let Some(inode) = self.inode(parent) {
            inode.count_entries(-1);
        }
        let bucket = hash as usize & (self.buckets.len() - 1);
        if self.buckets[bucket] == id.0 {
            self.buckets[bucket] = chain;
        } else {
            let mut at = self.buckets[bucket];
            while self.dentries.get(at).chain != id.0 {
                at = self.dentries.get(at).chain;
            }
            self.dentries.get_mut(at).chain = chain;
        }
        self.hashed -= 1;
        match some(previous) {
            Some(previous) => self.dentry_mut(previous).next = next,
            None => self.dentry_mut(parent).first_child = next,
        }
        match some(next) {
            Some(next) => self.dentry_mut(next).previous = previous,
            None => self.dentry_mut(parent).last_child = previous,
        }
        let dentry = self.dentry_mut(id);
        dentry.state = State::Unhashed;
        (dentry.previous, dentry.next, dentry.chain) = (NONE, NONE, NONE);
    }

    /// Room for one more hashed dentry.
    #[inline]
    pub(super) fn reserve(&mut self) -> Result<(), Errno> {
        if self.hashed < self.buckets.len() {
            Ok(())
        } else {
            self.grow()
        }
    }

    #[cold]
    fn grow(&mut self) -> Result<(), Errno> {
        let size = (self.buckets.len() * 2).max(64);
        let mut buckets = Vec::new();
        buckets.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
        buckets.resize(size, NONE);
        for &first in &self.buckets {
            let mut at = first;
            while at != NONE {
                let dentry = self.dentries.get_mut(at);
                let bucket = &mut buckets[dentry.key.hash as usize & (size - 1)];
                let next = core::mem::replace(&mut dentry.chain, *bucket);
                *bucket = core::mem::replace(&mut at, next);
            }
        }
        self.buckets = buckets;
        Ok(())
    }
}
