//! eventfd(2).

use crate::errno::{Errno, SysResult};
use crate::uaccess::{UserPtr, UserSlice};
use crate::wait::Queue;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use linux_raw_sys::general::{POLLIN, POLLOUT};

/// The largest value that writes can bring it to.
const MOST: u64 = u64::MAX - 1;
const SIZE: usize = size_of::<u64>();

/// The counter of an eventfd.
#[derive(Debug)]
pub struct Counter {
    value: AtomicU64,
    /// `EFD_SEMAPHORE`: a read takes one, not all.
    semaphore: bool,
    readable: Queue,
    writable: Queue,
}

impl Counter {
    /// A counter at `value`.
    pub const fn new(value: u32, semaphore: bool) -> Self {
        Self {
            value: AtomicU64::new(value as u64),
            semaphore,
            readable: Queue::new(),
            writable: Queue::new(),
        }
    }

    fn value(&self) -> u64 {
        self.value.load(Relaxed)
    }

    /// Takes the value, or one of it, and writes it as a word of 8 bytes. Waits while it is 0.
    /// Errors: `EINVAL` (no room for a word), `EAGAIN`, `EINTR`, `EFAULT` (and it is taken, as on
    /// Linux).
    pub fn read(&self, to: UserSlice, nonblocking: bool) -> SysResult {
        if to.len() < SIZE {
            return Err(Errno::EINVAL);
        }
        while self.value() == 0 {
            if nonblocking {
                return Err(Errno::EAGAIN);
            }
            self.readable.wait(|| self.value() != 0)?;
        }
        let taken = if self.semaphore { 1 } else { self.value() };
        self.value.store(self.value() - taken, Relaxed);
        self.writable.wake();
        UserPtr::<u64>::new(to.start()).write(&taken)?;
        Ok(SIZE)
    }

    /// Adds a word of 8 bytes. Waits while the sum would be too large. Errors: `EINVAL` (shorter, or
    /// the word is 2^64-1), `EAGAIN`, `EINTR`, `EFAULT`.
    pub fn write(&self, from: UserSlice, nonblocking: bool) -> SysResult {
        if from.len() < SIZE {
            return Err(Errno::EINVAL);
        }
        let more = UserPtr::<u64>::new(from.start()).read()?;
        if more > MOST {
            return Err(Errno::EINVAL);
        }
        let fits = || MOST - self.value() >= more;
        while !fits() {
            if nonblocking {
                return Err(Errno::EAGAIN);
            }
            self.writable.wait(fits)?;
        }
        self.value.store(self.value() + more, Relaxed);
        self.readable.wake();
        Ok(SIZE)
    }

    /// The same, if it can be done at once and nobody is to be told.
    #[inline(always)]
    pub fn read_short(&self, to: UserSlice) -> Option<usize> {
        let value = self.value();
        if to.len() < SIZE || value == 0 || self.writable.has_waiters() {
            return None;
        }
        let taken = if self.semaphore { 1 } else { value };
        UserPtr::<u64>::new(to.start()).write_word(taken)?;
        self.value.store(value - taken, Relaxed);
        Some(SIZE)
    }

    /// The same for a write.
    #[inline(always)]
    pub fn write_short(&self, from: UserSlice) -> Option<usize> {
        if from.len() < SIZE || self.readable.has_waiters() {
            return None;
        }
        let mut more = 0_u64;
        // SAFETY: there is room for a word.
        unsafe { from.take(SIZE).read_all(&raw mut more as *mut u8) }?;
        if more > MOST - self.value() {
            return None;
        }
        self.value.store(self.value() + more, Relaxed);
        Some(SIZE)
    }

    /// The events of poll(2) that hold now.
    pub fn events(&self) -> u32 {
        let value = self.value();
        let mut events = 0;
        if value > 0 {
            events |= POLLIN;
        }
        if value < MOST {
            events |= POLLOUT;
        }
        events
    }

    /// Who waits for a value, and who waits for room.
    pub const fn queues(&self) -> [Option<&Queue>; 2] {
        [Some(&self.readable), Some(&self.writable)]
    }

    /// What `fdinfo` shows: the value, and whether it is a semaphore.
    pub fn shown(&self) -> (u64, bool) {
        (self.value(), self.semaphore)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(counter: &Counter) -> Result<u64, Errno> {
        let mut word = 0_u64;
        let to = UserSlice::new(&raw mut word as usize, 8);
        counter.read(to, true).map(|_| word)
    }

    fn write(counter: &Counter, word: u64) -> SysResult {
        counter.write(UserSlice::new(&raw const word as usize, 8), true)
    }

    #[test]
    fn it_is_read_at_once_or_by_ones() {
        let counter = Counter::new(3, false);
        assert_eq!(
            (read(&counter), read(&counter)),
            (Ok(3), Err(Errno::EAGAIN))
        );
        assert_eq!(counter.events(), POLLOUT);
        let semaphore = Counter::new(2, true);
        assert_eq!((read(&semaphore), read(&semaphore)), (Ok(1), Ok(1)));
        assert_eq!(read(&semaphore), Err(Errno::EAGAIN));
    }

    #[test]
    fn short_cuts_do_what_is_done_at_once() {
        let counter = Counter::new(0, false);
        let word = AtomicU64::new(5);
        let slice = UserSlice::new(word.as_ptr() as usize, 8);
        assert_eq!(counter.read_short(slice), None);
        assert_eq!(counter.write_short(slice), Some(8));
        assert_eq!(counter.write_short(slice), Some(8));
        assert_eq!(counter.read_short(slice), Some(8));
        assert_eq!((word.load(Relaxed), counter.value()), (10, 0));
        word.store(MOST, Relaxed);
        assert_eq!(counter.write_short(slice), Some(8));
        word.store(1, Relaxed);
        assert_eq!(counter.write_short(slice), None);
        word.store(u64::MAX, Relaxed);
        assert_eq!(counter.write_short(slice), None);
        let short = UserSlice::new(slice.start(), 7);
        assert_eq!(counter.read_short(short), None);
        assert_eq!(counter.write_short(short), None);
        // Somebody has to be told.
        counter.writable.join();
        assert_eq!(counter.read_short(slice), None);
        let semaphore = Counter::new(2, true);
        assert_eq!(semaphore.read_short(slice), Some(8));
        assert_eq!((word.load(Relaxed), semaphore.value()), (1, 1));
    }

    #[test]
    fn it_does_not_overflow() {
        let counter = Counter::new(1, false);
        assert_eq!(write(&counter, u64::MAX), Err(Errno::EINVAL));
        assert_eq!(write(&counter, MOST), Err(Errno::EAGAIN));
        assert_eq!(write(&counter, MOST - 1), Ok(8));
        assert_eq!(counter.events(), POLLIN);
        assert_eq!(
            (write(&counter, 1), write(&counter, 0)),
            (Err(Errno::EAGAIN), Ok(8))
        );
        assert_eq!(read(&counter), Ok(MOST));
        let short = UserSlice::new(8, 7);
        assert_eq!(counter.read(short, true), Err(Errno::EINVAL));
        assert_eq!(counter.write(short, true), Err(Errno::EINVAL));
    }
}
