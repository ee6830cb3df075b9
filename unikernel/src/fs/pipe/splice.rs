//! splice(2), tee(2) and vmsplice(2): pages change hands instead of being copied.
//!
//! From pipe to pipe, and between a pipe and a file, a page goes by reference. A page that two have
//! is written by neither: the pipe appends only to pages of its own, and a file gets itself a copy
//! of a shared page before it changes it. vmsplice(2) copies, in both directions; so, unlike on
//! Linux, what the application does to its memory afterwards is not seen in the pipe.

use super::ring::Buffer;
use super::{Pipe, State};
use crate::errno::{Errno, SysResult};
use crate::fs::page::Page;
use crate::mm::PAGE;
use crate::sync::Inside;
use crate::uaccess::UserSlice;
use core::ptr;

/// A part of a page.
pub struct Chunk {
    /// The page, perhaps shared.
    pub page: Page,
    /// First byte in the page.
    pub offset: usize,
    /// Bytes: at least 1, inside the page.
    pub len: usize,
}

/// What can be spliced into a pipe. It keeps its position itself.
pub trait Source {
    /// The next bytes, at most `most` (not 0). `None` at the end. It may sleep: no lock is held.
    fn next(&mut self, most: usize) -> Result<Option<Chunk>, Errno>;
}

/// What a pipe can be spliced into. It keeps its position itself.
pub trait Sink {
    /// Takes `len` bytes (not 0) at `offset` of `page`, by copy, or by a reference of its own if
    /// that is the whole page. Returns how many it took. It must not sleep: the pipe is locked.
    fn accept(&mut self, page: &Page, offset: usize, len: usize) -> SysResult;
}

/// Locks two different pipes, always in the same order.
fn lock_both<'a>(a: &'a Pipe, b: &'a Pipe) -> (Inside<'a, State>, Inside<'a, State>) {
    debug_assert!(!ptr::eq(a, b));
    if ptr::from_ref(a) < ptr::from_ref(b) {
        let first = a.lock();
        (first, b.lock())
    } else {
        let second = b.lock();
        (a.lock(), second)
    }
}

/// What became of a pass over two pipes.
enum Pass {
    Done(usize),
    /// Nothing was there or nothing fitted, though both were just seen.
    Again,
}

/// Moves up to `len` bytes from `input` to `output`: whole buffers as they are, of the last one a
/// part by reference.
fn move_buffers(input: &mut State, output: &mut State, len: usize) -> Result<Pass, Errno> {
    if output.readers == 0 {
        return Err(Errno::EPIPE);
    }
    let mut left = len;
    while left > 0 && !output.ring.is_full() {
        let Some(buffer) = input.ring.front() else {
            break;
        };
        let n = buffer.len().min(left);
        // There is room: the loop's condition.
        if n == buffer.len() {
            let _ = input.ring.pop().map(|whole| output.ring.push(whole));
        } else {
            let _ = output.ring.push(buffer.duplicate(n));
            buffer.consume(n);
        }
        left -= n;
    }
    let ended = input.ring.is_empty() && input.writers == 0;
    match len - left {
        0 if !ended => Ok(Pass::Again),
        moved => Ok(Pass::Done(moved)),
    }
}

/// splice(2) from pipe to pipe: moves up to `len` bytes (not 0) without copying. Waits until there
/// is something and until it fits. Returns the bytes moved, 0 at the end of `input`. Errors:
/// `EPIPE`, `EAGAIN`, `EINTR`. The pipes are different ones.
pub fn splice(input: &Pipe, output: &Pipe, len: usize, nonblocking: bool) -> SysResult {
    loop {
        input.wait_for_content(nonblocking)?;
        output.wait_for_room(nonblocking)?;
        let pass = {
            let (mut from, mut to) = lock_both(input, output);
            move_buffers(&mut from, &mut to, len)?
        };
        if let Pass::Done(moved) = pass {
            output.readable.wake();
            input.writable.wake();
            return Ok(moved);
        }
        if nonblocking {
            return Err(Errno::EAGAIN);
        }
    }
}

/// tee(2): gives `output` up to `len` bytes (not 0) of `input`, which keeps them. Waits until there
/// is something and until it fits. Returns the bytes, 0 at the end of `input`. Errors: `EPIPE`,
/// `EAGAIN`, `EINTR`. The pipes are different ones.
pub fn tee(input: &Pipe, output: &Pipe, len: usize, nonblocking: bool) -> SysResult {
    input.wait_for_content(nonblocking)?;
    output.wait_for_room(nonblocking)?;
    let mut left = len;
    {
        let (from, mut to) = lock_both(input, output);
        if to.readers == 0 {
            return Err(Errno::EPIPE);
        }
        for buffer in from.ring.iter() {
            if left == 0 || to.ring.is_full() {
                break;
            }
            let n = buffer.len().min(left);
            // There is room: just checked.
            let _ = to.ring.push(buffer.duplicate(n));
            left -= n;
        }
    }
    output.readable.wake();
    Ok(len - left)
}

