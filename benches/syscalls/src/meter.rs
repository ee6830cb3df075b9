//! How a row is measured: rounds of iterations by the clock, or a given number of iterations.

use crate::calm::Calm;
use crate::errno::Stop;
use crate::rows::Row;
use std::arch::x86_64::{_mm_lfence, _rdtsc};
use std::time::{Duration, Instant};

/// Rounds before those that count.
const WARM_UP_ROUNDS: usize = 2;

/// A round that something has disturbed is repeated, up to so many rounds for each that counts.
const ATTEMPTS: usize = 3;

/// How often calibration looks before it believes that enough iterations take long enough.
const CALIBRATION_ATTEMPTS: usize = 3;

/// Where calibration gives up: a loop of nothing gets there on no machine in a round.
const MOST_ITERATIONS: u64 = 1 << 32;

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The time of an iteration.
    Time {
        /// How many rounds count; at least one.
        rounds: usize,
        /// How long a round takes, about.
        round: Duration,
    },
    /// The TSC ticks of this many iterations.
    Count(u64),
    /// Nothing: do this many iterations and read no clock.
    Iterations(u64),
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// Nanoseconds an iteration, of all rounds.
    Time {
        /// The round in the middle; of two, the faster.
        median: f64,
        /// The fastest round.
        least: f64,
        /// The slowest round.
        greatest: f64,
        /// Iterations a round.
        iterations: u64,
        /// The longest sample of [`Calm`] beside a round, in nanoseconds.
        pace: u64,
    },
    /// TSC ticks of all iterations together.
    Ticks {
        /// How many.
        ticks: u64,
        /// How often the operation was done.
        iterations: u64,
    },
    /// It ran, or is not counted.
    Nothing,
}

/// A row's sample, or the call that stopped it.
pub type Outcome = Result<Sample, Stop>;

/// Does a number of iterations.
type Repeat<'a> = &'a mut dyn FnMut(u64) -> Result<(), Stop>;

/// Measures rows, one after the other.
#[derive(Debug)]
pub struct Meter {
    mode: Mode,
    /// The current row's batch: iterations come in multiples of it.
    batch: u64,
    /// The current row's rounds. It has its memory from the start: the row `brk` moves the end of
    /// the heap, and nothing may be allocated meanwhile.
    rounds: Vec<Round>,
    /// Says which rounds were disturbed; absent where no time is measured.
    calm: Option<Calm>,
}

/// A round by the clock.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// The longer of the samples of [`Calm`] before it and after it.
    disturbance: u64,
    /// Nanoseconds an iteration.
    cost: f64,
}

impl Meter {
    /// A meter for this mode.
    pub fn new(mode: Mode) -> Self {
        let (rounds, calm) = match mode {
            Mode::Time { rounds, .. } => (rounds * ATTEMPTS, Some(Calm::new())),
            _ => (0, None),
        };
        Self {
            mode,
            batch: 1,
            rounds: Vec::with_capacity(rounds),
            calm,
        }
    }

    /// What it measures.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Sets the row up, measures it and cleans up.
    ///
    /// # Errors
    /// The first call that does not do what it must.
    pub fn row(&mut self, row: &Row) -> Outcome {
        self.batch = row.batch;
        (row.run)(self)
    }

    /// Measures `operation`: the part of a row that is repeated, with its checks.
    ///
    /// # Errors
    /// The operation's first error, which ends the measurement.
    pub fn measure(&mut self, mut operation: impl FnMut() -> Result<(), Stop>) -> Outcome {
        self.measure_loop(&mut |iterations| repeat(iterations, &mut operation))
    }

    /// The same for an operation that sleeps. It is not counted: while nobody runs, the counter goes
    /// on to the moment at which somebody will.
    ///
    /// # Errors
    /// As for [`Meter::measure`].
    pub fn measure_asleep(&mut self, operation: impl FnMut() -> Result<(), Stop>) -> Outcome {
        match self.mode {
            Mode::Count(_) => Ok(Sample::Nothing),
            _ => self.measure(operation),
        }
    }

    fn measure_loop(&mut self, run: Repeat) -> Outcome {
        match self.mode {
            Mode::Time { rounds, round } => self.rounds(rounds, round, run),
            Mode::Count(wanted) => {
                let iterations = self.whole_batches(wanted);
                let start = ticks();
                run(iterations)?;
                let ticks = ticks().wrapping_sub(start);
                Ok(Sample::Ticks { ticks, iterations })
            }
            Mode::Iterations(wanted) => {
                run(self.whole_batches(wanted))?;
                Ok(Sample::Nothing)
            }
        }
    }

    fn rounds(&mut self, rounds: usize, round: Duration, run: Repeat) -> Outcome {
        let iterations = self.calibrate(round, run)?;
        for _ in 0..WARM_UP_ROUNDS {
            run(iterations)?;
        }
        let mut calm = self.calm.take().unwrap_or_else(Calm::new);
        let measured = self.undisturbed(rounds, iterations, run, &mut calm);
        self.calm = Some(calm);
        measured?;
        self.rounds
            .sort_unstable_by(|a, b| a.cost.total_cmp(&b.cost));
        Ok(Sample::Time {
            median: self.rounds[(rounds - 1) / 2].cost,
            least: self.rounds[0].cost,
            greatest: self.rounds[rounds - 1].cost,
            iterations,
            pace: self
                .rounds
                .iter()
                .map(|round| round.disturbance)
                .max()
                .unwrap_or(0),
        })
    }

