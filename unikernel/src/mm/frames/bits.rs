//! A set of small numbers in which the lowest and the highest are found at once: a bitmap, one bit
//! for each of its words that is not 0, and one for each of those words.
//!
//! Whether the words of the first level were ever cleared is known elsewhere: what goes by the summaries
//! looks at none that they do not name.

use core::ops::Range;

/// The set.
pub struct Bits {
    levels: [&'static mut [u64]; LEVELS],
}

const LEVELS: usize = 3;

/// Words of each level for numbers below `count`.
const fn sizes(count: usize) -> [usize; LEVELS] {
    let words = count.div_ceil(64);
    let summary = words.div_ceil(64);
    [words, summary, summary.div_ceil(64)]
}

impl Bits {
    /// No room for any number.
    pub const fn none() -> Self {
        Self {
            levels: [&mut [], &mut [], &mut []],
        }
    }

    /// Words that a set of numbers below `count` needs.
    pub const fn words_for(count: usize) -> usize {
        let [words, summary, top] = sizes(count);
        words + summary + top
    }

    /// The empty set of numbers below `count`, in words of any content; and what of them is left. The
    /// words of the first level stay as they are: see [`clear`](Self::clear).
    pub fn new(count: usize, words: &'static mut [u64]) -> (Self, &'static mut [u64]) {
        let [first, second, third] = sizes(count);
        let (a, words) = words.split_at_mut(first);
        let (b, words) = words.split_at_mut(second);
        let (c, words) = words.split_at_mut(third);
        b.fill(0);
        c.fill(0);
        let levels = [a, b, c];
        (Self { levels }, words)
    }

    /// Clears the words of these numbers, which begin and end with words and of which none is in the
    /// set. It comes before their first [`has`](Self::has), [`add`](Self::add) or `remove`.
    pub fn clear(&mut self, numbers: Range<usize>) {
        let words = &mut self.levels[0];
        let end = numbers.end.div_ceil(64).min(words.len());
        words[(numbers.start / 64).min(end)..end].fill(0);
    }

    /// How many of these numbers are in the set; they begin and end with words.
    pub fn count(&self, numbers: Range<usize>) -> usize {
        let words = &self.levels[0];
        let end = numbers.end.div_ceil(64).min(words.len());
        let words = &words[(numbers.start / 64).min(end)..end];
        words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether `number`, a multiple of 64, and the 63 behind it are in the set.
    pub fn has_word(&self, number: usize) -> bool {
        self.levels[0].get(number / 64) == Some(&!0)
    }

    /// The lowest number that is not below `from`.
    pub fn next(&self, from: usize) -> Option<usize> {
        let [words, summary, top] = &self.levels;
        let named = summary.get(from / 4096)? >> (from / 64 % 64) & 1 != 0;
        let rest = words.get(from / 64)? & !0 << (from % 64);
        if named && rest != 0 {
            return Some((from & !63) + rest.trailing_zeros() as usize);
        }
        let second = from / 64 + 1;
        let rest = summary.get(second / 64)? & !0 << (second % 64);
        if rest != 0 {
            let first = (second & !63) + rest.trailing_zeros() as usize;
            return Some(first * 64 + words[first].trailing_zeros() as usize);
        }
        let third = second / 64 + 1;
        let word = |at: usize| match at == third / 64 {
            true => top[at] & !0 << (third % 64),
            false => top[at],
        };
        let at = (third / 64..top.len()).find(|&at| word(at) != 0)?;
        let second = at * 64 + word(at).trailing_zeros() as usize;
        let first = second * 64 + summary[second].trailing_zeros() as usize;
        Some(first * 64 + words[first].trailing_zeros() as usize)
    }

    /// Whether `number` is in the set.
    #[inline]
    pub fn has(&self, number: usize) -> bool {
        let word = self.levels[0].get(number / 64);
        word.is_some_and(|word| word >> (number % 64) & 1 != 0)
    }

    /// Adds `number`.
    #[inline]
    pub fn add(&mut self, number: usize) {
        let mut number = number;
        for level in &mut self.levels {
            let word = &mut level[number / 64];
            let was_empty = *word == 0;
            *word |= 1 << (number % 64);
            if !was_empty {
                break;
            }
            number /= 64;
        }
    }

    /// Takes `number` out.
    #[inline]
    pub fn remove(&mut self, number: usize) {
        let mut number = number;
        for level in &mut self.levels {
            let word = &mut level[number / 64];
            *word &= !(1 << (number % 64));
            if *word != 0 {
                break;
            }
            number /= 64;
        }
    }

    /// The lowest number.
    #[inline]
    pub fn lowest(&self) -> Option<usize> {
        let [words, summary, top] = &self.levels;
        let third = top.iter().position(|&word| word != 0)?;
        let second = third * 64 + top[third].trailing_zeros() as usize;
        let first = second * 64 + summary[second].trailing_zeros() as usize;
        Some(first * 64 + words[first].trailing_zeros() as usize)
    }

    /// The highest number.
    #[inline]
    pub fn highest(&self) -> Option<usize> {
        let [words, summary, top] = &self.levels;
        let third = top.iter().rposition(|&word| word != 0)?;
        let second = third * 64 + top[third].ilog2() as usize;
        let first = second * 64 + summary[second].ilog2() as usize;
        Some(first * 64 + words[first].ilog2() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_ends_are_those_of_a_sorted_set() {
        const COUNT: usize = 300_000;
        let words = vec![!0; Bits::words_for(COUNT)].leak();
        let (mut bits, rest) = Bits::new(COUNT, words);
        assert_eq!(bits.next(0), None);
        bits.clear(0..COUNT);
        assert!(rest.is_empty() && bits.lowest().is_none());
        let mut random = crate::fs::pages::random::Random::new(3);
        let mut model = BTreeSet::new();
        for _ in 0..crate::testing::rounds(40_000) {
            let number = random.below(COUNT as u64) as usize;
            if random.below(2) == 0 {
                bits.add(number);
                model.insert(number);
            } else if let Some(&last) = model.iter().next_back() {
                bits.remove(last);
                model.remove(&last);
            }
            assert_eq!(bits.lowest(), model.first().copied());
            assert_eq!(bits.highest(), model.last().copied());
            assert_eq!(bits.has(number), model.contains(&number));
            let from = random.below(COUNT as u64) as usize;
            assert_eq!(bits.next(from), model.range(from..).next().copied());
        }
        assert_eq!(bits.count(0..COUNT), model.len());
        assert!(!bits.has(usize::MAX / 2));
    }
}
