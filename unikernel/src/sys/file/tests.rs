//! Tests of reading, writing and seeking, called as a program would call them.

use super::*;
use crate::fs::Stdin;
use crate::fs::testing::{Packer, boot_with, cstr};
use crate::sys::dir::ftruncate;
use linux_raw_sys::general::{O_PATH, O_RDWR, O_WRONLY};

fn boot() -> impl Sized {
    boot_with(
        Some(Packer::default().file("f", b"hello world").dir("d")),
        Stdin::Null,
    )
}

fn opened(path: &str, flags: u32) -> i32 {
    open(cstr(path), flags, 0).unwrap() as i32
}

fn at(bytes: &mut [u8]) -> UserPtr<u8> {
    UserPtr::new(bytes.as_mut_ptr() as usize)
}

const BAD: UserPtr<u8> = UserPtr::new(usize::MAX - 4095);

#[test]
fn files_are_read_to_the_end() {
    let _fs = boot();
    let fd = opened("f\0", 0);
    let mut bytes = [0; 32];
    assert_eq!(read(fd, at(&mut bytes), 5), Ok(5));
    assert_eq!(read(fd, at(&mut bytes[5..]), 27), Ok(6));
    assert_eq!(read(fd, at(&mut bytes), 32), Ok(0));
    assert_eq!(&bytes[..11], b"hello world");
    assert_eq!(pread64(fd, at(&mut bytes), 3, 6), Ok(3));
    assert_eq!(&bytes[..3], b"wor");
    assert_eq!(
        (lseek(fd, -5, 2), read(fd, at(&mut bytes), 9)),
        (Ok(6), Ok(5))
    );
}

#[test]
fn reads_are_refused_in_the_order_of_linux() {
    let _fs = boot();
    let (file, dir) = (opened("f\0", 0), opened("d\0", 0));
    assert_eq!(read(99, BAD, 4), Err(Errno::EBADF));
    assert_eq!(read(-1, BAD, 4), Err(Errno::EBADF));
    assert_eq!(read(file, BAD, 4), Err(Errno::EFAULT));
    assert_eq!(
        read(file, UserPtr::new(4096), usize::MAX),
        Err(Errno::EFAULT)
    );
    assert_eq!(read(dir, UserPtr::new(4096), 4), Err(Errno::EISDIR));
    assert_eq!(read(dir, BAD, 4), Err(Errno::EFAULT));
    let path_only = opened("f\0", O_PATH);
    assert_eq!(read(path_only, BAD, 4), Err(Errno::EBADF));
    let write_only = opened("/dev/null\0", O_WRONLY);
    assert_eq!(read(write_only, BAD, 4), Err(Errno::EBADF));
    assert_eq!(pread64(99, BAD, 4, -1), Err(Errno::EINVAL));
    assert_eq!(pread64(99, BAD, 4, 0), Err(Errno::EBADF));
    assert_eq!(pread64(1, BAD, 4, 0), Err(Errno::ESPIPE));
    assert_eq!(pread64(dir, UserPtr::new(4096), 4, 0), Err(Errno::EISDIR));
    assert_eq!(
        pread64(dir, UserPtr::new(4096), 4, i64::MAX),
        Err(Errno::EINVAL)
    );
    lseek(file, i64::MAX, 0).unwrap();
    assert_eq!(read(file, UserPtr::new(4096), 1), Err(Errno::EINVAL));
}

#[test]
fn only_devices_are_written() {
    let _fs = boot();
    let (file, null) = (opened("f\0", 0), opened("/dev/null\0", O_RDWR));
    let full = opened("/dev/full\0", O_WRONLY);
    let mut bytes = [0; 8];
    assert_eq!(write(file, at(&mut bytes), 8), Err(Errno::EBADF));
    assert_eq!(write(null, at(&mut bytes), 8), Ok(8));
    assert_eq!(write(null, at(&mut bytes), 0x7fff_ffff), Ok(MAX_TRANSFER));
    assert_eq!(write(null, BAD, 8), Err(Errno::EFAULT));
    assert_eq!(write(full, at(&mut bytes), 8), Err(Errno::ENOSPC));
    assert_eq!(pwrite64(null, at(&mut bytes), 8, 3), Ok(8));
    assert_eq!(pwrite64(null, at(&mut bytes), 8, -3), Err(Errno::EINVAL));
    assert_eq!(pwrite64(2, at(&mut bytes), 8, 3), Err(Errno::ESPIPE));
    assert_eq!(read(null, at(&mut bytes), 8), Ok(0));
}

#[test]
fn positions_belong_to_files() {
    let _fs = boot();
    let (file, dir) = (opened("f\0", 0), opened("d\0", 0));
    assert_eq!(lseek(file, 100, 0), Ok(100));
    assert_eq!(lseek(file, 0, 7), Err(Errno::EINVAL));
    assert_eq!(lseek(dir, 0, 2), Err(Errno::EINVAL));
    assert_eq!(lseek(1, 0, 1), Err(Errno::ESPIPE));
    assert_eq!(lseek(0, 55, 0), Ok(0));
    assert_eq!(lseek(99, 0, 7), Err(Errno::EBADF));
}

#[test]
fn nothing_needs_to_be_flushed_or_cut() {
    let _fs = boot();
    let (file, dir) = (opened("f\0", 0), opened("d\0", 0));
    assert_eq!((fsync(file), fdatasync(dir)), (Ok(0), Ok(0)));
    assert_eq!(
        (fsync(0), fsync(1), fsync(99)),
        (Err(Errno::EINVAL), Err(Errno::EINVAL), Err(Errno::EBADF))
    );
    assert_eq!(
        (ftruncate(file, 0), ftruncate(99, 0)),
        (Err(Errno::EINVAL), Err(Errno::EBADF))
    );
    assert_eq!(ftruncate(99, -1), Err(Errno::EINVAL));
}
