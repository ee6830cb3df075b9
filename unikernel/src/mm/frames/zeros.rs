//! RAM that is known to hold zeros, so that mapping it again needs no clearing.
//!
//! What ordinary mmap(2) hands out is cleared. If the program does not touch it, and gives it back, it
//! is still clear; the dirty bits of the large pages of the identity map can tell (SDM vol. 3, 4.8),
//! if they are reset when it has been cleared. That costs a flush, so it is tried now and then: less
//! often the more often the memory was found to be used.
//!
//! Who writes to frames by other addresses than their own sets no such bit. So ranges are forgotten as
//! soon as a frame of theirs is taken for anything but ordinary memory.

use core::ops::Range;

/// Ranges that are watched at a time.
const KNOWN: usize = 4;

/// Between two tries there are at most so many clearings.
const MOST_PATIENCE: u32 = 512;

/// The ranges, by address.
pub struct Zeros {
    known: [Range<usize>; KNOWN],
    /// The one that makes room next.
    oldest: usize,
    /// All of them are in here.
    around: Range<usize>,
    /// Clearings between two tries, and until the next.
    patience: u32,
    wait: u32,
}

impl Zeros {
    pub(super) const fn new() -> Self {
        Self {
            known: [const { 0..0 }; KNOWN],
            oldest: 0,
            around: 0..0,
            patience: 1,
            wait: 0,
        }
    }

    /// Whether `range` held zeros, and holds them still unless it was written to at its own addresses.
    pub fn contains(&self, range: &Range<usize>) -> bool {
        let holds = |known: &Range<usize>| known.start <= range.start && range.end <= known.end;
        overlap(&self.around, range) && self.known.iter().any(holds)
    }

    /// Something else will be written to `range`.
    #[inline(always)]
    pub fn forget(&mut self, range: Range<usize>) {
        if overlap(&self.around, &range) {
            self.remove(&range);
        }
    }

    #[cold]
    #[inline(never)]
    fn remove(&mut self, range: &Range<usize>) {
        for known in &mut self.known {
            if overlap(known, range) {
                *known = 0..0;
            }
        }
        self.measure();
    }

    /// Finds out anew where they are.
    fn measure(&mut self) {
        let live = || self.known.iter().filter(|known| !known.is_empty());
        let start = live().map(|known| known.start).min().unwrap_or(0);
        let end = live().map(|known| known.end).max().unwrap_or(0);
        self.around = start..end;
    }

    /// A known range was mapped again and needed no clearing: trying pays.
    pub fn paid(&mut self) {
        (self.patience, self.wait) = (1, 0);
    }

    /// A range is cleared that was `known` until it was used, or was not: whether to
    /// [`note`](Self::note) it.
    pub fn is_due(&mut self, known: bool) -> bool {
        if known {
            self.patience = (self.patience * 2).min(MOST_PATIENCE);
            self.wait = self.patience;
        }
        let due = self.wait == 0;
        self.wait = if due { self.patience } else { self.wait - 1 };
        due
    }

    /// `range` is clear, and writing to it would show.
    pub fn note(&mut self, range: Range<usize>) {
        self.remove(&range);
        self.known[self.oldest] = range;
        self.oldest = (self.oldest + 1) % KNOWN;
        self.measure();
    }
}

const fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_known_until_they_are_taken_for_something_else() {
        let mut zeros = Zeros::new();
        assert!(!zeros.contains(&(10..20)));
        zeros.note(100..200);
        zeros.note(300..400);
        assert!(zeros.contains(&(100..200)) && zeros.contains(&(350..400)));
        assert!(!zeros.contains(&(150..250)) && !zeros.contains(&(200..300)));
        zeros.forget(200..300);
        zeros.forget(399..500);
        assert!(zeros.contains(&(100..200)) && !zeros.contains(&(300..400)));
        zeros.forget(0..1000);
        assert!(!zeros.contains(&(100..200)));
        for start in 0..KNOWN + 1 {
            zeros.note(start * 10..start * 10 + 10);
        }
        assert!(!zeros.contains(&(0..10)) && zeros.contains(&(10..20)));
    }

    #[test]
    fn memory_that_is_used_is_tried_less_and_less() {
        let mut zeros = Zeros::new();
        let mut tries = 0;
        for _ in 0..100_000 {
            let known = zeros.contains(&(0..10));
            if zeros.is_due(known) {
                zeros.note(0..10);
                tries += 1;
            } else {
                zeros.forget(0..10);
            }
        }
        assert!((100..400).contains(&tries), "{tries}");
        zeros.paid();
        assert!(zeros.is_due(false));
    }
}