impl Pipe {
    /// splice(2) and sendfile(2) from a file: up to `len` bytes (not 0), as many as there is room
    /// for. Waits for room first. Returns the bytes, 0 at the end of the file. Errors, if nothing
    /// was spliced: `EPIPE`, `EAGAIN`, `EINTR`, and the file's.
    pub fn splice_from(
        &self,
        source: &mut impl Source,
        len: usize,
        nonblocking: bool,
    ) -> SysResult {
        self.wait_for_room(nonblocking)?;
        let mut done = 0;
        while done < len && !self.lock().ring.is_full() {
            match source.next((len - done).min(PAGE)) {
                Ok(Some(chunk)) => {
                    let bytes = chunk.len;
                    if let Err(error) = self.put(chunk) {
                        return or_done(done, error);
                    }
                    done += bytes;
                }
                Ok(None) => break,
                Err(error) => return or_done(done, error),
            }
        }
        Ok(done)
    }

    /// Appends a buffer, for which there was room; there may be none any more if reading it from
    /// its file took a sleep.
    fn put(&self, chunk: Chunk) -> Result<(), Errno> {
        let mut buffer = Buffer::shared(chunk.page, chunk.offset, chunk.len);
        loop {
            let result = self.lock().ring.push(buffer);
            match result {
                Ok(()) => break self.readable.wake(),
                Err(back) => buffer = back,
            }
            self.wait_for_room(false)?;
        }
        Ok(())
    }

    /// splice(2) to a file: up to `len` bytes (not 0), as many as there are. Waits for the first.
    /// Returns the bytes, 0 at the end of the pipe. Errors, if nothing was spliced: `EAGAIN`,
    /// `EINTR`, and the file's.
    pub fn splice_to(&self, sink: &mut impl Sink, len: usize, nonblocking: bool) -> SysResult {
        self.wait_for_content(nonblocking)?;
        let mut left = len;
        let result = self.lock().drain(sink, &mut left);
        self.writable.wake();
        match result {
            Err(error) => or_done(len - left, error),
            Ok(()) => Ok(len - left),
        }
    }

    /// vmsplice(2) to the pipe: copies `parts` in, each page's part a buffer of its own as on Linux,
    /// until there is no more room. Waits for room first. Errors, if nothing was copied: `EPIPE`,
    /// `EAGAIN`, `EFAULT`, `EINTR`, `ENOMEM`.
    pub fn vmsplice_from(
        &self,
        parts: impl Iterator<Item = UserSlice>,
        nonblocking: bool,
    ) -> SysResult {
        self.wait_for_room(nonblocking)?;
        let mut done = 0;
        let result = self.lock().gather(parts, &mut done);
        self.readable.wake();
        match result {
            Err(error) => or_done(done, error),
            Ok(()) => Ok(done),
        }
    }

    /// vmsplice(2) from the pipe: copies up to `total` bytes to `parts`. As [`read`](Pipe::read),
    /// but `O_NONBLOCK` does not count, and packets are bytes.
    pub fn vmsplice_to(
        &self,
        parts: impl Iterator<Item = UserSlice>,
        total: usize,
        nonblocking: bool,
    ) -> SysResult {
        self.receive(parts, total, nonblocking, false)
    }
}

/// An error counts only when nothing was done before.
fn or_done(done: usize, error: Errno) -> SysResult {
    match done {
        0 => Err(error),
        _ => Ok(done),
    }
}

impl State {
    /// Gives the content to `sink`, up to `left` bytes, which it counts down.
    fn drain(&mut self, sink: &mut impl Sink, left: &mut usize) -> Result<(), Errno> {
        while *left > 0
            && let Some(buffer) = self.ring.front()
        {
            let n = buffer.len().min(*left);
            let taken = sink.accept(buffer.page(), buffer.offset(), n)?.min(n);
            *left -= taken;
            if buffer.consume(taken) {
                self.retire();
            }
            if taken < n {
                break;
            }
        }
        Ok(())
    }

    /// Copies in what fits, and counts it.
    fn gather(
        &mut self,
        parts: impl Iterator<Item = UserSlice>,
        done: &mut usize,
    ) -> Result<(), Errno> {
        for mut part in parts {
            while !part.is_empty() {
                if self.ring.is_full() {
                    return Ok(());
                }
                let len = part.len().min(PAGE - part.start() % PAGE);
                let page = self.blank()?;
                // Inside one page of the application's: all of it is there, or nothing.
                if page.write(0, part.take(len)) != Ok(len) {
                    self.recycle(page);
                    return Err(Errno::EFAULT);
                }
                // There is room: just checked.
                let _ = self.ring.push(Buffer::shared(page, 0, len));
                *done += len;
                part = part.skip(len);
            }
        }
        Ok(())
    }
}
