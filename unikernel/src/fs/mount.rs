//! The name space at boot: the root, `/dev`, `/proc` and `/sys`.

pub mod change;
pub mod options;

use super::dcache::DentryId;
use super::device::{Device, NODES};
use super::generated;
use super::inode::{AT_BOOT, Inode, Kind, Link};
use super::name::Name;
use super::pages::Quota;
use super::proc::Node;
use super::rc::Ref;
use super::super_block::{FsType, SuperBlock};
use super::unpack::{self, Error};
use super::vfs::Vfs;
use crate::errno::Errno;
use crate::mm::PAGE;
use crate::mm::frames::FRAMES;
use linux_raw_sys::general::{MS_NODEV, MS_NOEXEC, MS_NOSUID, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK};
use options::Options;

const DIR_MODE: u32 = S_IFDIR | 0o755;
/// A directory that everybody may write, and remove their own names from.
const SHARED_MODE: u32 = S_IFDIR | 0o1777;

/// Links in `/dev`, as every Linux has them.
const LINKS: [(&[u8], &[u8]); 4] = [
    (b"fd", b"/proc/self/fd"),
    (b"stdin", b"/proc/self/fd/0"),
    (b"stdout", b"/proc/self/fd/1"),
    (b"stderr", b"/proc/self/fd/2"),
];

/// The memory of the machine in pages.
pub fn memory() -> u64 {
    FRAMES.lock().counts().0 as u64
}

/// Bytes of the memory that are not in use.
pub fn memory_free() -> u64 {
    (FRAMES.lock().counts().1 * PAGE) as u64
}

/// How many pages a tmpfs may hold by default, and as many inodes: half of the memory.
pub fn default_limit() -> Option<u64> {
    // Tests have no frames, and no limit.
    Some(memory() / 2).filter(|&half| half > 0)
}

fn half_of_memory() -> Quota {
    // Eight inodes with a name each take a page of the library's heap.
    let inodes = default_limit().map(|pages| pages * 8);
    Quota::new(default_limit(), inodes)
}

/// A file system of this type and its root directory, there from the start.
pub fn new_root(
    vfs: &mut Vfs,
    fs_type: FsType,
    flags: u32,
    quota: Quota,
    mode: u32,
) -> Result<(DentryId, Ref<SuperBlock>), Errno> {
    root_of(vfs, fs_type, flags, quota, (mode, (0, 0)), AT_BOOT)
}

/// A file system of this type and its root directory, not mounted anywhere yet: mode and owner of
/// the root, and since when it is there.
fn root_of(
    vfs: &mut Vfs,
    fs_type: FsType,
    flags: u32,
    quota: Quota,
    (mode, owner): (u32, (u32, u32)),
    time: (i64, u32),
) -> Result<(DentryId, Ref<SuperBlock>), Errno> {
    let sb = Ref::new(SuperBlock::new(fs_type, flags, quota))?;
    let kind = match fs_type {
        FsType::Proc => Kind::Proc(Node::PROC),
        FsType::Sysfs => Kind::Proc(Node::SYS),
        FsType::Cgroup => Kind::Proc(Node::CGROUP),
        _ => Kind::Dir,
    };
    let inode = Inode::at(&sb, kind, mode, owner, time)?;
    inode.count_names(1);
    let root = vfs.cache.add_root(inode)?;
    Ok((root, sb))
}

/// Builds the name space anew: the initrd as the root, and what a Linux system mounts at boot where
/// the initrd leaves room for it.
pub fn boot(vfs: &mut Vfs, initrd: Option<&'static [u8]>) -> Result<(), Error> {
    *vfs = Vfs::new();
    let (root, sb) = new_root(vfs, FsType::Rootfs, 0, half_of_memory(), DIR_MODE)?;
    vfs.cache.get(root);
    (vfs.root, vfs.cwd) = (root, root);
    vfs.mounts.try_reserve(8)?;
    vfs.mounts.push(super::vfs::Mount {
        root,
        sb,
        source: b"rootfs".to_vec(),
        options: Options::default(),
        expired: false,
    });
    if let Some(image) = initrd {
        vfs.borrows_image = unpack::unpack(vfs, root, image)?;
    }
    boot_dev(vfs, root)?;
    let flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    for (name, fs_type) in [(&b"proc"[..], FsType::Proc), (b"sys", FsType::Sysfs)] {
        let mode = S_IFDIR | 0o555;
        if let Some(point) = directory(vfs, root, name, mode)? {
            let (tree, sb) = new_root(vfs, fs_type, flags, Quota::new(None, None), mode)?;
            vfs.mount(point, tree, sb, fs_type.name().as_bytes())?;
            if fs_type == FsType::Sysfs {
                boot_cgroup(vfs, tree, flags)?;
            }
        }
    }
    directory(vfs, root, b"tmp", SHARED_MODE)?;
    Ok(())
}

