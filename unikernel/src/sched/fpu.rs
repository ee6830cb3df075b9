//! The vector state of a thread that does not run.
//!
//! XMM0-15 are where the entry of the call or of the interrupt saved them, and library code, being
//! compiled for baseline x86-64, changes nothing else. So at a switch only what is in use above them
//! has to be saved: the upper halves of YMM, ZMM, the mask registers, x87. XGETBV(1) tells which
//! components are not in their initial state (SDM vol. 1, 13.6). Mostly none is, or the mask
//! registers and ZMM16-31 are, because glibc's string functions use them and nothing brings them back;
//! these are saved by hand, in a fifth of the time that XSAVE and XRSTOR take. Else XSAVEOPT leaves
//! out what was not modified since it was loaded. Where the CPU lacks the instructions, everything is
//! saved.

use crate::platform::platform;
use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

/// Bytes of an area that are used: x87, SSE, header, AVX, the mask registers, AVX-512 (SDM vol. 1,
/// 13.4 and 13.5), at the places that every CPU has given them so far; checked at boot.
pub const AREA: usize = 4096;

/// Places in an area. The last is behind all that XSAVE uses: eight mask registers in 64 bytes, and
/// sixteen ZMM registers.
const MXCSR: usize = 24;
const HEADER: usize = 512;
const BY_HAND: usize = 2816;
const _: () = assert!(BY_HAND + 64 + 16 * 64 <= AREA && BY_HAND.is_multiple_of(64));

/// Components that are saved by hand: the mask registers and ZMM16-31.
const HIGH: u32 = 1 << 5 | 1 << 7;

global_asm!(
    ".pushsection .text.lintel_fpu_high,\"ax\",@progbits",
    ".globl lintel_fpu_high_save, lintel_fpu_high_load, lintel_fpu_high_clear",
    ".hidden lintel_fpu_high_save, lintel_fpu_high_load, lintel_fpu_high_clear",
    ".balign 16",
    "lintel_fpu_high_save:",
    ".irp n,0,1,2,3,4,5,6,7",
    "    kmovq [rdi + \\n*8], k\\n",
    ".endr",
    ".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "    vmovdqa64 [rdi + 64 + (\\n-16)*64], zmm\\n",
    ".endr",
    "    ret",
    ".balign 16",
    "lintel_fpu_high_load:",
    ".irp n,0,1,2,3,4,5,6,7",
    "    kmovq k\\n, [rdi + \\n*8]",
    ".endr",
    ".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "    vmovdqa64 zmm\\n, [rdi + 64 + (\\n-16)*64]",
    ".endr",
    "    ret",
    ".balign 16",
    "lintel_fpu_high_clear:",
    ".irp n,0,1,2,3,4,5,6,7",
    "    kxorq k\\n, k\\n, k\\n",
    ".endr",
    ".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "    vpxorq zmm\\n, zmm\\n, zmm\\n",
    ".endr",
    "    ret",
    ".popsection",
);

unsafe extern "C" {
    fn lintel_fpu_high_save(to: usize);
    fn lintel_fpu_high_load(from: usize);
    fn lintel_fpu_high_clear();
}
/// Components that XCR0 may have on: x87, SSE, AVX, mask registers, ZMM. Boot turns on no others,
/// but on a pagetable KVM ring 3 may see the host's register, with more.
pub const KNOWN: u32 = 0xe7;
const SSE: u32 = 1 << 1;

/// All components but SSE that are on; 0 before [`init`].
static COMPONENTS: AtomicU32 = AtomicU32::new(0);
/// Bits of CPUID.(EAX=0Dh,ECX=1):EAX.
static FEATURES: AtomicU32 = AtomicU32::new(0);
const XSAVEOPT: u32 = 1 << 0;
const XGETBV1: u32 = 1 << 2;

/// Where the state of a thread is saved, and what of it.
#[derive(Debug)]
pub struct Saved {
    /// An area of [`AREA`] bytes, 64-byte aligned.
    area: AtomicUsize,
    /// Components in it that are not in their initial state. If they are among [`HIGH`], those were
    /// saved by hand.
    components: AtomicU32,
    mxcsr: AtomicU32,
}

impl Saved {
    /// The initial state, without an area yet.
    pub const fn new() -> Self {
        Self {
            area: AtomicUsize::new(0),
            components: AtomicU32::new(0),
            mxcsr: AtomicU32::new(0x1f80),
        }
    }

    /// # Safety
    /// There are [`AREA`] bytes at `area`, 64-byte aligned, writable, and nobody else's.
    pub unsafe fn set_area(&self, area: usize) {
        self.area.store(area, Relaxed);
    }
}

/// Learns what the CPU has.
pub fn init() {
    // SAFETY: XGETBV(0) reads XCR0; CR4.OSXSAVE was set at boot.
    let enabled = unsafe { xgetbv(0) } & KNOWN;
    COMPONENTS.store(enabled & !SSE, Relaxed);
    if platform().cpuid(0, 0)[0] >= 0xd {
        FEATURES.store(platform().cpuid(0xd, 1)[0], Relaxed);
    }
}

/// # Safety
/// CR4.OSXSAVE is set, and `register` is one that the CPU has.
#[inline(always)]
unsafe fn xgetbv(register: u32) -> u32 {
    let low;
    // SAFETY: as the caller says.
    unsafe {
        asm!("xgetbv", in("ecx") register, out("eax") low, out("edx") _, options(nomem, nostack));
    }
    low
}

