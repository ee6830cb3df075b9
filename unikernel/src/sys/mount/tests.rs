//! Tests of mount(2) and umount2(2).

use super::*;
use crate::fs::Stdin;
use crate::fs::testing::{Packer, boot_with, cstr};
use crate::sys::dir::{access, link, mkdir, statfs, symlink};
use crate::sys::file::{close, open, read};
use crate::sys::identity::setuid;
use linux_raw_sys::general::{
    MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, O_CREAT, O_RDONLY, O_RDWR, X_OK, statfs as Statfs,
};

const NULL: UserPtr<u8> = UserPtr::new(0);
const BAD: UserPtr<u8> = UserPtr::new(usize::MAX - 4095);

fn boot() -> impl Sized {
    let packer = Packer::default()
        .dir("m")
        .file("file", b"")
        .link("soft", "m");
    boot_with(Some(packer), Stdin::Null)
}

fn put(target: &str, fs_type: &str, flags: u32, data: &str) -> SysResult {
    let (target, fs_type) = (format!("{target}\0"), format!("{fs_type}\0"));
    let data = format!("{data}\0");
    mount(
        cstr("none\0"),
        cstr(&target),
        cstr(&fs_type),
        flags,
        cstr(&data),
    )
}

fn take(target: &str, flags: u32) -> SysResult {
    umount2(cstr(&format!("{target}\0")), flags)
}

fn about(path: &str) -> Statfs {
    let mut about = core::mem::MaybeUninit::<Statfs>::uninit();
    statfs(cstr(path), UserPtr::new(about.as_mut_ptr() as usize)).unwrap();
    // SAFETY: the call has filled it.
    unsafe { about.assume_init() }
}

fn text_of(path: &str) -> String {
    let fd = open(cstr(path), O_RDONLY, 0).unwrap() as i32;
    let mut bytes = vec![0; 8192];
    let len = read(fd, UserPtr::new(bytes.as_mut_ptr() as usize), 8192).unwrap();
    close(fd).unwrap();
    String::from_utf8(bytes[..len].to_vec()).unwrap()
}

#[test]
#[cfg_attr(miri, ignore = "reads a page of options, whatever there is")]
fn a_limited_tmpfs_has_its_limits() {
    let _fs = boot();
    let flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    assert_eq!(
        put("m", "tmpfs", flags, "size=64k,nr_inodes=3,mode=0750"),
        Ok(0)
    );
    let space = about("m\0");
    assert_eq!((space.f_blocks, space.f_bfree), (16, 16));
    assert_eq!((space.f_files, space.f_ffree), (3, 2));
    assert_eq!(space.f_flags & 15, 14);
    let mounts = text_of("/proc/self/mounts\0");
    let line = "none /m tmpfs rw,nosuid,nodev,noexec,relatime,size=64k,nr_inodes=3,mode=750 0 0\n";
    assert!(mounts.ends_with(line), "{mounts}");
    close(open(cstr("m/a\0"), O_RDWR | O_CREAT, 0o755).unwrap() as i32).unwrap();
    assert_eq!(access(cstr("m/a\0"), X_OK), Err(Errno::EACCES));
    // Every name but the first counts.
    assert_eq!(link(cstr("m/a\0"), cstr("m/b\0")), Ok(0));
    let none = Err(Errno::ENOSPC);
    assert_eq!(link(cstr("m/a\0"), cstr("m/c\0")), none);
    assert_eq!(mkdir(cstr("m/d\0"), 0o755), none);
    assert_eq!(symlink(cstr("a\0"), cstr("m/s\0")), none);
    crate::sys::dir::unlink(cstr("m/a\0")).unwrap();
    assert_eq!(about("m\0").f_ffree, 1);
    crate::sys::dir::unlink(cstr("m/b\0")).unwrap();
    assert_eq!(about("m\0").f_ffree, 2);
    // A long link takes a page.
    let long = "t".repeat(128) + "\0";
    assert_eq!(symlink(cstr(&long), cstr("m/s\0")), Ok(0));
    assert_eq!(about("m\0").f_bfree, 15);
    crate::sys::dir::unlink(cstr("m/s\0")).unwrap();
    assert_eq!(about("m\0").f_bfree, 16);
    assert_eq!(take("m", 0), Ok(0));
}

