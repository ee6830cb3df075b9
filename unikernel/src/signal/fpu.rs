//! The vector state in a signal frame: XSAVE and XRSTOR on the application's memory.
//!
//! The library is compiled for baseline x86-64, so of the application's state only XMM0-15 is
//! elsewhere while the library runs: in the save area of the entry, which these routines are given.
//! The rest (x87, MXCSR, the upper halves, the mask registers) is in the registers.

use crate::platform::platform;
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
    ".irp label,save,save_at,restore,restore_at,restore_fx,restore_fx_at,reset,fault",
    ".globl lintel_fpu_\\label",
    ".hidden lintel_fpu_\\label",
    ".endr",
    // rdi = XMM0-15 as saved, rsi = the area, rdx = components. 0, or 1 when the area faulted.
    ".balign 16",
    "lintel_fpu_save:",
    "    LINTEL_SIGNAL_XMM load",
    "    mov eax, edx",
    "    shr rdx, 32",
    "lintel_fpu_save_at:",
    "    xsave64 [rsi]",
    "    xor eax, eax",
    "    ret",
    "lintel_fpu_restore:",
    "    mov eax, edx",
    "    shr rdx, 32",
    "lintel_fpu_restore_at:",
    "    xrstor64 [rsi]",
    "    LINTEL_SIGNAL_XMM save",
    "    xor eax, eax",
    "    ret",
    "lintel_fpu_restore_fx:",
    "lintel_fpu_restore_fx_at:",
    "    fxrstor64 [rsi]",
    "    LINTEL_SIGNAL_XMM save",
    "    xor eax, eax",
    "    ret",
    // rdi = where XMM0-15 are saved, rdx = components to bring into their initial state.
    "lintel_fpu_reset:",
    "    mov eax, edx",
    "    shr rdx, 32",
    "    xrstor64 [rip + lintel_fpu_initial]",
    "    LINTEL_SIGNAL_XMM save",
    "    ret",
    "lintel_fpu_fault:",
    "    mov eax, 1",
    "    ret",
    ".popsection",
    // Nothing but MXCSR, which does not follow the header.
    ".pushsection .rodata.lintel_fpu_initial,\"a\",@progbits",
    ".balign 64",
    "lintel_fpu_initial:",
    "    .zero 24",
    "    .long 0x1f80",
    "    .zero 548",
    ".popsection",
);

unsafe extern "C" {
    fn lintel_fpu_save(xmm: *mut Xmm, area: usize, components: u64) -> u32;
    fn lintel_fpu_restore(xmm: *mut Xmm, area: usize, components: u64) -> u32;
    fn lintel_fpu_restore_fx(xmm: *mut Xmm, area: usize) -> u32;
    fn lintel_fpu_reset(xmm: *mut Xmm, unused: usize, components: u64);
    // Places in the assembly, not functions to call.
    fn lintel_fpu_save_at();
    fn lintel_fpu_restore_at();
    fn lintel_fpu_restore_fx_at();
    fn lintel_fpu_fault();
}

/// XMM0-15, as an entry saves them.
pub type Xmm = [u128; 16];

/// Where a fault of these routines goes on.
pub fn fixup(rip: usize) -> Option<usize> {
    let places = [
        lintel_fpu_save_at,
        lintel_fpu_restore_at,
        lintel_fpu_restore_fx_at,
    ];
    let at = |place: unsafe extern "C" fn()| place as usize;
    let is_here = places.into_iter().any(|place| at(place) == rip);
    is_here.then(|| at(lintel_fpu_fault))
}

/// What the machine saves: components of XCR0, and the size of an area for them in bytes.
pub fn extent() -> (u64, u32) {
    static COMPONENTS: AtomicU64 = AtomicU64::new(0);
    static SIZE: AtomicU32 = AtomicU32::new(0);
    if SIZE.load(Relaxed) == 0 {
        // Ring 3 may see another answer than the machine's on a pagetable KVM.
        let [_, size, ..] = platform().cpuid(0xd, 0);
        // SAFETY: OSXSAVE is set at boot; XGETBV of register 0 is not privileged.
        let components = unsafe { xgetbv() };
        COMPONENTS.store(components, Relaxed);
        SIZE.store(size, Relaxed);
    }
    (COMPONENTS.load(Relaxed), SIZE.load(Relaxed))
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

/// Saves everything to the application's memory at `area` (a multiple of 64); whether that could be
/// written.
///
/// # Safety
/// `xmm` is the save area of the entry that is being left; the area is not the library's memory.
pub unsafe fn save(xmm: *mut Xmm, area: usize, components: u64) -> bool {
    // SAFETY: the caller's; a fault has a landing pad.
    unsafe { lintel_fpu_save(xmm, area, components) == 0 }
}

/// Loads `components` from the application's memory, which may be bad in every way.
///
/// # Safety
/// As for [`save`].
pub unsafe fn restore(xmm: *mut Xmm, area: usize, components: u64) -> bool {
    // SAFETY: the caller's; a fault has a landing pad.
    unsafe { lintel_fpu_restore(xmm, area, components) == 0 }
}

/// Loads x87 and SSE state from an FXSAVE area.
///
/// # Safety
/// As for [`save`].
pub unsafe fn restore_legacy(xmm: *mut Xmm, area: usize) -> bool {
    // SAFETY: the caller's; a fault has a landing pad.
    unsafe { lintel_fpu_restore_fx(xmm, area) == 0 }
}

/// Brings components into the state in which a process starts.
///
/// # Safety
/// `xmm` is the save area of the entry that is being left.
pub unsafe fn reset(xmm: *mut Xmm, components: u64) {
    // SAFETY: the caller's.
    unsafe { lintel_fpu_reset(xmm, 0, components) };
}
