//! The copy routines, in assembly, and the choice among them.
//!
//! Every routine can fault at its loads and stores of user memory; [`super::fixup`] then sends it
//! to a landing pad. The rule that makes them exact: wherever one can fault, `rdi`, `rsi` and `rcx`
//! still say where the present block begins and how much is left, so the landing pad only has to
//! go on byte by byte until the byte that is really bad. What a block had copied already is copied
//! once more, to the same place.
//!
//! These here use general registers only; [`super::wide`] has those for large blocks. `rep movsb`
//! is left to the landing pads: on CPUs of AMD's family 19h, which announce fast string
//! instructions, a destination that is not a multiple of 16 makes it three to thirty times slower
//! than the loop below.

use super::wide::{is_wide, lintel_ua_wide_copy, lintel_ua_wide_zero};
use core::arch::global_asm;

/// More bytes than this go through vector registers, if there are wide ones: up to here asking
/// which are in use (XGETBV, up to 35 cycles) costs more than they save.
const WIDE_FROM: usize = 512;

global_asm!(
    // 32 bytes, `at` bytes behind rsi, to the same place behind rdi.
    ".macro LINTEL_UA_WORDS at",
    "    mov rax, [rsi + \\at]",
    "    mov rdx, [rsi + \\at + 8]",
    "    mov r8, [rsi + \\at + 16]",
    "    mov r9, [rsi + \\at + 24]",
    "    mov [rdi + \\at], rax",
    "    mov [rdi + \\at + 8], rdx",
    "    mov [rdi + \\at + 16], r8",
    "    mov [rdi + \\at + 24], r9",
    ".endm",
    ".pushsection .text.lintel_uaccess,\"ax\",@progbits",
    ".irp label,copy,copy_long,bytes,bytes_rep,bytes_end,zero,zero_long,zero_bytes,zero_end,str,str_end,str_fault",
    ".globl lintel_ua_\\label",
    ".hidden lintel_ua_\\label",
    ".endr",
    // rdi = destination, rsi = source, rdx = length; returns the bytes NOT copied. Up to 32 bytes:
    // two halves that may overlap, rdi, rsi and rcx untouched.
    ".balign 64",
    "lintel_ua_copy:",
    "    mov rcx, rdx",
    "    cmp rcx, 32",
    "    ja 5f",
    "    cmp ecx, 8",
    "    jb 2f",
    "    cmp ecx, 16",
    "    ja 4f",
    "    mov rax, [rsi]",
    "    mov rdx, [rsi + rcx - 8]",
    "    mov [rdi], rax",
    "    mov [rdi + rcx - 8], rdx",
    "    xor eax, eax",
    "    ret",
    "2:  cmp ecx, 4",
    "    jb 3f",
    "    mov eax, [rsi]",
    "    mov edx, [rsi + rcx - 4]",
    "    mov [rdi], eax",
    "    mov [rdi + rcx - 4], edx",
    "    xor eax, eax",
    "    ret",
    "3:  cmp ecx, 1",
    "    jb 9f",
    "    movzx eax, byte ptr [rsi]",
    "    je 8f",
    "    movzx edx, word ptr [rsi + rcx - 2]",
    "    mov [rdi + rcx - 2], dx",
    "8:  mov [rdi], al",
    "9:  xor eax, eax",
    "    ret",
    "4:  mov rax, [rsi]",
    "    mov rdx, [rsi + 8]",
    "    mov r8, [rsi + rcx - 16]",
    "    mov r9, [rsi + rcx - 8]",
    "    mov [rdi], rax",
    "    mov [rdi + 8], rdx",
    "    mov [rdi + rcx - 16], r8",
    "    mov [rdi + rcx - 8], r9",
    "    xor eax, eax",
    "    ret",
    // More than 32 bytes: blocks of 64 while more than that is left, and the last 32 from the end.
    ".balign 32",
    "5:",
    "lintel_ua_copy_long:",
    "    cmp rcx, 64",
    "    jbe 7f",
    "6:  LINTEL_UA_WORDS 0",
    "    LINTEL_UA_WORDS 32",
    "    add rsi, 64",
    "    add rdi, 64",
    "    sub rcx, 64",
    "    cmp rcx, 64",
    "    ja 6b",
    "7:  cmp rcx, 32",
    "    jbe 8f",
    "    LINTEL_UA_WORDS 0",
    "    add rsi, 32",
    "    add rdi, 32",
    "    sub rcx, 32",
    "8:  LINTEL_UA_WORDS rcx-32",
    "    xor eax, eax",
    "    ret",
    // A short cut may come here with the application's direction flag.
    "lintel_ua_bytes:",
    "    pushfq",
    "    cld",
    "lintel_ua_bytes_rep:",
    "    rep movsb",
    "lintel_ua_bytes_end:",
    "    popfq",
    "    mov rax, rcx",
    "    ret",
    // rdi = destination, rsi = length; returns the bytes not cleared.
    ".balign 64",
    "lintel_ua_zero:",
    "    mov rcx, rsi",
    "    xor eax, eax",
    "    cmp rcx, 8",
    "    jb lintel_ua_zero_bytes",
    "lintel_ua_zero_long:",
    "    cmp rcx, 64",
    "    jb 4f",
    ".irp at,0,8,16,24,32,40,48,56",
    "    mov [rdi + \\at], rax",
    ".endr",
    "    add rdi, 64",
    "    sub rcx, 64",
    "    jmp lintel_ua_zero_long",
    "3:  mov [rdi], rax",
    "    add rdi, 8",
    "    sub rcx, 8",
    "4:  cmp rcx, 8",
    "    jae 3b",
    "    test ecx, ecx",
    "    jz 5f",
    "    mov [rdi + rcx - 8], rax",
    "5:  ret",
    "lintel_ua_zero_bytes:",
    "    rep stosb",
    "lintel_ua_zero_end:",
    "    mov rax, rcx",
    "    ret",
    // rdi = destination, rsi = source, rdx = room; copies up to and including the NUL, and perhaps
    // what follows within seven bytes and the room. Returns the length without the NUL, -1 when the
    // room ran out, -2 on a fault. Aligned words never reach into another page; the first one
    // holds bytes before the string, too. A word x has a zero byte if (x - 0x01..) & !x & 0x80.. is
    // not 0, and its lowest set bit is that of the first such byte.
    ".balign 64",
    "lintel_ua_str:",
    "    mov r11, rsi",
    "    cmp rdx, 8",
    "    jb 4f",
    "    mov r8, 0x0101010101010101",
    "    mov r9, 0x8080808080808080",
    "    mov ecx, esi",
    "    and ecx, 7",
    "    sub rsi, rcx",
    "    mov rax, [rsi]",
    "    lea rdi, [rdi + 8]",
    "    lea rdx, [rdx + rcx - 8]",
    "    sub rdi, rcx",
    "    shl ecx, 3",
    // The bytes before the string are made non-zero for the test.
    "    mov r10, -1",
    "    shl r10, cl",
    "    not r10",
    "    or r10, rax",
    "    shr rax, cl",
    "    shr ecx, 3",
    "    mov [rdi + rcx - 8], rax",
    "    mov rax, r10",
    "    jmp 3f",
    "2:  add rsi, 8",
    "    sub rdx, 8",
    "    jb 5f",
    "    mov rax, [rsi]",
    "    mov [rdi], rax",
    "    add rdi, 8",
    "3:  mov rcx, rax",
    "    sub rax, r8",
    "    not rcx",
    "    and rcx, r9",
    "    and rax, rcx",
    "    jz 2b",
    "    bsf rax, rax",
    "    shr eax, 3",
    "    add rax, rsi",
    "    sub rax, r11",
    "    ret",
    // Less room than a word.
    "5:  add rdx, 8",
    "4:  sub rdx, 1",
    "    jb 6f",
    "    movzx eax, byte ptr [rsi]",
    "    mov [rdi], al",
    "    inc rsi",
    "    inc rdi",
    "    test al, al",
    "    jnz 4b",
    "    lea rax, [rsi - 1]",
    "    sub rax, r11",
    "    ret",
    "lintel_ua_str_end:",
    "6:  mov rax, -1",
    "    ret",
    "lintel_ua_str_fault:",
    "    mov rax, -2",
    "    ret",
    ".popsection",
);

