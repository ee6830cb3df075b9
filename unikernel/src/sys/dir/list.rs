//! getdents64(2).
//!
//! A position is 0 for `.`, 1 for `..`, and the place of a child among its siblings plus 2 for the
//! rest. A place never changes and is never given again, so what is made or removed meanwhile
//! neither hides nor repeats a name that stays.

use crate::errno::{Errno, SysResult};
use crate::fs::dcache::DentryId;
use crate::fs::file::Description;
use crate::fs::inode::{Kind, file_type};
use crate::fs::notify::hooks;
use crate::fs::vfs::Vfs;
use crate::fs::{fd, generated, vfs};
use crate::uaccess::{UserPtr, UserSlice};
use core::sync::atomic::Ordering::Relaxed;
use linux_raw_sys::general::{IN_ACCESS, NAME_MAX, S_IFDIR};

/// Position of the first child.
const FIRST: u64 = 2;
/// Fixed part of `struct linux_dirent64`; the name and its NUL follow, padded to eight bytes.
const HEADER: usize = 19;
const RECORD_MAX: usize = (HEADER + NAME_MAX as usize + 1).next_multiple_of(8);
/// Records that are collected before they are copied out.
const BATCH: usize = 1024;

/// Records on their way to the application.
struct Batch {
    bytes: [u8; BATCH + RECORD_MAX],
    used: usize,
    room: UserSlice,
    done: usize,
    /// Records go out one by one, because the buffer is bad somewhere.
    careful: bool,
}

impl Batch {
    /// Adds a record. `Ok(false)`: it does not fit the application's buffer.
    #[inline(always)]
    fn add(&mut self, ino: u64, next: u64, mode: u32, name: &[u8]) -> Result<bool, Errno> {
        let len = (HEADER + name.len() + 1).next_multiple_of(8);
        if self.used + len > self.room.len() {
            return Ok(false);
        }
        let record = &mut self.bytes[self.used..self.used + len];
        record[len - 8..].copy_from_slice(&[0; 8]);
        record[..8].copy_from_slice(&ino.to_ne_bytes());
        record[8..16].copy_from_slice(&next.to_ne_bytes());
        record[16..18].copy_from_slice(&(len as u16).to_ne_bytes());
        // `d_type` is the type part of the mode, by definition.
        record[18] = (file_type(mode) >> 12) as u8;
        for (to, &from) in record[HEADER..].iter_mut().zip(name) {
            *to = from;
        }
        self.used += len;
        if !self.careful && self.used <= BATCH {
            return Ok(true);
        }
        match self.flush() {
            // What was delivered before counts; this entry is met again next time.
            Err(_) if self.careful && self.done > 0 => {
                self.used = 0;
                Ok(false)
            }
            flushed => flushed.map(|()| true),
        }
    }

    fn flush(&mut self) -> Result<(), Errno> {
        let bytes = &self.bytes[..self.used];
        if !bytes.is_empty() && self.room.write(bytes) != Ok(bytes.len()) {
            return Err(Errno::EFAULT);
        }
        self.room = self.room.skip(self.used);
        self.done += self.used;
        self.used = 0;
        Ok(())
    }
}

/// getdents64(2). `EINVAL` when not even one entry fits, `ENOENT` in a directory that was removed.
pub fn getdents64(fd: i32, buffer: UserPtr<u8>, size: u32) -> SysResult {
    let file = fd::get(fd)?;
    if !file.inode().is_dir() {
        return Err(Errno::ENOTDIR);
    }
    // Linux takes the size for a signed number.
    let size = if size > i32::MAX as u32 { 0 } else { size };
    let room = UserSlice::new(buffer.address(), size as usize);
    let delivered = match deliver(&file, room, false) {
        Err(Errno::EFAULT) => deliver(&file, room, true),
        delivered => delivered,
    };
    if delivered != Err(Errno::ENOENT) {
        hooks::file(&file, IN_ACCESS);
    }
    let (done, position) = delivered?;
    file.set_position(position);
    file.accessed();
    Ok(done)
}

/// Fills the application's buffer; returns the bytes and the position behind them.
fn deliver(file: &Description, room: UserSlice, careful: bool) -> Result<(usize, u64), Errno> {
    let mut batch = Batch {
        bytes: [0; BATCH + RECORD_MAX],
        used: 0,
        room,
        done: 0,
        careful,
    };
    let mut position = file.position();
    let fits = {
        let mut vfs = vfs();
        if !vfs.cache.is_linked(file.dentry()) && file.inode().nlink() == 0 {
            return Err(Errno::ENOENT);
        }
        fill(&mut vfs, file, &mut position, &mut batch)?
    };
    batch.flush()?;
    if !fits && batch.done == 0 {
        return Err(Errno::EINVAL);
    }
    Ok((batch.done, position))
}

/// Adds records from a position on until one does not fit (`false`) or all are listed.
fn fill(
    vfs: &mut Vfs,
    file: &Description,
    position: &mut u64,
    batch: &mut Batch,
) -> Result<bool, Errno> {
    let directory = file.dentry();
    if *position < FIRST && !dots(vfs, directory, position, batch)? {
        return Ok(false);
    }
    if let Kind::Proc(node) = &file.inode().kind {
        return generated::list(*node, position, &mut |ino, next, mode, name| {
            batch.add(ino, next, mode, name)
        });
    }
    let Ok(place) = u32::try_from(*position - FIRST) else {
        return Ok(true);
    };
    let hint = DentryId::from_number(file.hint.load(Relaxed));
    let mut at = vfs.cache.child_from(directory, place, Some(hint));
    while let Some(child) = at {
        let next = u64::from(vfs.cache.cookie(child)) + 1 + FIRST;
        let inode = vfs.inode(child)?;
        if !batch.add(inode.ino, next, inode.mode(), vfs.cache.name(child))? {
            break;
        }
        *position = next;
        at = vfs.cache.next_sibling(child);
    }
    if let Some(child) = at {
        // Where the next call will most likely go on, even if names between are gone by then.
        *position = u64::from(vfs.cache.cookie(child)) + FIRST;
        file.hint.store(child.number(), Relaxed);
    }
    Ok(at.is_none())
}

/// The two entries that every directory begins with.
fn dots(
    vfs: &Vfs,
    directory: DentryId,
    position: &mut u64,
    batch: &mut Batch,
) -> Result<bool, Errno> {
    while *position < FIRST {
        let (id, name): (_, &[u8]) = match *position {
            0 => (directory, b"."),
            _ => (vfs.above(directory), b".."),
        };
        let ino = vfs.inode(id)?.ino;
        if !batch.add(ino, *position + 1, S_IFDIR, name)? {
            return Ok(false);
        }
        *position += 1;
    }
    Ok(true)
}
