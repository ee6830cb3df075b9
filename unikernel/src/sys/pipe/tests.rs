use super::*;
use crate::fs::page::Page;
use crate::fs::pipe::splice::Chunk;
use linux_raw_sys::general::{O_ACCMODE, O_RDWR};
use std::cell::{Cell, RefCell};
use std::iter::once;

/// A pipe, or a file of bytes with a position, or something that cannot be spliced.
struct Mock {
    end: Option<End>,
    status: u32,
    content: Option<RefCell<Vec<u8>>>,
    position: Cell<u64>,
}

impl Mock {
    fn of(end: End, status: u32) -> Self {
        Self {
            end: Some(end),
            status,
            content: None,
            position: Cell::new(0),
        }
    }

    fn file(content: Option<&[u8]>, status: u32) -> Self {
        Self {
            end: None,
            status,
            content: content.map(|bytes| RefCell::new(bytes.to_vec())),
            position: Cell::new(0),
        }
    }

    fn pipe(status: u32) -> (Self, Self) {
        let (reader, writer) = End::pair().unwrap();
        let status = status | O_NONBLOCK;
        (
            Self::of(reader, status),
            Self::of(writer, status | O_WRONLY),
        )
    }

    fn unread(&self) -> usize {
        self.end.as_ref().unwrap().pipe().unread()
    }
}

impl OpenFile for Mock {
    fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }
    fn status(&self) -> u32 {
        self.status
    }
    fn reads(&self) -> bool {
        self.status & O_ACCMODE != O_WRONLY
    }
    fn writes(&self) -> bool {
        self.status & O_ACCMODE != O_RDONLY
    }
    fn has_position(&self) -> bool {
        self.content.is_some()
    }
    fn position(&self) -> u64 {
        self.position.get()
    }
    fn move_to(&self, position: u64) {
        self.position.set(position);
    }
    fn source(&self, at: u64) -> Option<impl Source> {
        let content = self.content.as_ref()?;
        Some(At(content, at as usize))
    }
    fn sink(&self, at: u64) -> Option<impl Sink> {
        let content = self.content.as_ref()?;
        Some(At(content, at as usize))
    }
}

struct At<'a>(&'a RefCell<Vec<u8>>, usize);

impl Source for At<'_> {
    fn next(&mut self, most: usize) -> Result<Option<Chunk>, Errno> {
        let content = self.0.borrow();
        let len = most.min(content.len().saturating_sub(self.1));
        if len == 0 {
            return Ok(None);
        }
        let page = Page::zeroed().unwrap();
        // SAFETY: the page is new, and larger than what is left of the file.
        unsafe { page.address().copy_from(content[self.1..].as_ptr(), len) };
        self.1 += len;
        Ok(Some(Chunk {
            page,
            offset: 0,
            len,
        }))
    }
}

impl Sink for At<'_> {
    fn accept(&mut self, page: &Page, offset: usize, len: usize) -> SysResult {
        let mut content = self.0.borrow_mut();
        let end = self.1 + len;
        if content.len() < end {
            content.resize(end, 0);
        }
        // SAFETY: the pipe says that these bytes are there.
        let bytes = unsafe { std::slice::from_raw_parts(page.address().add(offset), len) };
        content[self.1..end].copy_from_slice(bytes);
        self.1 = end;
        Ok(len)
    }
}

fn null<T>() -> UserPtr<T> {
    UserPtr::new(0)
}

fn at<T>(value: &mut T) -> UserPtr<T> {
    UserPtr::new((&raw mut *value).expose_provenance())
}

fn splice_all(input: &Mock, output: &Mock, len: usize) -> SysResult {
    splice_files(input, null(), output, null(), len, 0)
}

