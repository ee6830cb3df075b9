//! Signals that wait: a set of numbers, and a queue of what they say.
//!
//! What a signal says lies in an entry of one [`Pool`] for the whole process. The first entries are
//! static, and a number of free ones is kept in stock, so that an interrupt can send a signal
//! without allocating. Without an entry a signal is a bit in the set, as on Linux.

use super::info::{SigInfo, code};
use super::{SIGRTMIN, bit};
use crate::errno::Errno;
use alloc::vec::Vec;

/// Entries that need no memory, and the number kept free for interrupts.
const STOCK: usize = 64;

/// No entry.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Entry {
    info: SigInfo,
    next: u32,
}

const EMPTY: Entry = Entry {
    info: SigInfo::new(0, 0),
    next: NONE,
};

/// The entries of all queues.
pub struct Pool {
    first: [Entry; STOCK],
    more: Vec<Entry>,
    /// Entries from here on have not been used yet.
    fresh: u32,
    free: u32,
    /// Entries that are in queues.
    queued: u32,
    /// How many may be (RLIMIT_SIGPENDING).
    pub limit: u64,
}

impl Pool {
    /// The pool, with its static entries, and `limit` for the rest.
    pub const fn new(limit: u64) -> Self {
        Self {
            first: [EMPTY; STOCK],
            more: Vec::new(),
            fresh: 0,
            free: NONE,
            queued: 0,
            limit,
        }
    }

    /// Signals queued in the whole process.
    pub const fn queued(&self) -> u32 {
        self.queued
    }

    fn at(&mut self, index: u32) -> &mut Entry {
        let index = index as usize;
        match index.checked_sub(STOCK) {
            None => &mut self.first[index],
            Some(index) => &mut self.more[index],
        }
    }

    fn size(&self) -> u32 {
        (STOCK + self.more.len()) as u32
    }

    /// Makes sure that the stock is there; not from an interrupt.
    pub fn fill(&mut self) {
        let spare = self.size() - self.queued;
        if (spare as usize) < STOCK / 2 && self.more.try_reserve(STOCK).is_ok() {
            self.more.resize(self.more.len() + STOCK, EMPTY);
        }
    }

    fn take(&mut self, info: SigInfo) -> Option<u32> {
        let index = self.free;
        let index = if index != NONE {
            self.free = self.at(index).next;
            index
        } else if self.fresh < self.size() {
            self.fresh += 1;
            self.fresh - 1
        } else {
            return None;
        };
        *self.at(index) = Entry { info, next: NONE };
        self.queued += 1;
        Some(index)
    }

    fn give_back(&mut self, index: u32) {
        self.at(index).next = self.free;
        self.free = index;
        self.queued -= 1;
        if self.queued == 0 && self.more.len() > STOCK {
            // Nothing refers to an entry: a burst is forgotten. The memory stays the vector's.
            self.more.truncate(STOCK);
            (self.fresh, self.free) = (0, NONE);
        }
    }
}

/// Pending signals of a thread or of the process.
pub struct Pending {
    /// Bit `n - 1` for signal `n`.
    pub set: u64,
    head: u32,
    tail: u32,
}

impl Pending {
    /// Nothing.
    pub const fn new() -> Self {
        Self {
            set: 0,
            head: NONE,
            tail: NONE,
        }
    }

    /// Adds a signal. A standard one is pending once. `EAGAIN` when a real-time signal that was
    /// not sent by kill(2) cannot be queued.
    pub fn push(&mut self, pool: &mut Pool, info: SigInfo) -> Result<(), Errno> {
        let number = info.signo as u32;
        let standard = number < SIGRTMIN;
        if standard && self.set & bit(number) != 0 {
            return Ok(());
        }
        // As on Linux, the limit holds for what programs queue, not for what the kernel sends.
        let unlimited = standard && info.code >= 0;
        let allowed = unlimited || u64::from(pool.queued) < pool.limit;
        match allowed.then(|| pool.take(info)).flatten() {
            Some(index) => {
                match self.tail {
                    NONE => self.head = index,
                    tail => pool.at(tail).next = index,
                }
                self.tail = index;
            }
            None if !standard && info.code != code::SI_USER => return Err(Errno::EAGAIN),
            None => {}
        }
        self.set |= bit(number);
        Ok(())
    }

    /// Takes entry `index`, which follows `before`, out of the queue.
    fn unlink(&mut self, pool: &mut Pool, before: u32, index: u32) -> SigInfo {
        let Entry { info, next } = *pool.at(index);
        match before {
            NONE => self.head = next,
            before => pool.at(before).next = next,
        }
        if self.tail == index {
            self.tail = before;
        }
        pool.give_back(index);
        info
    }

    /// Takes the first signal of a number that is pending, in the order in which they were sent.
    pub fn take(&mut self, pool: &mut Pool, number: u32) -> SigInfo {
        let (mut found, mut before, mut index) = (None, NONE, self.head);
        while index != NONE {
            let Entry { info, next } = *pool.at(index);
            if info.signo as u32 == number {
                if found.is_some() {
                    // Another one: the number stays in the set.
                    return self.taken(pool, found);
                }
                found = Some((before, index));
                if number < SIGRTMIN {
                    break;
                }
            }
            (before, index) = (index, next);
        }
        self.set &= !bit(number);
        match found {
            Some(_) => self.taken(pool, found),
            None => SigInfo::new(number as i32, code::SI_USER),
        }
    }

