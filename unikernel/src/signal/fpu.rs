//! The vector state in a signal frame: XSAVE and XRSTOR on the application's memory.
//!
//! The library is compiled for baseline x86-64, so of the application's state only XMM0-15 is
//! elsewhere while the library runs: in the save area of the entry, which these routines are given.
//! The rest (x87, MXCSR, the upper halves, the mask registers) is in the registers.
//!
//! All of them but [`reset`] touch the application's memory and run in a
//! [`window`](super::window), which catches their faults.

use crate::platform::platform;
use crate::sched::fpu::KNOWN;
use core::arch::global_asm;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

global_asm!(
    ".macro LINTEL_SIGNAL_XMM op",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "    .ifc \\op,save",
    "    movaps [rdi + \\n*16], xmm\\n",
    "    .else",
    "    movaps xmm\\n, [rdi + \\n*16]",
    "    .endif",
    ".endr",
    ".endm",
    ".pushsection .text.lintel_signal,\"ax\",@progbits",
    ".irp label,save,restore,restore_fx,reset",
    ".globl lintel_fpu_\\label",
    ".hidden lintel_fpu_\\label",
    ".endr",
    // rdi = XMM0-15 as saved, rsi = the area, rdx = components.
    ".balign 16",
    "lintel_fpu_save:",
    "    LINTEL_SIGNAL_XMM load",
    "    mov eax, edx",
    "    shr rdx, 32",
    "    xsave64 [rsi]",
    "    ret",
    "lintel_fpu_restore:",
    "    mov eax, edx",
    "    shr rdx, 32",
    "    xrstor64 [rsi]",
    "    LINTEL_SIGNAL_XMM save",
    "    ret",
    "lintel_fpu_restore_fx:",
    "    fxrstor64 [rsi]",
    "    LINTEL_SIGNAL_XMM save",
    "    ret",
    // rdi = where XMM0-15 are saved, rsi = components that are in use. What XRSTOR of the initial
    // state would do, in a tenth of the time.
    "lintel_fpu_reset:",
    "    test sil, 1",
    "    jz 2f",
    "    fninit",
    "2:  ldmxcsr [rip + lintel_fpu_mxcsr]",
    "    test sil, 4",
    "    jz 3f",
    "    vzeroall",
    "3:  test sil, 0xe0",
    "    jz 4f",
    ".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "    vpxorq zmm\\n, zmm\\n, zmm\\n",
    ".endr",
    "    vzeroall",
    ".irp n,0,1,2,3,4,5,6,7",
    "    kxorw k\\n, k\\n, k\\n",
    ".endr",
    "4:  xorps xmm0, xmm0",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "    movaps [rdi + \\n*16], xmm0",
    ".endr",
    "    ret",
    ".popsection",
    ".pushsection .rodata.lintel_fpu,\"a\",@progbits",
    ".balign 4",
    "lintel_fpu_mxcsr:",
    "    .long 0x1f80",
    ".popsection",
);

unsafe extern "C" {
    fn lintel_fpu_save(xmm: *mut Xmm, area: usize, components: u64);
    fn lintel_fpu_restore(xmm: *mut Xmm, area: usize, components: u64);
    fn lintel_fpu_restore_fx(xmm: *mut Xmm, area: usize);
    fn lintel_fpu_reset(xmm: *mut Xmm, components: u64);
}

/// XMM0-15, as an entry saves them.
pub type Xmm = [u128; 16];

/// What the machine saves: components of XCR0, and the size of an area for them in bytes.
#[inline]
pub fn extent() -> (u64, u32) {
    match SIZE.load(Relaxed) {
        0 => find_extent(),
        size => (COMPONENTS.load(Relaxed), size),
    }
}

static COMPONENTS: AtomicU64 = AtomicU64::new(0);
static SIZE: AtomicU32 = AtomicU32::new(0);

#[cold]
fn find_extent() -> (u64, u32) {
    // Ring 3 may see another answer than the machine's on a pagetable KVM.
    let [_, size, ..] = platform().cpuid(0xd, 0);
    // So it is with XCR0 there: it may show the host's, with components that have no room in an
    // area of the machine's size (PKRU, tiles), and a keys register that is not the program's.
    // SAFETY: OSXSAVE is set at boot; XGETBV of register 0 is not privileged.
    let components = unsafe { xgetbv() } & u64::from(KNOWN);
    COMPONENTS.store(components, Relaxed);
    SIZE.store(size, Relaxed);
    (components, size)
}

/// XCR0.
///
/// # Safety
/// XSAVE is enabled.
unsafe fn xgetbv() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a register.
    unsafe {
        core::arch::asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Saves everything to the application's memory at `area`, a multiple of 64.
///
/// # Safety
/// In a window; `xmm` is the save area of the entry that is being left; the area is not the
/// library's memory.
pub unsafe fn save(xmm: *mut Xmm, area: usize, components: u64) {
    // SAFETY: the caller's.
    unsafe { lintel_fpu_save(xmm, area, components) }
}

/// Loads `components` from the application's memory, which may be bad in every way.
///
/// # Safety
/// As for [`save`].
pub unsafe fn restore(xmm: *mut Xmm, area: usize, components: u64) {
    // SAFETY: the caller's.
    unsafe { lintel_fpu_restore(xmm, area, components) }
}

/// Loads x87 and SSE state from an FXSAVE area.
///
/// # Safety
/// As for [`save`].
pub unsafe fn restore_legacy(xmm: *mut Xmm, area: usize) {
    // SAFETY: the caller's.
    unsafe { lintel_fpu_restore_fx(xmm, area) }
}

/// Brings components into the state in which a process starts.
///
/// # Safety
/// `xmm` is the save area of the entry that is being left; the machine has the components.
pub unsafe fn reset(xmm: *mut Xmm, components: u64) {
    // SAFETY: the caller's.
    unsafe { lintel_fpu_reset(xmm, components) };
}
