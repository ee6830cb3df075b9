//! Where a copy goes on after a fault.

use super::copy::{lintel_ua_copy, lintel_ua_str, lintel_ua_zero};
use super::store;

macro_rules! labels {
    ($($name:ident)*) => {
        // Places in the assembly, not functions to call.
        unsafe extern "C" {
            $(fn $name();)*
        }
    };
}

labels! {
    lintel_ua_bytes lintel_ua_bytes_rep lintel_ua_bytes_end
    lintel_ua_wide_copy_start lintel_ua_wide_copy_end lintel_ua_wide_copy_fault
    lintel_ua_zero_bytes lintel_ua_zero_end
    lintel_ua_wide_zero_start lintel_ua_wide_zero_end lintel_ua_wide_zero_fault
    lintel_ua_str_end lintel_ua_str_fault
}

/// The landing pad for a fault at `rip`, when that is one of the instructions that touch user
/// memory.
pub fn fixup(rip: usize) -> Option<usize> {
    let at = |label: unsafe extern "C" fn()| label as usize;
    let copy = lintel_ua_copy as *const () as usize;
    let zero = lintel_ua_zero as *const () as usize;
    let string = lintel_ua_str as *const () as usize;
    let bytes = at(lintel_ua_bytes);
    let bytes_end = at(lintel_ua_bytes_end);
    let zero_bytes = at(lintel_ua_zero_bytes);
    let zero_end = at(lintel_ua_zero_end);
    let wide = at(lintel_ua_wide_copy_start)..at(lintel_ua_wide_copy_end);
    let clear = at(lintel_ua_wide_zero_start)..at(lintel_ua_wide_zero_end);
    // Where it faults, and where to go on.
    let rows = [
        (copy..bytes, bytes),
        (at(lintel_ua_bytes_rep)..bytes_end, bytes_end),
        (wide, at(lintel_ua_wide_copy_fault)),
        (zero..zero_bytes, zero_bytes),
        (zero_bytes..zero_end, zero_end),
        (clear, at(lintel_ua_wide_zero_fault)),
        (string..at(lintel_ua_str_end), at(lintel_ua_str_fault)),
    ];
    let row = rows.iter().find(|(range, _)| range.contains(&rip));
    row.map_or_else(|| store::landing(rip), |&(_, landing)| Some(landing))
}
