//! The places where the application is about to go on: the end of a system call, and the return of
//! an interrupt.
//!
//! A call's end looks at [`CPU.work`](crate::cpu::Cpu::work), and only when there is some does the
//! entry build an [`Exit`] at the top of the kernel stack. An interrupt finds the application
//! anywhere. In its own code it is ready for a handler. Inside the library it is not, and a short
//! call looks at nothing when it ends; so it is led out with the trap flag, instruction by
//! instruction, some dozens in all.

use super::SIGSEGV;
use super::deliver::{Next, deliver, terminate};
use super::fpu::Xmm;
use super::{is_due, with};
use crate::control;
use crate::cpu::{CPU, work};
use crate::errno::Errno;
use crate::irq::Frame;
use crate::shim::KERNEL_STACK;
use crate::uaccess::{Pod, UserPtr};
use crate::{fault, lower, sched};
use core::mem::{offset_of, size_of};
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;

/// What the entry of a system call and its cold way out leave at the top of the kernel stack.
#[repr(C, align(16))]
pub struct Exit {
    /// Where the application goes on.
    frame: Frame,
    /// Not 0: that is the start of a handler.
    handler: u64,
    /// The call's number.
    number: u64,
    /// The `rbp` field of the entry's [`Caller`], on the caller's stack.
    caller: u64,
    xmm: Xmm,
}

/// The same for the entry, which builds it.
pub(crate) const EXIT: usize = size_of::<Exit>();

const _: () = {
    assert!(EXIT == 464 && offset_of!(Exit, number) == EXIT - 272);
    assert!(offset_of!(Exit, handler) == EXIT - 280);
    assert!(offset_of!(Exit, caller) == EXIT - 264 && offset_of!(Exit, xmm) == EXIT - 256);
};

/// What `lintel_shim_lowered` pushes onto the caller's stack, and what its callers pushed before.
#[repr(C)]
#[derive(Clone, Copy)]
struct Caller {
    flags: u64,
    r9: u64,
    r8: u64,
    r10: u64,
    rdx: u64,
    rsi: u64,
    rdi: u64,
    rbp: u64,
    /// Into a trampoline, or into one of the other two entries; then their words follow.
    back: u64,
    above: [u64; 2],
}

// SAFETY: a repr(C) struct of integers without padding.
unsafe impl Pod for Caller {}

/// Where a call was made: the address behind the `syscall`, stack pointer, flags.
struct Origin {
    rip: u64,
    rsp: u64,
    flags: u64,
}

unsafe extern "C" {
    // Places in the entries, not functions to call.
    fn lintel_shim_kept();
    fn lintel_shim_back();
    fn lintel_shim_done();
    fn lintel_shim_checked();
    fn lintel_shim_checked_end();
    fn lintel_shim_flags();
    fn lintel_switch_on();
    fn lintel_switch_done();
    fn lintel_switch_checked();
    fn lintel_switch_checked_end();
    fn lintel_switch_flags();
    fn lintel_exit_again();
    fn lintel_exit_leave();
    fn lintel_exit_end();
}

fn at(place: unsafe extern "C" fn()) -> u64 {
    place as usize as u64
}

impl Caller {
    /// Where it is when its `rbp` field is at `address`.
    fn at(address: u64) -> *const Self {
        (address - offset_of!(Self, rbp) as u64) as *const Self
    }

    fn origin(&self, address: u64) -> Origin {
        const RED_ZONE: u64 = 128;
        let above = address + offset_of!(Caller, above) as u64 + RED_ZONE;
        let direction = self.flags & 1 << 10;
        if self.back == at(lintel_shim_back) {
            let [flags, rip] = self.above;
            let (rip, _) = lower::original_state(rip as usize, 0).unwrap_or((rip as usize, 0));
            return Origin {
                rip: rip as u64,
                rsp: above + 16,
                flags,
            };
        }
        let (back, rsp, flags) = if self.back == at(lintel_shim_kept) {
            // LAHF and SETO: SF ZF AF PF CF in the second byte, OF in the first.
            let kept = self.above[0];
            let status = kept >> 8 & 0xd5 | (kept & 1) << 11;
            (self.above[1], above + 16, status | 0x202 | direction)
        } else {
            (self.back, above, self.flags & !0x100)
        };
        let rip = lower::behind(back as usize).unwrap_or(back as usize) as u64;
        Origin { rip, rsp, flags }
    }
}

