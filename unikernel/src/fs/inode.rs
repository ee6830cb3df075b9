//! What a file is, apart from its names.

mod stamp;

pub use stamp::{AT_BOOT, Stamp, now};

use stamp::DAY;

use super::device::Device;
use super::event::Event;
use super::extras::Lazy;
use super::guard::Seals;
use super::name::PADDING;
use super::notify::Inotify;
use super::pages::PageStore;
use super::pipe::Fifo;
use super::proc::Node;
use super::rc::Ref;
use super::super_block::SuperBlock;
use crate::errno::Errno;
use crate::net::unix::Endpoint;
use crate::sync::Exclusive;
use crate::time;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use linux_raw_sys::general::{
    S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, UTIME_NOW, UTIME_OMIT,
};

/// What a file is.
pub enum Kind {
    /// A directory in memory: its entries are all in the dentry cache.
    Dir,
    /// A regular file.
    File(Exclusive<PageStore>),
    /// A symbolic link.
    Symlink(Link),
    /// A pipe, with a name or without.
    Fifo(Fifo),
    /// A socket's name.
    Socket,
    /// A device or a standard stream.
    Device(Device),
    /// A queue of events of inotify(7).
    Inotify(Inotify),
    /// A counter, a set of files or of signals: something to wait for.
    Event(Event),
    /// A socket: one end of a connection.
    Endpoint(Endpoint),
    /// A file, directory or link of procfs or sysfs, made when it is looked at.
    Proc(Node),
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dir => "Dir",
            Self::File(_) => "File",
            Self::Symlink(_) => "Symlink",
            Self::Fifo(_) => "Fifo",
            Self::Socket => "Socket",
            Self::Device(_) => "Device",
            Self::Inotify(_) => "Inotify",
            Self::Event(_) => "Event",
            Self::Endpoint(_) => "Endpoint",
            Self::Proc(_) => "Proc",
        })
    }
}

/// A symbolic link's target, with [`PADDING`] zeros behind it, as a walk needs it.
#[derive(Debug)]
pub struct Link(Box<[u8]>);

impl Link {
    /// Copies a target; `ENOMEM`.
    pub fn new(target: &[u8]) -> Result<Self, Errno> {
        let mut text = Vec::new();
        text.try_reserve_exact(target.len() + PADDING)
            .map_err(|_| Errno::ENOMEM)?;
        text.extend_from_slice(target);
        text.extend_from_slice(&[0; PADDING]);
        Ok(Self(text.into_boxed_slice()))
    }

    /// The target.
    pub fn target(&self) -> &[u8] {
        &self.0[..self.0.len() - PADDING]
    }

    /// Pages that it is charged for: a long one is content (Linux's `SHORT_SYMLINK_LEN`).
    pub const fn pages(&self) -> u64 {
        (self.0.len() - PADDING >= 128) as u64
    }

    /// The target with its padding.
    pub fn padded(&self) -> &[u8] {
        &self.0
    }
}

/// A file: everything that all its names share.
#[derive(Debug)]
pub struct Inode {
    /// Type-specific part.
    pub kind: Kind,
    /// The file system it is on.
    pub sb: Ref<SuperBlock>,
    /// `st_ino`.
    pub ino: u64,
    mode: AtomicU32,
    uid: AtomicU32,
    gid: AtomicU32,
    nlink: AtomicU32,
    /// Of a directory: its names.
    entries: AtomicU32,
    /// Last access.
    pub atime: Stamp,
    /// Last change of the content.
    pub mtime: Stamp,
    /// Last change of the content or of the attributes.
    pub ctime: Stamp,
    /// Creation.
    pub btime: (i64, u32),
    /// What must not be changed any more.
    pub seals: Seals,
    /// Made by `O_TMPFILE` without `O_EXCL`: it may get its first name later.
    pub linkable: AtomicBool,
    /// Locks, attributes, watches.
    pub(super) extras: Lazy,
}

