//! Splicing: what moves, what is shared, and what is never written to.

use super::super::splice::{Chunk, Sink, Source, splice, tee};
use super::*;

/// A file as splice sees it: pages, and where one is.
#[derive(Default)]
struct Pages {
    pages: Vec<(Page, usize)>,
    /// Bytes that it accepts, then no more.
    room: usize,
    taken: Vec<u8>,
    moved: usize,
}

impl Pages {
    fn with(lens: &[usize]) -> Self {
        let pages = lens.iter().map(|&len| {
            let page = Page::zeroed().unwrap();
            // SAFETY: the page is new, and has 4096 bytes.
            unsafe { page.address().copy_from(pattern(len).as_ptr(), len) };
            (page, len)
        });
        Self {
            pages: pages.collect(),
            ..Self::default()
        }
    }
}

impl Source for Pages {
    fn next(&mut self, most: usize) -> Result<Option<Chunk>, Errno> {
        if self.pages.is_empty() {
            return Ok(None);
        }
        let (page, len) = self.pages[0].clone();
        if len == 0 {
            return Err(Errno::EIO);
        }
        let len = len.min(most);
        self.pages.remove(0);
        Ok(Some(Chunk {
            page,
            offset: 0,
            len,
        }))
    }
}

impl Sink for Pages {
    fn accept(&mut self, page: &Page, offset: usize, len: usize) -> SysResult {
        if self.room == 0 {
            return Err(Errno::ENOSPC);
        }
        let len = len.min(self.room);
        // SAFETY: the pipe says that these bytes are there.
        let bytes = unsafe { std::slice::from_raw_parts(page.address().add(offset), len) };
        self.taken.extend(bytes);
        self.room -= len;
        if len == PAGE {
            self.pages.push((page.clone(), len));
            self.moved += 1;
        }
        Ok(len)
    }
}

fn buffers(end: &End) -> usize {
    end.pipe().lock().ring.len()
}

#[test]
fn whole_buffers_move_from_pipe_to_pipe() {
    let (reader, writer) = End::pair().unwrap();
    let (far_reader, far_writer) = End::pair().unwrap();
    let (near, far) = (reader.pipe(), far_writer.pipe());
    assert_eq!(splice(near, far, 9, true), Err(Errno::EAGAIN));
    assert_eq!(write(&writer, &pattern(5000)), Ok(5000));
    let page = near.lock().ring.front().unwrap().page().address();
    assert_eq!(splice(near, far, 4500, true), Ok(4500));
    assert_eq!(far.lock().ring.front().unwrap().page().address(), page);
    // The second page is in both pipes now; each has its own bytes of it.
    assert_eq!((buffers(&reader), buffers(&far_reader)), (1, 2));
    assert_eq!(
        (write(&writer, b"more"), write(&far_writer, b"far")),
        (Ok(4), Ok(3))
    );
    assert_eq!(buffers(&far_reader), 3);
    let mut wanted = pattern(5000)[4500..].to_vec();
    wanted.extend(b"more");
    assert_eq!(read(&reader, 9999), Ok(wanted));
    let mut wanted = pattern(5000)[..4500].to_vec();
    wanted.extend(b"far");
    assert_eq!(read(&far_reader, 9999), Ok(wanted));
    drop(writer);
    assert_eq!(splice(near, far, 9, true), Ok(0));
    drop(far_reader);
    assert_eq!(splice(near, far, 9, true), Err(Errno::EPIPE));
}

#[test]
fn a_full_pipe_takes_nothing_more() {
    let (reader, writer) = End::pair().unwrap();
    let (far_reader, far_writer) = End::pair().unwrap();
    assert_eq!(far_writer.pipe().set_size(4096, false), Ok(4096));
    assert_eq!(write(&writer, &pattern(9000)), Ok(9000));
    let (near, far) = (reader.pipe(), far_writer.pipe());
    assert_eq!(splice(near, far, 9000, true), Ok(4096));
    assert_eq!(splice(near, far, 9000, true), Err(Errno::EAGAIN));
    assert_eq!(tee(near, far, 9000, true), Err(Errno::EAGAIN));
    assert_eq!(read(&far_reader, 4096), Ok(pattern(9000)[..4096].to_vec()));
    assert_eq!(read(&reader, 9000), Ok(pattern(9000)[4096..].to_vec()));
}