#[test]
fn a_pipe_takes_two_descriptors_or_none() {
    let mut fds = [0; 2];
    let mut taken = Vec::new();
    let flags = O_CLOEXEC | O_NONBLOCK | O_DIRECT;
    let made = make(
        at(&mut fds),
        flags,
        |end, status, cloexec| {
            taken.push((end, status, cloexec));
            Ok(taken.len() as i32 + 2)
        },
        |_| panic!("nothing failed"),
    );
    assert_eq!((made, fds), (Ok(0), [3, 4]));
    assert!(taken[0].0.is_same_pipe(&taken[1].0));
    // Packets are the writer's business.
    assert_eq!((taken[0].1, taken[0].2), (O_NONBLOCK, true));
    assert_eq!(taken[1].1, O_WRONLY | O_NONBLOCK | O_DIRECT);
    for bad in [1 << 31, O_WRONLY, linux_raw_sys::general::O_EXCL] {
        let made = make(at(&mut fds), bad, |_, _, _| panic!("flags"), |_| {});
        assert_eq!(made, Err(Errno::EINVAL));
    }
}

#[test]
fn a_pipe_that_cannot_be_told_is_closed_again() {
    let removed = RefCell::new(Vec::new());
    let try_with = |address, limit| {
        let mut next = 5;
        make(
            UserPtr::new(address),
            0,
            |_, _, _| {
                next += 1;
                if next > limit {
                    Err(Errno::EMFILE)
                } else {
                    Ok(next)
                }
            },
            |fd| removed.borrow_mut().push(fd),
        )
    };
    assert_eq!(try_with(usize::MAX - 99, 9), Err(Errno::EFAULT));
    assert_eq!(removed.take(), [7, 6]);
    let mut fds = [0; 2];
    let address = (&raw mut fds).expose_provenance();
    assert_eq!(try_with(address, 6), Err(Errno::EMFILE));
    assert_eq!(removed.take(), [6]);
    assert_eq!(
        (try_with(address, 5), removed.take().len()),
        (Err(Errno::EMFILE), 0)
    );
}

#[test]
fn bytes_go_between_files_and_pipes_and_positions_follow() {
    let (reader, writer) = Mock::pipe(0);
    let file = Mock::file(Some(b"0123456789"), O_RDWR);
    assert_eq!(splice_all(&file, &writer, 4), Ok(4));
    assert_eq!((file.position.get(), writer.unread()), (4, 4));
    let mut offset = 8i64;
    let spliced = splice_files(&file, at(&mut offset), &writer, null(), 99, 0);
    assert_eq!((spliced, offset, file.position.get()), (Ok(2), 10, 4));
    let spliced = splice_files(&file, at(&mut offset), &writer, null(), 99, 0);
    assert_eq!((spliced, offset), (Ok(0), 10));
    let spliced = splice_files(&reader, null(), &file, at(&mut offset), 5, 0);
    assert_eq!((spliced, offset), (Ok(5), 15));
    assert_eq!(splice_all(&reader, &file, 99), Ok(1));
    assert_eq!(
        file.content.as_ref().unwrap().take(),
        b"0123956789"
            .iter()
            .chain(b"01238")
            .copied()
            .collect::<Vec<u8>>()
    );
    assert_eq!(file.position.get(), 5);
    assert_eq!(splice_all(&reader, &file, 99), Err(Errno::EAGAIN));
}

#[test]
fn splice_refuses_in_the_order_of_linux() {
    let (reader, writer) = Mock::pipe(0);
    let file = Mock::file(Some(b"0123456789"), O_RDWR);
    let odd = Mock::file(None, O_RDWR);
    let bad = UserPtr::new(usize::MAX - 99);
    let mut offset = 0i64;
    let run = |input, from, output, to| splice_files(input, from, output, to, 9, 0);
    // A pipe has no offset, wherever it points.
    assert_eq!(run(&reader, bad, &file, bad), Err(Errno::ESPIPE));
    assert_eq!(run(&file, bad, &writer, bad), Err(Errno::ESPIPE));
    assert_eq!(run(&file, bad, &writer, null()), Err(Errno::EFAULT));
    assert_eq!(run(&writer, null(), &file, bad), Err(Errno::EFAULT));
    assert_eq!(run(&writer, null(), &reader, null()), Err(Errno::EBADF));
    assert_eq!(run(&reader, null(), &writer, null()), Err(Errno::EINVAL));
    assert_eq!(run(&file, null(), &file, null()), Err(Errno::EINVAL));
    assert_eq!(
        run(&odd, at(&mut offset), &writer, null()),
        Err(Errno::EINVAL)
    );
    assert_eq!(run(&odd, null(), &writer, null()), Err(Errno::EINVAL));
    assert_eq!(run(&reader, null(), &odd, null()), Err(Errno::EINVAL));
    let appending = Mock::file(Some(b""), O_RDWR | O_APPEND);
    assert_eq!(run(&reader, null(), &appending, null()), Err(Errno::EINVAL));
    for mut wrong in [-1, i64::MAX - 8] {
        let spliced = run(&file, at(&mut wrong), &writer, null());
        assert_eq!(spliced, Err(Errno::EINVAL));
    }
    let endless = splice_files(&file, null(), &writer, null(), usize::MAX, 0);
    assert_eq!(endless, Err(Errno::EINVAL));
    // Only when there is room is the file asked.
    let end = writer.end().unwrap();
    assert_eq!(end.pipe().set_size(4096, false), Ok(4096));
    assert_eq!(splice_all(&file, &writer, 9), Ok(9));
    assert_eq!(run(&odd, null(), &writer, null()), Err(Errno::EAGAIN));
}

