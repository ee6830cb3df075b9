//! What the files of procfs and sysfs are made from, as far as the file layer knows it.

mod extra;

use super::dcache::DentryId;
use super::fd;
use super::inode::{Kind, file_type};
use super::mount::default_limit;
use super::proc::live::Live;
use super::proc::source::{Descriptor, FileCounts, Mount, Place};
use super::proc::{Files, Source, Text};
use super::vfs::{Vfs, vfs};
use crate::errno::Errno;
use linux_raw_sys::general::{O_CLOEXEC, S_IFIFO, S_IFSOCK};

/// The one source.
pub const fn source() -> Source<'static> {
    Source {
        system: &Live,
        files: &Tables,
    }
}

struct Tables;

impl Files for Tables {
    fn next_descriptor(&self, from: u32) -> Option<u32> {
        fd::next_open(from as usize).map(|fd| fd as u32)
    }

    fn descriptor(&self, number: u32) -> Option<Descriptor> {
        let file = fd::peek(number as i32).ok()?;
        let cloexec = fd::close_on_exec(number as i32).ok()?;
        Some(Descriptor {
            flags: file.flags() | if cloexec { O_CLOEXEC } else { 0 },
            position: file.position(),
            mount: file.inode().sb.device,
            inode: file.inode().ino,
            read: file.is_readable(),
            write: file.is_writable(),
        })
    }

    fn descriptor_path(&self, number: u32, into: &mut Text) -> Result<(), Errno> {
        let id = fd::peek(number as i32).map_err(|_| Errno::ENOENT)?.dentry();
        describe(&vfs(), id, into)
    }

    fn path(&self, dentry: DentryId, into: &mut Text) {
        // The mapping has it open, so it names something.
        let _ = describe(&vfs(), dentry, into);
    }

    fn descriptor_extra(&self, fd: u32, into: &mut Text) {
        if let Ok(file) = fd::peek(fd as i32) {
            extra::lines(file, into);
        }
    }

    fn directory_path(&self, which: Place, into: &mut Text) -> Result<(), Errno> {
        let vfs = vfs();
        let id = match which {
            Place::Current => vfs.cwd,
            Place::Root => vfs.root,
        };
        describe(&vfs, id, into)
    }

    fn mount(&self, index: usize) -> Result<Option<Mount>, Errno> {
        let vfs = vfs();
        let Some(mount) = vfs.mounts.get(index) else {
            return Ok(None);
        };
        let mut shown = Mount {
            id: mount.sb.device,
            parent: mount.sb.device,
            device: (0, mount.sb.device),
            flags: mount.sb.shown_flags(),
            kind: mount.sb.fs_type.name(),
            ..Mount::default()
        };
        if let Some(point) = vfs.cache.covered_by(mount.root) {
            shown.parent = vfs.inode(point)?.sb.device;
        }
        shown.root.str("/");
        shown.source.bytes(&mount.source);
        path(&vfs, mount.root, &mut shown.point);
        let default = default_limit();
        mount.options.show(&mount.sb, default, &mut shown.options);
        Ok(Some(shown))
    }

    fn counts(&self) -> FileCounts {
        let vfs = vfs();
        let (dentries, _) = vfs.cache.counts();
        let (open, table) = open_files();
        let mut counts = FileCounts {
            open,
            table,
            most: fd::LIMIT as u64,
            dentries: [dentries as u64, 0, 0],
            ..FileCounts::default()
        };
        for mount in vfs.mounts.iter().filter(|m| m.sb.fs_type.is_tmpfs()) {
            counts.inodes += mount.sb.quota.inodes().used;
            counts.cached += mount.sb.quota.pages().used;
        }
        counts.shared = counts.cached;
        counts
    }
}

/// Open descriptors, and slots in use for them, in steps of 64 as Linux grows its table.
fn open_files() -> (u64, u64) {
    let (mut count, mut slots, mut from) = (0, 64, 0);
    while let Some(fd) = fd::next_open(from) {
        (count, from) = (count + 1, fd + 1);
        slots = slots.max(from.next_multiple_of(64) as u64);
    }
    (count, slots)
}

/// Writes the path of a dentry from the root of the process.
fn path(vfs: &Vfs, id: DentryId, into: &mut Text) -> bool {
    let mut len = 0;
    let reached = vfs.components(id, |name| len += name.len() + 1);
    if len == 0 {
        into.byte(b'/');
        return reached;
    }
    // The components come last first.
    let count = into.fill(len, |room| {
        let mut end = room.len();
        vfs.components(id, |name| {
            if let Some(start) = end.checked_sub(name.len() + 1) {
                room[start] = b'/';
                room[start + 1..end].copy_from_slice(name);
                end = start;
            }
        });
        room.len()
    });
    debug_assert!(count <= len);
    reached
}

/// Writes what readlink(2) says of an open file.
fn describe(vfs: &Vfs, id: DentryId, into: &mut Text) -> Result<(), Errno> {
    let inode = vfs.inode(id)?;
    let nameless = vfs.cache.name(id).is_empty();
    match &inode.kind {
        Kind::Device(device) if nameless && file_type(inode.mode()) != S_IFIFO => {
            into.str(device.path());
        }
        _ if nameless && matches!(file_type(inode.mode()), S_IFIFO | S_IFSOCK) => {
            let is_pipe = file_type(inode.mode()) == S_IFIFO;
            into.str(if is_pipe { "pipe:[" } else { "socket:[" });
            into.dec(inode.ino).str("]");
        }
        Kind::Inotify(_) => {
            into.str("anon_inode:inotify");
        }
        Kind::Event(event) => {
            into.str(event.name());
        }
        _ if nameless => {
            into.str("/#").dec(inode.ino).str(" (deleted)");
        }
        _ => {
            path(vfs, id, into);
            if !vfs.cache.is_linked(id) {
                into.str(" (deleted)");
            }
        }
    }
    Ok(())
}
