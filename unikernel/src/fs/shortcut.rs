//! Whole paths that were looked up lately: a stat(2) of the same path again needs no walk.
//!
//! An entry holds as long as no name was removed, moved or mounted over anywhere: each such change
//! starts a new generation, and entries of an older one are not looked at. Making names does not,
//! because only paths that led somewhere are kept. Who may search which directory does not matter:
//! only root asks.

use super::dcache::DentryId;

/// Paths that are kept, a power of two.
const ENTRIES: usize = 64;
/// Words of the longest path that is kept, with its NUL.
const WORDS: usize = 6;

/// A path and where it leads.
#[derive(Clone, Copy, Debug)]
struct Entry {
    generation: u64,
    start: u32,
    found: DentryId,
    words: [u64; WORDS],
}

/// The paths.
#[derive(Debug)]
pub struct Paths {
    generation: u64,
    entries: [Entry; ENTRIES],
}

/// The place of a path among the entries.
#[derive(Clone, Copy)]
pub struct Place(usize);

impl Default for Paths {
    fn default() -> Self {
        Self::new()
    }
}

impl Paths {
    /// None.
    pub const fn new() -> Self {
        let nothing = Entry {
            generation: 0,
            start: 0,
            found: DentryId::from_number(0),
            words: [0; WORDS],
        };
        Self {
            generation: 1,
            entries: [nothing; ENTRIES],
        }
    }

    /// A name was removed, moved or mounted over.
    #[inline]
    pub fn forget(&mut self) {
        self.generation += 1;
    }

    /// The words of a padded path, the zeros behind it included up to the next word.
    #[inline(always)]
    fn words(text: &[u8]) -> Option<&[[u8; 8]]> {
        let words = text.as_chunks::<8>().0;
        // The padding is a word long, so the path and its NUL end in the last whole one.
        (words.len() <= WORDS).then_some(words)
    }

    /// Where a padded path from `start` would be kept, and where it leads if it is. `None` when it
    /// is too long to be kept.
    #[inline(always)]
    pub fn get(&self, start: DentryId, text: &[u8]) -> Option<(Place, Option<DentryId>)> {
        let words = Self::words(text)?;
        let mut hash = u64::from(start.number());
        for word in words {
            let word = u64::from_le_bytes(*word);
            hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        let place = (hash >> (64 - ENTRIES.trailing_zeros())) as usize;
        let entry = self.entries.get(place)?;
        let same = entry.generation == self.generation
            && entry.start == start.number()
            && words
                .iter()
                .zip(&entry.words)
                .all(|(word, kept)| u64::from_le_bytes(*word) == *kept);
        Some((Place(place), same.then_some(entry.found)))
    }

    /// Keeps where a path leads.
    #[inline(always)]
    pub fn keep(&mut self, Place(place): Place, start: DentryId, text: &[u8], found: DentryId) {
        let (Some(words), Some(entry)) = (Self::words(text), self.entries.get_mut(place)) else {
            return;
        };
        entry.generation = self.generation;
        entry.start = start.number();
        entry.found = found;
        for (kept, word) in entry.words.iter_mut().zip(words) {
            *kept = u64::from_le_bytes(*word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(path: &str) -> Vec<u8> {
        let mut text = path.as_bytes().to_vec();
        text.extend([0; 8]);
        text
    }

    #[test]
    fn paths_are_kept_until_names_change() {
        let mut paths = Paths::new();
        let [one, other] = [1, 2].map(DentryId::from_number);
        let known = |paths: &Paths, start, path: &str| paths.get(start, &padded(path)).unwrap().1;
        for len in 1..40 {
            let path = "x".repeat(len);
            let (place, found) = paths.get(one, &padded(&path)).unwrap();
            assert_eq!(found, None);
            paths.keep(
                place,
                one,
                &padded(&path),
                DentryId::from_number(len as u32),
            );
            assert_eq!(
                known(&paths, one, &path),
                Some(DentryId::from_number(len as u32))
            );
            assert_eq!(known(&paths, other, &path), None);
            assert_eq!(known(&paths, one, &format!("{path}y")), None);
        }
        paths.forget();
        assert!((1..40).all(|len| known(&paths, one, &"x".repeat(len)).is_none()));
    }

    #[test]
    fn long_paths_are_not_kept() {
        let paths = Paths::new();
        let start = DentryId::from_number(0);
        assert!(paths.get(start, &padded(&"x".repeat(47))).is_some());
        assert!(paths.get(start, &padded(&"x".repeat(48))).is_none());
    }
}
