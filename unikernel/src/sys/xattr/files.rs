//! Files of the name space as [`Target`]s.

use super::{Find, Target};
use crate::cred::permission::Attributes;
use crate::errno::Errno;
use crate::fs::dcache::DentryId;
use crate::fs::inode::Inode;
use crate::fs::notify::hooks;
use crate::fs::path::PathBuf;
use crate::fs::rc::Ref;
use crate::fs::xattr::Slot;
use crate::fs::{fd, permission, vfs};
use crate::uaccess::UserPtr;
use linux_raw_sys::general::{AT_FDCWD, AT_SYMLINK_NOFOLLOW, IN_ATTRIB};

/// The attributes of all files that have none.
static NONE: Slot = Slot::new();

/// A file, by the name that was used.
pub struct Named {
    id: DentryId,
    inode: Ref<Inode>,
}

impl Target for Named {
    fn attributes(&self) -> Attributes {
        permission::attributes(&self.inode)
    }

    fn xattrs(&self) -> Option<&Slot> {
        let slot = self.inode.extras().map_or(&NONE, |extras| &extras.xattrs);
        self.inode.sb.fs_type.is_tmpfs().then_some(slot)
    }

    fn own_xattrs(&self) -> Result<&Slot, Errno> {
        Ok(&self.inode.extras_or_new()?.xattrs)
    }

    fn check_writable(&self) -> Result<(), Errno> {
        self.inode.sb.check_writable()
    }

    fn charge(&self, bytes: usize) -> Result<(), Errno> {
        self.inode.sb.quota.charge_attributes(bytes)
    }

    fn release(&self, bytes: usize) {
        self.inode.sb.quota.release_attributes(bytes);
    }

    fn changed(&self) {
        self.inode.touch_ctime();
        hooks::changed(self.id, IN_ATTRIB);
    }
}

/// The name space.
pub struct Files;

impl Find for Files {
    type Target = Named;

    fn by_path(path: UserPtr<u8>, follow: bool) -> Result<Self::Target, Errno> {
        let mut room = PathBuf::new();
        let path = room.read(path)?;
        let mut vfs = vfs();
        let flags = if follow { 0 } else { AT_SYMLINK_NOFOLLOW };
        let id = vfs.find(AT_FDCWD, path, flags)?;
        let inode = vfs.inode(id)?.clone();
        Ok(Named { id, inode })
    }

    fn by_descriptor(fd: i32) -> Result<Self::Target, Errno> {
        let file = fd::get(fd)?;
        let (id, inode) = (file.dentry(), file.inode().clone());
        Ok(Named { id, inode })
    }
}

#[cfg(test)]
mod tests;
