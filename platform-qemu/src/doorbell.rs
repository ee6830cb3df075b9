//! A doorbell: a 16550 (PC16550D data sheet) of which only the receive interrupt is used. Whoever
//! holds its other end writes a byte, and the library is interrupted, whatever the program does.

use crate::monitor::{inb, outb};
use crate::pic;
use core::sync::atomic::{AtomicU8, AtomicU16, Ordering::Relaxed};
use unikernel::profile;

/// Its I/O port; 0: there is none.
static PORT: AtomicU16 = AtomicU16::new(0);
/// Its interrupt line at the PIC.
static LINE: AtomicU8 = AtomicU8::new(0);

/// Opens the receive interrupt of the UART at `port`, which is `line` (0 to 15) of the PIC.
pub fn attach(port: u16, line: u8) {
    PORT.store(port, Relaxed);
    LINE.store(line, Relaxed);
    // SAFETY: the UART touches no memory. The FIFOs stay off, so every byte is an interrupt; OUT2
    // gates the interrupt line on a PC.
    profile::unmeasured(|| unsafe {
        outb(port + 4, 0x0b);
        outb(port + 1, 1);
        pic::enable(line, true);
    });
}

/// Whether an interrupt on `line` is the doorbell's. Takes the byte, so that the next one rings.
pub fn rang(line: u8) -> bool {
    let port = PORT.load(Relaxed);
    let mine = port != 0 && line == LINE.load(Relaxed);
    if mine {
        // SAFETY: reading the receive buffer touches no memory.
        profile::unmeasured(|| unsafe { inb(port) });
    }
    mine
}
