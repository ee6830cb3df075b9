//! Upcalls: how the monitor hands an interrupt or an exception to ring 3.
//!
//! The monitor pushes eight words onto the upcall's own stack (never the application's: it may be
//! tiny and has a red zone) and resumes ring 3 at one of the two entries below with all other
//! registers as they were. The entry completes the [`Frame`], calls Rust, and returns through one
//! common sequence whose last instructions, from `lintel_restart` on, are *restartable*: an
//! interrupt that arrives there would find its stack still in use, so the monitor closes the flag
//! again, marks the vector pending and moves RIP back to the start of the region.

use crate::cpu::{CPU, FIRST_IRQ_VECTOR, work};
use crate::platform::{Interrupt, platform};
use crate::{console, events, fault, lower, profile, sched, signal, time};
use core::arch::global_asm;
use core::mem::{offset_of, size_of};
use core::sync::atomic::Ordering::Relaxed;

/// The interrupted context, as the entries build it (lowest address first).
#[repr(C)]
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are the registers of their names")]
pub struct Frame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    /// Soft interrupt flag to restore on return.
    pub resume: u64,
    /// Vector number.
    pub vector: u64,
    /// Error code of an exception, else 0.
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// Bytes of the FXSAVE area that the entries have below a [`Frame`], with what aligns it.
pub const FX_AREA: usize = 520;

/// Where the XMM registers are in it (SDM vol. 1, 10.5.1).
pub const FX_XMM: usize = 160;

const _: () = {
    assert!(offset_of!(Frame, resume) == 15 * 8 && size_of::<Frame>() == 23 * 8);
};

// XMM0-15 are enough here: upcall code is compiled for baseline x86-64, whose instructions leave x87
// and the upper halves of the YMM and ZMM registers alone. They lie where FXSAVE puts them, and for
// exceptions it does, because the reason for some is in its other fields. FXRSTOR is not used: from
// it on x87 counts as in use, and each switch of threads would save it.
global_asm!(
    ".macro LINTEL_UPCALL handler, return, save=LINTEL_UPCALL_XMM",
    "    push rax",
    "    push rbx",
    "    push rcx",
    "    push rdx",
    "    push rsi",
    "    push rdi",
    "    push rbp",
    "    push r8",
    "    push r9",
    "    push r10",
    "    push r11",
    "    push r12",
    "    push r13",
    "    push r14",
    "    push r15",
    "    sub rsp, {fx_area}",
    "    \\save",
    "    cld",
    "    lea rdi, [rsp + {fx_area}]",
    "    call \\handler",
    "    jmp \\return",
    ".endm",
    ".macro LINTEL_UPCALL_XMM",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "    movaps [rsp + {xmm} + \\n*16], xmm\\n",
    ".endr",
    ".endm",
    ".macro LINTEL_UPCALL_ALL",
    "    fxsave64 [rsp]",
    ".endm",
    ".pushsection .text.lintel_upcall,\"ax\",@progbits",
    ".balign 16",
    ".globl lintel_upcall_interrupt, lintel_upcall_exception, lintel_restart, lintel_restart_end",
    ".globl lintel_upcall_return",
    ".hidden lintel_upcall_return",
    "lintel_upcall_interrupt:",
    "    LINTEL_UPCALL {interrupt}, lintel_interrupt_return",
    "lintel_upcall_exception:",
    "    LINTEL_UPCALL {exception}, lintel_upcall_return, LINTEL_UPCALL_ALL",
    // rax = 0, or the place of the frame on the kernel stack of the interrupted thread, which
    // gives the CPU away there.
    "lintel_interrupt_return:",
    "    test rax, rax",
    "    jz lintel_upcall_return",
    "    mov rsp, rax",
    "    lea rdi, [rsp + {fx_area}]",
    "    call {preempted}",
    "lintel_upcall_return:",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "    movaps xmm\\n, [rsp + {xmm} + \\n*16]",
    ".endr",
    "    add rsp, {fx_area}",
    "    pop r15",
    "    pop r14",
    "    pop r13",
    "    pop r12",
    "    pop r11",
    "    pop r10",
    "    pop r9",
    "    pop r8",
    "    pop rbp",
    "    pop rdi",
    "    pop rsi",
    "    pop rdx",
    "    pop rcx",
    "    pop rbx",
    "    pop rax",
    "    lea rsp, [rsp + 24]",
    "lintel_restart:",
    "    cmp qword ptr [rsp - 24], 0",
    "    je 1f",
    "    cmp qword ptr [rip + lintel_cpu + {pending}], 0",
    "    jne 2f",
    "    mov qword ptr [rip + lintel_cpu + {soft_if}], 1",
    "1:  iretq",
    "lintel_restart_end:",
    "2:  lea rsp, [rsp - 24]",
    "    LINTEL_UPCALL {drain}, lintel_interrupt_return",
    ".popsection",
    fx_area = const FX_AREA,
    xmm = const FX_XMM,
    interrupt = sym on_interrupt,
    preempted = sym on_preempted,
    exception = sym crate::fault::on_exception,
    drain = sym drain_closed,
    pending = const offset_of!(crate::cpu::Cpu, pending),
    soft_if = const offset_of!(crate::cpu::Cpu, soft_if),
);

