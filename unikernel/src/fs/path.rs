//! From a path in application memory to the dentry it names.

use super::dcache::DentryId;
use super::fd;
use super::name::PADDING;
use super::vfs::Vfs;
use super::walk::{Goal, Walked, walk};
use crate::errno::Errno;
use crate::uaccess::{self, UserPtr};
use core::mem::MaybeUninit;
use linux_raw_sys::general::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, PATH_MAX};

const ROOM: usize = PATH_MAX as usize;

/// Room for a path of the application: `PATH_MAX` bytes of stack and the padding, not cleared.
pub struct PathBuf([MaybeUninit<u8>; ROOM + PADDING]);

impl Default for PathBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl PathBuf {
    /// An empty buffer.
    #[inline(always)]
    pub const fn new() -> Self {
        Self([MaybeUninit::uninit(); ROOM + PADDING])
    }

    /// Copies a path in; returns it with [`PADDING`] zeros behind it. Errors: `EFAULT`,
    /// `ENAMETOOLONG`.
    #[inline(always)]
    pub fn read(&mut self, path: UserPtr<u8>) -> Result<&[u8], Errno> {
        let start = self.0.as_mut_ptr().cast::<u8>();
        // SAFETY: the pointer and the length are those of a buffer that is borrowed mutably for as
        // long as the slice lives. Its bytes may be uninitialised, but `read_path` only passes the
        // slice's address and length to a copy routine.
        let room = unsafe { core::slice::from_raw_parts_mut(start, ROOM) };
        let len = uaccess::read_path(path, room)?.len();
        // SAFETY: `read_path` wrote `len` bytes, fewer than `ROOM`, and the padding fits behind.
        unsafe {
            start.add(len).cast::<[u8; PADDING]>().write([0; PADDING]);
            Ok(core::slice::from_raw_parts(start, len + PADDING))
        }
    }

    /// The same for a path of the library's own.
    pub fn copy(&mut self, path: &[u8]) -> Result<&[u8], Errno> {
        let text = path.iter().chain(&[0; PADDING]);
        if path.len() >= ROOM {
            return Err(Errno::ENAMETOOLONG);
        }
        let room = &mut self.0[..path.len() + PADDING];
        for (to, &from) in room.iter_mut().zip(text) {
            to.write(from);
        }
        // SAFETY: every byte of `room` was just written.
        Ok(unsafe { core::slice::from_raw_parts(room.as_ptr().cast(), room.len()) })
    }
}

/// Whether a padded path is the empty one.
pub const fn is_empty(path: &[u8]) -> bool {
    path[0] == 0
}

impl Vfs {
    /// What descriptor `fd` refers to (`AT_FDCWD`: the working directory), or `EBADF`.
    pub fn descriptor(&self, fd: i32) -> Result<DentryId, Errno> {
        if fd == AT_FDCWD {
            return Ok(self.cwd);
        }
        Ok(fd::peek(fd)?.dentry())
    }

    /// The directory that a padded `path` starts from. `ENOENT` for an empty path, `EBADF`, or
    /// `ENOTDIR` when the descriptor is something else.
    #[inline(always)]
    pub fn start(&self, dirfd: i32, path: &[u8]) -> Result<DentryId, Errno> {
        match path[0] {
            0 => Err(Errno::ENOENT),
            b'/' => Ok(self.root),
            _ if dirfd == AT_FDCWD => Ok(self.cwd),
            _ => self.start_at(dirfd),
        }
    }

    #[cold]
    fn start_at(&self, dirfd: i32) -> Result<DentryId, Errno> {
        let id = self.descriptor(dirfd)?;
        if self.inode(id)?.is_dir() {
            Ok(id)
        } else {
            Err(Errno::ENOTDIR)
        }
    }

    /// Resolves a padded path relative to `dirfd`.
    #[inline]
    pub fn walk(&mut self, dirfd: i32, path: &[u8], goal: Goal) -> Result<Walked, Errno> {
        let start = self.start(dirfd, path)?;
        walk(self, start, path, goal)
    }

    /// The dentry of a padded path, with the `AT_` flags that concern the walk:
    /// `AT_SYMLINK_NOFOLLOW` and `AT_EMPTY_PATH` (others are ignored here).
    #[inline(never)]
    pub fn find(&mut self, dirfd: i32, path: &[u8], flags: u32) -> Result<DentryId, Errno> {
        if is_empty(path) && flags & AT_EMPTY_PATH != 0 {
            return self.descriptor(dirfd);
        }
        let goal = if flags & AT_SYMLINK_NOFOLLOW != 0 {
            Goal::NoFollow
        } else {
            Goal::Follow
        };
        self.walk(dirfd, path, goal)?.found()
    }
}
