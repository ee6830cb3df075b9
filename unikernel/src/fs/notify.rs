//! inotify(7): watches on files, and what the file layer calls when something happens.
//!
//! An inode has [`Watches`]; an inotify descriptor is an [`Inotify`], whose queue is in
//! [`instance`]; the file layer calls [`hooks`], which cost one load while nobody watches anything
//! anywhere. What is sent, in this order, is what Linux sends on tmpfs (`file` with the name it was
//! opened by):
//!
//! | what happens | events |
//! |---|---|
//! | open, `O_TRUNC` of an old file, close | [`event`] `IN_OPEN`, `IN_MODIFY`, `IN_CLOSE_WRITE` or `IN_CLOSE_NOWRITE`; not for `O_PATH` |
//! | read, getdents64, readv, sendfile, splice of at least a byte | [`event`] `IN_ACCESS` |
//! | write and its kin of at least a byte; truncate, fallocate of any size | [`event`] `IN_MODIFY` |
//! | chmod, chown (not of -1 and -1), setxattr, removexattr, times | [`event`] `IN_ATTRIB`; mtime alone is `IN_MODIFY`, atime alone `IN_ACCESS` |
//! | creat, mkdir, mknod, symlink | [`event`] `IN_CREATE` of the directory, then that of the open |
//! | link | [`event`] `IN_ATTRIB` of the file itself, then `IN_CREATE` of the directory |
//! | unlink | [`event`] `IN_ATTRIB` of the file itself; [`Watches::deleted`] if that was the last name and it is open nowhere; `IN_DELETE` of the directory |
//! | rmdir | [`Watches::deleted`] if it is open nowhere, then `IN_DELETE` of the directory |
//! | last close of a file without names | [`Watches::deleted`] after the close |
//! | rename | [`renamed`], then [`Watches::deleted`] of what it replaced, unless open |
//! | umount | [`Watches::unmounted`] of every watched inode, the latest first |

pub mod hooks;
pub mod instance;
mod limited;

pub use instance::{Inotify, check_flags, check_mask};

use crate::errno::Errno;
use crate::sync::Exclusive;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use instance::Instance;
use limited::Limited;
use linux_raw_sys::general::{
    IN_ALL_EVENTS, IN_ATTRIB, IN_DELETE_SELF, IN_EXCL_UNLINK, IN_ISDIR, IN_MASK_ADD,
    IN_MASK_CREATE, IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO, IN_ONESHOT, IN_UNMOUNT,
};

/// Most watches at a time (`/proc/sys/fs/inotify/max_user_watches`).
pub const MAX_WATCHES: u32 = 65_536;

/// In a mask for [`event`]: the name that the file was opened by is gone, so watches with
/// `IN_EXCL_UNLINK` do not see it. For opens, reads, writes and closes.
pub const UNLINKED: u32 = IN_EXCL_UNLINK;

/// Watches that exist.
static ACTIVE: Limited = Limited::new(MAX_WATCHES);

/// The last cookie.
static COOKIE: AtomicU32 = AtomicU32::new(0);

/// The interest of one instance in one inode.
#[derive(Debug)]
struct Watch {
    instance: Arc<Instance>,
    number: i32,
    /// Events wanted, `IN_ONESHOT` and `IN_EXCL_UNLINK`.
    mask: u32,
}

/// The watches of one inode. Both the inode and the instances refer to it, and either may go first.
#[derive(Debug)]
struct List {
    watches: Exclusive<Vec<Watch>>,
    /// Number of the inode and minor number of its device.
    file: (u64, u32),
}

/// Whether anybody watches anything: for a caller to whom the arguments of [`event`] cost something.
#[inline(always)]
pub fn is_active() -> bool {
    ACTIVE.any()
}

/// Tells those who watch `file`, and those who watch the directory `parent` in which it is `name`,
/// that `mask` happened. What happens to a directory's entries (`IN_CREATE`, `IN_DELETE`) is told to
/// `parent` alone, what happens to a file itself to `file` alone. `is_dir` is about the file.
/// `cookie` is 0 for all but moves.
#[inline(always)]
pub fn event(
    file: Option<&Watches>,
    parent: Option<&Watches>,
    mask: u32,
    cookie: u32,
    name: &[u8],
    is_dir: bool,
) {
    if is_active() {
        deliver(file, parent, mask, cookie, name, is_dir);
    }
}

#[cold]
#[inline(never)]
fn deliver(
    file: Option<&Watches>,
    parent: Option<&Watches>,
    mask: u32,
    cookie: u32,
    name: &[u8],
    is_dir: bool,
) {
    // Linux does not say it of the last two events of a file itself.
    let says_kind = is_dir && mask & (IN_DELETE_SELF | IN_MOVE_SELF) == 0;
    let mask = if says_kind { mask | IN_ISDIR } else { mask };
    if let Some(parent) = parent {
        parent.send(mask, cookie, name);
    }
    if let Some(file) = file {
        file.send(mask, 0, b"");
    }
}

/// An end of a rename: a directory and a name in it.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The directory's watches.
    pub directory: Option<&'a Watches>,
    /// The name.
    pub name: &'a [u8],
}

