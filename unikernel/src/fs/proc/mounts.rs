//! What is mounted: `mounts` and `mountinfo` (`fs/proc_namespace.c`).

use super::entry::At;
use super::source::Mount;
use super::text::Text;
use crate::errno::Errno;
use linux_raw_sys::general::{
    MS_DIRSYNC, MS_LAZYTIME, MS_MANDLOCK, MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC,
    MS_NOSUID, MS_NOSYMFOLLOW, MS_RDONLY, MS_RELATIME, MS_SYNCHRONOUS,
};

/// Options of a mount, in the order in which they are shown.
const MOUNT_OPTIONS: [(u32, &str); 7] = [
    (MS_NOSUID, ",nosuid"),
    (MS_NODEV, ",nodev"),
    (MS_NOEXEC, ",noexec"),
    (MS_NOATIME, ",noatime"),
    (MS_NODIRATIME, ",nodiratime"),
    (MS_RELATIME, ",relatime"),
    (MS_NOSYMFOLLOW, ",nosymfollow"),
];

/// Options of a file system, likewise.
const SUPER_OPTIONS: [(u32, &str); 4] = [
    (MS_SYNCHRONOUS, ",sync"),
    (MS_DIRSYNC, ",dirsync"),
    (MS_MANDLOCK, ",mand"),
    (MS_LAZYTIME, ",lazytime"),
];

/// Bytes that would end a field, or look like an escape.
const SPECIAL: &[u8] = b" \t\n\\#";

#[inline(never)]
fn options(flags: u32, names: &[(u32, &str)], text: &mut Text) {
    let set = names.iter().filter(|name| flags & name.0 != 0);
    set.for_each(|name| {
        text.str(name.1);
    });
}

fn access(flags: u32) -> &'static str {
    if flags & MS_RDONLY != 0 { "ro" } else { "rw" }
}

#[inline(never)]
fn source(mount: &Mount, text: &mut Text) {
    match mount.source.as_bytes() {
        [] => text.str("none"),
        name => text.escaped(name, SPECIAL),
    };
}

#[inline(never)]
fn each(at: &At, show: &mut dyn FnMut(&Mount)) -> Result<(), Errno> {
    let mut index = 0;
    while let Some(mount) = at.source.files.mount(index)? {
        for part in [&mount.root, &mount.point, &mount.source, &mount.options] {
            part.finish()?;
        }
        show(&mount);
        index += 1;
    }
    Ok(())
}

/// `/proc/self/mounts`, in the format of fstab(5).
pub fn mounts(at: &At, text: &mut Text) -> Result<(), Errno> {
    each(at, &mut |mount| {
        source(mount, text);
        text.byte(b' ').escaped(mount.point.as_bytes(), b" \t\n\\");
        text.byte(b' ').str(mount.kind).byte(b' ');
        text.str(access(mount.flags | mount.super_flags));
        options(mount.super_flags, &SUPER_OPTIONS, text);
        options(mount.flags, &MOUNT_OPTIONS, text);
        text.bytes(mount.options.as_bytes()).str(" 0 0\n");
    })
}

/// `/proc/self/mountinfo`. Every mount is private, so there are no optional fields.
pub fn mountinfo(at: &At, text: &mut Text) -> Result<(), Errno> {
    each(at, &mut |mount| {
        text.dec(mount.id.into()).byte(b' ');
        text.dec(mount.parent.into()).byte(b' ');
        text.dec(mount.device.0.into()).byte(b':');
        text.dec(mount.device.1.into());
        for path in [&mount.root, &mount.point] {
            text.byte(b' ').escaped(path.as_bytes(), b" \t\n\\");
        }
        text.byte(b' ').str(access(mount.flags));
        options(mount.flags, &MOUNT_OPTIONS, text);
        text.str(" - ").str(mount.kind).byte(b' ');
        source(mount, text);
        text.byte(b' ').str(access(mount.super_flags));
        options(mount.super_flags, &SUPER_OPTIONS, text);
        text.bytes(mount.options.as_bytes()).line();
    })
}