/// The stack pointer of who makes the present call.
pub fn caller_sp() -> usize {
    let top = CPU.kernel_stack.load(Relaxed);
    if top == 0 {
        return 0;
    }
    let exit = (top - EXIT) as *const Exit;
    // SAFETY: the entry has stored where its frame is; it is there until the call ends.
    unsafe {
        let caller = Caller::at((*exit).caller);
        (*caller).origin(caller as u64).rsp as usize
    }
}

impl Exit {
    /// Completes the frame, in which the entry has pushed the registers that handlers preserve, and
    /// the result. `EFAULT`: the caller's stack has gone meanwhile, and with it where the call was made.
    fn complete(&mut self) -> Result<(), Errno> {
        let at = Caller::at(self.caller);
        let caller = UserPtr::<Caller>::new(at as usize).read()?;
        let origin = caller.origin(at as u64);
        let frame = &mut self.frame;
        (frame.rdi, frame.rsi, frame.rdx) = (caller.rdi, caller.rsi, caller.rdx);
        (frame.r10, frame.r8, frame.r9) = (caller.r10, caller.r8, caller.r9);
        frame.rbp = caller.rbp;
        (frame.rip, frame.rsp, frame.rflags) = (origin.rip, origin.rsp, origin.flags);
        (frame.rcx, frame.r11) = (origin.rip, origin.flags);
        (frame.cs, frame.ss) = segments();
        Ok(())
    }
}

/// Our code and data segment.
fn segments() -> (u64, u64) {
    let (cs, ss): (u64, u64);
    // SAFETY: reads two registers.
    unsafe {
        core::arch::asm!("mov {0:e}, cs", "mov {1:e}, ss", out(reg) cs, out(reg) ss, options(nomem, nostack));
    }
    (cs, ss)
}

/// The end of a call that has work to do. Whether the application goes on elsewhere, as the frame
/// says.
pub(crate) extern "C" fn on_exit(exit: &mut Exit) -> bool {
    if CPU.work.load(Relaxed) & work::RESCHEDULE != 0 {
        sched::yield_now();
    }
    if !is_due() {
        return false;
    }
    let gone = exit.complete().is_err();
    if gone {
        let (number, stack) = (exit.number, exit.caller);
        control!("lintel: system call {number} was made on a stack that is gone: {stack:#x}");
        // A signal that ends the program has its way, and a handler may have a stack of its own.
        // SAFETY: a frame is integers.
        exit.frame = unsafe { core::mem::zeroed() };
        (exit.frame.cs, exit.frame.ss) = segments();
    }
    // SAFETY: the entry loads both when we say that they changed.
    let next = unsafe { deliver(&mut exit.frame, &raw mut exit.xmm, Some(exit.number)) };
    exit.handler = u64::from(next == Next::Handler);
    if gone && next != Next::Handler {
        terminate(SIGSEGV);
    }
    if next == Next::Elsewhere {
        lead_on(&mut exit.frame);
    }
    next != Next::Same
}

/// The same once more, before the frame is put into effect.
pub(crate) extern "C" fn on_exit_again(exit: &mut Exit) {
    if is_due() {
        // SAFETY: the entry loads both.
        let next = unsafe { deliver(&mut exit.frame, &raw mut exit.xmm, None) };
        if next != Next::Same {
            exit.handler = u64::from(next == Next::Handler);
            lead_on(&mut exit.frame);
        }
    }
}

/// At the inner boundary of a lowered site the text is no longer what it was: on with the copy.
fn lead_on(frame: &mut Frame) {
    if let Some(moved) = lower::moved(frame.rip as usize) {
        frame.rip = moved as u64;
    }
}

/// Where an interrupt found the application.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// In its own code.
    Own,
    /// In a system call that will look before it ends.
    Call,
    /// At the end of one that has looked already, on the kernel stack; it looks again from there.
    Checked(u64),
    /// Leaving by a frame.
    Leaving,
    /// In the library, on the application's stack.
    Short,
}

fn place(frame: &Frame) -> Place {
    let within = |range: Range<u64>| range.contains(&frame.rip);
    if within(at(lintel_exit_leave)..at(lintel_exit_end)) {
        Place::Leaving
    } else if within(at(lintel_shim_checked)..at(lintel_shim_checked_end)) {
        Place::Checked(at(lintel_shim_done))
    } else if within(at(lintel_switch_checked)..at(lintel_switch_checked_end)) {
        Place::Checked(at(lintel_switch_done))
    } else if on_kernel_stack(frame.rsp) {
        Place::Call
    } else if fault::in_library(frame.rip as usize) || lower::is_trampoline(frame.rip as usize) {
        Place::Short
    } else {
        Place::Own
    }
}

