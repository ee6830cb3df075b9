//! Mounting, changing and unmounting while the system runs. Rules and their order are those of
//! Linux's `namespace.c`.
//!
//! A mount is a whole file system with its tree, at one place: there are no bind mounts. One that is
//! unmounted while it is in use (`MNT_DETACH`) stays for who uses it; the last to leave frees it.

use super::options::{DEFAULT_MODE, Options};
use super::{default_limit, fill_dev, root_of};
use crate::errno::Errno;
use crate::fs::dcache::DentryId;
use crate::fs::fd;
use crate::fs::inode::now;
use crate::fs::notify::hooks;
use crate::fs::pages::{Quota, Usage};
use crate::fs::rc::Ref;
use crate::fs::super_block::{FsType, SuperBlock};
use crate::fs::vfs::{Mount, Vfs};
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;
use linux_raw_sys::general::{
    MNT_DETACH, MNT_EXPIRE, MNT_FORCE, MS_NOATIME, MS_NODIRATIME, MS_RDONLY, MS_RELATIME, S_IFDIR,
};

/// The flags that say how access times are noted.
const ATIME: u32 = MS_NOATIME | MS_NODIRATIME | MS_RELATIME;

impl Vfs {
    /// Mounts a new file system on `point`. Errors: `ENOENT` (the directory was removed), `ENOTDIR`,
    /// `EINVAL` (it is out of sight), `EBUSY` (the same is there already), `ENOMEM`.
    pub fn mount_new(
        &mut self,
        point: DentryId,
        fs_type: FsType,
        flags: u32,
        options: Options,
        source: &[u8],
    ) -> Result<(), Errno> {
        let inode = self.inode(point)?.clone();
        if !self.cache.is_linked(point) {
            return Err(Errno::ENOENT);
        }
        if inode.sb.detached().is_some() {
            return Err(Errno::EINVAL);
        }
        // Of these Linux has one, which cannot be mounted on itself.
        let is_single = !matches!(fs_type, FsType::Tmpfs);
        if is_single && inode.sb.fs_type == fs_type && self.cache.parent(point).is_none() {
            return Err(Errno::EBUSY);
        }
        if !inode.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        let limit = |given: Option<u64>| match given {
            Some(most) => (most != 0).then_some(most),
            None => default_limit(),
        };
        let (quota, mode) = match fs_type {
            FsType::Tmpfs | FsType::Devtmpfs => {
                let mode = match fs_type {
                    FsType::Devtmpfs => 0o755,
                    _ => DEFAULT_MODE,
                };
                let quota = Quota::new(limit(options.pages), limit(options.inodes));
                (quota, options.mode.unwrap_or(mode))
            }
            _ => (Quota::new(None, None), 0o555),
        };
        let owner = (options.uid.unwrap_or(0), options.gid.unwrap_or(0));
        let flags = options.flags(flags) & SuperBlock::FLAGS;
        let options = Options {
            mode: Some(mode),
            ..options
        };
        let mode = (S_IFDIR | mode, owner);
        let (root, sb) = root_of(self, fs_type, flags, quota, mode, now())?;
        let filled = match fs_type {
            FsType::Devtmpfs => fill_dev(self, root),
            _ => Ok(()),
        };
        let mounted = filled.and_then(|()| self.mount(point, root, sb, source));
        match mounted {
            Ok(()) => {
                if let Some(mount) = self.mounts.last_mut() {
                    mount.options = options;
                }
                Ok(())
            }
            Err(errno) => {
                self.free_tree(root);
                Err(errno)
            }
        }
    }

    /// The mount with this root: `EINVAL` when it is none, or not mounted any more.
    pub fn mount_at(&self, root: DentryId) -> Result<usize, Errno> {
        let found = self.mounts.iter().position(|mount| mount.root == root);
        found.ok_or(Errno::EINVAL)
    }

