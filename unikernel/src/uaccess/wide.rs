//! Copies of large blocks through the YMM registers.
//!
//! Whoever calls sees no vector register change: the routines give back what they use, so short
//! cuts may call them, too. The build check of the kernel object takes their word for it, by their
//! names, `lintel_ua_wide_*`; the tests here and `tests/contract` do not. AVX is chosen once, at
//! boot, if that can be done without a trace; see [`init`].

use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

static WIDE: AtomicBool = AtomicBool::new(false);

/// SSE and AVX state in XCR0 (SDM vol. 1, 13.3).
const SSE_AVX: u32 = 0b110;

/// CPUID.(EAX=0DH,ECX=1):EAX.2: XGETBV with ECX = 1 returns XINUSE.
const XINUSE: u32 = 1 << 2;

/// Decides whether to use AVX. `cpuid` is the instruction. It is used if XCR0 enables it, and if
/// the CPU tells which registers are in use: without knowing that, clean upper halves could not be
/// left clean, and dirty ones slow down all SSE code that runs later.
///
/// To be called on a CPU with XSAVE and CR4.OSXSAVE set, which the boot code sees to.
pub fn init(cpuid: impl Fn(u32, u32) -> [u32; 4]) {
    let xcr0: u32;
    // SAFETY: XGETBV exists where CR4.OSXSAVE is set; it reads XCR0 and touches nothing else.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") xcr0, out("edx") _, options(nomem, nostack));
    }
    let known = cpuid(0xd, 1)[0] & XINUSE != 0;
    WIDE.store(known && xcr0 & SSE_AVX == SSE_AVX, Relaxed);
}

/// Whether large blocks go through YMM registers.
#[inline(always)]
pub(super) fn is_wide() -> bool {
    WIDE.load(Relaxed)
}

