//! The flags of cpuinfo: names of CPUID bits, as Linux has them (`arch/x86/include/asm/cpufeatures.h`,
//! 6.1), in the order in which it prints them.

use super::source::System;
use super::text::Text;

/// A register of a CPUID leaf and the names of its bits, from bit 0, with a space between them and
/// `-` for a bit without a name.
struct Word {
    leaf: u32,
    subleaf: u32,
    /// 0 to 3: EAX, EBX, ECX, EDX.
    register: usize,
    names: &'static str,
}

const fn word(leaf: u32, subleaf: u32, register: usize, names: &'static str) -> Word {
    Word {
        leaf,
        subleaf,
        register,
        names,
    }
}

const EAX: usize = 0;
const EBX: usize = 1;
const ECX: usize = 2;
const EDX: usize = 3;

/// The words in Linux's order. Features that need a kernel's help which is not given have no name
/// here: five-level paging, UMIP, shadow stacks.
static WORDS: [Word; 12] = [
    word(
        1,
        0,
        EDX,
        "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts \
         acpi mmx fxsr sse sse2 ss ht tm ia64 pbe",
    ),
    word(
        0x8000_0001,
        0,
        EDX,
        "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm \
         3dnowext 3dnow",
    ),
    word(
        1,
        0,
        ECX,
        "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - \
         pcid dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand \
         hypervisor",
    ),
    word(
        0x8000_0001,
        0,
        ECX,
        "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop \
         skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc \
         perfctr_llc mwaitx",
    ),
    word(
        7,
        0,
        EBX,
        "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f \
         avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd \
         sha_ni avx512bw avx512vl",
    ),
    word(0xd, 1, EAX, "xsaveopt xsavec xgetbv1 xsaves"),
    word(7, 1, EAX, "- - - - avx_vnni avx512_bf16"),
    word(
        0x8000_0008,
        0,
        EBX,
        "clzero irperf xsaveerptr - rdpru - - - - wbnoinvd",
    ),
    word(6, 0, EAX, "dtherm ida arat"),
    word(
        7,
        0,
        ECX,
        "- avx512vbmi - pku ospke waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni \
         avx512_bitalg tme avx512_vpopcntdq - - - - - - - rdpid - bus_lock_detect cldemote - movdiri \
         movdir64b enqcmd sgx_lc",
    ),
    word(0x8000_0007, 0, EBX, "overflow_recov succor - smca"),
    word(
        7,
        0,
        EDX,
        "- - avx512_4vnniw avx512_4fmaps fsrm - - - avx512_vp2intersect - md_clear - - - serialize - \
         tsxldtrk - arch_lbr - - - amx_bf16 avx512_fp16 amx_tile amx_int8 - - flush_l1d \
         arch_capabilities",
    ),
];

/// Register state that XCR0 enables, and what of a word needs it.
struct Need {
    leaf: u32,
    subleaf: u32,
    register: usize,
    state: u64,
    bits: u32,
}

const fn need(leaf: u32, subleaf: u32, register: usize, state: u64, bits: &[u32]) -> Need {
    let (mut mask, mut i) = (0, 0);
    while i < bits.len() {
        mask |= 1 << bits[i];
        i += 1;
    }
    Need {
        leaf,
        subleaf,
        register,
        state,
        bits: mask,
    }
}

/// XCR0 (SDM vol. 1, 13.3): the upper halves of the YMM registers.
const AVX: u64 = 1 << 2;
/// Mask registers and the rest of ZMM.
const AVX512: u64 = 7 << 5 | AVX;
/// Tiles.
const AMX: u64 = 3 << 17;

static NEEDS: [Need; 11] = [
    need(1, 0, ECX, AVX, &[12, 28, 29]),
    need(0x8000_0001, 0, ECX, AVX, &[11, 16]),
    need(7, 0, EBX, AVX, &[5]),
    need(7, 0, ECX, AVX, &[9, 10]),
    need(7, 1, EAX, AVX, &[4]),
    need(7, 0, EBX, AVX512, &[16, 17, 21, 26, 27, 28, 30, 31]),
    need(7, 0, ECX, AVX512, &[1, 6, 11, 12, 14]),
    need(7, 0, EDX, AVX512, &[2, 3, 8, 23]),
    need(7, 1, EAX, AVX512, &[5]),
    need(7, 0, EDX, AMX, &[22, 24, 25]),
    // Without any state there is no XSAVE at all.
    need(0xd, 1, EAX, 1, &[0, 1, 2, 3]),
];

