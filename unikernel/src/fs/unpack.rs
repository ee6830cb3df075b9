//! From an initrd to the files of the root: one pass over the archive. Names and content borrow
//! from it; what is written gets pages of its own.
//!
//! The rules are those of the kernel's own unpacking: missing parents appear as directories (mode
//! 0755), symbolic links in a path are followed, a later entry replaces an earlier one of the same
//! name, names with the same inode and device numbers inside one archive are hard links whose
//! content may come with any of them.

use super::cpio::{self, Entries, Entry, Fault};
use super::dcache::DentryId;
use super::gzip;
use super::inode::{self, Inode, Kind, Link, file_type};
use super::name::Name;
use super::pages::PageStore;
use super::path::PathBuf;
use super::rc::Ref;
use super::super_block::SuperBlock;
use super::table::Table;
use super::vfs::Vfs;
use super::walk::{Goal, walk};
use crate::errno::Errno;
use crate::sync::Exclusive;
use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::fmt;
use linux_raw_sys::general::{NAME_MAX, S_IFDIR, S_IFLNK, S_IFREG};

/// Why there is no root. The message continues "the initrd cannot be used: …".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The initrd is not a usable cpio archive.
    Archive(cpio::Error),
    /// The entry whose header is at this byte cannot be placed in the tree.
    Entry(usize, Errno),
    /// The initrd is compressed, and broken.
    Gzip(gzip::Error),
    /// What was compressed at this byte is not a usable archive.
    InsideArchive(usize, cpio::Error),
    /// What was compressed at this byte has, at this byte of its own, an entry that cannot be placed.
    InsideEntry(usize, usize, Errno),
    /// The kernel heap is too small for the tree.
    OutOfMemory,
    /// Standard input was to be the file `.lintel-stdin` of the initrd, which has none.
    NoStdinFile,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offset, why) = match self {
            Self::Archive(error) => return error.fmt(f),
            Self::Gzip(error) => return error.fmt(f),
            Self::InsideArchive(start, error) => {
                return write!(f, "inside the gzip data at byte {start:#x}: {error}");
            }
            Self::InsideEntry(start, offset, errno) => {
                let error = Self::Entry(*offset, *errno);
                return write!(f, "inside the gzip data at byte {start:#x}: {error}");
            }
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

impl From<Errno> for Error {
    /// Nothing but memory can be missing where no entry is to blame.
    fn from(_: Errno) -> Self {
        Self::OutOfMemory
    }
}

impl From<gzip::Error> for Error {
    fn from(error: gzip::Error) -> Self {
        Self::Gzip(error)
    }
}

impl From<TryReserveError> for Error {
    fn from(_: TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

const DIR_MODE: u32 = S_IFDIR | 0o755;

impl Error {
    /// The same, of what was compressed at byte `start`.
    fn inside(self, start: usize) -> Self {
        match self {
            Self::Archive(error) => Self::InsideArchive(start, error),
            Self::Entry(offset, errno) => Self::InsideEntry(start, offset, errno),
            other => other,
        }
    }
}

/// Unpacks archives, compressed with gzip or not, into the tmpfs whose root is `root`. Whether
/// something of the image itself is in use then: what was inflated has memory of its own.
pub fn unpack(vfs: &mut Vfs, root: DentryId, image: &'static [u8]) -> Result<bool, Error> {
    let sb = vfs.inode(root)?.sb.clone();
    let mut unpacker = Unpacker {
        vfs,
        sb,
        root,
        shared: Vec::new(),
        shared_by_identity: Table::default(),
        recent: (b"", root),
    };
    let (mut is_used, mut entries) = (false, Entries::new(image));
    loop {
        let start = match unpacker.all(&mut entries, &mut is_used) {
            Ok(()) => return Ok(is_used),
            Err(Error::Archive(cpio::Error {
                offset,
                fault: Fault::Compressed("gzip"),
            })) => offset,
            Err(error) => return Err(error),
        };
        let member = gzip::inflate(image, start)?;
        let mut inner = Entries::from(member.content, 0, entries.archive());
        let unpacked = unpacker.all(&mut inner, &mut false);
        unpacked.map_err(|error| error.inside(start))?;
        entries = Entries::from(image, member.end, inner.archive());
    }
}

struct Unpacker<'v> {
    vfs: &'v mut Vfs,
    sb: Ref<SuperBlock>,
    root: DentryId,
    /// Files with several names so far: what identifies them, and the inode.
    shared: Vec<(Identity, Ref<Inode>)>,
    shared_by_identity: Table,
    /// Where the last entry went: its neighbour is likely to follow.
    recent: (&'static [u8], DentryId),
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

impl Unpacker<'_> {
    /// Unpacks all entries; `is_used` becomes true if there are any.
    fn all(&mut self, entries: &mut Entries<'static>, is_used: &mut bool) -> Result<(), Error> {
        for entry in entries {
            self.unpack(&entry.map_err(Error::Archive)?)?;
            *is_used = true;
        }
        Ok(())
    }

    fn unpack(&mut self, entry: &Entry<'static>) -> Result<(), Error> {
        let refuse = |errno| Error::Entry(entry.offset, errno);
        let (directory, name) = split(entry.name);
        let parent = self.parent(directory, refuse)?;
        let old = match name {
            b"" | b"." => Some(self.root),
            b".." => return Err(refuse(Errno::EISDIR)),
            _ if name.len() > NAME_MAX as usize => return Err(refuse(Errno::ENAMETOOLONG)),
            _ => self.vfs.cache.find(parent, name),
        };
        let old_is_dir = old.is_some_and(|old| self.is_dir(old));
        let inode = if file_type(entry.mode) == S_IFDIR {
            let dir = match old {
                Some(old) if old_is_dir => old,
                _ => self.make_dir(parent, name, old)?,
            };
            self.vfs.inode(dir)?.clone()
        } else if old_is_dir {
            return Err(refuse(Errno::EISDIR));
        } else {
            if let Some(old) = old {
                // It may have been a link on the way to the directory remembered.
                self.recent = (b"", self.root);
                self.remove(old)?;
            }
            let inode = self.file(entry)?;
            inode.charge_name()?;
            inode.count_names(1);
            let name = Name::Static(name);
            self.vfs.cache.add(parent, name, inode.clone())?;
            inode
        };
        inode.set_permissions(entry.mode & 0o7777);
        inode.set_owner((entry.uid, entry.gid));
        let time = (i64::from(entry.mtime), 0);
        for stamp in [&inode.atime, &inode.mtime, &inode.ctime] {
            stamp.set(time);
        }
        Ok(())
    }

    fn is_dir(&self, id: DentryId) -> bool {
        self.vfs.inode(id).is_ok_and(|inode| inode.is_dir())
    }

    /// Takes the name from a file that is no directory.
    fn remove(&mut self, old: DentryId) -> Result<(), Errno> {
        let inode = self.vfs.inode(old)?;
        inode.release_name(inode.nlink());
        inode.count_names(-1);
        self.vfs.cache.unlink(old);
        Ok(())
    }

    fn make_dir(
        &mut self,
        parent: DentryId,
        name: &'static [u8],
        old: Option<DentryId>,
    ) -> Result<DentryId, Errno> {
        if let Some(old) = old {
            self.remove(old)?;
        }
        let inode = Inode::at(&self.sb, Kind::Dir, DIR_MODE, (0, 0), (0, 0))?;
        inode.count_names(1);
        self.vfs.inode(parent)?.count_names(1);
        self.vfs.cache.add(parent, Name::Static(name), inode)
    }

    /// The inode of an entry that is not a directory: a new one, or the one it shares.
    fn file(&mut self, entry: &Entry<'static>) -> Result<Ref<Inode>, Error> {
        let new = || {
            let mode = entry.mode & 0o177_777;
            Inode::at(&self.sb, kind_of(entry)?, mode, (0, 0), (0, 0))
        };
        if file_type(entry.mode) != S_IFREG || entry.nlink < 2 {
            return Ok(new()?);
        }
        let identity = (entry.archive, entry.dev, entry.ino);
        let hash = hash_identity(&identity);
        let known = &self.shared;
        let is_it = |index: u32| known[index as usize].0 == identity;
        if let Some(index) = self.shared_by_identity.find(hash, is_it) {
            let inode = self.shared[index as usize].1.clone();
            if let Some(store) = inode.store()
                && !entry.data.is_empty()
            {
                *store.lock() = PageStore::from_image(entry.data);
            }
            return Ok(inode);
        }
        let inode = new()?;
        let index = self.shared.len() as u32;
        self.shared.try_reserve(1)?;
        self.shared.push((identity, inode.clone()));
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
    ) -> Result<DentryId, Error> {
        if path == self.recent.0 {
            return Ok(self.recent.1);
        }
        let mut here = self.root;
        for name in path.split(|&byte| byte == b'/') {
            here = match name {
                b"" | b"." => here,
                b".." => self.vfs.cache.parent(here).unwrap_or(self.root),
                _ if name.len() > NAME_MAX as usize => return Err(refuse(Errno::ENAMETOOLONG)),
                _ => match self.vfs.cache.find(here, name) {
                    None => self.make_dir(here, name, None)?,
                    Some(entry) if self.is_dir(entry) => entry,
                    Some(_) => self.linked_dir(here, name).map_err(&refuse)?,
                },
            };
        }
        self.recent = (path, here);
        Ok(here)
    }

    /// The directory that `name`, which is not one, must be a link to.
    fn linked_dir(&mut self, parent: DentryId, name: &[u8]) -> Result<DentryId, Errno> {
        let mut buffer = PathBuf::new();
        let found = walk(self.vfs, parent, buffer.copy(name)?, Goal::Follow)?.found;
        found.filter(|&id| self.is_dir(id)).ok_or(Errno::ENOTDIR)
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

fn kind_of(entry: &Entry<'static>) -> Result<Kind, Errno> {
    Ok(match file_type(entry.mode) {
        S_IFREG => Kind::File(Exclusive::new(PageStore::from_image(entry.data))),
        S_IFLNK => Kind::Symlink(Link::new(cpio::until_nul(entry.data))?),
        // A block device can be seen, not opened.
        _ => inode::empty(entry.mode, entry.rdev).ok_or(Errno::EINVAL)?,
    })
}

#[cfg(test)]
mod tests;
