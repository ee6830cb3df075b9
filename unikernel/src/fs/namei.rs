//! Making, removing and moving names. Rules and their order are those of Linux's `namei.c`.

use super::dcache::DentryId;
use super::inode::{Inode, Kind};
use super::name::Name;
use super::notify::hooks;
use super::permission;
use super::rc::Ref;
use super::super_block::FsType;
use super::vfs::Vfs;
use super::walk::{Goal, Last, Walked};
use crate::cred::permission::{Attributes, MAY_WRITE};
use crate::errno::Errno;
use core::sync::atomic::Ordering::Relaxed;
use linux_raw_sys::general::{RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT, S_IFCHR};

/// Names that one file may have.
const LINK_MAX: u32 = i32::MAX as u32;

/// A name that is to be made: the directory, and the name that it does not have yet.
#[derive(Debug)]
pub struct Vacant {
    /// The directory.
    pub directory: DentryId,
    /// The name.
    pub name: Name,
}

impl Vfs {
    /// Finds where a name is to be made. `EEXIST`; `ENOENT` for a slash behind the name of what is
    /// no directory; `EROFS`.
    pub fn vacant(&mut self, dirfd: i32, path: &[u8], is_dir: bool) -> Result<Vacant, Errno> {
        let walked = self.walk(dirfd, path, Goal::Name)?;
        if walked.found.is_some() {
            return Err(Errno::EEXIST);
        }
        walked.check_length()?;
        let name = walked.name.ok_or(Errno::ENOENT)?;
        if walked.slash && !is_dir {
            return Err(Errno::ENOENT);
        }
        let directory = walked.directory;
        self.inode(directory)?.sb.check_writable()?;
        Ok(Vacant { directory, name })
    }

    /// Makes a file of `kind` at a vacant name. `mode` is complete but for what a set-group-ID
    /// directory adds. Errors: `EACCES`, `ENOSPC`, `ENOMEM`, `EPERM` (sysfs), `ENOENT` (procfs,
    /// or the directory was removed).
    pub fn create(&mut self, at: Vacant, kind: Kind, mode: u32) -> Result<DentryId, Errno> {
        self.check_linked(at.directory)?;
        let (directory, new) = self.check_creation(at.directory, mode)?;
        let inode = Inode::new(&directory.sb, kind, new.mode, (new.uid, new.gid))?;
        let is_dir = inode.is_dir();
        if !is_dir {
            inode.count_names(1);
        }
        let id = self.cache.add(at.directory, at.name, inode.clone())?;
        if is_dir {
            inode.count_names(1);
            directory.count_names(1);
        }
        directory.touch();
        hooks::created(&self.cache, &directory, id);
        Ok(id)
    }

    /// An inode without a name in `directory`'s file system, for `O_TMPFILE`.
    pub fn create_nameless(
        &mut self,
        directory: DentryId,
        kind: Kind,
        mode: u32,
    ) -> Result<Ref<Inode>, Errno> {
        let (directory, new) = self.check_creation(directory, mode)?;
        Inode::new(&directory.sb, kind, new.mode, (new.uid, new.gid))
    }

    /// Whether the process may make a file in a directory; returns that, the new file's owner and
    /// mode.
    fn check_creation(&self, id: DentryId, mode: u32) -> Result<(Ref<Inode>, Attributes), Errno> {
        let directory = self.inode(id)?.clone();
        if !matches!(directory.kind, Kind::Dir) {
            // proc(5) and sysfs(5) have no files but their own. In procfs already the search for a
            // name that is not there fails.
            return Err(match directory.sb.fs_type {
                FsType::Proc => Errno::ENOENT,
                _ => Errno::EPERM,
            });
        }
        permission::change_directory(&directory)?;
        let new = permission::create(&directory, mode);
        Ok((directory, new))
    }

    /// `ENOENT` in a directory that was removed: it gets no new names.
    fn check_linked(&self, directory: DentryId) -> Result<(), Errno> {
        if self.cache.is_linked(directory) {
            Ok(())
        } else {
            Err(Errno::ENOENT)
        }
    }

    /// link(2): another name for `inode`. `EPERM` for a directory, `EXDEV`, `EMLINK`.
    pub fn link(&mut self, inode: &Ref<Inode>, at: Vacant) -> Result<DentryId, Errno> {
        let directory = self.inode(at.directory)?.clone();
        if !Ref::same(&directory.sb, &inode.sb) {
            return Err(Errno::EXDEV);
        }
        permission::link(inode)?;
        self.check_linked(at.directory)?;
        self.check_creation(at.directory, 0)?;
        if inode.is_dir() {
            return Err(Errno::EPERM);
        }
        if inode.nlink() == 0 && !inode.may_be_linked() {
            return Err(Errno::ENOENT);
        }
        if inode.nlink() >= LINK_MAX {
            return Err(Errno::EMLINK);
        }
        inode.charge_name()?;
        let added = self.cache.add(at.directory, at.name, inode.clone());
        let id = added.inspect_err(|_| inode.release_name(inode.nlink() + 1))?;
        inode.count_names(1);
        inode.linkable.store(false, Relaxed);
        inode.touch_ctime();
        directory.touch();
        hooks::counted(inode);
        hooks::created(&self.cache, &directory, id);
        Ok(id)
    }

