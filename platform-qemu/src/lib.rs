//! The machine that QEMU emulates, and the only privileged code of Lintel.
//!
//! - [`boot`]: PVH and Multiboot2 entry, long mode, the drop to ring 3;
//! - [`monitor`]: ring 0 afterwards: interrupt and exception entry, monitor calls;
//! - devices, driven from ring 3 through monitor calls: [`serial`], [`pic`], [`timer`], [`clock`],
//!   [`power`], [`doorbell`], [`lapic`]; and by memory-mapped registers: [`virtio`].
//!
//! [`Qemu`] puts them together for machines without KVM (TCG); `platform-kvm` replaces what is
//! better done otherwise there.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

#[cfg(not(test))]
pub mod boot;
pub mod clock;
pub mod doorbell;
pub mod lapic;
pub mod monitor;
pub mod pic;
pub mod power;
pub mod serial;
pub mod timer;
pub mod virtio;

use core::ops::Range;
use unikernel::mm::PAGE;
use unikernel::platform::{BREAKPOINTS, ClockChoice, ClockRate, Counts, Interrupt, Platform, Port};

/// QEMU without KVM.
pub struct Qemu;

/// Interrupt line of COM1.
const SERIAL_LINE: u8 = 4;

/// Ranges longer than this are flushed with everything else.
const MOST_PAGES: usize = 32;

/// The vector of the local APIC's timer, counted from the first of the PIC.
const APIC_TIMER: u8 = monitor::layout::TIMER_VECTOR - unikernel::cpu::FIRST_IRQ_VECTOR;

/// What a vector is on a PC with the PIC.
pub fn classify(vector: u8) -> Interrupt {
    match vector.wrapping_sub(unikernel::cpu::FIRST_IRQ_VECTOR) {
        APIC_TIMER => Interrupt::Timer,
        timer::LINE if timer::is_ticking() => Interrupt::Tick,
        timer::LINE => Interrupt::Timer,
        line if virtio::line() == Some(line) => {
            virtio::acknowledge();
            Interrupt::Console
        }
        SERIAL_LINE => Interrupt::Console,
        line if doorbell::rang(line) => Interrupt::Doorbell,
        _ => Interrupt::Spurious,
    }
}

/// Opens the console's receive interrupt.
pub fn console_interrupt(on: bool) {
    if virtio::attached() {
        virtio::interrupt(on);
    } else {
        serial::interrupt(on);
        pic::enable(SERIAL_LINE, on);
    }
}

/// Writes to the virtio console, when that is where `port` leads.
pub fn write_virtio(port: Port, start: usize, len: usize) -> Option<usize> {
    if port == Port::Console && virtio::attached() {
        virtio::write(start, len)
    } else {
        None
    }
}

/// Makes page-table changes effective.
pub fn flush(range: Range<usize>) {
    let pages = range.len() / PAGE;
    if pages <= MOST_PAGES {
        monitor::invalidate(range.start, pages);
    } else {
        // SAFETY: the root is the one in use.
        unsafe { monitor::set_root(unikernel::mm::paging::root()) };
    }
}

impl Platform for Qemu {
    fn name(&self) -> &'static str {
        "qemu"
    }

    fn write(&self, port: Port, start: usize, len: usize) -> usize {
        write_virtio(port, start, len).unwrap_or_else(|| serial::write(port, start, len, true))
    }

    fn attach_console(&self, address: usize, line: u8) {
        virtio::attach(address, line);
    }

    fn attach_doorbell(&self, port: u16, line: u8) {
        doorbell::attach(port, line);
    }

    fn console_read(&self, buffer: &mut [u8]) -> usize {
        match virtio::attached() {
            true => virtio::read(buffer),
            false => serial::read(buffer),
        }
    }

    fn console_interrupt(&self, on: bool) {
        console_interrupt(on);
    }

    fn clock_rate(&self, choice: ClockChoice) -> Result<ClockRate, &'static str> {
        clock::rate(choice)
    }

    fn wall_clock(&self) -> u64 {
        clock::wall_clock()
    }

    fn set_timer(&self, at: u64) {
        match lapic::present() {
            true => lapic::one_shot(at),
            false => timer::one_shot(at),
        }
    }

    fn shares_timer(&self) -> bool {
        !lapic::present()
    }

    fn set_tick(&self, on: bool) {
        timer::periodic(on);
    }

    fn interrupt(&self, vector: u8) -> Interrupt {
        classify(vector)
    }

    fn idle(&self) {
        monitor::idle();
    }

    fn flush(&self, range: Range<usize>) {
        flush(range);
    }

    fn watch(&self, addresses: &[usize; BREAKPOINTS]) -> u64 {
        monitor::watch(addresses)
    }

    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        monitor::cpuid(leaf, subleaf)
    }

    fn power_off(&self, code: u8) -> ! {
        power::off(code)
    }

    fn counts(&self) -> Counts {
        serial::counts()
    }
}
