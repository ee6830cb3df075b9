//! Exceptions: resolved here, or the end of the program.

use crate::cpu::CPU;
use crate::irq::Frame;
use crate::{events, lower, mm, process, profile, report, uaccess};
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Exception vectors used below (Intel SDM vol. 3, 6.3.1).
mod vector {
    pub const DIVIDE: u64 = 0;
    pub const DEBUG: u64 = 1;
    pub const BREAKPOINT: u64 = 3;
    pub const OVERFLOW: u64 = 4;
    pub const INVALID_OPCODE: u64 = 6;
    pub const STACK_SEGMENT: u64 = 12;
    pub const PROTECTION: u64 = 13;
    pub const PAGE: u64 = 14;
    pub const X87: u64 = 16;
    pub const ALIGNMENT: u64 = 17;
    pub const SIMD: u64 = 19;
}

/// The library's text, set at boot: a fault there that nothing explains is the library's own.
static TEXT: (AtomicUsize, AtomicUsize) = (AtomicUsize::new(0), AtomicUsize::new(0));

/// Remembers where the library's text is.
pub fn init(text: Range<usize>) {
    TEXT.0.store(text.start, Relaxed);
    TEXT.1.store(text.end, Relaxed);
}

/// Whether `rip` is in the library.
pub fn in_library(rip: usize) -> bool {
    (TEXT.0.load(Relaxed)..TEXT.1.load(Relaxed)).contains(&rip)
}

/// Entered from the exception upcall, on the fault stack, soft interrupt flag closed.
pub(crate) extern "C" fn on_exception(frame: &mut Frame) {
    let [vector, error, rip, rsp] = [frame.vector, frame.error, frame.rip, frame.rsp];
    let resolved = events::fault(vector, error, rip, rsp, || {
        profile::fault(vector, || resolve(frame))
    });
    if !resolved {
        fatal(frame);
    }
    CPU.fault_depth.fetch_sub(1, Relaxed);
}

/// Tries everything that lets the program go on.
fn resolve(frame: &mut Frame) -> bool {
    let rip = frame.rip as usize;
    match frame.vector {
        vector::PAGE => {
            let address = CPU.cr2.load(Relaxed);
            if mm::space::demand(address, frame.error & 1 != 0) {
                return true;
            }
        }
        vector::PROTECTION => {
            if let Some(moved) = lower::redirect(rip).or_else(|| report::mark_reached(rip)) {
                frame.rip = moved as u64;
                return true;
            }
        }
        _ => {}
    }
    // A bad user pointer raises #PF, a non-canonical one #GP; both end in EFAULT.
    if let (vector::PAGE | vector::PROTECTION, Some(landing)) = (frame.vector, uaccess::fixup(rip))
    {
        frame.rip = landing as u64;
        return true;
    }
    false
}

/// The signal that an exception is on Linux (signal(7), Linux's arch/x86 traps).
pub fn signal_of(vector: u64) -> u8 {
    match vector {
        vector::DIVIDE | vector::X87 | vector::SIMD => 8,
        vector::DEBUG | vector::BREAKPOINT => 5,
        vector::INVALID_OPCODE => 4,
        vector::STACK_SEGMENT | vector::ALIGNMENT => 7,
        vector::OVERFLOW | vector::PROTECTION | vector::PAGE => 11,
        _ => 11,
    }
}

fn fatal(frame: &Frame) -> ! {
    report::crash(frame);
    // Linux has no stack of the program's under it; a system call that finds no room is the
    // program's overflow.
    let overflow = frame.vector == vector::PAGE && mm::space::is_overflow(CPU.cr2.load(Relaxed));
    let code = match in_library(frame.rip as usize) && !overflow {
        true => process::PANIC_CODE,
        false => 128 + signal_of(frame.vector),
    };
    process::exit(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_the_signals_of_linux() {
        let signals = [
            (0, 8),
            (3, 5),
            (6, 4),
            (13, 11),
            (14, 11),
            (16, 8),
            (17, 7),
            (19, 8),
        ];
        for (vector, signal) in signals {
            assert_eq!(signal_of(vector), signal, "vector {vector}");
        }
    }
}
