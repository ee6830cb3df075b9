//! Page frames: a buddy allocator over all RAM (Knowlton 1965), and which frames the application
//! mapped.
//!
//! Free memory is blocks of 4 KiB to 1 GiB, each aligned to its size, which are split and joined with
//! their buddies. The blocks of a size are a set of [`Bits`], beside the memory and not in it: a free
//! frame is not touched, for the first touch of RAM can cost the host milliseconds.
//!
//! Small runs are taken from a *pool* just behind the image, bottom up, because that memory is mapped
//! with small pages and near to what is already touched; everything else is taken from the top down,
//! and from the lower half of RAM last, so that the break can grow upwards behind the pool.

mod bits;
mod tables;
mod user;
mod zeros;

pub use tables::{alloc_zeroed, count_table, tables, uncount_table};
use zeros::Zeros;

use super::PAGE;
use crate::sync::SpinLock;
use bits::Bits;
use core::ops::Range;

/// Runs of at most this many frames may come from the pool.
const SMALL_RUN: usize = 16;

/// Sizes of blocks: 2^0 to 2^18 frames.
const ORDERS: usize = 19;

/// Most single frames that are kept at hand.
const HAND: usize = 32;

/// The state of all frames below some top.
pub struct Frames {
    /// Free blocks, by the logarithm of their size in frames.
    blocks: [Bits; ORDERS],
    /// Mapped by the application with mmap(2).
    user: Bits,
    /// Parts of RAM whose bits of small blocks and of `user` have been cleared: where nobody has used
    /// any, they are neither cleared nor read, however much RAM there is.
    open: Bits,
    /// One past the highest frame.
    limit: usize,
    /// Single frames at hand, the first `at_hand` of them: free, and in no block. The last to be given
    /// back is the first to be taken.
    hand: [usize; HAND],
    at_hand: usize,
    pool: Range<usize>,
    /// Frames below this one are taken when there are no others.
    last: usize,
    free: usize,
    total: usize,
    /// Free frames that are taken when there are no others: the first, and how many (see
    /// [`hold_back`](Frames::hold_back)).
    held: (usize, usize),
    /// What of them is clear.
    pub(super) zeros: Zeros,
}

/// The frames of this machine.
pub static FRAMES: SpinLock<Frames> = SpinLock::new(Frames::empty());

/// The size of the parts of RAM whose bits are cleared together: 2^15 frames.
const PART: usize = 15;

/// Sizes of blocks of which a part has whole words of bits: those that are cleared with it. The others
/// are few.
const MANY: usize = PART - 5;

/// Frames of RAM up to address `top`, in whole words of a bitmap.
const fn frames_below(top: usize) -> usize {
    top.div_ceil(PAGE).next_multiple_of(64)
}

impl Frames {
    const fn empty() -> Self {
        Self {
            blocks: [const { Bits::none() }; ORDERS],
            user: Bits::none(),
            open: Bits::none(),
            limit: 0,
            hand: [0; HAND],
            at_hand: 0,
            pool: 0..0,
            last: 0,
            free: 0,
            total: 0,
            held: (0, 0),
            zeros: Zeros::new(),
        }
    }

    /// Words that are needed for RAM up to address `top`.
    pub const fn words_for(top: usize) -> usize {
        let frames = frames_below(top);
        let parts = (frames >> PART) + 1;
        let (mut words, mut order) = (Bits::words_for(frames) + Bits::words_for(parts), 0);
        while order < ORDERS {
            words += Bits::words_for((frames >> order) + 1);
            order += 1;
        }
        words
    }

    /// Starts with no RAM at all; `words` are [`words_for`](Self::words_for)`(top)` words, which are
    /// overwritten.
    pub fn init(&mut self, top: usize, words: &'static mut [u64], pool: Range<usize>) {
        let frames = frames_below(top);
        *self = Self::empty();
        self.limit = frames;
        let parts = (frames >> PART) + 1;
        let mut rest;
        (self.user, rest) = Bits::new(frames, words);
        (self.open, rest) = Bits::new(parts, rest);
        self.open.clear(0..parts);
        for (order, blocks) in self.blocks.iter_mut().enumerate() {
            let count = (frames >> order) + 1;
            (*blocks, rest) = Bits::new(count, rest);
            if order >= MANY {
                blocks.clear(0..count);
            }
        }
        self.pool = pool.start / PAGE..pool.end / PAGE;
        self.last = self.pool.end + frames.saturating_sub(self.pool.end) / 2;
    }

