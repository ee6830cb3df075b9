//! Pipes and FIFOs (pipe(7), fifo(7)).
//!
//! A [`Pipe`] is a ring of page buffers. What goes through it is copied once in and once out, or not
//! at all where pages are spliced. An open file has an [`End`] of it, from [`End::pair`] (pipe(2))
//! or [`Fifo::open`] (a FIFO's inode has a [`Fifo`]); ends are what readers and writers are counted
//! by.
//!
//! Reads and writes try first; only who finds nothing, or no room, sleeps, on a queue of its own
//! and without the lock. The lock is held for one pass over the ring, user copies included: they
//! fault to a short count and never sleep.
//!
//! - [`ring`]: the buffers;
//! - [`mod@transfer`]: read(2) and write(2);
//! - [`short`]: the common case of them, for a few bytes;
//! - [`splice`]: splice(2), tee(2), vmsplice(2);
//! - [`open`]: ends and FIFOs.
//!
//! Status flags arrive as `F_GETFL` would return them; `O_NONBLOCK` and `O_DIRECT` count. A write
//! without readers is `EPIPE`; SIGPIPE is the caller's to raise ([`End::lost_reader`]).

pub mod open;
pub mod ring;
pub mod short;
pub mod splice;
pub mod transfer;

#[cfg(test)]
mod tests;

pub use open::{End, Fifo};

use crate::errno::{Errno, SysResult};
use crate::fs::page::Page;
use crate::mm::PAGE;
use crate::sync::{Exclusive, Inside};
use crate::wait::Queue;
use linux_raw_sys::general::{O_DIRECT, O_NONBLOCK};
use ring::{Buffer, Ring};

/// Buffers of a new pipe: 64 KiB.
const DEFAULT_SLOTS: usize = 16;
/// The largest size that can be asked for (bytes).
const LARGEST: usize = 1 << 31;

// Writes of up to PIPE_BUF (4096) bytes are atomic because they fit a page.
const _: () = assert!(PAGE == 4096);

/// To how many bytes a pipe can be enlarged without privilege; `/proc/sys/fs/pipe-max-size` says so,
/// too.
const MAX_SIZE: usize = 1 << 20;

/// A size as pipes can have it: a power of two, at least a page. `EINVAL` above 2 GiB.
fn rounded(bytes: usize) -> Result<usize, Errno> {
    if bytes > LARGEST {
        return Err(Errno::EINVAL);
    }
    Ok(bytes.max(PAGE).next_power_of_two())
}

/// A pipe, or what a FIFO is while it is open.
pub struct Pipe {
    state: Exclusive<State>,
    /// Woken when there may be something to read, or an end was opened or closed.
    readable: Queue,
    /// Woken when there may be room, or an end was closed.
    writable: Queue,
}

/// What the lock guards.
struct State {
    ring: Ring,
    /// The last page that was emptied, for the next write.
    spare: Option<Page>,
    /// Ends open for reading, and for writing.
    readers: u32,
    writers: u32,
    /// Ends ever opened for reading, and for writing, from 1 on: who waits for a partner sees one
    /// that has gone again. They wrap.
    read_opens: u32,
    write_opens: u32,
}

impl State {
    /// A page to write to, its content whatever it was. `ENOMEM`.
    #[inline]
    fn blank(&mut self) -> Result<Page, Errno> {
        match self.spare.take() {
            Some(page) => Ok(page),
            None => new_page(),
        }
    }

    /// Takes back a page that the pipe needs no more.
    #[inline]
    fn recycle(&mut self, page: Page) {
        // Somebody else may still read a shared one: only the last owner may write again.
        if self.spare.is_none() && !page.is_shared() {
            self.spare = Some(page);
        }
    }

    /// Drops the oldest buffer.
    #[inline]
    fn retire(&mut self) {
        if let Some(page) = self.ring.pop_page() {
            self.recycle(page);
        }
    }

    /// Whether a read would not wait: there is something, or nobody will write.
    fn has_content_or_end(&self) -> bool {
        !self.ring.is_empty() || self.writers == 0
    }

    /// Whether a write would not wait: there is room, or nobody will read.
    fn has_room_or_end(&self) -> bool {
        !self.ring.is_full() || self.readers == 0
    }
}

#[inline(never)]
fn new_page() -> Result<Page, Errno> {
    Page::dirty().ok_or(Errno::ENOMEM)
}

impl Pipe {
    /// An empty pipe of 64 KiB without ends. `ENOMEM`.
    fn new() -> Result<Self, Errno> {
        let state = State {
            ring: Ring::new(DEFAULT_SLOTS)?,
            spare: None,
            readers: 0,
            writers: 0,
            read_opens: 1,
            write_opens: 1,
        };
        Ok(Self {
            state: Exclusive::new(state),
            readable: Queue::new(),
            writable: Queue::new(),
        })
    }

    #[inline]
    fn lock(&self) -> Inside<'_, State> {
        self.state.lock()
    }

    /// Bytes in it: FIONREAD.
    pub fn unread(&self) -> usize {
        self.lock().ring.iter().map(Buffer::len).sum()
    }

    /// F_GETPIPE_SZ: the size in bytes, if every buffer is full.
    pub fn size(&self) -> usize {
        self.lock().ring.capacity() * PAGE
    }

    /// F_SETPIPE_SZ: sets the size to `bytes` or more, and returns what it is then. `EINVAL` (above
    /// 2 GiB), `EPERM` (enlarged above 1 MiB and not `privileged`, which is
    /// CAP_SYS_RESOURCE), `EBUSY` (too much in it), `ENOMEM`.
    pub fn set_size(&self, bytes: u32, privileged: bool) -> SysResult {
        let size = rounded(bytes as usize)?;
        let mut state = self.lock();
        if size > state.ring.capacity() * PAGE && size > MAX_SIZE && !privileged {
            return Err(Errno::EPERM);
        }
        state.ring.resize(size / PAGE)?;
        drop(state);
        self.writable.wake();
        Ok(size)
    }

    /// Sleeps until there is something to read or nobody will write. `EAGAIN` instead of sleeping,
    /// `EINTR`.
    fn wait_for_content(&self, nonblocking: bool) -> Result<(), Errno> {
        if self.lock().has_content_or_end() {
            return Ok(());
        }
        if nonblocking {
            return Err(Errno::EAGAIN);
        }
        let ready = || self.lock().has_content_or_end();
        Ok(self.readable.wait(ready)?)
    }

    /// Sleeps until a buffer fits. `EPIPE` when nobody reads, `EAGAIN` instead of sleeping, `EINTR`.
    pub fn wait_for_room(&self, nonblocking: bool) -> Result<(), Errno> {
        let look = || {
            let state = self.lock();
            (state.has_room_or_end(), state.readers > 0)
        };
        let (mut ready, mut read) = look();
        if !ready {
            if nonblocking {
                return Err(Errno::EAGAIN);
            }
            self.writable.wait(|| look().0)?;
            (ready, read) = look();
        }
        match (ready, read) {
            (_, false) => Err(Errno::EPIPE),
            (true, true) => Ok(()),
            // Somebody else was faster.
            (false, true) => self.wait_for_room(nonblocking),
        }
    }
}

/// Whether `O_NONBLOCK` is among the status flags.
const fn nonblocking(flags: u32) -> bool {
    flags & O_NONBLOCK != 0
}

/// Whether writes are packets: `O_DIRECT` among the status flags.
const fn packets(flags: u32) -> bool {
    flags & O_DIRECT != 0
}
