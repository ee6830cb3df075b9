//! Tests of copies from descriptor to descriptor.

use super::*;
use crate::fs::Stdin;
use crate::fs::testing::{Packer, boot_with, cstr};
use crate::sys::file::{lseek, open, pread64, read};
use crate::sys::memfd::memfd_create;
use crate::sys::pipe::pipe2;
use linux_raw_sys::general::{O_CREAT, O_PATH, O_RDONLY, O_RDWR, O_WRONLY, SEEK_CUR};

const TEXT: &[u8] = b"the quick brown fox";
const NONE: UserPtr<i64> = UserPtr::new(0);

fn boot() -> impl Sized {
    let large: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
    let packer = Packer::default().file("from", TEXT).file("large", &large);
    boot_with(Some(packer.dir("dir")), Stdin::Null)
}

fn opened(path: &str, flags: u32) -> i32 {
    open(cstr(path), flags, 0o644).unwrap() as i32
}

fn target() -> i32 {
    opened("to\0", O_RDWR | O_CREAT)
}

fn at(offset: &mut i64) -> UserPtr<i64> {
    UserPtr::new(core::ptr::from_mut(offset) as usize)
}

fn content(fd: i32) -> Vec<u8> {
    let mut bytes = vec![0; 200_000];
    let room = UserPtr::new(bytes.as_mut_ptr() as usize);
    let len = pread64(fd, room, bytes.len(), 0).unwrap();
    bytes.truncate(len);
    bytes
}

fn position(fd: i32) -> SysResult {
    lseek(fd, 0, SEEK_CUR)
}

fn pipe(flags: u32) -> [i32; 2] {
    let mut ends = [0; 2];
    let to = UserPtr::new(ends.as_mut_ptr() as usize);
    pipe2(to, flags).unwrap();
    ends
}

#[test]
fn ranges_are_copied_and_offsets_move() {
    let _fs = boot();
    let (from, to) = (opened("from\0", O_RDONLY), target());
    assert_eq!(copy_file_range(from, NONE, to, NONE, 5, 0), Ok(5));
    assert_eq!((position(from), position(to)), (Ok(5), Ok(5)));
    let (mut source, mut goal) = (10, 2);
    let copied = copy_file_range(from, at(&mut source), to, at(&mut goal), 5, 0);
    assert_eq!((copied, source, goal), (Ok(5), 15, 7));
    assert_eq!((position(from), position(to)), (Ok(5), Ok(5)));
    assert_eq!(content(to), b"thbrown");
    assert_eq!(
        copy_file_range(from, at(&mut source), to, NONE, 99, 0),
        Ok(4)
    );
    assert_eq!(
        copy_file_range(from, at(&mut source), to, NONE, 99, 0),
        Ok(0)
    );
    assert_eq!((source, position(to)), (19, Ok(9)));
    assert_eq!(copy_file_range(from, NONE, to, NONE, 0, 0), Ok(0));
    let large = opened("large\0", O_RDONLY);
    let mut goal = 4099;
    let mut all = |most| copy_file_range(large, NONE, to, at(&mut goal), most, 0);
    assert_eq!(all(usize::MAX), Err(Errno::EOVERFLOW));
    assert_eq!(all(isize::MAX as usize), Ok(100_000));
    assert!(content(to)[4099..] == content(large));
}

#[test]
fn copies_inside_a_file_do_not_overlap() {
    let _fs = boot();
    let fd = opened("from\0", O_RDWR);
    for (from, to, wanted) in [
        (0, 0, Err(Errno::EINVAL)),
        (0, 4, Err(Errno::EINVAL)),
        (4, 0, Err(Errno::EINVAL)),
        (0, 5, Ok(5)),
        (5, 0, Ok(5)),
        (0, 100, Ok(5)),
        // Only what is there is copied, and that does not overlap.
        (103, 105, Ok(2)),
    ] {
        let (mut source, mut goal) = (from, to);
        let copied = copy_file_range(fd, at(&mut source), fd, at(&mut goal), 5, 0);
        assert_eq!(copied, wanted, "{from} {to}");
    }
    assert_eq!(&content(fd)[..19], b"the qthe qbrown fox");
}

#[test]
fn copies_are_refused_in_the_order_of_linux() {
    let _fs = boot();
    let (read, write) = (opened("from\0", O_RDONLY), opened("large\0", O_WRONLY));
    let append = opened("large\0", O_WRONLY | O_APPEND);
    let (dir, null) = (opened("dir\0", O_RDONLY), opened("/dev/null\0", O_RDWR));
    let (place, version) = (
        opened("from\0", O_PATH),
        opened("/proc/version\0", O_RDONLY),
    );
    let memory = memfd_create(cstr("n\0"), 0).unwrap() as i32;
    for (from, to, errno) in [
        (read, read, Errno::EBADF),
        (write, write, Errno::EBADF),
        (read, append, Errno::EBADF),
        (dir, write, Errno::EISDIR),
        (read, dir, Errno::EISDIR),
        (read, null, Errno::EINVAL),
        (null, write, Errno::EINVAL),
        (1, write, Errno::EINVAL),
        (place, write, Errno::EBADF),
        (read, 99, Errno::EBADF),
        (read, memory, Errno::EXDEV),
        (version, write, Errno::EXDEV),
    ] {
        assert_eq!(
            copy_file_range(from, NONE, to, NONE, 4, 0),
            Err(errno),
            "{from} {to}"
        );
    }
    assert_eq!(
        copy_file_range(read, NONE, write, NONE, 4, 1),
        Err(Errno::EINVAL)
    );
    let bad = UserPtr::new(usize::MAX - 7);
    assert_eq!(
        copy_file_range(read, bad, write, NONE, 4, 1),
        Err(Errno::EFAULT)
    );
    assert_eq!(
        copy_file_range(99, bad, write, NONE, 4, 1),
        Err(Errno::EBADF)
    );
    for (place, from, to) in [
        (-1, Err(Errno::EOVERFLOW), Err(Errno::EOVERFLOW)),
        (i64::MIN, Err(Errno::EINVAL), Err(Errno::EINVAL)),
        (i64::MAX, Ok(0), Err(Errno::EFBIG)),
        (i64::MAX - 2, Ok(0), Ok(2)),
    ] {
        let (mut source, mut goal) = (place, place);
        assert_eq!(
            copy_file_range(read, at(&mut source), write, NONE, 4, 0),
            from
        );
        assert_eq!(copy_file_range(read, NONE, write, at(&mut goal), 4, 0), to);
    }
}