unsafe extern "C" {
    pub(super) fn lintel_ua_copy(dst: usize, src: usize, len: usize) -> usize;
    pub(super) fn lintel_ua_zero(dst: usize, len: usize) -> usize;
    pub(super) fn lintel_ua_str(dst: usize, src: usize, room: usize) -> isize;
}

/// Copies `len` bytes from `src` to `dst`; returns how many at the end were not copied, because
/// one of the ranges is not mapped there.
///
/// # Safety
/// Writing to `dst..dst + len` breaks nothing: it is memory of the caller's, or user memory. The
/// two may overlap only if the result does not matter.
#[inline(always)]
pub(super) unsafe fn copy(dst: usize, src: usize, len: usize) -> usize {
    // SAFETY: faults end in a landing pad; the rest is the caller's promise.
    unsafe {
        if len > WIDE_FROM && is_wide() {
            lintel_ua_wide_copy(dst, src, len)
        } else {
            lintel_ua_copy(dst, src, len)
        }
    }
}

/// Clears `len` bytes from `dst` on; returns how many at the end were not cleared.
///
/// # Safety
/// As for [`copy`].
#[inline(always)]
pub(super) unsafe fn zero(dst: usize, len: usize) -> usize {
    // SAFETY: as above.
    unsafe {
        if len > WIDE_FROM && is_wide() {
            lintel_ua_wide_zero(dst, len)
        } else {
            lintel_ua_zero(dst, len)
        }
    }
}

/// Copies a string with its NUL, and perhaps what follows it, to `room` bytes at `dst`. Returns its
/// length without the NUL, -1 when there is no NUL in `room` bytes, -2 when it is not mapped up to
/// there.
///
/// # Safety
/// `dst` has room for `room` bytes.
#[inline(always)]
pub(super) unsafe fn string(dst: *mut u8, src: usize, room: usize) -> isize {
    // SAFETY: as above.
    unsafe { lintel_ua_str(dst as usize, src, room) }
}