    /// unlink(2) and rmdir(2) (`directory`): the name goes; the file with its last user.
    pub fn unlink(&mut self, dirfd: i32, path: &[u8], directory: bool) -> Result<(), Errno> {
        let walked = self.walk(dirfd, path, Goal::Name)?;
        match walked.last {
            Last::Name => {}
            _ if !directory => return Err(Errno::EISDIR),
            Last::Dot => return Err(Errno::EINVAL),
            Last::DotDot => return Err(Errno::ENOTEMPTY),
            Last::Root => return Err(Errno::EBUSY),
        }
        let parent = self.inode(walked.directory)?.clone();
        parent.sb.check_writable()?;
        let id = walked.found()?;
        let inode = self.inode(id)?.clone();
        if walked.slash && !directory {
            return Err(if inode.is_dir() {
                Errno::EISDIR
            } else {
                Errno::ENOTDIR
            });
        }
        permission::delete(&parent, &inode)?;
        match (directory, inode.is_dir()) {
            (true, false) => return Err(Errno::ENOTDIR),
            (false, true) => return Err(Errno::EISDIR),
            _ => {}
        }
        self.check_removable(&parent, id)?;
        if directory && !self.cache.is_empty(id) {
            return Err(Errno::ENOTEMPTY);
        }
        let name = hooks::old_name(&self.cache, id);
        if !directory {
            hooks::counted(&inode);
        }
        self.forget(id, &parent, &inode);
        parent.touch();
        if let Some(name) = name {
            hooks::removed(&parent, &name, directory);
        }
        Ok(())
    }

    /// `EPERM` in a generated file system, `EBUSY` for a mount point.
    fn check_removable(&self, parent: &Inode, id: DentryId) -> Result<(), Errno> {
        if !matches!(parent.kind, Kind::Dir) {
            Err(Errno::EPERM)
        } else if self.cache.mounted_on(id).is_some() {
            Err(Errno::EBUSY)
        } else {
            Ok(())
        }
    }

    /// Removes a name and counts it off.
    fn forget(&mut self, id: DentryId, parent: &Inode, inode: &Inode) {
        if inode.is_dir() {
            inode.count_names(-2);
            parent.count_names(-1);
        } else {
            inode.release_name(inode.nlink());
            inode.count_names(-1);
        }
        inode.touch_ctime();
        self.cache.unlink(id);
    }

    /// renameat2(2), the paths walked already.
    pub fn rename(&mut self, from: &Walked, to: Walked, flags: u32) -> Result<(), Errno> {
        let (old_dir, new_dir) = (from.directory, to.directory);
        let (old_parent, new_parent) = (self.inode(old_dir)?.clone(), self.inode(new_dir)?.clone());
        if !Ref::same(&old_parent.sb, &new_parent.sb) {
            return Err(Errno::EXDEV);
        }
        let is_name = |walked: &Walked| walked.last == Last::Name;
        if !is_name(from) {
            return Err(Errno::EBUSY);
        }
        if !is_name(&to) {
            let taken = flags & RENAME_NOREPLACE != 0;
            return Err(if taken { Errno::EEXIST } else { Errno::EBUSY });
        }
        old_parent.sb.check_writable()?;
        let id = from.found()?;
        to.check_length()?;
        if !self.cache.is_linked(new_dir) {
            return Err(Errno::ENOENT);
        }
        let inode = self.inode(id)?.clone();
        let exchange = flags & RENAME_EXCHANGE != 0;
        if to.found.is_some() && flags & RENAME_NOREPLACE != 0 {
            return Err(Errno::EEXIST);
        }
        if exchange {
            let other = self.inode(to.found()?)?;
            if to.slash && !other.is_dir() {
                return Err(Errno::ENOTDIR);
            }
        }
        if !inode.is_dir() && (from.slash || (!exchange && to.slash)) {
            return Err(Errno::ENOTDIR);
        }
        if self.cache.is_above(id, new_dir) {
            return Err(Errno::EINVAL);
        }
        if to.found.is_some_and(|to| self.cache.is_above(to, old_dir)) {
            return Err(if exchange {
                Errno::EINVAL
            } else {
                Errno::ENOTEMPTY
            });
        }
        self.move_name((id, &inode), (&old_parent, &new_parent), to, flags)
    }

