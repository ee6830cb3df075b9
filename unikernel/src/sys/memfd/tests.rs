//! Tests of memory files and their seals.

use super::*;
use crate::fs::Stdin;
use crate::fs::testing::{boot_with, cstr};
use crate::sys::dir::{fchmod, ftruncate, readlink};
use crate::sys::file::{close, fcntl, open, pwrite64};
use crate::sys::memory::mmap;
use crate::sys::space::fallocate;
use linux_raw_sys::general::{
    F_ADD_SEALS, F_GET_SEALS, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE, MAP_SHARED,
    O_RDONLY, O_TRUNC, O_WRONLY, PROT_READ, PROT_WRITE,
};

fn boot() -> impl Sized {
    boot_with(None, Stdin::Null)
}

fn made(name: &str, flags: u32) -> i32 {
    memfd_create(cstr(name), flags).unwrap() as i32
}

fn write(fd: i32, len: usize, at: i64) -> SysResult {
    let bytes = vec![b'x'; len];
    pwrite64(fd, UserPtr::new(bytes.as_ptr() as usize), len, at)
}

fn seals(fd: i32) -> SysResult {
    fcntl(fd, F_GET_SEALS, 0)
}

fn seal(fd: i32, seals: u32) -> SysResult {
    fcntl(fd, F_ADD_SEALS, seals as usize)
}

#[test]
fn a_new_file_is_empty_and_nameless() {
    let _fs = boot();
    let fd = made("a/name\0", 0);
    let file = fd::get(fd).unwrap();
    let inode = file.inode();
    assert_eq!(
        (inode.mode(), inode.nlink(), inode.size()),
        (0o100_777, 0, 0)
    );
    assert_eq!(file.flags(), O_RDWR | O_LARGEFILE);
    assert_eq!(fd::close_on_exec(fd), Ok(false));
    let mut bytes = [0; 64];
    let path = format!("/proc/self/fd/{fd}\0");
    let room = UserPtr::new(bytes.as_mut_ptr() as usize);
    let len = readlink(cstr(&path), room, 64).unwrap();
    assert_eq!(&bytes[..len], b"/memfd:a/name (deleted)");
    assert_eq!(write(fd, 5000, 0), Ok(5000));
    let again = open(cstr(&path), O_RDONLY, 0).unwrap() as i32;
    assert_eq!(fd::get(again).unwrap().inode().size(), 5000);
    let quota = &shared().unwrap().quota;
    let before = quota.pages().used;
    drop(file);
    assert_eq!((close(fd), close(again)), (Ok(0), Ok(0)));
    assert_eq!(quota.pages().used, before - 2);
    assert_eq!(fd::close_on_exec(made("\0", MFD_CLOEXEC)), Ok(true));
}

#[test]
fn names_and_flags_are_checked() {
    let _fs = boot();
    let name = |len: usize| memfd_create(cstr(&("n".repeat(len) + "\0")), 0);
    assert!(name(0).is_ok() && name(249).is_ok());
    assert_eq!(
        (name(250), name(5000)),
        (Err(Errno::EINVAL), Err(Errno::EINVAL))
    );
    for flags in [0x20, 0x8000, 1 << 31, MFD_EXEC | MFD_NOEXEC_SEAL] {
        assert_eq!(memfd_create(UserPtr::new(0), flags), Err(Errno::EINVAL));
    }
    assert_eq!(
        memfd_create(UserPtr::new(usize::MAX), 0),
        Err(Errno::EFAULT)
    );
    assert_eq!(memfd_create(cstr("n\0"), MFD_HUGETLB), Err(Errno::ENOSYS));
    let two_mib = MFD_HUGETLB | 21 << MFD_HUGE_SHIFT;
    assert_eq!(memfd_create(cstr("n\0"), two_mib), Err(Errno::ENOSYS));
    while name(0).is_ok() {}
    assert_eq!(
        (name(1), name(250)),
        (Err(Errno::EMFILE), Err(Errno::EINVAL))
    );
}

#[test]
fn only_those_who_ask_get_seals() {
    let _fs = boot();
    let plain = made("n\0", MFD_EXEC);
    assert_eq!((seals(plain), seal(plain, 0)), (Ok(1), Err(Errno::EPERM)));
    let open = made("n\0", MFD_ALLOW_SEALING);
    assert_eq!((seals(open), seal(open, 0x40)), (Ok(0), Err(Errno::EINVAL)));
    assert_eq!(
        (seal(open, F_SEAL_SEAL), seal(open, 0)),
        (Ok(0), Err(Errno::EPERM))
    );
    let fixed = made("n\0", MFD_NOEXEC_SEAL);
    assert_eq!(seals(fixed), Ok(F_SEAL_EXEC as usize));
    assert_eq!(fd::get(fixed).unwrap().inode().mode(), 0o100_666);
    assert_eq!(
        (fchmod(fixed, 0o777), fchmod(fixed, 0o600)),
        (Err(Errno::EPERM), Ok(0))
    );
    // Devices and pipes have none, and the files of a tmpfs are sealed against them.
    assert_eq!(
        (seals(0), seal(1, 0)),
        (Err(Errno::EINVAL), Err(Errno::EINVAL))
    );
    assert_eq!(
        (seals(99), seal(99, 0)),
        (Err(Errno::EBADF), Err(Errno::EBADF))
    );
}

#[test]
fn seals_stop_writing_and_changes_of_the_size() {
    let _fs = boot();
    let fd = made("n\0", MFD_ALLOW_SEALING);
    write(fd, 8192, 0).unwrap();
    assert_eq!(seal(fd, F_SEAL_GROW), Ok(0));
    assert_eq!(
        (write(fd, 4, 8190), write(fd, 1, 8192)),
        (Ok(2), Err(Errno::EPERM))
    );
    assert_eq!(
        (ftruncate(fd, 9000), ftruncate(fd, 8192)),
        (Err(Errno::EPERM), Ok(0))
    );
    assert_eq!(fallocate(fd, 1, 0, 9000), Err(Errno::EPERM));
    assert_eq!(fallocate(fd, 0, 0, 8192), Ok(0));
    assert_eq!(seal(fd, F_SEAL_SHRINK), Ok(0));
    assert_eq!(ftruncate(fd, 8191), Err(Errno::EPERM));
    let path = format!("/proc/self/fd/{fd}\0");
    assert_eq!(open(cstr(&path), O_WRONLY | O_TRUNC, 0), Err(Errno::EPERM));
    assert_eq!((fallocate(fd, 3, 0, 4096), write(fd, 1, 0)), (Ok(0), Ok(1)));
    assert_eq!(seal(fd, F_SEAL_WRITE), Ok(0));
    assert_eq!(
        (fallocate(fd, 3, 0, 4096), write(fd, 1, 0)),
        (Err(Errno::EPERM), Err(Errno::EPERM))
    );
    assert_eq!(write(fd, 0, 0), Ok(0));
    let shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_eq!(shared, Err(Errno::EPERM));
    assert_eq!(
        seals(fd),
        Ok((F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE) as usize)
    );
    let read = open(cstr(&path), O_RDONLY, 0).unwrap() as i32;
    assert_eq!(seal(read, F_SEAL_SEAL), Err(Errno::EPERM));
}
