//! What is asked of an allocator.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::BTreeMap;

/// Entries of the tree.
const ENTRIES: u64 = 1_000_000;

/// The next number of a linear congruential generator (Knuth's MMIX), and its better half.
fn next(state: &mut u64) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

/// A map of a million entries is built and dropped, twice.
pub fn tree() {
    for round in 0..2_u64 {
        let mut map = BTreeMap::new();
        for number in 0..ENTRIES {
            // A bijection of the 64-bit numbers, so that keys come out of order and never twice.
            let key = (number ^ round).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            map.insert(key, Box::new(number));
        }
        let sum: u64 = map.values().map(|value| **value).sum();
        println!("tree {round}: {} entries, sum {sum}", map.len());
    }
}

/// Blocks of one byte to 4 MiB, at most 24 MiB at a time, given back out of order and checked.
pub fn blocks() {
    const LIMIT: usize = 24 << 20;
    let mut live: Vec<(u8, Vec<u8>)> = Vec::new();
    let (mut state, mut used, mut damaged, mut freed) = (7, 0, 0_usize, 0_usize);
    let is_damaged = |block: &(u8, Vec<u8>)| block.1.iter().any(|&byte| byte != block.0);
    for number in 0..60_000_usize {
        let exponent = match next(&mut state) % 256 {
            0 => 22,
            1..=3 => 18,
            4..=31 => 14,
            _ => 9,
        };
        let size = next(&mut state) % (1 << exponent) + 1;
        while used + size > LIMIT {
            let block = live.swap_remove(next(&mut state) % live.len());
            damaged += usize::from(is_damaged(&block));
            used -= block.1.len();
            freed += 1;
        }
        live.push((number as u8, vec![number as u8; size]));
        used += size;
    }
    damaged += live.iter().filter(|block| is_damaged(block)).count();
    println!(
        "blocks: {freed} given back, {} left, damaged {damaged}",
        live.len()
    );
}

/// Vectors that grow beside each other through every size class, so that blocks are moved.
pub fn growth() {
    let mut rows: Vec<Vec<u64>> = vec![Vec::new(); 7];
    for number in 0..1_400_000_u64 {
        rows[(number % 7) as usize].push(number * number);
    }
    let right = rows.iter().enumerate().all(|(row, numbers)| {
        let expected = (0..).map(|i: u64| (i * 7 + row as u64).pow(2));
        numbers.iter().copied().zip(expected).all(|(a, b)| a == b)
    });
    rows.iter_mut().for_each(|row| {
        row.truncate(100);
        row.shrink_to_fit();
    });
    let sum: u64 = rows.iter().flatten().sum();
    println!("growth: right {right}, shrunk, sum {sum}");
}

/// Blocks with an alignment of their own are aligned, and zero where that was asked for, also when
/// the memory was in use before.
pub fn aligned() {
    for exponent in 4..=22 {
        let align = 1_usize << exponent;
        let layout = Layout::from_size_align(align + align / 2, align).expect("a power of two");
        let (mut right, mut zero) = (true, true);
        for _ in 0..4 {
            // SAFETY: the size is not zero; the block is given back with its own layout.
            unsafe {
                let block = alloc_zeroed(layout);
                assert!(!block.is_null(), "out of memory");
                right &= block.addr().is_multiple_of(align);
                let bytes = std::slice::from_raw_parts(block, layout.size());
                zero &= bytes.iter().all(|&byte| byte == 0);
                block.write_bytes(0xa5, layout.size());
                dealloc(block, layout);
            }
        }
        println!("aligned to {align}: {right}, zero {zero}");
    }
}
