//! The one `syscall` instruction through which the counted calls go.

use std::arch::global_asm;
use std::io;

// As the C library has it: the number and up to four arguments; behind the instruction stands the
// comparison with the errors.
global_asm!(
    ".pushsection .text.profiled_site,\"ax\",@progbits",
    ".balign 16",
    "profiled_site:",
    "    mov rax, rdi",
    "    mov rdi, rsi",
    "    mov rsi, rdx",
    "    mov rdx, rcx",
    "    mov r10, r8",
    "    syscall",
    "    cmp rax, -4095",
    "    jae 2f",
    "    ret",
    "2:  neg rax",
    "    mov [r9], rax",
    "    mov rax, -1",
    "    ret",
    ".popsection",
);

unsafe extern "C" {
    fn profiled_site(number: i64, a: u64, b: u64, c: u64, d: u64, error: *mut i64) -> i64;
}

/// Makes the system call `number` with up to four arguments; the rest are 0.
///
/// # Errors
/// What the call reports.
///
/// # Panics
/// With more than four arguments.
pub fn call(number: i64, args: &[u64]) -> io::Result<i64> {
    let mut a = [0; 4];
    a[..args.len()].copy_from_slice(args);
    let mut error = 0;
    // SAFETY: the counted calls write to buffers of the program that are large enough, or nowhere.
    match unsafe { profiled_site(number, a[0], a[1], a[2], a[3], &mut error) } {
        -1 => Err(io::Error::from_raw_os_error(error as i32)),
        result => Ok(result),
    }
}