    /// `MS_REMOUNT`: new flags, and for a tmpfs new limits; mode and owners of the options do not
    /// count then. Errors: `EINVAL` (not the root of a mount, a limit below what is in use, or one
    /// where there was none), `EBUSY` (to be read-only with files open for writing).
    pub fn remount(&mut self, root: DentryId, flags: u32, options: Options) -> Result<(), Errno> {
        let index = self.mount_at(root)?;
        let sb = self.mounts[index].sb.clone();
        let flags = options.flags(flags);
        if flags & MS_RDONLY != 0 && !sb.is_read_only() {
            self.check_unwritten(&sb, true)?;
        }
        if sb.fs_type.is_tmpfs() {
            let quota = &sb.quota;
            check_limit(quota.pages(), options.pages)?;
            check_limit(quota.inodes(), options.inodes)?;
            let limit = |most: u64| (most != 0).then_some(most);
            if let Some(pages) = options.pages {
                quota.set_pages(limit(pages))?;
            }
            if let Some(inodes) = options.inodes {
                quota.set_inodes(limit(inodes))?;
            }
        }
        set_flags(&sb, flags);
        Ok(())
    }

    /// `MS_REMOUNT | MS_BIND`: new flags of the mount alone. `EINVAL`, `EBUSY`.
    pub fn change_flags(&mut self, root: DentryId, flags: u32) -> Result<(), Errno> {
        let index = self.mount_at(root)?;
        let sb = self.mounts[index].sb.clone();
        if flags & MS_RDONLY != 0 && !sb.is_read_only() {
            self.check_unwritten(&sb, false)?;
        }
        set_flags(&sb, flags);
        Ok(())
    }

    /// umount2(2), of the mount whose root is `root`. Errors: `EINVAL` (it is none, or the first of
    /// all), `EBUSY`, `EAGAIN` (marked as expired).
    pub fn unmount(&mut self, root: DentryId, flags: u32) -> Result<(), Errno> {
        let index = self.mount_at(root)?;
        let sb = self.mounts[index].sb.clone();
        let holds_root = Ref::same(&self.inode(self.root)?.sb, &sb);
        let is_lazy = flags & MNT_DETACH != 0;
        if flags & MNT_EXPIRE != 0 {
            if holds_root || flags & (MNT_FORCE | MNT_DETACH) != 0 {
                return Err(Errno::EINVAL);
            }
            self.check_idle(&sb)?;
            if !core::mem::replace(&mut self.mounts[index].expired, true) {
                self.watch_for_use();
                return Err(Errno::EAGAIN);
            }
        }
        if holds_root && !is_lazy {
            // The process stands on it: all that can be done is to let nothing change any more.
            let flags = sb.flags.load(Relaxed) | MS_RDONLY;
            return self.remount(root, flags, Options::default());
        }
        if self.cache.covered_by(root).is_none() {
            return Err(Errno::EINVAL);
        }
        if !is_lazy {
            self.check_idle(&sb)?;
        }
        self.detach(index)
    }

    /// Takes a mount and those below it out of the name space, and frees those that nobody uses.
    fn detach(&mut self, index: usize) -> Result<(), Errno> {
        let mut gone = Vec::<Mount>::new();
        let room = gone.try_reserve_exact(self.mounts.len());
        room.map_err(|_| Errno::ENOMEM)?;
        let mut next = Some(index);
        while let Some(index) = next {
            let mount = self.mounts.remove(index);
            if let Some(point) = self.cache.covered_by(mount.root) {
                self.cache.set_mount(point, None);
            }
            mount.sb.detach(mount.root);
            gone.push(mount);
            let is_below = |mount: &Mount| {
                let point = self.cache.covered_by(mount.root);
                let above = point.and_then(|point| self.cache.inode(point));
                above.is_some_and(|inode| inode.sb.detached().is_some())
            };
            next = self.mounts.iter().position(is_below);
        }
        for mount in gone {
            self.left(&mount.sb);
        }
        Ok(())
    }

    /// Somebody stopped using a file system that is not mounted any more: the last one frees it.
    #[cold]
    #[inline(never)]
    pub fn left(&mut self, sb: &SuperBlock) {
        if let Some(root) = sb.detached()
            && self.users(sb).next().is_none()
        {
            sb.freed();
            self.free_tree(root);
        }
    }

