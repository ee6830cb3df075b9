//! Tests of mounting and unmounting.

use super::*;
use crate::fs::Stdin;
use crate::fs::path::PathBuf;
use crate::fs::testing::{Packer, boot_with, cstr};
use crate::fs::vfs;
use crate::sys::dir::{chdir, mkdir};
use crate::sys::file::{close, open, openat, write};
use crate::uaccess::UserPtr;
use linux_raw_sys::general::{AT_FDCWD, O_CREAT, O_RDONLY, O_RDWR, O_TMPFILE};

fn boot() -> impl Sized {
    let packer = Packer::default().dir("m/inner").file("file", b"");
    boot_with(Some(packer), Stdin::Null)
}

fn find(path: &str) -> Result<DentryId, Errno> {
    let mut room = PathBuf::new();
    vfs().find(AT_FDCWD, room.copy(path.as_bytes())?, 0)
}

fn mount(path: &str, fs_type: FsType) -> Result<(), Errno> {
    let point = find(path)?;
    vfs().mount_new(point, fs_type, 0, Options::default(), b"none")
}

fn unmount(path: &str, flags: u32) -> Result<(), Errno> {
    let root = find(path)?;
    vfs().unmount(root, flags)
}

fn make(path: &str) -> i32 {
    open(cstr(path), O_RDWR | O_CREAT, 0o644).unwrap() as i32
}

fn dentries() -> usize {
    vfs().cache.counts().0
}

#[test]
fn a_mount_covers_what_is_there() {
    let _fs = boot();
    let before = dentries();
    assert_eq!(mount("m", FsType::Tmpfs), Ok(()));
    assert_eq!(find("m/inner"), Err(Errno::ENOENT));
    for name in ["m/a\0", "m/b\0"] {
        close(make(name)).unwrap();
    }
    mkdir(cstr("m/d\0"), 0o755).unwrap();
    close(make("m/d/deep\0")).unwrap();
    assert_eq!(unmount("m/a", 0), Err(Errno::EINVAL));
    assert_eq!(unmount("m", 0), Ok(()));
    assert!(find("m/inner").is_ok());
    assert_eq!((dentries(), unmount("m", 0)), (before, Err(Errno::EINVAL)));
}

#[test]
fn the_last_mounted_is_seen_and_goes_first() {
    let _fs = boot();
    let before = dentries();
    for name in ["m/first\0", "m/second\0"] {
        mount("m", FsType::Tmpfs).unwrap();
        close(make(name)).unwrap();
    }
    assert!(find("m/second").is_ok() && find("m/first").is_err());
    assert_eq!(unmount("m", 0), Ok(()));
    assert!(find("m/first").is_ok());
    assert_eq!(
        (unmount("m", 0), unmount("m", 0)),
        (Ok(()), Err(Errno::EINVAL))
    );
    assert_eq!(dentries(), before);
}

#[test]
fn what_is_used_is_busy() {
    let _fs = boot();
    mount("m", FsType::Tmpfs).unwrap();
    let busy = || assert_eq!(unmount("/m", 0), Err(Errno::EBUSY));
    let fd = make("m/file\0");
    busy();
    close(fd).unwrap();
    let fd = open(cstr("m\0"), O_TMPFILE | O_RDWR, 0o600).unwrap() as i32;
    busy();
    close(fd).unwrap();
    chdir(cstr("m\0")).unwrap();
    busy();
    chdir(cstr("/\0")).unwrap();
    mkdir(cstr("m/inner\0"), 0o755).unwrap();
    mount("m/inner", FsType::Tmpfs).unwrap();
    busy();
    assert_eq!(unmount("m/inner", 0), Ok(()));
    assert_eq!(unmount("m", MNT_FORCE), Ok(()));
}