/// Whether `leaf` exists: above the maximum of its range CPUs answer with another leaf's values.
#[inline(never)]
pub(super) fn has_leaf(system: &dyn System, leaf: u32) -> bool {
    let range = leaf & 0x8000_0000;
    let highest = system.cpuid(range, 0)[0];
    highest >= leaf && highest & 0x8000_0000 == range
}

/// A word's bits, without those of features that cannot be used.
#[inline(never)]
fn bits(system: &dyn System, word: &Word) -> u32 {
    if !has_leaf(system, word.leaf) {
        return 0;
    }
    // Subleaf 1 of leaf 7 exists if subleaf 0 says so.
    if word.leaf == 7 && word.subleaf > system.cpuid(7, 0)[EAX] {
        return 0;
    }
    let mut bits = system.cpuid(word.leaf, word.subleaf)[word.register];
    let state = system.xcr0();
    for need in &NEEDS {
        let here =
            (need.leaf, need.subleaf, need.register) == (word.leaf, word.subleaf, word.register);
        if here && state & need.state != need.state {
            bits &= !need.bits;
        }
    }
    // Protection keys that the kernel has not enabled (OSPKE) are none.
    if (word.leaf, word.subleaf, word.register) == (7, 0, ECX) && bits & 1 << 4 == 0 {
        bits &= !(1 << 3);
    }
    bits
}

/// Appends the flags, each with a space before it. Behind those of the second word are the ones that
/// Linux derives: a TSC that ticks at one rate, also while the CPU sleeps (CPUID.80000007H:EDX.8),
/// and what every 64-bit CPU has.
#[inline(never)]
pub(super) fn flags(system: &dyn System, text: &mut Text) {
    for (index, word) in WORDS.iter().enumerate() {
        let bits = bits(system, word);
        for (bit, name) in word.names.split(' ').enumerate() {
            if bits & 1 << bit != 0 && name != "-" {
                text.byte(b' ').str(name);
            }
        }
        if index == 1 {
            let invariant =
                has_leaf(system, 0x8000_0007) && system.cpuid(0x8000_0007, 0)[EDX] & 1 << 8 != 0;
            text.str(if invariant {
                " constant_tsc nopl nonstop_tsc cpuid"
            } else {
                " nopl cpuid"
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_has_more_names_than_bits() {
        for word in &WORDS {
            let names: Vec<_> = word.names.split(' ').collect();
            assert!(names.len() <= 32, "{:#x} {}", word.leaf, word.names);
            assert!(names.iter().all(|name| !name.is_empty()), "{}", word.names);
            assert!(names.last() != Some(&"-"));
        }
    }

    #[test]
    fn names_stand_at_their_bits() {
        let bit = |leaf, register, name| {
            let word = WORDS
                .iter()
                .find(|w| w.leaf == leaf && w.register == register);
            word.unwrap()
                .names
                .split(' ')
                .position(|other| other == name)
        };
        for (leaf, register, name, wanted) in [
            (1, EDX, "sse2", 26),
            (1, EDX, "pbe", 31),
            (1, ECX, "sse4_2", 20),
            (1, ECX, "hypervisor", 31),
            (0x8000_0001, EDX, "lm", 29),
            (0x8000_0001, ECX, "mwaitx", 29),
            (0x8000_0001, ECX, "topoext", 22),
            (7, EBX, "avx512vl", 31),
            (7, EBX, "bmi2", 8),
            (7, ECX, "rdpid", 22),
            (7, ECX, "sgx_lc", 30),
            (7, EDX, "amx_int8", 25),
            (7, EDX, "arch_capabilities", 29),
        ] {
            assert_eq!(bit(leaf, register, name), Some(wanted), "{name}");
        }
    }
}