impl Inode {
    /// A file without a name yet (of a directory, one link: its own). `ENOSPC` when the file system
    /// has no inode left, `ENOMEM`.
    pub fn new(
        sb: &Ref<SuperBlock>,
        kind: Kind,
        mode: u32,
        (uid, gid): (u32, u32),
    ) -> Result<Ref<Self>, Errno> {
        Self::at(sb, kind, mode, (uid, gid), now())
    }

    /// A file of a generated file system, with the number that its place has.
    pub fn generated(sb: &Ref<SuperBlock>, node: Node, mode: u32) -> Result<Ref<Self>, Errno> {
        sb.quota.charge_inode()?;
        let links = node.links();
        Ref::new(Self::build(
            sb,
            Kind::Proc(node),
            mode,
            (0, 0),
            AT_BOOT,
            (node.inode(), links),
        ))
    }

    /// The same as [`Inode::new`], as of a given time.
    pub fn at(
        sb: &Ref<SuperBlock>,
        kind: Kind,
        mode: u32,
        (uid, gid): (u32, u32),
        time: (i64, u32),
    ) -> Result<Ref<Self>, Errno> {
        sb.quota.charge_inode()?;
        if let Kind::Symlink(link) = &kind {
            let charged = sb.quota.charge(link.pages());
            charged.inspect_err(|_| sb.quota.release_inode())?;
        }
        let links = u32::from(file_type(mode) == S_IFDIR);
        Ref::new(Self::build(
            sb,
            kind,
            mode,
            (uid, gid),
            time,
            (sb.new_ino(), links),
        ))
    }

    fn build(
        sb: &Ref<SuperBlock>,
        kind: Kind,
        mode: u32,
        (uid, gid): (u32, u32),
        time: (i64, u32),
        (ino, links): (u64, u32),
    ) -> Self {
        Self {
            kind,
            sb: sb.clone(),
            ino,
            mode: AtomicU32::new(mode),
            uid: AtomicU32::new(uid),
            gid: AtomicU32::new(gid),
            nlink: AtomicU32::new(links),
            entries: AtomicU32::new(0),
            atime: Stamp::new(time),
            mtime: Stamp::new(time),
            ctime: Stamp::new(time),
            btime: time,
            seals: Seals::new(),
            linkable: AtomicBool::new(false),
            extras: Lazy::new(),
        }
    }

    /// `st_mode`: type and permissions.
    #[inline]
    pub fn mode(&self) -> u32 {
        self.mode.load(Relaxed)
    }

    /// Changes the permissions; the type stays.
    pub fn set_permissions(&self, permissions: u32) {
        let mode = file_type(self.mode()) | (permissions & !S_IFMT);
        self.mode.store(mode, Relaxed);
    }

    /// Owner and group.
    #[inline]
    pub fn owner(&self) -> (u32, u32) {
        (self.uid.load(Relaxed), self.gid.load(Relaxed))
    }

    /// Changes owner and group.
    pub fn set_owner(&self, (uid, gid): (u32, u32)) {
        self.uid.store(uid, Relaxed);
        self.gid.store(gid, Relaxed);
    }

    /// Number of names (for a directory 2 and its subdirectories).
    #[inline]
    pub fn nlink(&self) -> u32 {
        self.nlink.load(Relaxed)
    }

    /// One name more or less.
    pub fn count_names(&self, by: i32) {
        self.nlink
            .store(self.nlink().saturating_add_signed(by), Relaxed);
    }

    /// Before a file that is no directory gets one more name: all but the first count as inodes, as
    /// on Linux. `ENOSPC`.
    pub fn charge_name(&self) -> Result<(), Errno> {
        match self.nlink() {
            0 => Ok(()),
            _ => self.sb.quota.charge_inode(),
        }
    }

    /// Before such a file loses a name, and when it does not get the one it was charged for.
    pub fn release_name(&self, names: u32) {
        if names > 1 {
            self.sb.quota.release_inode();
        }
    }

    /// Size in bytes as stat(2) reports it.
    #[inline]
    pub fn size(&self) -> u64 {
        match &self.kind {
            Kind::File(store) => store.lock().size(),
            Kind::Symlink(link) => link.target().len() as u64,
            Kind::Proc(node) => node.size(),
            Kind::Dir => self.directory_size(),
            _ => 0,
        }
    }

