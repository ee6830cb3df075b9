//! Open file descriptions (open(2)): a file, a position and the flags that may change.

use super::dcache::DentryId;
use super::device::Device;
use super::event::epoll::{self, Item};
use super::generated;
use super::guard::{self, Cut};
use super::inode::{Inode, Kind};
use super::notify::hooks;
use super::pipe::End;
use super::proc::Content;
use super::rc::Ref;
use super::vfs::vfs;
use crate::errno::{Errno, SysResult};
use crate::sync::Exclusive;
use crate::sys;
use crate::uaccess::UserSlice;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};
use linux_raw_sys::general::{
    O_ACCMODE, O_APPEND, O_CREAT, O_DIRECT, O_EXCL, O_NOATIME, O_NOCTTY, O_NONBLOCK, O_PATH,
    O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET,
};

/// Flags that only matter while the file is being opened.
const OPEN_ONLY: u32 = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC;
/// Flags that `F_SETFL` may change.
const CHANGEABLE: u32 = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;
/// Largest offset of a file.
pub const MAX_OFFSET: u64 = i64::MAX as u64;

/// An open file.
#[derive(Debug)]
pub struct Description {
    dentry: DentryId,
    inode: Ref<Inode>,
    flags: AtomicU32,
    position: AtomicU64,
    /// Of a directory: the dentry at the position, a hint.
    pub(crate) hint: AtomicU32,
    /// Of a generated file: its text, as of the first read.
    content: Exclusive<Content>,
    /// Of a pipe: the end that is open.
    end: Option<End>,
    /// The first of the epolls' items that watch it.
    pub(in crate::fs) watchers: AtomicPtr<Item>,
    /// Nobody learns what is done with it.
    pub(super) is_silent: bool,
}

impl Description {
    /// Opens a dentry, which the caller has counted for it, with the flags of open(2) (without
    /// `O_CLOEXEC`, which belongs to the descriptor). Permissions are the caller's business.
    pub const fn new(dentry: DentryId, inode: Ref<Inode>, flags: u32) -> Self {
        Self {
            dentry,
            inode,
            flags: AtomicU32::new(flags & !OPEN_ONLY),
            position: AtomicU64::new(0),
            hint: AtomicU32::new(u32::MAX),
            content: Exclusive::new(Content::new()),
            end: None,
            watchers: AtomicPtr::new(null_mut()),
            is_silent: false,
        }
    }

    /// The same, of which inotify(7) says nothing: a file that was not opened but made by a call of
    /// its own.
    pub const fn silent(mut self) -> Self {
        self.is_silent = true;
        self
    }

    /// The same for a pipe, of which `end` is open.
    pub fn of_pipe(dentry: DentryId, inode: Ref<Inode>, flags: u32, end: End) -> Self {
        let mut file = Self::new(dentry, inode, flags);
        file.end = Some(end);
        file
    }

    /// The open end of a pipe.
    pub const fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// The name it was opened by.
    pub const fn dentry(&self) -> DentryId {
        self.dentry
    }

    /// The file.
    #[inline(always)]
    pub const fn inode(&self) -> &Ref<Inode> {
        &self.inode
    }

    /// What `F_GETFL` returns.
    #[inline(always)]
    pub fn flags(&self) -> u32 {
        self.flags.load(Relaxed)
    }

    /// `F_SETFL`: flags that cannot change are ignored.
    pub fn set_flags(&self, flags: u32) {
        let kept = self.flags() & !CHANGEABLE;
        self.flags.store(kept | (flags & CHANGEABLE), Relaxed);
    }

    /// Whether `O_PATH` was given: it names a file, no more.
    #[inline(always)]
    pub fn is_path(&self) -> bool {
        self.flags() & O_PATH != 0
    }

    /// Whether reads and writes do not wait.
    pub fn is_nonblocking(&self) -> bool {
        self.flags() & O_NONBLOCK != 0
    }

    /// Whether it was opened for reading.
    #[inline(always)]
    pub fn is_readable(&self) -> bool {
        let flags = self.flags();
        matches!(flags & O_ACCMODE, O_RDONLY | O_RDWR) && flags & O_PATH == 0
    }

    /// Whether it was opened for writing.
    #[inline(always)]
    pub fn is_writable(&self) -> bool {
        let flags = self.flags();
        matches!(flags & O_ACCMODE, O_WRONLY | O_RDWR) && flags & O_PATH == 0
    }

    /// `EBADF` unless it was opened for reading.
    #[inline(always)]
    pub fn check_readable(&self) -> Result<(), Errno> {
        if self.is_readable() {
            Ok(())
        } else {
            Err(Errno::EBADF)
        }
    }

    /// `EBADF` unless it was opened for writing.
    #[inline(always)]
    pub fn check_writable(&self) -> Result<(), Errno> {
        if self.is_writable() {
            Ok(())
        } else {
            Err(Errno::EBADF)
        }
    }

