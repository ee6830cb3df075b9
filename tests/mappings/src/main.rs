//! Random operations on mappings, each compared with a model of what the man pages say.
//!
//!     test-mappings [OPERATIONS [SEED]]     random operations: 200,000 with seed 1
//!     test-mappings cycles N MIB            MIB MiB taken in pieces and given back, N times
//!     test-mappings reserve                 a reservation of 512 GiB, as Go's runtime makes it
//!
//! As a process it proves the model on Linux, as a machine the machine on the model. The first
//! difference ends the program with the seed, the operation's number and what it was.

mod cycles;
mod islands;
mod model;
mod probe;
mod random;
mod reserve;
mod window;

use lintel as _;

use std::process::ExitCode;

/// A page, in bytes.
pub const PAGE: usize = 4096;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| match words.get(at) {
        Some(word) => word
            .parse()
            .map_err(|_| format!("{word:?} is not a number")),
        None => Ok(default),
    };
    let result = match words.first().map(String::as_str) {
        Some("cycles") => number(1, 20).and_then(|cycles| cycles::run(cycles, number(2, 48)?)),
        Some("reserve") => reserve::run(),
        _ => number(0, 200_000).and_then(|operations| run(operations, number(1, 1)?)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(difference) => {
            println!("difference: {difference}");
            ExitCode::FAILURE
        }
    }
}

/// Makes `operations` random operations, three of four in the window.
fn run(operations: u64, seed: u64) -> Result<(), String> {
    let mut random = random::Random::new(seed);
    let mut window = window::Window::new()?;
    let mut islands = islands::Islands::new();
    let before = probe::mapped_pages();
    for operation in 0..operations {
        let result = if random.below(4) == 0 {
            islands.step(&mut random)
        } else {
            window.step(&mut random)
        };
        result.map_err(|what| format!("seed {seed}, operation {operation}: {what}"))?;
    }
    window.check_all()?;
    islands.clear()?;
    window.clear()?;
    // The allocator may have kept some for the tags of the islands.
    let left = probe::mapped_pages().saturating_sub(before);
    println!(
        "{operations} operations with seed {seed}, all given back: {}",
        left < 256
    );
    Ok(())
}
