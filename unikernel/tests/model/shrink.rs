//! Making a failing sequence shorter.

use super::op::Op;

/// A part of `ops` that still fails, from which no run of neighbours can be left out (Zeller and
/// Hildebrandt: Simplifying and isolating failure-inducing input, 2002; without the splitting into
/// complements that is not worth its time here). `fails` returns the number of the operation at
/// which a sequence fails.
pub fn shrink(mut ops: Vec<Op>, mut fails: impl FnMut(&[Op]) -> Option<usize>) -> Vec<Op> {
    let mut size = ops.len() / 2;
    while size > 0 {
        let mut start = 0;
        while start < ops.len() {
            let end = (start + size).min(ops.len());
            let shorter = [&ops[..start], &ops[end..]].concat();
            match fails(&shorter) {
                Some(at) => {
                    ops = shorter;
                    ops.truncate(at + 1);
                }
                None => start = end,
            }
        }
        size /= 2;
    }
    ops
}
