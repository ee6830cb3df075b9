//! What is different when KVM is underneath, with the file names of `platform-qemu`: the
//! [`serial`] line is not polled, and the [`clock`] is paravirtual. All else is the same machine.

#![cfg_attr(not(test), no_std)]

pub mod clock;
mod eoi;
pub mod serial;

use core::ops::Range;
use platform_qemu::{Qemu, monitor};
use unikernel::platform::{BREAKPOINTS, ClockChoice, ClockRate, Counts, Interrupt, Platform, Port};

/// QEMU with KVM.
pub struct Kvm;

/// The machine we are on, from CPUID: KVM signs leaf 0x4000_0000 with "KVMKVMKVM".
pub fn detect() -> &'static &'static dyn Platform {
    static KVM: &dyn Platform = &Kvm;
    static QEMU: &dyn Platform = &Qemu;
    const HYPERVISOR: u32 = 1 << 31;
    let signed = || monitor::cpuid(0x4000_0000, 0)[1..] == SIGNATURE;
    if monitor::cpuid(1, 0)[2] & HYPERVISOR != 0 && signed() {
        &KVM
    } else {
        &QEMU
    }
}

/// "KVMKVMKVM\0\0\0" as CPUID returns it in EBX, ECX, EDX.
const SIGNATURE: [u32; 3] = [
    u32::from_le_bytes(*b"KVMK"),
    u32::from_le_bytes(*b"VMKV"),
    u32::from_le_bytes(*b"M\0\0\0"),
];

impl Platform for Kvm {
    fn name(&self) -> &'static str {
        "kvm"
    }

    fn write(&self, port: Port, start: usize, len: usize) -> usize {
        platform_qemu::write_virtio(port, start, len)
            .unwrap_or_else(|| serial::write(port, start, len))
    }

    fn attach_console(&self, address: usize, line: u8) {
        Qemu.attach_console(address, line);
    }

    fn attach_doorbell(&self, port: u16, line: u8) {
        Qemu.attach_doorbell(port, line);
    }

    fn console_read(&self, buffer: &mut [u8]) -> usize {
        Qemu.console_read(buffer)
    }

    fn console_interrupt(&self, on: bool) {
        Qemu.console_interrupt(on);
    }

    fn clock_rate(&self, choice: ClockChoice) -> Result<ClockRate, &'static str> {
        clock::rate(choice)
    }

    fn wall_clock(&self) -> u64 {
        clock::wall_clock()
    }

    fn set_timer(&self, at: u64) {
        eoi::enable();
        Qemu.set_timer(at);
    }

    fn shares_timer(&self) -> bool {
        Qemu.shares_timer()
    }

    fn set_tick(&self, on: bool) {
        Qemu.set_tick(on);
    }

    fn interrupt(&self, vector: u8) -> Interrupt {
        Qemu.interrupt(vector)
    }

    fn idle(&self) {
        Qemu.idle();
    }

    fn flush(&self, range: Range<usize>) {
        Qemu.flush(range);
    }

    fn watch(&self, addresses: &[usize; BREAKPOINTS]) -> u64 {
        Qemu.watch(addresses)
    }

    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        Qemu.cpuid(leaf, subleaf)
    }

    fn power_off(&self, code: u8) -> ! {
        Qemu.power_off(code)
    }

    fn counts(&self) -> Counts {
        Qemu.counts()
    }
}
