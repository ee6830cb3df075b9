//! The two assembly doors.
//!
//! A *fast* call runs on the caller's stack, below its red zone, and touches no vector register;
//! a build check proves both (its call graph holds no XMM instruction and needs at most 512
//! bytes). A short cut is such a call that may decline: then the call is made again, as any other.
//! Every other call switches to the kernel stack and saves XMM0-15: the kernel is compiled
//! for baseline x86-64, whose instructions cannot change anything above them. When it ends it looks
//! whether there is work to do before the application goes on, [`Cpu::work`]: one comparison.

use super::dispatch::ENTRIES;
use super::row::LIMIT;
use super::table::FAST;
use crate::cpu::{CPU, Cpu, work};
use crate::signal;
use core::arch::global_asm;
use core::mem::offset_of;
use core::sync::atomic::Ordering::Relaxed;

global_asm!(
    ".macro LINTEL_XMM op, base",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "    .ifc \\op,save",
    "    movaps [rsp + \\base + \\n*16], xmm\\n",
    "    .else",
    "    movaps xmm\\n, [rsp + \\base + \\n*16]",
    "    .endif",
    ".endr",
    ".endm",
    ".pushsection .text.lintel_shim,\"ax\",@progbits",
    ".globl lintel_shim_lowered, lintel_shim_keeping_flags, lintel_shim_trapped",
    ".irp label,shim_kept,shim_back,shim_done,shim_checked,shim_checked_end,shim_flags,switch_on,switch_done,switch_checked,switch_checked_end,switch_flags,exit_again,exit_leave,exit_end",
    ".globl lintel_\\label",
    ".hidden lintel_\\label",
    ".endr",
    // As lintel_shim_lowered, with the status flags kept: for sites behind which nothing sets them
    // anew. LAHF and SETO into ax, because PUSHF/POPF would be ten times dearer; adding 127 to 1
    // overflows and to 0 does not.
    ".balign 64",
    "lintel_shim_keeping_flags:",
    "    mov r11, rax",
    "    lahf",
    "    seto al",
    "    push rax",
    "    mov rax, r11",
    "    call lintel_shim_lowered",
    "lintel_shim_kept:",
    "    mov rcx, rax",
    "    pop rax",
    "    add al, 127",
    "    sahf",
    "    mov rax, rcx",
    "    ret",
    // Called with the number in rax, the arguments in rdi rsi rdx r10 r8 r9, and rsp already below
    // the caller's red zone.
    ".balign 64",
    "lintel_shim_lowered:",
    "    cmp rax, {limit}",
    "    jae 8f",
    "    lea r11, [rip + {fast}]",
    "    mov r11, [r11 + rax*8]",
    "    test r11, r11",
    "    je 8f",
    "    push rdi",
    "    push rsi",
    "    push rdx",
    "    push r10",
    "    push r8",
    "    push r9",
    "    mov rcx, r10",
    "    call r11",
    "    pop r9",
    "    pop r8",
    "    pop r10",
    "    pop rdx",
    "    pop rsi",
    "    pop rdi",
    "    cmp rax, -4096",
    "    jl 4f",
    "    ret",
    // Declined: the number is in the low bits.
    "4:  and eax, {numbers}",
    "lintel_shim_full:",
    "8:  push rbp",
    "    mov rbp, rsp",
    "    push rdi",
    "    push rsi",
    "    push rdx",
    "    push r10",
    "    push r8",
    "    push r9",
    // String instructions need DF clear; Linux gives it back as it was. (Fast handlers have none.)
    "    pushfq",
    "    cld",
    "    mov rsp, [rip + lintel_cpu + {kernel_stack}]",
    "    sub rsp, 272",
    "    LINTEL_XMM save, 16",
    // The number is the seventh argument; both words are for the cold way out.
    "    mov [rsp], rax",
    "    mov [rsp + 8], rbp",
    "    mov rcx, r10",
    "    cmp rax, {limit}",
    "    jae 9f",
    "    lea r11, [rip + {entries}]",
    "    call [r11 + rax*8]",
    "lintel_shim_done:",
    "7:  cmp qword ptr [rip + lintel_cpu + {work}], 0",
    "    jne 3f",
    // From here on a signal is not seen any more; an interrupt that brings one goes back.
    "lintel_shim_checked:",
    "    LINTEL_XMM load, 16",
    "    lea rsp, [rbp - 48]",
    "lintel_shim_checked_end:",
    // The caller's stack may be gone meanwhile: on that stack the fault is the caller's.
    "    test dword ptr [rsp - 8], 0x400",
    "    jnz 6f",
    "5:  pop r9",
    "    pop r8",
    "    pop r10",
    "    pop rdx",
    "    pop rsi",
    "    pop rdi",
    "    pop rbp",
    "    ret",
    "6:  std",
    "    jmp 5b",
    "9:  call {unknown}",
    "    jmp 7b",
    // The cold way out: a `signal::Exit` is completed below what is there, and the application goes
    // on where the call was made, or where the frame in it says. DF is clear.
    "3:  sub rsp, 72",
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
    "    mov rdi, rsp",
    "    call {on_exit}",
    "    test al, al",
    "    jnz lintel_exit_leave",
    "    mov rax, [rsp + 112]",
    "    add rsp, {exit} - 272",
    "    jmp 7b",
    "lintel_exit_again:",
    "    mov rdi, rsp",
    "    call {on_exit_again}",
    // The start of a handler is jumped to, which costs a tenth of IRETQ: no register but those that
    // it is given matters there, and no flag but DF.
    "lintel_exit_leave:",
    "    cmp qword ptr [rsp + {exit} - 280], 0",
    "    LINTEL_XMM load, {exit} - 256",
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
    "    jne 2f",
    "    iretq",
    "2:  mov rcx, [rsp]",
    "    mov rsp, [rsp + 24]",
    "    jmp rcx",
    "lintel_exit_end:",
    // Reached in ring 3 from LSTAR: rcx = address behind the `syscall`, rsp = the caller's. The
    // site is offered for lowering first, with every register saved; what follows it may then be
    // elsewhere.
    ".balign 16",
    "lintel_shim_trapped:",
    "    lea rsp, [rsp - 128]",
    "    push rcx",
    // The caller's flags are those that LSTAR kept: arriving here some are masked.
    "    push qword ptr [rip + lintel_cpu + {flags}]",
    "    cld",
    "    push rbp",
    "    mov rbp, rsp",
    "    push rax",
    "    push rdi",
    "    push rsi",
    "    push rdx",
    "    push r10",
    "    push r8",
    "    push r9",
    "    mov rsp, [rip + lintel_cpu + {kernel_stack}]",
    "    sub rsp, 256",
    "    LINTEL_XMM save, 0",
    "    mov rdi, rcx",
    "    mov rsi, rax",
    "    call {on_trap}",
    "    mov [rbp + 16], rax",
    "    LINTEL_XMM load, 0",
    "    lea rsp, [rbp - 56]",
    "    pop r9",
    "    pop r8",
    "    pop r10",
    "    pop rdx",
    "    pop rsi",
    "    pop rdi",
    "    pop rax",
    "    pop rbp",
    // A pagetable KVM lets interrupts in where SYSCALL arrives, and hardly anywhere else while a
    // program makes such calls. So they look for work even where the call is a fast one: then it is
    // made as any other, which looks when it ends.
    "    cmp qword ptr [rip + lintel_cpu + {work}], 0",
    "    jne 3f",
    "    call lintel_shim_lowered",
    "lintel_shim_back:",
    "lintel_shim_flags:",
    "    popfq",
    "    ret 128",
    "3:  lea r11, [rip + lintel_shim_back]",
    "    push r11",
    "    jmp lintel_shim_full",
    // rdi = function of the C ABI: called on the kernel stack, every vector register kept. A signal
    // that comes meanwhile is delivered where the application goes on, a few steps from here.
    ".balign 16",
    "lintel_shim_switch:",
    "    pushfq",
    "    cld",
    "    push rbp",
    "    mov rbp, rsp",
    "    mov rsp, [rip + lintel_cpu + {kernel_stack}]",
    "lintel_switch_on:",
    "    sub rsp, 256",
    "    LINTEL_XMM save, 0",
    "    call rdi",
    "lintel_switch_done:",
    "    test dword ptr [rip + lintel_cpu + {work}], {signal}",
    "    jnz 3f",
    "lintel_switch_checked:",
    "2:  LINTEL_XMM load, 0",
    "    mov rsp, rbp",
    "lintel_switch_checked_end:",
    "    pop rbp",
    "lintel_switch_flags:",
    "    popfq",
    "    ret",
    "3:  lea rdi, [rbp + 8]",
    "    call {step_out}",
    "    jmp 2b",
    ".popsection",
    limit = const LIMIT,
    fast = sym FAST,
    numbers = const LIMIT - 1,
    entries = sym ENTRIES,
    kernel_stack = const offset_of!(Cpu, kernel_stack),
    flags = const offset_of!(Cpu, flags),
    work = const offset_of!(Cpu, work),
    signal = const work::SIGNAL,
    exit = const signal::EXIT,
    on_exit = sym signal::on_exit,
    on_exit_again = sym signal::on_exit_again,
    step_out = sym signal::step_out,
    unknown = sym super::dispatch::unknown,
    on_trap = sym crate::lower::on_trap,
);

const _: () = assert!(
    LIMIT.is_power_of_two(),
    "the number of a call is some low bits"
);

unsafe extern "C" {
    fn lintel_shim_switch(run: extern "C" fn());
}

/// Size of the kernel stack in bytes.
pub const KERNEL_STACK: usize = 32 << 10;

/// Runs `run` on the kernel stack with every vector register kept, from a fast handler; from code
/// that is on that stack already (or in a process that has none) it is an ordinary call.
pub fn on_kernel_stack(run: extern "C" fn()) {
    let here = 0u8;
    let top = CPU.kernel_stack.load(Relaxed);
    let depth = top.wrapping_sub(core::ptr::from_ref(&here) as usize);
    if top == 0 || depth <= KERNEL_STACK {
        run();
    } else {
        // SAFETY: the kernel stack is unused: fast handlers run on the caller's stack, and nothing
        // that sleeps has a frame on it while another call is made.
        unsafe { lintel_shim_switch(run) };
    }
}
