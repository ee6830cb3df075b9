//! Page frames: which 4 KiB of RAM are free, and which of the others the application mapped.
//!
//! Two bits a frame. Small runs are taken from a *pool* just behind the image, bottom up, because
//! that memory is mapped with small pages and near to what is already touched (the first touch of
//! a 2 MiB mapping can cost the host milliseconds); everything else is taken from the top down, so
//! that the break can grow upwards behind the pool.

use super::PAGE;
use crate::sync::SpinLock;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Runs of at most this many frames may come from the pool.
const SMALL_RUN: usize = 16;

/// The state of all frames below some top.
pub struct Frames {
    /// Bit set: not available (in use, reserved, or no RAM).
    used: &'static mut [u64],
    /// Bit set: mapped by the application with mmap(2).
    user: &'static mut [u64],
    pool: Range<usize>,
    free: usize,
    total: usize,
}

/// The frames of this machine.
pub static FRAMES: SpinLock<Frames> = SpinLock::new(Frames::empty());

fn get(map: &[u64], frame: usize) -> bool {
    map[frame / 64] >> (frame % 64) & 1 != 0
}

#[inline]
fn put(map: &mut [u64], frame: usize, value: bool) {
    let mask = 1 << (frame % 64);
    if value {
        map[frame / 64] |= mask
    } else {
        map[frame / 64] &= !mask
    }
}

impl Frames {
    const fn empty() -> Self {
        Self {
            used: &mut [],
            user: &mut [],
            pool: 0..0,
            free: 0,
            total: 0,
        }
    }

    /// Words that each of the two maps needs for RAM up to address `top`.
    pub const fn words_for(top: usize) -> usize {
        top.div_ceil(PAGE * 64)
    }

    /// Starts with no RAM at all; `used` and `user` are `words_for(top)` words each. Both are
    /// overwritten.
    pub fn init(&mut self, used: &'static mut [u64], user: &'static mut [u64], pool: Range<usize>) {
        used.fill(!0);
        user.fill(0);
        let pool = pool.start / PAGE..pool.end / PAGE;
        *self = Self {
            used,
            user,
            pool,
            free: 0,
            total: 0,
        };
    }

    /// Declares the whole frames inside `bytes` to be free RAM.
    pub fn add(&mut self, bytes: Range<usize>) {
        for frame in bytes.start.div_ceil(PAGE)..bytes.end / PAGE {
            if frame % 64 == 0 && frame + 64 <= bytes.end / PAGE && self.used[frame / 64] == !0 {
                self.add_word(frame / 64);
            }
            if frame < self.limit() && get(self.used, frame) {
                put(self.used, frame, false);
                self.free += 1;
                self.total += 1;
            }
        }
    }

    fn add_word(&mut self, word: usize) {
        self.used[word] = 0;
        self.free += 64;
        self.total += 64;
    }

    /// Takes every frame that `bytes` touches out of use.
    pub fn reserve(&mut self, bytes: Range<usize>) {
        for frame in bytes.start / PAGE..bytes.end.div_ceil(PAGE).min(self.limit()) {
            if !get(self.used, frame) {
                put(self.used, frame, true);
                self.free -= 1;
            }
        }
    }

    /// Takes exactly `bytes` (whole pages) if all of it is free.
    pub fn claim(&mut self, bytes: Range<usize>) -> bool {
        let frames = bytes.start / PAGE..bytes.end / PAGE;
        if frames.end > self.limit() || frames.clone().any(|f| get(self.used, f)) {
            return false;
        }
        self.take(frames);
        true
    }

    /// Whether the page at `address` is free RAM.
    pub fn is_free(&self, address: usize) -> bool {
        address / PAGE < self.limit() && !get(self.used, address / PAGE)
    }

    /// Takes `count` adjacent frames; the address of the first, or `None` when there is no such
    /// run. The content is whatever it was.
    pub fn alloc(&mut self, count: usize) -> Option<usize> {
        if count == 0 || count > self.free {
            return None;
        }
        let small = if count <= SMALL_RUN {
            self.first_fit(count)
        } else {
            None
        };
        let first = small.or_else(|| self.last_fit(count))?;
        self.take(first..first + count);
        Some(first * PAGE)
    }

    fn first_fit(&self, count: usize) -> Option<usize> {
        let mut run = 0;
        for frame in self.pool.clone() {
            run = if get(self.used, frame) { 0 } else { run + 1 };
            if run == count {
                return Some(frame + 1 - count);
            }
        }
        None
    }

    fn last_fit(&self, count: usize) -> Option<usize> {
        let (mut run, mut frame) = (0, self.limit());
        while frame > 0 {
            frame -= 1;
            if frame % 64 == 63 && self.used[frame / 64] == !0 {
                // A full word holds nothing: skip 64 frames at once.
                (run, frame) = (0, frame - 63);
                continue;
            }
            run = if get(self.used, frame) { 0 } else { run + 1 };
            if run == count {
                return Some(frame);
            }
        }
        None
    }

