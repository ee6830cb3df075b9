//! Interrupts that end without an exit (Linux, Documentation/virt/kvm/x86/msr.rst, MSR_KVM_PV_EOI_EN
//! 0x4b564d04): the host sets a bit when it delivers an interrupt whose end it need not be told of.
//! The monitor takes it.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use platform_qemu::monitor::{cpuid, pv_eoi, write_msr};

const PV_EOI: u32 = 0x4b56_4d04;
/// CPUID 0x4000_0001, EAX bit 6: the MSR exists.
const FEATURE: u32 = 1 << 6;

/// Asks the host for it, once, if it offers that.
pub fn enable() {
    static ASKED: AtomicBool = AtomicBool::new(false);
    if ASKED.swap(true, Relaxed) || cpuid(0x4000_0001, 0)[0] & FEATURE == 0 {
        return;
    }
    // SAFETY: the word is the monitor's for this purpose alone; bit 0 enables.
    unsafe { write_msr(PV_EOI, pv_eoi() as u64 | 1) };
}
