//! The root as a tree in memory: inodes, names, and the hashed lookup from one to the other.
//!
//! Content and names borrow from the initrd, so the tree itself is two vectors of small records and
//! one table of indices. After the mount nothing changes it, hence readers take no lock.

use super::inode::NONE;
pub use super::inode::{Children, Inode, Kind, LINK_MODE, file_type};
use super::table::Table;
use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use linux_raw_sys::general::S_IFDIR;

/// Index of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InodeId(u32);

/// Index of an entry, that is of a name in a directory. A directory has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryId(u32);

impl EntryId {
    /// The root directory's entry.
    pub const ROOT: Self = Self(0);

    /// As a plain number, for a cookie or an atomic variable.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Back from [`EntryId::number`].
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// A name in a directory.
#[derive(Clone, Copy, Debug)]
struct Entry {
    name: &'static [u8],
    hash: u32,
    /// The directory's entry; `NONE` for a name that was removed, which no lookup then meets.
    parent: u32,
    next: u32,
    inode: InodeId,
}

/// The tree.
#[derive(Debug)]
pub struct Tree {
    inodes: Vec<Inode>,
    entries: Vec<Entry>,
    names: Table,
}

/// Running hash of a name, fed byte by byte while a path is scanned (FNV-1a, 32 bits).
#[derive(Clone, Copy, Debug)]
pub struct NameHash(u32);

impl NameHash {
    /// Starts a name in directory `parent`.
    pub const fn in_directory(parent: EntryId) -> Self {
        Self(0x811c_9dc5 ^ parent.0.wrapping_mul(0x9e37_79b1))
    }

    /// Adds a byte.
    #[inline]
    pub const fn add(self, byte: u8) -> Self {
        Self((self.0 ^ byte as u32).wrapping_mul(0x0100_0193))
    }

    fn of(parent: EntryId, name: &[u8]) -> Self {
        name.iter()
            .fold(Self::in_directory(parent), |hash, &byte| hash.add(byte))
    }
}

impl Tree {
    /// A tree of an empty root directory (mode 0755), with room for `count` entries.
    pub fn new(count: usize) -> Result<Self, TryReserveError> {
        let names = Table::with_capacity(count)?;
        let mut tree = Self {
            inodes: Vec::new(),
            entries: Vec::new(),
            names,
        };
        tree.inodes.try_reserve_exact(count.saturating_add(1))?;
        tree.entries.try_reserve_exact(count.saturating_add(1))?;
        let inode = tree.add_dir(S_IFDIR | 0o755)?;
        tree.entries.push(Entry {
            name: b"/",
            hash: 0,
            parent: 0,
            next: NONE,
            inode,
        });
        Ok(tree)
    }

    /// Adds a file without a name yet. The inode number is assigned.
    pub fn add(&mut self, kind: Kind, mode: u32) -> Result<InodeId, TryReserveError> {
        self.inodes.try_reserve(1)?;
        let id = self.inodes.len() as u32;
        let (uid, gid, mtime, nlink) = (0, 0, 0, 0);
        self.inodes.push(Inode {
            kind,
            mode,
            uid,
            gid,
            mtime,
            nlink,
            ino: id + 1,
        });
        Ok(InodeId(id))
    }

    fn add_dir(&mut self, mode: u32) -> Result<InodeId, TryReserveError> {
        let id = self.add(Kind::Dir(Children::NONE), mode)?;
        self.inodes[id.0 as usize].nlink = 2;
        Ok(id)
    }

    /// Makes an empty directory `name` in `parent`. What had the name loses it.
    pub fn make_dir(
        &mut self,
        parent: EntryId,
        name: &'static [u8],
        mode: u32,
    ) -> Result<EntryId, TryReserveError> {
        let inode = self.add_dir(mode)?;
        self.link(parent, name, inode)
    }

    /// Gives `inode` the name `name` in directory `parent`. What had the name loses it; it must not
    /// be a directory with children, or lookups would still find them.
    pub fn link(
        &mut self,
        parent: EntryId,
        name: &'static [u8],
        inode: InodeId,
    ) -> Result<EntryId, TryReserveError> {
        let hash = NameHash::of(parent, name).0;
        let entry = match self.find(parent, name, hash) {
            Some(entry) => {
                let old = core::mem::replace(&mut self.entries[entry.0 as usize].inode, inode);
                self.count_name(parent, old, -1);
                entry
            }
            None => self.append(parent, name, hash, inode)?,
        };
        self.count_name(parent, inode, 1);
        Ok(entry)
    }

    fn append(
        &mut self,
        parent: EntryId,
        name: &'static [u8],
        hash: u32,
        inode: InodeId,
    ) -> Result<EntryId, TryReserveError> {
        self.entries.try_reserve(1)?;
        let id = EntryId(self.entries.len() as u32);
        let entries = &self.entries;
        self.names
            .insert(hash, id.0, |index| entries[index as usize].hash)?;
        self.entries.push(Entry {
            name,
            hash,
            parent: parent.0,
            next: NONE,
            inode,
        });
        let mut before = NONE;
        self.update_children(parent, |children| {
            before = core::mem::replace(&mut children.last, id.0);
            if before == NONE {
                children.first = id.0;
            }
        });
        if let Some(before) = self.entries.get_mut(before as usize) {
            before.next = id.0;
        }
        Ok(id)
    }

