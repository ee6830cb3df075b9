//! How long things take: the fastest of many batches, so that what else a host does meanwhile does
//! not count. What has become slow for good has no fast batch.

use std::io;
use std::mem::zeroed;
use std::time::Instant;
use test_support::call;

/// Batches in each of the two ends that are compared.
const BATCHES: usize = 25;

/// The least of some measurements; 0 when there is none.
fn fastest(times: &[f64]) -> f64 {
    times.iter().copied().min_by(f64::total_cmp).unwrap_or(0.0)
}

/// Whether `time` is at most `factor` times `base`.
pub fn at_most(time: f64, base: f64, factor: f64) -> bool {
    time <= base * factor
}

/// Measures the first and the last tenth of `count` deeds.
pub struct Pace {
    done: usize,
    /// Deeds in a batch.
    batch: usize,
    /// The deed at which the last tenth begins.
    last: usize,
    start: Instant,
    /// Nanoseconds for a deed, by batch, in the first and in the last tenth.
    times: [Vec<f64>; 2],
}

impl Pace {
    /// For so many deeds; at least 10 × 25, or nothing is measured.
    pub fn new(count: usize) -> Self {
        let batch = (count / 10 / BATCHES).max(1);
        Self {
            done: 0,
            batch,
            last: count - batch * BATCHES.min(count / batch),
            start: Instant::now(),
            times: [Vec::new(), Vec::new()],
        }
    }

    /// Called before each deed.
    pub fn tick(&mut self) {
        let ends = [0, self.last];
        for (end, start) in ends.into_iter().enumerate() {
            if let Some(since) = self.done.checked_sub(start)
                && since % self.batch == 0
                && since / self.batch <= BATCHES
            {
                self.mark(end, since > 0);
            }
        }
        self.done += 1;
    }

    /// The end of a batch, if it is one, and the start of the next.
    fn mark(&mut self, end: usize, is_end: bool) {
        if is_end {
            let time = self.start.elapsed().as_nanos() as f64 / self.batch as f64;
            self.times[end].push(time);
        }
        self.start = Instant::now();
    }

    /// Nanoseconds for a deed at the start and at the end.
    pub fn ends(self) -> (f64, f64) {
        let [first, last] = self.times;
        (fastest(&first), fastest(&last))
    }
}

/// A thousand times stat(2), going through the paths, which end with NUL: nanoseconds for each.
///
/// # Errors
/// What stat(2) reports.
pub fn batch_of(paths: &[String]) -> io::Result<f64> {
    const TIMES: usize = 1000;
    // SAFETY: a structure of integers, which may all be 0.
    let mut stat: libc::stat = unsafe { zeroed() };
    let start = Instant::now();
    for path in paths.iter().cycle().take(TIMES) {
        call(
            libc::SYS_stat,
            &[path.as_ptr() as u64, (&raw mut stat) as u64],
        )?;
    }
    Ok(start.elapsed().as_nanos() as f64 / TIMES as f64)
}

/// The fastest of each of two measurements that take turns.
///
/// # Errors
/// Those of the measurements.
pub fn alternately(
    mut one: impl FnMut() -> io::Result<f64>,
    mut other: impl FnMut() -> io::Result<f64>,
) -> io::Result<(f64, f64)> {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..4 * BATCHES {
        times[0].push(one()?);
        times[1].push(other()?);
    }
    let [one, other] = times;
    Ok((fastest(&one), fastest(&other)))
}
