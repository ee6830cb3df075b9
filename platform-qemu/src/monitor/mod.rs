//! The gate to ring 0 and the calls through it.

pub(crate) mod cpuid;
pub(crate) mod entry;
pub mod layout;

use core::arch::asm;
use core::sync::atomic::AtomicU32;
use layout::Call;
use unikernel::platform::BREAKPOINTS;
use unikernel::profile;

/// Makes a monitor call; returns rax and rdx as the call left them.
///
/// # Safety
/// The arguments must be right for `call` ([`Call`]); some calls change the machine under the
/// program's feet.
#[inline]
unsafe fn monitor(call: Call, args: [usize; 4]) -> (usize, usize) {
    let (result, second);
    // SAFETY: `lintel_gate` raises #GP at its `hlt`; the monitor recognises that address, does the
    // call and resumes behind it, where the gate returns here. What it clobbers is listed.
    unsafe {
        asm!(
            "call lintel_gate",
            inlateout("rax") call as usize => result,
            inlateout("rdi") args[0] => _,
            inlateout("rsi") args[1] => _,
            inlateout("rdx") args[2] => second,
            inlateout("r8") args[3] => _,
            lateout("rcx") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
        );
    }
    (result, second)
}

/// Halts until an interrupt is pending; call with the soft interrupt flag closed.
pub fn idle() {
    // SAFETY: halting with nothing pending ends with the next interrupt.
    profile::caused(profile::Cause::Halt, || unsafe {
        monitor(Call::Idle, [0; 4])
    });
}

/// Writes `len` bytes from `start` to a port; returns the bytes written. The memory may be bad.
pub fn output(port: u16, start: usize, len: usize) -> usize {
    // SAFETY: the monitor only reads the range, and a fault there shortens the call.
    let (left, _) = profile::port(port, || unsafe {
        monitor(Call::Output, [port.into(), start, len, 0])
    });
    len - left
}

/// The same for a UART, waiting for its transmitter before each byte. Returns the bytes written
/// and how often the status port was read.
pub fn output_polled(port: u16, start: usize, len: usize, status: u16) -> (usize, usize) {
    // SAFETY: as above.
    let (left, reads) = profile::port(port, || unsafe {
        monitor(Call::OutputPolled, [port.into(), start, len, status.into()])
    });
    (len - left, reads)
}

/// Reads a byte from an I/O port.
///
/// # Safety
/// Reading must have no effect on memory that Rust knows of.
pub unsafe fn inb(port: u16) -> u8 {
    // SAFETY: the caller's promise.
    profile::port(port, || unsafe {
        monitor(Call::In, [port.into(), 1, 0, 0]).0 as u8
    })
}

/// Writes a byte to an I/O port.
///
/// # Safety
/// The device behind it must not be made to touch memory that Rust knows of.
pub unsafe fn outb(port: u16, value: u8) {
    // SAFETY: the caller's promise.
    profile::port(port, || unsafe {
        monitor(Call::Out, [port.into(), 1, value.into(), 0])
    });
}

/// Writes bytes to I/O ports, in order, with no interrupt in between.
///
/// # Safety
/// As for [`outb`], for each of them.
pub unsafe fn out_bytes<const N: usize>(writes: [(u16, u8); N]) {
    const { assert!(N > 0) };
    let words = writes.map(|(port, byte)| u32::from(port) | u32::from(byte) << 16);
    let args = [words.as_ptr() as usize, N, 0, 0];
    // SAFETY: the caller's promise; the monitor reads the `N` words and no more.
    profile::port(writes[0].0, || unsafe { monitor(Call::OutBytes, args) });
}

/// Writes a 16-bit word to an I/O port.
///
/// # Safety
/// As for [`outb`].
pub unsafe fn outw(port: u16, value: u16) {
    // SAFETY: the caller's promise.
    profile::port(port, || unsafe {
        monitor(Call::Out, [port.into(), 2, value.into(), 0])
    });
}

/// Writes a model-specific register.
///
/// # Safety
/// The register and value must leave the program's environment as Rust expects it.
pub unsafe fn write_msr(number: u32, value: u64) {
    // SAFETY: the caller's promise.
    profile::caused(profile::Cause::Msr, || unsafe {
        monitor(Call::WriteMsr, [number as usize, value as usize, 0, 0])
    });
}

/// Bit 0: the host has ended the interrupt that it has just delivered. Ring 0 alone may touch it.
#[unsafe(export_name = "lintel_pv_eoi")]
#[unsafe(link_section = ".lintel.monitor.data")]
static PV_EOI: AtomicU32 = AtomicU32::new(0);

/// Address of the word in which a host may say that it has ended an interrupt (bit 0).
pub fn pv_eoi() -> usize {
    PV_EOI.as_ptr() as usize
}

/// Writes a 32-bit register of a device that only ring 0 may touch.
///
/// # Safety
/// `address` is a mapped register, and the device must not be made to touch memory that Rust knows of.
pub unsafe fn store(address: usize, value: u32) {
    // SAFETY: the caller's promise.
    profile::caused(profile::Cause::Apic, || unsafe {
        monitor(Call::Store, [address, value as usize, 0, 0])
    });
}

/// Sets the breakpoints on instructions at these addresses (0: none); returns DR6, and clears it.
pub fn watch(addresses: &[usize; BREAKPOINTS]) -> u64 {
    // DR7 (SDM vol. 3, 18.2.4): bit 2n + 1 has DRn on, for instructions. Bit 10 is always set.
    let mut control = 1 << 10;
    for (index, &address) in addresses.iter().enumerate() {
        control |= usize::from(address != 0) << (2 * index + 1);
    }
    let args = [addresses.as_ptr() as usize, control, 0, 0];
    // SAFETY: the monitor reads the addresses. A debug exception comes as an upcall like any other,
    // and changes no memory.
    unsafe { monitor(Call::Watch, args).0 as u64 }
}

/// Flushes all translations by loading the root table again.
///
/// # Safety
/// `root` is the address of the tables in use.
pub unsafe fn set_root(root: usize) {
    // SAFETY: the caller's promise.
    profile::caused(profile::Cause::Flush, || unsafe {
        monitor(Call::SetRoot, [root, 0, 0, 0])
    });
}

/// Flushes the translations of `pages` pages from `start` on.
pub fn invalidate(start: usize, pages: usize) {
    if pages != 0 {
        // SAFETY: forgetting a translation has no effect but time.
        profile::caused(profile::Cause::Flush, || unsafe {
            monitor(Call::Invalidate, [start, pages, 0, 0])
        });
    }
}

/// CPUID as ring 0 sees it, which on a pagetable KVM is not what ring 3 sees: from the answers kept
/// from boot, or by a monitor call.
pub fn cpuid(leaf: u32, subleaf: u32) -> [u32; 4] {
    if let Some(words) = cpuid::kept(leaf).filter(|_| subleaf == 0) {
        return words;
    }
    let mut words = [0; 4];
    let target = words.as_mut_ptr() as usize;
    // SAFETY: the monitor writes the four words behind `target`.
    profile::caused(profile::Cause::Cpuid, || unsafe {
        monitor(Call::Cpuid, [leaf as usize, subleaf as usize, target, 0])
    });
    words
}
