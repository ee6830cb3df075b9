//! The pair of 8259A interrupt controllers (Intel 8259A data sheet), in automatic-EOI mode: an
//! interrupt is acknowledged as it is delivered, so its end costs no port access, which on a
//! virtual machine would be an exit.

use crate::monitor::{out_bytes, outb};
use core::sync::atomic::{AtomicBool, AtomicU16, Ordering::Relaxed};
use unikernel::cpu::FIRST_IRQ_VECTOR;

const MASTER: u16 = 0x20;
const SLAVE: u16 = 0xa0;

static READY: AtomicBool = AtomicBool::new(false);
static MASK: AtomicU16 = AtomicU16::new(0xffff);

/// Opens or closes an interrupt line (0 to 15); the first call sets the controllers up.
pub fn enable(line: u8, on: bool) {
    if !READY.swap(true, Relaxed) {
        init();
    }
    let bit = 1 << line;
    let old = MASK.load(Relaxed);
    // The slave hangs on line 2 of the master.
    let new = if on { old & !bit & !4 } else { old | bit };
    if new == old {
        return;
    }
    MASK.store(new, Relaxed);
    // SAFETY: the controller touches no memory.
    unsafe {
        outb(MASTER + 1, new as u8);
        if line >= 8 {
            outb(SLAVE + 1, (new >> 8) as u8);
        }
    }
}

/// ICW1 edge, cascade, ICW4; ICW2 vectors; ICW3 wiring; ICW4 8086 mode, automatic EOI; all masked.
/// In one go: ICW1 opens every line, and until ICW2 an interrupt would have vector 0 and up.
fn init() {
    let words = |port: u16, vector: u8, wiring: u8| {
        let second = port + 1;
        [
            (port, 0x11),
            (second, vector),
            (second, wiring),
            (second, 0x03),
            (second, 0xff),
        ]
    };
    for (port, vector, wiring) in [
        (MASTER, FIRST_IRQ_VECTOR, 4),
        (SLAVE, FIRST_IRQ_VECTOR + 8, 2),
    ] {
        // SAFETY: the controller touches no memory; everything stays masked.
        unsafe { out_bytes(words(port, vector, wiring)) };
    }
}
