//! System calls on names: directories, links, and what a file is.
//!
//! Submodules: [`stat`](mod@stat) describes files and checks access, [`list`] reads directories,
//! [`change`] makes, removes and moves names, [`attributes`] changes what is known of a file,
//! [`mount`] has the file systems.

pub mod attributes;
pub mod change;
pub mod list;
pub mod mount;
pub mod stat;

pub use attributes::{
    chmod, chown, fchmod, fchmodat, fchmodat2, fchown, fchownat, ftruncate, futimesat, lchown,
    truncate, utime, utimensat, utimes,
};
pub use change::{
    link, linkat, mkdir, mkdirat, mknod, mknodat, rename, renameat, renameat2, rmdir, symlink,
    symlinkat, unlink, unlinkat,
};
pub use list::getdents64;
pub use mount::{fstatfs, statfs, sync, syncfs};
pub use stat::{access, faccessat, faccessat2, fstat, lstat, newfstatat, stat, statx};

use crate::errno::{Errno, SysResult};
use crate::fs::dcache::DentryId;
use crate::fs::inode::Kind;
use crate::fs::path::{PathBuf, is_empty};
use crate::fs::proc::Text;
use crate::fs::vfs::Vfs;
use crate::fs::{facts, fd, permission, vfs};
use crate::uaccess::{UserPtr, UserSlice};
use core::mem::MaybeUninit;
use linux_raw_sys::general::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, PATH_MAX};

/// chdir(2).
pub fn chdir(path: UserPtr<u8>) -> SysResult {
    let mut buffer = PathBuf::new();
    let path = buffer.read(path)?;
    let mut vfs = vfs();
    let found = vfs.find(AT_FDCWD, path, 0)?;
    enter(&mut vfs, found)
}

/// fchdir(2).
pub fn fchdir(fd: i32) -> SysResult {
    let dentry = fd::peek(fd)?.dentry();
    enter(&mut vfs(), dentry)
}

fn enter(vfs: &mut Vfs, found: DentryId) -> SysResult {
    let inode = vfs.inode(found)?;
    if !inode.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    permission::search(inode)?;
    vfs.set_cwd(found);
    Ok(0)
}

/// chroot(2).
pub fn chroot(path: UserPtr<u8>) -> SysResult {
    let mut buffer = PathBuf::new();
    let path = buffer.read(path)?;
    let mut vfs = vfs();
    let found = vfs.find(AT_FDCWD, path, 0)?;
    let inode = vfs.inode(found)?;
    if !inode.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    permission::search(inode)?;
    permission::change_root()?;
    vfs.set_root(found);
    Ok(0)
}

/// A path, built from its end.
struct Backwards {
    bytes: [MaybeUninit<u8>; PATH_MAX as usize],
    start: usize,
    fits: bool,
}

impl Backwards {
    fn push(&mut self, part: &[u8]) {
        match self.start.checked_sub(part.len()) {
            Some(start) => {
                for (to, &from) in self.bytes[start..self.start].iter_mut().zip(part) {
                    to.write(from);
                }
                self.start = start;
            }
            None => self.fits = false,
        }
    }
}

const UNREACHABLE: &[u8] = b"(unreachable)";

/// getcwd(2), the system call: returns the length with the NUL. `ENOENT` when the directory was
/// removed; one outside the root of the process begins with `(unreachable)`.
pub fn getcwd(buffer: UserPtr<u8>, size: usize) -> SysResult {
    let mut path = Backwards {
        bytes: [const { MaybeUninit::uninit() }; PATH_MAX as usize],
        start: PATH_MAX as usize,
        fits: true,
    };
    path.push(b"\0");
    {
        let vfs = vfs();
        let cwd = vfs.cwd;
        if !vfs.cache.is_linked(cwd) && cwd != vfs.root {
            return Err(Errno::ENOENT);
        }
        let end = path.start;
        let reached = vfs.components(cwd, |name| {
            // The root of a file system outside is named `/` itself.
            if name != b"/" {
                path.push(name);
                path.push(b"/");
            }
        });
        if path.start == end {
            path.push(b"/");
        }
        if !reached {
            path.push(UNREACHABLE);
        }
    }
    if !path.fits {
        return Err(Errno::ENAMETOOLONG);
    }
    let text = &path.bytes[path.start..];
    // SAFETY: `push` wrote every byte from `start` on.
    let text = unsafe { core::slice::from_raw_parts(text.as_ptr().cast::<u8>(), text.len()) };
    if text.len() > size {
        return Err(Errno::ERANGE);
    }
    match UserSlice::new(buffer.address(), text.len()).write(text) {
        Ok(done) if done == text.len() => Ok(done),
        _ => Err(Errno::EFAULT),
    }
}

/// readlink(2).
pub fn readlink(path: UserPtr<u8>, buffer: UserPtr<u8>, size: i32) -> SysResult {
    readlinkat(AT_FDCWD, path, buffer, size)
}

/// readlinkat(2). An empty path means `dirfd` itself, opened with `O_PATH | O_NOFOLLOW`.
pub fn readlinkat(dirfd: i32, path: UserPtr<u8>, buffer: UserPtr<u8>, size: i32) -> SysResult {
    let size = usize::try_from(size)
        .ok()
        .filter(|&size| size > 0)
        .ok_or(Errno::EINVAL)?;
    let mut room = PathBuf::new();
    let path = room.read(path)?;
    let empty = is_empty(path);
    let flags = if empty {
        AT_EMPTY_PATH
    } else {
        AT_SYMLINK_NOFOLLOW
    };
    let inode = {
        let mut vfs = vfs();
        let found = vfs.find(dirfd, path, flags)?;
        vfs.inode(found)?.clone()
    };
    let put = |target: &[u8]| {
        let part = &target[..target.len().min(size)];
        match UserSlice::new(buffer.address(), part.len()).write(part) {
            Ok(done) if done == part.len() => Ok(done),
            _ => Err(Errno::EFAULT),
        }
    };
    match &inode.kind {
        Kind::Symlink(link) => {
            inode.accessed();
            put(link.target())
        }
        Kind::Proc(node) if inode.is_symlink() => {
            let mut text = Text::new();
            node.target(facts::source(), &mut text)?;
            put(text.as_bytes())
        }
        _ if empty => Err(Errno::ENOENT),
        _ => Err(Errno::EINVAL),
    }
}

#[cfg(test)]
mod tests;
