//! The dentry cache: every name that is known, hashed by directory and name.
//!
//! A tmpfs *is* its dentries, as on Linux: they stay until they are unlinked, so a miss in the table
//! says that there is no such file. Names of procfs and sysfs are made when they are looked up, the
//! missing ones included (a *negative* dentry has no inode); at most [`EVICTABLE`] of them are kept,
//! and those that nobody uses give way to new ones.
//!
//! Dentries refer to each other by number. Nothing here sleeps, and whoever holds a number across
//! a call counts it with [`Dcache::get`] and [`Dcache::put`].

mod children;
mod evict;

use super::inode::Inode;
use super::name::{Key, Name};
use super::notify::hooks;
use super::rc::Ref;
use super::shortcut::Paths;
use super::slab::Slab;
use crate::errno::Errno;
use alloc::vec::Vec;

/// Number of a dentry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DentryId(u32);

impl DentryId {
    /// As a plain number, for a hash.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Back from [`DentryId::number`].
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// No dentry.
const NONE: u32 = u32::MAX;

const fn some(number: u32) -> Option<DentryId> {
    if number == NONE {
        None
    } else {
        Some(DentryId(number))
    }
}

/// Dentries of generated file systems that are kept, in use or not.
pub const EVICTABLE: usize = 256;

/// Where a dentry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Found by lookups; it stays until it is unlinked.
    Pinned,
    /// Found by lookups, in this slot of the ring of those that may go.
    Evictable(u16),
    /// The root of a file system, which has no name. It goes with its last user.
    Root,
    /// Not found by lookups: unlinked, or never named. It goes with its last user.
    Unhashed,
}

impl State {
    /// Whether lookups find it.
    const fn is_hashed(self) -> bool {
        matches!(self, Self::Pinned | Self::Evictable(_))
    }
}

/// A name in a directory.
#[derive(Debug)]
pub struct Dentry {
    name: Name,
    /// The file; a negative dentry has none.
    inode: Option<Ref<Inode>>,
    /// What it is looked up by, once it has a directory.
    key: Key,
    /// The next dentry of the same bucket.
    chain: u32,
    parent: u32,
    previous: u32,
    next: u32,
    first_child: u32,
    last_child: u32,
    /// Descriptors, working directories, mounts, and children.
    users: u32,
    state: State,
    /// Its place among its siblings, which never changes: later names have larger ones.
    cookie: u32,
    next_cookie: u32,
    /// Root of what is mounted here.
    mounted: u32,
    /// Of the root of a mount: where it is mounted.
    covers: u32,
}

impl Dentry {
    const fn new(name: Name, inode: Option<Ref<Inode>>) -> Self {
        Self {
            name,
            inode,
            key: Key::NONE,
            chain: NONE,
            parent: NONE,
            previous: NONE,
            next: NONE,
            first_child: NONE,
            last_child: NONE,
            users: 0,
            state: State::Unhashed,
            cookie: 0,
            next_cookie: 0,
            mounted: NONE,
            covers: NONE,
        }
    }
}

/// The cache.
#[derive(Debug)]
pub struct Dcache {
    dentries: Slab<Dentry>,
    /// First dentry of each bucket; a power of two of them, or none yet.
    buckets: Vec<u32>,
    hashed: usize,
    /// Who may go, in the order of arrival.
    ring: [u32; EVICTABLE],
    hand: usize,
    evicted: u64,
    /// Where whole paths lead.
    pub paths: Paths,
}

impl Default for Dcache {
    fn default() -> Self {
        Self::new()
    }
}

impl Dcache {
    /// An empty cache.
    pub const fn new() -> Self {
        Self {
            dentries: Slab::new(),
            buckets: Vec::new(),
            hashed: 0,
            ring: [NONE; EVICTABLE],
            hand: 0,
            evicted: 0,
            paths: Paths::new(),
        }
    }

    /// Dentries there are, and how many gave way to others so far.
    pub const fn counts(&self) -> (usize, u64) {
        (self.dentries.used(), self.evicted)
    }

    #[inline(always)]
    fn dentry(&self, id: DentryId) -> &Dentry {
        self.dentries.get(id.0)
    }

    #[inline(always)]
    fn dentry_mut(&mut self, id: DentryId) -> &mut Dentry {
        self.dentries.get_mut(id.0)
    }

    /// The file that a dentry names; `None` for a negative one.
    #[inline(always)]
    pub fn inode(&self, id: DentryId) -> Option<&Ref<Inode>> {
        self.dentry(id).inode.as_ref()
    }

    /// The name: the last component of its path.
    #[inline]
    pub fn name(&self, id: DentryId) -> &[u8] {
        self.dentry(id).name.bytes()
    }

    /// The directory that holds, or held, a name. The root of a file system has none.
    #[inline(always)]
    pub fn parent(&self, id: DentryId) -> Option<DentryId> {
        some(self.dentry(id).parent)
    }

    /// Whether lookups find it, or it is the root of a file system.
    #[inline]
    pub fn is_linked(&self, id: DentryId) -> bool {
        self.dentry(id).state != State::Unhashed
    }

    /// Root of what is mounted on a directory.
    #[inline(always)]
    pub fn mounted_on(&self, id: DentryId) -> Option<DentryId> {
        some(self.dentry(id).mounted)
    }