extern "C" fn on_interrupt(frame: &mut Frame) -> usize {
    profile::interrupted(frame.rip as usize);
    handle(frame.vector as u8);
    before_return(frame)
}

/// What must be done before the interrupted code goes on. The library's goes on at once: the end of
/// its system call will look ([`Cpu::work`](crate::cpu::Cpu::work)). The result is 0, or where the
/// frame has gone for the thread to give the CPU away.
fn before_return(frame: &mut Frame) -> usize {
    let work = CPU.work.load(Relaxed);
    if work == 0 {
        return 0;
    }
    if work & work::RESCHEDULE != 0 && !fault::in_library(frame.rip as usize) {
        let start = core::ptr::from_mut(frame) as usize - FX_AREA;
        // SAFETY: application code was interrupted, also where a trampoline calls the library or
        // comes back: neither is on the kernel stack. The entry returns to the result.
        return unsafe { sched::retreat(start, FX_AREA + size_of::<Frame>()) };
    }
    take_signals(frame);
    0
}

fn take_signals(frame: &mut Frame) {
    if signal::is_due() {
        // SAFETY: the frame is that of an interrupt upcall, made by the entry above.
        unsafe { signal::after_interrupt(frame) };
    }
}

/// The rest of [`before_return`], on the kernel stack of the interrupted thread.
extern "C" fn on_preempted(frame: &mut Frame) {
    if sched::rseq::interrupt(frame).is_err() {
        signal::force_segv();
    }
    sched::yield_now();
    take_signals(frame);
}

/// Takes and handles all pending vectors with the flag closed (the return sequence's way).
extern "C" fn drain_closed(frame: &mut Frame) -> usize {
    profile::interrupted(frame.rip as usize);
    take_pending();
    before_return(frame)
}

/// Handles what has arrived; called with the flag closed.
pub(crate) fn take_pending() {
    let mut pending = CPU.pending.swap(0, Relaxed);
    while pending != 0 {
        let bit = pending.trailing_zeros();
        pending &= pending - 1;
        handle(FIRST_IRQ_VECTOR + bit as u8);
    }
}

/// Handles what arrived while the flag was closed; called with the flag open.
#[cold]
pub fn deliver_pending() {
    while CPU.pending.load(Relaxed) != 0 {
        CPU.soft_if.store(0, Relaxed);
        profile::interrupted(0);
        take_pending();
        CPU.soft_if.store(1, Relaxed);
    }
}

fn handle(vector: u8) {
    lower::give_up();
    let before = sched::handling();
    let _ = events::irq(vector, || {
        let source = platform().interrupt(vector);
        match source {
            Interrupt::Timer => profile::caused(profile::Cause::IrqTimer, || {
                time::on_timer();
            }),
            Interrupt::Tick => profile::caused(profile::Cause::IrqTick, || {
                time::on_tick();
            }),
            Interrupt::Console => profile::caused(profile::Cause::IrqConsole, || {
                console::on_input();
            }),
            Interrupt::Spurious => profile::caused(profile::Cause::IrqSpurious, || {}),
            Interrupt::Doorbell => profile::asked(),
        }
        source
    });
    sched::handled(before);
}
