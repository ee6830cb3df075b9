//! The dispatch: by number to the thunks of the rows.

use super::row::{Class, Entry, LIMIT};
use super::table::{ROWS, entries, thunks};
use crate::errno::{Errno, encode};
use crate::{events, profile, sched};
use core::arch::global_asm;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use linux_raw_sys::general as nr;

/// How often each unimplemented number was called; the last slot counts numbers out of range.
static UNKNOWN: [AtomicU32; LIMIT + 1] = [const { AtomicU32::new(0) }; LIMIT + 1];

/// Every number without a row: counted, and `ENOSYS`.
///
/// # Safety
/// Called by the shim's entry, with the number as the seventh argument.
#[cold]
pub unsafe extern "C" fn unknown(
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
    number: usize,
) -> isize {
    events::around(number as u32, [a, b, c, d, e, f], || {
        profile::around(number.min(LIMIT) as u32, None, || {
            UNKNOWN[number.min(LIMIT)].fetch_add(1, Relaxed);
            encode(Err(Errno::ENOSYS))
        })
    })
}

/// The unimplemented calls that were made, as (number, count).
pub fn unknown_calls() -> impl Iterator<Item = (usize, u32)> {
    UNKNOWN
        .iter()
        .enumerate()
        .map(|(n, count)| (n, count.load(Relaxed)))
        .filter(|c| c.1 != 0)
}

/// The dispatch table.
pub static ENTRIES: [Entry; LIMIT] = {
    let mut table = entries();
    table[nr::__NR_clone as usize] = lintel_clone;
    table[nr::__NR_clone3 as usize] = lintel_clone3;
    table
};

unsafe extern "C" {
    fn lintel_clone(a: usize, b: usize, c: usize, d: usize, e: usize, f: usize, n: usize) -> isize;
    fn lintel_clone3(a: usize, b: usize, c: usize, d: usize, e: usize, f: usize, n: usize)
    -> isize;
}

// A new thread begins with the caller's registers; those that the C ABI keeps are kept for it here,
// before a handler uses them.
global_asm!(
    ".pushsection .text.lintel_clone,\"ax\",@progbits",
    ".globl lintel_clone, lintel_clone3",
    ".hidden lintel_clone, lintel_clone3",
    "lintel_clone:",
    "    lea rax, [rip + {clone}]",
    "    jmp 1f",
    "lintel_clone3:",
    "    lea rax, [rip + {clone3}]",
    "1:  mov [rip + {kept}], rbx",
    "    mov [rip + {kept} + 8], rbp",
    "    mov [rip + {kept} + 16], r12",
    "    mov [rip + {kept} + 24], r13",
    "    mov [rip + {kept} + 32], r14",
    "    mov [rip + {kept} + 40], r15",
    "    jmp rax",
    ".popsection",
    clone = sym thunks::clone,
    clone3 = sym thunks::clone3,
    kept = sym sched::KEPT,
);

/// [`Class`] of each number, as a byte.
pub static CLASSES: [u8; LIMIT] = {
    let mut classes = [Class::Full as u8; LIMIT];
    let mut i = 0;
    while i < ROWS.len() {
        classes[ROWS[i].nr as usize] = ROWS[i].class as u8;
        i += 1;
    }
    classes
};

/// The name of a number that has a row.
pub fn name_of(number: usize) -> Option<&'static str> {
    ROWS.iter()
        .find(|row| row.nr as usize == number)
        .map(|row| row.name)
}

#[cfg(test)]
mod tests {
    use super::super::row::Level;
    use super::*;

    #[test]
    fn rows_are_unique_and_in_range() {
        for (i, row) in ROWS.iter().enumerate() {
            assert!((row.nr as usize) < LIMIT, "{}", row.name);
            assert!(
                ROWS[..i].iter().all(|r| r.nr != row.nr),
                "{} twice",
                row.name
            );
            if row.level == Level::Partial {
                assert!(!row.note.is_empty(), "{}: partial needs a note", row.name);
            }
        }
    }

    #[test]
    fn unknown_numbers_are_counted() {
        // SAFETY: the function touches nothing but its counter.
        let result = unsafe { unknown(0, 0, 0, 0, 0, 0, 511) };
        assert_eq!(result, -38);
        assert!(unknown_calls().any(|c| c.0 == 511 && c.1 >= 1));
    }
}
