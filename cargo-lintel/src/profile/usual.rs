//! What a call usually costs: the average without the slowest calls, which an interrupt, a trap at
//! the first call of a site or the host has made slow.

use super::histogram::low;
use super::record::{Call, Profile};

/// One call in so many is left out.
const SLOWEST: u64 = 20;

/// The bounds of an average, in nanoseconds. What the calls that are left out took is known by
/// their buckets only, so the average of the others lies between two figures, 1 or 2 % apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// It is not below this.
    pub low: f64,
    /// It is not above this.
    pub high: f64,
}

impl Usual {
    /// The least number of calls that have a usual cost.
    pub const CALLS: u64 = SLOWEST;

    /// Nothing for fewer calls than [`Usual::CALLS`].
    pub fn of(call: &Call, profile: &Profile) -> Option<Self> {
        let dropped = call.calls / SLOWEST;
        let rest = call.calls.checked_sub(dropped).filter(|_| dropped > 0)?;
        let (least, most) = slowest(call, dropped, profile);
        let average = |slow: u64| call.total_ns.saturating_sub(slow) as f64 / rest as f64;
        Some(Self {
            low: average(most),
            high: average(least),
        })
    }

    /// By how much this has at least grown since `before`, as a fraction: negative if it may have
    /// shrunk.
    pub fn growth(self, before: Self) -> f64 {
        match before.high > 0.0 {
            true => self.low / before.high - 1.0,
            false => 0.0,
        }
    }
}

/// The least and the most time, in nanoseconds, that the slowest `count` calls can have taken. That
/// of the slowest one is known.
fn slowest(call: &Call, mut count: u64, profile: &Profile) -> (u64, u64) {
    let mut buckets = call.hist.clone();
    buckets.sort_unstable();
    let mut known = count.min(1);
    let (mut least, mut most) = (call.max_ns * known, call.max_ns * known);
    for (bucket, calls) in buckets.into_iter().rev() {
        let in_sum = calls.min(known);
        (known, count) = (known - in_sum, count - in_sum);
        let calls = (calls - in_sum).min(count);
        let bound = |bucket| profile.ns(low(bucket)).min(call.max_ns);
        least = least.saturating_add(bound(bucket).saturating_mul(calls));
        most = most.saturating_add(bound(bucket + 1).saturating_mul(calls));
        count -= calls;
    }
    (least, most)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::SAMPLE;
    use super::*;

    /// A profile of a call whose calls took these cycles, at 1 GHz.
    fn usual(cycles: &[u64]) -> Option<Usual> {
        let mut profile = Profile::parse(SAMPLE).unwrap();
        profile.header.tsc_khz = 1_000_000;
        let bucket = |c: &u64| (0..255).rev().find(|b| low(*b) <= *c).unwrap();
        let call = Call {
            calls: cycles.len() as u64,
            total_ns: cycles.iter().sum(),
            max_ns: *cycles.iter().max().unwrap(),
            hist: cycles.iter().map(|c| (bucket(c), 1)).collect(),
            ..Call::default()
        };
        Usual::of(&call, &profile)
    }

    #[test]
    fn the_average_lies_between_the_bounds() {
        for (calls, slow) in [(19, 100_000), (39, 5_000), (199, 77_777)] {
            let mut cycles = vec![100; calls];
            cycles.push(slow);
            let Usual { low, high } = usual(&cycles).unwrap();
            // Of 40 calls two are left out, and so on: 100 is the average of the others.
            assert!(low <= 100.0 && 100.0 <= high, "{low} {high}");
            assert!(high - low < 3.0, "{low} {high}");
        }
    }

    #[test]
    fn a_slow_call_is_no_growth_and_slow_calls_are() {
        let calm = usual(&[100; 1000]).unwrap();
        let mut cycles = vec![100; 1000];
        cycles[..40].fill(1_000_000);
        assert!(usual(&cycles).unwrap().growth(calm) < 0.05);
        let slower = usual(&[115; 1000]).unwrap();
        assert!((0.12..0.16).contains(&slower.growth(calm)));
        assert!(calm.growth(slower) < 0.0);
    }

    #[test]
    fn a_few_calls_have_no_usual_cost() {
        assert_eq!(usual(&[5; 19]), None);
        assert!(usual(&[5; 20]).is_some());
    }
}
