//! Tests of the calls on room in files.

use super::*;
use crate::fs::Stdin;
use crate::fs::testing::{Packer, boot_with, cstr};
use crate::sys::dir::ftruncate;
use crate::sys::file::{open, pwrite64};
use crate::sys::pipe::pipe2;
use crate::sys::signal::rt_sigaction;
use crate::uaccess::UserPtr;
use linux_raw_sys::general::{O_CREAT, O_PATH, O_RDWR, O_WRONLY};

const PAGE: i64 = 4096;

fn boot() -> impl Sized {
    boot_with(Some(Packer::default().file("f", b"content")), Stdin::Null)
}

fn opened(path: &str, flags: u32) -> i32 {
    open(cstr(path), flags, 0o644).unwrap() as i32
}

/// Size and pages.
fn shape(fd: i32) -> (u64, u64) {
    let file = fd::get(fd).unwrap();
    let store = file.inode().store().unwrap().lock();
    (store.size(), store.pages())
}

fn pipe() -> [i32; 2] {
    let mut ends = [0; 2];
    pipe2(UserPtr::new(ends.as_mut_ptr() as usize), 0).unwrap();
    ends
}

fn fill(fd: i32, len: usize, at: i64) {
    let bytes = vec![b'x'; len];
    let from = UserPtr::new(bytes.as_ptr() as usize);
    assert_eq!(pwrite64(fd, from, len, at), Ok(len));
}

#[test]
fn room_is_made_inside_and_behind_the_file() {
    let _fs = boot();
    let fd = opened("new\0", O_RDWR | O_CREAT);
    assert_eq!(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 3 * PAGE), Ok(0));
    assert_eq!(shape(fd), (0, 3));
    assert_eq!(fallocate(fd, 0, PAGE + 1, 5 * PAGE), Ok(0));
    assert_eq!(shape(fd), (6 * PAGE as u64 + 1, 7));
    assert_eq!(fallocate(fd, 0, 0, 1), Ok(0));
    assert_eq!(shape(fd), (6 * PAGE as u64 + 1, 7));
}

#[test]
fn holes_are_punched_and_the_size_stays() {
    let _fs = boot();
    let fd = opened("f\0", O_RDWR);
    fill(fd, 5 * PAGE as usize, 0);
    assert_eq!(fallocate(fd, PUNCH, 1, 3 * PAGE), Ok(0));
    assert_eq!(shape(fd), (5 * PAGE as u64, 3));
    assert_eq!(fallocate(fd, PUNCH, 0, i64::MAX), Ok(0));
    assert_eq!(shape(fd), (5 * PAGE as u64, 0));
}

#[test]
fn modes_and_ranges_are_refused_in_the_order_of_linux() {
    let _fs = boot();
    let fd = opened("f\0", O_RDWR);
    let read = opened("f\0", 0);
    for mode in [
        0x02, 0x08, 0x10, 0x11, 0x13, 0x20, 0x21, 0x40, 0x80, 0x81, 0x400, !0,
    ] {
        assert_eq!(
            fallocate(fd, mode, 0, 1),
            Err(Errno::EOPNOTSUPP),
            "{mode:#x}"
        );
        assert_eq!(fallocate(fd, mode, 0, 0), Err(Errno::EINVAL));
        assert_eq!(fallocate(fd, mode, -1, 1), Err(Errno::EINVAL));
        assert_eq!(fallocate(99, mode, -1, 1), Err(Errno::EBADF));
    }
    assert_eq!(fallocate(read, 0, 0, 1), Err(Errno::EBADF));
    assert_eq!(fallocate(read, 0x10, 0, 1), Err(Errno::EBADF));
    assert_eq!(fallocate(read, 0x81, 0, 1), Err(Errno::EOPNOTSUPP));
    for (at, len) in [(i64::MAX, 1), (1, i64::MAX), (i64::MAX - 5, 6)] {
        assert_eq!(fallocate(fd, 0, at, len), Err(Errno::EFBIG));
        assert_eq!(fallocate(fd, 0x10, at, len), Err(Errno::EFBIG));
    }
    assert_eq!(fallocate(fd, 0x10, 0, i64::MAX), Err(Errno::EOPNOTSUPP));
    assert_eq!(shape(fd), (7, 1));
}

