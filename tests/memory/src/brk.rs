//! The break. The allocator lives below it: it is moved up and back again while nothing is
//! allocated, and the findings are printed afterwards.

use std::io;
use test_support::call;

const STEP: u64 = 64 << 10;
/// The end of the address space, beyond the stack.
const END: u64 = 0x7fff_ffff_f000;

/// Reports on everything here.
///
/// # Errors
/// `brk` is not there at all.
pub fn run() -> io::Result<()> {
    let (start, grown, fresh, again, back, clean, refused, odd) = {
        let start = brk(0)?;
        let grown = brk(start + STEP)?;
        let fresh = is_zero(start, STEP);
        fill(start, STEP);
        let again = brk(0)?;
        let back = brk(start)?;
        brk(start + STEP)?;
        let clean = is_zero(start.next_multiple_of(4096), STEP - 4096);
        brk(start)?;
        let refused = brk(END)?;
        let odd = brk(start + 1)?;
        brk(start)?;
        (start, grown, fresh, again, back, clean, refused, odd)
    };
    println!("grown {}", grown == start + STEP);
    println!("zero {fresh}");
    println!("told the same {}", again == grown);
    println!("back {}", back == start);
    println!("zero again {clean}");
    println!("too far: where it was {}", refused == start);
    println!("by one byte {}", odd == start + 1);
    Ok(())
}

/// Moves the break and returns where it is; the C library's wrappers are not told.
fn brk(end: u64) -> io::Result<u64> {
    call(libc::SYS_brk, &[end]).map(|end| end as u64)
}

fn is_zero(start: u64, length: u64) -> bool {
    // SAFETY: `run` has just moved the break behind these bytes, and nobody else knows of them.
    let bytes = unsafe { std::slice::from_raw_parts(start as *const u8, length as usize) };
    bytes.iter().all(|&byte| byte == 0)
}

fn fill(start: u64, length: u64) {
    // SAFETY: as in `is_zero`.
    unsafe { (start as *mut u8).write_bytes(0xaa, length as usize) };
}
