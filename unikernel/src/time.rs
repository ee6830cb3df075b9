//! Time: the TSC, a fixed-point multiplier, and sleeping.
//!
//! `ns = ticks * mult >> 32`, one multiplication, no division. The rate is found on first use, not
//! at boot: on a machine without a clock leaf it takes 10 ms of calibration, which a program that
//! never asks for the time should not pay.

use crate::platform::{ClockChoice, platform};
use crate::{lower, sched};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Nanoseconds in a second.
pub const NANOS: u64 = 1_000_000_000;

/// TSC at the first instruction of the image: the zero of CLOCK_MONOTONIC.
static START: AtomicU64 = AtomicU64::new(0);
/// Nanoseconds per tick with 32 fractional bits; 0 until known.
static MULT: AtomicU64 = AtomicU64::new(0);
/// Ticks per nanosecond with 32 fractional bits.
static INVERSE: AtomicU64 = AtomicU64::new(0);
/// CLOCK_REALTIME minus CLOCK_MONOTONIC in ns; 0 until known.
static EPOCH: AtomicU64 = AtomicU64::new(0);
static CHOICE: AtomicU64 = AtomicU64::new(0);
/// Nanoseconds in which the CPU was halted.
static SLEPT: AtomicU64 = AtomicU64::new(0);
/// Timer interrupts seen.
static TICKS: AtomicU64 = AtomicU64::new(0);

/// Reads the time-stamp counter (unprivileged; SDM vol. 2, RDTSC).
#[cfg(not(miri))]
#[inline(always)]
pub fn tsc() -> u64 {
    // SAFETY: RDTSC has no side effect; CR4.TSD is clear.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Miri has no such counter: one that moves on when it is read.
#[cfg(miri)]
pub fn tsc() -> u64 {
    static NOW: AtomicU64 = AtomicU64::new(0);
    NOW.fetch_add(1, Relaxed)
}

/// Fixes the origin, at boot.
pub fn init(entry_tsc: u64, choice: ClockChoice) {
    START.store(entry_tsc, Relaxed);
    CHOICE.store(choice as u64, Relaxed);
}

fn choice() -> ClockChoice {
    let all = [
        ClockChoice::Auto,
        ClockChoice::Pvclock,
        ClockChoice::Cpuid,
        ClockChoice::Pit,
    ];
    all.into_iter()
        .find(|&c| c as u64 == CHOICE.load(Relaxed))
        .unwrap_or(ClockChoice::Auto)
}

/// The multiplier for a counter of `hz` ticks a second (more than 1 MHz).
pub const fn mult_for(hz: u64) -> u64 {
    (((NANOS as u128) << 32) / hz as u128) as u64
}

/// Ticks to nanoseconds.
#[inline(always)]
pub const fn scale(ticks: u64, mult: u64) -> u64 {
    ((ticks as u128 * mult as u128) >> 32) as u64
}

/// Ticks of the time-stamp counter as nanoseconds, at the rate of this machine.
pub fn ticks_to_ns(ticks: u64) -> u64 {
    scale(ticks, mult())
}

#[inline(always)]
fn mult() -> u64 {
    let mult = MULT.load(Relaxed);
    if mult != 0 {
        mult
    } else {
        lintel_fast_cold_calibrate()
    }
}

/// First use of the clock. Kept out of line so that the fast path stays free of everything that
/// calibration needs; it switches to the kernel stack with the vector registers saved.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn lintel_fast_cold_calibrate() -> u64 {
    crate::shim::on_kernel_stack(calibrate);
    MULT.load(Relaxed)
}

extern "C" fn calibrate() {
    // Without a machine, in tests and benches, a tick is as good as a nanosecond.
    if !crate::platform::registered() {
        return set_mult(1 << 32);
    }
    match platform().clock_rate(choice()) {
        Ok(rate) => set_mult(rate.mult),
        Err(why) => panic!("no clock: {why}"),
    }
}

/// Finds the rate now when a source was chosen by name, so that a machine without it is refused at
/// boot; `Err` says why.
pub fn check_choice() -> Result<(), &'static str> {
    if choice() == ClockChoice::Auto {
        return Ok(());
    }
    set_mult(platform().clock_rate(choice())?.mult);
    Ok(())
}

