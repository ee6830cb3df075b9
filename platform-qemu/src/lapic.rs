//! The timer of the local APIC (SDM vol. 3, 11.5.4): one interrupt at a time that is asked for, while
//! the [8254](crate::timer) ticks.
//!
//! Where the CPU offers it, the timer compares with the TSC (11.5.4.1): one write to an MSR sets it,
//! however far the time is. Otherwise it counts down, in nanoseconds on the machine that QEMU
//! emulates (hw/intc/apic.c; KVM's bus runs at 1 GHz, too), and reaches 68 s.
//!
//! The registers are ring 0's: a stray pointer cannot reach them. The monitor ends each interrupt.

use crate::monitor::layout::TIMER_VECTOR;
use crate::monitor::{cpuid, store, write_msr};
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};
use unikernel::mm::PAGE;
use unikernel::mm::paging::{self, Access};
use unikernel::time::{ticks_to_ns, tsc};

/// Where the registers are after a reset (SDM vol. 3, 11.4.1). Nobody moves them.
const REGISTERS: usize = 0xfee0_0000;
const LVT_TIMER: usize = REGISTERS + 0x320;
const INITIAL_COUNT: usize = REGISTERS + 0x380;
const DIVIDE: usize = REGISTERS + 0x3e0;

/// LVT bits 17 and 18: the mode.
const TSC_DEADLINE: u32 = 2 << 17;
/// Divide configuration: by 16.
const BY_16: u32 = 3;
const IA32_TSC_DEADLINE: u32 = 0x6e0;

/// CPUID.01H: EDX.9 is the APIC, ECX.24 the TSC deadline.
const HAS_APIC: u32 = 1 << 9;
const HAS_DEADLINE: u32 = 1 << 24;

const UNKNOWN: u8 = 0;
const ABSENT: u8 = 1;
const COUNTS: u8 = 2;
const COMPARES: u8 = 3;

/// What there is, set up at the first use.
static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Whether there is such a timer; sets it up the first time.
pub fn present() -> bool {
    state() != ABSENT
}

fn state() -> u8 {
    match STATE.load(Relaxed) {
        UNKNOWN => start(),
        known => known,
    }
}

#[cold]
fn start() -> u8 {
    let [_, _, ecx, edx] = cpuid(1, 0);
    let access = Access {
        write: true,
        execute: false,
        user: false,
    };
    let there =
        edx & HAS_APIC != 0 && paging::map_identity(REGISTERS..REGISTERS + PAGE, access).is_ok();
    let state = match (there, ecx & HAS_DEADLINE != 0) {
        (false, _) => ABSENT,
        (true, false) => COUNTS,
        (true, true) => COMPARES,
    };
    let mode = if state == COMPARES { TSC_DEADLINE } else { 0 };
    if there {
        // SAFETY: the page was just mapped, for ring 0; these are registers of the timer, which
        // touches no memory. It is not armed, and there is a gate for its vector.
        unsafe {
            store(DIVIDE, BY_16);
            store(LVT_TIMER, mode | u32::from(TIMER_VECTOR));
        }
    }
    STATE.store(state, Relaxed);
    state
}

/// One interrupt when the TSC comes to `at`, or earlier where the counter does not reach so far.
/// There must [be](present) such a timer.
pub fn one_shot(at: u64) {
    // SAFETY: the timer touches no memory.
    unsafe {
        if state() == COMPARES {
            // 0 would disarm it.
            write_msr(IA32_TSC_DEADLINE, at.max(1));
        } else {
            store(INITIAL_COUNT, count(ticks_to_ns(at.saturating_sub(tsc()))));
        }
    }
}

/// The initial count for so many nanoseconds; 0 would stop it.
fn count(ns: u64) -> u32 {
    ns.div_ceil(16).clamp(1, u32::MAX.into()) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_reach_the_time_and_not_beyond_the_register() {
        assert_eq!([0, 1, 16, 17].map(count), [1, 1, 1, 2]);
        assert_eq!(count(u64::MAX), u32::MAX);
    }
}
