//! Load averages, as Linux computes them (`kernel/sched/loadavg.c`): fixed point, eleven fractional
//! bits, an exponential decay in steps of five seconds. Nothing runs every five seconds here, so the
//! steps are made up for when somebody asks, with the share of the time in which a thread ran as
//! their load: with one CPU the figure does not exceed 1.

use super::entry::At;
use super::machine::running;
use super::source::Clock;
use super::text::Text;
use crate::errno::Errno;
use crate::sync::SpinLock;
use crate::time::NANOS;

/// Fractional bits.
const SHIFT: u32 = 11;
const ONE: u64 = 1 << SHIFT;
/// What a step leaves of an average over one, five and fifteen minutes: `ONE / e^(5s/time)`.
const DECAY: [u64; 3] = [1884, 2014, 2037];
/// Length of a step, ns.
const STEP: u64 = 5 * NANOS;

/// The averages and when they were computed.
#[derive(Debug)]
pub struct Averages {
    values: [u64; 3],
    until: u64,
    busy: u64,
}

static AVERAGES: SpinLock<Averages> = SpinLock::new(Averages::new());

/// `base` to the power of `exponent`, in fixed point with rounding (`fixed_power_int`).
fn power(mut base: u64, mut exponent: u64) -> u64 {
    let multiply = |a: u64, b: u64| (a * b + (1 << (SHIFT - 1))) >> SHIFT;
    let mut result = ONE;
    while exponent > 0 {
        if exponent & 1 != 0 {
            result = multiply(result, base);
        }
        exponent >>= 1;
        base = multiply(base, base);
    }
    result
}

impl Averages {
    /// All zero, at boot.
    pub const fn new() -> Self {
        Self {
            values: [0; 3],
            until: 0,
            busy: 0,
        }
    }

    /// Makes up for the whole steps that have passed; returns the averages, in units of 1/2048.
    pub fn at(&mut self, clock: Clock) -> [u64; 3] {
        let passed = clock.uptime.saturating_sub(self.until);
        let steps = passed / STEP;
        if steps > 0 {
            let busy = clock.uptime - clock.idle.min(clock.uptime);
            let share = (busy.saturating_sub(self.busy) as u128) << SHIFT;
            let load = ((share / u128::from(passed)) as u64).min(ONE);
            for (value, decay) in self.values.iter_mut().zip(DECAY) {
                let decay = power(decay, steps);
                let sum = *value * decay + load * (ONE - decay);
                // A rising average is rounded up, so that it can reach its goal.
                *value = (sum + if load >= *value { ONE - 1 } else { 0 }) >> SHIFT;
            }
            self.until += steps * STEP;
            self.busy = busy;
        }
        self.values
    }
}

impl Default for Averages {
    fn default() -> Self {
        Self::new()
    }
}

/// The load averages of this machine, in units of 1/2048, up to now.
pub fn averages(clock: Clock) -> [u64; 3] {
    AVERAGES.lock_no_irq().at(clock)
}

/// `/proc/loadavg`: averages over one, five and fifteen minutes, threads that run and all threads,
/// and the last id given.
pub fn loadavg(at: &At, text: &mut Text) -> Result<(), Errno> {
    let system = at.source.system;
    for value in averages(system.clock()) {
        let value = value + ONE / 200;
        text.dec(value >> SHIFT).byte(b'.');
        text.zeros(((value & (ONE - 1)) * 100) >> SHIFT, 2)
            .byte(b' ');
    }
    let (ready, all) = running(at.source);
    text.dec(ready).byte(b'/').dec(all);
    let threads = core::iter::successors(system.next_thread(0), |&tid| {
        system.next_thread(tid.checked_add(1)?)
    });
    text.byte(b' ')
        .dec(threads.last().unwrap_or(0).into())
        .line();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(uptime: u64, idle: u64) -> Clock {
        Clock {
            uptime: uptime * NANOS,
            idle: idle * NANOS,
            ..Clock::default()
        }
    }

    #[test]
    fn a_busy_machine_approaches_one() {
        let mut averages = Averages::new();
        assert_eq!(averages.at(clock(4, 0)), [0; 3]);
        let minute = averages.at(clock(60, 0));
        // 1 - 1/e of the way in one minute.
        assert!((1285..=1310).contains(&minute[0]), "{minute:?}");
        assert!(minute[0] > minute[1] && minute[1] > minute[2]);
        let hour = averages.at(clock(3600, 0));
        assert!(
            hour.iter().all(|&value| (ONE - 50..=ONE).contains(&value)),
            "{hour:?}"
        );
    }

    #[test]
    fn an_idle_machine_goes_back_to_zero() {
        let mut averages = Averages::new();
        averages.at(clock(600, 0));
        let quiet = averages.at(clock(600 + 7200, 7200));
        assert!(quiet.iter().all(|&value| value < 10), "{quiet:?}");
    }

    #[test]
    fn it_makes_no_difference_how_often_somebody_asks() {
        let (mut often, mut once) = (Averages::new(), Averages::new());
        for second in 1..=120 {
            often.at(clock(second, second / 2));
        }
        let (often, once) = (often.at(clock(120, 60)), once.at(clock(120, 60)));
        for (a, b) in often.iter().zip(once) {
            assert!(a.abs_diff(b) < 40, "{often:?} {once:?}");
        }
    }

    #[test]
    fn times_that_do_not_fit_are_no_panic() {
        let mut averages = Averages::new();
        averages.at(clock(100, 200));
        averages.at(clock(50, 0));
        averages.at(clock(200, 0));
    }
}
