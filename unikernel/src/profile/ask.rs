//! A profile on demand, while the program goes on: the doorbell asks for it.
//!
//! When the doorbell's interrupt found the application's own code, no call is under way, and the
//! profile is written at once, on the interrupt stack. When it found the library's, writing would
//! be part of the measured call and could meet what that call is in the middle of (the clock being
//! calibrated): then it is done when the call has ended, or before it sleeps.

use super::{ENABLED, dump};
use crate::fault;
use crate::shim::on_kernel_stack;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// A profile is to be written at the next safe point.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Where the interrupt being handled found the CPU; 0: in a call that had the flag closed.
static INTERRUPTED: AtomicUsize = AtomicUsize::new(0);

/// An interrupt is about to be handled that found the CPU at `rip`; 0: in the library.
#[inline(always)]
pub fn interrupted(rip: usize) {
    if ENABLED {
        INTERRUPTED.store(rip, Relaxed);
    }
}

/// The doorbell rang.
pub fn asked() {
    if !ENABLED {
        return;
    }
    let rip = INTERRUPTED.load(Relaxed);
    if rip == 0 || fault::in_library(rip) {
        ASKED.store(true, Relaxed);
    } else {
        dump::snapshot();
    }
}

/// Between two calls, or before a call sleeps: writes the profile that was asked for.
#[inline(always)]
pub fn safe_point() {
    if ENABLED && ASKED.load(Relaxed) {
        lintel_fast_cold_profile();
    }
}

/// Out of line and on the kernel stack: fast handlers have little of the caller's, and keep no
/// vector register.
#[cold]
#[inline(never)]
#[cfg_attr(feature = "profile", unsafe(no_mangle))]
extern "C" fn lintel_fast_cold_profile() {
    on_kernel_stack(answer);
}

extern "C" fn answer() {
    if ASKED.swap(false, Relaxed) {
        dump::snapshot();
    }
}
