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
mod table;

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
    /// Who may go, in the order of arrival: [`EVICTABLE`] slots, made when the first comes.
    ring: Vec<u32>,
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
            ring: Vec::new(),
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
}

#[cfg(test)]
mod tests;