global_asm!(
    ".macro LINTEL_UA_WIDE at",
    "    vmovdqu ymm0, [rsi + \\at]",
    "    vmovdqu ymm1, [rsi + \\at + 32]",
    "    vmovdqu [rdi + \\at], ymm0",
    "    vmovdqu [rdi + \\at + 32], ymm1",
    ".endm",
    ".pushsection .text.lintel_uaccess,\"ax\",@progbits",
    ".irp label,copy,copy_start,copy_end,copy_fault,zero,zero_start,zero_end,zero_fault",
    ".globl lintel_ua_wide_\\label",
    ".hidden lintel_ua_wide_\\label",
    ".endr",
    // As lintel_ua_copy, for more than 32 bytes, with two YMM registers, which it gives back as they
    // were: their lower halves alone if XINUSE says that the upper halves of all are in their
    // initial state (zero), and then VZEROUPPER keeps that state. If upper halves of ZMM registers
    // are in use, writing a YMM register would clear one.
    ".balign 64",
    "lintel_ua_wide_copy:",
    "    mov r10, rdx",
    "    mov ecx, 1",
    "    xgetbv",
    "    mov rcx, r10",
    "    test al, 0x40",
    "    jnz lintel_ua_copy_long",
    "    mov r8d, eax",
    "    sub rsp, 72",
    "    vmovdqu [rsp], ymm0",
    "    vmovdqu [rsp + 32], ymm1",
    "lintel_ua_wide_copy_start:",
    // Aligned stores: the first 32 bytes, then from the next multiple of 32 on.
    "    test dil, 31",
    "    jz 2f",
    "    vmovdqu ymm0, [rsi]",
    "    vmovdqu [rdi], ymm0",
    "    mov eax, edi",
    "    neg eax",
    "    and eax, 31",
    "    add rsi, rax",
    "    add rdi, rax",
    "    sub rcx, rax",
    "2:  cmp rcx, 1024",
    "    jb 4f",
    "3:",
    ".irp at,0,64,128,192,256,320,384,448,512,576,640,704,768,832,896,960",
    "    LINTEL_UA_WIDE \\at",
    ".endr",
    "    add rsi, 1024",
    "    add rdi, 1024",
    "    sub rcx, 1024",
    "    cmp rcx, 1024",
    "    jae 3b",
    "4:  cmp rcx, 128",
    "    jb 6f",
    "    LINTEL_UA_WIDE 0",
    "    LINTEL_UA_WIDE 64",
    "    add rsi, 128",
    "    add rdi, 128",
    "    sub rcx, 128",
    "    jmp 4b",
    "5:  vmovdqu ymm0, [rsi]",
    "    vmovdqu [rdi], ymm0",
    "    add rsi, 32",
    "    add rdi, 32",
    "    sub rcx, 32",
    "6:  cmp rcx, 32",
    "    jae 5b",
    // At most 31 bytes are left, and at least 33 were there.
    "7:  test ecx, ecx",
    "    jz lintel_ua_wide_copy_fault",
    "    vmovdqu ymm0, [rsi + rcx - 32]",
    "    vmovdqu [rdi + rcx - 32], ymm0",
    "lintel_ua_wide_copy_end:",
    "    xor ecx, ecx",
    "lintel_ua_wide_copy_fault:",
    "    test r8b, 4",
    "    jnz 8f",
    "    vzeroupper",
    "    movups xmm0, [rsp]",
    "    movups xmm1, [rsp + 32]",
    "    jmp 9f",
    "8:  vmovdqu ymm0, [rsp]",
    "    vmovdqu ymm1, [rsp + 32]",
    "9:  add rsp, 72",
    "    test rcx, rcx",
    "    jnz lintel_ua_bytes",
    "    xor eax, eax",
    "    ret",
    // As lintel_ua_zero, for at least 32 bytes, with a YMM register: see lintel_ua_wide_copy.
    ".balign 64",
    "lintel_ua_wide_zero:",
    "    mov ecx, 1",
    "    xgetbv",
    "    mov rcx, rsi",
    "    mov r8d, eax",
    "    xor eax, eax",
    "    test r8b, 0x40",
    "    jnz lintel_ua_zero_long",
    "    sub rsp, 40",
    "    vmovdqu [rsp], ymm0",
    "    vpxor xmm0, xmm0, xmm0",
    "lintel_ua_wide_zero_start:",
    "    test dil, 31",
    "    jz 2f",
    "    vmovdqu [rdi], ymm0",
    "    mov edx, edi",
    "    neg edx",
    "    and edx, 31",
    "    add rdi, rdx",
    "    sub rcx, rdx",
    "2:  cmp rcx, 256",
    "    jb 4f",
    "3:",
    ".irp at,0,32,64,96,128,160,192,224",
    "    vmovdqu [rdi + \\at], ymm0",
    ".endr",
    "    add rdi, 256",
    "    sub rcx, 256",
    "    cmp rcx, 256",
    "    jae 3b",
    "4:  cmp rcx, 32",
    "    jb 6f",
    "    vmovdqu [rdi], ymm0",
    "    add rdi, 32",
    "    sub rcx, 32",
    "    jmp 4b",
    "6:  test ecx, ecx",
    "    jz lintel_ua_wide_zero_fault",
    "    vmovdqu [rdi + rcx - 32], ymm0",
    "lintel_ua_wide_zero_end:",
    "    xor ecx, ecx",
    "lintel_ua_wide_zero_fault:",
    "    test r8b, 4",
    "    jnz 8f",
    "    vzeroupper",
    "    movups xmm0, [rsp]",
    "    jmp 9f",
    "8:  vmovdqu ymm0, [rsp]",
    "9:  add rsp, 40",
    "    test rcx, rcx",
    "    jnz lintel_ua_zero_bytes",
    "    ret",
    ".popsection",
);

unsafe extern "C" {
    /// As `lintel_ua_copy`, for more than 32 bytes.
    pub(super) fn lintel_ua_wide_copy(dst: usize, src: usize, len: usize) -> usize;
    /// As `lintel_ua_zero`, for more than 32 bytes.
    pub(super) fn lintel_ua_wide_zero(dst: usize, len: usize) -> usize;
}