/// The components in use now, without SSE.
#[inline(always)]
fn in_use() -> u32 {
    let all = COMPONENTS.load(Relaxed);
    if FEATURES.load(Relaxed) & XGETBV1 == 0 {
        return all;
    }
    // SAFETY: the CPU has it.
    all & unsafe { xgetbv(1) }
}

/// Saves the running state to `to`; the result is the components that are in the registers still,
/// and MXCSR.
#[inline(always)]
pub fn save(to: &Saved) -> (u32, u32) {
    let live = in_use();
    // SAFETY: stores four bytes.
    unsafe { asm!("stmxcsr [{}]", in(reg) to.mxcsr.as_ptr(), options(nostack)) };
    let mut saved = live;
    let area = to.area.load(Relaxed);
    if live & !HIGH != 0 {
        saved = save_components(area, live);
    } else if live != 0 {
        // SAFETY: the CPU says that the registers are in use, so it has them; `set_area` was given
        // room for them.
        unsafe { lintel_fpu_high_save(area + BY_HAND) };
    }
    to.components.store(saved, Relaxed);
    (live, to.mxcsr.load(Relaxed))
}

/// Returns which of `components` are not in their initial state; if only such that are saved by hand,
/// they are, too.
#[inline(never)]
fn save_components(area: usize, components: u32) -> u32 {
    // SAFETY: `set_area` was given room for all components, aligned; no Rust value lives there.
    unsafe {
        if FEATURES.load(Relaxed) & XSAVEOPT != 0 {
            asm!("xsaveopt64 [{}]", in(reg) area, in("eax") components, in("edx") 0, options(nostack));
        } else {
            asm!("xsave64 [{}]", in(reg) area, in("eax") components, in("edx") 0, options(nostack));
        }
        let saved = ((area + HEADER) as *const u64).read() as u32 & components;
        if saved & HIGH != 0 && saved & !HIGH == 0 {
            lintel_fpu_high_save(area + BY_HAND);
        }
        saved
    }
}

/// Loads the state `from`, where the registers still have `live` components of another's and its
/// `mxcsr`, as [`save`] said.
#[inline(always)]
pub fn load(from: &Saved, (live, mxcsr): (u32, u32)) {
    let wanted = from.mxcsr.load(Relaxed);
    if mxcsr != wanted {
        // SAFETY: the value loaded is one that STMXCSR stored, or the initial one.
        unsafe { asm!("ldmxcsr [{}]", in(reg) from.mxcsr.as_ptr(), options(nostack)) };
    }
    let components = from.components.load(Relaxed);
    if components | live != 0 {
        load_or_reset(from.area.load(Relaxed), components, live, wanted);
    }
}

#[inline(always)]
fn load_or_reset(area: usize, components: u32, live: u32, mxcsr: u32) {
    if components & !HIGH != 0 {
        return load_components(area, components, components | live, mxcsr);
    }
    if live & !HIGH != 0 {
        load_components(area, 0, live & !HIGH, mxcsr);
    }
    // SAFETY: they are in use, or were when they were saved, so the CPU has them.
    unsafe {
        if components != 0 {
            lintel_fpu_high_load(area + BY_HAND);
        } else if live & HIGH != 0 {
            lintel_fpu_high_clear();
        }
    }
}

/// Loads `wanted` components, those that are not among the `saved` ones as they are initially.
#[inline(never)]
fn load_components(area: usize, saved: u32, wanted: u32, mxcsr: u32) {
    // SAFETY: as in `save_components`. The header says what is there, and its other fields are zero:
    // areas begin cleared, and the standard form of XSAVE leaves them alone.
    unsafe {
        ((area + HEADER) as *mut u64).write(u64::from(saved));
        ((area + MXCSR) as *mut u32).write(mxcsr);
        asm!("xrstor64 [{}]", in(reg) area, in("eax") wanted, in("edx") 0, options(nostack));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C, align(64))]
    struct Area([u8; AREA]);

    /// Uses the instructions as the machine does, if the host has them.
    #[test]
    fn states_come_and_go() {
        if !std::is_x86_feature_detected!("avx") || !std::is_x86_feature_detected!("xsave") {
            return;
        }
        // SAFETY: XSAVE is on.
        COMPONENTS.store(unsafe { xgetbv(0) } & KNOWN & !SSE, Relaxed);
        let mut areas = [Area([0; AREA]), Area([0; AREA])];
        let [first, second] = [Saved::new(), Saved::new()];
        // SAFETY: the areas live as long as what is saved in them.
        unsafe {
            first.set_area(&raw mut areas[0] as usize);
            second.set_area(&raw mut areas[1] as usize);
        }
        let mut high = [0u8; 32];
        // SAFETY: AVX is there; the assembly says what it changes.
        unsafe {
            asm!("vpcmpeqd xmm7, xmm7, xmm7", "vinsertf128 ymm7, ymm7, xmm7, 1", out("xmm7") _);
            asm!("vcmptrueps ymm7, ymm7, ymm7", out("ymm7") _);
            let live = save(&first);
            load(&second, live);
            asm!("vmovups [{}], ymm7", in(reg) high.as_mut_ptr(), out("ymm7") _);
        }
        assert_eq!(high[16..], [0; 16], "the other state is the initial one");
        let live = save(&second);
        load(&first, live);
        // SAFETY: as above.
        unsafe {
            asm!("vmovups [{}], ymm7", "vzeroupper", in(reg) high.as_mut_ptr(), out("ymm7") _)
        };
        assert_eq!(high[16..], [0xff; 16]);
    }
}
