//! The x87, SSE, AVX and AVX-512 state as a memory image.

use crate::pattern::Pattern;
use crate::state::{Shared, XSTATE_SIZE};
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::ops::Range;

const FCW: Range<usize> = 0..2;
const FSW: Range<usize> = 2..4;
const FTW: Range<usize> = 4..5;
const MXCSR: Range<usize> = 24..28;
const ST: usize = 32;
const XMM: Range<usize> = 160..416;
const XSTATE_BV: Range<usize> = 512..520;

/// x87, SSE, AVX, opmask, upper halves of zmm0-15, zmm16-31. Left out: MPX, PKRU, AMX.
const COMPONENTS: u32 = 0b1110_0111;

/// x87 control words: all exceptions masked, different rounding and precision.
const CONTROL_WORDS: [u16; 4] = [0x037f, 0x0f7f, 0x007f, 0x067f];
/// mxcsr: all exceptions masked, different rounding, sticky flags, flush to zero.
const MXCSRS: [u32; 4] = [0x1f80, 0x7f80, 0x1fbf, 0xbf80];

/// Which parts of the image are loaded, stored and compared on this processor.
pub struct Layout {
    parts: Vec<(&'static str, Range<usize>)>,
    /// The parts that can be in their initial state, which is zero, with their bits in XSTATE_BV.
    optional: Vec<(u32, Range<usize>)>,
    mask: u32,
    xsave: bool,
    /// Every part is in use, whatever the visit.
    in_use: bool,
}

impl Layout {
    /// Asks the processor, and tells the assembly.
    pub fn detect(shared: &mut Shared, in_use: bool) -> Self {
        let mut parts = vec![
            ("x87 control word", FCW),
            ("x87 status word", FSW),
            ("x87 tags", FTW),
            ("mxcsr", MXCSR),
            ("xmm", XMM),
        ];
        parts.extend((0..8).map(|i| ("st", ST + 16 * i..ST + 16 * i + 10)));
        let xsave = __cpuid(1).ecx & (1 << 27) != 0;
        let mask = if xsave { enabled_components() } else { 0 };
        let mut optional = Vec::new();
        for (bit, name) in [(2, "ymm"), (5, "opmask"), (6, "zmm"), (7, "zmm16-31")] {
            if mask & (1 << bit) != 0 {
                let leaf = __cpuid_count(0xd, bit);
                let range = leaf.ebx as usize..(leaf.ebx + leaf.eax) as usize;
                parts.push((name, range.clone()));
                optional.push((bit, range));
            }
        }
        shared.xmask = mask;
        shared.use_xsave = xsave.into();
        Self {
            parts,
            optional,
            mask,
            xsave,
            in_use,
        }
    }

    /// Fills an image with a pattern that is valid to load. Some parts are in their initial state:
    /// code that looks at XINUSE takes another way then. Unless all are to be in use.
    pub fn fill(&self, image: &mut [u8; XSTATE_SIZE], pattern: &mut Pattern) {
        for (_, range) in &self.parts {
            pattern.fill(&mut image[range.clone()]);
        }
        image[FCW].copy_from_slice(&pattern.pick(&CONTROL_WORDS).to_le_bytes());
        image[FSW].fill(0);
        image[FTW].fill(0xff);
        image[MXCSR].copy_from_slice(&pattern.pick(&MXCSRS).to_le_bytes());
        if self.xsave {
            let mut used = u64::from(self.mask);
            for (bit, range) in &self.optional {
                if pattern.below(2) == 0 && !self.in_use {
                    used &= !(1 << bit);
                    image[range.clone()].fill(0);
                }
            }
            image[XSTATE_BV].copy_from_slice(&used.to_le_bytes());
        }
    }

    /// Describes every part of the image that changed.
    pub fn differences(&self, before: &[u8], after: &[u8]) -> Vec<String> {
        self.parts
            .iter()
            .filter_map(|(name, range)| {
                let (old, new) = (&before[range.clone()], &after[range.clone()]);
                let at = old.iter().zip(new).position(|(a, b)| a != b)?;
                let offset = range.start + at;
                Some(format!(
                    "{name}, byte {offset} of the image: {:#04x} -> {:#04x}",
                    old[at], new[at]
                ))
            })
            .collect()
    }
}

fn enabled_components() -> u32 {
    // SAFETY: CPUID.1:ECX.OSXSAVE is set, which is what XGETBV needs.
    let enabled = unsafe { xcr0() };
    enabled as u32 & COMPONENTS
}

/// # Safety
/// The processor has XSAVE and the kernel has enabled it.
#[target_feature(enable = "xsave")]
unsafe fn xcr0() -> u64 {
    // SAFETY: the caller's promise.
    unsafe { _xgetbv(0) }
}