#[test]
#[cfg_attr(miri, ignore = "reads a page of options, whatever there is")]
fn arguments_are_checked_in_the_order_of_linux() {
    let _fs = boot();
    let (m, tmpfs) = (cstr("m\0"), cstr("tmpfs\0"));
    for (source, target, fs_type, data, wanted) in [
        (BAD, BAD, cstr("none\0"), NULL, Errno::EFAULT),
        (NULL, BAD, tmpfs, NULL, Errno::EFAULT),
        (NULL, m, BAD, NULL, Errno::EFAULT),
        (NULL, m, tmpfs, BAD, Errno::EFAULT),
        (NULL, m, NULL, NULL, Errno::EINVAL),
        (NULL, m, cstr("ramfs\0"), NULL, Errno::ENODEV),
        (NULL, m, cstr("\0"), NULL, Errno::ENODEV),
        (NULL, m, cstr("rootfs\0"), NULL, Errno::ENODEV),
        (NULL, m, cstr("pipefs\0"), NULL, Errno::ENODEV),
        (NULL, cstr("\0"), tmpfs, NULL, Errno::ENOENT),
        (NULL, cstr("none\0"), cstr("ramfs\0"), NULL, Errno::ENOENT),
        (NULL, cstr("file\0"), cstr("ramfs\0"), NULL, Errno::ENODEV),
        (NULL, cstr("file\0"), tmpfs, NULL, Errno::ENOTDIR),
        (NULL, m, tmpfs, cstr("size=x\0"), Errno::EINVAL),
        (NULL, m, cstr("proc\0"), cstr("size=4k\0"), Errno::EINVAL),
    ] {
        assert_eq!(mount(source, target, fs_type, 0, data), Err(wanted));
    }
    let long = "x".repeat(5000) + "\0";
    assert_eq!(mount(NULL, m, cstr(&long), 0, NULL), Err(Errno::EINVAL));
    assert_eq!(mount(cstr(&long), m, tmpfs, 0, NULL), Err(Errno::EINVAL));
    assert_eq!(mount(NULL, m, tmpfs, MS_MGC_VAL | MS_RDONLY, NULL), Ok(0));
    assert_eq!(about("m\0").f_flags & 1, 1);
    assert_eq!(take("m", 0), Ok(0));
}

#[test]
#[cfg_attr(miri, ignore = "reads a page of options, whatever there is")]
fn what_is_not_there_is_refused() {
    let _fs = boot();
    for flags in [
        MS_BIND,
        MS_BIND | MS_REC,
        MS_MOVE,
        MS_SHARED,
        MS_UNBINDABLE,
        MS_PRIVATE | MS_SHARED,
        MS_PRIVATE | MS_RDONLY,
        MS_NOUSER,
        MS_STRICTATIME,
        MS_NOSYMFOLLOW,
        MS_REMOUNT,
        MS_REMOUNT | MS_BIND,
        MS_PRIVATE,
    ] {
        assert_eq!(
            put("m", "tmpfs", flags, ""),
            Err(Errno::EINVAL),
            "{flags:#x}"
        );
    }
    assert_eq!(put("/", "", MS_PRIVATE | MS_REC, ""), Ok(0));
    assert_eq!(put("/", "", MS_SLAVE | MS_SILENT, ""), Ok(0));
    assert_eq!(
        put("/dev/shm", "", MS_REMOUNT, "size=1m"),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        put("/dev", "", MS_REMOUNT | MS_BIND | MS_NOEXEC, "junk"),
        Ok(0)
    );
    assert_eq!(about("/dev\0").f_flags & 15, 8);
}