#[test]
fn tee_wants_two_pipes() {
    let (reader, writer) = Mock::pipe(0);
    let (far_reader, far_writer) = Mock::pipe(0);
    let file = Mock::file(Some(b"0123456789"), O_RDWR);
    assert_eq!(splice_all(&file, &writer, 99), Ok(10));
    assert_eq!(tee_files(&reader, &far_writer, 4, 0), Ok(4));
    assert_eq!((far_reader.unread(), reader.unread()), (4, 10));
    assert_eq!(splice_all(&reader, &far_writer, 99), Ok(10));
    assert_eq!(tee_files(&reader, &far_writer, 4, 0), Err(Errno::EAGAIN));
    assert_eq!(tee_files(&reader, &writer, 4, 0), Err(Errno::EINVAL));
    assert_eq!(tee_files(&file, &writer, 4, 0), Err(Errno::EINVAL));
    assert_eq!(tee_files(&writer, &far_writer, 4, 0), Err(Errno::EBADF));
}

#[test]
fn vmsplice_goes_where_the_file_is_open_for() {
    let (reader, writer) = Mock::pipe(0);
    let mut bytes = *b"user";
    let part = UserSlice::new((&raw mut bytes).expose_provenance(), 4);
    assert_eq!(vmsplice_file(&writer, once(part), 4, 0), Ok(4));
    bytes = *b"gone";
    assert_eq!(vmsplice_file(&reader, once(part), 4, 0), Ok(4));
    assert_eq!(&bytes, b"user");
    // O_NONBLOCK does not count here, the flag does.
    assert_eq!(
        vmsplice_file(&reader, once(part), 4, SPLICE_F_NONBLOCK),
        Err(Errno::EAGAIN)
    );
    let file = Mock::file(Some(b""), O_RDWR);
    assert_eq!(vmsplice_file(&file, once(part), 4, 0), Err(Errno::EBADF));
    assert_eq!(vmsplice_file(&file, once(part), 0, 0), Ok(0));
    assert_eq!(check_flags(16), Err(Errno::EINVAL));
    assert_eq!(check_flags(15), Ok(()));
}

#[test]
fn sizes_are_the_pipes_alone() {
    let (reader, _writer) = Mock::pipe(0);
    let size = |command, argument| control(reader.end(), command, argument, false);
    assert_eq!(size(F_GETPIPE_SZ, 0), Some(Ok(65536)));
    assert_eq!(size(F_SETPIPE_SZ, (1 << 32) + 5000), Some(Ok(8192)));
    assert_eq!(size(F_SETPIPE_SZ, usize::MAX), Some(Err(Errno::EINVAL)));
    assert_eq!(size(F_GETPIPE_SZ, 0), Some(Ok(8192)));
    assert_eq!(size(1, 0), None);
    for command in [F_GETPIPE_SZ, F_SETPIPE_SZ] {
        assert_eq!(control(None, command, 0, true), Some(Err(Errno::EBADF)));
    }
}