    #[inline]
    fn take(&mut self, frames: Range<usize>) {
        self.free -= frames.len();
        frames.for_each(|frame| put(self.used, frame, true));
    }

    /// Gives `count` frames from address `start` back.
    pub fn free(&mut self, start: usize, count: usize) {
        for frame in start / PAGE..start / PAGE + count {
            debug_assert!(get(self.used, frame), "frame {frame:#x} freed twice");
            put(self.used, frame, false);
            put(self.user, frame, false);
        }
        self.free += count;
    }

    /// Marks frames as the application's.
    pub fn set_user(&mut self, start: usize, count: usize) {
        (start / PAGE..start / PAGE + count).for_each(|frame| put(self.user, frame, true));
    }

    /// Whether the page at `address` was mapped by the application.
    pub fn is_user(&self, address: usize) -> bool {
        address / PAGE < self.limit() && get(self.user, address / PAGE)
    }

    /// The first run of the application's pages that ends behind `from`, without what is before it.
    pub fn next_user(&self, from: usize) -> Option<Range<usize>> {
        let mut frame = from / PAGE;
        while frame < self.limit() && !get(self.user, frame) {
            frame += if frame.is_multiple_of(64) && self.user[frame / 64] == 0 {
                64
            } else {
                1
            };
        }
        let first = frame;
        while frame < self.limit() && get(self.user, frame) {
            frame += if frame.is_multiple_of(64) && self.user[frame / 64] == !0 {
                64
            } else {
                1
            };
        }
        (first < frame).then_some(first * PAGE..frame * PAGE)
    }

    /// One past the highest address that can be RAM.
    pub fn top(&self) -> usize {
        self.limit() * PAGE
    }

    /// Frames that exist and that are free.
    pub fn counts(&self) -> (usize, usize) {
        (self.total, self.free)
    }

    fn limit(&self) -> usize {
        self.used.len() * 64
    }
}

/// Frames that are page tables, but for those of the image; none is given back.
static TABLES: AtomicUsize = AtomicUsize::new(0);

/// Counts a frame that has become a page table.
pub fn count_table() {
    TABLES.fetch_add(1, Relaxed);
}

/// Frames in use as page tables.
pub fn tables() -> usize {
    TABLES.load(Relaxed)
}

/// One frame, cleared; for page tables.
pub fn alloc_zeroed() -> Option<usize> {
    let address = FRAMES.lock().alloc(1)?;
    count_table();
    // SAFETY: the frame is RAM, mapped writable, and nobody else's since the allocation.
    unsafe { core::ptr::write_bytes(address as *mut u64, 0, PAGE / 8) };
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(top: usize, pool: Range<usize>) -> Frames {
        let words = Frames::words_for(top);
        let mut frames = Frames::empty();
        frames.init(vec![0; words].leak(), vec![0; words].leak(), pool);
        frames
    }

    #[test]
    fn small_runs_come_from_the_pool_and_large_ones_from_the_top() {
        let mut f = frames(1 << 20, 0x10000..0x20000);
        f.add(0x10000..0x100000);
        assert_eq!(f.counts(), (0xf0, 0xf0));
        assert_eq!(f.alloc(2), Some(0x10000));
        assert_eq!(f.alloc(32), Some(0x100000 - 32 * PAGE));
        f.free(0x10000, 2);
        assert_eq!(f.alloc(1), Some(0x10000));
    }

    #[test]
    fn reserved_and_claimed_frames_are_not_handed_out() {
        let mut f = frames(1 << 20, 0..0);
        f.add(0..1 << 20);
        f.reserve(0xff800..0x100000);
        assert!(f.claim(0x80000..0x90000));
        assert!(!f.claim(0x8f000..0x91000));
        assert_eq!(f.alloc(1), Some(0xfe000));
        assert_eq!(f.alloc(0x1000), None);
    }

    #[test]
    fn everything_comes_back() {
        let mut f = frames(4 << 20, 0..0x40000);
        f.add(0x1000..4 << 20);
        let before = f.counts();
        let runs: Vec<_> = (1..40).map(|n| (f.alloc(n).unwrap(), n)).collect();
        runs.iter().for_each(|&(a, n)| f.set_user(a, n));
        assert!(f.is_user(runs[3].0));
        let mut user = 0;
        let mut from = 0;
        while let Some(run) = f.next_user(from) {
            assert!(run.clone().step_by(PAGE).all(|page| f.is_user(page)));
            assert!(run.start >= from && !f.is_user(run.end));
            (user, from) = (user + run.len() / PAGE, run.end);
        }
        assert_eq!(user, (1..40).sum::<usize>());
        let part = f.next_user(runs[30].0 + PAGE).unwrap();
        assert_eq!(part.start, runs[30].0 + PAGE);
        runs.iter().for_each(|&(a, n)| f.free(a, n));
        assert_eq!(f.counts(), before);
        assert!(!f.is_user(runs[3].0));
    }
}
