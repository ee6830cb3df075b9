//! Tests of open file descriptions.

use super::*;
use crate::fs::Stdin;
use crate::fs::pages::PageStore;
use crate::fs::testing::{boot_with, inode};
use core::iter::once;

fn regular(bytes: &'static [u8]) -> Kind {
    Kind::File(Exclusive::new(PageStore::from_image(bytes)))
}

/// An open file of this kind, and what keeps the name space for this test.
fn open(kind: Kind, flags: u32) -> (Description, impl Sized) {
    let guard = boot_with(None, Stdin::Null);
    let root = {
        let mut vfs = vfs();
        let root = vfs.root;
        vfs.cache.get(root);
        root
    };
    (Description::new(root, inode(kind, 0), flags), guard)
}

fn slice(bytes: &mut [u8]) -> UserSlice {
    UserSlice::new(bytes.as_mut_ptr() as usize, bytes.len())
}

const BAD: UserSlice = UserSlice::new(usize::MAX - 4095, 8);

#[test]
fn reads_move_the_position_and_end_with_the_file() {
    let (file, _fs) = open(regular(b"hello world"), O_RDONLY);
    let mut bytes = [0; 6];
    assert_eq!(file.read(&mut once(slice(&mut bytes)), 6, None), Ok(6));
    assert_eq!(&bytes, b"hello ");
    assert_eq!(file.read(&mut once(slice(&mut bytes)), 6, None), Ok(5));
    assert_eq!(&bytes[..5], b"world");
    assert_eq!(file.read(&mut once(slice(&mut bytes)), 6, None), Ok(0));
    // At the end nothing is copied, so nothing faults.
    assert_eq!(file.read(&mut once(BAD), 8, None), Ok(0));
}

#[test]
fn reads_at_an_offset_leave_the_position() {
    let (file, _fs) = open(regular(b"hello world"), O_RDONLY);
    let mut bytes = [0; 8];
    assert_eq!(file.read(&mut once(slice(&mut bytes)), 8, Some(6)), Ok(5));
    assert_eq!((&bytes[..5], file.position()), (&b"world"[..], 0));
    assert_eq!(file.read(&mut once(slice(&mut bytes)), 8, Some(u64::MAX)), Ok(0));
}

#[test]
fn parts_are_filled_in_turn() {
    let (file, _fs) = open(regular(b"abcdefgh"), O_RDONLY);
    let (mut one, mut two) = ([0; 3], [0; 9]);
    let parts = [slice(&mut one), UserSlice::new(0, 0), slice(&mut two)];
    assert_eq!(file.read(&mut parts.into_iter(), 12, None), Ok(8));
    assert_eq!((&one, &two[..5]), (b"abc", &b"defgh"[..]));
}

#[test]
fn a_fault_keeps_what_was_delivered() {
    let (file, _fs) = open(regular(b"abcdefgh"), O_RDONLY);
    let mut bytes = [0; 3];
    assert_eq!(
        file.read(&mut [slice(&mut bytes), BAD].into_iter(), 11, None),
        Ok(3)
    );
    assert_eq!(file.position(), 3);
    assert_eq!(file.read(&mut once(BAD), 8, None), Err(Errno::EFAULT));
    assert_eq!(file.position(), 3);
}

#[test]
fn seeks_follow_the_rules_of_the_kind() {
    let (file, _fs) = open(regular(b"0123456789"), O_RDONLY);
    assert_eq!(file.seek(4, SEEK_SET), Ok(4));
    assert_eq!(file.seek(-1, SEEK_CUR), Ok(3));
    assert_eq!(file.seek(-10, SEEK_END), Ok(0));
    assert_eq!(file.seek(5, SEEK_END), Ok(15));
    assert_eq!(file.seek(-11, SEEK_END), Err(Errno::EINVAL));
    assert_eq!(file.seek(i64::MAX, SEEK_CUR), Err(Errno::EINVAL));
    assert_eq!(file.seek(-1, SEEK_SET), Err(Errno::EINVAL));
    assert_eq!(file.seek(0, 5), Err(Errno::EINVAL));
    assert_eq!(
        (file.seek(3, SEEK_DATA), file.seek(3, SEEK_HOLE)),
        (Ok(3), Ok(10))
    );
    assert_eq!(file.seek(10, SEEK_DATA), Err(Errno::ENXIO));
    assert_eq!(file.seek(-1, SEEK_HOLE), Err(Errno::ENXIO));
    drop((file, _fs));
    let seek = |device, offset, whence| {
        let (file, _fs) = open(Kind::Device(device), O_RDWR);
        file.seek(offset, whence)
    };
    assert_eq!(seek(Device::Null, -7, SEEK_SET), Ok(0));
    assert_eq!(seek(Device::Stream(0), 0, SEEK_CUR), Err(Errno::ESPIPE));
    assert_eq!(seek(Device::Stream(0), 0, 9), Err(Errno::EINVAL));
}

#[test]
fn flags_are_filtered() {
    let (file, _fs) = open(regular(b""), O_RDWR | O_CREAT | O_TRUNC | O_NONBLOCK);
    assert_eq!(file.flags(), O_RDWR | O_NONBLOCK);
    file.set_flags(O_APPEND | O_WRONLY | O_CREAT);
    assert_eq!(file.flags(), O_RDWR | O_APPEND);
    assert!(file.is_readable() && file.is_writable() && !file.is_nonblocking());
    drop((file, _fs));
    let (none, _fs) = open(regular(b""), O_ACCMODE);
    assert!(!none.is_readable() && !none.is_writable());
    drop((none, _fs));
    let (path, _fs) = open(regular(b""), O_PATH);
    assert_eq!(path.check_readable(), Err(Errno::EBADF));
}

#[test]
fn devices_are_written_part_by_part() {
    let mut bytes = [1; 4];
    let both = [slice(&mut bytes), slice(&mut bytes[..2])];
    let write = |device| {
        let (file, _fs) = open(Kind::Device(device), O_RDWR);
        file.write(&mut both.into_iter(), 6, None, false)
    };
    assert_eq!(write(Device::Full), Err(Errno::ENOSPC));
    assert_eq!(write(Device::Null), Ok(6));
    let (zero, _fs) = open(Kind::Device(Device::Zero), O_RDWR);
    assert_eq!(zero.read(&mut both.into_iter(), 6, Some(9)), Ok(6));
}

#[test]
fn writes_move_the_position_or_append() {
    let (file, _fs) = open(regular(b"hello"), O_RDWR);
    let mut bytes = *b"abc";
    let mut put = |at, append| file.write(&mut once(slice(&mut bytes)), 3, at, append);
    assert_eq!((put(None, false), file.position()), (Ok(3), 3));
    assert_eq!((put(Some(7), false), file.position()), (Ok(3), 3));
    assert_eq!((put(None, true), file.position()), (Ok(3), 13));
    let mut all = [0; 16];
    assert_eq!(file.read(&mut once(slice(&mut all)), 16, Some(0)), Ok(13));
    assert_eq!(&all[..13], b"abclo\0\0abcabc");
    assert_eq!(put(Some(MAX_OFFSET), false), Err(Errno::EFBIG));
}
