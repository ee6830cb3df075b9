//! Ends of pipes, and FIFOs: opening, closing, poll readiness.

use super::Pipe;
use crate::errno::{Errno, SysResult};
use crate::sync::SpinLock;
use crate::uaccess::UserSlice;
use crate::wait::Queue;
use alloc::sync::{Arc, Weak};
use core::fmt;
use linux_raw_sys::general::{
    O_ACCMODE, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, POLLERR, POLLHUP, POLLIN, POLLOUT,
    POLLRDNORM, POLLWRNORM,
};

/// An open file's hold on a pipe. Dropping it closes the end.
pub struct End {
    pipe: Arc<Pipe>,
    reads: bool,
    writes: bool,
    /// `write_opens` when it was opened to read, without waiting, before there was a writer: no
    /// hang-up is reported until one has come. Otherwise 0, which the count is not.
    before_writers: u32,
}

impl End {
    /// pipe(2): the reading end and the writing end of a new pipe. `ENOMEM`.
    pub fn pair() -> Result<(Self, Self), Errno> {
        let pipe = Arc::new(Pipe::new()?);
        let (reader, _) = Self::join(pipe.clone(), O_RDONLY)?;
        let (writer, _) = Self::join(pipe, O_WRONLY)?;
        Ok((reader, writer))
    }

    /// Counts a new end of the access mode in `flags`, and tells those who wait for it. If there is
    /// nobody on the other side, also how many had been opened there by then.
    fn join(pipe: Arc<Pipe>, flags: u32) -> Result<(Self, Option<u32>), Errno> {
        let (reads, writes) = match flags & O_ACCMODE {
            O_RDONLY => (true, false),
            O_WRONLY => (false, true),
            O_RDWR => (true, true),
            _ => return Err(Errno::EINVAL),
        };
        let mut state = pipe.lock();
        if reads {
            state.readers += 1;
            state.read_opens = state.read_opens.wrapping_add(1);
        }
        if writes {
            state.writers += 1;
            state.write_opens = state.write_opens.wrapping_add(1);
        }
        let partners = if reads {
            (state.writers, state.write_opens)
        } else {
            (state.readers, state.read_opens)
        };
        drop(state);
        pipe.readable.wake();
        let end = Self {
            pipe,
            reads,
            writes,
            before_writers: 0,
        };
        Ok((end, (partners.0 == 0).then_some(partners.1)))
    }

    /// Sleeps until somebody has opened the other side, be it that they closed it again since:
    /// until `opens` is not their number any more.
    fn wait_for_partner(&self, opens: u32) -> Result<(), Errno> {
        let came = || {
            let state = self.pipe.lock();
            opens
                != if self.reads {
                    state.write_opens
                } else {
                    state.read_opens
                }
        };
        Ok(self.pipe.readable.wait(came)?)
    }

    /// The pipe, for what does not depend on the end.
    #[inline]
    pub fn pipe(&self) -> &Pipe {
        &self.pipe
    }

