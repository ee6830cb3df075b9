//! The frame that a handler gets, as Linux lays it out on x86-64 (arch/x86/kernel/signal_64.c).
//!
//! From higher addresses to lower: the red zone, the XSAVE area (a multiple of 64, with the words
//! that say how large it is), and `rt_sigframe`: return address, `ucontext_t`, `siginfo_t`. The
//! handler starts as if it had been called by its restorer.

use super::action::flag;
use super::fpu::{self, Xmm};
use super::{AltStack, SigAction, SigInfo, Trap, window};
use crate::irq::Frame;
use crate::uaccess;
use core::mem::{offset_of, size_of};

/// `struct sigcontext`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Context {
    r8_to_15: [u64; 8],
    rdi: u64,
    rsi: u64,
    rbp: u64,
    rbx: u64,
    rdx: u64,
    rax: u64,
    rcx: u64,
    rsp: u64,
    rip: u64,
    flags: u64,
    cs: u16,
    gs: u16,
    fs: u16,
    ss: u16,
    error: u64,
    vector: u64,
    old_mask: u64,
    cr2: u64,
    fpstate: usize,
    _reserved: [u64; 8],
}

/// `struct ucontext`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct UserContext {
    flags: u64,
    link: u64,
    stack: AltStack,
    context: Context,
    mask: u64,
}

/// `struct rt_sigframe`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SignalFrame {
    restorer: usize,
    user: UserContext,
    info: [u64; 16],
}

const _: () = {
    assert!(size_of::<Context>() == 256 && size_of::<UserContext>() == 304);
    assert!(size_of::<SignalFrame>() == 440 && offset_of!(SignalFrame, info) == 312);
};

/// Of the XSAVE area, the words that software may use (`struct _fpx_sw_bytes`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    magic: u32,
    extended_size: u32,
    components: u64,
    size: u32,
    _padding: [u32; 7],
}

/// Where [`Extent`] is in an XSAVE area.
const EXTENT: usize = 464;
/// Where the header of an XSAVE area is; its first word says which components are there.
const HEADER: usize = 512;
const MAGIC_1: u32 = 0x4650_5853;
const MAGIC_2: u32 = 0x4650_5845;

/// `uc_flags`: the XSAVE area is there, `ss` is kept, and is restored strictly.
const UC_FLAGS: u64 = 1 | 2 | 4;

/// 64-bit code and data segments of Linux, which programs see whatever ours are.
const USER_CS: u16 = 0x33;
const USER_SS: u16 = 0x2b;

/// Flags that a program may change by a frame: CF, PF, AF, ZF, SF, TF, DF, OF, RF, AC.
const FIX_FLAGS: u64 = 0x0005_0dd5;
/// Not AC: it would make the library's own accesses fault.
const AC: u64 = 1 << 18;
/// RF, DF, TF: cleared for a handler.
const NOT_IN_HANDLER: u64 = 1 << 16 | 1 << 10 | 1 << 8;

/// The x87 and SSE components.
const LEGACY: u64 = 3;

const RED_ZONE: u64 = 128;

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
    trap: &'a Trap,
    area: usize,
    sp: usize,
    /// Components of the vector state that are in use.
    used: u64,
}

/// Makes `frame` the start of a handler, with a signal frame to return to what it was. `Err` when
/// the stack cannot take it; then nothing has changed.
pub(super) fn enter(
    frame: &mut Frame,
    xmm: *mut Xmm,
    delivery: &Delivery,
    trap: &Trap,
) -> Result<(), ()> {
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
        trap,
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
            context: Context::of(w.frame, w.delivery.mask, w.area, w.trap),
            mask: w.delivery.mask,
        });
        if w.delivery.action.flags & flag::SIGINFO != 0 {
            (&raw mut (*to).info).write(w.delivery.info.words());
        }
    }
}