/// Whether `rsp` is in the running thread's kernel stack.
fn on_kernel_stack(rsp: u64) -> bool {
    let top = CPU.kernel_stack.load(Relaxed) as u64;
    top.wrapping_sub(rsp) <= KERNEL_STACK as u64
}

/// An interrupt returns to the application, and there is a signal to take. `xmm` is in the FXSAVE
/// area of its entry.
///
/// # Safety
/// `frame` is the upcall's, below which it has its FXSAVE area.
#[cold]
pub unsafe fn after_interrupt(frame: &mut Frame) {
    match place(frame) {
        // SAFETY: the caller's.
        Place::Own => unsafe { deliver_above(frame) },
        Place::Call => {}
        Place::Checked(look) => frame.rip = look,
        Place::Leaving => {
            frame.rip = at(lintel_exit_again);
            frame.rsp = (CPU.kernel_stack.load(Relaxed) - EXIT) as u64;
        }
        // SAFETY: the caller's.
        Place::Short => unsafe { lead_out(frame) },
    }
}

/// The trap flag.
const TRAP: u64 = 1 << 8;

/// A fast call leaves the kernel stack, and there is a signal to take: the thread goes on in steps, with
/// these flags.
pub(crate) extern "C" fn step_out(flags: &mut u64) {
    if *flags & TRAP == 0 {
        *flags |= TRAP;
        with(|_, thread| thread.stepping = true);
    }
}

/// Delivers to the application's own code, from an upcall.
///
/// # Safety
/// `frame` is the upcall's, below which it has its FXSAVE area.
pub(super) unsafe fn deliver_above(frame: &mut Frame) {
    let area = (&raw mut *frame)
        .cast::<u8>()
        .wrapping_sub(crate::irq::FX_AREA);
    let xmm = area.wrapping_add(160).cast();
    // SAFETY: the area is there (the caller's), and what changed is put into effect: the frame by the
    // upcall's return, and the registers by saving them where that loads them from.
    unsafe {
        if deliver(frame, xmm, None) != Next::Same {
            lead_on(frame);
            core::arch::asm!(
                ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
                "movaps xmm\\n, [{xmm} + \\n*16]",
                ".endr",
                "fxsave64 [{area}]",
                xmm = in(reg) xmm,
                area = in(reg) area,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            );
        }
    }
}

/// From the library to the application's code: at once where an instruction of a trampoline has an
/// equivalent in the original text, else one instruction further.
///
/// # Safety
/// As for [`deliver_above`].
unsafe fn lead_out(frame: &mut Frame) {
    let original = lower::original_state(frame.rip as usize, frame.rsp as usize);
    if let Some((rip, rsp)) = original {
        frame.rflags &= !with(|_, thread| core::mem::take(&mut thread.stepping) as u64 * TRAP);
        (frame.rip, frame.rsp) = (rip as u64, rsp as u64);
        // SAFETY: the caller's.
        unsafe { deliver_above(frame) };
        return lead_on(frame);
    }
    if frame.rflags & TRAP == 0 {
        frame.rflags |= TRAP;
        with(|_, thread| thread.stepping = true);
    }
    if [at(lintel_shim_flags), at(lintel_switch_flags)].contains(&frame.rip) {
        // POPF is next, which loads the caller's flags: with the trap flag.
        // SAFETY: the entries pushed them there, onto the caller's stack.
        unsafe { *(frame.rsp as *mut u64) |= TRAP };
    }
}

/// A debug exception: whether it was a step out of the library, or the application's own trap flag
/// in it, of which it sees nothing.
///
/// # Safety
/// As for [`after_interrupt`].
pub unsafe fn stepped(frame: &mut Frame) -> bool {
    let stepping = with(|_, thread| thread.stepping);
    match place(frame) {
        Place::Own if !stepping => return false,
        Place::Short if !stepping => return true,
        // SAFETY: the caller's.
        Place::Short => unsafe { lead_out(frame) },
        place if stepping => {
            frame.rflags &= !TRAP;
            with(|_, thread| thread.stepping = false);
            if frame.rip == at(lintel_switch_on) {
                // SAFETY: that entry has just pushed the flags there, with the trap flag.
                unsafe { *((frame.rbp + 8) as *mut u64) &= !TRAP };
            }
            if place == Place::Own {
                // SAFETY: the caller's.
                unsafe { deliver_above(frame) };
            }
        }
        _ => {}
    }
    true
}
