//! `/proc/cpuinfo` (`arch/x86/kernel/cpu/proc.c`), from CPUID (SDM vol. 2; AMD manual vol. 3,
//! appendix E).

use super::cpuflags::{flags, has_leaf};
use super::entry::At;
use super::source::System;
use super::text::Text;
use crate::errno::Errno;

/// The vendor's twelve letters.
#[inline(never)]
fn vendor(system: &dyn System) -> [u8; 12] {
    let [_, b, c, d] = system.cpuid(0, 0);
    let mut name = [0; 12];
    for (to, word) in name.chunks_exact_mut(4).zip([b, d, c]) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    name
}

/// Family, model and stepping from CPUID.1:EAX.
fn signature(eax: u32) -> (u32, u32, u32) {
    let family = eax >> 8 & 15;
    let extended = if family == 15 { eax >> 20 & 255 } else { 0 };
    let high = if family >= 6 { eax >> 16 & 15 } else { 0 };
    (family + extended, high << 4 | eax >> 4 & 15, eax & 15)
}

/// The model's name: up to 48 letters, without the spaces that some CPUs put around it.
#[inline(never)]
fn model_name(system: &dyn System, text: &mut Text) {
    if !has_leaf(system, 0x8000_0004) {
        text.str("unknown");
        return;
    }
    let mut name = [0; 48];
    for (leaf, to) in (0x8000_0002..).zip(name.chunks_exact_mut(16)) {
        for (to, word) in to.chunks_exact_mut(4).zip(system.cpuid(leaf, 0)) {
            to.copy_from_slice(&word.to_le_bytes());
        }
    }
    let end = name.iter().position(|&byte| byte == 0);
    text.bytes(name[..end.unwrap_or(name.len())].trim_ascii());
}

/// A cache (CPUID.4, and AMD's leaf 8000001DH of the same format).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// 1 data, 2 instructions, 3 both.
    pub kind: u32,
    /// 1 is the nearest.
    pub level: u32,
    /// Bytes in a line.
    pub line: u32,
    /// Lines that share a tag.
    pub partitions: u32,
    /// Associativity.
    pub ways: u32,
    /// Sets.
    pub sets: u32,
}

impl Cache {
    /// The `index`-th cache, if the CPU describes that many.
    #[inline(never)]
    pub fn of(system: &dyn System, index: u32) -> Option<Self> {
        let leaf = match &vendor(system) {
            b"AuthenticAMD" | b"HygonGenuine" => 0x8000_001d,
            _ => 4,
        };
        if index > 15 || !has_leaf(system, leaf) {
            return None;
        }
        let [a, b, c, _] = system.cpuid(leaf, index);
        let kind = a & 31;
        matches!(kind, 1..=3).then(|| Self {
            kind,
            level: a >> 5 & 7,
            line: (b & 0xfff) + 1,
            partitions: (b >> 12 & 0x3ff) + 1,
            ways: (b >> 22) + 1,
            sets: c.wrapping_add(1),
        })
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        [self.line, self.partitions, self.ways, self.sets]
            .iter()
            .map(|&factor| u64::from(factor))
            .product()
    }
}

/// Size of the cache that Linux shows: the farthest of an Intel CPU, the second of others; 0 if it
/// is not known.
#[inline(never)]
fn cache_size(system: &dyn System) -> u64 {
    if &vendor(system) == b"GenuineIntel" {
        let caches = (0..).map_while(|index| Cache::of(system, index));
        let last = caches.max_by_key(|cache| cache.level);
        return last.map_or(0, |cache| cache.size());
    }
    if has_leaf(system, 0x8000_0006) {
        u64::from(system.cpuid(0x8000_0006, 0)[2] >> 16) << 10
    } else {
        0
    }
}

#[inline(never)]
fn field(text: &mut Text, label: &str, value: u32) {
    text.field(label, value.into());
}

/// `/proc/cpuinfo`: one processor.
pub fn cpuinfo(at: &At, text: &mut Text) -> Result<(), Errno> {
    let system = at.source.system;
    let [eax, ebx, ..] = system.cpuid(1, 0);
    let (family, model, stepping) = signature(eax);
    text.str("processor\t: 0\nvendor_id\t: ")
        .bytes(&vendor(system));
    field(text, "\ncpu family\t: ", family);
    field(text, "model\t\t: ", model);
    text.str("model name\t: ");
    model_name(system, text);
    field(text, "\nstepping\t: ", stepping);
    let khz = system.tsc_khz();
    text.str("cpu MHz\t\t: ").dec(khz / 1000);
    text.byte(b'.').zeros(khz % 1000, 3).line();
    let cache = cache_size(system);
    if cache > 0 {
        text.str("cache size\t: ").dec(cache / 1024).str(" KB\n");
    }
    text.str("physical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\n");
    field(text, "apicid\t\t: ", ebx >> 24);
    field(text, "initial apicid\t: ", ebx >> 24);
    text.str("fpu\t\t: yes\nfpu_exception\t: yes\n");
    field(text, "cpuid level\t: ", system.cpuid(0, 0)[0]);
    text.str("wp\t\t: yes\nflags\t\t:");
    flags(system, text);
    // Twice the clock, as Linux has it where the delay loop reads the TSC.
    let bogomips = khz / 5;
    text.str("\nbogomips\t: ").dec(bogomips / 100);
    text.byte(b'.').zeros(bogomips % 100, 2);
    // CLFLUSH works on this many times 8 bytes (CPUID.1:EBX[15:8]).
    let line = (ebx >> 8 & 255) * 8;
    field(text, "\nclflush size\t: ", line);
    field(text, "cache_alignment\t: ", line);
    let (physical, linear) = if has_leaf(system, 0x8000_0008) {
        let bits = system.cpuid(0x8000_0008, 0)[0];
        (bits & 255, bits >> 8 & 255)
    } else {
        (36, 48)
    };
    text.str("address sizes\t: ").dec(physical.into());
    text.str(" bits physical, ").dec(linear.into());
    text.str(" bits virtual\npower management:\n\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_have_extended_parts() {
        assert_eq!(signature(0x00a1_0f11), (25, 17, 1));
        assert_eq!(signature(0x0005_0657), (6, 85, 7));
        assert_eq!(signature(0x0000_0f4a), (15, 4, 10));
    }
}
