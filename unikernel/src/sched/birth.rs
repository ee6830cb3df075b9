//! How a thread begins: as a copy of the one that makes it, at the same place of its program.
//!
//! A new thread looks as if it had been preempted: its kernel stack holds the frame of an interrupt
//! upcall with the registers of the caller of clone(2), and the switch to it ends in the return of
//! such an upcall. The registers that the C ABI keeps are still the caller's when the shim calls the
//! handler of clone(2), so its entries in the table keep them; the others are where the shim
//! pushed them.

use super::thread::{State, Thread};
use super::{current, fpu, run, stack, table};
use crate::cpu::{CPU, without_interrupts};
use crate::errno::Errno;
use crate::irq::{FX_AREA, FX_XMM, Frame};
use crate::signal;
use core::arch::asm;
use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// rbx, rbp, r12 to r15 when the shim called a handler of clone(2); rbp, the shim's frame pointer,
/// is 0 when nobody did.
pub static KEPT: [AtomicU64; 6] = [const { AtomicU64::new(0) }; 6];

/// What `lintel_shim_lowered` pushes onto the caller's stack, and what its callers pushed before.
#[repr(C)]
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

unsafe extern "C" {
    // Places in the entries, not functions to call.
    fn lintel_shim_kept();
    fn lintel_shim_back();
    fn lintel_upcall_return();
}

/// Bytes that a trampoline steps over before it calls the shim, and back.
const RED_ZONE: u64 = 128;

/// The frame of an interrupt upcall, as it lies on a kernel stack.
#[repr(C, align(16))]
struct Upcall {
    fx: [u8; FX_AREA],
    frame: Frame,
}

/// Bytes that the return of an upcall takes from a stack.
pub const UPCALL: usize = size_of::<Upcall>();
const _: () = assert!(UPCALL == FX_AREA + size_of::<Frame>() && UPCALL.is_multiple_of(16));

/// What clone(2) may set for the new thread.
#[derive(Debug, Default)]
pub struct Wish {
    /// Its stack pointer, 0 for the caller's.
    pub stack: usize,
    /// Its FS base, if not the caller's.
    pub tls: Option<usize>,
    /// The word to clear when it ends, or 0.
    pub clear_tid: usize,
}

/// Makes a thread that goes on where the running one called clone(2), with 0 for a result. `announce`
/// is called with it before it can run. `EAGAIN` without memory, `ENOSYS` through the direct door.
pub fn clone(
    wish: &Wish,
    announce: impl FnOnce(&'static Thread),
) -> Result<&'static Thread, Errno> {
    let kept = KEPT.each_ref().map(|register| register.swap(0, Relaxed));
    if kept[1] == 0 {
        return Err(Errno::ENOSYS);
    }
    let me = current();
    let thread = stack::make(table::new_id())?;
    // SAFETY: the shim's frame pointer was kept by this very call.
    let frame = unsafe { frame(&kept, wish.stack) };
    // SAFETY: the thread is new, so its stack is unused.
    unsafe { prepare(thread, frame) };
    thread.fs.store(wish.tls.unwrap_or_else(fs_base), Relaxed);
    thread.gs.store(gs_base(), Relaxed);
    thread.clear_tid.store(wish.clear_tid, Relaxed);
    thread.set_name(&me.name());
    thread.set_policy(me.policy().inherited());
    signal::inherit(&thread.signals);
    fpu::save(&thread.fpu);
    table::add(thread);
    announce(thread);
    without_interrupts(|| run::make_ready(thread));
    Ok(thread)
}

/// The caller's registers at its `syscall` instruction, with 0 in rax and another stack.
///
/// # Safety
/// `kept` is what the entry of a clone(2) that is being made kept.
unsafe fn frame(kept: &[u64; 6], stack: usize) -> Frame {
    let [rbx, at, r12, r13, r14, r15] = *kept;
    // SAFETY: the shim pushed all of it onto the caller's stack, which nobody else uses now.
    let caller = unsafe { &*((at - offset_of!(Caller, rbp) as u64) as *const Caller) };
    let above = at + offset_of!(Caller, above) as u64 - offset_of!(Caller, rbp) as u64;
    let place = |entry: unsafe extern "C" fn()| entry as usize as u64;
    // Where to go on, with which flags, and how far that is from the caller's stack pointer.
    let (rip, flags, rsp, below) = if caller.back == place(lintel_shim_back) {
        (caller.above[1], caller.above[0], above + 16 + RED_ZONE, 0)
    } else if caller.back == place(lintel_shim_kept) {
        // LAHF and SETO: SF ZF AF PF CF in the second byte, OF in the first.
        let status = caller.above[0] >> 8 & 0xd5 | (caller.above[0] & 1) << 11;
        let rest = caller.flags & !0x8d5;
        (caller.above[1], rest | status, above + 16, RED_ZONE)
    } else {
        (caller.back, caller.flags, above, RED_ZONE)
    };
    let rsp = match stack as u64 {
        0 => rsp,
        stack => stack.wrapping_sub(below),
    };
    Frame {
        r15,
        r14,
        r13,
        r12,
        r11: flags,
        r10: caller.r10,
        r9: caller.r9,
        r8: caller.r8,
        rbp: caller.rbp,
        rdi: caller.rdi,
        rsi: caller.rsi,
        rdx: caller.rdx,
        rcx: rip,
        rbx,
        rax: 0,
        resume: 1,
        vector: 0,
        error: 0,
        rip,
        cs: 0x2b,
        rflags: flags,
        rsp,
        ss: 0x23,
    }
}

/// Lays out the kernel stack of `thread` so that switching to it returns to `frame`, with the vector
/// registers of the running thread.
///
/// # Safety
/// Nothing is on that stack, and a system call with the entry's frame is being made.
unsafe fn prepare(thread: &Thread, frame: Frame) {
    const XMM_BYTES: usize = 16 * 16;
    let top = thread.stack.load(Relaxed);
    let upcall = (top - UPCALL) as *mut Upcall;
    let saved = (CPU.kernel_stack.load(Relaxed) - XMM_BYTES) as *const u8;
    // SAFETY: the stack is mapped and unused; the entry saved XMM0-15 at the top of the running
    // thread's kernel stack.
    unsafe {
        core::ptr::copy_nonoverlapping(saved, upcall.cast::<u8>().add(FX_XMM), XMM_BYTES);
        (&raw mut (*upcall).frame).write(frame);
        // What `lintel_switch` pops: six registers, and where it returns to.
        let words = (upcall as *mut usize).sub(7);
        words.write_bytes(0, 6);
        words
            .add(6)
            .write(lintel_upcall_return as *const () as usize);
        thread.sp.store(words as usize, Relaxed);
    }
    thread.set_state(State::Blocked);
}

fn fs_base() -> usize {
    let base;
    // SAFETY: reads a register.
    unsafe { asm!("rdfsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

fn gs_base() -> usize {
    let base;
    // SAFETY: reads a register.
    unsafe { asm!("rdgsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}