    /// Whether it has a position at all: pipes, queues and the console have none (`ESPIPE`).
    pub fn is_seekable(&self) -> bool {
        match &self.inode.kind {
            Kind::Device(device) => !device.is_console(),
            Kind::Fifo(_)
            | Kind::Socket
            | Kind::Inotify(_)
            | Kind::Event(_)
            | Kind::Endpoint(_) => false,
            _ => true,
        }
    }

    /// The content was read, by whatever call: noted in the inode, unless `O_NOATIME`.
    pub fn accessed(&self) {
        if self.flags() & O_NOATIME == 0 {
            self.inode.accessed();
        }
    }

    /// The position.
    #[inline(always)]
    pub fn position(&self) -> u64 {
        self.position.load(Relaxed)
    }

    /// Sets the position.
    #[inline(always)]
    pub fn set_position(&self, position: u64) {
        self.position.store(position, Relaxed);
    }

    /// Reads into `parts`, `total` bytes in all; from byte `at`, or from the position, which then
    /// moves. Returns the bytes read: fewer at the end of the file, or when a part is a bad pointer
    /// and something was read before. Errors: `EISDIR`, `EAGAIN`, `EFAULT`, `EINVAL` (the range ends
    /// behind the largest offset).
    pub fn read(
        &self,
        parts: &mut dyn Iterator<Item = UserSlice>,
        total: usize,
        at: Option<u64>,
    ) -> SysResult {
        match &self.inode.kind {
            Kind::File(store) => {
                let from = at.unwrap_or_else(|| self.position());
                check_range(from, total)?;
                let done = store.lock().read(from, parts)?;
                if at.is_none() {
                    self.set_position(from + done as u64);
                }
                self.accessed();
                Ok(done)
            }
            Kind::Device(device) if device.is_console() => {
                // One part: a terminal or a pipe gives what there is, and the next part might wait.
                let part = first_of(parts);
                part.map_or(Ok(0), |part| device.read(part, self.is_nonblocking()))
            }
            Kind::Device(device) => each(parts, |part| device.read(part, self.is_nonblocking())),
            Kind::Fifo(_) => {
                let end = self.end.as_ref().ok_or(Errno::EBADF)?;
                end.read(parts, total, self.flags())
            }
            Kind::Proc(node) => {
                let from = at.unwrap_or_else(|| self.position());
                let done = generated::read(&mut self.content.lock(), *node, from, parts)?;
                if at.is_none() {
                    self.set_position(from + done as u64);
                }
                Ok(done)
            }
            Kind::Inotify(inotify) => each(parts, |part| inotify.read(part, self.is_nonblocking())),
            Kind::Event(event) => each(parts, |part| event.read(part, self.is_nonblocking())),
            Kind::Endpoint(_) => sys::socket::read(self, parts, total),
            Kind::Dir => Err(Errno::EISDIR),
            Kind::Symlink(_) | Kind::Socket => Err(Errno::EBADF),
        }
    }

    /// Writes `parts`, `total` bytes in all, at byte `at` or at the position, which then moves; with
    /// `O_APPEND` (or `append`) at the end, wherever else it was to be. Returns the bytes written;
    /// fewer when the file system is full. Errors: `ENOSPC`, `EFBIG`, `EPIPE`, `EAGAIN`, `EFAULT`.
    pub fn write(
        &self,
        parts: &mut dyn Iterator<Item = UserSlice>,
        total: usize,
        at: Option<u64>,
        append: bool,
    ) -> SysResult {
        match &self.inode.kind {
            Kind::File(store) => {
                if total == 0 {
                    return Ok(0);
                }
                if at.is_none() {
                    check_range(self.position(), total)?;
                }
                let mut store = store.lock();
                let append = append || self.flags() & O_APPEND != 0;
                let to = match at {
                    _ if append => store.size(),
                    Some(at) => at,
                    None => self.position(),
                };
                let quota = &self.inode.sb.quota;
                let done = match guard::write(&self.inode, to, total, store.size()) {
                    Ok(left) if left < total => {
                        self.inode.wrote();
                        let parts: &mut dyn Iterator<Item = UserSlice> = &mut Cut { parts, left };
                        store.write(to, parts, quota)?
                    }
                    Ok(_) => {
                        // As on Linux the time is noted first: a write that fails leaves it.
                        self.inode.wrote();
                        store.write(to, parts, quota)?
                    }
                    Err(refused) => {
                        drop(store);
                        return Err(refused.raise());
                    }
                };
                drop(store);
                if at.is_none() {
                    self.set_position(to + done as u64);
                }
                Ok(done)
            }
            Kind::Device(device) => each(parts, |part| device.write(part)),
            Kind::Fifo(_) => {
                let end = self.end.as_ref().ok_or(Errno::EBADF)?;
                let result = end.write(parts, total, self.flags());
                if end.lost_reader(result, total) {
                    sys::pipe::raise();
                }
                result
            }
            Kind::Proc(node) => {
                let to = at.unwrap_or_else(|| self.position());
                let done = generated::write(*node, to, parts)?;
                if at.is_none() {
                    self.set_position(to + done as u64);
                }
                Ok(done)
            }
            Kind::Event(event) => each(parts, |part| event.write(part, self.is_nonblocking())),
            Kind::Endpoint(_) => sys::socket::write(self, parts, total),
            _ => Err(Errno::EBADF),
        }
    }