/// rename(2): `file` went from one place to the other, over `replaced` if there was one (a file, or
/// an empty directory). An exchange is two of these. Not for a rename that did nothing, between two
/// names of one file.
pub fn renamed(
    from: Place<'_>,
    to: Place<'_>,
    file: Option<&Watches>,
    is_dir: bool,
    replaced: Option<&Watches>,
) {
    if !is_active() {
        return;
    }
    let cookie = COOKIE.fetch_add(1, Relaxed).wrapping_add(1).max(1);
    let tell = |place: Place<'_>, mask| {
        deliver(None, place.directory, mask, cookie, place.name, is_dir);
    };
    tell(from, IN_MOVED_FROM);
    tell(to, IN_MOVED_TO);
    if let Some(replaced) = replaced {
        deliver(Some(replaced), None, IN_ATTRIB, 0, b"", is_dir);
    }
    deliver(file, None, IN_MOVE_SELF, 0, b"", is_dir);
}

/// The watches of an inode, if it was ever watched. Who watches it keeps the list: on Linux a watch
/// keeps the inode, so that one of a nameless file is never ended but by inotify_rm_watch(2).
#[derive(Debug)]
pub struct Watches(Exclusive<Option<Arc<List>>>);

impl Default for Watches {
    fn default() -> Self {
        Self::new()
    }
}

impl Watches {
    /// Nobody watches.
    pub const fn new() -> Self {
        Self(Exclusive::new(None))
    }

    /// The last name and the last open file are gone: `IN_DELETE_SELF`, and the end of all watches.
    #[inline(always)]
    pub fn deleted(&self) {
        if is_active() {
            self.end(IN_DELETE_SELF);
        }
    }

    /// The file system is gone: `IN_UNMOUNT`, and the end of all watches.
    #[inline(always)]
    pub fn unmounted(&self, is_dir: bool) {
        if is_active() {
            self.end(IN_UNMOUNT | if is_dir { IN_ISDIR } else { 0 });
        }
    }

    #[cold]
    fn end(&self, mask: u32) {
        if let Some(list) = self.list() {
            list.send(mask, 0, b"");
            list.clear();
        }
    }

    fn send(&self, mask: u32, cookie: u32, name: &[u8]) {
        if let Some(list) = self.list() {
            list.send(mask, cookie, name);
        }
    }

    fn list(&self) -> Option<Arc<List>> {
        self.0.lock().clone()
    }

    fn list_or_new(&self, file: (u64, u32)) -> Arc<List> {
        let mut slot = self.0.lock();
        let watches = Exclusive::new(Vec::new());
        let new = || Arc::new(List { watches, file });
        slot.get_or_insert_with(new).clone()
    }
}

impl List {
    /// Queues an event for everyone who wants it; ends watches that wanted only one.
    fn send(&self, mask: u32, cookie: u32, name: &[u8]) {
        self.watches.lock().retain(|watch| {
            let hidden = mask & watch.mask & UNLINKED != 0;
            // Nobody can refuse to hear that a file system is gone.
            if mask & (watch.mask & IN_ALL_EVENTS | IN_UNMOUNT) == 0 || hidden {
                return true;
            }
            watch
                .instance
                .push(watch.number, mask & !UNLINKED, cookie, name);
            let last = watch.mask & IN_ONESHOT != 0;
            if last {
                watch.instance.forget(watch.number);
            }
            !last
        });
    }

    /// Ends all watches.
    fn clear(&self) {
        for watch in self.watches.lock().drain(..) {
            watch.instance.forget(watch.number);
        }
    }

    /// What `instance` wants to know.
    fn mask_of(&self, instance: &Arc<Instance>) -> Option<u32> {
        let watches = self.watches.lock();
        let mut all = watches.iter();
        let own = all.find(|watch| Arc::ptr_eq(&watch.instance, instance));
        own.map(|watch| watch.mask)
    }

    /// Removes the watch of `instance`.
    fn remove(&self, instance: &Arc<Instance>) {
        let mut watches = self.watches.lock();
        watches.retain(|watch| !Arc::ptr_eq(&watch.instance, instance));
    }

    /// Adds a watch of `instance`, or changes the one it has; returns its number. Errors:
    /// `EEXIST`, `ENOSPC` (too many), `ENOMEM`.
    fn add(self: &Arc<Self>, instance: &Arc<Instance>, mask: u32) -> Result<i32, Errno> {
        let mut watches = self.watches.lock();
        let kept = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
        let mut old = watches.iter_mut();
        if let Some(watch) = old.find(|watch| Arc::ptr_eq(&watch.instance, instance)) {
            if mask & IN_MASK_CREATE != 0 {
                return Err(Errno::EEXIST);
            }
            let before = if mask & IN_MASK_ADD != 0 {
                watch.mask
            } else {
                0
            };
            watch.mask = before | kept;
            return Ok(watch.number);
        }
        watches.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let number = instance.number_for(self.clone())?;
        watches.push(Watch {
            instance: instance.clone(),
            number,
            mask: kept,
        });
        Ok(number)
    }
}

#[cfg(test)]
mod tests;
