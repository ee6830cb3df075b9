//! The vector state over a handler, and in it.

use crate::handler::{install, raise};
use libc::{SIGUSR1, c_int, c_void, siginfo_t};
use std::arch::asm;
use std::arch::x86_64::{__m256i, _mm256_loadu_si256, _mm256_setzero_si256, _mm256_storeu_si256};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

static IN_HANDLER: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

extern "C" fn spoiling(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    let (mut mxcsr, mut control, mut low) = (0u32, 0u16, 0u64);
    // SAFETY: reads state into locals, then changes what it declares, and what sigreturn restores.
    unsafe {
        asm!(
            "movq {low}, xmm7", "stmxcsr [{mxcsr}]", "fnstcw [{control}]",
            low = out(reg) low, mxcsr = in(reg) &raw mut mxcsr, control = in(reg) &raw mut control,
        );
        asm!("pcmpeqd xmm7, xmm7", "pcmpeqd xmm15, xmm15", "fld1", "fldpi", out("xmm7") _, out("xmm15") _);
    }
    IN_HANDLER[0].store(low, SeqCst);
    IN_HANDLER[1].store(mxcsr.into(), SeqCst);
    IN_HANDLER[2].store(control.into(), SeqCst);
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has it.
        unsafe { spoil_wide() };
    }
    let changed = 0x1fa0u32;
    let rounding = 0x0c7fu16;
    // SAFETY: masks every exception still; sigreturn restores what was.
    unsafe {
        asm!("ldmxcsr [{}]", "fldcw [{}]", in(reg) &raw const changed, in(reg) &raw const rounding)
    };
}

#[target_feature(enable = "avx2")]
unsafe fn spoil_wide() {
    // SAFETY: declared.
    unsafe {
        asm!("vpcmpeqd ymm7, ymm7, ymm7", "vpcmpeqd ymm12, ymm12, ymm12", out("ymm7") _, out("ymm12") _)
    };
}

/// The result of a handler on state that is unlike any other.
fn legacy() -> (bool, u32, u16, bool) {
    let wanted = [0x0123_4567_89ab_cdefu64, 0xfedc_ba98_7654_3210];
    let mut found = [0u64; 2];
    let (mut mxcsr, control) = (0x7f80u32, 0x0a7fu16);
    let (mut mxcsr_after, mut control_after, mut top) = (0u32, 0u16, 0f64);
    let (pid, tid): (i32, i32);
    // SAFETY: no arguments.
    unsafe { (pid, tid) = (libc::getpid(), libc::gettid()) };
    // SAFETY: state that the compiler relies on is restored at the end; the call is tgkill.
    unsafe {
        asm!(
            "ldmxcsr [{mxcsr}]", "fldcw [{control}]", "fldpi",
            "movdqu xmm7, [{wanted}]",
            "syscall",
            "movdqu [{found}], xmm7",
            "stmxcsr [{mxcsr_after}]", "fnstcw [{control_after}]", "fstp qword ptr [{top}]",
            "mov dword ptr [{mxcsr}], 0x1f80", "ldmxcsr [{mxcsr}]", "fninit",
            mxcsr = in(reg) &raw mut mxcsr, control = in(reg) &raw const control,
            wanted = in(reg) wanted.as_ptr(), found = in(reg) found.as_mut_ptr(),
            mxcsr_after = in(reg) &raw mut mxcsr_after,
            control_after = in(reg) &raw mut control_after, top = in(reg) &raw mut top,
            inlateout("rax") libc::SYS_tgkill => _,
            in("rdi") pid, in("rsi") tid, in("rdx") SIGUSR1,
            out("rcx") _, out("r11") _, out("xmm7") _,
        );
    }
    (
        found == wanted,
        mxcsr_after,
        control_after,
        (top - std::f64::consts::PI).abs() < 1e-12,
    )
}

#[target_feature(enable = "avx2")]
unsafe fn wide() -> bool {
    let wanted: [u64; 4] = [1, 2, 3, 4];
    let mut found = [0u64; 4];
    // SAFETY: both arrays are 32 bytes; the call is tgkill.
    unsafe {
        let mut held: __m256i = _mm256_loadu_si256(wanted.as_ptr().cast());
        let mut zero: __m256i = _mm256_setzero_si256();
        asm!(
            "syscall",
            inlateout("rax") libc::SYS_tgkill => _,
            in("rdi") libc::getpid(), in("rsi") libc::gettid(), in("rdx") SIGUSR1,
            lateout("rcx") _, lateout("r11") _, inout("ymm12") held, inout("ymm7") zero,
        );
        _mm256_storeu_si256(found.as_mut_ptr().cast(), held);
        let mut nothing = [1u64; 4];
        _mm256_storeu_si256(nothing.as_mut_ptr().cast(), zero);
        (held, zero) = (zero, held);
        let _ = (held, zero);
        found == wanted && nothing == [0; 4]
    }
}

pub fn vector() -> io::Result<()> {
    install(SIGUSR1, spoiling, 0, &[]);
    for _ in 0..3 {
        let (kept, mxcsr, control, top) = legacy();
        println!("kept: {kept} {mxcsr:#x} {control:#x} {top}");
    }
    let handler: Vec<_> = IN_HANDLER[..3].iter().map(|n| n.load(SeqCst)).collect();
    println!("in the handler: {handler:x?}");
    let held = (0..3).all(|_| {
        // SAFETY: only where the CPU has it.
        !std::is_x86_feature_detected!("avx2") || unsafe { wide() }
    });
    println!("upper halves kept: {held}");
    raise(SIGUSR1);
    Ok(())
}