    /// The part of a rename that the paths have no more say in.
    fn move_name(
        &mut self,
        (id, inode): (DentryId, &Ref<Inode>),
        (old_parent, new_parent): (&Ref<Inode>, &Ref<Inode>),
        to: Walked,
        flags: u32,
    ) -> Result<(), Errno> {
        if to.found == Some(id) {
            return Ok(());
        }
        let target = to.found.map(|to| self.inode(to).cloned()).transpose()?;
        if let Some(target) = &target
            && Ref::same(target, inode)
        {
            // Two names of one file: nothing happens.
            return Ok(());
        }
        permission::delete(old_parent, inode)?;
        match &target {
            Some(target) => permission::delete(new_parent, target)?,
            None => permission::change_directory(new_parent)?,
        }
        if !matches!(new_parent.kind, Kind::Dir) {
            return Err(Errno::ENOENT);
        }
        if flags & RENAME_EXCHANGE == 0
            && let Some(target) = &target
        {
            match (inode.is_dir(), target.is_dir()) {
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                _ => {}
            }
        }
        self.check_new_parent(inode, (old_parent, new_parent))?;
        if let Some(target) = target.as_ref().filter(|_| flags & RENAME_EXCHANGE != 0) {
            self.check_new_parent(target, (old_parent, new_parent))?;
        }
        self.check_removable(old_parent, id)?;
        if let Some(to) = to.found {
            self.check_removable(new_parent, to)?;
        }
        let (parents, other) = ((old_parent, new_parent), to.found);
        let exchanges = flags & RENAME_EXCHANGE != 0;
        let old_name = hooks::old_name(&self.cache, id);
        // What is replaced stays until those who watch it have learnt of the move.
        if let Some(other) = other {
            self.cache.get(other);
        }
        let result = match (other, &target) {
            (Some(other), Some(target)) if exchanges => {
                self.exchange((id, inode), (other, target), parents);
                Ok(())
            }
            _ => self.replace((id, inode), parents, to, target.as_ref(), flags),
        };
        if result.is_ok() {
            inode.touch_ctime();
            old_parent.touch();
            new_parent.touch();
            if let Some(name) = old_name {
                let (from, to) = (
                    (&**old_parent, &*name),
                    (&**new_parent, self.cache.name(id)),
                );
                hooks::moved_name(from, to, inode, target.as_deref(), exchanges);
            }
        }
        if let Some(other) = other {
            self.cache.put(other);
        }
        result
    }

    /// A directory that gets another parent has its `..` changed: one must be allowed to write it.
    fn check_new_parent(
        &self,
        inode: &Inode,
        (old, new): (&Ref<Inode>, &Ref<Inode>),
    ) -> Result<(), Errno> {
        if inode.is_dir() && !Ref::same(old, new) {
            permission::access(inode, MAY_WRITE)
        } else {
            Ok(())
        }
    }

    fn exchange(
        &mut self,
        (one, inode): (DentryId, &Inode),
        (other, target): (DentryId, &Inode),
        (old_parent, new_parent): (&Ref<Inode>, &Ref<Inode>),
    ) {
        let moved = i32::from(inode.is_dir()) - i32::from(target.is_dir());
        old_parent.count_names(-moved);
        new_parent.count_names(moved);
        self.cache.exchange(one, other);
        target.touch_ctime();
    }

    fn replace(
        &mut self,
        (id, inode): (DentryId, &Inode),
        (old_parent, new_parent): (&Ref<Inode>, &Ref<Inode>),
        to: Walked,
        target: Option<&Ref<Inode>>,
        flags: u32,
    ) -> Result<(), Errno> {
        let name = match to.found {
            Some(old) => {
                if inode.is_dir() && !self.cache.is_empty(old) {
                    return Err(Errno::ENOTEMPTY);
                }
                Name::copy(self.cache.name(old))?
            }
            None => to.name.ok_or(Errno::ENOENT)?,
        };
        let whiteout = if flags & RENAME_WHITEOUT != 0 {
            let kind = Kind::Device(super::device::Device::Other(0, 0));
            let new = permission::create(old_parent, S_IFCHR);
            let made = Inode::new(&old_parent.sb, kind, new.mode, (new.uid, new.gid))?;
            made.count_names(1);
            let old_dir = self.cache.parent(id).ok_or(Errno::ENOENT)?;
            Some((old_dir, Name::copy(self.cache.name(id))?, made))
        } else {
            None
        };
        if let (Some(old), Some(target)) = (to.found, target) {
            self.forget(old, new_parent, target);
        }
        if inode.is_dir() {
            old_parent.count_names(-1);
            new_parent.count_names(1);
        }
        self.cache.rename(id, to.directory, name);
        if let Some((directory, name, made)) = whiteout {
            self.cache.add(directory, name, made)?;
        }
        Ok(())
    }
}
