//! Tests of the calls on directories and links.

use super::*;
use crate::fs::Stdin;
use crate::fs::testing::{Packer, boot_with, cstr};
use crate::sys::file::{lseek, open};
use linux_raw_sys::general::{O_NOFOLLOW, O_PATH, SEEK_SET};

fn boot() -> impl Sized {
    let packer = Packer::default()
        .file("a/file", b"x")
        .dir("a/sub/deep")
        .link("a/link", "file")
        .file("a/a-rather-long-name-to-cross-the-buffer", b"")
        .dir("empty");
    boot_with(Some(packer), Stdin::Null)
}

fn at(bytes: &mut [u8]) -> UserPtr<u8> {
    UserPtr::new(bytes.as_mut_ptr() as usize)
}

const BAD: UserPtr<u8> = UserPtr::new(usize::MAX - 4095);

/// Name, type and next position of each record.
fn decode(bytes: &[u8]) -> Vec<(String, u8, i64)> {
    let mut records = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let len = u16::from_ne_bytes([rest[16], rest[17]]) as usize;
        let name = rest[19..len].split(|&byte| byte == 0).next().unwrap();
        let next = i64::from_ne_bytes(rest[8..16].try_into().unwrap());
        records.push((String::from_utf8(name.into()).unwrap(), rest[18], next));
        rest = &rest[len..];
    }
    records
}

fn list(fd: i32, size: usize) -> Vec<(String, u8, i64)> {
    let (mut all, mut bytes) = (Vec::new(), vec![0; size]);
    while let Ok(count @ 1..) = getdents64(fd, at(&mut bytes), size as u32) {
        all.extend(decode(&bytes[..count]));
    }
    all
}

#[test]
fn directories_are_listed_whatever_the_buffer() {
    let _fs = boot();
    let names = [
        "file",
        "sub",
        "link",
        "a-rather-long-name-to-cross-the-buffer",
    ];
    for size in [64, 100, 4096] {
        let fd = open(cstr("a\0"), 0, 0).unwrap() as i32;
        let all = list(fd, size);
        let listed: Vec<_> = all.iter().map(|record| record.0.as_str()).collect();
        assert_eq!(listed, [&[".", ".."], &names[..]].concat());
        let types: Vec<_> = all.iter().map(|record| record.1).collect();
        assert_eq!(types, [4, 4, 8, 4, 10, 8]);
        assert_eq!(list(fd, size), []);
    }
}

#[test]
fn positions_can_be_returned_to() {
    let _fs = boot();
    let fd = open(cstr("a\0"), 0, 0).unwrap() as i32;
    let all = list(fd, 4096);
    for (index, record) in all.iter().enumerate() {
        lseek(fd, record.2, SEEK_SET).unwrap();
        assert_eq!(list(fd, 4096), all[index + 1..]);
    }
    lseek(fd, 0, SEEK_SET).unwrap();
    assert_eq!(list(fd, 4096), all);
    lseek(fd, 2, SEEK_SET).unwrap();
    assert_eq!(list(fd, 4096), all[2..]);
    // Behind every name there ever was.
    for position in [99, 1 << 40, i64::MAX] {
        lseek(fd, position, SEEK_SET).unwrap();
        assert_eq!(list(fd, 4096), []);
    }
}

#[test]
fn listings_are_refused() {
    let _fs = boot();
    let fd = open(cstr("empty\0"), 0, 0).unwrap() as i32;
    let mut bytes = [0; 64];
    assert_eq!(getdents64(fd, at(&mut bytes), 23), Err(Errno::EINVAL));
    assert_eq!(getdents64(fd, BAD, 4096), Err(Errno::EFAULT));
    assert_eq!(getdents64(fd, at(&mut bytes), 47), Ok(24));
    assert_eq!(getdents64(fd, at(&mut bytes), 64), Ok(24));
    assert_eq!(getdents64(fd, BAD, 64), Ok(0));
    assert_eq!(getdents64(0, at(&mut bytes), 64), Err(Errno::ENOTDIR));
    assert_eq!(getdents64(99, at(&mut bytes), 64), Err(Errno::EBADF));
}

#[test]
fn the_working_directory_moves() {
    let _fs = boot();
    let mut bytes = [0xff; 32];
    let mut cwd = |size| getcwd(at(&mut bytes), size).map(|len| bytes[..len].to_vec());
    assert_eq!(cwd(2), Ok(b"/\0".to_vec()));
    assert_eq!(cwd(1), Err(Errno::ERANGE));
    assert_eq!(chdir(cstr("a/sub/deep\0")), Ok(0));
    assert_eq!(cwd(12), Ok(b"/a/sub/deep\0".to_vec()));
    assert_eq!(cwd(11), Err(Errno::ERANGE));
    assert_eq!(chdir(cstr("..\0")), Ok(0));
    assert_eq!(cwd(32), Ok(b"/a/sub\0".to_vec()));
    let fd = open(cstr("/a\0"), O_PATH, 0).unwrap() as i32;
    assert_eq!(fchdir(fd), Ok(0));
    assert_eq!(cwd(32), Ok(b"/a\0".to_vec()));
    assert_eq!(chdir(cstr("file\0")), Err(Errno::ENOTDIR));
    assert_eq!(
        (fchdir(0), fchdir(99)),
        (Err(Errno::ENOTDIR), Err(Errno::EBADF))
    );
    assert_eq!(getcwd(BAD, 4096), Err(Errno::EFAULT));
}

#[test]
fn links_are_read_not_followed() {
    let _fs = boot();
    let mut bytes = [0; 32];
    assert_eq!(readlink(cstr("a/link\0"), at(&mut bytes), 32), Ok(4));
    assert_eq!(&bytes[..5], b"file\0");
    assert_eq!(readlink(cstr("a/link\0"), at(&mut bytes), 2), Ok(2));
    assert_eq!(readlink(cstr("/dev/stdout\0"), at(&mut bytes), 32), Ok(15));
    assert_eq!(
        readlink(cstr("a/file\0"), at(&mut bytes), 32),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        readlink(cstr("none\0"), at(&mut bytes), 0),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        readlink(cstr("none\0"), at(&mut bytes), 1),
        Err(Errno::ENOENT)
    );
    assert_eq!(readlink(cstr("a/link\0"), BAD, 32), Err(Errno::EFAULT));
    let fd = open(cstr("a/link\0"), O_PATH | O_NOFOLLOW, 0).unwrap() as i32;
    assert_eq!(readlinkat(fd, cstr("\0"), at(&mut bytes), 32), Ok(4));
    assert_eq!(
        readlinkat(0, cstr("\0"), at(&mut bytes), 32),
        Err(Errno::ENOENT)
    );
    assert_eq!(
        readlinkat(fd, UserPtr::new(usize::MAX), at(&mut bytes), 32),
        Err(Errno::EFAULT)
    );
}
