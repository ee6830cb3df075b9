//! Tests of pipes: the rules one by one here, random operations in [`model`] (against a queue of
//! bytes) and in `linux` (against the host's pipes).

#[cfg(not(miri))]
mod linux;
mod model;
mod open;
mod splice;

use super::*;
use crate::uaccess::UserSlice;
use core::iter::once;

/// The application's view of a buffer to write from.
pub fn from(bytes: &[u8]) -> UserSlice {
    UserSlice::new(bytes.as_ptr().expose_provenance(), bytes.len())
}

/// The application's view of a buffer to read into.
pub fn into(bytes: &mut [u8]) -> UserSlice {
    UserSlice::new(bytes.as_mut_ptr().expose_provenance(), bytes.len())
}

/// A buffer that nobody can have.
pub fn nowhere(len: usize) -> UserSlice {
    UserSlice::new(usize::MAX - 0xffff, len)
}

pub fn write(end: &End, bytes: &[u8]) -> SysResult {
    end.write(once(from(bytes)), bytes.len(), O_NONBLOCK)
}

pub fn read(end: &End, most: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; most];
    let n = end.read(once(into(&mut bytes)), most, O_NONBLOCK)?;
    bytes.truncate(n);
    Ok(bytes)
}

/// `len` bytes that differ from place to place.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

#[test]
fn what_goes_in_comes_out() {
    let (reader, writer) = End::pair().unwrap();
    assert_eq!(read(&reader, 1), Err(Errno::EAGAIN));
    assert_eq!((write(&writer, b""), read(&reader, 0)), (Ok(0), Ok(vec![])));
    assert_eq!(write(&writer, b"hello, "), Ok(7));
    assert_eq!(write(&writer, b"world"), Ok(5));
    assert_eq!(reader.pipe().unread(), 12);
    assert_eq!(read(&reader, 3).unwrap(), b"hel");
    assert_eq!(read(&reader, 100).unwrap(), b"lo, world");
    drop(writer);
    assert_eq!(read(&reader, 1), Ok(vec![]));
}

#[test]
fn small_writes_share_a_page_and_large_ones_fill_pages() {
    let (reader, writer) = End::pair().unwrap();
    let buffers = || reader.pipe().lock().ring.len();
    for _ in 0..4096 {
        assert_eq!(write(&writer, b"x"), Ok(1));
    }
    assert_eq!(buffers(), 1);
    assert_eq!(write(&writer, b"x"), Ok(1));
    // The odd bytes go to the page that has room, the rest fills whole ones.
    assert_eq!((write(&writer, &pattern(9000)), buffers()), (Ok(9000), 4));
    assert_eq!(read(&reader, 4097).unwrap(), [b'x'; 4097]);
    assert_eq!((read(&reader, 9000), buffers()), (Ok(pattern(9000)), 0));
}

#[test]
fn up_to_a_page_is_written_at_once_or_not_at_all() {
    let (reader, writer) = End::pair().unwrap();
    let most = 16 * 4096;
    assert_eq!(write(&writer, &pattern(most - 1)), Ok(most - 1));
    // The last buffer has room for one byte.
    assert_eq!(write(&writer, b"ab"), Err(Errno::EAGAIN));
    assert_eq!(write(&writer, b"a"), Ok(1));
    assert_eq!(write(&writer, b"b"), Err(Errno::EAGAIN));
    // A page is free only when all of its bytes are read.
    assert_eq!(read(&reader, 4095), Ok(pattern(4095)));
    assert_eq!(write(&writer, b"b"), Err(Errno::EAGAIN));
    assert!(read(&reader, 1).is_ok());
    assert_eq!(write(&writer, &[1; 4096]), Ok(4096));
    assert_eq!(write(&writer, &[1; 4096]), Err(Errno::EAGAIN));
    // More than a page: what fits.
    assert!(read(&reader, 8192).is_ok());
    assert_eq!(write(&writer, &[2; 20000]), Ok(8192));
    assert_eq!(reader.pipe().unread(), most);
}

#[test]
fn vectors_are_one_transfer() {
    let (reader, writer) = End::pair().unwrap();
    let (a, b) = (pattern(5000), pattern(3));
    let parts = [from(&a), from(b""), from(&b), from(&a)];
    let total = 5000 + 3 + 5000;
    let written = writer.write(parts.into_iter(), total, O_NONBLOCK);
    assert_eq!(written, Ok(total));
    let (mut first, mut second) = ([0; 6000], [0; 5000]);
    let parts = [into(&mut first), into(&mut second)];
    let got = reader.read(parts.into_iter(), 11000, O_NONBLOCK);
    assert_eq!(got, Ok(total));
    let all = [&a[..], &b[..], &a[..]].concat();
    assert_eq!(first[..], all[..6000]);
    assert_eq!(second[..4003], all[6000..]);
}

