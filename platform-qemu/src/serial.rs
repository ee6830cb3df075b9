//! The 16550 at COM1 (PC16550D data sheet), and one-byte debug ports.

use crate::monitor::{inb, outb, output, output_polled};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use unikernel::platform::{Counts, Port};

/// COM1.
pub const BASE: u16 = 0x3f8;
/// Line status: bit 0 data ready, bit 5 transmitter empty.
pub const STATUS: u16 = BASE + 5;
const INTERRUPT_ENABLE: u16 = BASE + 1;
const MODEM_CONTROL: u16 = BASE + 4;
const DATA_READY: u8 = 1;

static CALLS: AtomicU64 = AtomicU64::new(0);
static POLLS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// Writes to a port in one monitor call. `poll` waits for the UART's transmitter, which an
/// emulated one needs only where its reader can be slower than the guest.
pub fn write(port: Port, start: usize, len: usize, poll: bool) -> usize {
    let port = match port {
        Port::Debugcon(port) => return output(port, start, len),
        Port::Console => BASE,
    };
    let (written, polls) = match poll {
        true => output_polled(port, start, len, STATUS),
        false => (output(port, start, len), 0),
    };
    CALLS.fetch_add(1, Relaxed);
    POLLS.fetch_add(polls as u64, Relaxed);
    BYTES.fetch_add(written as u64, Relaxed);
    written
}

/// Takes received bytes.
pub fn read(buffer: &mut [u8]) -> usize {
    let mut n = 0;
    for byte in buffer {
        // SAFETY: the UART touches no memory.
        unsafe {
            if inb(STATUS) & DATA_READY == 0 {
                break;
            }
            *byte = inb(BASE);
        }
        n += 1;
    }
    n
}

/// Opens or closes the receive interrupt (IRQ 4 at the PIC is the caller's).
pub fn interrupt(on: bool) {
    // SAFETY: the UART touches no memory. The FIFOs stay off: turning them on would drop a byte
    // that has come already. OUT2 gates the interrupt line on a PC.
    unsafe {
        outb(MODEM_CONTROL, 0x0b);
        outb(INTERRUPT_ENABLE, u8::from(on));
    }
}

/// Counts so far.
pub fn counts() -> Counts {
    Counts {
        console_calls: CALLS.load(Relaxed),
        lsr_reads: POLLS.load(Relaxed),
        console_bytes: BYTES.load(Relaxed),
    }
}
