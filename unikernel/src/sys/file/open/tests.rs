//! Tests of opening, closing and copying descriptors.

use super::*;
use crate::fs::Stdin;
use crate::fs::testing::{Packer, boot_with, cstr};
use linux_raw_sys::general::{O_NONBLOCK, O_RDWR, O_TMPFILE};

fn boot() -> impl Sized {
    let packer = Packer::default()
        .file("f", b"abc")
        .dir("d")
        .link("l", "f")
        .link("gone", "x");
    boot_with(Some(packer), Stdin::Null)
}

fn refused(rows: &[(&str, u32, Errno)]) {
    let _fs = boot();
    for &(path, flags, errno) in rows {
        assert_eq!(
            open(cstr(path), flags, 0o644),
            Err(errno),
            "{path:?} {flags:#o}"
        );
    }
    assert_eq!(
        open(cstr("f\0"), O_RDONLY, 0),
        Ok(3),
        "a refusal leaves no descriptor behind"
    );
}

#[test]
fn files_are_made_and_refused_in_the_order_of_linux() {
    refused(&[
        ("f\0", O_CREAT | O_EXCL, Errno::EEXIST),
        ("gone\0", O_CREAT | O_EXCL, Errno::EEXIST),
        ("new/\0", O_CREAT, Errno::EISDIR),
        ("f/\0", O_CREAT, Errno::EISDIR),
        ("f/\0", 0, Errno::ENOTDIR),
        ("none/new\0", O_CREAT, Errno::ENOENT),
        ("new\0", 0, Errno::ENOENT),
        ("\0", 0, Errno::ENOENT),
    ]);
    let _fs = boot();
    for path in ["new\0", "gone\0", "f\0"] {
        assert!(
            open(cstr(path), O_CREAT | O_RDWR, 0o666).is_ok(),
            "{path:?}"
        );
    }
    for (path, mode) in [("new\0", 0o644), ("x\0", 0o644), ("f\0", 0o644)] {
        let fd = open(cstr(path), 0, 0).unwrap() as i32;
        assert_eq!(fd::get(fd).unwrap().inode().mode(), S_IFREG | mode);
    }
}

#[test]
fn truncation_empties_what_was_there() {
    let _fs = boot();
    let fd = open(cstr("l\0"), O_TRUNC | O_WRONLY, 0).unwrap() as i32;
    assert_eq!(fd::get(fd).unwrap().inode().size(), 0);
}

#[test]
fn files_may_have_no_name() {
    let _fs = boot();
    let fd = open(cstr("d\0"), O_TMPFILE | O_RDWR, 0o600).unwrap() as i32;
    let inode = fd::get(fd).unwrap().inode().clone();
    assert_eq!((inode.nlink(), inode.mode()), (0, S_IFREG | 0o600));
    assert_eq!(close(fd), Ok(0));
    assert_eq!(Ref::count(&inode), 1);
}

#[test]
fn directories_and_links_have_their_own_rules() {
    refused(&[
        ("d\0", O_WRONLY, Errno::EISDIR),
        ("d\0", O_TRUNC, Errno::EISDIR),
        ("d\0", O_CREAT, Errno::EISDIR),
        ("d\0", O_TMPFILE, Errno::EINVAL),
        ("d\0", __O_TMPFILE | O_RDWR, Errno::EINVAL),
        ("f\0", O_TMPFILE | O_RDWR, Errno::ENOTDIR),
        ("d\0", O_CREAT | O_DIRECTORY, Errno::EINVAL),
        ("f\0", O_DIRECTORY, Errno::ENOTDIR),
        ("l\0", O_NOFOLLOW, Errno::ELOOP),
        ("l\0", O_NOFOLLOW | O_DIRECTORY, Errno::ENOTDIR),
        ("l\0", O_NOFOLLOW | O_CREAT, Errno::ELOOP),
        ("/dev/stdin\0", O_NOFOLLOW, Errno::ELOOP),
    ]);
}

