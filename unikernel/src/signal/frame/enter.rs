//! Writing a frame: the way into a handler.

use super::{
    Context, EXTENT, Extent, HEADER, LEGACY, MAGIC_1, MAGIC_2, NOT_IN_HANDLER, RED_ZONE,
    SignalFrame, UC_FLAGS, UserContext,
};
use crate::irq::Frame;
use crate::signal::action::flag;
use crate::signal::fpu::{self, Xmm};
use crate::signal::{AltStack, SigAction, SigInfo, Trap, window};
use crate::uaccess;
use core::mem::{offset_of, size_of};

/// What a frame is made of beside the registers.
pub struct Delivery {
    /// The signal.
    pub info: SigInfo,
    /// Its disposition.
    pub action: SigAction,
    /// The mask to come back to.
    pub mask: u64,
    /// The thread's alternate stack.
    pub stack: AltStack,
    /// The thread's mask and the one that it had borrowed for, if there is no room for the frame.
    pub before: (u64, Option<u64>),
    /// The thread's last exception.
    pub trap: Trap,
}

/// Where the frame of a handler goes: the address of the XSAVE area, and the stack pointer. `None`
/// when the alternate stack is too small.
fn place(sp: u64, size: u64, action: &SigAction, stack: &AltStack) -> Option<(u64, u64)> {
    let nested = stack.is_in_use(sp as usize);
    let mut at = sp.wrapping_sub(RED_ZONE);
    let entering = action.flags & flag::ONSTACK != 0 && stack.is_wanted(at as usize);
    if entering {
        at = stack.top() as u64;
    }
    let area = at.wrapping_sub(size + 4) & !63;
    let frame = (area.wrapping_sub(size_of::<SignalFrame>() as u64) & !15).wrapping_sub(8);
    let fits = !(nested || entering) || stack.holds(frame as usize);
    fits.then_some((area, frame))
}

/// A frame that is being written.
struct Writing<'a> {
    frame: &'a Frame,
    xmm: *mut Xmm,
    delivery: &'a Delivery,
    area: usize,
    sp: usize,
    /// Components of the vector state that are in use.
    used: u64,
}

/// Makes `frame` the start of a handler, with a signal frame to return to what it was. `Err` when
/// the stack cannot take it; then nothing has changed.
pub fn enter(frame: &mut Frame, xmm: *mut Xmm, delivery: &Delivery) -> Result<(), ()> {
    let Delivery { info, action, .. } = delivery;
    if action.flags & flag::RESTORER == 0 {
        return Err(());
    }
    let (_, size) = fpu::extent();
    let (area, sp) = place(frame.rsp, size.into(), action, &delivery.stack).ok_or(())?;
    if !uaccess::access_ok(sp as usize, (area - sp) as usize + size as usize + 4) {
        return Err(());
    }
    let mut writing = Writing {
        frame,
        xmm,
        delivery,
        area: area as usize,
        sp: sp as usize,
        used: 0,
    };
    // SAFETY: `write` does nothing but to write what is checked above to be the application's.
    if !unsafe { window::run(&mut writing, write) } {
        return Err(());
    }
    let used = writing.used;
    // SAFETY: the entry's save area; the state has just been saved.
    unsafe { fpu::reset(xmm, used) };
    frame.rdi = info.signo as u64;
    frame.rsi = sp + offset_of!(SignalFrame, info) as u64;
    frame.rdx = sp + offset_of!(SignalFrame, user) as u64;
    frame.rax = 0;
    frame.rsp = sp;
    frame.rip = action.handler as u64;
    frame.rflags &= !NOT_IN_HANDLER;
    Ok(())
}

/// Writes a frame.
///
/// # Safety
/// In a window; the places are the application's.
unsafe extern "C" fn write(w: &mut Writing<'_>) {
    let (components, size) = fpu::extent();
    let area = w.area as *mut u8;
    let present = area.wrapping_add(HEADER).cast::<u64>();
    let to = w.sp as *mut SignalFrame;
    // SAFETY: the caller's; all places are multiples of their types' alignments.
    unsafe {
        // XSAVE leaves most of the header as it is.
        present.cast::<[u64; 8]>().write([0; 8]);
        fpu::save(w.xmm, w.area, components);
        w.used = present.read();
        // Those of x87 and SSE count as there, for who looks at the old part only.
        present.write(w.used | LEGACY);
        area.wrapping_add(EXTENT).cast::<Extent>().write(Extent {
            magic: MAGIC_1,
            extended_size: size + 4,
            components,
            size,
            _padding: [0; 7],
        });
        area.wrapping_add(size as usize)
            .cast::<u32>()
            .write(MAGIC_2);
        (&raw mut (*to).restorer).write(w.delivery.action.restorer);
        (&raw mut (*to).user).write(UserContext {
            flags: UC_FLAGS,
            link: 0,
            stack: w.delivery.stack,
            context: Context::of(w.frame, w.delivery.mask, w.area, &w.delivery.trap),
            mask: w.delivery.mask,
        });
        if w.delivery.action.flags & flag::SIGINFO != 0 {
            (&raw mut (*to).info).write(w.delivery.info.words());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_start_as_if_called() {
        let action = SigAction::DEFAULT;
        for sp in 0x7000..0x7100 {
            let (area, at) = place(sp, 832, &action, &AltStack::NONE).unwrap();
            assert_eq!(((at + 8) % 16, area % 64), (0, 0));
            assert!(at + 440 <= area && area + 836 <= sp - 128);
        }
    }

    #[test]
    fn the_alternate_stack_is_used_once_and_not_overrun() {
        let mut stack = AltStack::NONE;
        let mut wanted = SigAction::DEFAULT;
        let mut memory = AltStack::NONE;
        (memory.sp, memory.size, memory.flags) = (0x10000, 0x2000, 0);
        stack.set(memory, 0).unwrap();
        assert!(place(0x50000, 832, &wanted, &stack).unwrap().1 > 0x40000);
        wanted.flags = flag::ONSTACK;
        let (_, first) = place(0x50000, 832, &wanted, &stack).unwrap();
        assert!(stack.holds(first as usize));
        let (_, second) = place(first, 832, &wanted, &stack).unwrap();
        assert!(second < first && stack.holds(second as usize));
        assert!(place(0x10400, 832, &wanted, &stack).is_none());
        assert!(place(0x50000, 8000, &wanted, &stack).is_none());
    }
}