    /// Size of a directory in memory, as tmpfs counts it: 20 bytes a name, `.` and `..` included.
    #[inline(always)]
    pub fn directory_size(&self) -> u64 {
        const NAME: u64 = 20;
        (u64::from(self.entries.load(Relaxed)) + 2) * NAME
    }

    /// A directory has a name more or less.
    pub fn count_entries(&self, by: i32) {
        let entries = self.entries.load(Relaxed);
        self.entries
            .store(entries.saturating_add_signed(by), Relaxed);
    }

    /// Whether it is a directory.
    #[inline]
    pub fn is_dir(&self) -> bool {
        file_type(self.mode()) == S_IFDIR
    }

    /// Whether it is a symbolic link.
    #[inline]
    pub fn is_symlink(&self) -> bool {
        file_type(self.mode()) == S_IFLNK
    }

    /// Whether it is a regular file with content of its own.
    #[inline]
    pub const fn store(&self) -> Option<&Exclusive<PageStore>> {
        match &self.kind {
            Kind::File(store) => Some(store),
            _ => None,
        }
    }

    /// Content and attributes have changed now.
    pub fn touch(&self) {
        let now = now();
        self.mtime.set(now);
        self.ctime.set(now);
    }

    /// The content was written now; who may not keep the set-user-ID bits loses them.
    #[inline]
    pub fn wrote(&self) {
        self.touch();
        super::permission::wrote(self);
    }

    /// Whether a file without a name may get one.
    pub fn may_be_linked(&self) -> bool {
        self.linkable.load(Relaxed)
    }

    /// The attributes have changed now.
    pub fn touch_ctime(&self) {
        self.ctime.set(now());
    }

    /// The content was read: as with `relatime`, noted once after each change and once a day.
    #[inline]
    pub fn accessed(&self) {
        let read = self.atime.get();
        let stale =
            read <= self.mtime.get() || read <= self.ctime.get() || read.0 + DAY < time::coarse_s();
        if stale && !self.sb.is_noatime(self.is_dir()) {
            self.atime.set(now());
        }
    }

    /// Whether reading it would leave its time stamps as they are; answered without asking a clock.
    #[inline(always)]
    pub fn stays_accessed(&self) -> bool {
        let read = self.atime.raw();
        read > self.mtime.raw() && read > self.ctime.raw() && read.0 + DAY >= time::coarse_s()
    }

    /// utimensat(2): the two times, each with `UTIME_NOW` or `UTIME_OMIT` in the nanoseconds.
    pub fn set_times(&self, access: (i64, i64), change: (i64, i64)) {
        let now = now();
        for (stamp, (seconds, nanoseconds)) in [(&self.atime, access), (&self.mtime, change)] {
            if nanoseconds == i64::from(UTIME_NOW) {
                stamp.set(now);
            } else if nanoseconds != i64::from(UTIME_OMIT) {
                stamp.set((seconds, nanoseconds as u32));
            }
        }
        self.ctime.set(now);
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        match &mut self.kind {
            Kind::File(store) => self.sb.quota.release(store.get_mut().frames()),
            Kind::Symlink(link) => self.sb.quota.release(link.pages()),
            _ => {}
        }
        if let Some(extras) = self.extras.get() {
            self.sb
                .quota
                .release_attributes(extras.xattrs.total_space());
        }
        self.sb.quota.release_inode();
    }
}

/// The file type bits of a mode.
pub const fn file_type(mode: u32) -> u32 {
    mode & S_IFMT
}

/// The kind of an empty file with this mode, for mknod(2): `None` for directories and links.
pub fn empty(mode: u32, device: (u32, u32)) -> Option<Kind> {
    Some(match file_type(mode) {
        0 | S_IFREG => Kind::File(Exclusive::new(PageStore::new())),
        S_IFIFO => Kind::Fifo(Fifo::new()),
        S_IFSOCK => Kind::Socket,
        S_IFCHR => Kind::Device(Device::from_numbers(device.0, device.1)),
        S_IFDIR | S_IFLNK => return None,
        _ => Kind::Device(Device::Other(device.0, device.1)),
    })
}
