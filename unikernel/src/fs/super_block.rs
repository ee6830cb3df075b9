//! A mounted file system, apart from its tree: what statfs(2) says and what limits it.

use super::dcache::DentryId;
use super::pages::Quota;
use super::stat::encode;
use crate::errno::Errno;
use core::fmt;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use linux_raw_sys::general::{
    MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_RELATIME,
};

/// Kinds of file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsType {
    /// The root: a tmpfs that holds the initrd.
    Rootfs,
    /// tmpfs(5).
    Tmpfs,
    /// `/dev`: a tmpfs with device nodes.
    Devtmpfs,
    /// proc(5).
    Proc,
    /// sysfs(5).
    Sysfs,
    /// cgroups(7), version 2.
    Cgroup,
    /// Nameless pipes.
    Pipefs,
    /// Files that other calls make: events, watches, memory.
    Anon,
}

impl FsType {
    /// Its name, as in /proc/filesystems and for mount(2).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rootfs => "rootfs",
            Self::Tmpfs => "tmpfs",
            Self::Devtmpfs => "devtmpfs",
            Self::Proc => "proc",
            Self::Sysfs => "sysfs",
            Self::Cgroup => "cgroup2",
            Self::Pipefs => "pipefs",
            Self::Anon => "anon_inodefs",
        }
    }

    /// `f_type` of statfs(2), from `linux/magic.h`.
    pub const fn magic(self) -> i64 {
        match self {
            Self::Rootfs | Self::Tmpfs | Self::Devtmpfs => 0x0102_1994,
            Self::Proc => 0x9fa0,
            Self::Sysfs => 0x6265_6572,
            Self::Cgroup => 0x6367_7270,
            Self::Pipefs => 0x5049_5045,
            Self::Anon => 0x0904_1934,
        }
    }

    /// Whether its files live in memory, with pages and directories of their own.
    pub const fn is_tmpfs(self) -> bool {
        matches!(self, Self::Rootfs | Self::Tmpfs | Self::Devtmpfs)
    }
}

/// Minor numbers of the anonymous devices that `st_dev` shows.
static NEXT_DEVICE: AtomicU32 = AtomicU32::new(1);

/// What the files of one mount share.
pub struct SuperBlock {
    /// The kind.
    pub fs_type: FsType,
    /// Minor number of its anonymous device (the major one is 0).
    pub device: u32,
    /// `st_dev`.
    pub encoded_device: u64,
    /// Those of [`SuperBlock::FLAGS`] that are set.
    pub flags: AtomicU32,
    /// Blocks and inodes, in use and allowed.
    pub quota: Quota,
    next_ino: AtomicU64,
    /// Number of the root's dentry, once the file system is not mounted any more but still used.
    detached: AtomicU32,
}

/// Never taken out of the name space.
const ATTACHED: u32 = u32::MAX;
/// Its tree is gone.
const FREED: u32 = u32::MAX - 1;

impl fmt::Debug for SuperBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.fs_type.name(), self.device)
    }
}

impl SuperBlock {
    /// A file system of its own device.
    pub fn new(fs_type: FsType, flags: u32, quota: Quota) -> Self {
        let device = NEXT_DEVICE.fetch_add(1, Relaxed);
        Self {
            fs_type,
            device,
            encoded_device: encode((0, device)),
            flags: AtomicU32::new(flags),
            quota,
            next_ino: AtomicU64::new(1),
            detached: AtomicU32::new(ATTACHED),
        }
    }

    /// A number that no file of this mount has had.
    pub fn new_ino(&self) -> u64 {
        let ino = self.next_ino.load(Relaxed);
        self.next_ino.store(ino + 1, Relaxed);
        ino
    }

    /// Whether nothing may be changed.
    pub fn is_read_only(&self) -> bool {
        self.flags.load(Relaxed) & MS_RDONLY != 0
    }

    /// `EROFS` if nothing may be changed.
    pub fn check_writable(&self) -> Result<(), Errno> {
        if self.is_read_only() {
            Err(Errno::EROFS)
        } else {
            Ok(())
        }
    }

    /// Whether device nodes cannot be opened here.
    pub fn is_nodev(&self) -> bool {
        self.flags.load(Relaxed) & MS_NODEV != 0
    }

    /// Whether no file can be executed here.
    pub fn is_noexec(&self) -> bool {
        self.flags.load(Relaxed) & MS_NOEXEC != 0
    }

    /// Whether reading leaves no access times, of directories or of other files.
    pub fn is_noatime(&self, directory: bool) -> bool {
        let of_directories = if directory { MS_NODIRATIME } else { 0 };
        self.flags.load(Relaxed) & (MS_NOATIME | MS_RDONLY | of_directories) != 0
    }

    /// The flags of the mount as /proc/self/mountinfo shows them.
    pub fn shown_flags(&self) -> u32 {
        let flags = self.flags.load(Relaxed);
        match flags & MS_NOATIME {
            0 => flags | MS_RELATIME,
            _ => flags,
        }
    }

    /// The root of a file system that was unmounted while it was used.
    #[inline]
    pub fn detached(&self) -> Option<DentryId> {
        let root = self.detached.load(Relaxed);
        (root < FREED).then(|| DentryId::from_number(root))
    }

    /// It is not mounted any more; `root` stays until nobody uses it.
    pub fn detach(&self, root: DentryId) {
        self.detached.store(root.number(), Relaxed);
    }

    /// Its tree is gone.
    pub fn freed(&self) {
        self.detached.store(FREED, Relaxed);
    }

    /// The flags that mount(2) may give and change.
    pub const FLAGS: u32 =
        MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME;
}
