//! Files: a read-only root from the initrd, the devices, and the descriptors that refer to them.
//!
//! From the outside in:
//! - [`fd`] maps small numbers to open files, [`mod@file`] is what one open file knows;
//! - [`path`] takes a path from the application and finds what it names, by way of [`walk`];
//! - [`mod@tree`] is the root in memory, made of [`inode`]s and names; [`mount`] builds it from the
//!   archive that [`cpio`] reads;
//! - [`device`] is everything that is read and written by code, [`stat`] describes a file.
//!
//! The tree never changes after [`init`], so path walks take no lock. A walk allocates nothing;
//! only open(2) does, for the open file description.

pub mod cpio;
pub mod device;
pub mod fd;
pub mod file;
pub mod inode;
pub mod mount;
pub mod path;
pub mod stat;
pub mod table;
pub mod tree;
pub mod walk;

#[cfg(test)]
pub(crate) mod testing;

pub use mount::Error;

use crate::errno::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ptr;
use core::sync::atomic::{
    AtomicPtr, AtomicU32, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use device::Device;
use file::Description;
use linux_raw_sys::general::{O_LARGEFILE, O_RDONLY, O_RDWR, O_WRONLY, S_IFCHR};
use tree::{EntryId, Kind, Tree};

/// What descriptor 0 is at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// The console, as a terminal or as a pipe.
    Console,
    /// `/dev/null`.
    Null,
    /// The file `.lintel-stdin` of the initrd, which then has no name any more.
    File,
}

const STDIN_FILE: &[u8] = b".lintel-stdin";

static TREE: AtomicPtr<Tree> = AtomicPtr::new(ptr::null_mut());
static CURRENT_DIR: AtomicU32 = AtomicU32::new(EntryId::ROOT.number());

/// Builds the root and opens descriptors 0, 1 and 2. Called once at boot, after the heap and the
/// console and before the first system call. `initrd` is an uncompressed cpio archive (`newc`).
pub fn init(initrd: Option<&'static [u8]>, stdin: Stdin) -> Result<(), Error> {
    let mut tree = mount::mount(initrd)?;
    let input = match stdin {
        Stdin::Console => mount::add_stream(&mut tree, 0)?,
        Stdin::Null => mount::add_nameless(&mut tree, Device::Null, S_IFCHR | 0o666)?,
        Stdin::File => take_stdin_file(&mut tree)?,
    };
    let outputs = [
        mount::add_stream(&mut tree, 1)?,
        mount::add_stream(&mut tree, 2)?,
    ];
    TREE.store(Box::into_raw(Box::new(tree)), Release);
    CURRENT_DIR.store(EntryId::ROOT.number(), Relaxed);
    open_stream(0, input, O_RDONLY);
    open_stream(1, outputs[0], O_WRONLY);
    open_stream(2, outputs[1], O_WRONLY);
    Ok(())
}

fn take_stdin_file(tree: &mut Tree) -> Result<EntryId, Error> {
    let entry = tree
        .lookup(EntryId::ROOT, STDIN_FILE)
        .ok_or(Error::NoStdinFile)?;
    if !matches!(tree.inode(entry).kind, Kind::File(_)) {
        return Err(Error::NoStdinFile);
    }
    tree.unlink(entry);
    Ok(entry)
}

/// Opens a standard stream with the flags it would have natively: a terminal is open for both
/// directions, a pipe for one and, not having been opened by path, without `O_LARGEFILE`.
fn open_stream(number: i32, entry: EntryId, one_way: u32) {
    let inode = tree().inode(entry);
    let flags = match inode.kind {
        Kind::Device(device @ Device::Stream(_)) if device.is_tty() => O_RDWR | O_LARGEFILE,
        Kind::Device(Device::Stream(_)) => one_way,
        _ => one_way | O_LARGEFILE,
    };
    let file = Arc::new(Description::new(entry, inode, flags));
    // 0, 1 and 2 are below the limit, so this cannot fail; what was there is closed.
    drop(fd::with_table(|table| table.replace(number, file, false)));
}

/// The root.
///
/// # Panics
/// Before [`init`], which the boot sequence rules out.
#[inline]
pub fn tree() -> &'static Tree {
    // SAFETY: the pointer is null or comes from a `Box` that `init` leaked and published with
    // `Release`; nobody has a mutable reference to it since.
    unsafe { TREE.load(Acquire).as_ref() }.expect("fs::init runs before the first system call")
}

/// The working directory.
pub fn current_dir() -> EntryId {
    EntryId::from_number(CURRENT_DIR.load(Relaxed))
}

/// Makes `dir`, which must be a directory's entry, the working directory.
pub fn set_current_dir(dir: EntryId) {
    CURRENT_DIR.store(dir.number(), Relaxed);
}

/// Makes the directory `path` the working directory, for the boot option `lintel.cwd`.
/// Errors: those of chdir(2).
pub fn change_dir(path: &[u8]) -> Result<(), Errno> {
    let found = path::lookup(linux_raw_sys::general::AT_FDCWD, path, walk::Goal::Follow)?;
    if !found.inode.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    set_current_dir(found.entry);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::testing::{Packer, boot_with};
    use super::*;

    #[test]
    fn boot_opens_three_descriptors() {
        let _fs = boot_with(None, Stdin::Console);
        for number in 0..3u8 {
            let file = fd::get(number.into()).unwrap();
            assert_eq!(file.inode().kind, Kind::Device(Device::Stream(number)));
            let tty = Device::Stream(number).is_tty();
            assert_eq!(file.inode().mode, if tty { 0o020_620 } else { 0o010_600 });
            assert_eq!(file.is_readable(), tty || number == 0);
            assert_eq!(file.is_writable(), tty || number > 0);
        }
    }

    #[test]
    fn stdin_can_be_a_file_without_a_name() {
        let packer = Packer::default()
            .file("./.lintel-stdin", b"input")
            .file("x", b"");
        let _fs = boot_with(Some(packer), Stdin::File);
        let file = fd::get(0).unwrap();
        assert_eq!((file.inode().size(), file.inode().nlink), (5, 0));
        assert_eq!(tree().lookup(EntryId::ROOT, STDIN_FILE), None);
        assert_eq!(file.flags(), O_LARGEFILE);
    }

    #[test]
    fn a_missing_stdin_file_is_said_to_be_missing() {
        let tree = || mount::mount(None).unwrap();
        assert_eq!(take_stdin_file(&mut tree()), Err(Error::NoStdinFile));
        assert!(Error::NoStdinFile.to_string().contains(".lintel-stdin"));
    }

    #[test]
    fn null_input_needs_no_node() {
        let _fs = boot_with(
            Some(Packer::default().file("dev/null", b"trap")),
            Stdin::Null,
        );
        assert_eq!(fd::get(0).unwrap().inode().kind, Kind::Device(Device::Null));
    }

    #[test]
    fn the_working_directory_can_be_set() {
        let _fs = boot_with(
            Some(Packer::default().dir("a/b").file("f", b"")),
            Stdin::Null,
        );
        assert_eq!(change_dir(b"a/b"), Ok(()));
        assert_eq!(tree().name(current_dir()), b"b");
        assert_eq!(change_dir(b".."), Ok(()));
        assert_eq!(tree().name(current_dir()), b"a");
        assert_eq!(change_dir(b"/f"), Err(Errno::ENOTDIR));
        assert_eq!(change_dir(b"none"), Err(Errno::ENOENT));
    }
}
