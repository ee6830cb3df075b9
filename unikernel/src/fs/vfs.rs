//! The one file name space: the dentry cache, the root and the working directory of the process, and
//! what is mounted where.

use super::dcache::{Dcache, DentryId};
use super::inode::Inode;
use super::mount::options::Options;
use super::rc::Ref;
use super::super_block::SuperBlock;
use crate::errno::Errno;
use crate::sync::{Exclusive, Inside};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A file system in the name space.
#[derive(Debug)]
pub struct Mount {
    /// Its root.
    pub root: DentryId,
    /// What its files share.
    pub sb: Ref<SuperBlock>,
    /// Where it comes from, as mount(2) named it (`none`, `tmpfs` …).
    pub source: Vec<u8>,
    /// Its options, but for the limits, which change.
    pub options: Options,
    /// Marked by umount2(2) with `MNT_EXPIRE`, and not used since.
    pub expired: bool,
}

/// Names, mounts, and where the process stands.
#[derive(Debug)]
pub struct Vfs {
    /// All names.
    pub cache: Dcache,
    /// The root directory of the process.
    pub root: DentryId,
    /// Its working directory.
    pub cwd: DentryId,
    /// What is mounted, the root first.
    pub mounts: Vec<Mount>,
    /// Some mount is marked as expired, so that walks have to be watched.
    pub expiring: bool,
    /// Files and names refer to the initrd where the loader put it.
    pub borrows_image: bool,
}

static VFS: Exclusive<Vfs> = Exclusive::new(Vfs::new());

/// The name space. Nobody may sleep, or drop an open file, while holding it.
#[inline(always)]
pub fn vfs() -> Inside<'static, Vfs> {
    VFS.lock()
}

/// The name space, for the short cuts, which must not panic.
#[inline(always)]
pub fn try_vfs() -> Option<Inside<'static, Vfs>> {
    VFS.try_lock()
}

impl Default for Vfs {
    fn default() -> Self {
        Self::new()
    }
}

/// The working directory is the root of the process: what getcwd(2) is usually asked about.
static AT_ROOT: AtomicBool = AtomicBool::new(false);

/// The process begins at its root.
pub fn begin_at_root() {
    AT_ROOT.store(true, Relaxed);
}

/// Whether the working directory is the root.
#[inline(always)]
pub fn is_at_root() -> bool {
    AT_ROOT.load(Relaxed)
}

impl Vfs {
    /// A name space without anything; [`super::init`] mounts the root.
    pub const fn new() -> Self {
        Self {
            cache: Dcache::new(),
            root: DentryId::from_number(0),
            cwd: DentryId::from_number(0),
            mounts: Vec::new(),
            expiring: false,
            borrows_image: false,
        }
    }

    /// The file of a dentry that a walk found.
    #[inline(always)]
    pub fn inode(&self, id: DentryId) -> Result<&Ref<Inode>, Errno> {
        self.cache.inode(id).ok_or(Errno::ENOENT)
    }

    /// The directory above one: out of its file system, but not out of the root of the process.
    pub fn above(&self, directory: DentryId) -> DentryId {
        let mut id = directory;
        loop {
            if id == self.root {
                return id;
            }
            if let Some(parent) = self.cache.parent(id) {
                return parent;
            }
            match self.cache.covered_by(id) {
                Some(point) => id = point,
                None => return id,
            }
        }
    }

    /// Makes `directory` the working directory.
    pub fn set_cwd(&mut self, directory: DentryId) {
        self.cache.get(directory);
        let old = core::mem::replace(&mut self.cwd, directory);
        AT_ROOT.store(self.cwd == self.root, Relaxed);
        self.leave(old);
    }

    /// Makes `directory` the root of the process.
    pub fn set_root(&mut self, directory: DentryId) {
        self.cache.get(directory);
        let old = core::mem::replace(&mut self.root, directory);
        AT_ROOT.store(self.cwd == self.root, Relaxed);
        self.leave(old);
    }

    /// The process stands on a directory no more.
    fn leave(&mut self, directory: DentryId) {
        let inode = self.cache.inode(directory);
        let detached = inode.filter(|inode| inode.sb.detached().is_some());
        let sb = detached.map(|inode| inode.sb.clone());
        self.cache.put(directory);
        if let Some(sb) = sb {
            self.left(&sb);
        }
    }

    /// The components of the path of `id` from the root of the process, last first. A second value
    /// says whether the path leads there: not from an unlinked directory, nor from one outside.
    pub fn components(&self, id: DentryId, mut each: impl FnMut(&[u8])) -> bool {
        let mut at = id;
        let mut linked = true;
        loop {
            if at == self.root {
                return linked;
            }
            if let Some(point) = self.cache.covered_by(at) {
                at = point;
                continue;
            }
            linked &= self.cache.is_linked(at);
            each(self.cache.name(at));
            match self.cache.parent(at) {
                Some(parent) => at = parent,
                None => return false,
            }
        }
    }

    /// Mounts a file system on a directory, over what may be mounted there already.
    pub fn mount(
        &mut self,
        point: DentryId,
        root: DentryId,
        sb: Ref<SuperBlock>,
        source: &[u8],
    ) -> Result<(), Errno> {
        let mut name = Vec::new();
        let no_room = |_| Errno::ENOMEM;
        name.try_reserve_exact(source.len()).map_err(no_room)?;
        name.extend_from_slice(source);
        self.mounts.try_reserve(1).map_err(no_room)?;
        self.cache.set_mount(point, Some(root));
        self.mounts.push(Mount {
            root,
            sb,
            source: name,
            options: Options::default(),
            expired: false,
        });
        Ok(())
    }
}
