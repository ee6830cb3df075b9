//! Exceptions: resolved here, or a signal to the application.

use crate::cpu::CPU;
use crate::irq::Frame;
use crate::mm::demand::Fault;
use crate::{events, lower, mm, process, profile, report, sched, signal, uaccess};
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Exception vectors used below (Intel SDM vol. 3, 6.3.1).
mod vector {
    pub const DEBUG: u64 = 1;
    pub const PROTECTION: u64 = 13;
    pub const PAGE: u64 = 14;
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
    // SAFETY: the frame is the exception upcall's.
    let stepped = |frame| unsafe { signal::stepped(frame) };
    if frame.vector == vector::DEBUG && (lower::arrived(frame.rip as usize) || stepped(frame)) {
        CPU.fault_depth.fetch_sub(1, Relaxed);
        return;
    }
    let [vector, error, rip, rsp] = [frame.vector, frame.error, frame.rip, frame.rsp];
    let resolved = events::fault(vector, error, rip, rsp, || {
        profile::fault(vector, || resolve(frame))
    });
    if !resolved {
        unresolved(frame);
    }
    CPU.fault_depth.fetch_sub(1, Relaxed);
}

/// Tries everything that lets the program go on.
fn resolve(frame: &mut Frame) -> bool {
    let rip = frame.rip as usize;
    match frame.vector {
        vector::PAGE => match mm::space::demand(CPU.cr2.load(Relaxed), frame.error) {
            Ok(()) => {
                sched::count_fault();
                return true;
            }
            Err(Fault::Memory) if !in_library(rip) => report::out_of_memory(),
            Err(_) => {}
        },
        vector::PROTECTION => {
            if let Some(moved) = lower::redirect(rip).or_else(|| report::mark_reached(rip)) {
                frame.rip = moved as u64;
                return true;
            }
        }
        _ => {}
    }
    // A bad user pointer raises #PF, a non-canonical one #GP; both end in EFAULT.
    if !matches!(frame.vector, vector::PAGE | vector::PROTECTION) {
        return false;
    }
    match uaccess::fixup(rip) {
        Some(landing) => frame.rip = landing as u64,
        None => return signal::close_window(frame),
    }
    true
}

/// What nothing resolves is the application's, as a signal, or the end: the library's own mistake.
fn unresolved(frame: &mut Frame) {
    if signal::is_of_library(frame) {
        report::crash(frame);
        process::exit(process::PANIC_CODE)
    }
    // SAFETY: the frame is the exception upcall's.
    unsafe { signal::raise_exception(frame) };
}
