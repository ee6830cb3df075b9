//! The one page that the monitor, the upcall entries and the library share, and the soft
//! interrupt flag that lives in it.
//!
//! The monitor (ring 0) reads and writes [`Cpu`] by offset, so the layout is an ABI inside the
//! image; the assertions below hold it. "Disable interrupts" is a store to [`Cpu::soft_if`], never
//! `cli`: the monitor then marks the vector in [`Cpu::pending`] and returns to where it was.

use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Per-CPU state shared with the monitor. All fields are plain words.
#[repr(C)]
pub struct Cpu {
    /// 1: interrupts are forwarded as upcalls at once. 0: they are only marked pending.
    pub soft_if: AtomicU64,
    /// Bit `n`: vector `32 + n` arrived while `soft_if` was 0.
    pub pending: AtomicU64,
    /// Top of the stack on which interrupt upcalls run.
    pub irq_stack: AtomicUsize,
    /// Top of the stack on which exception upcalls run.
    pub fault_stack: AtomicUsize,
    /// Top of the stack on which system calls run that may not stay on the caller's.
    pub kernel_stack: AtomicUsize,
    /// Exceptions being handled; the monitor counts up, the return path counts down.
    pub fault_depth: AtomicU64,
    /// CR2 of the last page fault.
    pub cr2: AtomicUsize,
    /// The caller's flags at the last SYSCALL instruction, kept by the entry.
    pub flags: AtomicU64,
    /// What must be done before the application goes on: bits of [`work`], 0 nearly always.
    pub work: AtomicU64,
}

/// Bits of [`Cpu::work`].
pub mod work {
    /// Another thread should have the CPU.
    pub const RESCHEDULE: u64 = 1 << 0;
    /// The current thread has a signal to take.
    pub const SIGNAL: u64 = 1 << 1;
}

const _: () = {
    assert!(offset_of!(Cpu, soft_if) == 0 && offset_of!(Cpu, pending) == 8);
    assert!(offset_of!(Cpu, irq_stack) == 16 && offset_of!(Cpu, fault_stack) == 24);
    assert!(offset_of!(Cpu, kernel_stack) == 32 && offset_of!(Cpu, fault_depth) == 40);
    assert!(offset_of!(Cpu, cr2) == 48 && offset_of!(Cpu, work) == 64);
};

/// The only CPU there is so far.
#[unsafe(export_name = "lintel_cpu")]
pub static CPU: Cpu = Cpu {
    soft_if: AtomicU64::new(0),
    pending: AtomicU64::new(0),
    irq_stack: AtomicUsize::new(0),
    fault_stack: AtomicUsize::new(0),
    kernel_stack: AtomicUsize::new(0),
    fault_depth: AtomicU64::new(0),
    cr2: AtomicUsize::new(0),
    flags: AtomicU64::new(0),
    work: AtomicU64::new(0),
};

/// First interrupt vector; below it are the exceptions (Intel SDM vol. 3, 6.3.1).
pub const FIRST_IRQ_VECTOR: u8 = 32;

/// Closes the soft interrupt flag and returns what it was.
#[inline(always)]
pub fn soft_disable() -> bool {
    // Relaxed on purpose: the only other party is the monitor on this same CPU, which sees our
    // stores in program order. The compiler fence keeps the compiler to that order, too.
    let was = CPU.soft_if.load(Relaxed) != 0;
    CPU.soft_if.store(0, Relaxed);
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    was
}

/// Opens the soft interrupt flag if `was` says so, and delivers what arrived meanwhile.
#[inline(always)]
pub fn soft_restore(was: bool) {
    if !was {
        return;
    }
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    CPU.soft_if.store(1, Relaxed);
    // A vector marked before the store is seen here; one that arrives after it is an upcall.
    if CPU.pending.load(Relaxed) != 0 {
        crate::irq::deliver_pending();
    }
}

/// Runs `body` with the soft interrupt flag closed.
pub fn without_interrupts<R>(body: impl FnOnce() -> R) -> R {
    let was = soft_disable();
    let result = body();
    soft_restore(was);
    result
}
