//! Exceptions of the application as signals (Linux's arch/x86/kernel/traps.c and mm/fault.c).

use super::exit::deliver_above;
use super::info::code::*;
use super::{SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP, SigInfo, Trap, with};
use crate::cpu::CPU;
use crate::irq::{FX_AREA, Frame};
use crate::mm::demand::Fault;
use crate::shim::KERNEL_STACK;
use crate::{fault, lower, mm, process, report, uaccess};
use core::sync::atomic::Ordering::Relaxed;

/// Exception vectors (Intel SDM vol. 3, 6.3.1).
mod vector {
    pub const DIVIDE: u64 = 0;
    pub const DEBUG: u64 = 1;
    pub const BREAKPOINT: u64 = 3;
    pub const INVALID_OPCODE: u64 = 6;
    pub const NOT_PRESENT: u64 = 11;
    pub const STACK_SEGMENT: u64 = 12;
    pub const PAGE: u64 = 14;
    pub const X87: u64 = 16;
    pub const ALIGNMENT: u64 = 17;
    pub const SIMD: u64 = 19;
}

/// The signal that an exception is.
pub const fn signal_of(vector: u64) -> u8 {
    (match vector {
        vector::DIVIDE | vector::X87 | vector::SIMD => SIGFPE,
        vector::DEBUG | vector::BREAKPOINT => SIGTRAP,
        vector::INVALID_OPCODE => SIGILL,
        vector::NOT_PRESENT | vector::STACK_SEGMENT | vector::ALIGNMENT => SIGBUS,
        _ => SIGSEGV,
    }) as u8
}

/// What the status of a floating-point unit, as far as it is not masked, means.
const fn float(status: u32) -> i32 {
    match status {
        s if s & 1 != 0 => FPE_FLTINV,
        s if s & 4 != 0 => FPE_FLTDIV,
        s if s & 8 != 0 => FPE_FLTOVF,
        s if s & 0x12 != 0 => FPE_FLTUND,
        s if s & 0x20 != 0 => FPE_FLTRES,
        _ => 0,
    }
}

/// What a page fault says that could not be resolved: why it could not, asked once more.
fn page_fault(address: usize, error: u64) -> SigInfo {
    let page = mm::page_down(address);
    let stack = mm::space::parts().stack_low..mm::space::stack_top();
    let is_there = stack.contains(&address)
        || page < uaccess::USER_END && mm::space::is_known(page..page + mm::PAGE);
    match mm::space::demand(address, error) {
        Err(Fault::Bus) => SigInfo::fault(SIGBUS as i32, BUS_ADRERR, address),
        // What is mapped and not the application's does not exist for it.
        _ if is_there => SigInfo::fault(SIGSEGV as i32, SEGV_ACCERR, address),
        _ => SigInfo::fault(SIGSEGV as i32, SEGV_MAPERR, address),
    }
}

/// What an exception says. `fx` is the FXSAVE area of the interrupted code.
///
/// # Safety
/// There is one at `fx`.
unsafe fn describe(frame: &Frame, cr2: usize, fx: *const u8) -> SigInfo {
    let (signo, rip) = (i32::from(signal_of(frame.vector)), frame.rip as usize);
    let code = match frame.vector {
        vector::PAGE => return page_fault(cr2, frame.error),
        vector::DIVIDE => FPE_INTDIV,
        vector::DEBUG => TRAP_TRACE,
        vector::INVALID_OPCODE => ILL_ILLOPN,
        vector::ALIGNMENT => return SigInfo::fault(signo, BUS_ADRALN, 0),
        vector::X87 | vector::SIMD => {
            // SAFETY: FCW, FSW and MXCSR are at these places of it (SDM vol. 1, 10.5.1).
            let (control, status, mxcsr) = unsafe {
                let fx = fx.cast::<u16>();
                (*fx, *fx.add(1), *fx.add(12).cast::<u32>())
            };
            match frame.vector {
                vector::X87 => float(u32::from(status & !control)),
                _ => float(mxcsr & !(mxcsr >> 7)),
            }
        }
        _ => return SigInfo::kernel(signo),
    };
    SigInfo::fault(signo, code, rip)
}

/// Whether an exception is the library's own mistake. In the library, but on the application's
/// stack, it is not: that has no room, or is none.
pub fn is_of_library(frame: &Frame) -> bool {
    let top = CPU.kernel_stack.load(Relaxed);
    let on = |top: usize| top.wrapping_sub(frame.rsp as usize) <= KERNEL_STACK;
    let stacks = [
        top,
        CPU.irq_stack.load(Relaxed),
        CPU.fault_stack.load(Relaxed),
    ];
    fault::in_library(frame.rip as usize) && stacks.into_iter().any(on)
}

/// Turns an exception of the application into a signal: a handler is entered, or the program ends
/// with a report.
///
/// # Safety
/// `frame` is the exception upcall's, below which it has its FXSAVE area.
pub unsafe fn raise(frame: &mut Frame) {
    let cr2 = CPU.cr2.load(Relaxed);
    let fx = (&raw const *frame).cast::<u8>().wrapping_sub(FX_AREA);
    // SAFETY: the area is there (the caller's).
    let info = unsafe { describe(frame, cr2, fx) };
    // An instruction that moved, or the way into the library.
    if let Some((rip, rsp)) = lower::original_state(frame.rip as usize, frame.rsp as usize) {
        (frame.rip, frame.rsp) = (rip as u64, rsp as u64);
    }
    let ends = with(|process, thread| {
        let page = frame.vector == vector::PAGE;
        thread.trap = Trap {
            vector: frame.vector,
            error: frame.error,
            cr2: if page { cr2 as u64 } else { thread.trap.cr2 },
        };
        thread.force(process, info, false)
    });
    if ends {
        report::crash(frame);
        process::exit(128 + info.signo as u8);
    }
    // SAFETY: the caller's.
    unsafe { deliver_above(frame) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_the_signals_of_linux() {
        let signals = [
            (0, 8),
            (1, 5),
            (3, 5),
            (4, 11),
            (6, 4),
            (11, 7),
            (12, 7),
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

    #[test]
    fn floating_point_status_is_told_in_linuxs_order() {
        assert_eq!([float(1), float(0x3f), float(4), float(8)], [7, 7, 3, 4]);
        assert_eq!([float(0x10), float(2), float(0x20), float(0)], [5, 5, 6, 0]);
    }
}
