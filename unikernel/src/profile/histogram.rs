//! A histogram of cycles: powers of two, each in quarters.
//!
//! A bucket is at most a quarter of its power of two wide, so its (harmonic) middle is within
//! 11.2 % of every value in it.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Buckets: four per power of two, up to 2^42 cycles (about half an hour); longer ones share the
/// last.
pub const BUCKETS: usize = 164;

/// Counts by bucket.
pub struct Histogram([AtomicU64; BUCKETS]);

/// The bucket of a value: itself below 4, else `4 * (e - 1)` plus the two bits below the highest,
/// bit `e`.
#[inline(always)]
pub const fn bucket(value: u64) -> usize {
    if value < 4 {
        return value as usize;
    }
    let e = 63 - value.leading_zeros() as usize;
    let index = 4 * (e - 1) + (value >> (e - 2) & 3) as usize;
    if index < BUCKETS { index } else { BUCKETS - 1 }
}

/// The buckets of the first values.
static SMALL: [u8; 1024] = {
    let mut table = [0; 1024];
    let mut value = 0;
    while value < table.len() {
        table[value] = bucket(value as u64) as u8;
        value += 1;
    }
    table
};

/// The value in the middle of a bucket.
pub const fn middle(bucket: usize) -> u64 {
    if bucket < 8 {
        return bucket as u64;
    }
    let e = bucket / 4 + 1;
    let low = (4 + bucket as u64 % 4) << (e - 2);
    let high = low + (1 << (e - 2)) - 1;
    // The harmonic mean is equally far, relatively, from both ends.
    (2 * low as u128 * high as u128 / (low + high) as u128) as u64
}

impl Histogram {
    /// All zero.
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }

    /// Counts one value. Small ones find their bucket in a table: looking for the highest bit takes
    /// longer than that.
    #[inline(always)]
    pub fn add(&self, value: u64) {
        let bucket = match SMALL.get(value as usize) {
            Some(&bucket) => usize::from(bucket),
            None => bucket(value),
        };
        // The bound is known, but not to the compiler.
        let Some(count) = self.0.get(bucket) else {
            return;
        };
        count.store(count.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// The buckets that are not empty, with their counts, in ascending order.
    pub fn filled(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.0.iter().map(|count| count.load(Relaxed));
        counts.enumerate().filter(|pair| pair.1 != 0)
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.filled().map(|pair| pair.1).sum()
    }

    /// The value at a percentile (0 to 100): the middle of the bucket that holds it.
    pub fn percentile(&self, percent: u64) -> u64 {
        let rank = (self.count() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in self.filled() {
            seen += count;
            if seen >= rank {
                return middle(bucket);
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fixed sequence that looks random (xorshift, Marsaglia 2003).
    fn sequence(mut seed: u64) -> impl Iterator<Item = u64> {
        core::iter::repeat_with(move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        })
    }

    fn check(name: &str, samples: &[u64]) {
        let histogram = Histogram::new();
        samples.iter().for_each(|&sample| histogram.add(sample));
        let mut sorted = samples.to_vec();
        sorted.sort_unstable();
        for percent in [1, 10, 50, 90, 99, 100] {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            let exact = sorted[rank - 1];
            let found = histogram.percentile(percent as u64);
            let off = found.abs_diff(exact);
            assert!(
                off * 100 <= exact * 12,
                "{name} p{percent}: {found}, not {exact}"
            );
        }
    }

    #[test]
    fn percentiles_are_within_twelve_percent() {
        check("one value", &[77; 5]);
        const MANY: usize = if cfg!(miri) { 1_000 } else { 20_000 };
        check("small", &(0..100).collect::<Vec<_>>());
        check(
            "uniform",
            &sequence(1)
                .take(MANY)
                .map(|x| x % 100_000)
                .collect::<Vec<_>>(),
        );
        check(
            "log-uniform",
            &sequence(2)
                .take(MANY)
                .map(|x| x >> (22 + x % 40))
                .collect::<Vec<_>>(),
        );
        check(
            "two peaks",
            &sequence(3)
                .take(MANY - 1)
                .map(|x| if x % 10 < 5 { 50 } else { 5_000_000 })
                .collect::<Vec<_>>(),
        );
        let edges =
            (3..41).flat_map(|e| [(1u64 << e) - 1, 1 << e, (1 << e) + 1, (5 << e >> 2) - 1]);
        check("edges of buckets", &edges.collect::<Vec<_>>());
        check(
            "top heavy",
            &(0..1000u64)
                .map(|i| if i < 985 { 10 } else { i * 1000 })
                .collect::<Vec<_>>(),
        );
    }

    #[test]
    fn buckets_ascend_without_a_gap() {
        let mut last = 0;
        for value in 0..crate::testing::rounds(100_000) as u64 {
            let b = bucket(value);
            assert!(b == last || b == last + 1, "{value}");
            last = b;
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert!((8..BUCKETS).all(|b| bucket(middle(b)) == b));
    }
}