    /// Where the file system with this root is mounted.
    #[inline]
    pub fn covered_by(&self, root: DentryId) -> Option<DentryId> {
        some(self.dentry(root).covers)
    }

    /// Mounts `root` on `point`, or with `None` takes it off again.
    pub fn set_mount(&mut self, point: DentryId, root: Option<DentryId>) {
        self.paths.forget();
        if let Some(old) = some(self.dentry(point).mounted) {
            self.dentry_mut(old).covers = NONE;
            self.dentry_mut(point).mounted = NONE;
            self.put(point);
        }
        if let Some(root) = root {
            self.get(point);
            self.dentry_mut(root).covers = point.0;
            self.dentry_mut(point).mounted = root.0;
        }
    }

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

    /// The root directory of a file system. The caller is its first user.
    pub fn add_root(&mut self, inode: Ref<Inode>) -> Result<DentryId, Errno> {
        let id = self.add_nameless(Name::Static(b"/"), inode)?;
        self.dentry_mut(id).state = State::Root;
        Ok(id)
    }

    /// A dentry that no lookup finds, for a file that only descriptors refer to; `name` is what they
    /// are described by. The caller is its first user.
    pub fn add_nameless(&mut self, name: Name, inode: Ref<Inode>) -> Result<DentryId, Errno> {
        let mut dentry = Dentry::new(name, Some(inode));
        dentry.users = 1;
        let number = self.dentries.insert(dentry)?;
        Ok(DentryId(number))
    }

    /// The same for a file that was made in a directory and has no name there; what it is described
    /// by none but inotify(7) and procfs see.
    pub fn add_hidden(
        &mut self,
        directory: DentryId,
        name: Name,
        inode: Ref<Inode>,
    ) -> Result<DentryId, Errno> {
        let id = self.add_nameless(name, inode)?;
        self.get(directory);
        self.dentry_mut(id).parent = directory.0;
        Ok(id)
    }

    /// Adds `name`, which must not be there, to `directory`: for good.
    pub fn add(
        &mut self,
        directory: DentryId,
        name: Name,
        inode: Ref<Inode>,
    ) -> Result<DentryId, Errno> {
        self.reserve()?;
        let key = Key::of(directory.0, name.bytes());
        let id = self.add_nameless(name, inode)?;
        self.dentry_mut(id).users = 0;
        self.attach(id, directory, key, State::Pinned);
        Ok(id)
    }

    /// Makes a dentry findable in `directory`, as its last child.
    fn attach(&mut self, id: DentryId, directory: DentryId, key: Key, state: State) {
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
    fn detach(&mut self, id: DentryId) {
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

    /// Removes a name: lookups do not find it any more; it goes with its last user.
    pub fn unlink(&mut self, id: DentryId) {
        if self.dentry(id).state.is_hashed() {
            self.detach(id);
        }
        self.collect(id);
    }

    /// Gives a dentry another directory and name. What has that name must be unlinked first.
    pub fn rename(&mut self, id: DentryId, directory: DentryId, name: Name) {
        let old = DentryId(self.dentry(id).parent);
        self.detach(id);
        let key = Key::of(directory.0, name.bytes());
        self.dentry_mut(id).name = name;
        self.attach(id, directory, key, State::Pinned);
        self.put(old);
    }

    /// Swaps the places of two dentries.
    pub fn exchange(&mut self, one: DentryId, other: DentryId) {
        let (a, b) = (self.dentry(one), self.dentry(other));
        let (parent_a, parent_b) = (DentryId(a.parent), DentryId(b.parent));
        self.detach(one);
        self.detach(other);
        // Swapping the names by way of an empty one needs no copy.
        let name = core::mem::replace(&mut self.dentry_mut(one).name, Name::Static(b""));
        let name = core::mem::replace(&mut self.dentry_mut(other).name, name);
        self.dentry_mut(one).name = name;
        for (id, directory) in [(one, parent_b), (other, parent_a)] {
            let key = Key::of(directory.0, self.name(id));
            self.attach(id, directory, key, State::Pinned);
        }
        self.put(parent_a);
        self.put(parent_b);
    }

    /// Gives up the count of who made a dentry, without letting it go: somebody else counts it next.
    pub fn keep_for_user(&mut self, id: DentryId) {
        self.dentry_mut(id).users -= 1;
    }

    /// One user more.
    #[inline]
    pub fn get(&mut self, id: DentryId) {
        self.dentry_mut(id).users += 1;
    }

    /// One user less.
    #[inline]
    pub fn put(&mut self, id: DentryId) {
        let dentry = self.dentry_mut(id);
        dentry.users -= 1;
        if dentry.users == 0 && !dentry.state.is_hashed() {
            self.collect(id);
        }
    }

    /// Frees a dentry that nobody uses and no lookup finds, and then perhaps those above it.
    #[cold]
    fn collect(&mut self, id: DentryId) {
        let mut id = id;
        loop {
            let dentry = self.dentry_mut(id);
            if dentry.users > 0 || dentry.state.is_hashed() {
                return;
            }
            let gone = self.dentries.remove(id.0);
            hooks::dropped(gone.inode.as_deref());
            let Some(parent) = some(gone.parent) else {
                return;
            };
            self.dentry_mut(parent).users -= 1;
            id = parent;
        }
    }

    /// Room for one more hashed dentry.
    #[inline]
    fn reserve(&mut self) -> Result<(), Errno> {
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

#[cfg(test)]
mod tests;
