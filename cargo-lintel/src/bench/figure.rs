//! One figure of several passes.
//!
//! What else a computer does makes a pass slower, by a half for seconds if it is on the other
//! hardware thread of the core. The benchmark program therefore times a loop of known speed beside
//! every row. Passes in which that loop was slow, too, were disturbed, and do not count.
//!
//! What is left differs by where things lie in memory: a call of twelve cycles takes fifteen in
//! every second boot, and always the same within one boot. A median over boots is then one or the
//! other by chance; the mean is not.

use serde::Serialize;

/// A pass is disturbed if its loop took longer than the fastest one by this part.
const TOLERANCE: f64 = 1.0 / 16.0;
/// The figure is one of so many passes at least, disturbed or not.
const LEAST: usize = 3;
/// Of so many passes the fastest and the slowest are left out.
const TRIM: usize = 8;

/// A row in one pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The time of a call, in nanoseconds.
    pub ns: f64,
    /// What the loop took meanwhile.
    pub pace: f64,
}

/// Several values of one quantity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// The mean of those that count, without the extreme ones. The undisturbed ones count, or the
    /// three least disturbed.
    pub value: f64,
    /// The lowest of them.
    pub min: f64,
    /// The highest of them.
    pub max: f64,
    /// How many were not disturbed.
    pub undisturbed: usize,
    /// All, in the order they were measured.
    pub passes: Vec<f64>,
    /// Which of them count.
    counts: Vec<bool>,
}

impl Figure {
    /// From the samples; `pace` is the fastest of all loops. Nothing of no samples.
    pub fn of(samples: &[Sample], pace: f64) -> Option<Self> {
        let limit = pace * (1.0 + TOLERANCE);
        let undisturbed = samples.iter().filter(|sample| sample.pace <= limit).count();
        let mut paces: Vec<_> = samples.iter().map(|sample| sample.pace).collect();
        paces.sort_by(f64::total_cmp);
        let last = paces.get(LEAST - 1).or(paces.last())?;
        let limit = limit.max(*last);
        let counts: Vec<_> = samples.iter().map(|sample| sample.pace <= limit).collect();
        let passes: Vec<_> = samples.iter().map(|sample| sample.ns).collect();
        let sorted = sorted(chosen(&passes, &counts));
        Some(Self {
            value: trimmed_mean(&sorted)?,
            min: *sorted.first()?,
            max: *sorted.last()?,
            undisturbed,
            passes,
            counts,
        })
    }

    /// Whether too few passes were undisturbed for a good figure.
    pub fn is_disturbed(&self) -> bool {
        self.undisturbed < LEAST
    }
}

/// The machine's time by that of the process.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ratio {
    /// Of the two figures.
    pub value: f64,
    /// The lowest of the passes that count in both lives.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

impl Ratio {
    /// Of two figures.
    pub fn of(native: &Figure, vm: &Figure) -> Self {
        let by = |vm: f64, native: f64| vm / native.max(0.001);
        let pairs = native.passes.iter().zip(&vm.passes);
        let ratios: Vec<_> = pairs.map(|(native, vm)| by(*vm, *native)).collect();
        let both = native.counts.iter().zip(&vm.counts);
        let counts: Vec<_> = both.map(|(native, vm)| *native && *vm).collect();
        let value = by(vm.value, native.value);
        let sorted = sorted(chosen(&ratios, &counts));
        Self {
            value,
            low: sorted.first().map_or(value, |low| low.min(value)),
            high: sorted.last().map_or(value, |high| high.max(value)),
        }
    }
}

fn chosen<'a>(values: &'a [f64], counts: &'a [bool]) -> impl Iterator<Item = f64> + 'a {
    let pairs = values.iter().zip(counts);
    pairs.filter(|pair| *pair.1).map(|pair| *pair.0)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<_> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The mean without the extremes on both sides.
fn trimmed_mean(sorted: &[f64]) -> Option<f64> {
    let trim = sorted.len() / TRIM;
    let middle = sorted.get(trim..sorted.len() - trim)?;
    (!middle.is_empty()).then(|| middle.iter().sum::<f64>() / middle.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(passes: &[(f64, f64)]) -> Figure {
        let samples = passes.iter().map(|&(ns, pace)| Sample { ns, pace });
        Figure::of(&samples.collect::<Vec<_>>(), 100.0).unwrap()
    }

    #[test]
    fn it_is_the_mean_without_the_extremes() {
        let calm = |ns: &[f64]| figure(&ns.iter().map(|ns| (*ns, 103.0)).collect::<Vec<_>>());
        assert_eq!(calm(&[3.0, 1.0, 8.0]).value, 4.0);
        assert_eq!(calm(&[4.0, 0.0, 2.0, 3.0, 4.0, 99.0, 2.0, 3.0]).value, 3.0);
        assert_eq!(calm(&[7.0]).value, 7.0);
        assert_eq!(Figure::of(&[], 1.0), None);
    }

    #[test]
    fn two_states_give_a_figure_between_them() {
        let boots = |fast: usize| {
            let state = |boot| {
                if boot < fast {
                    (3.2, 100.0)
                } else {
                    (4.0, 100.0)
                }
            };
            figure(&(0..15).map(state).collect::<Vec<_>>()).value
        };
        assert!(boots(6) / boots(9) < 1.08);
    }

    #[test]
    fn disturbed_passes_do_not_count() {
        let mut passes = vec![(3.0, 100.0), (3.1, 106.0), (2.9, 101.0)];
        passes.extend([(4.5, 160.0); 8]);
        let some = figure(&passes);
        assert_eq!((some.value, some.min, some.max), (3.0, 2.9, 3.1));
        assert_eq!((some.undisturbed, some.passes.len()), (3, 11));
        assert!(!some.is_disturbed());
    }

    #[test]
    fn where_all_are_disturbed_the_least_disturbed_count() {
        let passes = [
            (9.0, 190.0),
            (4.0, 120.0),
            (4.2, 130.0),
            (4.1, 125.0),
            (8.0, 180.0),
        ];
        let figure = figure(&passes);
        assert!((figure.value - 4.1).abs() < 1e-9 && figure.undisturbed == 0);
        assert!(figure.is_disturbed());
    }

    #[test]
    fn a_ratio_is_that_of_the_figures() {
        let native = figure(&[
            (100.0, 100.0),
            (100.0, 100.0),
            (200.0, 150.0),
            (100.0, 100.0),
        ]);
        let vm = figure(&[(50.0, 100.0), (50.0, 100.0), (50.0, 100.0), (80.0, 150.0)]);
        let ratio = Ratio::of(&native, &vm);
        assert_eq!((ratio.value, ratio.low, ratio.high), (0.5, 0.5, 0.5));
    }
}
