//! The run queue: a list for each priority, and a bitmap of the lists that are not empty. Every
//! operation takes the same time however many threads there are.

use super::thread::Thread;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// The level of threads without a real-time priority. Real-time priority `p` (1 to 99, the greater
/// the sooner) has level `99 - p`.
pub const ORDINARY: u8 = 99;
const LEVELS: usize = ORDINARY as usize + 1;

/// Threads that are ready to run.
pub struct RunQueue {
    /// Bit `n % 64` of word `n / 64`: level `n` has a thread.
    levels: [u64; LEVELS.div_ceil(64)],
    /// First and last of each level.
    ends: [[*mut Thread; 2]; LEVELS],
}

// SAFETY: the pointers are to threads, which live for ever and may be used from anywhere.
unsafe impl Send for RunQueue {}

impl RunQueue {
    /// Nobody is ready.
    pub const fn new() -> Self {
        Self {
            levels: [0; LEVELS.div_ceil(64)],
            ends: [[null_mut(); 2]; LEVELS],
        }
    }

    /// The highest priority at which there is a thread.
    #[inline(always)]
    pub fn best(&self) -> Option<u8> {
        let [high, low] = self.levels;
        match (high, low) {
            (0, 0) => None,
            (0, low) => Some(64 + low.trailing_zeros() as u8),
            (high, _) => Some(high.trailing_zeros() as u8),
        }
    }

    /// Puts `thread`, which is in no queue, behind those of its level, or before them.
    #[inline(always)]
    pub fn push(&mut self, thread: &'static Thread, front: bool) {
        let level = usize::from(thread.level());
        let Some(ends) = self.ends.get_mut(level) else {
            return;
        };
        let pointer = core::ptr::from_ref(thread).cast_mut();
        let neighbour = ends[usize::from(!front)];
        let (next, prev) = match front {
            true => (neighbour, null_mut()),
            false => (null_mut(), neighbour),
        };
        thread.next.store(next, Relaxed);
        thread.prev.store(prev, Relaxed);
        ends[usize::from(!front)] = pointer;
        // SAFETY: pointers in the queue are to threads, which live for ever.
        match unsafe { neighbour.as_ref() } {
            Some(other) if front => other.prev.store(pointer, Relaxed),
            Some(other) => other.next.store(pointer, Relaxed),
            None => {
                ends[usize::from(front)] = pointer;
                self.levels[level / 64] |= 1 << (level % 64);
            }
        }
    }

    /// Takes the first thread of the highest priority.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<&'static Thread> {
        let level = usize::from(self.best()?);
        let ends = self.ends.get_mut(level)?;
        // SAFETY: the bit says that the list is not empty, and threads live for ever.
        let thread = unsafe { &*ends[0] };
        let next = thread.next.load(Relaxed);
        ends[0] = next;
        // SAFETY: pointers in the queue are to threads.
        match unsafe { next.as_ref() } {
            Some(next) => next.prev.store(null_mut(), Relaxed),
            None => {
                ends[1] = null_mut();
                self.levels[level / 64] &= !(1 << (level % 64));
            }
        }
        Some(thread)
    }

    /// Takes `thread`, which is in the queue, out of it.
    pub fn remove(&mut self, thread: &Thread) {
        let level = usize::from(thread.level());
        let [next, prev] = [&thread.next, &thread.prev].map(|link| link.load(Relaxed));
        *self.link_to(prev, level, 0) = next;
        *self.link_to(next, level, 1) = prev;
        if self.ends[level][0].is_null() {
            self.levels[level / 64] &= !(1 << (level % 64));
        }
    }

    /// The link that leads forward from `thread` (`end` 0) or back from it (1); where there is no
    /// thread, that end of the level.
    fn link_to(&mut self, thread: *mut Thread, level: usize, end: usize) -> &mut *mut Thread {
        if thread.is_null() {
            return &mut self.ends[level][end];
        }
        // SAFETY: pointers in the queue are to threads, which live for ever; the links of those in
        // the queue belong to it.
        let link: &AtomicPtr<Thread> = unsafe {
            if end == 0 {
                &(*thread).next
            } else {
                &(*thread).prev
            }
        };
        // SAFETY: `&mut self` makes this the only access to the links.
        unsafe { &mut *link.as_ptr() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads<const N: usize>(levels: [u8; N]) -> [&'static Thread; N] {
        levels.map(|level| {
            let thread = Box::leak(Box::new(Thread::new(i32::from(level))));
            thread.set_level(level);
            &*thread
        })
    }

    fn drain(queue: &mut RunQueue) -> Vec<i32> {
        core::iter::from_fn(|| queue.pop()).map(|t| t.tid).collect()
    }

    #[test]
    fn the_highest_priority_goes_first() {
        let mut queue = RunQueue::new();
        assert!(queue.pop().is_none());
        for thread in threads([99, 0, 64, 63, 98, 1]) {
            queue.push(thread, false);
        }
        assert_eq!(queue.best(), Some(0));
        assert_eq!(drain(&mut queue), [0, 1, 63, 64, 98, 99]);
        assert_eq!(queue.best(), None);
    }

    #[test]
    fn equals_take_turns_and_may_be_put_first() {
        let mut queue = RunQueue::new();
        let [a, b, c] = threads([7; 3]);
        queue.push(a, false);
        queue.push(b, false);
        queue.push(c, true);
        for thread in [c, a, b] {
            assert!(queue.pop().unwrap().is(thread));
        }
    }

    #[test]
    fn anyone_can_leave() {
        for gone in 0..3 {
            let mut queue = RunQueue::new();
            let all = threads([70; 3]);
            all.iter().for_each(|thread| queue.push(thread, false));
            queue.remove(all[gone]);
            for thread in all.iter().filter(|thread| !thread.is(all[gone])) {
                assert!(queue.pop().unwrap().is(thread));
            }
            assert!(queue.pop().is_none());
        }
    }
}