#[test]
fn a_detached_mount_goes_with_its_last_user() {
    let _fs = boot();
    let before = dentries();
    mount("m", FsType::Tmpfs).unwrap();
    let fd = make("m/file\0");
    mkdir(cstr("m/inner\0"), 0o755).unwrap();
    mount("m/inner", FsType::Tmpfs).unwrap();
    let inner = make("m/inner/deep\0");
    let dir = open(cstr("m\0"), O_RDONLY, 0).unwrap() as i32;
    assert_eq!(unmount("m", MNT_DETACH), Ok(()));
    assert_eq!(find("m/file"), Err(Errno::ENOENT));
    assert_eq!(
        vfs().mounts.iter().filter(|m| m.source == b"none").count(),
        0
    );
    let bytes = UserPtr::new(b"text".as_ptr() as usize);
    assert_eq!(
        (write(fd, bytes, 4), write(inner, bytes, 4)),
        (Ok(4), Ok(4))
    );
    close(inner).unwrap();
    close(fd).unwrap();
    // Seen from inside it is whole, without what was mounted there.
    let late = openat(dir, cstr("late\0"), O_RDWR | O_CREAT, 0o644).unwrap() as i32;
    close(late).unwrap();
    for (name, there) in [("file\0", true), ("inner/deep\0", false), ("late\0", true)] {
        let found = openat(dir, cstr(name), O_RDONLY, 0);
        assert_eq!(found.is_ok(), there, "{name}");
        found.map(|fd| close(fd as i32)).ok();
    }
    assert!(dentries() > before);
    let root = vfs().descriptor(dir).unwrap();
    let again = vfs().mount_new(root, FsType::Tmpfs, 0, Options::default(), b"");
    assert_eq!(again, Err(Errno::EINVAL));
    assert_eq!(vfs().unmount(root, 0), Err(Errno::EINVAL));
    close(dir).unwrap();
    assert_eq!(dentries(), before);
}

#[test]
fn a_detached_working_directory_goes_when_it_is_left() {
    let _fs = boot();
    let before = dentries();
    mount("m", FsType::Tmpfs).unwrap();
    chdir(cstr("m\0")).unwrap();
    close(make("here\0")).unwrap();
    assert_eq!(unmount("/m", MNT_DETACH), Ok(()));
    assert!(find("here").is_ok() && find("/m/here").is_err());
    assert_eq!(find("..").ok(), find(".").ok());
    chdir(cstr("/\0")).unwrap();
    assert_eq!(dentries(), before);
}

#[test]
fn an_unused_mount_expires() {
    let _fs = boot();
    mount("m", FsType::Tmpfs).unwrap();
    assert_eq!(unmount("m", MNT_EXPIRE | MNT_DETACH), Err(Errno::EINVAL));
    let fd = make("m/file\0");
    assert_eq!(unmount("m", MNT_EXPIRE), Err(Errno::EBUSY));
    close(fd).unwrap();
    // What the call itself does when it walks, see sys/mount.rs, is left out here.
    let expire = || {
        let root = {
            let mut vfs = vfs();
            vfs.expiring = false;
            let mounted = vfs.mounts.last().unwrap();
            let (root, expired) = (mounted.root, mounted.expired);
            vfs.expiring = expired;
            root
        };
        vfs().unmount(root, MNT_EXPIRE)
    };
    assert_eq!(expire(), Err(Errno::EAGAIN));
    assert!(find("m/file").is_ok());
    assert_eq!(expire(), Err(Errno::EAGAIN));
    assert!(find("file").is_ok());
    assert_eq!(expire(), Ok(()));
    assert_eq!(unmount("/", MNT_EXPIRE), Err(Errno::EINVAL));
}

#[test]
fn places_are_refused_in_the_order_of_linux() {
    let _fs = boot();
    assert_eq!(mount("file", FsType::Tmpfs), Err(Errno::ENOTDIR));
    assert_eq!(mount("none", FsType::Tmpfs), Err(Errno::ENOENT));
    for (path, fs_type) in [
        ("/proc", FsType::Proc),
        ("/sys", FsType::Sysfs),
        ("/dev", FsType::Devtmpfs),
    ] {
        assert_eq!(mount(path, fs_type), Err(Errno::EBUSY), "{path}");
        assert_eq!(mount("m", fs_type), Ok(()), "{path}");
        assert_eq!(unmount("m", 0), Ok(()));
    }
    mount("m", FsType::Devtmpfs).unwrap();
    assert!(find("m/null").is_ok() && find("m/fd/0").is_ok());
    unmount("m", 0).unwrap();
    mount("m", FsType::Proc).unwrap();
    assert!(find("m/self/status").is_ok());
    unmount("m", 0).unwrap();
    assert_eq!(unmount("/", MNT_DETACH), Err(Errno::EINVAL));
}

