//! The kernel's histogram: cycles in powers of two, each in quarters.

/// How many buckets the format has.
pub const BUCKETS: u64 = 256;

/// The lowest number of cycles that falls into bucket `b`.
pub fn low(b: u64) -> u64 {
    match b {
        0..4 => b,
        // Bucket 4(e - 1) + q begins at (4 + q) * 2^(e - 2). Beyond 63 bits everything is last.
        _ => (4 + b % 4)
            .checked_shl((b / 4 - 1) as u32)
            .filter(|_| b / 4 <= 62)
            .unwrap_or(u64::MAX),
    }
}

/// A histogram for drawing: quarters where that leaves few bars, else powers of two.
#[derive(Debug, PartialEq, Eq)]
pub struct Bars {
    /// The lowest number of cycles of every bar, and of the one after the last.
    pub edges: Vec<u64>,
    /// How many calls each bar stands for.
    pub counts: Vec<u64>,
}

/// The bars from the first bucket that holds something to the last, with the empty ones between.
pub fn bars(hist: &[(u64, u64)], most: usize) -> Option<Bars> {
    let first = hist.iter().map(|pair| pair.0).min()?;
    let last = hist.iter().map(|pair| pair.0).max()?;
    let step = if last - first < most as u64 { 1 } else { 4 };
    let start = first / step * step;
    let bars = (last - start) / step + 1;
    let mut counts = vec![0; bars as usize];
    for &(bucket, count) in hist {
        counts[((bucket - start) / step) as usize] += count;
    }
    let edges = (0..=bars).map(|bar| low(start + bar * step)).collect();
    Some(Bars { edges, counts })
}

/// The histogram as one line of blocks, each of the height of a bar.
pub fn spark(hist: &[(u64, u64)], most: usize) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let Some(bars) = bars(hist, most) else {
        return String::new();
    };
    let highest = bars.counts.iter().copied().max().unwrap_or(1).max(1);
    let level = |&count: &u64| match count {
        0 => ' ',
        // Anything that happened is seen: at least the lowest level.
        _ => {
            LEVELS[((u128::from(count) * 8).div_ceil(u128::from(highest)) as usize).clamp(1, 8) - 1]
        }
    };
    bars.counts.iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's rule, from the format's definition.
    fn bucket(c: u64) -> u64 {
        if c < 4 {
            return c;
        }
        let e = u64::from(c.ilog2());
        4 * (e - 1) + ((c >> (e - 2)) & 3)
    }

    #[test]
    fn buckets_begin_where_the_kernel_begins_them() {
        for c in (0..5000).chain([1 << 40, (1 << 40) + 12345, u64::MAX]) {
            let b = bucket(c);
            assert!(b < BUCKETS && low(b) <= c, "{c}");
            assert!(c == u64::MAX || c < low(b + 1), "{c}");
        }
        assert!(low(255) >= low(251));
    }

    #[test]
    fn bars_are_joined_when_there_are_too_many() {
        let fine = bars(&[(8, 1), (10, 5)], 8).unwrap();
        assert_eq!(
            (fine.edges, fine.counts),
            (vec![8, 10, 12, 14], vec![1, 0, 5])
        );
        let coarse = bars(&[(9, 1), (10, 5), (25, 2)], 8).unwrap();
        assert_eq!(coarse.edges, [8, 16, 32, 64, 128, 256]);
        assert_eq!(coarse.counts, [6, 0, 0, 0, 2]);
        assert_eq!(bars(&[], 8), None);
    }

    #[test]
    fn sparks_show_rare_events() {
        assert_eq!(spark(&[(8, 1000), (9, 500), (11, 1)], 8), "█▄ ▁");
        assert_eq!(spark(&[], 8), "");
    }
}
