//! The end of the VM.

use crate::monitor::{self, outb, outw};
use unikernel::mm::paging::{self, Access};
use unikernel::mm::{PAGE, page_down};
use unikernel::time::tsc;

/// QEMU's `isa-debug-exit`: exit status `code << 1 | 1`.
const DEBUG_EXIT: u16 = 0xf4;
/// PM1a control of QEMU's q35 and pc (ACPI 6.4, 4.8.3.2.1): S5 with the enable bit.
const PM1A: u16 = 0x604;
const SLEEP_S5: u16 = 0x2000;
/// Sleep control register of microvm's generic event device (ACPI 6.4, 4.8.3.7).
const GED_SLEEP: usize = 0xfea0_0200;
const GED_S5: u8 = 5 << 2 | 1 << 5;
/// Keyboard controller: pulse the reset line.
const KEYBOARD: u16 = 0x64;

/// Time-stamp ticks to wait for an ACPI shutdown to take effect: about a tenth of a second.
const GRACE: u64 = 300_000_000;

/// Powers off. A clean exit prefers ACPI, so that QEMU itself returns 0; any other prefers the
/// debug-exit device, so that it returns something else.
pub fn off(code: u8) -> ! {
    // SAFETY: these writes end the machine; those without a device behind them do nothing.
    unsafe {
        // A runner learns the code from the control channel, and need not wait.
        if code == 0 && !unikernel::console::has_control() {
            acpi();
            // QEMU acts on it when its main loop comes round; the CPU runs on until then.
            let asked = tsc();
            while tsc() - asked < GRACE {
                core::hint::spin_loop();
            }
        }
        outb(DEBUG_EXIT, code);
        acpi();
        outb(KEYBOARD, 0xfe);
    }
    loop {
        monitor::idle();
    }
}

/// # Safety
/// Ends the machine when ACPI is there.
unsafe fn acpi() {
    // SAFETY: the caller wants the machine to end.
    unsafe { outw(PM1A, SLEEP_S5) };
    let page = page_down(GED_SLEEP);
    if paging::map_identity(page..page + PAGE, Access::DATA).is_ok() {
        // SAFETY: the page was just mapped to the device, or to nothing, where writes are lost.
        unsafe {
            volatile::VolatilePtr::new(core::ptr::NonNull::new_unchecked(GED_SLEEP as *mut u8))
        }
        .write(GED_S5);
    }
}
