//! The 8254 timer (Intel 8254 data sheet): channel 0 for interrupts, channel 2 for calibration.

use crate::monitor::{inb, outb};
use crate::pic;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use unikernel::platform::{ClockRate, TICK_HZ};
use unikernel::time::{mult_for, tsc};

/// Input frequency in Hz.
pub const HZ: u64 = 1_193_182;
const CHANNEL_0: u16 = 0x40;
const CHANNEL_2: u16 = 0x42;
const MODE: u16 = 0x43;
/// Bit 0 gates channel 2, bit 1 the speaker; bit 5 is channel 2's output.
const SPEAKER: u16 = 0x61;

/// Interrupt line of channel 0.
pub const LINE: u8 = 0;

static ONE_SHOT: AtomicBool = AtomicBool::new(false);

/// One interrupt after `delay` ns, or after 54.9 ms, the range of the counter, if that is sooner.
pub fn one_shot(delay: u64) {
    let count = (u128::from(delay) * u128::from(HZ) / 1_000_000_000).clamp(1, 0xffff) as u16;
    pic::enable(LINE, true);
    // SAFETY: the timer touches no memory. Mode 0: interrupt on terminal count. The mode stays,
    // and writing a count starts it again, so the mode byte is written once.
    unsafe {
        if !ONE_SHOT.swap(true, Relaxed) {
            outb(MODE, 0x30);
        }
        outb(CHANNEL_0, count as u8);
        outb(CHANNEL_0, (count >> 8) as u8);
    }
}

/// The periodic tick.
pub fn periodic(on: bool) {
    let count = (HZ / TICK_HZ) as u16;
    ONE_SHOT.store(false, Relaxed);
    // SAFETY: the timer touches no memory. Mode 2: rate generator.
    unsafe {
        outb(MODE, 0x34);
        outb(CHANNEL_0, count as u8);
        outb(CHANNEL_0, (count >> 8) as u8);
    }
    pic::enable(LINE, on);
}

/// Shortest calibration in timer counts: 10 ms.
const SHORTEST: u64 = HZ / 100;
/// Longest: 50 ms, which the 16-bit counter still holds.
const LONGEST: u64 = HZ / 20;
/// Time-stamp ticks that one tick of uncertainty must be spread over: 0.025 %.
const PRECISION: u64 = 4000;

/// Measures the TSC against channel 2, for 10 ms if port access is quick. The counter is read, not
/// only its end awaited: each reading has the TSC on both sides, so the uncertainty is known, and
/// where exits are slow the measurement goes on until it is small against the whole.
pub fn calibrate() -> ClockRate {
    // SAFETY: the timer touches no memory. Gate on, speaker off; mode 0, the full count.
    unsafe {
        outb(SPEAKER, inb(SPEAKER) & !2 | 1);
        outb(MODE, 0xb0);
        outb(CHANNEL_2, 0xff);
        outb(CHANNEL_2, 0xff);
    }
    let first = best_reading();
    let last = loop {
        let last = best_reading();
        let counts = first.count - last.count;
        let uncertain = (first.spread + last.spread) / 2 * PRECISION;
        if counts >= LONGEST || counts >= SHORTEST && uncertain <= last.tsc - first.tsc {
            break last;
        }
    };
    let ticks = u128::from(last.tsc - first.tsc);
    let counts = u128::from(first.count - last.count);
    let hz = (ticks * u128::from(HZ) / counts) as u64;
    ClockRate {
        mult: mult_for(hz),
        source: "pit",
    }
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

/// The reading of five with the shortest latch: an exit that the host took its time for is out.
fn best_reading() -> Reading {
    let mut best = reading();
    for _ in 0..4 {
        let next = reading();
        if next.spread < best.spread {
            best = next;
        }
    }
    best
}
