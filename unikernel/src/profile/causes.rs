//! What the library makes the machine do beside running, counted by cause.

use super::{ENABLED, bump};
use crate::time::tsc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

macro_rules! causes {
    ($($variant:ident $name:literal)*) => {
        /// What the library makes the machine do, beside running: each costs an exit or a trap.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the names in the profile say it")]
        pub enum Cause { $($variant),* }

        pub(super) const CAUSE_NAMES: &[&str] = &[$($name),*];
    };
}

causes! {
    PortSerial "port serial"
    PortDebugcon "port debugcon"
    PortPit "port pit"
    PortPic "port pic"
    PortRtc "port rtc"
    PortOther "port other"
    Halt "hlt"
    Msr "msr"
    Apic "apic"
    Cpuid "cpuid"
    Flush "flush"
    IrqTimer "irq timer"
    IrqTick "irq tick"
    IrqConsole "irq console"
    IrqSpurious "irq spurious"
    PageFault "page fault"
    ProtectionFault "protection fault"
    OtherFault "other fault"
    Trap "syscall trap"
}

/// Count, total and longest in ticks, per cause.
pub(super) struct Cost {
    pub count: AtomicU64,
    pub total: AtomicU64,
    pub max: AtomicU64,
}

pub(super) static COSTS: [Cost; CAUSE_NAMES.len()] = [const {
    Cost {
        count: AtomicU64::new(0),
        total: AtomicU64::new(0),
        max: AtomicU64::new(0),
    }
}; CAUSE_NAMES.len()];

/// The profiler itself is at work: what that causes is not accounted to anything.
static OWN: AtomicBool = AtomicBool::new(false);

/// Runs `run`, accounting nothing that it causes.
#[inline(always)]
pub fn unmeasured<R>(run: impl FnOnce() -> R) -> R {
    if !ENABLED {
        return run();
    }
    let was = OWN.swap(true, Relaxed);
    let result = run();
    OWN.store(was, Relaxed);
    result
}

/// Runs `run` and accounts it to `cause` when the profiler is compiled in.
#[inline(always)]
pub fn caused<R>(cause: Cause, run: impl FnOnce() -> R) -> R {
    if !ENABLED {
        return run();
    }
    let start = tsc();
    let result = run();
    let ticks = tsc().wrapping_sub(start);
    if OWN.load(Relaxed) {
        return result;
    }
    let cost = &COSTS[cause as usize];
    bump(&cost.count, 1);
    bump(&cost.total, ticks);
    if ticks > cost.max.load(Relaxed) {
        cost.max.store(ticks, Relaxed);
    }
    result
}

/// Port input or output, accounted to the device behind `port`.
#[inline(always)]
pub fn port<R>(port: u16, run: impl FnOnce() -> R) -> R {
    let cause = match port {
        0x3f8..=0x3ff => Cause::PortSerial,
        0x5e0..=0x5ef => Cause::PortDebugcon,
        0x40..=0x43 | 0x61 => Cause::PortPit,
        0x20 | 0x21 | 0xa0 | 0xa1 => Cause::PortPic,
        0x70 | 0x71 => Cause::PortRtc,
        _ => Cause::PortOther,
    };
    caused(cause, run)
}

/// The handling of an exception (vectors: SDM vol. 3, 6.3.1).
#[inline(always)]
pub fn fault<R>(vector: u64, run: impl FnOnce() -> R) -> R {
    let cause = match vector {
        14 => Cause::PageFault,
        13 => Cause::ProtectionFault,
        _ => Cause::OtherFault,
    };
    caused(cause, run)
}