    /// Frees a tree with nobody in it: its root and all below.
    fn free_tree(&mut self, root: DentryId) {
        hooks::unmounted(&self.cache, root);
        let mut at = root;
        loop {
            if let Some(child) = self.cache.first_child(at) {
                at = child;
                continue;
            }
            let parent = self.cache.parent(at);
            let Some(parent) = parent.filter(|_| at != root) else {
                break;
            };
            self.cache.unlink(at);
            at = parent;
        }
        self.cache.put(root);
    }

    /// Who uses a file system: open files, the working directory, the root of the process. Each as
    /// the flags of open(2) (of a directory: none), and whether the file has a name.
    fn users(&self, sb: &SuperBlock) -> impl Iterator<Item = (u32, bool)> {
        let mut from = 0;
        let open = core::iter::from_fn(move || {
            let number = fd::next_open(from)?;
            from = number + 1;
            Some(number)
        });
        let files = open.filter_map(|number| {
            let file = fd::peek(number as i32).ok()?;
            let inode = file.inode();
            core::ptr::eq(&raw const *inode.sb, sb).then(|| (file.flags(), inode.nlink() > 0))
        });
        let places = [self.cwd, self.root].into_iter().filter_map(|id| {
            let inode = self.cache.inode(id)?;
            core::ptr::eq(&raw const *inode.sb, sb).then(|| (0, inode.nlink() > 0))
        });
        files.chain(places)
    }

    /// `EBUSY` when somebody uses a file system, or when another is mounted in it.
    fn check_idle(&self, sb: &SuperBlock) -> Result<(), Errno> {
        let has_inner = self.mounts.iter().any(|mount| {
            let point = self.cache.covered_by(mount.root);
            let above = point.and_then(|point| self.cache.inode(point));
            above.is_some_and(|inode| core::ptr::eq(&raw const *inode.sb, sb))
        });
        if has_inner || self.users(sb).next().is_some() {
            Err(Errno::EBUSY)
        } else {
            Ok(())
        }
    }

    /// `EBUSY` when a file is open for writing, or, if `removed` counts, in use without a name: it
    /// would have to be removed at the end.
    fn check_unwritten(&self, sb: &SuperBlock, removed: bool) -> Result<(), Errno> {
        let is_writer = |(flags, named): (u32, bool)| writes(flags) || (removed && !named);
        if self.users(sb).any(is_writer) {
            Err(Errno::EBUSY)
        } else {
            Ok(())
        }
    }

    /// From now on a walk into a mount is noticed: it is not expired then.
    fn watch_for_use(&mut self) {
        self.expiring = true;
        // Paths that were looked up before would not be walked.
        self.cache.paths.forget();
    }

    /// A walk came to the root of a mount while [`Vfs::expiring`].
    #[cold]
    #[inline(never)]
    pub fn used(&mut self, root: DentryId) {
        for mount in &mut self.mounts {
            mount.expired &= mount.root != root;
        }
        self.expiring = self.mounts.iter().any(|mount| mount.expired);
    }
}

/// Whether a file opened with these flags may be written to.
fn writes(flags: u32) -> bool {
    use linux_raw_sys::general::{O_ACCMODE, O_PATH, O_RDONLY};
    flags & O_PATH == 0 && flags & O_ACCMODE != O_RDONLY
}

/// Replaces the flags; without a word about access times those stay.
fn set_flags(sb: &SuperBlock, flags: u32) {
    let flags = match flags & ATIME {
        0 => flags | atime(sb),
        _ => flags,
    };
    sb.flags.store(flags & SuperBlock::FLAGS, Relaxed);
}

fn atime(sb: &SuperBlock) -> u32 {
    sb.flags.load(Relaxed) & ATIME
}

/// Whether a limit may become `most` (0: none): `EINVAL` when more is in use, or when there was none
/// and is to be one.
fn check_limit(usage: Usage, most: Option<u64>) -> Result<(), Errno> {
    match most {
        Some(most @ 1..) if usage.limit.is_none() || most < usage.used => Err(Errno::EINVAL),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
