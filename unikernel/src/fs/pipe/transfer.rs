//! read(2) and write(2) on pipes.

use super::ring::Buffer;
use super::{Pipe, State, nonblocking, packets};
use crate::errno::{Errno, SysResult};
use crate::fs::page::Page;
use crate::mm::PAGE;
use crate::uaccess::UserSlice;

/// The application's buffers, one after the other.
pub struct Cursor<I> {
    current: UserSlice,
    rest: I,
}

impl<I: Iterator<Item = UserSlice>> Cursor<I> {
    /// Starts at the first part.
    #[inline]
    pub fn new(mut rest: I) -> Self {
        let current = rest.next().unwrap_or(UserSlice::new(0, 0));
        Self { current, rest }
    }

    /// Copies the next `len` bytes to `page`, from `offset` on. Returns whether all were there: not at
    /// a fault, and not when the parts end.
    #[inline]
    pub fn copy_in(&mut self, page: &Page, offset: usize, len: usize) -> bool {
        self.each(len, |part, done| page.write(offset + done, part))
    }

    /// Copies `len` bytes out of `page`, from `offset` on. Returns whether all of them went.
    #[inline]
    pub fn copy_out(&mut self, page: &Page, offset: usize, len: usize) -> bool {
        self.each(len, |part, done| page.read(offset + done, part))
    }

    /// Runs `copy(part, done)` until `len` bytes are done.
    #[inline]
    fn each(&mut self, len: usize, copy: impl Fn(UserSlice, usize) -> SysResult) -> bool {
        let mut done = 0;
        loop {
            let part = self.current.take(len - done);
            if !part.is_empty() {
                if copy(part, done) != Ok(part.len()) {
                    return false;
                }
                self.current = self.current.skip(part.len());
                done += part.len();
            }
            if done == len {
                return true;
            }
            match self.rest.next() {
                Some(next) => self.current = next,
                None => return false,
            }
        }
    }
}

impl State {
    /// Writes as much of the `left` bytes as there is room for, and counts `left` down. `EPIPE`,
    /// `EFAULT`, `ENOMEM`; what was written before stays. Linux counts by buffers, too: of one that
    /// cannot be filled to its end nothing is written.
    fn write<I: Iterator<Item = UserSlice>>(
        &mut self,
        from: &mut Cursor<I>,
        left: &mut usize,
        packets: bool,
    ) -> Result<(), Errno> {
        if self.readers == 0 {
            return Err(Errno::EPIPE);
        }
        self.append(from, left)?;
        while *left > 0 && !self.ring.is_full() {
            let page = self.blank()?;
            let len = (*left).min(PAGE);
            if !from.copy_in(&page, 0, len) {
                self.recycle(page);
                return Err(Errno::EFAULT);
            }
            // There is room: the loop's condition.
            let _ = self.ring.push(Buffer::written(page, len, packets));
            *left -= len;
        }
        Ok(())
    }

    /// Appends to the newest buffer what does not fill whole pages, if it fits there: small writes
    /// share a page, and the pages of large ones stay whole. All or nothing of it, hence atomic.
    #[inline]
    fn append<I: Iterator<Item = UserSlice>>(
        &mut self,
        from: &mut Cursor<I>,
        left: &mut usize,
    ) -> Result<(), Errno> {
        let odd = *left % PAGE;
        if odd == 0 {
            return Ok(());
        }
        let Some(last) = self.ring.back() else {
            return Ok(());
        };
        if let Some(end) = last.room_for(odd) {
            // Others who have the page (tee) look at bytes before the end.
            if !from.copy_in(last.page(), end, odd) {
                return Err(Errno::EFAULT);
            }
            last.extend(odd);
            *left -= odd;
        }
        Ok(())
    }

    /// Reads up to `left` bytes and counts them down; at most one packet if `packets` count.
    /// `EFAULT`: the buffer at which it happened stays whole, what was read before is gone.
    fn read<I: Iterator<Item = UserSlice>>(
        &mut self,
        to: &mut Cursor<I>,
        left: &mut usize,
        packets: bool,
    ) -> Result<(), Errno> {
        while *left > 0
            && let Some(buffer) = self.ring.front()
        {
            let len = buffer.len().min(*left);
            if !to.copy_out(buffer.page(), buffer.offset(), len) {
                return Err(Errno::EFAULT);
            }
            *left -= len;
            let packet = packets && buffer.is_packet();
            if buffer.consume(len) || packet {
                self.retire();
            }
            if packet {
                break;
            }
        }
        Ok(())
    }
}

impl Pipe {
    /// write(2) of `parts`, `total` bytes in all. Waits for room unless `flags` say `O_NONBLOCK`;
    /// up to 4096 bytes are written in one piece or not at all. Returns the bytes written: fewer when
    /// there is no more room and it may not wait, at a bad pointer, or when the last reader leaves.
    /// Errors, if nothing was written: `EPIPE`, `EAGAIN`, `EFAULT`, `EINTR`, `ENOMEM`.
    #[inline]
    pub fn write<I: Iterator<Item = UserSlice>>(
        &self,
        parts: I,
        total: usize,
        flags: u32,
    ) -> SysResult {
        if total == 0 {
            return Ok(0);
        }
        let mut from = Cursor::new(parts);
        let mut left = total;
        loop {
            let mut result = self.lock().write(&mut from, &mut left, packets(flags));
            self.readable.wake();
            if left == 0 {
                return Ok(total);
            }
            if result.is_ok() {
                result = self.wait_to_write(flags);
            }
            if let Err(error) = result {
                return if left < total {
                    Ok(total - left)
                } else {
                    Err(error)
                };
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_to_write(&self, flags: u32) -> Result<(), Errno> {
        if nonblocking(flags) {
            return Err(Errno::EAGAIN);
        }
        let ready = || self.lock().has_room_or_end();
        Ok(self.writable.wait(ready)?)
    }

    /// read(2) into `parts`, `total` bytes in all. Waits for the first byte unless `flags` say
    /// `O_NONBLOCK`. Returns the bytes read: 0 when there is nothing and no writer. Errors, if
    /// nothing was read: `EAGAIN`, `EFAULT`, `EINTR`.
    #[inline]
    pub fn read<I: Iterator<Item = UserSlice>>(
        &self,
        parts: I,
        total: usize,
        flags: u32,
    ) -> SysResult {
        self.receive(parts, total, nonblocking(flags), true)
    }

    /// [`read`](Self::read), and vmsplice(2) from a pipe, for which packets are bytes.
    #[inline]
    pub(super) fn receive<I: Iterator<Item = UserSlice>>(
        &self,
        parts: I,
        total: usize,
        nonblocking: bool,
        packets: bool,
    ) -> SysResult {
        if total == 0 {
            return Ok(0);
        }
        let mut to = Cursor::new(parts);
        let mut left = total;
        loop {
            let mut state = self.lock();
            let result = state.read(&mut to, &mut left, packets);
            let ended = state.writers == 0;
            drop(state);
            if left < total {
                self.writable.wake();
                return Ok(total - left);
            }
            result?;
            if ended {
                return Ok(0);
            }
            self.wait_for_content(nonblocking)?;
        }
    }
}
