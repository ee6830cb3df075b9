//! Handlers that change the context, and calls that are made where it can be seen.

use crate::handler::{install, of, raise, register};
use libc::{REG_RAX, REG_RIP, SIGUSR1, SIGUSR2, c_int, c_void, siginfo_t};
use std::arch::asm;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

static RIP: AtomicI64 = AtomicI64::new(0);

extern "C" fn answering(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel's context.
    let uc = unsafe { of(context) };
    RIP.store(*register(uc, REG_RIP), SeqCst);
    *register(uc, REG_RAX) += 42;
}

/// tgkill of oneself by a `syscall` in view; returns its result and the distance of the reported
/// address from the instruction behind it. Called twice, the second time the site may be another.
#[inline(never)]
fn tgkill(signal: c_int) -> (i64, i64) {
    let (result, behind): (i64, i64);
    // SAFETY: the handler returns; the registers are those of a system call.
    unsafe {
        asm!(
            "syscall",
            "2: lea {behind}, [rip + 2b]",
            behind = lateout(reg) behind,
            inlateout("rax") libc::SYS_tgkill => result,
            in("rdi") libc::getpid(),
            in("rsi") libc::gettid(),
            in("rdx") signal,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    (result, RIP.load(SeqCst) - behind)
}

/// All general registers but rax, rcx, r11 and rsp, with values that tell which is which, and the
/// red zone, over a signal.
#[inline(never)]
fn registers() -> bool {
    let mut image = [0u64; 12];
    // SAFETY: registers that the compiler needs are saved and given back; the handler returns.
    unsafe {
        asm!(
            "push rbx", "push rbp", "push r15",
            "mov r15, {image}",
            "mov rbx, 0x1111", "mov rbp, 0x2222", "mov r12, 0x3333", "mov r13, 0x4444",
            "mov r14, 0x5555", "mov r8, 0x6666", "mov r9, 0x7777", "mov r10, 0x8888",
            "mov qword ptr [rsp - 8], 0x99", "mov qword ptr [rsp - 128], 0xaa",
            "mov eax, 234",
            "syscall",
            "mov [r15], rbx", "mov [r15 + 8], rbp", "mov [r15 + 16], r12", "mov [r15 + 24], r13",
            "mov [r15 + 32], r14", "mov [r15 + 40], r8", "mov [r15 + 48], r9",
            "mov [r15 + 56], r10", "mov rax, [rsp - 8]", "mov [r15 + 64], rax",
            "mov rax, [rsp - 128]", "mov [r15 + 72], rax",
            "mov [r15 + 80], rdi", "mov [r15 + 88], rdx",
            "pop r15", "pop rbp", "pop rbx",
            image = in(reg) image.as_mut_ptr(),
            in("rdi") libc::getpid(),
            in("rsi") libc::gettid(),
            in("rdx") SIGUSR2,
            out("rax") _, out("rcx") _, out("r11") _, out("r8") _, out("r9") _, out("r10") _,
            out("r12") _, out("r13") _, out("r14") _,
        );
    }
    let expected = [
        0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666, 0x7777, 0x8888, 0x99, 0xaa,
    ];
    // SAFETY: no arguments.
    let pid = unsafe { libc::getpid() } as u64;
    image[..10] == expected && image[10..] == [pid, SIGUSR2 as u64]
}

extern "C" fn spoiling(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    // SAFETY: the registers are declared lost.
    unsafe {
        asm!(
            "xor edi, edi", "xor esi, esi", "xor edx, edx", "xor ecx, ecx", "mov rax, -1",
            "mov r8, rax", "mov r9, rax", "mov r10, rax", "mov r11, rax", "mov r12, rax",
            "mov r13, rax", "mov r14, rax", "cmp rax, 5",
            out("rdi") _, out("rsi") _, out("rdx") _, out("rcx") _, out("rax") _, out("r8") _,
            out("r9") _, out("r10") _, out("r11") _, out("r12") _, out("r13") _, out("r14") _,
        );
    }
}

/// Whether the status and direction flags survive a call that a signal ends, each set or not.
#[inline(never)]
fn flags(wanted: u64) -> u64 {
    let after: u64;
    // SAFETY: flags are given back; DF is cleared before compiled code goes on.
    unsafe {
        asm!(
            "push {wanted}", "popfq",
            "syscall",
            "pushfq", "pop {after}", "cld",
            wanted = in(reg) wanted | 0x202,
            after = lateout(reg) after,
            inlateout("rax") libc::SYS_tgkill => _,
            in("rdi") libc::getpid(),
            in("rsi") libc::gettid(),
            in("rdx") SIGUSR2,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    after & 0xcd5
}

pub fn context() -> io::Result<()> {
    install(SIGUSR1, answering, 0, &[]);
    install(SIGUSR2, spoiling, 0, &[]);
    for _ in 0..4 {
        println!("tgkill: result and distance {:?}", tgkill(SIGUSR1));
    }
    for _ in 0..4 {
        println!("registers: {}", registers());
    }
    for wanted in [0, 0x8d5, 0x400, 0xcd5, 1, 0x40, 0x800] {
        println!("flags {wanted:#x}: {:#x}", flags(wanted));
    }
    raise(SIGUSR2);
    Ok(())
}