fn set_mult(mult: u64) {
    INVERSE.store(((1u128 << 64) / u128::from(mult)) as u64, Relaxed);
    MULT.store(mult, Relaxed);
}

/// The TSC when CLOCK_MONOTONIC comes to `deadline` (ns), or a little later than that.
pub fn tsc_at(deadline: u64) -> u64 {
    let now = tsc();
    let left = u128::from(deadline.saturating_sub(monotonic_at(now)));
    let ticks = (left * u128::from(INVERSE.load(Relaxed))) >> 32;
    u64::try_from(u128::from(now) + ticks + 1).unwrap_or(u64::MAX)
}

/// The sources that this machine has, each with the frequency in kHz that it gives for the TSC.
pub fn sources() -> impl Iterator<Item = (&'static str, u64)> {
    [ClockChoice::Pvclock, ClockChoice::Cpuid, ClockChoice::Pit]
        .into_iter()
        .filter_map(|choice| platform().clock_rate(choice).ok())
        .map(|rate| (rate.source, khz(rate.mult)))
}

/// The frequency in kHz that a multiplier stands for.
const fn khz(mult: u64) -> u64 {
    (((NANOS as u128) << 32) / (mult as u128 * 1000)) as u64
}

/// Ticks of the time-stamp counter in a millisecond, by the rate in use.
pub fn tsc_khz() -> u64 {
    khz(mult())
}

/// The source in use and its frequency in kHz.
pub fn source() -> (&'static str, u64) {
    match platform().clock_rate(choice()) {
        Ok(rate) => (rate.source, khz(rate.mult)),
        Err(why) => (why, 0),
    }
}

/// Nanoseconds since boot (CLOCK_MONOTONIC).
#[inline(always)]
pub fn monotonic_ns() -> u64 {
    monotonic_at(tsc())
}

/// CLOCK_MONOTONIC when the TSC was `tsc`.
#[inline(always)]
fn monotonic_at(tsc: u64) -> u64 {
    since_boot(tsc, mult())
}

/// The same by a rate that is known.
#[inline(always)]
fn since_boot(tsc: u64, mult: u64) -> u64 {
    scale(tsc.wrapping_sub(START.load(Relaxed)), mult)
}

/// CLOCK_MONOTONIC, if a clock was asked before: without a call.
#[inline(always)]
pub fn monotonic_again() -> Option<u64> {
    let mult = MULT.load(Relaxed);
    (mult != 0).then(|| since_boot(tsc(), mult))
}

/// CLOCK_REALTIME, if it was asked before: without a call.
#[inline(always)]
pub fn realtime_again() -> Option<u64> {
    let epoch = EPOCH.load(Relaxed);
    let since = monotonic_again().filter(|_| epoch != 0)?;
    Some(epoch.wrapping_add(since))
}

/// Nanoseconds since the Unix epoch (CLOCK_REALTIME).
#[inline(always)]
pub fn realtime_ns() -> u64 {
    let mut epoch = EPOCH.load(Relaxed);
    if epoch == 0 {
        epoch = lintel_fast_cold_epoch();
    }
    epoch.wrapping_add(monotonic_ns())
}

/// The time on CLOCK_MONOTONIC when CLOCK_REALTIME comes to `time`, both in ns; 0 if that has been
/// before the boot.
pub fn monotonic_of(time: u64) -> u64 {
    // Finds the epoch if it is not known yet.
    realtime_ns();
    time.saturating_sub(EPOCH.load(Relaxed))
}

/// Sets CLOCK_REALTIME (ns since 1970). `false`: that would be before the boot of a machine which
/// booted in 1970, as Linux has it.
pub fn set_realtime(time: u64) -> bool {
    let now = monotonic_ns();
    if time <= now {
        return false;
    }
    EPOCH.store(time - now, Relaxed);
    crate::timer::clock_was_set();
    true
}

#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn lintel_fast_cold_epoch() -> u64 {
    crate::shim::on_kernel_stack(find_epoch);
    EPOCH.load(Relaxed)
}

extern "C" fn find_epoch() {
    EPOCH.store(wall_clock().wrapping_sub(monotonic_ns()), Relaxed);
}

