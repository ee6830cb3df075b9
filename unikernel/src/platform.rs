//! The platform contract: everything the library may ask of a machine, on one page.
//!
//! None of these operations is on a hot path (each is a monitor call or a device access), so one
//! `dyn` reference, chosen at boot, is the right price. What *is* hot (reading the TSC, wrfsbase,
//! writing page tables) is unprivileged and happens in the library itself.

use core::ops::Range;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// A byte stream out of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The console: COM1, a 16550, or the virtio console that was attached.
    Console,
    /// A one-byte output port without back-pressure or status (QEMU's `isa-debugcon`).
    Debugcon(u16),
}

/// How time-stamp counts become nanoseconds: `ns = ticks * mult >> 32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockRate {
    /// Nanoseconds per tick, 32 fractional bits.
    pub mult: u64,
    /// Where the figure is from: `pvclock`, `cpuid` or `pit`.
    pub source: &'static str,
}

/// Which clock source is wanted (`lintel.clock=`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChoice {
    /// The best one the machine has: pvclock, CPUID, PIT, in this order.
    Auto,
    /// KVM's paravirtual clock.
    Pvclock,
    /// The TSC frequency leaves of CPUID (0x40000010, 0x15).
    Cpuid,
    /// Measured against PIT channel 2.
    Pit,
}

/// What an interrupt turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// The one-shot set by [`Platform::set_timer`].
    Timer,
    /// The tick.
    Tick,
    /// The console has input.
    Console,
    /// Nobody claims it.
    Spurious,
    /// The doorbell: somebody outside wants the library's attention.
    Doorbell,
}

/// Counts that a platform keeps of what costs VM exits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Monitor calls made to write to the console.
    pub console_calls: u64,
    /// Reads of the line status register while writing.
    pub lsr_reads: u64,
    /// Bytes written to the console.
    pub console_bytes: u64,
}

/// A machine. Callers are single-threaded; no operation blocks unless it says so.
pub trait Platform: Sync {
    /// Short name for reports: `qemu` or `kvm`.
    fn name(&self) -> &'static str;

    /// Writes `len` bytes from `start` (user or kernel memory) to `port`, in one monitor call.
    /// Returns the bytes written, short when the memory faults. Waits for the UART under TCG.
    fn write(&self, port: Port, start: usize, len: usize) -> usize;

    /// Makes the virtio console whose MMIO transport is at `address`, with interrupt line `line` of
    /// the PIC, the console from here on. Needs the kernel heap.
    fn attach_console(&self, address: usize, line: u8);

    /// Opens the 16550 at I/O port `port`, interrupt line `line` of the PIC, as a doorbell: every
    /// byte it receives is an [`Interrupt::Doorbell`].
    fn attach_doorbell(&self, port: u16, line: u8);

    /// Takes received console bytes, at most `buffer.len()`; 0 when there are none.
    fn console_read(&self, buffer: &mut [u8]) -> usize;

    /// Opens or closes the console's receive interrupt.
    fn console_interrupt(&self, on: bool);

    /// The rate of the TSC. May take 10 ms (calibration). `Err` names what is missing.
    fn clock_rate(&self, choice: ClockChoice) -> Result<ClockRate, &'static str>;

    /// Nanoseconds since the Unix epoch, now. Resolution: a second from an RTC, else 1 ns.
    fn wall_clock(&self) -> u64;

    /// Asks for one [`Interrupt::Timer`] when the TSC comes to `at`, in place of the one asked for
    /// before; the machine may fire earlier where that is beyond its range (54 ms for the PIT).
    fn set_timer(&self, at: u64);

    /// Whether the one-shot and the tick are the same timer, so that either is set, not both.
    fn shares_timer(&self) -> bool;

    /// Starts or stops the periodic tick, [`TICK_HZ`] times a second.
    fn set_tick(&self, on: bool);

    /// What `vector` is; acknowledges at the device where that needs more than the monitor did.
    fn interrupt(&self, vector: u8) -> Interrupt;

    /// Halts until an interrupt has been marked pending. Call with the soft flag closed.
    fn idle(&self);

    /// Makes changed page-table entries of `range` effective (SDM vol. 3, 4.10.4).
    fn flush(&self, range: Range<usize>);

    /// Asks for a debug exception before an instruction that starts at one of `addresses` is executed
    /// (0: none), if the machine has that. Returns what the last ones were about, DR6 (SDM vol. 3,
    /// 18.2.3), and clears that.
    fn watch(&self, addresses: &[usize; BREAKPOINTS]) -> u64;

    /// CPUID, asked in ring 0 (on a pagetable KVM ring 3 would see the host's answer).
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4];

    /// Ends the VM. `code` reaches the outside where the machine can carry it.
    fn power_off(&self, code: u8) -> !;

    /// Counts so far.
    fn counts(&self) -> Counts;
}

/// How many addresses a machine can watch.
pub const BREAKPOINTS: usize = 4;

/// The tick's frequency.
pub const TICK_HZ: u64 = 100;

static PLATFORM: AtomicPtr<&'static dyn Platform> = AtomicPtr::new(core::ptr::null_mut());

/// Registers the machine, once, before anything else of the library is used.
///
/// # Panics
/// On a second call.
pub fn register(platform: &'static &'static dyn Platform) {
    let new = core::ptr::from_ref(platform).cast_mut();
    let old = PLATFORM.swap(new, Relaxed);
    assert!(old.is_null(), "two platforms registered");
}

/// Whether a machine is registered: false in the native life.
#[inline(always)]
pub fn registered() -> bool {
    !PLATFORM.load(Relaxed).is_null()
}

/// The machine.
///
/// # Panics
/// When none is registered (the native life never gets here).
pub fn platform() -> &'static dyn Platform {
    let pointer = PLATFORM.load(Relaxed);
    assert!(!pointer.is_null(), "no platform registered");
    // SAFETY: only `register` stores a non-null pointer, made from a `&'static`.
    unsafe { *pointer }
}