impl Context {
    fn of(f: &Frame, mask: u64, fpstate: usize, trap: &Trap) -> Self {
        Self {
            r8_to_15: [f.r8, f.r9, f.r10, f.r11, f.r12, f.r13, f.r14, f.r15],
            rdi: f.rdi,
            rsi: f.rsi,
            rbp: f.rbp,
            rbx: f.rbx,
            rdx: f.rdx,
            rax: f.rax,
            rcx: f.rcx,
            rsp: f.rsp,
            rip: f.rip,
            flags: f.rflags,
            cs: USER_CS,
            gs: 0,
            fs: 0,
            ss: USER_SS,
            error: trap.error,
            vector: trap.vector,
            old_mask: mask,
            cr2: trap.cr2,
            fpstate,
            _reserved: [0; 8],
        }
    }

    /// Into the registers, as far as a program may; whether it may.
    fn restore(&self, f: &mut Frame) -> bool {
        [f.r8, f.r9, f.r10, f.r11, f.r12, f.r13, f.r14, f.r15] = self.r8_to_15;
        (f.rdi, f.rsi, f.rbp, f.rbx) = (self.rdi, self.rsi, self.rbp, self.rbx);
        (f.rdx, f.rax, f.rcx, f.rsp) = (self.rdx, self.rax, self.rcx, self.rsp);
        f.rip = self.rip;
        f.rflags = (f.rflags & !FIX_FLAGS) | self.flags & FIX_FLAGS & !AC;
        // IRETQ would raise #GP at any other segment, and at an address that is not canonical.
        self.cs | 3 == USER_CS && self.ss | 3 == USER_SS && is_canonical(self.rip)
    }
}

/// Whether an address has 48 significant bits.
const fn is_canonical(address: u64) -> bool {
    ((address as i64) << 16 >> 16) as u64 == address
}

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
pub(super) fn leave(frame: &mut Frame, xmm: *mut Xmm) -> Option<Returned> {
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
        r.returned.is_bad = !context.read_unaligned().restore(r.frame);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_the_c_librarys() {
        use libc::{REG_CR2, REG_CSGSFS, REG_EFL, REG_R8, REG_RIP, REG_RSP, mcontext_t};
        let at = |register: libc::c_int| offset_of!(mcontext_t, gregs) + 8 * register as usize;
        assert_eq!(offset_of!(Context, r8_to_15), at(REG_R8));
        assert_eq!(offset_of!(Context, rdi), at(libc::REG_RDI));
        assert_eq!(offset_of!(Context, rcx), at(libc::REG_RCX));
        assert_eq!(offset_of!(Context, rsp), at(REG_RSP));
        assert_eq!(offset_of!(Context, rip), at(REG_RIP));
        assert_eq!(offset_of!(Context, flags), at(REG_EFL));
        assert_eq!(offset_of!(Context, cs), at(REG_CSGSFS));
        assert_eq!(offset_of!(Context, error), at(libc::REG_ERR));
        assert_eq!(offset_of!(Context, vector), at(libc::REG_TRAPNO));
        assert_eq!(offset_of!(Context, old_mask), at(libc::REG_OLDMASK));
        assert_eq!(offset_of!(Context, cr2), at(REG_CR2));
        assert_eq!(offset_of!(Context, fpstate), offset_of!(mcontext_t, fpregs));
        use libc::ucontext_t;
        let same = [
            (
                offset_of!(UserContext, stack),
                offset_of!(ucontext_t, uc_stack),
            ),
            (
                offset_of!(UserContext, context),
                offset_of!(ucontext_t, uc_mcontext),
            ),
            (
                offset_of!(UserContext, mask),
                offset_of!(ucontext_t, uc_sigmask),
            ),
        ];
        assert!(same.iter().all(|(ours, theirs)| ours == theirs), "{same:?}");
    }

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

    #[test]
    fn addresses_and_flags_are_checked() {
        assert!(is_canonical(0) && is_canonical(0x7fff_ffff_ffff) && is_canonical(!0));
        assert!(!is_canonical(0x8000_0000_0000) && !is_canonical(1 << 63));
        // IOPL, IF, NT, VM, VIF, VIP, ID are not a program's to change.
        assert_eq!(
            FIX_FLAGS & (3 << 12 | 1 << 9 | 1 << 14 | 0xf << 17 & !AC),
            0
        );
    }
}
