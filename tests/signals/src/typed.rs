//! Signals from outside: typed ^C or ^\\, which comes while the program computes, makes short calls, or
//! sleeps. Not among the sections, since somebody must type.

use crate::handler::install;
use libc::{SA_RESTART, SIGINT, c_int, c_void, siginfo_t};
use std::arch::asm;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use test_support::{call, report};

/// Signals a round.
const SOME: u32 = 30;

static TIMES: AtomicU32 = AtomicU32::new(0);
static CODES: AtomicU64 = AtomicU64::new(0);

extern "C" fn counting(_: c_int, info: *mut siginfo_t, _: *mut c_void) {
    TIMES.fetch_add(1, SeqCst);
    // SAFETY: the kernel's.
    CODES.fetch_or(unsafe { (*info).si_code } as u64, SeqCst);
    // SAFETY: what a handler may spoil.
    unsafe {
        asm!("pcmpeqd xmm0, xmm0", "pcmpeqd xmm9, xmm9", "std", "cld", out("xmm0") _, out("xmm9") _)
    };
}

/// Runs `round` until that many signals have come.
fn until_some(name: &str, mut round: impl FnMut() -> bool) {
    println!("{name}:");
    let before = TIMES.load(SeqCst);
    let (mut right, mut rounds) = (true, 0u64);
    while TIMES.load(SeqCst) < before + SOME {
        right &= round();
        rounds += 1;
    }
    println!("    right: {right}, code {:#x}", CODES.load(SeqCst));
    eprintln!("    {rounds} rounds");
}

/// getpid(2), with every register that a call keeps checked.
fn short_call() -> bool {
    let mut image = [0u64; 8];
    let result: i64;
    // SAFETY: a system call without arguments; the registers are declared.
    unsafe {
        asm!(
            "mov r12, 0x1234", "mov r13, 0x5678", "mov r8, 0x9abc", "mov r9, 0xdef0",
            "mov r10, 0x1111", "movq xmm9, r12", "mov [rsp - 16], r13",
            "syscall",
            "mov [{image}], r12", "mov [{image} + 8], r13", "mov [{image} + 16], r8",
            "mov [{image} + 24], r9", "mov [{image} + 32], r10", "movq [{image} + 40], xmm9",
            "mov r12, [rsp - 16]", "mov [{image} + 48], r12",
            image = in(reg) image.as_mut_ptr(),
            inlateout("rax") libc::SYS_getppid => result,
            out("rcx") _, out("r11") _, out("r12") _, out("r13") _, out("r8") _, out("r9") _,
            out("r10") _, out("xmm9") _,
        );
    }
    result >= 0 && image == [0x1234, 0x5678, 0x9abc, 0xdef0, 0x1111, 0x1234, 0x5678, 0]
}

pub fn typed() -> io::Result<()> {
    install(SIGINT, counting, SA_RESTART, &[]);
    install(libc::SIGQUIT, counting, SA_RESTART, &[]);
    until_some("short calls", short_call);
    let mut word = 1u64;
    until_some("computing", || {
        word = word.wrapping_mul(3);
        word % 2 == 1
    });
    until_some("other calls", || {
        let mut name = [0u8; 400];
        call(libc::SYS_umask, &[0o22]).is_ok()
            && call(libc::SYS_getcwd, &[name.as_mut_ptr() as u64, 400]).is_ok()
    });
    until_some("signals", || {
        let mut set = 0u64;
        call(libc::SYS_rt_sigprocmask, &[0, 0, &raw mut set as u64, 8]).is_ok() && set == 0
    });
    report("pause", call(libc::SYS_pause, &[]));
    Ok(())
}
