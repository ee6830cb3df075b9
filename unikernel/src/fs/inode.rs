//! What a file is, apart from its names.

use super::device::Device;
use linux_raw_sys::general::{S_IFLNK, S_IFMT};

/// What a file is. Its `st_mode` is kept beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory: its first and last child.
    Dir(Children),
    /// A regular file's content.
    File(&'static [u8]),
    /// A symbolic link's target.
    Symlink(&'static [u8]),
    /// A link to whatever descriptor this is: `/dev/stdin` and its kin.
    Descriptor(u8),
    /// Something that is read and written by code.
    Device(Device),
}

/// A directory's children, as a list through the entries in the order of their creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Children {
    pub(super) first: u32,
    pub(super) last: u32,
}

impl Children {
    pub(super) const NONE: Self = Self {
        first: NONE,
        last: NONE,
    };
}

/// No entry. Entries refer to each other by number, so that one fits half a cache line.
pub(super) const NONE: u32 = u32::MAX;

/// A file: everything that all its names share.
#[derive(Clone, Copy, Debug)]
pub struct Inode {
    /// Type-specific part.
    pub kind: Kind,
    /// `st_mode`: type and permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change, seconds since 1970.
    pub mtime: u32,
    /// Number of names (for a directory 2 and its subdirectories, as Linux counts).
    pub nlink: u32,
    /// `st_ino`.
    pub ino: u32,
}

impl Inode {
    /// Size in bytes as stat(2) reports it. Directories have none, as in Linux's ramfs.
    pub fn size(&self) -> u64 {
        match self.kind {
            Kind::File(bytes) | Kind::Symlink(bytes) => bytes.len() as u64,
            Kind::Descriptor(number) => descriptor_target(number).len() as u64,
            Kind::Dir(_) | Kind::Device(_) => 0,
        }
    }

    /// Whether it is a directory.
    pub const fn is_dir(&self) -> bool {
        matches!(self.kind, Kind::Dir(_))
    }

    /// What readlink(2) says, `None` for everything but a symbolic link.
    pub const fn link_target(&self) -> Option<&'static [u8]> {
        match self.kind {
            Kind::Symlink(target) => Some(target),
            Kind::Descriptor(number) => Some(descriptor_target(number)),
            _ => None,
        }
    }

    /// Whether a read-only file system guards it (devices and pipes may be written all the same).
    pub const fn is_read_only(&self) -> bool {
        !matches!(self.kind, Kind::Device(_))
    }
}

/// The text of the link behind `/dev/stdin`, `/dev/stdout` and `/dev/stderr` on Linux.
const fn descriptor_target(number: u8) -> &'static [u8] {
    match number {
        0 => b"/proc/self/fd/0",
        1 => b"/proc/self/fd/1",
        _ => b"/proc/self/fd/2",
    }
}

/// The file type bits of a mode.
pub const fn file_type(mode: u32) -> u32 {
    mode & S_IFMT
}

/// Mode of a symbolic link that no archive describes.
pub const LINK_MODE: u32 = S_IFLNK | 0o777;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::testing::inode;

    #[test]
    fn only_content_has_a_size() {
        assert_eq!(inode(Kind::File(b"12345")).size(), 5);
        assert_eq!(inode(Kind::Symlink(b"abc")).size(), 3);
        assert_eq!(inode(Kind::Descriptor(2)).size(), 15);
        assert_eq!(inode(Kind::Dir(Children::NONE)).size(), 0);
        assert_eq!(inode(Kind::Device(Device::Zero)).size(), 0);
    }

    #[test]
    fn links_have_targets() {
        assert_eq!(
            inode(Kind::Symlink(b"abc")).link_target(),
            Some(&b"abc"[..])
        );
        assert_eq!(
            inode(Kind::Descriptor(2)).link_target(),
            Some(&b"/proc/self/fd/2"[..])
        );
        assert_eq!(inode(Kind::File(b"abc")).link_target(), None);
    }

    #[test]
    fn devices_can_be_written_on_a_read_only_root() {
        assert!(!inode(Kind::Device(Device::Null)).is_read_only());
        assert!(inode(Kind::File(b"")).is_read_only());
        assert!(inode(Kind::Dir(Children::NONE)).is_read_only());
    }

    #[test]
    fn types_are_the_upper_bits() {
        assert_eq!(file_type(LINK_MODE), S_IFLNK);
        assert_eq!(file_type(0o104_755), 0o100_000);
    }
}
