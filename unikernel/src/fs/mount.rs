//! From an initrd to a tree: one pass over the archive, then the device nodes it lacks.
//!
//! The rules are those of the kernel's own unpacking: missing parents appear as directories (mode
//! 0755), symbolic links in a path are followed, a later entry replaces an earlier one of the same
//! name, names with the same inode and device numbers inside one archive are hard links whose
//! content may come with any of them.

use super::cpio::{self, Entries, Entry};
use super::device::{Device, NODES};
use super::table::Table;
use super::tree::{EntryId, InodeId, Kind, LINK_MODE, Tree, file_type};
use super::walk::{Goal, Target, walk};
use crate::errno::Errno;
use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::fmt;
use linux_raw_sys::general::{NAME_MAX, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG};

/// Why there is no root. The message continues "the initrd cannot be used: …".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The initrd is not a usable cpio archive.
    Archive(cpio::Error),
    /// The entry whose header is at this byte cannot be placed in the tree.
    Entry(usize, Errno),
    /// The kernel heap is too small for the tree.
    OutOfMemory,
    /// Standard input was to be the file `.lintel-stdin` of the initrd, which has none.
    NoStdinFile,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offset, why) = match self {
            Self::Archive(error) => return error.fmt(f),
            Self::OutOfMemory => {
                return f.write_str(
                    "too many files for this machine's memory: give the VM more (--mem MIB)",
                );
            }
            Self::NoStdinFile => {
                return f.write_str(
                    "lintel.stdin=file asks for a file .lintel-stdin, which it does not have",
                );
            }
            Self::Entry(offset, Errno::ENOTDIR) => (offset, "its parent is not a directory"),
            Self::Entry(offset, Errno::EISDIR) => (offset, "a directory has its name already"),
            Self::Entry(offset, Errno::ENAMETOOLONG) => (offset, "name longer than 255 bytes"),
            Self::Entry(offset, Errno::ELOOP) => (offset, "its parent is a loop of links"),
            Self::Entry(offset, errno) => return write!(f, "byte {offset:#x}: {errno:?}"),
        };
        write!(f, "the entry at byte {offset:#x} cannot be unpacked: {why}")
    }
}

impl From<TryReserveError> for Error {
    fn from(_: TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

/// Names beside those of the archive: `/dev`, its nodes and links, the nameless standard streams.
const EXTRA: usize = 16;
const DIR_MODE: u32 = S_IFDIR | 0o755;

/// Builds the root. Without an archive it holds `/dev` only.
pub fn mount(initrd: Option<&'static [u8]>) -> Result<Tree, Error> {
    let image = initrd.unwrap_or_default();
    let mut root = Unpacker::new(cpio::count(image) + EXTRA)?;
    for entry in Entries::new(image) {
        root.unpack(&entry.map_err(Error::Archive)?)?;
    }
    add_devices(&mut root.tree)?;
    Ok(root.tree)
}

struct Unpacker {
    tree: Tree,
    /// Files with several names so far: what identifies them, and the inode.
    shared: Vec<(Identity, InodeId)>,
    shared_by_identity: Table,
    /// Where the last entry went: its neighbour is likely to follow.
    recent: (&'static [u8], EntryId),
}

/// Archive, device and inode number.
type Identity = (u32, (u32, u32), u32);

fn hash_identity(&(archive, (major, minor), ino): &Identity) -> u32 {
    [archive, major, minor, ino]
        .iter()
        .fold(0, |hash: u32, &part| {
            (hash.rotate_left(5) ^ part).wrapping_mul(0x9e37_79b1)
        })
}

impl Unpacker {
    fn new(count: usize) -> Result<Self, Error> {
        Ok(Self {
            tree: Tree::new(count)?,
            shared: Vec::new(),
            shared_by_identity: Table::default(),
            recent: (b"", EntryId::ROOT),
        })
    }

    fn unpack(&mut self, entry: &Entry<'static>) -> Result<(), Error> {
        let refuse = |errno| Error::Entry(entry.offset, errno);
        let (directory, name) = split(entry.name);
        let parent = self.parent(directory, refuse)?;
        let old = match name {
            b"" | b"." => Some(EntryId::ROOT),
            b".." => return Err(refuse(Errno::EISDIR)),
            _ if name.len() > NAME_MAX as usize => return Err(refuse(Errno::ENAMETOOLONG)),
            _ => self.tree.lookup(parent, name),
        };
        let old_is_dir = old.is_some_and(|old| self.tree.inode(old).is_dir());
        let inode = if file_type(entry.mode) == S_IFDIR {
            let dir = match old {
                Some(old) if old_is_dir => old,
                _ => self.tree.make_dir(parent, name, DIR_MODE)?,
            };
            self.tree.inode_id(dir)
        } else if old_is_dir {
            return Err(refuse(Errno::EISDIR));
        } else {
            if old.is_some() {
                // It may have been a link on the way to the directory remembered.
                self.recent = (b"", EntryId::ROOT);
            }
            let inode = self.file(entry)?;
            self.tree.link(parent, name, inode)?;
            inode
        };
        let inode = self.tree.inode_mut(inode);
        (inode.mode, inode.mtime) = (entry.mode & 0o177_777, entry.mtime);
        (inode.uid, inode.gid) = (entry.uid, entry.gid);
        Ok(())
    }

    /// The inode of an entry that is not a directory: a new one, or the one it shares.
    fn file(&mut self, entry: &Entry<'static>) -> Result<InodeId, Error> {
        let kind = kind_of(entry);
        if file_type(entry.mode) != S_IFREG || entry.nlink < 2 {
            return Ok(self.tree.add(kind, entry.mode)?);
        }
        let identity = (entry.archive, entry.dev, entry.ino);
        let hash = hash_identity(&identity);
        let known = &self.shared;
        let is_it = |index: u32| known[index as usize].0 == identity;
        if let Some(index) = self.shared_by_identity.find(hash, is_it) {
            let inode = self.shared[index as usize].1;
            if !entry.data.is_empty() {
                self.tree.inode_mut(inode).kind = kind;
            }
            return Ok(inode);
        }
        let inode = self.tree.add(kind, entry.mode)?;
        let index = self.shared.len() as u32;
        self.shared.try_reserve(1)?;
        self.shared.push((identity, inode));
        let known = &self.shared;
        let hash_of = |index: u32| hash_identity(&known[index as usize].0);
        self.shared_by_identity.insert(hash, index, hash_of)?;
        Ok(inode)
    }

    /// The directory `path`, with what is missing of it made.
    fn parent(
        &mut self,
        path: &'static [u8],
        refuse: impl Fn(Errno) -> Error,
    ) -> Result<EntryId, Error> {
        if path == self.recent.0 {
            return Ok(self.recent.1);
        }
        let mut here = EntryId::ROOT;
        for name in path.split(|&byte| byte == b'/') {
            here = match name {
                b"" | b"." => here,
                b".." => self.tree.parent(here).unwrap_or(EntryId::ROOT),
                _ if name.len() > NAME_MAX as usize => return Err(refuse(Errno::ENAMETOOLONG)),
                _ => match self.tree.lookup(here, name) {
                    None => self.tree.make_dir(here, name, DIR_MODE)?,
                    Some(entry) if self.tree.inode(entry).is_dir() => entry,
                    Some(_) => self.linked_dir(here, name).map_err(&refuse)?,
                },
            };
        }
        self.recent = (path, here);
        Ok(here)
    }

    /// The directory that `name`, which is not one, must be a link to.
    fn linked_dir(&self, parent: EntryId, name: &[u8]) -> Result<EntryId, Errno> {
        match walk(&self.tree, parent, name, Goal::Follow)?.target {
            Some(Target::Entry(entry)) if self.tree.inode(entry).is_dir() => Ok(entry),
            _ => Err(Errno::ENOTDIR),
        }
    }
}

/// Directory part and last component; slashes at the end do not count.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path
        .iter()
        .rposition(|&byte| byte != b'/')
        .map_or(0, |last| last + 1);
    match path[..end].iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..end]),
        None => (b"", &path[..end]),
    }
}

