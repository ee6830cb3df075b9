//! Files: names, what they name, and the descriptors that refer to them.
//!
//! From the outside in:
//! - [`fd`] maps small numbers to open files, [`mod@file`] is what one open file knows;
//! - [`path`] takes a path from the application and finds what it names, by way of [`walk`];
//!   [`namei`] makes, removes and moves names, [`permission`] says who may;
//! - [`vfs`] is the name space: the dentry cache ([`dcache`]), the root, what is mounted;
//! - an [`inode`] is a file apart from its names: [`pages`] are a regular one's content, [`pipe`] a
//!   pipe's, a [`device`] is read and written by code, [`proc`] makes text when it is looked at;
//! - [`mount`] builds the name space at boot and changes it later; [`unpack`] fills the root from the
//!   archives that [`cpio`] reads and [`gzip`] inflates;
//! - [`guard`] says what must not be done to a file's content, [`copy`] passes content on.
//!
//! One CPU runs one system call at a time, so nothing here waits for a lock, and a path walk
//! neither allocates nor counts references.

pub mod anon;
pub mod copy;
pub mod cpio;
pub mod dcache;
pub mod device;
pub mod event;
pub mod extras;
pub mod facts;
pub mod fd;
pub mod file;
pub mod generated;
pub mod guard;
pub mod gzip;
pub mod inode;
pub mod lock;
pub mod mount;
pub mod name;
pub mod namei;
pub mod notify;
pub mod page;
pub mod pages;
pub mod path;
pub mod permission;
pub mod pipe;
pub mod proc;
pub mod rc;
pub mod ready;
pub mod shortcut;
pub mod slab;
pub mod stat;
pub mod super_block;
pub mod sysfs;
pub mod table;
pub mod unpack;
pub mod vfs;
pub mod walk;
pub mod xattr;

#[cfg(test)]
pub(crate) mod testing;

pub use unpack::Error;
pub use vfs::vfs;

use crate::errno::Errno;
use dcache::DentryId;
use device::Device;
use file::Description;
use inode::Kind;
use linux_raw_sys::general::{AT_FDCWD, O_LARGEFILE, O_RDONLY, O_RDWR, O_WRONLY, S_IFCHR};
use pages::Quota;
use path::PathBuf;
use rc::Ref;
use super_block::{FsType, SuperBlock};
use vfs::Vfs;

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

/// Builds the name space and opens descriptors 0, 1 and 2. Called once at boot, after the heap and
/// the console and before the first system call. `initrd` is an uncompressed cpio archive (`newc`).
pub fn init(initrd: Option<&'static [u8]>, stdin: Stdin) -> Result<(), Error> {
    let mut vfs = vfs();
    mount::boot(&mut vfs, initrd)?;
    vfs::begin_at_root();
    let streams = Ref::new(SuperBlock::new(FsType::Pipefs, 0, Quota::new(None, None)))?;
    let input = match stdin {
        Stdin::Console => mount::add_stream(&mut vfs, &streams, 0)?,
        Stdin::Null => {
            let null = Kind::Device(Device::Null);
            mount::add_nameless(&mut vfs, &streams, null, S_IFCHR | 0o666)?
        }
        Stdin::File => take_stdin_file(&mut vfs)?,
    };
    let outputs = [
        mount::add_stream(&mut vfs, &streams, 1)?,
        mount::add_stream(&mut vfs, &streams, 2)?,
    ];
    let files = [
        (0, stream(&vfs, input, O_RDONLY)?),
        (1, stream(&vfs, outputs[0], O_WRONLY)?),
        (2, stream(&vfs, outputs[1], O_WRONLY)?),
    ];
    drop(vfs);
    for (number, file) in files {
        // These numbers are below every limit; what was there is closed.
        drop(fd::replace(number, file, false));
    }
    Ok(())
}

fn take_stdin_file(vfs: &mut Vfs) -> Result<DentryId, Error> {
    let found = vfs.cache.find(vfs.root, STDIN_FILE);
    let id = found.ok_or(Error::NoStdinFile)?;
    let inode = vfs.inode(id)?.clone();
    if inode.store().is_none() {
        return Err(Error::NoStdinFile);
    }
    inode.count_names(-1);
    vfs.cache.get(id);
    vfs.cache.unlink(id);
    Ok(id)
}

/// Opens a standard stream, counted already, with the flags it would have natively: a terminal is
/// open for both directions, a pipe for one and, not having been opened by path, without
/// `O_LARGEFILE`.
fn stream(vfs: &Vfs, id: DentryId, one_way: u32) -> Result<fd::File, Errno> {
    let inode = vfs.inode(id)?.clone();
    let flags = match inode.kind {
        Kind::Device(device @ Device::Stream(_)) if device.is_tty() => O_RDWR | O_LARGEFILE,
        Kind::Device(Device::Stream(_)) => one_way,
        _ => one_way | O_LARGEFILE,
    };
    fd::File::new(Description::new(id, inode, flags))
}

/// Makes the directory `path` the working directory, for the boot option `lintel.cwd`.
/// Errors: those of chdir(2).
pub fn change_dir(path: &[u8]) -> Result<(), Errno> {
    let mut buffer = PathBuf::new();
    let path = buffer.copy(path)?;
    let mut vfs = vfs();
    let found = vfs.find(AT_FDCWD, path, 0)?;
    if !vfs.inode(found)?.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    vfs.set_cwd(found);
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
            assert_eq!(file::device(file.inode()), Some(Device::Stream(number)));
            let tty = Device::Stream(number).is_tty();
            assert_eq!(file.inode().mode(), if tty { 0o020_620 } else { 0o010_600 });
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
        assert_eq!((file.inode().size(), file.inode().nlink()), (5, 0));
        let vfs = vfs();
        assert_eq!(vfs.cache.find(vfs.root, STDIN_FILE), None);
        assert_eq!(file.flags(), O_LARGEFILE);
    }

    #[test]
    fn a_missing_stdin_file_is_said_to_be_missing() {
        let _fs = boot_with(None, Stdin::Null);
        assert_eq!(take_stdin_file(&mut vfs()), Err(Error::NoStdinFile));
        assert!(Error::NoStdinFile.to_string().contains(".lintel-stdin"));
    }

    #[test]
    fn null_input_needs_no_node() {
        let _fs = boot_with(
            Some(Packer::default().file("dev/null", b"trap")),
            Stdin::Null,
        );
        assert_eq!(
            file::device(fd::get(0).unwrap().inode()),
            Some(Device::Null)
        );
    }

    fn cwd() -> Vec<u8> {
        let vfs = vfs();
        vfs.cache.name(vfs.cwd).to_vec()
    }

    #[test]
    fn the_working_directory_can_be_set() {
        let _fs = boot_with(
            Some(Packer::default().dir("a/b").file("f", b"")),
            Stdin::Null,
        );
        assert_eq!(change_dir(b"a/b"), Ok(()));
        assert_eq!(cwd(), b"b");
        assert_eq!(change_dir(b".."), Ok(()));
        assert_eq!(cwd(), b"a");
        assert_eq!(change_dir(b"/f"), Err(Errno::ENOTDIR));
        assert_eq!(change_dir(b"none"), Err(Errno::ENOENT));
    }
}
