//! statx(2), statfs(2), and what a file system says of itself.

use crate::fixture::build;
use libc::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, O_RDONLY, O_RDWR};
use std::ffi::CString;
use std::io;
use std::mem::zeroed;
use test_support::files::{Scratch, fstat, fstatfs, kind, lstat, stat, statfs};
use test_support::sys::{self, HERE, close, open};
use test_support::{call, report};

fn statx(dir: i64, path: &str, flags: i32, mask: u32) -> io::Result<libc::statx> {
    let path = CString::new(path)?;
    // SAFETY: a structure of integers, which may all be 0.
    let mut statx: libc::statx = unsafe { zeroed() };
    let address = (&raw mut statx) as u64;
    let args = [
        dir as u64,
        path.as_ptr() as u64,
        flags as u64,
        mask.into(),
        address,
    ];
    call(libc::SYS_statx, &args)?;
    Ok(statx)
}

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    build()?;
    masks()?;
    flags();
    agree()?;
    systems()?;
    devices()
}

/// What is asked for and can be told, is told; what else is told, depends on the kernel.
fn masks() -> io::Result<()> {
    for mask in [0, 1, 2, 0x40, 0x200, 0x7ff, 0x800, 0xfff, 1 << 31] {
        let told = statx(HERE, "file", 0, mask);
        report(
            format_args!("mask {mask:#x}"),
            told.map(|told| format!("{:#x}", told.stx_mask & mask)),
        );
    }
    let told = statx(HERE, "file", 0, 0xfff)?;
    println!(
        "type {} size {} links {}",
        kind(told.stx_mode.into()),
        told.stx_size,
        told.stx_nlink
    );
    println!("block size {} blocks {}", told.stx_blksize, told.stx_blocks);
    let born = (told.stx_btime.tv_sec, told.stx_btime.tv_nsec);
    sys::chmod("file", 0o600)?;
    let later = statx(HERE, "file", 0, 0xfff)?;
    let changed = (later.stx_ctime.tv_sec, later.stx_ctime.tv_nsec);
    println!("born before it was changed: {}", born <= changed);
    println!(
        "still born then: {}",
        born == (later.stx_btime.tv_sec, later.stx_btime.tv_nsec)
    );
    println!(
        "nanoseconds are some: {}",
        later.stx_ctime.tv_nsec < 1_000_000_000
    );
    Ok(())
}

fn flags() {
    let size = |told: libc::statx| told.stx_size;
    for flags in [
        0, 0x100, 0x800, 0x1000, 0x2000, 0x4000, 0x6000, 1, 0x200, 0x400, 0x8000,
    ] {
        report(
            format_args!("link, flags {flags:#x}"),
            statx(HERE, "link", flags, 0x7ff).map(size),
        );
    }
    for path in ["", "missing", "file/x", "dangling", "loop"] {
        report(
            format_args!("{path:?}"),
            statx(HERE, path, 0, 0x7ff).map(size),
        );
        report(
            format_args!("{path:?} itself"),
            statx(HERE, path, AT_SYMLINK_NOFOLLOW, 0x7ff).map(size),
        );
    }
    let own = statx(HERE, "", AT_EMPTY_PATH, 0x7ff).map(|told| kind(told.stx_mode.into()));
    report("here", own);
}

/// stat(2), fstat(2) and statx(2) tell the same.
fn agree() -> io::Result<()> {
    for path in ["file", "dir", "full", "link", "dangling", "/dev/null", "/"] {
        let old = lstat(path)?;
        let new = statx(HERE, path, AT_SYMLINK_NOFOLLOW, 0x7ff)?;
        let same = [
            u64::from(old.st_mode) == u64::from(new.stx_mode),
            old.st_ino == new.stx_ino,
            old.st_nlink == u64::from(new.stx_nlink),
            (old.st_uid, old.st_gid) == (new.stx_uid, new.stx_gid),
            old.st_size as u64 == new.stx_size,
            old.st_blocks as u64 == new.stx_blocks,
            old.st_dev == libc::makedev(new.stx_dev_major, new.stx_dev_minor),
            old.st_rdev == libc::makedev(new.stx_rdev_major, new.stx_rdev_minor),
            old.st_ctime == new.stx_ctime.tv_sec,
        ];
        println!("{path}: {same:?}");
    }
    let fd = open("file", O_RDWR, 0)?;
    println!("fstat: {}", fstat(fd)?.st_ino == stat("file")?.st_ino);
    let inodes = [
        stat("file")?.st_ino,
        stat("other")?.st_ino,
        stat("dir")?.st_ino,
        stat(".")?.st_ino,
    ];
    let mut distinct = inodes.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    println!(
        "inodes differ: {}",
        distinct.len() == inodes.len() && inodes.iter().all(|&ino| ino != 0)
    );
    println!("one device: {}", stat("file")?.st_dev == stat(".")?.st_dev);
    close(fd)?;
    Ok(())
}

/// Every file system has its number (statfs(2)).
fn systems() -> io::Result<()> {
    for path in [
        ".", "file", "link", "dir", "/dev", "/proc", "/sys", "missing", "", "file/x", "dangling",
    ] {
        report(
            format_args!("statfs {path:?}"),
            statfs(path).map(|info| format!("{:#x}", info.f_type)),
        );
    }
    let here = statfs(".")?;
    println!(
        "block {} fragment {} names {}",
        here.f_bsize, here.f_frsize, here.f_namelen
    );
    println!(
        "free and available: {}",
        here.f_bfree >= here.f_bavail && here.f_blocks >= here.f_bfree
    );
    println!(
        "inodes: {}",
        here.f_files >= here.f_ffree && here.f_ffree > 0
    );
    let [reader, writer] = sys::pipe2(0)?;
    let memory = sys::memfd_create("m", 0)?;
    let file = open("file", O_RDONLY, 0)?;
    let place = open("file", libc::O_PATH, 0)?;
    for (name, fd) in [
        ("pipe", reader),
        ("memory", memory),
        ("file", file),
        ("place", place),
        ("closed", 987),
    ] {
        report(
            format_args!("fstatfs {name}"),
            fstatfs(fd).map(|info| format!("{:#x}", info.f_type)),
        );
    }
    for fd in [reader, writer, memory, file, place] {
        close(fd)?;
    }
    Ok(())
}

fn devices() -> io::Result<()> {
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        let about = lstat(&format!("/dev/{name}"));
        let about = about.map(|stat| {
            let (major, minor) = (libc::major(stat.st_rdev), libc::minor(stat.st_rdev));
            format!(
                "{} {major}:{minor} size {}",
                kind(stat.st_mode),
                stat.st_size
            )
        });
        report(format_args!("/dev/{name}"), about);
    }
    for (name, target) in [("stdin", 0), ("stdout", 1), ("stderr", 2)] {
        let says = sys::readlink(&format!("/dev/{name}"));
        report(
            format_args!("/dev/{name}"),
            says.map(|says| says == format!("/proc/self/fd/{target}")),
        );
    }
    report("/dev/fd", sys::readlink("/dev/fd"));
    Ok(())
}