    fn taken(&mut self, pool: &mut Pool, found: Option<(u32, u32)>) -> SigInfo {
        let (before, index) = found.unwrap_or((NONE, NONE));
        self.unlink(pool, before, index)
    }

    /// The pending signal of a POSIX timer stands for `times` more expirations; for how many beside
    /// one. `None` when none is pending.
    pub fn expired_again(&mut self, pool: &mut Pool, timer: &SigInfo, times: u64) -> Option<u64> {
        if self.set & bit(timer.signo as u32) == 0 {
            return None;
        }
        let mut index = self.head;
        while index != NONE {
            let Entry { info, next } = pool.at(index);
            if info.is_of_same_timer(timer) {
                let overrun = info.overrun() + times;
                info.set_overrun(overrun);
                return Some(overrun);
            }
            index = *next;
        }
        None
    }

    /// The first queued signal that is the consequence of an instruction.
    pub fn synchronous(&mut self, pool: &mut Pool, among: u64) -> Option<u32> {
        let mut index = self.head;
        while index != NONE {
            let Entry { info, next } = *pool.at(index);
            let number = info.signo as u32;
            if info.code > code::SI_USER && among & bit(number) != 0 {
                return Some(number);
            }
            index = next;
        }
        None
    }

    /// Forgets the signals of a set.
    pub fn flush(&mut self, pool: &mut Pool, set: u64) {
        if self.set & set == 0 {
            return;
        }
        self.set &= !set;
        let (mut before, mut index) = (NONE, self.head);
        while index != NONE {
            let Entry { info, next } = *pool.at(index);
            if set & bit(info.signo as u32) != 0 {
                self.unlink(pool, before, index);
            } else {
                before = index;
            }
            index = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(signo: i32, value: u64) -> SigInfo {
        let mut info = SigInfo::new(signo, code::SI_QUEUE);
        info.fields[1] = value;
        info
    }

    #[test]
    fn standard_signals_are_pending_once_and_real_time_ones_in_order() {
        let (mut pool, mut pending) = (Pool::new(1000), Pending::new());
        for (signo, value) in [(40, 1), (10, 2), (40, 3), (10, 4), (41, 5), (40, 6)] {
            assert_eq!(pending.push(&mut pool, queued(signo, value)), Ok(()));
        }
        assert_eq!(pool.queued(), 5);
        let mut values = |number| pending.take(&mut pool, number).fields[1];
        assert_eq!([values(40), values(40), values(10)], [1, 3, 2]);
        assert_eq!(pending.set, bit(40) | bit(41));
        assert_eq!(pending.take(&mut pool, 40).fields[1], 6);
        assert_eq!(pending.take(&mut pool, 41).fields[1], 5);
        assert_eq!((pending.set, pool.queued()), (0, 0));
    }

    #[test]
    fn the_limit_is_for_what_programs_queue() {
        let (mut pool, mut pending) = (Pool::new(2), Pending::new());
        assert_eq!(pending.push(&mut pool, queued(34, 1)), Ok(()));
        assert_eq!(pending.push(&mut pool, queued(34, 2)), Ok(()));
        assert_eq!(pending.push(&mut pool, queued(34, 3)), Err(Errno::EAGAIN));
        // kill(2) of a real-time signal: a bit. The kernel's: queued.
        let user = SigInfo::from_process(35, code::SI_USER, 1, 2);
        assert_eq!(pending.push(&mut pool, user), Ok(()));
        assert_eq!(pending.take(&mut pool, 35), SigInfo::new(35, code::SI_USER));
        assert_eq!(pending.push(&mut pool, SigInfo::fault(11, 1, 7)), Ok(()));
        assert_eq!(pool.queued(), 3);
        assert_eq!(pending.synchronous(&mut pool, bit(11)), Some(11));
    }

    #[test]
    fn a_burst_grows_the_pool_and_is_forgotten() {
        let (mut pool, mut pending) = (Pool::new(u64::MAX), Pending::new());
        for value in 0..1000 {
            pool.fill();
            pending.push(&mut pool, queued(50, value)).unwrap();
        }
        assert_eq!(pool.queued(), 1000);
        for value in 0..1000 {
            assert_eq!(pending.take(&mut pool, 50).fields[1], value);
        }
        assert_eq!((pool.queued(), pool.more.len()), (0, STOCK));
    }

    #[test]
    fn flushing_leaves_the_others() {
        let (mut pool, mut pending) = (Pool::new(99), Pending::new());
        for signo in [40, 18, 41, 40] {
            pending.push(&mut pool, queued(signo, 0)).unwrap();
        }
        pending.flush(&mut pool, bit(40) | bit(1));
        assert_eq!((pending.set, pool.queued()), (bit(18) | bit(41), 2));
        pending.push(&mut pool, queued(40, 9)).unwrap();
        assert_eq!(pending.take(&mut pool, 40).fields[1], 9);
        pending.flush(&mut pool, !0);
        assert_eq!((pending.set, pool.queued()), (0, 0));
    }
}