#[test]
fn a_fault_leaves_what_was_done_before() {
    let (reader, writer) = End::pair().unwrap();
    let bytes = pattern(5000);
    let faulty = || [from(&bytes), nowhere(5000)].into_iter();
    let bad = |len| once(nowhere(len));
    assert_eq!(writer.write(bad(1), 1, O_NONBLOCK), Err(Errno::EFAULT));
    // One whole page arrives; the one with the fault in it does not.
    assert_eq!(writer.write(faulty(), 10000, O_NONBLOCK), Ok(4096));
    assert_eq!(reader.pipe().unread(), 4096);
    assert_eq!(write(&writer, b"a"), Ok(1));
    // Nor does what would have been appended.
    let odd = [from(b"b"), nowhere(1)].into_iter();
    assert_eq!(writer.write(odd, 2, O_NONBLOCK), Err(Errno::EFAULT));
    // Reading: the buffer with the fault stays whole.
    let mut room = vec![0; 5000];
    assert_eq!(reader.read(bad(9), 9, O_NONBLOCK), Err(Errno::EFAULT));
    let parts = [into(&mut room[..4096]), nowhere(1)].into_iter();
    assert_eq!(reader.read(parts, 4097, O_NONBLOCK), Ok(4096));
    assert_eq!(room[..4096], bytes[..4096]);
    assert_eq!(read(&reader, 9).unwrap(), b"a");
    // Parts that end early are bad pointers, too.
    assert_eq!(
        writer.write(once(from(b"a")), 2, O_NONBLOCK),
        Err(Errno::EFAULT)
    );
}

#[test]
fn a_write_without_readers_is_a_broken_pipe() {
    let (reader, writer) = End::pair().unwrap();
    assert_eq!(write(&writer, b"lost"), Ok(4));
    drop(reader);
    let result = write(&writer, b"x");
    assert_eq!(result, Err(Errno::EPIPE));
    assert!(writer.lost_reader(result, 1));
    assert!(!writer.lost_reader(Err(Errno::EAGAIN), 1) && !writer.lost_reader(Ok(1), 1));
    // No bytes, no complaint.
    assert_eq!(write(&writer, b""), Ok(0));
}

#[test]
fn packets_are_read_one_by_one() {
    let (reader, writer) = End::pair().unwrap();
    let packet = |bytes: &[u8]| {
        let flags = O_NONBLOCK | O_DIRECT;
        writer.write(once(from(bytes)), bytes.len(), flags)
    };
    assert_eq!((packet(b"one"), packet(b"two")), (Ok(3), Ok(3)));
    assert_eq!(packet(&pattern(5000)), Ok(5000));
    assert_eq!(read(&reader, 100).unwrap(), b"one");
    // What there is no room for is dropped.
    assert_eq!(read(&reader, 1).unwrap(), b"t");
    assert_eq!(read(&reader, 9999).unwrap(), pattern(5000)[..4096]);
    assert_eq!(read(&reader, 9999).unwrap(), pattern(5000)[4096..]);
    // Sixteen of them fill the pipe, whatever their size.
    for _ in 0..16 {
        assert_eq!(packet(b"p"), Ok(1));
    }
    assert_eq!(packet(b"p"), Err(Errno::EAGAIN));
    // Without the flag nothing is appended to a packet.
    assert_eq!(read(&reader, 1).unwrap(), b"p");
    assert_eq!(write(&writer, b"stream"), Ok(6));
    for _ in 0..15 {
        assert_eq!(read(&reader, 99).unwrap(), b"p");
    }
    assert_eq!(read(&reader, 99).unwrap(), b"stream");
}

#[test]
fn sizes_are_powers_of_two_pages() {
    let (reader, writer) = End::pair().unwrap();
    let pipe = reader.pipe();
    assert_eq!(pipe.size(), 65536);
    let rows = [
        (0, 4096),
        (1, 4096),
        (4097, 8192),
        (65537, 131_072),
        (1 << 20, 1 << 20),
    ];
    for (asked, given) in rows {
        assert_eq!(
            (pipe.set_size(asked, false), pipe.size()),
            (Ok(given), given)
        );
    }
    assert_eq!(pipe.set_size((1 << 20) + 1, false), Err(Errno::EPERM));
    assert_eq!(pipe.set_size((1 << 20) + 1, true), Ok(2 << 20));
    // Smaller is allowed, even if it is still above the limit.
    assert_eq!(pipe.set_size(2 << 20, false), Ok(2 << 20));
    assert_eq!(pipe.set_size((1 << 31) + 1, true), Err(Errno::EINVAL));
    assert_eq!(write(&writer, &pattern(5000)), Ok(5000));
    assert_eq!(pipe.set_size(4096, false), Err(Errno::EBUSY));
    assert_eq!(pipe.set_size(8192, false), Ok(8192));
    // The odd bytes go to the half-empty buffer; there is none for the whole page.
    assert_eq!(write(&writer, &pattern(5000)), Ok(904));
    assert_eq!(pipe.set_size(16384, false), Ok(16384));
    assert_eq!(read(&reader, 5000), Ok(pattern(5000)));
}