    /// Whether both are ends of one pipe.
    pub fn is_same_pipe(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pipe, &other.pipe)
    }

    /// See [`Pipe::read`]. Whether the file is open for reading, the caller has checked.
    #[inline]
    pub fn read(
        &self,
        parts: impl Iterator<Item = UserSlice>,
        total: usize,
        flags: u32,
    ) -> SysResult {
        self.pipe.read(parts, total, flags)
    }

    /// See [`Pipe::write`]. Whether the file is open for writing, the caller has checked.
    #[inline]
    pub fn write(
        &self,
        parts: impl Iterator<Item = UserSlice>,
        total: usize,
        flags: u32,
    ) -> SysResult {
        self.pipe.write(parts, total, flags)
    }

    /// Whether a write, splice, tee or vmsplice of `total` bytes with this `result` has to raise
    /// SIGPIPE: it failed for want of readers, or the last one left while it waited for room.
    #[inline]
    pub fn lost_reader(&self, result: SysResult, total: usize) -> bool {
        match result {
            Ok(written) => written < total && self.has_no_reader(),
            Err(error) => error == Errno::EPIPE,
        }
    }

    #[cold]
    #[inline(never)]
    fn has_no_reader(&self) -> bool {
        self.pipe.lock().readers == 0
    }

    /// The events of poll(2) that hold now: an end to read from reports `POLLIN` and `POLLHUP`, one
    /// to write to `POLLOUT` and `POLLERR`.
    pub fn events(&self) -> u32 {
        let state = self.pipe.lock();
        let mut events = 0;
        if self.reads {
            if !state.ring.is_empty() {
                events |= POLLIN | POLLRDNORM;
            }
            if state.writers == 0 && state.write_opens != self.before_writers {
                events |= POLLHUP;
            }
        }
        if self.writes {
            if !state.ring.is_full() {
                events |= POLLOUT | POLLWRNORM;
            }
            if state.readers == 0 {
                events |= POLLERR;
            }
        }
        events
    }

    /// The queues that are woken when [`events`](Self::events) may have changed.
    pub fn queues(&self) -> [Option<&Queue>; 2] {
        [
            self.reads.then_some(&self.pipe.readable),
            self.writes.then_some(&self.pipe.writable),
        ]
    }

    /// Places at the [queues](Self::queues).
    #[cfg(test)]
    pub fn enrol(&self) -> [Option<crate::wait::Enrolment<'_>>; 2] {
        self.queues()
            .map(|queue| queue.map(crate::wait::Enrolment::at))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let one_sided = {
            let mut state = self.pipe.lock();
            state.readers -= u32::from(self.reads);
            state.writers -= u32::from(self.writes);
            (state.readers == 0) != (state.writers == 0)
        };
        if one_sided {
            self.pipe.readable.wake();
            self.pipe.writable.wake();
        }
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("End")
            .field("pipe", &Arc::as_ptr(&self.pipe))
            .field("reads", &self.reads)
            .field("writes", &self.writes)
            .finish()
    }
}

/// What a FIFO's inode has: the pipe, as long as somebody has it open. What is in it when the last
/// end is closed is gone.
pub struct Fifo(SpinLock<Weak<Pipe>>);

impl Fifo {
    /// A FIFO that nobody has open.
    #[allow(
        clippy::new_without_default,
        reason = "const, like the inode around it"
    )]
    pub const fn new() -> Self {
        Self(SpinLock::new(Weak::new()))
    }

    /// What the inode of a nameless pipe has, so that it can be opened again through
    /// `/proc/self/fd`.
    pub fn of(end: &End) -> Self {
        Self(SpinLock::new(Arc::downgrade(&end.pipe)))
    }

    /// open(2): to read or to write waits for the other side, unless `flags` say `O_NONBLOCK`; to do
    /// both never waits. The caller holds no lock. Errors: `ENXIO` (to write, without waiting, and
    /// nobody reads), `EINTR`, `EINVAL` (no access mode), `ENOMEM`.
    pub fn open(&self, flags: u32) -> Result<End, Errno> {
        let pipe = self.pipe()?;
        let nonblocking = flags & O_NONBLOCK != 0;
        if nonblocking && flags & O_ACCMODE == O_WRONLY && pipe.lock().readers == 0 {
            return Err(Errno::ENXIO);
        }
        let (mut end, alone) = End::join(pipe, flags)?;
        match alone {
            None => {}
            Some(opens) if nonblocking => end.before_writers = opens,
            // Interrupted, the end is dropped, and so is not counted any more.
            Some(opens) => end.wait_for_partner(opens)?,
        }
        Ok(end)
    }

    /// Opens a nameless pipe again, through `/proc/self/fd`: it never waits, and `ENXIO` says that
    /// its last end is gone.
    pub fn reopen(&self, flags: u32) -> Result<End, Errno> {
        let pipe = self.0.lock_no_irq().upgrade().ok_or(Errno::ENXIO)?;
        End::join(pipe, flags).map(|(end, _)| end)
    }

    pub(super) fn pipe(&self) -> Result<Arc<Pipe>, Errno> {
        let mut current = self.0.lock_no_irq();
        if let Some(pipe) = current.upgrade() {
            return Ok(pipe);
        }
        let pipe = Arc::new(Pipe::new()?);
        *current = Arc::downgrade(&pipe);
        Ok(pipe)
    }
}

impl fmt::Debug for Fifo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fifo")
    }
}
