//! Tests of open file descriptions.

use super::*;
use crate::fs::device::Device;
use crate::fs::testing::inode;
use core::iter::once;

fn open(kind: Kind, flags: u32) -> Description {
    Description::new(EntryId::ROOT, Box::leak(Box::new(inode(kind))), flags)
}

fn slice(bytes: &mut [u8]) -> UserSlice {
    UserSlice::new(bytes.as_mut_ptr() as usize, bytes.len())
}

const BAD: UserSlice = UserSlice::new(usize::MAX - 4095, 8);

#[test]
fn reads_move_the_position_and_end_with_the_file() {
    let file = open(Kind::File(b"hello world"), O_RDONLY);
    let mut bytes = [0; 6];
    assert_eq!(file.read(once(slice(&mut bytes)), 6, None), Ok(6));
    assert_eq!(&bytes, b"hello ");
    assert_eq!(file.read(once(slice(&mut bytes)), 6, None), Ok(5));
    assert_eq!(&bytes[..5], b"world");
    assert_eq!(file.read(once(slice(&mut bytes)), 6, None), Ok(0));
    // At the end nothing is copied, so nothing faults.
    assert_eq!(file.read(once(BAD), 8, None), Ok(0));
}

#[test]
fn reads_at_an_offset_leave_the_position() {
    let file = open(Kind::File(b"hello world"), O_RDONLY);
    let mut bytes = [0; 8];
    assert_eq!(file.read(once(slice(&mut bytes)), 8, Some(6)), Ok(5));
    assert_eq!((&bytes[..5], file.position()), (&b"world"[..], 0));
    assert_eq!(file.read(once(slice(&mut bytes)), 8, Some(u64::MAX)), Ok(0));
}

#[test]
fn parts_are_filled_in_turn() {
    let file = open(Kind::File(b"abcdefgh"), O_RDONLY);
    let (mut one, mut two) = ([0; 3], [0; 9]);
    let parts = [slice(&mut one), UserSlice::new(0, 0), slice(&mut two)];
    assert_eq!(file.read(parts.into_iter(), 12, None), Ok(8));
    assert_eq!((&one, &two[..5]), (b"abc", &b"defgh"[..]));
}

#[test]
fn a_fault_keeps_what_was_delivered() {
    let file = open(Kind::File(b"abcdefgh"), O_RDONLY);
    let mut bytes = [0; 3];
    assert_eq!(
        file.read([slice(&mut bytes), BAD].into_iter(), 11, None),
        Ok(3)
    );
    assert_eq!(file.position(), 3);
    assert_eq!(file.read(once(BAD), 8, None), Err(Errno::EFAULT));
    assert_eq!(file.position(), 3);
}

#[test]
fn two_readers_never_get_the_same_bytes() {
    let content: &'static [u8] = (0..=255).cycle().take(100_000).collect::<Vec<u8>>().leak();
    let file = open(Kind::File(content), O_RDONLY);
    let read_all = || {
        let (mut bytes, mut sum) = ([0; 7], 0);
        while let Ok(count @ 1..) = file.read(once(slice(&mut bytes)), 7, None) {
            sum += bytes[..count]
                .iter()
                .map(|&byte| u64::from(byte))
                .sum::<u64>();
        }
        sum
    };
    let both = std::thread::scope(|scope| {
        let other = scope.spawn(read_all);
        read_all() + other.join().unwrap()
    });
    assert_eq!(both, content.iter().map(|&byte| u64::from(byte)).sum());
}

#[test]
fn seeks_follow_the_rules_of_the_kind() {
    let file = open(Kind::File(b"0123456789"), O_RDONLY);
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
    assert_eq!(
        open(Kind::Device(Device::Null), O_RDWR).seek(-7, SEEK_SET),
        Ok(0)
    );
    assert_eq!(
        open(Kind::Device(Device::Stream(0)), 0).seek(0, SEEK_CUR),
        Err(Errno::ESPIPE)
    );
    assert_eq!(
        open(Kind::Device(Device::Stream(0)), 0).seek(0, 9),
        Err(Errno::EINVAL)
    );
}

#[test]
fn flags_are_filtered() {
    let file = open(Kind::File(b""), O_RDWR | O_CREAT | O_TRUNC | O_NONBLOCK);
    assert_eq!(file.flags(), O_RDWR | O_NONBLOCK);
    file.set_flags(O_APPEND | O_WRONLY | O_CREAT);
    assert_eq!(file.flags(), O_RDWR | O_APPEND);
    assert!(file.is_readable() && file.is_writable() && !file.is_nonblocking());
    let none = open(Kind::File(b""), O_ACCMODE);
    assert!(!none.is_readable() && !none.is_writable());
    assert_eq!(
        open(Kind::File(b""), O_PATH).check_readable(),
        Err(Errno::EBADF)
    );
}

#[test]
fn devices_are_written_part_by_part() {
    let full = open(Kind::Device(Device::Full), O_RDWR);
    let mut bytes = [1; 4];
    let both = [slice(&mut bytes), slice(&mut bytes[..2])];
    assert_eq!(full.write(both.into_iter()), Err(Errno::ENOSPC));
    assert_eq!(
        open(Kind::Device(Device::Null), O_RDWR).write(both.into_iter()),
        Ok(6)
    );
    assert_eq!(
        open(Kind::File(b"x"), O_RDWR).write(both.into_iter()),
        Err(Errno::EBADF)
    );
    assert_eq!(
        open(Kind::Device(Device::Zero), O_RDWR).read(both.into_iter(), 6, Some(9)),
        Ok(6)
    );
}
