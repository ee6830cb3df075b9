//! What the tests of the file layer share: a packer for archives, and a freshly booted file
//! system. There is one such per process, so a test that uses it holds a lock.

use super::inode::{Inode, Kind};
use super::pages::Quota;
use super::rc::Ref;
use super::super_block::{FsType, SuperBlock};
use super::{Stdin, fd, init};
use crate::uaccess::UserPtr;
use std::sync::{Mutex, MutexGuard, PoisonError};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Keeps other tests out that hold the file layer, or count what there is of something.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Boots the file layer anew: closes all descriptors, mounts the archive. The caller has it for
/// itself until the guard is dropped.
pub(crate) fn boot_with(packer: Option<Packer>, stdin: Stdin) -> MutexGuard<'static, ()> {
    let guard = alone();
    while let Some(number) = fd::next_open(0) {
        drop(fd::remove(number as i32));
    }
    fd::set_limit(fd::SOFT_LIMIT);
    init(packer.map(Packer::leak), stdin).expect("the test's archive is sound");
    guard
}

/// A path as the application would pass it; `text` ends with NUL.
pub(crate) fn cstr(text: &str) -> UserPtr<u8> {
    assert!(text.ends_with('\0'));
    UserPtr::new(text.as_ptr() as usize)
}

/// Packs archives for tests.
#[derive(Default)]
pub(crate) struct Packer(pub Vec<u8>);

impl Packer {
    /// Appends an entry with all its fields.
    pub fn raw(mut self, fields: [u32; 12], name: &[u8], data: &[u8]) -> Self {
        self.0.extend(b"070701");
        for field in fields.iter().chain(&[0]) {
            self.0.extend(format!("{field:08x}").bytes());
        }
        self.0.extend(name);
        self.0.push(0);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self.0.extend(data);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Appends an entry of the given mode.
    pub fn entry(self, mode: u32, name: &str, data: &[u8]) -> Self {
        let (size, name_size) = (data.len() as u32, name.len() as u32 + 1);
        let fields = [9, mode, 0, 0, 1, 1_700_000_000, size, 8, 1, 0, 0, name_size];
        self.raw(fields, name.as_bytes(), data)
    }

    /// Appends a regular file, mode 0644.
    pub fn file(self, name: &str, data: &[u8]) -> Self {
        self.entry(0o100_644, name, data)
    }

    /// Appends a directory, mode 0755.
    pub fn dir(self, name: &str) -> Self {
        self.entry(0o040_755, name, b"")
    }

    /// Appends a symbolic link.
    pub fn link(self, name: &str, target: &str) -> Self {
        self.entry(0o120_777, name, target.as_bytes())
    }

    /// Appends one name of a file with several.
    pub fn hard(self, ino: u32, name: &str, data: &[u8]) -> Self {
        let (size, name_size) = (data.len() as u32, name.len() as u32 + 1);
        let fields = [ino, 0o100_600, 0, 0, 2, 5, size, 8, 1, 0, 0, name_size];
        self.raw(fields, name.as_bytes(), data)
    }

    /// Appends the trailer and pads to a block, as cpio does.
    pub fn end(self) -> Self {
        let mut packer = self.entry(0, "TRAILER!!!", b"");
        packer.0.resize(packer.0.len().next_multiple_of(512), 0);
        packer
    }

    /// The finished archive, for good: an initrd lives as long as the machine.
    pub fn leak(self) -> &'static [u8] {
        self.end().0.leak()
    }
}

/// An inode of this kind and mode on a tmpfs of its own.
pub(crate) fn inode(kind: Kind, mode: u32) -> Ref<Inode> {
    let sb = Ref::new(SuperBlock::new(FsType::Tmpfs, 0, Quota::new(None, None))).unwrap();
    Inode::new(&sb, kind, mode, (0, 0)).unwrap()
}