/// The control groups, where the tree of sysfs has room for them: runtimes look there for limits.
fn boot_cgroup(vfs: &mut Vfs, sys: DentryId, flags: u32) -> Result<(), Error> {
    let mut point = sys;
    for name in [&b"fs"[..], b"cgroup"] {
        point = generated::lookup(vfs, point, name)?.ok_or(Errno::ENOENT)?;
    }
    let none = Quota::new(None, None);
    let (root, sb) = new_root(vfs, FsType::Cgroup, flags, none, S_IFDIR | 0o555)?;
    vfs.mount(point, root, sb, FsType::Cgroup.name().as_bytes())?;
    Ok(())
}

/// `/dev`: a file system of its own, unless the initrd has put something there; then what it lacks
/// is added.
fn boot_dev(vfs: &mut Vfs, root: DentryId) -> Result<(), Error> {
    let Some(point) = directory(vfs, root, b"dev", DIR_MODE)? else {
        return Ok(());
    };
    let dev = if vfs.cache.is_empty(point) {
        let (dev, sb) = new_root(
            vfs,
            FsType::Devtmpfs,
            MS_NOSUID,
            Quota::new(None, None),
            DIR_MODE,
        )?;
        vfs.mount(point, dev, sb, b"devtmpfs")?;
        dev
    } else {
        point
    };
    fill_dev(vfs, dev)?;
    if let Some(point) = directory(vfs, dev, b"shm", SHARED_MODE)? {
        let flags = MS_NOSUID | MS_NODEV;
        let (shm, sb) = new_root(vfs, FsType::Tmpfs, flags, half_of_memory(), SHARED_MODE)?;
        vfs.mount(point, shm, sb, b"tmpfs")?;
    }
    Ok(())
}

/// Adds to a directory what devices there are, and the usual links.
fn fill_dev(vfs: &mut Vfs, dev: DentryId) -> Result<(), Errno> {
    for (name, device, permissions) in NODES {
        add(vfs, dev, name, Kind::Device(device), S_IFCHR | permissions)?;
    }
    for (name, target) in LINKS {
        let link = Kind::Symlink(Link::new(target)?);
        add(vfs, dev, name, link, S_IFLNK | 0o777)?;
    }
    Ok(())
}

/// The directory `name`, made if it is missing; `None` if something else has its name.
fn directory(
    vfs: &mut Vfs,
    parent: DentryId,
    name: &'static [u8],
    mode: u32,
) -> Result<Option<DentryId>, Errno> {
    if let Some(id) = vfs.cache.find(parent, name) {
        return Ok(vfs.inode(id)?.is_dir().then_some(id));
    }
    let directory = vfs.inode(parent)?.clone();
    let inode = Inode::at(&directory.sb, Kind::Dir, mode, (0, 0), AT_BOOT)?;
    inode.count_names(1);
    directory.count_names(1);
    vfs.cache.add(parent, Name::Static(name), inode).map(Some)
}

/// Adds a file, unless the name is taken.
fn add(
    vfs: &mut Vfs,
    parent: DentryId,
    name: &'static [u8],
    kind: Kind,
    mode: u32,
) -> Result<(), Errno> {
    if vfs.cache.find(parent, name).is_some() {
        return Ok(());
    }
    let sb = vfs.inode(parent)?.sb.clone();
    let inode = Inode::at(&sb, kind, mode, (0, 0), AT_BOOT)?;
    inode.count_names(1);
    vfs.cache.add(parent, Name::Static(name), inode)?;
    Ok(())
}

/// A nameless entry for standard stream `number`: the terminal, or a pipe.
pub fn add_stream(vfs: &mut Vfs, sb: &Ref<SuperBlock>, number: u8) -> Result<DentryId, Errno> {
    let device = Device::Stream(number);
    let mode = if device.is_tty() {
        S_IFCHR | 0o620
    } else {
        S_IFIFO | 0o600
    };
    add_nameless(vfs, sb, Kind::Device(device), mode)
}

/// A dentry that no lookup finds, for a file that only descriptors refer to; counted once.
pub fn add_nameless(
    vfs: &mut Vfs,
    sb: &Ref<SuperBlock>,
    kind: Kind,
    mode: u32,
) -> Result<DentryId, Errno> {
    let inode = Inode::at(sb, kind, mode, (0, 0), AT_BOOT)?;
    inode.count_names(1);
    vfs.cache.add_nameless(Name::Static(b""), inode)
}
