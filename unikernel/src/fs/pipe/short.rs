//! The common case of small reads and writes, for the short cuts ([`crate::sys::fast`]): one buffer,
//! nobody to wake, no page to allocate or to free. Anything else is `None`, and nothing has happened
//! then; the ordinary way takes it up.
//!
//! Nothing here may panic, allocate or change a vector register.

use super::ring::Buffer;
use super::{End, PAGE, State, packets};
use crate::uaccess::UserSlice;
use core::mem;

/// Most bytes that a short cut copies.
const LONGEST: usize = PAGE;

/// Whether a transfer is short, and more than nothing.
#[inline(always)]
fn is_short(len: usize) -> bool {
    len.wrapping_sub(1) < LONGEST
}

impl End {
    /// Writes all of `from`, if that can be done at once.
    #[inline(always)]
    pub fn write_short(&self, from: UserSlice, flags: u32) -> Option<usize> {
        let pipe = self.pipe();
        let len = from.len();
        if !is_short(len) || packets(flags) || pipe.readable.has_waiters() {
            return None;
        }
        let mut state = pipe.state.try_lock()?;
        if state.readers == 0 {
            return None;
        }
        let State { ring, spare, .. } = &mut *state;
        if let Some(last) = ring.back()
            && let Some(end) = last.room_for(len)
        {
            let room = last.page().address().wrapping_add(end);
            // SAFETY: `room_for` says that the page, which is this buffer's alone, has room for
            // `len` bytes behind `end`.
            unsafe { from.read_all(room) }?;
            last.extend(len);
            return Some(len);
        }
        let vacant = ring.vacant()?;
        // SAFETY: a short transfer fits in a page, and the spare one is in nobody's use.
        unsafe { from.read_all(spare.as_ref()?.address()) }?;
        vacant.fill(Buffer::written(spare.take()?, len, false));
        Some(len)
    }

    /// Fills `to` with what there is, if that is in one buffer.
    #[inline(always)]
    pub fn read_short(&self, to: UserSlice) -> Option<usize> {
        let pipe = self.pipe();
        if !is_short(to.len()) || pipe.writable.has_waiters() {
            return None;
        }
        let mut state = pipe.state.try_lock()?;
        let State { ring, spare, .. } = &mut *state;
        let is_only = ring.len() == 1;
        let buffer = ring.front()?;
        let len = buffer.len().min(to.len());
        if buffer.is_packet() || (len < to.len() && !is_only) {
            return None;
        }
        let ends = len == buffer.len();
        if ends && (spare.is_some() || buffer.page().is_shared()) {
            return None;
        }
        let from = buffer.page().address().wrapping_add(buffer.offset());
        // SAFETY: `len` is at most what the buffer holds behind its offset.
        unsafe { to.take(len).write_all(from) }?;
        if ends {
            let page = ring.pop_page()?;
            // There is no spare page that would have to be dropped: just checked.
            mem::forget(spare.replace(page));
        } else {
            buffer.consume(len);
        }
        Some(len)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{from, into, nowhere, pattern, read, write};
    use super::*;
    use crate::errno::Errno;
    use linux_raw_sys::general::O_DIRECT;

    fn put(end: &End, bytes: &[u8]) -> Option<usize> {
        end.write_short(from(bytes), 0)
    }

    fn take(end: &End, most: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; most];
        let n = end.read_short(into(&mut bytes))?;
        bytes.truncate(n);
        Some(bytes)
    }

    #[test]
    fn bytes_go_through_one_page_for_ever() {
        let (reader, writer) = End::pair().unwrap();
        // The first page is allocated the ordinary way.
        assert_eq!(put(&writer, b"x"), None);
        assert_eq!(write(&writer, b"x"), Ok(1));
        for len in [1, 7, 512, 100, 512].into_iter().cycle().take(1000) {
            assert_eq!(put(&writer, &pattern(len)), Some(len));
            assert_eq!(take(&reader, 1).unwrap().len(), 1);
            assert_eq!(reader.pipe().unread(), len);
            assert_eq!(take(&reader, len).unwrap().len(), len);
            assert_eq!(put(&writer, b"x"), Some(1));
        }
    }

    #[test]
    fn a_whole_page_is_short() {
        let (reader, writer) = End::pair().unwrap();
        assert!(write(&writer, b"x").is_ok() && read(&reader, 1).is_ok());
        for _ in 0..3 {
            assert_eq!(put(&writer, &pattern(PAGE)), Some(PAGE));
            assert_eq!(take(&reader, PAGE).unwrap(), pattern(PAGE));
        }
    }

    #[test]
    fn what_is_not_simple_is_left_alone() {
        let (reader, writer) = End::pair().unwrap();
        assert_eq!((take(&reader, 1), put(&writer, b"")), (None, None));
        assert!(write(&writer, b"x").is_ok() && read(&reader, 1).is_ok());
        assert_eq!(put(&writer, &pattern(LONGEST + 1)), None);
        assert_eq!(writer.write_short(nowhere(3), 0), None);
        assert_eq!(writer.write_short(from(b"p"), O_DIRECT), None);
        assert_eq!(put(&writer, b"abc"), Some(3));
        assert_eq!((take(&reader, 0), take(&reader, LONGEST + 1)), (None, None));
        assert_eq!(reader.read_short(nowhere(3)), None);
        // Two buffers, of which the first is not enough.
        assert_eq!(write(&writer, &[1; 4096]), Ok(4096));
        assert_eq!(take(&reader, 4), None);
        assert_eq!(take(&reader, 3).unwrap(), b"abc");
        // With a waiter somebody has to be woken.
        let places = (reader.enrol(), writer.enrol());
        assert_eq!((put(&writer, b"x"), take(&reader, 1)), (None, None));
        drop(places);
        assert_eq!(take(&reader, 1).unwrap(), [1]);
        drop(reader);
        assert_eq!(put(&writer, b"x"), None);
        assert_eq!(write(&writer, b"x"), Err(Errno::EPIPE));
    }

    #[test]
    fn shared_pages_do_not_become_spare() {
        let (reader, writer) = End::pair().unwrap();
        let (far_reader, far_writer) = End::pair().unwrap();
        assert_eq!(write(&writer, b"shared"), Ok(6));
        let copied = super::super::splice::tee(reader.pipe(), far_writer.pipe(), 9, true);
        assert_eq!(copied, Ok(6));
        assert_eq!(take(&reader, 3).unwrap(), b"sha");
        assert_eq!(take(&reader, 9), None);
        // Nothing is appended to a shared buffer, but to the one that owns the page it is.
        assert_eq!(
            (put(&far_writer, b"x"), put(&writer, b"!")),
            (None, Some(1))
        );
        assert_eq!(read(&reader, 9).unwrap(), b"red!");
        assert_eq!(take(&far_reader, 9).unwrap(), b"shared");
    }
}
