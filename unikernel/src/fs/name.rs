//! Names of directory entries, and their hash.

use crate::errno::Errno;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Bytes of zeros that every path text has behind its end, so that a word can be read anywhere.
pub const PADDING: usize = 8;
const INLINE: usize = 22;

/// The name of a directory entry: 1 to 255 bytes, no slash, no NUL.
#[derive(Debug)]
pub enum Name {
    /// A short one, in place.
    Inline(u8, [u8; INLINE]),
    /// A long one.
    Boxed(Box<[u8]>),
    /// One that lives in the initrd or in the library.
    Static(&'static [u8]),
}

impl Name {
    /// Copies a name; `ENOMEM`.
    pub fn copy(name: &[u8]) -> Result<Self, Errno> {
        if name.len() <= INLINE {
            let mut bytes = [0; INLINE];
            bytes[..name.len()].copy_from_slice(name);
            return Ok(Self::Inline(name.len() as u8, bytes));
        }
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(name.len())
            .map_err(|_| Errno::ENOMEM)?;
        bytes.extend_from_slice(name);
        Ok(Self::Boxed(bytes.into_boxed_slice()))
    }

    /// The bytes.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Inline(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or(bytes),
            Self::Boxed(bytes) => bytes,
            Self::Static(bytes) => bytes,
        }
    }
}

/// Whether two names are the same: word by word, without a call.
#[inline(always)]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let (words, rest) = one.as_chunks::<8>();
    let (other_words, other_rest) = other.as_chunks::<8>();
    for (a, b) in words.iter().zip(other_words) {
        if u64::from_ne_bytes(*a) != u64::from_ne_bytes(*b) {
            return false;
        }
    }
    rest.iter().zip(other_rest).all(|(a, b)| a == b)
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const SLASHES: u64 = LOW * b'/' as u64;
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bit 7 of every byte that is zero; of bytes above the lowest such one, perhaps falsely.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// Hash of a name in a directory, fed eight bytes at a time while a path is scanned.
#[derive(Clone, Copy, Debug)]
struct NameHash(u64);

impl NameHash {
    #[inline(always)]
    const fn in_directory(directory: u32) -> Self {
        Self((directory as u64 + 1).wrapping_mul(MULTIPLIER))
    }

    #[inline(always)]
    const fn add(self, word: u64) -> Self {
        Self((self.0 ^ word).wrapping_mul(MULTIPLIER).rotate_left(29))
    }

    #[inline(always)]
    const fn finish(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// What a name is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Hash of directory and name.
    pub hash: u32,
    /// Length of the name in bytes.
    pub len: u32,
    /// Its first eight bytes, with zeros behind a shorter name: all that has to be compared of it.
    first: u64,
}

impl Key {
    /// The key of nothing.
    pub const NONE: Self = Self {
        hash: 0,
        len: 0,
        first: 0,
    };

    /// The key of a whole name in the directory with this number.
    pub fn of(directory: u32, name: &[u8]) -> Self {
        let mut hash = NameHash::in_directory(directory);
        let (words, rest) = name.as_chunks::<8>();
        for word in words {
            hash = hash.add(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let last = u64::from_le_bytes(last);
        Self {
            hash: hash.add(last).finish(),
            len: name.len() as u32,
            first: words.first().map_or(last, |word| u64::from_le_bytes(*word)),
        }
    }

    /// Whether a name with this key and these bytes is the one with the key `other`.
    #[inline(always)]
    pub fn is(&self, name: &Name, other: &Self, bytes: &[u8]) -> bool {
        self.hash == other.hash
            && self.first == other.first
            && self.len == other.len
            && (self.len <= 8 || same(name.bytes(), bytes))
    }
}

/// The key of the component that a padded text begins with: up to a slash or a NUL.
#[inline(always)]
pub fn scan(directory: u32, text: &[u8]) -> Key {
    let mut hash = NameHash::in_directory(directory);
    let (mut rest, mut first, mut len) = (text, None, 0);
    // The padding makes a word of every place inside the text; it ends the loop, too.
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let ends = zero_bytes(word) | zero_bytes(word ^ SLASHES);
        if ends != 0 {
            let bits = ends.trailing_zeros() & !7;
            let kept = word & !(u64::MAX << bits);
            return Key {
                hash: hash.add(kept).finish(),
                len: len + bits / 8,
                first: first.unwrap_or(kept),
            };
        }
        hash = hash.add(word);
        first = first.or(Some(word));
        len += 8;
        rest = behind;
    }
    Key {
        hash: hash.add(0).finish(),
        len,
        first: first.unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(text: &str) -> Vec<u8> {
        let mut text = text.as_bytes().to_vec();
        text.extend([0; PADDING]);
        text
    }

    #[test]
    fn a_scan_ends_at_a_slash_or_at_the_end() {
        for len in 0..40 {
            let name: String = (0..len).map(|n| char::from(b'a' + n as u8 % 26)).collect();
            for rest in ["", "/", "/b", "//longer than a word"] {
                let text = padded(&format!("xyz{name}{rest}"));
                assert_eq!(
                    scan(7, &text[3..]),
                    Key::of(7, name.as_bytes()),
                    "{len} {rest}"
                );
            }
        }
    }

    #[test]
    fn bytes_next_to_the_marks_are_no_end() {
        for byte in [1, 2, b'.', b'0', 0x7f, 0x80, 0xaf, 0xff] {
            let mut text = vec![byte; 17];
            let wanted = Key::of(1, &text);
            text.extend([0; PADDING]);
            assert_eq!(scan(1, &text), wanted, "{byte:#x}");
        }
    }

    #[test]
    fn directories_tell_names_apart() {
        assert_ne!(Key::of(1, b"name").hash, Key::of(2, b"name").hash);
        assert_ne!(Key::of(1, b"name").hash, Key::of(1, b"nam").hash);
        assert_ne!(Key::of(1, b"12345678").hash, Key::of(1, b"1234567").hash);
    }

    #[test]
    fn names_are_copied_wherever_they_fit() {
        for len in [1, 21, 22, 23, 255] {
            let bytes = vec![b'n'; len];
            let name = Name::copy(&bytes).unwrap();
            assert_eq!(name.bytes(), bytes);
            assert!(same(name.bytes(), &bytes) && !same(name.bytes(), &bytes[1..]));
        }
        assert!(!same(b"12345678a", b"12345678b"));
        assert!(!same(b"12345678a", b"12345679a"));
        assert_eq!(size_of::<Name>(), 24);
    }
}