    /// One name more or less: of a file it counts for itself, of a directory for its parent.
    fn count_name(&mut self, parent: EntryId, inode: InodeId, by: i32) {
        let is_dir = self.inodes[inode.0 as usize].is_dir();
        let counted = if is_dir {
            self.inode_mut_of(parent)
        } else {
            &mut self.inodes[inode.0 as usize]
        };
        counted.nlink = counted.nlink.saturating_add_signed(by);
    }

    /// Removes a name that is not a directory's. The entry stays usable for who holds it.
    pub fn unlink(&mut self, entry: EntryId) {
        let Some(parent) = self.parent(entry) else {
            return;
        };
        let Entry { next, inode, .. } = self.entries[entry.0 as usize];
        let before = self
            .children(parent)
            .take_while(|&child| child != entry)
            .last();
        match before {
            Some(before) => self.entries[before.0 as usize].next = next,
            None => self.update_children(parent, |children| children.first = next),
        }
        if next == NONE {
            let last = before.map_or(NONE, EntryId::number);
            self.update_children(parent, |children| children.last = last);
        }
        self.entries[entry.0 as usize].parent = NONE;
        self.count_name(parent, inode, -1);
    }

    fn update_children(&mut self, dir: EntryId, update: impl FnOnce(&mut Children)) {
        if let Kind::Dir(children) = &mut self.inode_mut_of(dir).kind {
            update(children);
        }
    }

    /// A name that is in no directory, for a file that only a descriptor refers to.
    pub fn add_nameless(&mut self, inode: InodeId) -> Result<EntryId, TryReserveError> {
        self.entries.try_reserve(1)?;
        self.entries.push(Entry {
            name: b"",
            hash: 0,
            parent: NONE,
            next: NONE,
            inode,
        });
        Ok(EntryId(self.entries.len() as u32 - 1))
    }

    /// The entry `name` of directory `parent`.
    pub fn lookup(&self, parent: EntryId, name: &[u8]) -> Option<EntryId> {
        self.find(parent, name, NameHash::of(parent, name).0)
    }

    /// [`Tree::lookup`] with the hash already known: a probe or two of the table.
    #[inline]
    pub fn lookup_hashed(&self, parent: EntryId, name: &[u8], hash: NameHash) -> Option<EntryId> {
        self.find(parent, name, hash.0)
    }

    #[inline]
    fn find(&self, parent: EntryId, name: &[u8], hash: u32) -> Option<EntryId> {
        let is_it = |index: u32| {
            let entry = &self.entries[index as usize];
            entry.hash == hash && entry.parent == parent.0 && entry.name == name
        };
        self.names.find(hash, is_it).map(EntryId)
    }

    /// The file that an entry names.
    #[inline]
    pub fn inode(&self, entry: EntryId) -> &Inode {
        &self.inodes[self.entries[entry.0 as usize].inode.0 as usize]
    }

    /// The same, to change it (at mount only).
    pub fn inode_mut(&mut self, inode: InodeId) -> &mut Inode {
        &mut self.inodes[inode.0 as usize]
    }

    fn inode_mut_of(&mut self, entry: EntryId) -> &mut Inode {
        let inode = self.entries[entry.0 as usize].inode;
        self.inode_mut(inode)
    }

    /// Index of the file that an entry names.
    pub fn inode_id(&self, entry: EntryId) -> InodeId {
        self.entries[entry.0 as usize].inode
    }

    /// The last component of an entry's path (`/` for the root).
    pub fn name(&self, entry: EntryId) -> &'static [u8] {
        self.entries[entry.0 as usize].name
    }

    /// The directory that holds an entry; the root holds itself. A removed name has none.
    pub fn parent(&self, entry: EntryId) -> Option<EntryId> {
        some(self.entries[entry.0 as usize].parent)
    }

    /// The first child of a directory.
    pub fn first_child(&self, dir: EntryId) -> Option<EntryId> {
        match self.inode(dir).kind {
            Kind::Dir(children) => some(children.first),
            _ => None,
        }
    }

    /// The child behind `child` in its directory.
    pub fn next_sibling(&self, child: EntryId) -> Option<EntryId> {
        some(self.entries[child.0 as usize].next)
    }

    /// The children of a directory in the order of their creation.
    pub fn children(&self, dir: EntryId) -> impl Iterator<Item = EntryId> + '_ {
        core::iter::successors(self.first_child(dir), |&child| self.next_sibling(child))
    }

    /// Whether `number` is a child of `dir`: a directory position given by the application may be
    /// any number at all.
    pub fn child_with_number(&self, dir: EntryId, number: u32) -> Option<EntryId> {
        let entry = self.entries.get(number as usize)?;
        (entry.parent == dir.0 && number != 0).then_some(EntryId(number))
    }
}

const fn some(number: u32) -> Option<EntryId> {
    if number == NONE {
        None
    } else {
        Some(EntryId(number))
    }
}

#[cfg(test)]
mod tests;