    /// lseek(2): the new position. Errors: `EINVAL`, `ENXIO` (no data or hole behind `offset`),
    /// `ESPIPE`.
    pub fn seek(&self, offset: i64, whence: u32) -> Result<u64, Errno> {
        if whence > SEEK_HOLE {
            return Err(Errno::EINVAL);
        }
        match &self.inode.kind {
            Kind::Fifo(_) | Kind::Socket | Kind::Endpoint(_) => return Err(Errno::ESPIPE),
            Kind::Device(device) if device.is_console() => return Err(Errno::ESPIPE),
            // Memory devices accept every seek and stay at the start; so does a queue of events.
            Kind::Device(_) | Kind::Inotify(_) | Kind::Event(_) => return Ok(0),
            Kind::Dir if whence != SEEK_SET && whence != SEEK_CUR => return Err(Errno::EINVAL),
            Kind::Proc(_) if whence > SEEK_END => return Err(Errno::EINVAL),
            _ => {}
        }
        let target = match whence {
            SEEK_SET => Some(offset),
            SEEK_CUR => offset.checked_add_unsigned(self.position()),
            SEEK_END => offset.checked_add_unsigned(self.inode.size()),
            _ => Some(self.seek_data(offset, whence == SEEK_DATA)? as i64),
        };
        let target = target
            .and_then(|target| u64::try_from(target).ok())
            .ok_or(Errno::EINVAL)?;
        self.set_position(target);
        Ok(target)
    }

    /// The next byte of data, or of a hole, from `offset` on. `ENXIO` behind the end.
    fn seek_data(&self, offset: i64, data: bool) -> Result<u64, Errno> {
        let store = self.inode.store().ok_or(Errno::EINVAL)?.lock();
        let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
        if from >= store.size() {
            return Err(Errno::ENXIO);
        }
        if data {
            store.next_data(from).ok_or(Errno::ENXIO)
        } else {
            Ok(store.next_hole(from))
        }
    }

    /// Bytes that a read would give at once, for files that can say (FIONREAD).
    pub fn available(&self) -> Option<u64> {
        match &self.inode.kind {
            Kind::File(store) => Some(store.lock().size().wrapping_sub(self.position())),
            Kind::Fifo(_) => self.end.as_ref().map(|end| end.pipe().unread() as u64),
            Kind::Device(device) => device.available(),
            Kind::Inotify(inotify) => Some(inotify.bytes() as u64),
            Kind::Endpoint(endpoint) => Some(endpoint.socket().unread() as u64),
            _ => None,
        }
    }
}

impl Drop for Description {
    fn drop(&mut self) {
        if !self.watchers.get_mut().is_null() {
            epoll::forget(self);
        }
        if !self.is_path() {
            hooks::closed(self);
            self.inode.description_closed(self.identity());
        }
        let mut vfs = vfs();
        vfs.cache.put(self.dentry);
        if self.inode.sb.detached().is_some() {
            vfs.left(&self.inode.sb);
        }
    }
}

/// `EINVAL` when a transfer of `count` bytes at `at` would end behind the largest offset.
pub fn check_range(at: u64, count: usize) -> Result<(), Errno> {
    if at.saturating_add(count as u64) > MAX_OFFSET {
        Err(Errno::EINVAL)
    } else {
        Ok(())
    }
}

/// The first part that is not empty.
fn first_of(parts: &mut dyn Iterator<Item = UserSlice>) -> Option<UserSlice> {
    let mut parts = parts;
    Iterator::find(&mut parts, |part| !part.is_empty())
}

/// Runs `transfer` on one part after the other until one is not used up. An error counts only when
/// nothing was transferred before it.
pub fn each(
    parts: &mut dyn Iterator<Item = UserSlice>,
    mut transfer: impl FnMut(UserSlice) -> SysResult,
) -> SysResult {
    let mut done = 0;
    for part in parts {
        match transfer(part) {
            Ok(count) => {
                done += count;
                if count < part.len() {
                    break;
                }
            }
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// Whether a device can be told from a pipe by its inode alone.
pub const fn device(inode: &Inode) -> Option<Device> {
    match inode.kind {
        Kind::Device(device) => Some(device),
        _ => None,
    }
}