#[test]
fn other_files_have_no_room() {
    let _fs = boot();
    let null = opened("/dev/null\0", O_RDWR);
    assert_eq!(fallocate(null, 0, 0, 1), Err(Errno::ENODEV));
    let place = opened("f\0", O_PATH);
    assert_eq!(fallocate(place, 0, 0, 1), Err(Errno::EBADF));
    let name = opened("/proc/self/comm\0", O_WRONLY);
    assert_eq!(fallocate(name, 0, 0, 1), Err(Errno::EOPNOTSUPP));
    assert_eq!(fallocate(name, 0, 0, 1 << 31), Err(Errno::EFBIG));
    let [reader, writer] = pipe();
    assert_eq!(fallocate(writer, 0, 0, 1), Err(Errno::ESPIPE));
    assert_eq!(fallocate(reader, 0, 0, 1), Err(Errno::EBADF));
}

#[test]
fn the_largest_size_is_a_limit() {
    let _fs = boot();
    let fd = opened("new\0", O_RDWR | O_CREAT);
    guard::set_limit(2 * PAGE as u64);
    // The action of SIGXFSZ would end the test: ignored.
    let action = [1u64, 0, 0, 0];
    let at = UserPtr::new(action.as_ptr() as usize);
    rt_sigaction(25, at, UserPtr::new(0), 8).unwrap();
    let behind = fallocate(fd, 0, 0, 2 * PAGE + 1);
    let kept = fallocate(fd, FALLOC_FL_KEEP_SIZE, PAGE, PAGE + 1);
    let inside = fallocate(fd, 0, 0, 2 * PAGE);
    let grown = ftruncate(fd, 2 * PAGE + 1);
    let shrunk = ftruncate(fd, 10);
    let byte = UserPtr::new([b'x'; 16].as_ptr() as usize);
    let short = pwrite64(fd, byte, 16, 2 * PAGE - 5);
    let none = pwrite64(fd, byte, 1, 2 * PAGE);
    guard::set_limit(u64::MAX);
    assert_eq!((behind, kept), (Err(Errno::EFBIG), Err(Errno::EFBIG)));
    assert_eq!((inside, grown, shrunk), (Ok(0), Err(Errno::EFBIG), Ok(0)));
    assert_eq!((short, none), (Ok(5), Err(Errno::EFBIG)));
}

#[test]
fn advice_is_checked_and_nothing_else() {
    let _fs = boot();
    let fd = opened("f\0", 0);
    let dir = opened("/\0", 0);
    let [reader, _] = pipe();
    for (fd, len, advice, wanted) in [
        (fd, 0, 0, Ok(0)),
        (fd, i64::MAX, 5, Ok(0)),
        (dir, 0, 3, Ok(0)),
        (fd, -1, 0, Err(Errno::EINVAL)),
        (fd, 0, 6, Err(Errno::EINVAL)),
        (fd, 0, -1, Err(Errno::EINVAL)),
        (reader, 0, 9, Err(Errno::ESPIPE)),
        (99, 0, 9, Err(Errno::EBADF)),
    ] {
        assert_eq!(
            fadvise64(fd, -1, len, advice),
            wanted,
            "{fd} {len} {advice}"
        );
    }
    assert_eq!(readahead(fd, -1, 10), Ok(0));
    assert_eq!(readahead(fd, 0, usize::MAX), Err(Errno::EINVAL));
    assert_eq!(readahead(dir, 0, 1), Err(Errno::EINVAL));
    let write = opened("f\0", O_WRONLY);
    assert_eq!(readahead(write, 0, 1), Err(Errno::EBADF));
    assert_eq!(readahead(99, 0, 1), Err(Errno::EBADF));
}

#[test]
fn nothing_has_to_be_synchronised() {
    let _fs = boot();
    let (fd, dir) = (opened("f\0", 0), opened("/\0", 0));
    let null = opened("/dev/null\0", 0);
    let [_, writer] = pipe();
    for (fd, at, len, flags, wanted) in [
        (fd, 0, 0, 0, Ok(0)),
        (fd, 9, i64::MAX - 9, 7, Ok(0)),
        (dir, 0, 0, 2, Ok(0)),
        (fd, 0, 0, 8, Err(Errno::EINVAL)),
        (fd, -1, 0, 0, Err(Errno::EINVAL)),
        (fd, 5, -1, 0, Err(Errno::EINVAL)),
        (fd, 5, i64::MAX, 0, Err(Errno::EINVAL)),
        (null, 0, 0, 0, Err(Errno::ESPIPE)),
        (writer, 0, 0, 0, Err(Errno::ESPIPE)),
        (99, 0, 0, 8, Err(Errno::EBADF)),
    ] {
        assert_eq!(
            sync_file_range(fd, at, len, flags),
            wanted,
            "{fd} {at} {len}"
        );
    }
}
