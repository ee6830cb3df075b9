//! Windows: code that touches the application's memory with ordinary loads and stores.
//!
//! A frame is dozens of words, and copying each through [`uaccess`](crate::uaccess) would cost more
//! than all the rest. So a function is run in a window: when one of its accesses faults, the
//! exception upcall has it return at once, as longjmp(3) would.

use crate::irq::Frame;
use core::arch::global_asm;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

global_asm!(
    ".pushsection .text.lintel_window,\"ax\",@progbits",
    ".globl lintel_window_run, lintel_window_fault",
    ".hidden lintel_window_run, lintel_window_fault",
    // rdi = argument, rsi = function of the C ABI. 0, or 1 when it faulted.
    ".balign 16",
    "lintel_window_run:",
    "    push rbx",
    "    push rbp",
    "    push r12",
    "    push r13",
    "    push r14",
    "    push r15",
    "    sub rsp, 8",
    "    mov [rip + {window}], rsp",
    "    call rsi",
    "    xor eax, eax",
    "2:  mov qword ptr [rip + {window}], 0",
    "    add rsp, 8",
    "    pop r15",
    "    pop r14",
    "    pop r13",
    "    pop r12",
    "    pop rbp",
    "    pop rbx",
    "    ret",
    "lintel_window_fault:",
    "    mov eax, 1",
    "    jmp 2b",
    ".popsection",
    window = sym WINDOW,
);

/// Stack pointer of the window that is open, or 0.
static WINDOW: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    fn lintel_window_run(argument: *mut (), run: unsafe extern "C" fn(*mut ())) -> u32;
    // A place in the assembly, not a function to call.
    fn lintel_window_fault();
}

/// Runs `run` on `argument` in a window; whether it came to its end.
///
/// # Safety
/// `run` holds nothing that has a destructor, calls nothing that does, takes no lock, and gives the
/// CPU to nobody; what it accesses is `argument` and memory of the application
/// ([`access_ok`](crate::uaccess::access_ok)).
#[inline(always)]
pub unsafe fn run<T>(argument: &mut T, run: unsafe extern "C" fn(&mut T)) -> bool {
    // SAFETY: the same function with its argument's type forgotten; references and pointers are
    // passed alike.
    let run = unsafe {
        core::mem::transmute::<unsafe extern "C" fn(&mut T), unsafe extern "C" fn(*mut ())>(run)
    };
    // SAFETY: the caller's.
    unsafe { lintel_window_run((&raw mut *argument).cast(), run) == 0 }
}

/// A fault in the library: when a window is open, it ends there.
pub fn close(frame: &mut Frame) -> bool {
    let window = WINDOW.load(Relaxed);
    if window == 0 {
        return false;
    }
    frame.rip = lintel_window_fault as *const () as u64;
    frame.rsp = window as u64;
    true
}
