//! The machine under the library in this test: a clock and nothing else.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};
use unikernel::platform::{ClockChoice, ClockRate, Counts, Interrupt, Platform, Port, register};

struct Host;

static HOST: &dyn Platform = &Host;

/// Registers the machine; only once in a process.
pub fn install() {
    register(&HOST);
}

impl Platform for Host {
    fn name(&self) -> &'static str {
        "host"
    }

    fn write(&self, _port: Port, _start: usize, len: usize) -> usize {
        len
    }

    fn attach_console(&self, _address: usize, _line: u8) {}

    fn attach_doorbell(&self, _port: u16, _line: u8) {}

    fn console_read(&self, _buffer: &mut [u8]) -> usize {
        0
    }

    fn console_interrupt(&self, _on: bool) {}

    fn clock_rate(&self, _choice: ClockChoice) -> Result<ClockRate, &'static str> {
        // Any rate will do: times that the library takes from the clock are compared as "now".
        Ok(ClockRate {
            mult: 1 << 31,
            source: "cpuid",
        })
    }

    fn wall_clock(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.expect("the clock is set").as_nanos() as u64
    }

    fn set_timer(&self, _delay: u64) {}

    fn set_tick(&self, _on: bool) {}

    fn interrupt(&self, _vector: u8) -> Interrupt {
        Interrupt::Spurious
    }

    fn idle(&self) {
        panic!("an operation of this test waits for nothing");
    }

    fn flush(&self, _range: Range<usize>) {}

    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let leaf = core::arch::x86_64::__cpuid_count(leaf, subleaf);
        [leaf.eax, leaf.ebx, leaf.ecx, leaf.edx]
    }

    fn power_off(&self, code: u8) -> ! {
        panic!("the machine was switched off with code {code}");
    }

    fn counts(&self) -> Counts {
        Counts::default()
    }
}
