//! Clock sources that need no KVM: the CPUID leaves and the PIT. And the wall clock of the RTC.

use crate::monitor::{cpuid, inb, outb};
use crate::timer;
use unikernel::platform::{ClockChoice, ClockRate};
use unikernel::time::mult_for;

/// Finds the rate of the TSC with what any PC has.
pub fn rate(choice: ClockChoice) -> Result<ClockRate, &'static str> {
    match choice {
        ClockChoice::Auto => from_cpuid().map_or_else(timer::calibrate, Ok),
        ClockChoice::Cpuid => from_cpuid().ok_or("CPUID has no TSC frequency leaf"),
        ClockChoice::Pit => timer::calibrate(),
        ClockChoice::Pvclock => Err("pvclock exists under KVM only"),
    }
}

/// Hypervisor leaf 0x4000_0010 (EAX = TSC in kHz; VMware's, which KVM and QEMU can offer), then
/// leaf 15h (SDM vol. 2: TSC = crystal * EBX / EAX). Leaves above the highest return garbage in
/// some emulators, so each is checked against it.
fn from_cpuid() -> Option<ClockRate> {
    let hz = hypervisor_leaf().or_else(crystal_leaf)?;
    Some(ClockRate {
        mult: mult_for(hz),
        source: "cpuid",
    })
}

/// CPUID.01H:ECX.31: somebody answers the hypervisor leaves.
const HYPERVISOR: u32 = 1 << 31;

fn hypervisor_leaf() -> Option<u64> {
    let present = cpuid(1, 0)[2] & HYPERVISOR != 0;
    let highest = if present { cpuid(0x4000_0000, 0)[0] } else { 0 };
    if !(0x4000_0010..0x4000_0100).contains(&highest) {
        return None;
    }
    let khz = u64::from(cpuid(0x4000_0010, 0)[0]);
    (khz >= 1000).then_some(khz * 1000)
}

fn crystal_leaf() -> Option<u64> {
    if cpuid(0, 0)[0] < 0x15 {
        return None;
    }
    let [denominator, numerator, crystal, _] = cpuid(0x15, 0);
    let known = denominator != 0 && numerator != 0 && crystal != 0;
    known.then(|| u64::from(crystal) * u64::from(numerator) / u64::from(denominator))
}

const RTC_INDEX: u16 = 0x70;
const RTC_DATA: u16 = 0x71;

/// Reads a register of the MC146818 (data sheet, registers 0 to 9, A and B).
fn rtc(register: u8) -> u8 {
    // SAFETY: the RTC touches no memory. Bit 7 of the index would disable NMI; none comes.
    unsafe {
        outb(RTC_INDEX, register);
        inb(RTC_DATA)
    }
}

/// The RTC in nanoseconds since the epoch, a whole second. Read until two readings agree, because
/// an update may come in between; a machine without an RTC never agrees with itself for long.
pub fn wall_clock() -> u64 {
    const TRIES: usize = 1000;
    let fields = || [0, 2, 4, 7, 8, 9].map(rtc);
    let mut now = fields();
    for _ in 0..TRIES {
        let again = fields();
        if again == now && rtc(0x0a) & 0x80 == 0 {
            break;
        }
        now = again;
    }
    decode(now, rtc(0x0b)) * 1_000_000_000
}

/// Seconds since the epoch from the six registers and status B (bit 1: 24 hours, bit 2: binary).
fn decode(fields: [u8; 6], status: u8) -> u64 {
    let binary = |v: u8| {
        if status & 4 != 0 {
            v
        } else {
            (v >> 4) * 10 + (v & 15)
        }
    };
    let [second, minute, hour, day, month, year] = fields;
    let mut hours = u64::from(binary(hour & 0x7f));
    if status & 2 == 0 {
        hours = hours % 12 + if hour & 0x80 != 0 { 12 } else { 0 };
    }
    let year = 2000 + u64::from(binary(year));
    let days = days_before(year, u64::from(binary(month)), u64::from(binary(day)));
    days * 86_400 + hours * 3600 + u64::from(binary(minute)) * 60 + u64::from(binary(second))
}

/// Days from 1970-01-01 to a date of this century (proleptic Gregorian).
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    // Years that start in March, so that the leap day is the last of one.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_the_gregorian_calendar() {
        assert_eq!(days_before(1970, 1, 1), 0);
        assert_eq!(days_before(2000, 3, 1), 11_017);
        assert_eq!(days_before(2024, 2, 29), 19_782);
        assert_eq!(days_before(2100, 3, 1), 47_541);
    }

    #[test]
    fn bcd_and_binary_and_both_hours_agree() {
        let bcd = decode([0x58, 0x59, 0x23, 0x31, 0x12, 0x24], 2);
        let binary = decode([58, 59, 23, 31, 12, 24], 6);
        let twelve = decode([0x58, 0x59, 0x91, 0x31, 0x12, 0x24], 0);
        assert_eq!(bcd, 1_735_689_598);
        assert_eq!((binary, twelve), (bcd, bcd));
    }
}
