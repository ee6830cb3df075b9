//! The vDSO (vdso(7)): a shared object in memory whose functions are the calls that ask for the time
//! and the CPU. C libraries look them up by name and call them in place of system calls.
//!
//! Here they are the lowered door without a site to lower, or for clock_gettime its short cut, which is a
//! function of the C ABI anyway. The object is what Linux's is to those who read it: ELF
//! header, one segment, dynamic section, symbols of version `LINUX_2.6`. It has no section headers, and
//! its hash table has one bucket, in which all five are.

use core::arch::global_asm;
use linux_raw_sys::general as nr;

unsafe extern "C" {
    static lintel_vdso: u8;
}

/// Address of the ELF header (AT_SYSINFO_EHDR in getauxval(3)).
pub fn image() -> usize {
    &raw const lintel_vdso as usize
}

global_asm!(
    ".pushsection .text.lintel_vdso,\"ax\",@progbits",
    ".balign 64",
    ".hidden lintel_vdso",
    ".globl lintel_vdso",
    // ELF header (elf(5)): 64 bit, little endian, ET_DYN, x86-64, two program headers.
    "lintel_vdso:",
    "    .byte 0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0",
    "    .quad 0",
    "    .short 3, 62",
    "    .long 1",
    "    .quad 0, 64, 0",
    "    .long 0",
    "    .short 64, 56, 2, 64, 0, 0",
    // PT_LOAD, readable and executable, and PT_DYNAMIC, readable.
    "    .long 1, 5",
    "    .quad 0, 0, 0, lintel_vdso_end - lintel_vdso, lintel_vdso_end - lintel_vdso, 4096",
    "    .long 2, 4",
    "    .quad lintel_vdso_dynamic - lintel_vdso, lintel_vdso_dynamic - lintel_vdso",
    "    .quad lintel_vdso_dynamic - lintel_vdso",
    "    .quad lintel_vdso_symbols - lintel_vdso_dynamic, lintel_vdso_symbols - lintel_vdso_dynamic, 8",
    // DT_HASH, STRTAB, SYMTAB, STRSZ, SYMENT, SONAME, VERSYM, VERDEF, VERDEFNUM.
    "lintel_vdso_dynamic:",
    "    .quad 4, lintel_vdso_hash - lintel_vdso",
    "    .quad 5, lintel_vdso_strings - lintel_vdso",
    "    .quad 6, lintel_vdso_symbols - lintel_vdso",
    "    .quad 10, lintel_vdso_strings_end - lintel_vdso_strings",
    "    .quad 11, 24",
    "    .quad 14, lintel_vdso_soname - lintel_vdso_strings",
    "    .quad 0x6ffffff0, lintel_vdso_versions - lintel_vdso",
    "    .quad 0x6ffffffc, lintel_vdso_definitions - lintel_vdso",
    "    .quad 0x6ffffffd, 2",
    "    .quad 0, 0",
    "lintel_vdso_symbols:",
    "    .quad 0, 0, 0",
    // STB_GLOBAL STT_FUNC, visible, defined.
    ".irp name,clock_gettime,gettimeofday,time,getcpu,clock_getres",
    "    .long lintel_vdso_name_\\name - lintel_vdso_strings",
    "    .byte 0x12, 0",
    "    .short 1",
    "    .quad lintel_vdso_\\name - lintel_vdso, 16",
    ".endr",
    // Buckets, chain entries; the bucket; the chain.
    "lintel_vdso_hash:",
    "    .long 1, 6, 1, 0, 2, 3, 4, 5, 0",
    "lintel_vdso_versions:",
    "    .short 0, 2, 2, 2, 2, 2",
    // Verdef of the object itself and of LINUX_2.6, with the hashes of their names.
    ".balign 4",
    "lintel_vdso_definitions:",
    "    .short 1, 1, 1, 1",
    "    .long 0x0deebfa1, 20, 28",
    "    .long lintel_vdso_soname - lintel_vdso_strings, 0",
    "    .short 1, 0, 2, 1",
    "    .long 0x03ae75f6, 20, 0",
    "    .long lintel_vdso_version - lintel_vdso_strings, 0",
    "lintel_vdso_strings:",
    "    .byte 0",
    "lintel_vdso_soname: .asciz \"linux-vdso.so.1\"",
    "lintel_vdso_version: .asciz \"LINUX_2.6\"",
    ".irp name,clock_gettime,gettimeofday,time,getcpu,clock_getres",
    "lintel_vdso_name_\\name: .asciz \"__vdso_\\name\"",
    ".endr",
    "lintel_vdso_strings_end:",
    ".balign 16",
    "lintel_vdso_clock_gettime:",
    "    push rdi",
    "    push rsi",
    "    call lintel_fast_clock_gettime",
    "    pop rsi",
    "    pop rdi",
    "    cmp rax, -4096",
    "    jl 1f",
    "    ret",
    // Declined.
    "1:  mov eax, {clock_gettime}",
    "    jmp lintel_shim_lowered",
    ".macro LINTEL_VDSO name, number",
    ".balign 16",
    "lintel_vdso_\\name:",
    "    mov eax, \\number",
    "    jmp lintel_shim_lowered",
    ".endm",
    "    LINTEL_VDSO gettimeofday, {gettimeofday}",
    "    LINTEL_VDSO time, {time}",
    "    LINTEL_VDSO getcpu, {getcpu}",
    "    LINTEL_VDSO clock_getres, {clock_getres}",
    ".balign 16",
    "lintel_vdso_end:",
    ".popsection",
    clock_gettime = const nr::__NR_clock_gettime,
    gettimeofday = const nr::__NR_gettimeofday,
    time = const nr::__NR_time,
    getcpu = const nr::__NR_getcpu,
    clock_getres = const nr::__NR_clock_getres,
);