#[test]
fn tee_shares_and_nobody_sees_the_others_writes() {
    let (reader, writer) = End::pair().unwrap();
    let (far_reader, far_writer) = End::pair().unwrap();
    let (near, far) = (reader.pipe(), far_writer.pipe());
    assert_eq!(write(&writer, b"shared"), Ok(6));
    assert_eq!(tee(near, far, 100, true), Ok(6));
    assert_eq!(tee(near, far, 2, true), Ok(2));
    assert_eq!(write(&writer, b" near"), Ok(5));
    assert_eq!(write(&far_writer, b" far"), Ok(4));
    assert_eq!(read(&reader, 99).unwrap(), b"shared near");
    // The page is no spare as long as the other pipe has it.
    assert!(near.lock().spare.is_none());
    assert_eq!(write(&writer, b"overwritten?"), Ok(12));
    assert_eq!(read(&far_reader, 99).unwrap(), b"sharedsh far");
    assert_eq!(read(&reader, 99).unwrap(), b"overwritten?");
    assert_eq!(tee(near, far, 9, true), Err(Errno::EAGAIN));
    drop(writer);
    assert_eq!(tee(near, far, 9, true), Ok(0));
}

#[test]
fn packets_stay_packets_on_the_way() {
    let (reader, writer) = End::pair().unwrap();
    let (far_reader, far_writer) = End::pair().unwrap();
    for _ in 0..2 {
        let flags = O_NONBLOCK | O_DIRECT;
        assert_eq!(writer.write(once(from(b"abc")), 3, flags), Ok(3));
    }
    assert_eq!(tee(reader.pipe(), far_writer.pipe(), 9, true), Ok(6));
    assert_eq!(splice(reader.pipe(), far_writer.pipe(), 9, true), Ok(6));
    for _ in 0..4 {
        assert_eq!(read(&far_reader, 2).unwrap(), b"ab");
    }
    assert_eq!(read(&far_reader, 2), Err(Errno::EAGAIN));
}

#[test]
fn pages_come_from_a_file_by_reference() {
    let (reader, writer) = End::pair().unwrap();
    let mut file = Pages::with(&[4096, 4096, 100]);
    let pages: Vec<Page> = file.pages.iter().map(|page| page.0.clone()).collect();
    let places = (reader.enrol(), writer.enrol());
    assert_eq!(writer.pipe().splice_from(&mut file, 9999, true), Ok(8292));
    assert!(places.0.iter().flatten().all(|place| place.was_called()));
    assert!(!places.1.iter().flatten().any(|place| place.was_called()));
    drop(places);
    let first = reader.pipe().lock().ring.iter().next().cloned().unwrap();
    assert!(first.page().is(&pages[0]));
    // Nothing is appended to the file's last page.
    assert_eq!(write(&writer, b"tail"), Ok(4));
    let wanted = [&pattern(4096)[..], &pattern(4096), &pattern(100), b"tail"].concat();
    assert_eq!(read(&reader, 9999), Ok(wanted));
    // The file's pages are not the pipe's to write to, only the one of the tail.
    let spare = reader.pipe().lock().spare.take().unwrap();
    assert!(pages.iter().all(|page| !page.is(&spare)));
    assert_eq!(writer.pipe().splice_from(&mut file, 9, true), Ok(0));
    // Room ends the splice, and an error does if nothing came before it.
    let mut file = Pages::with(&[1; 20]);
    assert_eq!(writer.pipe().splice_from(&mut file, 9999, true), Ok(16));
    assert_eq!(
        writer.pipe().splice_from(&mut file, 9999, true),
        Err(Errno::EAGAIN)
    );
    assert_eq!(
        (file.pages.len(), read(&reader, 99).unwrap().len()),
        (4, 16)
    );
    let mut file = Pages::with(&[1, 0]);
    assert_eq!(writer.pipe().splice_from(&mut file, 99, true), Ok(1));
    assert_eq!(
        writer.pipe().splice_from(&mut file, 99, true),
        Err(Errno::EIO)
    );
    drop(reader);
    assert_eq!(
        writer.pipe().splice_from(&mut file, 99, true),
        Err(Errno::EPIPE)
    );
}

