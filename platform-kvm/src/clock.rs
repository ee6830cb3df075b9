//! KVM's paravirtual clock (Linux, Documentation/virt/kvm/x86/msr.rst: MSR_KVM_SYSTEM_TIME_NEW
//! 0x4b564d01, MSR_KVM_WALL_CLOCK_NEW 0x4b564d00).
//!
//! Only the rate is taken from it: the TSC of one CPU is read directly. The wall clock gives the
//! time at boot in nanoseconds, where an RTC has whole seconds.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed, fence};
use platform_qemu::clock as qemu;
use platform_qemu::monitor::{cpuid, write_msr};
use unikernel::platform::{ClockChoice, ClockRate};
use unikernel::time::{scale, tsc};

const SYSTEM_TIME: u32 = 0x4b56_4d01;
const WALL_CLOCK: u32 = 0x4b56_4d00;
/// CPUID 0x4000_0001, EAX bit 3: the two MSRs exist.
const CLOCKSOURCE2: u32 = 1 << 3;

/// `pvclock_vcpu_time_info`: 32 bytes, as words.
#[repr(C, align(64))]
struct SystemTime {
    words: [AtomicU32; 8],
}

/// `pvclock_wall_clock`: version, seconds, nanoseconds.
#[repr(C, align(64))]
struct WallClock {
    words: [AtomicU32; 3],
}

static TIME: SystemTime = SystemTime {
    words: [const { AtomicU32::new(0) }; 8],
};
static WALL: WallClock = WallClock {
    words: [const { AtomicU32::new(0) }; 3],
};

/// A consistent copy of what KVM wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Snapshot {
    tsc: u64,
    system_time: u64,
    mul: u32,
    shift: i8,
}

fn present() -> bool {
    cpuid(0x4000_0001, 0)[0] & CLOCKSOURCE2 != 0
}

fn snapshot() -> Option<Snapshot> {
    let address = core::ptr::from_ref(&TIME) as u64;
    // SAFETY: the structure is a static of atomics, identity-mapped and aligned; bit 0 enables.
    // KVM writes it before the call returns, and again only when the clock is adjusted.
    unsafe { write_msr(SYSTEM_TIME, address | 1) };
    let word = |i: usize| TIME.words[i].load(Relaxed);
    let wide = |i: usize| u64::from(word(i)) | u64::from(word(i + 1)) << 32;
    for _ in 0..1000 {
        let version = word(0);
        fence(core::sync::atomic::Ordering::Acquire);
        let shift = (word(7) & 0xff) as u8 as i8;
        let copy = Snapshot {
            tsc: wide(2),
            system_time: wide(4),
            mul: word(6),
            shift,
        };
        fence(core::sync::atomic::Ordering::Acquire);
        if version & 1 == 0 && word(0) == version && copy.mul != 0 {
            return Some(copy);
        }
    }
    None
}

/// Nanoseconds per tick with 32 fractional bits: `mul` has 32, after `tsc << shift`.
fn multiplier(mul: u32, shift: i8) -> u64 {
    let mul = u64::from(mul);
    if shift >= 0 {
        mul << shift
    } else {
        mul >> -shift
    }
}

/// Finds the rate of the TSC: pvclock, then whatever else the machine has.
pub fn rate(choice: ClockChoice) -> Result<ClockRate, &'static str> {
    let paravirtual = || {
        let copy = present().then(snapshot).flatten()?;
        Some(ClockRate {
            mult: multiplier(copy.mul, copy.shift),
            source: "pvclock",
        })
    };
    match choice {
        ClockChoice::Auto => paravirtual().map_or_else(|| qemu::rate(choice), Ok),
        ClockChoice::Pvclock => paravirtual().ok_or("KVM offers no pvclock here"),
        _ => qemu::rate(choice),
    }
}

/// Nanoseconds since the epoch: the wall clock at boot plus the system time since.
pub fn wall_clock() -> u64 {
    boot_time().unwrap_or_else(qemu::wall_clock)
}

fn boot_time() -> Option<u64> {
    let now = present().then(snapshot).flatten()?;
    let address = core::ptr::from_ref(&WALL) as u64;
    // SAFETY: a static of atomics, identity-mapped; KVM fills it before the call returns.
    unsafe { write_msr(WALL_CLOCK, address) };
    let [version, seconds, nanos] = [0, 1, 2].map(|i| u64::from(WALL.words[i].load(Relaxed)));
    if version == 0 || version & 1 != 0 || seconds == 0 {
        return None;
    }
    let since = scale(tsc().wrapping_sub(now.tsc), multiplier(now.mul, now.shift));
    Some(seconds * 1_000_000_000 + nanos + now.system_time + since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipliers_take_the_shift_in() {
        // 2 GHz: half a nanosecond a tick.
        assert_eq!(multiplier(1 << 31, 0), 1 << 31);
        assert_eq!(multiplier(1 << 31, 1), 1 << 32);
        assert_eq!(multiplier(1 << 31, -1), 1 << 30);
        assert_eq!(scale(4_000, multiplier(1 << 31, 0)), 2_000);
    }
}
