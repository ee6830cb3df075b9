//! Reading a frame: the way back.

use super::{EXTENT, Extent, LEGACY, MAGIC_1, MAGIC_2, SignalFrame, UserContext};
use crate::irq::Frame;
use crate::signal::fpu::{self, Xmm};
use crate::signal::{AltStack, window};
use crate::uaccess;
use core::mem::{offset_of, size_of};

/// What rt_sigreturn(2) found beside the registers.
pub struct Returned {
    /// The signal mask.
    pub mask: u64,
    /// The alternate stack.
    pub stack: AltStack,
    /// The frame cannot be returned to: SIGSEGV.
    pub is_bad: bool,
}

/// A frame that is being read.
struct Reading<'a> {
    frame: &'a mut Frame,
    from: *const UserContext,
    fpstate: usize,
    returned: Returned,
}

/// rt_sigreturn(2): loads what the frame above `frame.rsp` holds. `None` when there is none.
pub fn leave(frame: &mut Frame, xmm: *mut Xmm) -> Option<Returned> {
    let start = frame.rsp.wrapping_sub(8) as usize;
    if !uaccess::access_ok(start, size_of::<SignalFrame>()) {
        return None;
    }
    let mut reading = Reading {
        frame,
        from: (start + offset_of!(SignalFrame, user)) as *const UserContext,
        fpstate: 0,
        returned: Returned {
            mask: 0,
            stack: AltStack::NONE,
            is_bad: false,
        },
    };
    // SAFETY: `read` does nothing but to read what is checked above to be the application's.
    if !unsafe { window::run(&mut reading, read) } {
        return None;
    }
    let Reading {
        fpstate,
        mut returned,
        ..
    } = reading;
    if load(xmm, fpstate).is_none() {
        // SAFETY: the entry's save area; the state is lost already.
        unsafe { fpu::reset(xmm, fpu::extent().0) };
        returned.is_bad = true;
    }
    Some(returned)
}

/// Reads a frame. Its last word first: it spans two pages at most, so if that is there, all is, and
/// no register is changed by half a frame.
///
/// # Safety
/// In a window; the place is the application's.
unsafe extern "C" fn read(r: &mut Reading<'_>) {
    // SAFETY: the caller's; words of the frame may be at odd addresses.
    unsafe {
        r.returned.mask = (&raw const (*r.from).mask).read_unaligned();
        r.returned.stack = (&raw const (*r.from).stack).read_unaligned();
        let context = &raw const (*r.from).context;
        r.fpstate = (&raw const (*context).fpstate).read_unaligned();
        // Not copied where the program left it at a place for words.
        let may = match context.is_aligned() {
            true => (*context).restore(r.frame),
            false => context.read_unaligned().restore(r.frame),
        };
        r.returned.is_bad = !may;
    }
}

/// Vector state that is being loaded.
struct Loading {
    xmm: *mut Xmm,
    area: usize,
}

/// Loads the vector state that a frame points to (Linux's `fpu__restore_sig`).
fn load(xmm: *mut Xmm, area: usize) -> Option<()> {
    let (components, size) = fpu::extent();
    if area == 0 {
        // SAFETY: the entry's save area, whose content the program gives up.
        unsafe { fpu::reset(xmm, components) };
        return Some(());
    }
    if !uaccess::access_ok(area, size as usize + 4) {
        return None;
    }
    let mut loading = Loading { xmm, area };
    // SAFETY: `load_from` reads what is checked to be the application's.
    unsafe { window::run(&mut loading, load_from) }.then_some(())
}

/// Loads the vector state.
///
/// # Safety
/// In a window; the place is the application's.
unsafe extern "C" fn load_from(l: &mut Loading) {
    let (components, size) = fpu::extent();
    let at = |offset: usize| (l.area + offset) as *const u8;
    // SAFETY: the caller's; the area may be at an odd address, and the instructions see to that.
    unsafe {
        let extent = at(EXTENT).cast::<Extent>();
        let magic_2 = || at(size as usize).cast::<u32>().read_unaligned();
        let is_extended =
            (&raw const (*extent).magic).read_unaligned() == MAGIC_1 && magic_2() == MAGIC_2;
        let named = (&raw const (*extent).components).read_unaligned();
        let present = if is_extended {
            named & components
        } else {
            LEGACY
        };
        if present != components {
            fpu::reset(l.xmm, components);
        }
        match is_extended {
            true => fpu::restore(l.xmm, l.area, present),
            false => fpu::restore_legacy(l.xmm, l.area),
        }
    }
}
