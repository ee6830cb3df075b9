//! The 8254 timer (Intel 8254 data sheet): channel 0 for the tick, channel 2 for calibration. Where
//! there is no [local APIC](crate::lapic), channel 0 is the one-shot, too.

use crate::monitor::{inb, out_bytes, outb};
use crate::pic;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use unikernel::platform::{ClockRate, TICK_HZ};
use unikernel::time::{mult_for, ticks_to_ns, tsc};

/// Input frequency in Hz.
pub const HZ: u64 = 1_193_182;
const CHANNEL_0: u16 = 0x40;
const CHANNEL_2: u16 = 0x42;
const MODE: u16 = 0x43;
/// Bit 0 gates channel 2, bit 1 the speaker; bit 5 is channel 2's output.
const SPEAKER: u16 = 0x61;
/// Read-back command: latch the status of channel 2, whose bit 7 is its output.
const STATUS_2: u8 = 0xe8;
const OUTPUT: u8 = 1 << 7;

/// Interrupt line of channel 0.
pub const LINE: u8 = 0;

static TICKING: AtomicBool = AtomicBool::new(false);

/// Whether channel 0 is the tick.
pub fn is_ticking() -> bool {
    TICKING.load(Relaxed)
}

/// One interrupt when the TSC comes to `at`, or after 54.9 ms, the range of the counter, if that is
/// sooner.
pub fn one_shot(at: u64) {
    let delay = ticks_to_ns(at.saturating_sub(tsc()));
    let count = (u128::from(delay) * u128::from(HZ) / 1_000_000_000).clamp(1, 0xffff) as u16;
    pic::enable(LINE, true);
    start(ONE_SHOT, count);
    TICKING.store(false, Relaxed);
}

/// Mode 0: interrupt on terminal count. Mode 2: rate generator.
const ONE_SHOT: u8 = 0x30;
const PERIODIC: u8 = 0x34;

fn start(mode: u8, count: u16) {
    let [low, high] = count.to_le_bytes();
    // SAFETY: the timer touches no memory.
    unsafe { out_bytes([(MODE, mode), (CHANNEL_0, low), (CHANNEL_0, high)]) };
}

/// Starts or stops the tick.
pub fn periodic(on: bool) {
    TICKING.store(on, Relaxed);
    pic::enable(LINE, on);
    match on {
        true => start(PERIODIC, (HZ / TICK_HZ) as u16),
        // A last interrupt that nobody hears; a count must be written for it to stop.
        false => start(ONE_SHOT, 1),
    }
}

/// Shortest calibration in timer counts: 10 ms.
const SHORTEST: u64 = HZ / 100;
/// Longest: 25 ms, so that being stopped for as long again does not wrap the 16-bit counter.
const LONGEST: u64 = HZ / 40;
/// Time-stamp ticks that one tick of uncertainty must be spread over: 0.05 %.
const PRECISION: u64 = 2000;

/// Attempts before the timer is given up: each fails only if the host stops us for 30 ms.
const ATTEMPTS: usize = 20;
/// Readings in one attempt, far more than fit into 25 ms: a counter that stands still ends there.
const MOST_READINGS: usize = 200_000;

/// Measures the TSC against channel 2, for 10 ms if port access is quick. The counter is read, not
/// only its end awaited: each reading has the TSC on both sides, so the uncertainty is known, and
/// where exits are slow the measurement goes on until it is small against the whole.
pub fn calibrate() -> Result<ClockRate, &'static str> {
    let hz = (0..ATTEMPTS).find_map(|_| attempt());
    let hz = hz.ok_or("the PIT does not count (pit=on?), or the host stops us all the time")?;
    Ok(ClockRate {
        mult: mult_for(hz),
        source: "pit",
    })
}

/// One measurement in Hz; `None` when the counter ran out meanwhile, or does not run.
fn attempt() -> Option<u64> {
    // SAFETY: the timer touches no memory. Gate on, speaker off; mode 0, the full count.
    unsafe {
        outb(SPEAKER, inb(SPEAKER) & !2 | 1);
        outb(MODE, 0xb0);
        outb(CHANNEL_2, 0xff);
        outb(CHANNEL_2, 0xff);
    }
    let first = best_reading();
    let enough = |last: &Reading| {
        let counts = first.count.wrapping_sub(last.count);
        let uncertain = (first.spread + last.spread) / 2 * PRECISION;
        counts >= LONGEST || counts >= SHORTEST && uncertain <= last.tsc - first.tsc
    };
    let last = (0..MOST_READINGS / READINGS)
        .map(|_| best_reading())
        .find(enough)?;
    // The output goes high at zero, where the counter starts over. Asked of the timer itself: the
    // port of the speaker, which shows it too, is not there on every machine.
    // SAFETY: as above.
    let status = unsafe {
        outb(MODE, STATUS_2);
        inb(CHANNEL_2)
    };
    if status & OUTPUT != 0 || last.count >= first.count {
        return None;
    }
    let ticks = u128::from(last.tsc - first.tsc);
    let counts = u128::from(first.count - last.count);
    Some((ticks * u128::from(HZ) / counts) as u64).filter(|&hz| hz > 1_000_000)
}

/// A value of channel 2 and the TSC in the middle of its latching.
#[derive(Clone, Copy)]
struct Reading {
    count: u64,
    tsc: u64,
    spread: u64,
}

fn reading() -> Reading {
    // SAFETY: the timer touches no memory. 0x80 latches channel 2, then low and high byte.
    unsafe {
        let before = tsc();
        outb(MODE, 0x80);
        let after = tsc();
        let count = u64::from(inb(CHANNEL_2)) | u64::from(inb(CHANNEL_2)) << 8;
        Reading {
            count,
            tsc: before + (after - before) / 2,
            spread: after - before,
        }
    }
}

/// Readings of which the best is taken.
const READINGS: usize = 5;

/// The reading of five with the shortest latch: an exit that the host took its time for is out.
fn best_reading() -> Reading {
    let mut best = reading();
    for _ in 1..READINGS {
        let next = reading();
        if next.spread < best.spread {
            best = next;
        }
    }
    best
}