#[test]
fn path_only_descriptors_name_links_too() {
    let _fs = boot();
    let fd = open(cstr("l\0"), O_PATH | O_NOFOLLOW | O_WRONLY | O_CREAT, 0).unwrap() as i32;
    assert_eq!(fd::get(fd).err(), Some(Errno::EBADF));
    let file = fd::get_any(fd).unwrap();
    assert_eq!(file.flags(), O_PATH | O_NOFOLLOW);
    assert!(file.inode().is_symlink());
}

#[test]
fn devices_open_for_writing() {
    let _fs = boot();
    for flags in [
        O_RDONLY,
        O_WRONLY,
        O_RDWR,
        O_ACCMODE,
        O_TRUNC | O_CREAT | O_RDWR,
    ] {
        assert!(open(cstr("/dev/null\0"), flags, 0).is_ok());
    }
    assert_eq!(open(cstr("/dev/null\0"), O_DIRECT, 0), Err(Errno::EINVAL));
    assert!(open(cstr("/dev/stdout\0"), O_WRONLY | O_NONBLOCK, 0).is_ok());
}

#[test]
fn flags_arrive_where_they_belong() {
    let _fs = boot();
    let fd = open(cstr("f\0"), O_CLOEXEC | O_NONBLOCK | 1 << 30, 0).unwrap() as i32;
    assert_eq!(fd::get(fd).unwrap().flags(), O_LARGEFILE | O_NONBLOCK);
    assert_eq!(fd::close_on_exec(fd), Ok(true));
}

#[test]
fn a_full_table_refuses_before_the_walk() {
    let _fs = boot();
    while dup(0).is_ok() {}
    assert_eq!(open(cstr("none\0"), 0, 0), Err(Errno::EMFILE));
    assert_eq!(open(cstr("\0"), 0, 0), Err(Errno::ENOENT));
    assert_eq!(dup(0), Err(Errno::EMFILE));
    assert_eq!((close(77), dup(0)), (Ok(0), Ok(77)));
}

#[test]
fn duplicates_share_the_open_file() {
    let _fs = boot();
    let fd = open(cstr("f\0"), 0, 0).unwrap() as i32;
    assert_eq!(dup2(fd, 9), Ok(9));
    fd::get(9).unwrap().set_position(2);
    assert_eq!(fd::get(fd).unwrap().position(), 2);
    assert_eq!(
        (dup2(fd, fd), dup2(99, 99)),
        (Ok(fd as usize), Err(Errno::EBADF))
    );
    assert_eq!(
        (dup2(fd, 1024), dup2(fd, -1)),
        (Err(Errno::EBADF), Err(Errno::EBADF))
    );
    assert_eq!(
        (dup3(fd, fd, 0), dup3(fd, 9, 1)),
        (Err(Errno::EINVAL), Err(Errno::EINVAL))
    );
    assert_eq!(dup3(fd, 9, O_CLOEXEC), Ok(9));
    assert_eq!(fd::close_on_exec(9), Ok(true));
}

#[test]
fn ranges_are_closed_or_marked() {
    let _fs = boot();
    for fd in [5, 6, 1023] {
        dup2(0, fd).unwrap();
    }
    assert_eq!(close_range(5, 5, 8), Err(Errno::EINVAL));
    assert_eq!(close_range(6, 5, 0), Err(Errno::EINVAL));
    assert_eq!(close_range(6, u32::MAX, CLOSE_RANGE_CLOEXEC), Ok(0));
    assert_eq!(fd::close_on_exec(1023), Ok(true));
    assert_eq!(close_range(6, u32::MAX, 0), Ok(0));
    assert_eq!(
        (close(5), close(6), close(1023)),
        (Ok(0), Err(Errno::EBADF), Err(Errno::EBADF))
    );
    assert_eq!(close_range(5000, 6000, 0), Ok(0));
}

#[test]
fn umask_keeps_nine_bits() {
    assert_eq!(umask(0o7077), Ok(0o022));
    assert_eq!(umask(0o022), Ok(0o077));
}