    /// Fills `self.rounds` with so many rounds, the least disturbed of those that it makes: no more
    /// than these if nothing disturbs them.
    fn undisturbed(
        &mut self,
        rounds: usize,
        iterations: u64,
        run: Repeat,
        calm: &mut Calm,
    ) -> Result<(), Stop> {
        self.rounds.clear();
        let (mut good, mut before) = (0, calm.sample());
        while good < rounds && self.rounds.len() < rounds * ATTEMPTS {
            let time = time(iterations, run)?;
            let after = calm.sample();
            let disturbance = before.max(after);
            good += usize::from(calm.is_undisturbed(disturbance));
            self.rounds.push(Round {
                disturbance,
                cost: time.as_nanos() as f64 / iterations as f64,
            });
            before = after;
        }
        self.rounds.sort_unstable_by_key(|round| round.disturbance);
        self.rounds.truncate(rounds);
        Ok(())
    }

    /// How many iterations make a round. The first ones do not count: they find a site that still
    /// traps, memory that nobody has touched, cold caches.
    fn calibrate(&self, round: Duration, run: Repeat) -> Result<u64, Stop> {
        run(self.batch)?;
        let mut iterations = self.batch;
        loop {
            let taken = least_time(iterations, round / 4, run)?;
            if taken >= round / 4 || iterations >= MOST_ITERATIONS {
                let fitting = round.as_secs_f64() / taken.as_secs_f64() * iterations as f64;
                return Ok(self.whole_batches((fitting as u64).clamp(1, MOST_ITERATIONS)));
            }
            iterations *= 2;
        }
    }

    fn whole_batches(&self, iterations: u64) -> u64 {
        let whole = iterations.checked_next_multiple_of(self.batch);
        whole.unwrap_or(u64::MAX)
    }
}

/// The measured loop. It exists once for each row, so that a row's sites are the same ones in
/// every round.
#[inline(never)]
fn repeat(iterations: u64, operation: &mut impl FnMut() -> Result<(), Stop>) -> Result<(), Stop> {
    for _ in 0..iterations {
        operation()?;
    }
    Ok(())
}

fn time(iterations: u64, run: Repeat) -> Result<Duration, Stop> {
    let start = Instant::now();
    run(iterations)?;
    Ok(start.elapsed())
}

/// The least time of a few attempts; the first one below `enough` is taken at once. A single
/// attempt may be long because something else happened meanwhile.
fn least_time(iterations: u64, enough: Duration, run: Repeat) -> Result<Duration, Stop> {
    let mut least = Duration::MAX;
    for _ in 0..CALIBRATION_ATTEMPTS {
        least = least.min(time(iterations, run)?);
        if least < enough {
            break;
        }
    }
    Ok(least)
}

/// The time-stamp counter, after everything before it.
fn ticks() -> u64 {
    // SAFETY: every x86-64 CPU has both instructions, and Linux leaves RDTSC to user programs
    // unless they ask it not to (prctl PR_SET_TSC).
    unsafe {
        _mm_lfence();
        _rdtsc()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(mode: Mode, batch: u64) -> Meter {
        let mut meter = Meter::new(mode);
        meter.batch = batch;
        meter
    }

    fn iterations(mode: Mode, batch: u64) -> u64 {
        let mut done = 0;
        let outcome = meter(mode, batch).measure(|| {
            done += 1;
            Ok(())
        });
        assert!(outcome.is_ok());
        done
    }

    #[test]
    fn counts_are_exact() {
        assert_eq!(iterations(Mode::Count(1000), 1), 1000);
        assert_eq!(iterations(Mode::Iterations(7), 1), 7);
        assert_eq!(iterations(Mode::Count(0), 1), 0);
    }

    #[test]
    fn what_sleeps_is_timed_and_not_counted() {
        let mut never = || -> Result<(), Stop> { panic!("it slept") };
        let counted = meter(Mode::Count(9), 1).measure_asleep(&mut never);
        assert_eq!(counted, Ok(Sample::Nothing));
        let mut done = 0;
        let run = meter(Mode::Iterations(7), 1).measure_asleep(|| {
            done += 1;
            Ok(())
        });
        assert_eq!((run, done), (Ok(Sample::Nothing), 7));
    }

    #[test]
    fn batches_are_whole() {
        assert_eq!(iterations(Mode::Count(1), 4096), 4096);
        assert_eq!(iterations(Mode::Iterations(8192), 4096), 8192);
    }

    #[test]
    fn the_first_error_ends_the_measurement() {
        let mode = Mode::Time {
            rounds: 3,
            round: Duration::from_micros(100),
        };
        let mut calls = 0;
        let outcome = meter(mode, 1).measure(|| {
            calls += 1;
            if calls < 100 {
                Ok(())
            } else {
                Err(Stop::new("SYS_read", -9))
            }
        });
        assert_eq!(outcome, Err(Stop::new("SYS_read", -9)));
        assert_eq!(calls, 100);
    }

    #[test]
    fn the_median_lies_between_the_extremes() {
        let mode = Mode::Time {
            rounds: 5,
            round: Duration::from_micros(200),
        };
        let outcome = meter(mode, 1).measure(|| {
            std::hint::black_box(0);
            Ok(())
        });
        let Ok(Sample::Time {
            median,
            least,
            greatest,
            iterations,
            pace,
        }) = outcome
        else {
            panic!("{outcome:?}");
        };
        assert!(least <= median && median <= greatest && iterations > 0 && pace > 0);
    }
}
