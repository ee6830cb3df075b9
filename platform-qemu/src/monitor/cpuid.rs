//! The answers of CPUID that are kept from boot.
//!
//! The entry code asks in ring 0, where it costs an instruction; later it would be a monitor call.
//! Leaves above the highest are asked, too, and may answer garbage, as CPUID itself does.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How many leaves are asked.
pub(crate) const LEAVES: usize = 6;

/// The leaves, all with subleaf 0. The entry code knows the places of the first four.
#[unsafe(export_name = "lintel_cpuid_leaves")]
static ASKED: [u32; LEAVES] = [0, 1, 7, 0x8000_0001, 0x4000_0000, 0x4000_0001];

/// EAX, EBX, ECX and EDX of each; the entry code writes them before any Rust code runs.
#[unsafe(export_name = "lintel_cpuid_words")]
static WORDS: [[AtomicU32; 4]; LEAVES] = [const { [const { AtomicU32::new(0) }; 4] }; LEAVES];

/// The answer to `leaf`, if it was asked.
pub fn kept(leaf: u32) -> Option<[u32; 4]> {
    let index = ASKED.iter().position(|&asked| asked == leaf)?;
    Some(WORDS[index].each_ref().map(|word| word.load(Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_belong_to_their_leaves() {
        WORDS[2][1].store(7, Relaxed);
        assert_eq!(kept(7), Some([0, 7, 0, 0]));
        assert_eq!((kept(1), kept(0x15)), (Some([0; 4]), None));
    }
}
