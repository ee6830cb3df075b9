//! umount2(2) with `MNT_EXPIRE`, and what else it says.

use libc::{MNT_DETACH, MNT_EXPIRE, MNT_FORCE, MS_BIND, MS_RDONLY, MS_REMOUNT, O_CREAT, O_RDWR};
use std::io;
use test_support::files::{Scratch, make, mount_flags, stat};
use test_support::sys::{self, close, mount, open, umount2};
use test_support::{call, report};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    let _ = call(libc::SYS_unshare, &[libc::CLONE_NEWNS as u64]);
    let _ = mount("none", "/", "", libc::MS_REC | libc::MS_PRIVATE, "");
    sys::mkdir("m", 0o755)?;
    make("file", b"outside")?;
    expired()?;
    in_use()?;
    changed()
}

fn fresh() -> io::Result<()> {
    mount("none", "m", "tmpfs", 0, "").map(drop)
}

fn expired() -> io::Result<()> {
    fresh()?;
    report("first", umount2("m", MNT_EXPIRE));
    report("second", umount2("m", MNT_EXPIRE));
    report("third", umount2("m", MNT_EXPIRE));
    fresh()?;
    report("first", umount2("m", MNT_EXPIRE));
    report("outside", stat("file").map(|stat| stat.st_size));
    report("second", umount2("m", MNT_EXPIRE));
    fresh()?;
    report("first", umount2("m", MNT_EXPIRE));
    report("inside", stat("m").map(|stat| stat.st_nlink));
    report("again", umount2("m", MNT_EXPIRE));
    make("m/file", b"inside")?;
    report("again", umount2("m", MNT_EXPIRE));
    report("and at last", umount2("m", MNT_EXPIRE));
    fresh()?;
    report("first", umount2("m", MNT_EXPIRE));
    report("without it", umount2("m", 0));
    Ok(())
}

fn in_use() -> io::Result<()> {
    fresh()?;
    let fd = open("m/file", O_RDWR | O_CREAT, 0o644)?;
    for flags in [
        0,
        MNT_FORCE,
        MNT_EXPIRE,
        MNT_EXPIRE | MNT_DETACH,
        MNT_EXPIRE | MNT_FORCE,
        16,
    ] {
        report(format_args!("in use, {flags}"), umount2("m", flags));
    }
    close(fd)?;
    report("not the root", umount2("m/file", 0));
    let place = open("m", libc::O_PATH, 0)?;
    report("a place in it", umount2("m", 0));
    close(place)?;
    let nameless = open("m", libc::O_TMPFILE | O_RDWR, 0o600)?;
    report("a file without a name", umount2("m", 0));
    close(nameless)?;
    report("idle", umount2("m", MNT_FORCE));
    Ok(())
}

fn changed() -> io::Result<()> {
    fresh()?;
    let flags = |what: &str| report(what, mount_flags("m").map(|flags| flags & 15));
    let fd = open("m/file", O_RDWR | O_CREAT, 0o644)?;
    let only = MS_REMOUNT | MS_BIND;
    report(
        "read-only while written",
        mount("", "m", "", only | MS_RDONLY, ""),
    );
    report("unlink", sys::unlink("m/file"));
    close(fd)?;
    report("read-only", mount("", "m", "", only | MS_RDONLY, ""));
    flags("flags");
    report("make", open("m/file", O_RDWR | O_CREAT, 0o644));
    report(
        "nothing but flags",
        mount("", "m", "", only | libc::MS_NODEV | libc::MS_NOSUID, ""),
    );
    flags("flags");
    report(
        "all again",
        mount("", "m", "", MS_REMOUNT, "size=8k,nr_inodes=100"),
    );
    flags("flags");
    report(
        "options of all",
        mount("", "m", "", MS_REMOUNT, "ro,rw,size=50%"),
    );
    flags("flags");
    report(
        "an option of none",
        mount("", "m", "", MS_REMOUNT, "nonsense"),
    );
    report("a place that is none", mount("", "m/..", "", only, ""));
    report("private", mount("", "m", "", libc::MS_PRIVATE, ""));
    report(
        "private and more",
        mount("", "m", "", libc::MS_PRIVATE | MS_RDONLY, ""),
    );
    report("private file", mount("", "file", "", libc::MS_PRIVATE, ""));
    report("umount", umount2("m", 0));
    for kind in ["proc", "sysfs", "devtmpfs"] {
        report(
            format_args!("mount {kind}"),
            mount("none", "m", kind, 0, ""),
        );
        let names = match kind {
            "proc" => "m/self/status",
            "sysfs" => "m/devices/system/cpu/online",
            _ => "m/null",
        };
        report("    has", stat(names).map(|_| "it"));
        report("    umount", umount2("m", 0));
    }
    report(
        "proc with nonsense",
        mount("none", "m", "proc", 0, "nonsense"),
    );
    Ok(())
}
