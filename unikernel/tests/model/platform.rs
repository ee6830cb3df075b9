//! The machine under the library in this test: a clock, memory, and nothing else.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};
use unikernel::mm::frames::{FRAMES, Frames};
use unikernel::platform::{
    BREAKPOINTS, ClockChoice, ClockRate, Counts, Interrupt, Platform, Port, register,
};

struct Host;

static HOST: &dyn Platform = &Host;

/// What the library has for files.
const MEMORY: usize = 256 << 20;

/// Registers the machine and gives it memory; only once in a process.
pub fn install() {
    register(&HOST);
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // Low, because the library keeps books of everything from 0 on.
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_32BIT;
    // SAFETY: a new mapping where nothing else is.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), MEMORY, access, flags, -1, 0) };
    assert_ne!(
        start,
        libc::MAP_FAILED,
        "mmap: {}",
        std::io::Error::last_os_error()
    );
    let memory = start as usize..start as usize + MEMORY;
    let words = vec![0; Frames::words_for(memory.end)].leak();
    let mut frames = FRAMES.lock_no_irq();
    frames.init(memory.end, words, 0..0);
    frames.add(memory);
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

    fn set_timer(&self, _at: u64) {}

    fn shares_timer(&self) -> bool {
        false
    }

    fn set_tick(&self, _on: bool) {}

    fn interrupt(&self, _vector: u8) -> Interrupt {
        Interrupt::Spurious
    }

    fn idle(&self) {
        panic!("an operation of this test waits for nothing");
    }

    fn flush(&self, _range: Range<usize>) {}

    fn watch(&self, _addresses: &[usize; BREAKPOINTS]) -> u64 {
        0
    }

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