    /// Before anything smaller than the part around `frame` is free or taken.
    #[inline]
    fn open(&mut self, frame: usize) {
        if !self.open.has(frame >> PART) {
            self.clear(frame >> PART);
        }
    }

    #[cold]
    #[inline(never)]
    fn clear(&mut self, part: usize) {
        self.open.add(part);
        let frames = part << PART..(part + 1) << PART;
        for (order, blocks) in self.blocks[..MANY].iter_mut().enumerate() {
            blocks.clear(frames.start >> order..frames.end >> order);
        }
        self.user.clear(frames);
    }

    /// Declares the whole frames inside `bytes` to be free RAM.
    pub fn add(&mut self, bytes: Range<usize>) {
        let frames = bytes.start.div_ceil(PAGE)..(bytes.end / PAGE).min(self.limit());
        self.total += frames.len();
        self.put_back(frames);
    }

    /// Makes blocks of the frames at hand.
    fn put_down(&mut self) {
        while let Some(left) = self.at_hand.checked_sub(1) {
            self.at_hand = left;
            self.free -= 1;
            let frame = self.hand[left];
            self.put_back(frame..frame + 1);
        }
    }

    /// Takes every frame that `bytes` touches out of use.
    pub fn reserve(&mut self, bytes: Range<usize>) {
        self.put_down();
        let mut frame = bytes.start / PAGE;
        let end = bytes.end.div_ceil(PAGE).min(self.limit());
        while frame < end {
            match self.block_of(frame) {
                Some(block) => {
                    let taken = frame..end.min(block.end);
                    frame = block.end;
                    self.carve(block, taken);
                }
                None => frame += 1,
            }
        }
    }

    /// Takes exactly `bytes` (whole pages) if all of it is free.
    pub fn claim(&mut self, bytes: Range<usize>) -> bool {
        self.put_down();
        if !self.is_all_free(&bytes) {
            self.release();
            if !self.is_all_free(&bytes) {
                return false;
            }
        }
        self.reserve(bytes);
        true
    }

    /// Whether all of `bytes` is in blocks.
    fn is_all_free(&self, bytes: &Range<usize>) -> bool {
        let (mut frame, end) = (bytes.start / PAGE, bytes.end / PAGE);
        while frame < end {
            let Some(block) = self.block_of(frame) else {
                return false;
            };
            frame = block.end;
        }
        true
    }

    /// Keeps `count` frames back until there are no others, so that what is taken from the top down
    /// begins lower, by a distance that a program cannot know. Nothing is kept where there are not so
    /// many together.
    pub fn hold_back(&mut self, count: usize) {
        self.release();
        if let Some(start) = self.alloc(count) {
            self.held = (start / PAGE, count);
            self.free += count;
        }
    }

    /// Makes blocks of what was kept back.
    fn release(&mut self) {
        let (start, count) = core::mem::take(&mut self.held);
        self.free -= count;
        self.put_back(start..start + count);
    }

    /// Whether the page at `address` is free RAM.
    pub fn is_free(&self, address: usize) -> bool {
        let frame = address / PAGE;
        let (held, count) = self.held;
        self.block_of(frame).is_some()
            || self.hand[..self.at_hand].contains(&frame)
            || (held..held + count).contains(&frame)
    }

    /// The free block with a frame in it.
    fn block_of(&self, frame: usize) -> Option<Range<usize>> {
        let first = match self.open.has(frame >> PART) {
            true => 0,
            false => PART,
        };
        let order = (first..ORDERS).find(|&order| self.blocks[order].has(frame >> order))?;
        let start = frame >> order << order;
        Some(start..start + (1 << order))
    }

