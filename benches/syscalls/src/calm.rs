//! Whether something else slows this CPU down at the moment.
//!
//! A program on the other hardware thread of the core, or a lower frequency, makes everything
//! slower by a third or a half, for milliseconds or minutes, and nobody says so. A loop whose time
//! is known shows it: it is run before and after every round.

use std::arch::asm;
use std::time::Instant;

/// Iterations of the loop, one or two cycles each.
const ITERATIONS: u64 = 20_000;

/// How often the loop is run at the start to see how fast it can be.
const FIRST_SAMPLES: usize = 200;

/// A sample that is longer than the shortest by this part, one in so many, is disturbed.
const TOLERANCE: u64 = 16;

/// The watch on the CPU.
#[derive(Debug)]
pub struct Calm {
    /// The shortest sample so far, in nanoseconds.
    least: u64,
}

impl Calm {
    /// Finds out how fast the loop is, in a few milliseconds.
    pub fn new() -> Self {
        let mut calm = Self { least: u64::MAX };
        for _ in 0..FIRST_SAMPLES {
            calm.sample();
        }
        calm
    }

    /// Runs the loop: its time in nanoseconds.
    pub fn sample(&mut self) -> u64 {
        let start = Instant::now();
        // SAFETY: the instructions count a register of their own down to zero.
        unsafe {
            asm!(
                "2: dec {count}",
                "jnz 2b",
                count = inout(reg) ITERATIONS => _,
                options(nomem, nostack),
            );
        }
        let time = start.elapsed().as_nanos() as u64;
        self.least = self.least.min(time);
        time
    }

    /// Whether a sample is about as short as any so far.
    pub fn is_undisturbed(&self, sample: u64) -> bool {
        sample <= self.least + self.least / TOLERANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sample_is_disturbed() {
        let calm = Calm { least: 1600 };
        assert!(calm.is_undisturbed(1600) && calm.is_undisturbed(1700));
        assert!(!calm.is_undisturbed(1701));
    }

    #[test]
    fn the_shortest_sample_is_remembered() {
        let mut calm = Calm { least: u64::MAX };
        let shortest = (0..10).map(|_| calm.sample()).min();
        assert_eq!(shortest, Some(calm.least));
        assert!(calm.least > 0);
    }
}