#[test]
fn emptied_pages_are_used_again() {
    let (reader, writer) = End::pair().unwrap();
    let page = || {
        let mut state = reader.pipe().lock();
        state.ring.back().map(|buffer| buffer.page().address())
    };
    assert_eq!(write(&writer, b"x"), Ok(1));
    let first = page();
    for _ in 0..100 {
        assert!(read(&reader, 1).is_ok() && write(&writer, b"x").is_ok());
        assert_eq!(page(), first);
    }
    assert!(write(&writer, &pattern(60000)).is_ok() && read(&reader, 60001).is_ok());
    assert!(reader.pipe().lock().spare.is_some());
}

#[test]
fn poll_tells_what_would_not_wait() {
    use linux_raw_sys::general::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
    let (input, output) = (POLLIN | POLLRDNORM, POLLOUT | POLLWRNORM);
    let (reader, writer) = End::pair().unwrap();
    assert_eq!((reader.events(), writer.events()), (0, output));
    assert_eq!(write(&writer, &pattern(65535)), Ok(65535));
    // No buffer is free, so it counts as full.
    assert_eq!((reader.events(), writer.events()), (input, 0));
    let places = reader.enrol();
    let called = |places: &[Option<crate::wait::Enrolment<'_>>; 2]| {
        places.iter().flatten().any(|place| place.was_called())
    };
    assert!(!called(&places));
    let again = Fifo::of(&reader).reopen(linux_raw_sys::general::O_RDWR);
    let other = again.unwrap();
    assert_eq!(other.events(), input);
    drop(other);
    drop(writer);
    assert_eq!(reader.events(), input | POLLHUP);
    assert!(called(&places));
    assert!(read(&reader, 65535).is_ok());
    assert_eq!(reader.events(), POLLHUP);
    let (reader, writer) = End::pair().unwrap();
    drop(reader);
    assert_eq!(writer.events(), output | POLLERR);
}

/// Whether `change` wakes those who wait at `end`.
fn wakes<T>(end: &End, change: impl FnOnce() -> T) -> bool {
    let places = end.enrol();
    drop(change());
    places.iter().flatten().any(|place| place.was_called())
}

#[test]
fn every_change_wakes_those_who_wait_for_it() {
    use super::splice::{splice, tee};
    let (reader, writer) = End::pair().unwrap();
    let (far_reader, far_writer) = End::pair().unwrap();
    let (near, far) = (reader.pipe(), far_writer.pipe());
    assert!(wakes(&reader, || write(&writer, &pattern(9000))));
    assert!(!wakes(&writer, || write(&writer, b"x")));
    assert!(wakes(&writer, || read(&reader, 10)));
    assert!(!wakes(&reader, || read(&reader, 10)));
    assert!(wakes(&far_reader, || tee(near, far, 9, true)));
    assert!(wakes(&far_reader, || splice(near, far, 9, true)));
    assert!(wakes(&writer, || splice(near, far, 9, true)));
    let part = once(from(b"part"));
    assert!(wakes(&reader, || near.vmsplice_from(part, true)));
    assert!(wakes(&writer, || near.set_size(1 << 17, true)));
    assert!(wakes(&reader, || drop(writer)));
    assert!(wakes(&far_writer, || drop(far_reader)));
    let fifo = Fifo::new();
    let first = fifo.open(O_NONBLOCK).unwrap();
    let write = linux_raw_sys::general::O_WRONLY;
    assert!(wakes(&first, || fifo.open(write | O_NONBLOCK)));
}

#[test]
fn readers_and_writers_wait_for_each_other() {
    let (reader, writer) = End::pair().unwrap();
    let bytes = pattern(if cfg!(miri) { 75_000 } else { 300_000 });
    std::thread::scope(|scope| {
        let bytes = &bytes;
        scope.spawn(move || {
            for part in bytes.chunks(70_000) {
                let written = writer.write(once(from(part)), part.len(), 0);
                assert_eq!(written, Ok(part.len()));
            }
        });
        let mut got: Vec<u8> = Vec::new();
        loop {
            let mut room = [0; 777];
            match reader.read(once(into(&mut room)), 777, 0).unwrap() {
                0 => break,
                n => got.extend(&room[..n]),
            }
        }
        assert!(got == *bytes);
    });
}

#[test]
fn a_waiting_writer_learns_that_the_reader_left() {
    let (reader, writer) = End::pair().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| writer.write(once(from(&[1; 70_000])), 70_000, 0));
        while !reader.pipe().writable.has_waiters() {
            std::thread::yield_now();
        }
        drop(reader);
        let result = waiting.join().unwrap();
        assert_eq!(result, Ok(65536));
        assert!(writer.lost_reader(result, 70_000));
    });
}
