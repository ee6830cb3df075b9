//! rayon: work stealing over a pool of threads.

use rayon::prelude::*;
use std::io;

/// Sorts, sums, joins.
///
/// # Errors
/// When a pool cannot be made.
pub fn run() -> io::Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build();
    pool.map_err(io::Error::other)?.install(|| {
        println!("threads: {}", rayon::current_num_threads());
        sort();
        println!("fibonacci: {}", fibonacci(21));
        let words: String = (0..2000_u32)
            .into_par_iter()
            .map(|n| n.to_string())
            .collect();
        println!("in order: {} bytes, {}", words.len(), &words[..12]);
        let found = (0..1_000_000_u64)
            .into_par_iter()
            .find_first(|n| n * n > 500_000_000);
        println!("first: {found:?}");
    });
    let everywhere = rayon::ThreadPoolBuilder::new().num_threads(3).build();
    let mut indices = everywhere
        .map_err(io::Error::other)?
        .broadcast(|context| context.index());
    indices.sort_unstable();
    println!("broadcast: {indices:?}");
    Ok(())
}

fn sort() {
    let mut numbers: Vec<u64> = (0..200_000_u64)
        .into_par_iter()
        .map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .collect();
    numbers.par_sort_unstable();
    let sum = numbers.par_iter().map(|number| number >> 40).sum::<u64>();
    println!("sorted: {}, sum {sum}", numbers.is_sorted());
}

fn fibonacci(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    let (a, b) = rayon::join(|| fibonacci(n - 1), || fibonacci(n - 2));
    a + b
}
