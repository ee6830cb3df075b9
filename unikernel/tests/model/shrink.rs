//! Making a failing sequence shorter.

use super::op::Op;
use std::time::{Duration, Instant};

/// After this time the sequence is short enough.
const PATIENCE: Duration = Duration::from_secs(60);

/// A part of `ops` that still fails, from which no run of neighbours can be left out, of any length
/// that is a half of a half of the whole (after Zeller and Hildebrandt: Simplifying and isolating
/// failure-inducing input, 2002). `fails` returns the number of the operation at which a sequence
/// fails.
pub fn shrink(mut ops: Vec<Op>, mut fails: impl FnMut(&[Op]) -> Option<usize>) -> Vec<Op> {
    let start = Instant::now();
    loop {
        let before = ops.len();
        let mut size = before / 2;
        while size > 0 && start.elapsed() < PATIENCE {
            leave_out(&mut ops, size, &mut fails);
            size /= 2;
        }
        if ops.len() == before || start.elapsed() >= PATIENCE {
            return ops;
        }
    }
}

/// Leaves out every run of `size` operations without which it still fails, from the end on: what
/// is late depends on what is early.
fn leave_out(ops: &mut Vec<Op>, size: usize, fails: &mut impl FnMut(&[Op]) -> Option<usize>) {
    let mut end = ops.len();
    while end > 0 {
        let start = end.saturating_sub(size);
        let shorter = [&ops[..start], &ops[end.min(ops.len())..]].concat();
        if let Some(at) = fails(&shorter) {
            *ops = shorter;
            ops.truncate(at + 1);
        }
        end = start.min(ops.len());
    }
}
