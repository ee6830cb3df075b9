//! The stack is as large as its limit promises.

use std::hint::black_box;
use std::io;

const FRAME: usize = 1024;
/// Half of what Linux gives a process by default.
const DEPTH: usize = (4 << 20) / FRAME;

/// Reports on everything here.
///
/// # Errors
/// None.
pub fn run() -> io::Result<()> {
    println!("4 MiB of frames: {}", descend(DEPTH));
    println!("a large frame: {}", large_frame());
    println!("again: {}", descend(DEPTH));
    Ok(())
}

#[inline(never)]
fn descend(depth: usize) -> usize {
    let frame = black_box([depth as u8; FRAME]);
    let below = if depth == 0 { 0 } else { descend(depth - 1) };
    below + usize::from(frame[depth % FRAME] == depth as u8)
}

#[inline(never)]
fn large_frame() -> usize {
    let frame = black_box([7_u8; 2 << 20]);
    frame.iter().map(|&byte| usize::from(byte)).sum()
}