#[test]
#[cfg_attr(miri, ignore = "reads a page of options, whatever there is")]
fn unmounting_is_checked_in_the_order_of_linux() {
    let _fs = boot();
    for (target, flags, wanted) in [
        ("m", 0, Errno::EINVAL),
        ("file", 0, Errno::EINVAL),
        ("none", 0, Errno::ENOENT),
        ("none", 16, Errno::EINVAL),
        ("m", MNT_EXPIRE | MNT_FORCE, Errno::EINVAL),
    ] {
        assert_eq!(take(target, flags), Err(wanted), "{target}");
    }
    assert_eq!(umount2(BAD, 0), Err(Errno::EFAULT));
    put("soft", "tmpfs", 0, "").unwrap();
    assert_eq!(take("soft", UMOUNT_NOFOLLOW), Err(Errno::EINVAL));
    assert_eq!(take("soft", 0), Ok(0));
    put("m", "tmpfs", 0, "").unwrap();
    assert_eq!(take("m", MNT_EXPIRE), Err(Errno::EAGAIN));
    about("m\0");
    assert_eq!(take("m", MNT_EXPIRE), Err(Errno::EAGAIN));
    assert_eq!(take("m", MNT_EXPIRE), Ok(0));
}

#[test]
#[cfg_attr(miri, ignore = "reads a page of options, whatever there is")]
fn only_who_may_mounts() {
    let _fs = boot();
    put("m", "tmpfs", 0, "").unwrap();
    setuid(7).unwrap();
    assert_eq!(put("m", "nosuchfs", 0, ""), Err(Errno::EPERM));
    assert_eq!(put("m", "", MS_BIND, ""), Err(Errno::EPERM));
    assert_eq!(put("none", "tmpfs", 0, ""), Err(Errno::ENOENT));
    assert_eq!(
        (take("m", 0), take("file", 0)),
        (Err(Errno::EPERM), Err(Errno::EPERM))
    );
    assert_eq!(take("m", 16), Err(Errno::EINVAL));
}

#[test]
#[cfg_attr(miri, ignore = "reads a page of options, whatever there is")]
fn a_short_page_of_options_is_enough() {
    let _fs = boot();
    let data = [&b"size=8k\0"[..], &[b'x'; 100]].concat();
    let at = UserPtr::new(data.as_ptr() as usize);
    assert_eq!(mount(NULL, cstr("m\0"), cstr("tmpfs\0"), 0, at), Ok(0));
    assert_eq!(about("m\0").f_blocks, 2);
}

#[test]
#[cfg_attr(miri, ignore = "reads a page of options, whatever there is")]
fn short_cuts_see_what_is_mounted() {
    use crate::sys::fast;
    let _fs = boot();
    let device = |path: &str| {
        let mut about = [0u64; 18];
        let room = UserPtr::<u8>::new(about.as_mut_ptr() as usize);
        let done = fast::stat(cstr(path), room.cast());
        done.or_else(|| crate::sys::dir::stat(cstr(path), room.cast()).ok())?;
        Some(about[0])
    };
    let mut seen = vec![device("m\0").unwrap()];
    for _ in 0..3 {
        put("m", "tmpfs", MS_NOEXEC, "").unwrap();
        seen.push(device("m\0").unwrap());
        assert_eq!(device("m\0").as_ref(), seen.last());
        assert_eq!(device("/m\0").as_ref(), seen.last());
    }
    while let Some(device_below) = seen.pop() {
        assert_eq!(device("m\0"), Some(device_below));
        let taken = take("m", 0);
        assert_eq!(taken.is_ok(), !seen.is_empty());
    }
    put("m", "tmpfs", MS_NOEXEC, "").unwrap();
    close(open(cstr("m/x\0"), O_RDWR | O_CREAT, 0o755).unwrap() as i32).unwrap();
    assert_eq!(fast::access(cstr("m/x\0"), 0), Some(0));
    assert_eq!(fast::access(cstr("m/x\0"), X_OK), None);
    assert_eq!(take("m", MNT_EXPIRE), Err(Errno::EAGAIN));
    assert!(device("m\0").is_some());
    assert_eq!(take("m", MNT_EXPIRE), Err(Errno::EAGAIN));
    assert_eq!(take("m", MNT_EXPIRE), Ok(0));
}
