//! The vector state of a thread that does not run.
//!
//! XMM0-15 are where the entry of the call or of the interrupt saved them, and library code, being
//! compiled for baseline x86-64, changes nothing else. So at a switch only what is in use above them
//! has to be saved: the upper halves of YMM, ZMM, the mask registers, x87. XGETBV(1) tells which
//! components are not in their initial state (SDM vol. 1, 13.6), and mostly none is: then a switch
//! saves and loads nothing, but MXCSR where it differs. XSAVEOPT also leaves out what was not
//! modified since it was loaded. Where the CPU lacks either, everything is saved.

use crate::platform::platform;
use core::arch::asm;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

/// Bytes of an area that are used: x87, SSE, header, AVX, the mask registers, AVX-512 (SDM vol. 1,
/// 13.4 and 13.5), at the places that every CPU has given them so far; checked at boot.
pub const AREA: usize = 4096;

/// Places in an area.
const MXCSR: usize = 24;
const HEADER: usize = 512;
/// Components that XCR0 may have on: x87, SSE, AVX, mask registers, ZMM.
const KNOWN: u32 = 0xe7;
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
    /// Components in it that are not in their initial state.
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

/// Saves the running state to `to`; the result is the components that are in the registers still.
#[inline(always)]
pub fn save(to: &Saved) -> u32 {
    let live = in_use();
    // SAFETY: stores four bytes.
    unsafe { asm!("stmxcsr [{}]", in(reg) to.mxcsr.as_ptr(), options(nostack)) };
    let mut saved = 0;
    if live != 0 {
        saved = save_components(to.area.load(Relaxed), live);
    }
    to.components.store(saved, Relaxed);
    live
}

/// Returns which of `components` are not in their initial state.
#[inline(never)]
fn save_components(area: usize, components: u32) -> u32 {
    // SAFETY: `set_area` was given room for all components, aligned; no Rust value lives there.
    unsafe {
        if FEATURES.load(Relaxed) & XSAVEOPT != 0 {
            asm!("xsaveopt64 [{}]", in(reg) area, in("eax") components, in("edx") 0, options(nostack));
        } else {
            asm!("xsave64 [{}]", in(reg) area, in("eax") components, in("edx") 0, options(nostack));
        }
        ((area + HEADER) as *const u64).read() as u32 & components
    }
}

/// Loads the state `from`, where the registers still have `live` components of another's.
#[inline(always)]
pub fn load(from: &Saved, live: u32) {
    let mut mxcsr = 0u32;
    let wanted = from.mxcsr.load(Relaxed);
    // SAFETY: the value loaded is one that STMXCSR stored, or the initial one.
    unsafe {
        asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack));
        if mxcsr != wanted {
            asm!("ldmxcsr [{}]", in(reg) from.mxcsr.as_ptr(), options(nostack));
        }
    }
    let components = from.components.load(Relaxed);
    if components | live != 0 {
        load_components(
            from.area.load(Relaxed),
            components,
            components | live,
            wanted,
        );
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