#[test]
fn limits_are_changed_all_or_none() {
    let _fs = boot();
    let point = find("m").unwrap();
    let options = |text: &str| Options::parse(text.as_bytes(), FsType::Tmpfs, 100).unwrap();
    let limited = options("size=64k,nr_inodes=10,uid=5,mode=700");
    vfs()
        .mount_new(point, FsType::Tmpfs, MS_NOATIME, limited, b"t")
        .unwrap();
    let root = find("m").unwrap();
    let inode = vfs().inode(root).unwrap().clone();
    let sb = inode.sb.clone();
    assert_eq!((inode.mode(), inode.owner()), (0o040_700, (5, 0)));
    let limits = || (sb.quota.pages().limit, sb.quota.inodes().limit);
    let remount = |flags, text| vfs().remount(root, flags, options(text));
    assert_eq!(remount(0, "size=128k,nr_inodes=20"), Ok(()));
    assert_eq!(limits(), (Some(32), Some(20)));
    sb.quota.charge(20).unwrap();
    assert_eq!(remount(0, "nr_inodes=30,size=76k"), Err(Errno::EINVAL));
    assert_eq!(remount(MS_RDONLY, "size=96k,nr_inodes=0"), Ok(()));
    assert_eq!(limits(), (Some(24), None));
    assert_eq!(remount(0, "size=96k,nr_inodes=5"), Err(Errno::EINVAL));
    assert_eq!(sb.flags.load(Relaxed), MS_RDONLY | MS_NOATIME);
    assert_eq!(remount(MS_RELATIME, "ro,rw"), Ok(()));
    assert_eq!(sb.flags.load(Relaxed), 0);
    sb.quota.release(20);
    let inside = find("/dev/null").unwrap();
    assert_eq!(
        vfs().remount(inside, 0, Options::default()),
        Err(Errno::EINVAL)
    );
}

#[test]
fn nothing_becomes_read_only_while_it_is_written() {
    let _fs = boot();
    mount("m", FsType::Tmpfs).unwrap();
    let root = find("m").unwrap();
    let lock = || vfs().remount(root, MS_RDONLY, Options::default());
    let lock_mount = || vfs().change_flags(root, MS_RDONLY);
    let fd = make("m/file\0");
    assert_eq!(
        (lock(), lock_mount()),
        (Err(Errno::EBUSY), Err(Errno::EBUSY))
    );
    close(fd).unwrap();
    let fd = open(cstr("m/file\0"), O_RDONLY, 0).unwrap() as i32;
    crate::sys::dir::unlink(cstr("m/file\0")).unwrap();
    assert_eq!(lock(), Err(Errno::EBUSY));
    assert_eq!(lock_mount(), Ok(()));
    close(fd).unwrap();
    assert_eq!(
        open(cstr("m/new\0"), O_RDWR | O_CREAT, 0),
        Err(Errno::EROFS)
    );
    assert_eq!((lock(), unmount("m", 0)), (Ok(()), Ok(())));
    assert_eq!(unmount("/", 0), Ok(()));
    assert_eq!(open(cstr("new\0"), O_RDWR | O_CREAT, 0), Err(Errno::EROFS));
}

#[test]
fn who_watches_a_file_is_told_of_the_end() {
    use crate::sys::file::inotify::{inotify_add_watch, inotify_init1};
    use linux_raw_sys::general::{IN_IGNORED, IN_MODIFY, IN_UNMOUNT};
    let _fs = boot();
    let before = dentries();
    mount("m", FsType::Tmpfs).unwrap();
    close(make("m/file\0")).unwrap();
    let watcher = inotify_init1(0).unwrap() as i32;
    inotify_add_watch(watcher, cstr("m/file\0"), IN_MODIFY).unwrap();
    assert_eq!(unmount("m", 0), Ok(()));
    let mut events = [0u32; 8];
    let room = UserPtr::new(events.as_mut_ptr() as usize);
    assert_eq!(crate::sys::file::read(watcher, room, 32), Ok(32));
    assert_eq!((events[1], events[5]), (IN_UNMOUNT, IN_IGNORED));
    close(watcher).unwrap();
    assert_eq!(dentries(), before);
}