#[test]
fn a_file_takes_whole_pages_and_what_it_has_room_for() {
    let (reader, writer) = End::pair().unwrap();
    let mut file = Pages {
        room: 9000,
        ..Pages::default()
    };
    assert_eq!(
        reader.pipe().splice_to(&mut file, 9, true),
        Err(Errno::EAGAIN)
    );
    assert_eq!(write(&writer, &pattern(12000)), Ok(12000));
    let places = writer.enrol();
    assert_eq!(reader.pipe().splice_to(&mut file, 8192, true), Ok(8192));
    assert!(places.iter().flatten().all(|place| place.was_called()));
    drop(places);
    assert_eq!((file.moved, file.taken.len()), (2, 8192));
    // A page that a file has now is no spare.
    assert!(reader.pipe().lock().spare.is_none());
    assert_eq!(reader.pipe().splice_to(&mut file, 99999, true), Ok(808));
    assert_eq!(
        reader.pipe().splice_to(&mut file, 99999, true),
        Err(Errno::ENOSPC)
    );
    assert!(file.taken == pattern(12000)[..9000]);
    assert_eq!(read(&reader, 9999), Ok(pattern(12000)[9000..].to_vec()));
    drop(writer);
    assert_eq!(reader.pipe().splice_to(&mut file, 9, true), Ok(0));
}

#[test]
fn user_memory_is_copied_page_by_page() {
    let (reader, writer) = End::pair().unwrap();
    let room = vec![7; 3 * PAGE];
    let start = room.as_ptr().align_offset(PAGE);
    // Two bytes of one page, one of the next: two buffers.
    let across = from(&room[start + PAGE - 2..start + PAGE + 1]);
    let pipe = writer.pipe();
    assert_eq!(
        pipe.vmsplice_from([across, from(b"x")].into_iter(), true),
        Ok(4)
    );
    assert_eq!(buffers(&reader), 3);
    assert_eq!(
        pipe.vmsplice_from(once(nowhere(1)), true),
        Err(Errno::EFAULT)
    );
    let faulty = [from(b"y"), nowhere(1)].into_iter();
    assert_eq!(pipe.vmsplice_from(faulty, true), Ok(1));
    // Nothing is appended to such a buffer.
    assert_eq!((write(&writer, b"z"), buffers(&reader)), (Ok(1), 5));
    let mut got = [0; 9];
    let parts = [into(&mut got)].into_iter();
    assert_eq!(reader.pipe().vmsplice_to(parts, 9, true), Ok(6));
    assert_eq!(&got[..6], b"\x07\x07\x07xyz");
    let ones = vec![from(b"1"); 20];
    assert_eq!(pipe.vmsplice_from(ones.into_iter(), true), Ok(16));
    assert_eq!(
        pipe.vmsplice_from(once(from(b"1")), true),
        Err(Errno::EAGAIN)
    );
    drop(reader);
    assert_eq!(
        pipe.vmsplice_from(once(from(b"1")), true),
        Err(Errno::EPIPE)
    );
}

#[test]
fn vmsplice_reads_packets_as_bytes() {
    let (reader, writer) = End::pair().unwrap();
    for _ in 0..2 {
        let flags = O_NONBLOCK | O_DIRECT;
        assert_eq!(writer.write(once(from(b"abc")), 3, flags), Ok(3));
    }
    let mut got = [0; 4];
    let parts = once(into(&mut got));
    assert_eq!(reader.pipe().vmsplice_to(parts, 4, true), Ok(4));
    assert_eq!(&got, b"abca");
    assert_eq!(read(&reader, 9).unwrap(), b"bc");
}

#[test]
fn a_waiting_splice_goes_on_when_there_is_content() {
    let (reader, writer) = End::pair().unwrap();
    let (far_reader, far_writer) = End::pair().unwrap();
    std::thread::scope(|scope| {
        let moving = scope.spawn(|| splice(reader.pipe(), far_writer.pipe(), 9, false));
        while !reader.pipe().readable.has_waiters() {
            std::thread::yield_now();
        }
        assert_eq!(write(&writer, b"at last"), Ok(7));
        assert_eq!(moving.join().unwrap(), Ok(7));
    });
    assert_eq!(read(&far_reader, 9).unwrap(), b"at last");
}