    /// Takes `taken` out of a free block; the rest stays free.
    fn carve(&mut self, block: Range<usize>, taken: Range<usize>) {
        let order = block.len().trailing_zeros() as usize;
        let mut frame = taken.start;
        while frame < taken.end {
            self.open(frame);
            frame = (frame | ((1 << PART) - 1)) + 1;
        }
        self.blocks[order].remove(block.start >> order);
        self.free -= block.len();
        self.put_back(block.start..taken.start);
        self.put_back(taken.end..block.end);
    }

    /// Makes frames free, in blocks as large as can be.
    fn put_back(&mut self, frames: Range<usize>) {
        self.free += frames.len();
        let mut start = frames.start;
        while start < frames.end {
            let aligned = (start.trailing_zeros() as usize).min(ORDERS - 1);
            let order = aligned.min((frames.end - start).ilog2() as usize);
            if order < PART {
                self.open(start);
            }
            self.join(start, order);
            start += 1 << order;
        }
    }

    /// Makes one block free, together with its buddy if that is, and so on.
    #[inline]
    fn join(&mut self, start: usize, order: usize) {
        let (mut number, mut order) = (start >> order, order);
        while order + 1 < ORDERS && self.blocks[order].has(number ^ 1) {
            self.blocks[order].remove(number ^ 1);
            (number, order) = (number >> 1, order + 1);
        }
        self.blocks[order].add(number);
    }

    /// Takes `count` adjacent frames; the address of the first, or `None` when there is no such
    /// block. The content is whatever it was.
    #[inline]
    pub fn alloc(&mut self, count: usize) -> Option<usize> {
        let start = self.alloc_data(count)?;
        self.zeros.forget(start..start + count * PAGE);
        Some(start)
    }

    /// The same for memory that is written to at its own addresses only.
    #[inline]
    pub fn alloc_data(&mut self, count: usize) -> Option<usize> {
        if count == 1
            && let Some(left) = self.at_hand.checked_sub(1)
        {
            self.at_hand = left;
            self.free -= 1;
            return Some(self.hand[left] * PAGE);
        }
        if count == 0 || count > self.free {
            return None;
        }
        self.alloc_block(count).or_else(|| {
            self.put_down();
            self.release();
            self.alloc_block(count)
        })
    }

    #[inline(never)]
    fn alloc_block(&mut self, count: usize) -> Option<usize> {
        let order = count.next_power_of_two().trailing_zeros() as usize;
        if count <= SMALL_RUN
            && let Some(block) = self.in_pool(order)
        {
            let first = block.start;
            self.carve(block, first..first + count);
            return Some(first * PAGE);
        }
        let block = self
            .highest(order, self.last)
            .or_else(|| self.highest(order, 0))?;
        let first = block.end - count;
        let end = block.end;
        self.carve(block, first..end);
        Some(first * PAGE)
    }

    /// The smallest block of at least 2^`order` frames in the pool, the lowest of its size.
    fn in_pool(&self, order: usize) -> Option<Range<usize>> {
        self.blocks[order..]
            .iter()
            .zip(order..)
            .find_map(|(blocks, order)| {
                let start = blocks.lowest()? << order;
                self.pool
                    .contains(&start)
                    .then_some(start..start + (1 << order))
            })
    }

    /// The smallest block of at least 2^`order` frames that is not below `least`, the highest of its
    /// size.
    fn highest(&self, order: usize, least: usize) -> Option<Range<usize>> {
        self.blocks
            .get(order..)?
            .iter()
            .zip(order..)
            .find_map(|(blocks, order)| {
                let start = blocks.highest()? << order;
                let end = start + (1 << order);
                (end > least).then_some(start..end)
            })
    }

    /// Gives `count` frames from address `start` back.
    #[inline]
    pub fn free(&mut self, start: usize, count: usize) {
        let first = start / PAGE;
        debug_assert!(
            (first..first + count).all(|frame| !self.is_free(frame * PAGE)),
            "frames at {start:#x} freed twice"
        );
        if count == 1 && self.at_hand < HAND {
            self.hand[self.at_hand] = first;
            self.at_hand += 1;
            self.free += 1;
            return;
        }
        self.put_back(first..first + count);
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
        self.limit
    }
}

#[cfg(test)]
mod tests;