#[test]
fn files_are_sent_to_files() {
    let _fs = boot();
    let (from, to) = (opened("from\0", O_RDONLY), target());
    assert_eq!(sendfile(to, from, NONE, 9), Ok(9));
    assert_eq!((position(from), position(to)), (Ok(9), Ok(9)));
    let mut place = 4;
    assert_eq!((sendfile(to, from, at(&mut place), 5), place), (Ok(5), 9));
    assert_eq!((position(from), position(to)), (Ok(9), Ok(14)));
    assert_eq!(content(to), b"the quickquick");
    place = 15;
    assert_eq!((sendfile(to, from, at(&mut place), 99), place), (Ok(4), 19));
    assert_eq!((sendfile(to, from, at(&mut place), 99), place), (Ok(0), 19));
    let large = opened("large\0", O_RDONLY);
    assert_eq!(sendfile(to, large, NONE, MAX_TRANSFER), Ok(100_000));
    assert!(content(to)[18..] == content(large));
}

#[test]
fn files_are_sent_to_pipes_and_devices() {
    let _fs = boot();
    let from = opened("from\0", O_RDONLY);
    let [reader, writer] = pipe(O_NONBLOCK);
    assert_eq!(sendfile(writer, from, NONE, 0), Ok(0));
    assert_eq!(sendfile(writer, from, NONE, 100), Ok(TEXT.len()));
    let mut bytes = [0; 64];
    let room = UserPtr::new(bytes.as_mut_ptr() as usize);
    assert_eq!(read(reader, room, 64), Ok(TEXT.len()));
    assert_eq!(
        (&bytes[..TEXT.len()], position(from)),
        (TEXT, Ok(TEXT.len()))
    );
    let (zero, null) = (opened("/dev/zero\0", O_RDWR), opened("/dev/null\0", O_RDWR));
    // Sixteen pages, and then there is no more room.
    assert_eq!(sendfile(writer, zero, NONE, 1 << 20), Ok(1 << 16));
    assert_eq!(sendfile(writer, zero, NONE, 1), Err(Errno::EAGAIN));
    lseek(from, 0, 0).unwrap();
    assert_eq!(
        (sendfile(null, from, NONE, 99), position(null)),
        (Ok(TEXT.len()), Ok(0))
    );
    let version = opened("/proc/version\0", O_RDONLY);
    assert_eq!(sendfile(target(), version, NONE, 10), Ok(10));
    assert_eq!(position(version), Ok(10));
    let full = opened("/dev/full\0", O_RDWR);
    let mut place = 0;
    assert_eq!(sendfile(full, from, at(&mut place), 5), Err(Errno::EINVAL));
    place = 100;
    assert_eq!(sendfile(full, from, at(&mut place), 5), Ok(0));
}

#[test]
fn sending_is_refused_in_the_order_of_linux() {
    let _fs = boot();
    let (read, write) = (opened("from\0", O_RDONLY), opened("large\0", O_WRONLY));
    let append = opened("large\0", O_WRONLY | O_APPEND);
    let (dir, null) = (opened("dir\0", O_RDONLY), opened("/dev/null\0", O_RDWR));
    let [reader, writer] = pipe(0);
    for (to, from, errno) in [
        (read, read, Errno::EBADF),
        (write, write, Errno::EBADF),
        (append, read, Errno::EINVAL),
        (write, dir, Errno::EINVAL),
        (dir, read, Errno::EBADF),
        (write, reader, Errno::EINVAL),
        (writer, reader, Errno::EINVAL),
        (writer, null, Errno::EINVAL),
        (write, null, Errno::EINVAL),
        (99, read, Errno::EBADF),
        (write, 99, Errno::EBADF),
    ] {
        assert_eq!(sendfile(to, from, NONE, 4), Err(errno), "{to} {from}");
    }
    for (place, count, wanted) in [
        (-1, 4, Err(Errno::EINVAL)),
        (i64::MAX, 4, Err(Errno::EINVAL)),
        (i64::MAX - 5, 6, Err(Errno::EINVAL)),
        (i64::MAX - 5, 5, Ok(0)),
        (i64::MAX, 0, Ok(0)),
        (0, usize::MAX, Err(Errno::EINVAL)),
    ] {
        let mut offset = place;
        assert_eq!(
            sendfile(null, read, at(&mut offset), count),
            wanted,
            "{place}"
        );
        assert_eq!(offset, place);
    }
    let mut place = 0;
    assert_eq!(
        sendfile(write, reader, at(&mut place), 4),
        Err(Errno::ESPIPE)
    );
    let bad = UserPtr::new(usize::MAX - 7);
    assert_eq!(sendfile(99, 99, bad, 4), Err(Errno::EFAULT));
}
