//! Address-space layout randomisation: how far each part of the address space is moved.
//!
//! What lies in RAM (the pool, the break, ordinary mappings) has addresses of RAM, so RAM bounds how
//! far that can be moved; areas and the main stack have addresses of their own and are moved as far as
//! on Linux (`arch/x86/mm/mmap.c`: 28 bits of pages; `STACK_RND_MASK`: 22 bits of pages).

use super::PAGE;
use crate::rng;

/// How far each part is moved; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Aslr {
    /// Bytes by which the main stack is lower, whole pages.
    pub stack: usize,
    /// Bytes by which the first word on the main stack is lower, a multiple of 16 below 8192.
    pub words: usize,
    /// Bytes by which areas are lower, whole pages.
    pub areas: usize,
    /// Bytes by which the pool and the break behind it are higher, whole pages.
    pub pool: usize,
    /// Frames that are kept back, so that ordinary mappings lie lower.
    pub frames: usize,
}

/// Bits of pages by which the main stack may move, which is 16 GiB.
const STACK_BITS: u32 = 22;
/// Bits of pages by which areas may move, which is 1 TiB.
const AREAS_BITS: u32 = 28;
/// With less RAM than this every page counts, and only what has addresses of its own is moved.
const SMALL: usize = 4 << 20;
/// Most pages by which the pool may move; one for each 16 MiB of RAM.
const POOL_PAGES: usize = 16;

impl Aslr {
    /// Draws the distances for a machine with `ram` bytes.
    pub fn draw(ram: usize) -> Self {
        let mut words = [[0; 8]; 5];
        rng::bytes(words.as_flattened_mut());
        Self::from_words(words.map(usize::from_ne_bytes), ram)
    }

    fn from_words(words: [usize; 5], ram: usize) -> Self {
        let words = match ram < SMALL {
            true => [words[0], 0, words[2], 0, 0],
            false => words,
        };
        let pages = |word: usize, bits: u32| (word & ((1 << bits) - 1)) * PAGE;
        Self {
            stack: pages(words[0], STACK_BITS),
            words: words[1] & 0x1ff0,
            areas: pages(words[2], AREAS_BITS),
            pool: words[3] % POOL_PAGES.min((ram >> 24) + 1) * PAGE,
            frames: words[4] % (ram / PAGE / 64).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_bounded() {
        let most = Aslr::from_words([usize::MAX; 5], 256 << 20);
        assert_eq!(most.stack, (1 << 34) - PAGE);
        assert_eq!(most.areas, (1 << 40) - PAGE);
        assert!(most.words < 8192 && most.words.is_multiple_of(16));
        assert!(most.pool < POOL_PAGES * PAGE && most.frames < 1024);
        let small = Aslr::from_words([7 * PAGE + 7; 5], 8 << 20);
        assert_eq!((small.pool, small.frames), (0, (7 * PAGE + 7) % 32));
        let least = Aslr::from_words([7; 5], 2 << 20);
        assert_eq!((least.words, least.pool, least.frames), (0, 0, 0));
        assert_eq!((least.stack, least.areas), (7 * PAGE, 7 * PAGE));
    }
}
