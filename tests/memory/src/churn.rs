//! The allocator under load: sizes from one byte to 8 MiB, at most 32 MiB at a time, and every
//! byte checked before it is given back.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::{BTreeMap, HashMap};
use std::io;

const LIMIT: usize = 32 << 20;

/// Reports on everything here.
///
/// # Errors
/// None.
pub fn run() -> io::Result<()> {
    blocks();
    growth();
    strings();
    alignments();
    Ok(())
}

/// A block filled with a byte that follows from its number.
struct Block {
    number: usize,
    bytes: Box<[u8]>,
}

impl Block {
    fn new(number: usize, size: usize) -> Self {
        Self {
            number,
            bytes: vec![number as u8; size].into_boxed_slice(),
        }
    }

    fn is_intact(&self) -> bool {
        self.bytes.iter().all(|&byte| byte == self.number as u8)
    }
}

/// Sizes of each order of magnitude, given back in another order than they were taken.
fn blocks() {
    let mut live: Vec<Block> = Vec::new();
    let (mut used, mut given_back, mut damaged, mut peak) = (0, 0, 0, 0);
    let mut random = 1_u64;
    for number in 0..20_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let exponent = match random >> 33 & 0xff {
            0 => 23,
            1..=3 => 18,
            4..=31 => 14,
            _ => 9,
        };
        let size = (random >> 41) as usize % (1 << exponent) + 1;
        while used + size > LIMIT {
            let block = live.swap_remove((random >> 20) as usize % live.len());
            damaged += usize::from(!block.is_intact());
            used -= block.bytes.len();
            given_back += 1;
        }
        live.push(Block::new(number, size));
        used += size;
        peak = peak.max(used);
    }
    damaged += live.iter().filter(|block| !block.is_intact()).count();
    println!(
        "blocks: {given_back} given back, {} left, damaged {damaged}",
        live.len()
    );
    println!("blocks: peak {peak} bytes");
}

/// A vector that grows through every size, so that it is copied or remapped again and again.
fn growth() {
    let mut numbers: Vec<u64> = Vec::new();
    for number in 0..2_000_000_u64 {
        numbers.push(number * number);
    }
    let right = numbers
        .iter()
        .zip(0_u64..)
        .all(|(&square, number)| square == number * number);
    println!("growth: {} numbers, right {right}", numbers.len());
    numbers.truncate(1000);
    numbers.shrink_to_fit();
    println!("growth: shrunk, sum {}", numbers.iter().sum::<u64>());
}

fn strings() {
    let name = |number: usize| "ab".repeat(number % 40) + &number.to_string();
    let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
    let mut names: HashMap<String, usize> = HashMap::new();
    for number in 0..50_000 {
        *lengths.entry(name(number).len()).or_default() += 1;
        names.insert(name(number), number);
    }
    let found = (0..50_000)
        .filter(|&number| names[&name(number)] == number)
        .count();
    println!("strings: {} lengths, {found} found", lengths.len());
}

/// Alignments beyond what the C library's `malloc` gives by itself.
fn alignments() {
    for align in [64, 4096, 1 << 16, 1 << 20] {
        let layout = Layout::from_size_align(3 * align, align).expect("a power of two");
        // SAFETY: the size is not zero; the block is given back with its own layout.
        unsafe {
            let block = alloc_zeroed(layout);
            assert!(!block.is_null(), "out of memory");
            let zero = std::slice::from_raw_parts(block, layout.size())
                .iter()
                .all(|&byte| byte == 0);
            println!(
                "aligned to {align}: {}, zero {zero}",
                block.addr().is_multiple_of(align)
            );
            block.write_bytes(0xee, layout.size());
            dealloc(block, layout);
        }
    }
}