fn kind_of(entry: &Entry<'static>) -> Kind {
    match file_type(entry.mode) {
        S_IFREG => Kind::File(entry.data),
        S_IFLNK => Kind::Symlink(cpio::until_nul(entry.data)),
        S_IFCHR => Kind::Device(Device::from_numbers(entry.rdev.0, entry.rdev.1)),
        // Block devices, pipes and sockets can be seen, not opened.
        _ => Kind::Device(Device::Other(entry.rdev.0, entry.rdev.1)),
    }
}

/// Adds `/dev` and its nodes, except for names that the archive has.
fn add_devices(tree: &mut Tree) -> Result<(), Error> {
    let dev = match tree.lookup(EntryId::ROOT, b"dev") {
        Some(dev) if tree.inode(dev).is_dir() => dev,
        // The application wants something else there: so be it.
        Some(_) => return Ok(()),
        None => tree.make_dir(EntryId::ROOT, b"dev", DIR_MODE)?,
    };
    for (name, device, permissions) in NODES {
        add_node(tree, dev, name, Kind::Device(device), S_IFCHR | permissions)?;
    }
    for (number, name) in [(0, &b"stdin"[..]), (1, b"stdout"), (2, b"stderr")] {
        add_node(tree, dev, name, Kind::Descriptor(number), LINK_MODE)?;
    }
    Ok(())
}

fn add_node(
    tree: &mut Tree,
    dev: EntryId,
    name: &'static [u8],
    kind: Kind,
    mode: u32,
) -> Result<(), TryReserveError> {
    if tree.lookup(dev, name).is_none() {
        let inode = tree.add(kind, mode)?;
        tree.link(dev, name, inode)?;
    }
    Ok(())
}

/// A nameless entry for standard stream `number`: the terminal, or a pipe.
pub fn add_stream(tree: &mut Tree, number: u8) -> Result<EntryId, TryReserveError> {
    let device = Device::Stream(number);
    let mode = if device.is_tty() {
        S_IFCHR | 0o620
    } else {
        S_IFIFO | 0o600
    };
    add_nameless(tree, device, mode)
}

/// A nameless entry for a device, so that it works whatever the archive has in `/dev`.
pub fn add_nameless(
    tree: &mut Tree,
    device: Device,
    mode: u32,
) -> Result<EntryId, TryReserveError> {
    let inode = tree.add(Kind::Device(device), mode)?;
    tree.inode_mut(inode).nlink = 1;
    tree.add_nameless(inode)
}

#[cfg(test)]
mod tests;
