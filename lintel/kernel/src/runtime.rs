//! What a program without `std` must define once.

use core::arch::{asm, global_asm};
use core::panic::PanicInfo;
use unikernel::mm::heap::Heap;
use unikernel::{process, report};

#[global_allocator]
static HEAP: Heap = Heap::new();

/// Prints where and why, and ends the VM.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let rsp: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) rsp, options(nomem, nostack)) };
    if unikernel::platform::registered() {
        report::panicked(info, rsp);
        process::exit(process::PANIC_CODE)
    }
    // A `no_std` program in its native life.
    unikernel::sys::write(2, b"panicked\n");
    unikernel::sys::exit(101)
}

// `core` is compiled with unwind tables that name these; nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    panic!("unwinding in the kernel")
}

// The C ABI's memory functions, which the compiler calls (the `mem` feature of compiler_builtins
// is off for a target that has a libc). String instructions: microcoded, and as fast as anything
// for the sizes that matter, without a vector register. Short blocks go by eight bytes first,
// because a `rep` takes about 30 cycles to start.
global_asm!(
    ".pushsection .text.lintel_mem,\"ax\",@progbits",
    ".globl memcpy, memmove, memset, memcmp, bcmp, strlen",
    ".balign 16",
    "memmove:",
    "    mov rax, rdi",
    "    sub rax, rsi",
    "    cmp rax, rdx",
    "    jae memcpy",
    // Overlapping with the destination above: from the end down.
    "    mov rax, rdi",
    "    mov rcx, rdx",
    "    lea rsi, [rsi + rdx - 1]",
    "    lea rdi, [rdi + rdx - 1]",
    "    std",
    "    rep movsb",
    "    cld",
    "    ret",
    ".balign 16",
    "memcpy:",
    "    mov rax, rdi",
    "    cmp rdx, 128",
    "    ja 3f",
    "8:  cmp rdx, 8",
    "    jb 2f",
    "    mov rcx, [rsi]",
    "    mov [rdi], rcx",
    "    add rsi, 8",
    "    add rdi, 8",
    "    sub rdx, 8",
    "    jmp 8b",
    "2:  test rdx, rdx",
    "    jz 4f",
    "    movzx ecx, byte ptr [rsi]",
    "    mov [rdi], cl",
    "    inc rsi",
    "    inc rdi",
    "    dec rdx",
    "    jmp 2b",
    "3:  mov rcx, rdx",
    "    rep movsb",
    "4:  ret",
    ".balign 16",
    "memset:",
    "    mov r8, rdi",
    "    movzx eax, sil",
    "    mov rcx, 0x0101010101010101",
    "    imul rax, rcx",
    "    mov rcx, rdx",
    "    shr rcx, 3",
    "    rep stosq",
    "    mov ecx, edx",
    "    and ecx, 7",
    "    rep stosb",
    "    mov rax, r8",
    "    ret",
    ".balign 16",
    "bcmp:",
    "memcmp:",
    "    xor ecx, ecx",
    "5:  cmp rcx, rdx",
    "    jae 6f",
    "    movzx eax, byte ptr [rdi + rcx]",
    "    movzx r8d, byte ptr [rsi + rcx]",
    "    inc rcx",
    "    sub eax, r8d",
    "    jz 5b",
    "    ret",
    "6:  xor eax, eax",
    "    ret",
    ".balign 16",
    "strlen:",
    "    mov rax, rdi",
    "7:  cmp byte ptr [rax], 0",
    "    je 8f",
    "    inc rax",
    "    jmp 7b",
    "8:  sub rax, rdi",
    "    ret",
    ".popsection",
);