/// The machine's clock of the time of day, in nanoseconds since 1970.
#[cfg(not(test))]
fn wall_clock() -> u64 {
    // Benches of the library have no machine.
    if crate::platform::registered() {
        platform().wall_clock()
    } else {
        1
    }
}

/// Tests run on a host, which has a clock but is no machine.
#[cfg(test)]
fn wall_clock() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |since| since.as_nanos() as u64)
}

/// What [`boot_time`] found out, in nanoseconds; 0 is nothing yet.
static BOOTED: AtomicU64 = AtomicU64::new(0);

/// The wall clock when the machine booted, as seconds and nanoseconds: if it was not looked at
/// before, as of now. That spares who only wants time stamps the calibration of the other clock.
pub fn boot_time() -> (u64, u32) {
    let mut booted = BOOTED.load(Relaxed);
    if booted == 0 {
        booted = EPOCH.load(Relaxed);
        if booted == 0 {
            booted = wall_clock();
        }
        BOOTED.store(booted, Relaxed);
    }
    split(booted)
}

/// Seconds since the Unix epoch when the wall clock was last looked at: for who need not know better.
static COARSE: AtomicU64 = AtomicU64::new(0);

/// The wall clock in seconds, as of the last time that anybody asked for it.
#[inline(always)]
pub fn coarse_s() -> i64 {
    COARSE.load(Relaxed) as i64
}

/// The reciprocal of 10^9: `n / 10^9 == n * RECIPROCAL >> 93` for every 64-bit `n`.
const RECIPROCAL: u128 = (1u128 << 93) / NANOS as u128 + 1;

/// Splits nanoseconds into seconds and the rest, without a division.
#[inline(always)]
pub const fn split(ns: u64) -> (u64, u32) {
    let seconds = ((ns as u128 * RECIPROCAL) >> 93) as u64;
    (seconds, (ns - seconds * NANOS) as u32)
}

/// The wall clock as seconds and nanoseconds.
pub fn realtime() -> (u64, u32) {
    let now = split(realtime_ns());
    COARSE.store(now.0, Relaxed);
    now
}

/// The one-shot fired.
pub fn on_timer() {
    TICKS.fetch_add(1, Relaxed);
    sched::on_timer();
}

/// It ticked.
pub fn on_tick() {
    TICKS.fetch_add(1, Relaxed);
    sched::tick::on_tick();
    sched::expire();
}

/// Timer interrupts since boot.
pub fn ticks() -> u64 {
    TICKS.load(Relaxed)
}

/// Nanoseconds in which the program slept or waited for input.
#[inline(always)]
pub fn slept_ns() -> u64 {
    SLEPT.load(Relaxed)
}

/// Nanoseconds in which the process had the CPU: all of the time that it did not sleep.
#[inline(always)]
pub fn cpu_ns() -> u64 {
    monotonic_ns().saturating_sub(slept_ns())
}

pub use crate::sched::sleep_until;

/// Halts the CPU until an interrupt is pending. Call with the soft interrupt flag closed.
pub(crate) fn halt() {
    lower::give_up();
    platform().idle();
}

/// Accounts the time since then (TSC) as slept.
pub(crate) fn slept(since: u64) {
    // Without a rate yet there was no deadline, and the time waited for input does not matter.
    SLEPT.fetch_add(scale(tsc() - since, MULT.load(Relaxed)), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_equals_division_at_the_edges() {
        for seconds in [0, 1, 59, 1 << 20, 1_700_000_000, 18_446_744_073] {
            for nanos in [0, 1, 499_999_999, 999_999_999] {
                let Some(ns) = (seconds * NANOS).checked_add(nanos) else {
                    continue;
                };
                assert_eq!(split(ns), (ns / NANOS, (ns % NANOS) as u32), "{ns}");
            }
        }
        assert_eq!(
            split(u64::MAX),
            (u64::MAX / NANOS, (u64::MAX % NANOS) as u32)
        );
    }

    #[test]
    fn scaling_is_exact_to_a_part_per_billion() {
        for hz in [
            1_000_000_000u64,
            2_445_403_000,
            2_900_000_000,
            4_999_999_999,
        ] {
            let second = scale(hz, mult_for(hz));
            assert!((NANOS - 2..=NANOS).contains(&second), "{hz}: {second}");
        }
    }
}
