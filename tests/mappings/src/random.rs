//! Numbers that only look random.

/// A generator of the SplitMix64 family (Steele, Lea, Flood 2014).
pub struct Random(u64);

impl Random {
    /// The same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as usize % limit
    }

    /// A tag for a page: never 0, which is what a fresh page has.
    pub fn tag(&mut self) -> u64 {
        self.below(1 << 40) as u64 + 1
    }
}
