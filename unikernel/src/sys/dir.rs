//! System calls on names: directories, links, and what a file is.
//!
//! Submodules: [`stat`](mod@stat) describes files and checks access, [`change`] has the calls that
//! would change the tree, which is read-only.

pub mod change;
pub mod stat;

pub use change::{
    chmod, chown, fchmod, fchmodat, fchmodat2, fchown, fchownat, lchown, link, linkat, mkdir,
    mkdirat, mknod, mknodat, rename, renameat, renameat2, rmdir, symlink, symlinkat, truncate,
    unlink, unlinkat, utimensat,
};
pub use stat::{access, faccessat, faccessat2, fstat, lstat, newfstatat, stat, statx};

use crate::errno::{Errno, SysResult};
use crate::fs::fd;
use crate::fs::path::{Found, lookup_at};
use crate::fs::tree::{EntryId, Tree, file_type};
use crate::fs::{current_dir, set_current_dir, tree};
use crate::uaccess::{UserPtr, UserSlice};
use linux_raw_sys::general::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, NAME_MAX, PATH_MAX};

/// chdir(2).
pub fn chdir(path: UserPtr<u8>) -> SysResult {
    enter(&lookup_at(AT_FDCWD, path, 0)?)
}

/// fchdir(2).
pub fn fchdir(fd: i32) -> SysResult {
    let file = fd::get_any(fd)?;
    enter(&Found {
        entry: file.entry(),
        inode: file.inode(),
    })
}

fn enter(found: &Found) -> SysResult {
    if !found.inode.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    set_current_dir(found.entry);
    Ok(0)
}

/// getcwd(2), the system call: returns the length with the NUL. The path is written from its end,
/// component by component, so it needs no buffer here.
pub fn getcwd(buffer: UserPtr<u8>, size: usize) -> SysResult {
    let (tree, dir) = (tree(), current_dir());
    let len = path_length(tree, dir) + 1;
    if len > PATH_MAX as usize {
        return Err(Errno::ENAMETOOLONG);
    }
    if len > size {
        return Err(Errno::ERANGE);
    }
    let put = |at: usize, bytes: &[u8]| {
        let to = UserSlice::new(buffer.address().wrapping_add(at), bytes.len());
        to.write(bytes).and_then(|done| {
            if done == bytes.len() {
                Ok(())
            } else {
                Err(Errno::EFAULT)
            }
        })
    };
    let mut end = len - 1;
    put(end, b"\0")?;
    for (entry, name) in upwards(tree, dir) {
        end -= name.len();
        put(end, name)?;
        if entry != EntryId::ROOT {
            end -= 1;
            put(end, b"/")?;
        }
    }
    Ok(len)
}

fn path_length(tree: &Tree, dir: EntryId) -> usize {
    upwards(tree, dir)
        .map(|(entry, name)| name.len() + usize::from(entry != EntryId::ROOT))
        .sum()
}

/// A directory and those above it, with their names; the root, named `/`, only if it is alone.
fn upwards(tree: &Tree, dir: EntryId) -> impl Iterator<Item = (EntryId, &'static [u8])> + '_ {
    let above = |&entry: &EntryId| tree.parent(entry).filter(|&parent| parent != EntryId::ROOT);
    core::iter::successors(Some(dir), above).map(|entry| (entry, tree.name(entry)))
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
    // NULL is no empty path here.
    let first = path.read()?;
    let flags = if first == 0 {
        AT_EMPTY_PATH
    } else {
        AT_SYMLINK_NOFOLLOW
    };
    let found = lookup_at(dirfd, path, flags)?;
    let no_link = if first == 0 {
        Errno::ENOENT
    } else {
        Errno::EINVAL
    };
    let target = found.inode.link_target().ok_or(no_link)?;
    let part = &target[..target.len().min(size)];
    match UserSlice::new(buffer.address(), part.len()).write(part) {
        Ok(done) if done == part.len() => Ok(done),
        _ => Err(Errno::EFAULT),
    }
}

/// Positions of a directory: 0 is `.`, 1 is `..`, 2 the first child; a later child is at its entry
/// number and this.
const FIRST_CHILD: u64 = 2;
/// Position behind the last child.
const END: u64 = i32::MAX as u64;

/// Fixed part of `struct linux_dirent64`; the name and its NUL follow, padded to eight bytes.
const RECORD_HEADER: usize = 19;
const RECORD_MAX: usize = (RECORD_HEADER + NAME_MAX as usize + 1).next_multiple_of(8);

/// getdents64(2). `EINVAL` when not even one entry fits.
pub fn getdents64(fd: i32, buffer: UserPtr<u8>, size: u32) -> SysResult {
    let file = fd::get(fd)?;
    if !file.inode().is_dir() {
        return Err(Errno::ENOTDIR);
    }
    let (tree, dir) = (tree(), file.entry());
    let mut room = UserSlice::new(buffer.address(), size as usize);
    let mut position = file.position();
    let mut result = Ok(0);
    while let Some((entry, name)) = child_at(tree, dir, position) {
        let next = position_after(tree, dir, position, entry);
        let inode = tree.inode(entry);
        let (record, len) = record(inode.ino.into(), next, inode.mode, name);
        if len > room.len() {
            result = result.and_then(|done| {
                if done == 0 {
                    Err(Errno::EINVAL)
                } else {
                    Ok(done)
                }
            });
            break;
        }
        if room.write(&record[..len]) != Ok(len) {
            // What was delivered before counts; the entry is met again next time.
            result = result.and_then(|done| {
                if done == 0 {
                    Err(Errno::EFAULT)
                } else {
                    Ok(done)
                }
            });
            break;
        }
        room = room.skip(len);
        position = next;
        result = result.map(|done| done + len);
    }
    file.set_position(position);
    result
}

/// What is listed at a position, and under which name. `None` at the end, and at a position that
/// lseek(2) made up.
fn child_at(tree: &Tree, dir: EntryId, position: u64) -> Option<(EntryId, &'static [u8])> {
    let child = match position {
        0 => return Some((dir, b".")),
        1 => return Some((tree.parent(dir)?, b"..")),
        FIRST_CHILD => tree.first_child(dir)?,
        _ => tree.child_with_number(dir, u32::try_from(position - FIRST_CHILD).ok()?)?,
    };
    Some((child, tree.name(child)))
}

fn position_after(tree: &Tree, dir: EntryId, position: u64, entry: EntryId) -> u64 {
    let next = match position {
        0 => return 1,
        1 => tree.first_child(dir),
        _ => tree.next_sibling(entry),
    };
    next.map_or(END, |next| FIRST_CHILD + u64::from(next.number()))
}

/// A `struct linux_dirent64` and its length. `d_type` is the type part of the mode, by definition.
fn record(ino: u64, next: u64, mode: u32, name: &[u8]) -> ([u8; RECORD_MAX], usize) {
    let mut record = [0; RECORD_MAX];
    let len = (RECORD_HEADER + name.len() + 1).next_multiple_of(8);
    record[..8].copy_from_slice(&ino.to_ne_bytes());
    record[8..16].copy_from_slice(&next.to_ne_bytes());
    record[16..18].copy_from_slice(&(len as u16).to_ne_bytes());
    record[18] = (file_type(mode) >> 12) as u8;
    record[RECORD_HEADER..RECORD_HEADER + name.len()].copy_from_slice(name);
    (record, len)
}

#[cfg(test)]
mod tests;
