//! Memory that was given back comes back: most of it is taken in pieces of many sizes, in an order
//! that leaves holes, again and again.

use super::PAGE;
use super::probe;
use super::random::Random;

/// Takes `mib` MiB in pieces and gives them back, `cycles` times.
pub fn run(cycles: u64, mib: u64) -> Result<(), String> {
    let mut random = Random::new(1);
    let pages = mib as usize * 256;
    let mut pieces: Vec<(usize, usize)> = Vec::with_capacity(pages);
    for cycle in 0..cycles {
        fill(&mut pieces, pages, &mut random).map_err(|what| format!("cycle {cycle}: {what}"))?;
        // Every other piece first, so that what is free is in holes until the end.
        for keep in [false, true] {
            let mut index = 0;
            for &(at, count) in &pieces {
                index += 1;
                if (index % 2 == 0) == keep {
                    check(at, count)?;
                    probe::unmap(at, count * PAGE).map_err(|e| format!("munmap: errno {e}"))?;
                }
            }
        }
        pieces.clear();
    }
    println!("{cycles} cycles of {mib} MiB");
    Ok(())
}

fn fill(pieces: &mut Vec<(usize, usize)>, pages: usize, random: &mut Random) -> Result<(), String> {
    let mut left = pages;
    while left > 0 {
        let most = [4, 16, 64, 700][random.below(4)];
        let count = (random.below(most) + 1).min(left);
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let at = probe::map(0, count * PAGE, protection, 0)
            .map_err(|e| format!("{} of {pages} pages taken: errno {e}", pages - left))?;
        for page in 0..count {
            if probe::load(at + page * PAGE) != 0 {
                return Err(format!("page {page} of {count} is not zero"));
            }
            probe::store(at + page * PAGE, (at + page) as u64);
        }
        pieces.push((at, count));
        left -= count;
    }
    Ok(())
}

fn check(at: usize, count: usize) -> Result<(), String> {
    match (0..count).find(|page| !probe::has(at + page * PAGE, (at + page) as u64)) {
        Some(page) => Err(format!("page {page} of {count} has changed")),
        None => Ok(()),
    }
}
