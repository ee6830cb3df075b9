//! Short stores to user memory, where the code stands: no call, and a fault goes on right there.
//!
//! Each of their instructions has an entry in the exception table, as in Linux
//! (Documentation/arch/x86/exception-tables.rst): where it is, and where to go on.

use core::arch::asm;

/// An entry: distances from each field to what it names.
#[repr(C)]
struct Entry {
    instruction: i32,
    landing: i32,
}

unsafe extern "C" {
    // The linker's, for a section whose name is an identifier; linker.ld's in the kernel object.
    #[link_name = "__start_lintel_ex_table"]
    static START: Entry;
    #[link_name = "__stop_lintel_ex_table"]
    static STOP: Entry;
}

/// The instruction at label 2, whose faults go to `fault`.
macro_rules! faulting {
    ($instruction:literal, $($operands:tt)*) => {
        asm!(
            concat!("2: ", $instruction),
            ".pushsection lintel_ex_table,\"aR\",@progbits",
            ".balign 4",
            ".long 2b - ., {fault} - .",
            ".popsection",
            $($operands)*
            options(nostack, preserves_flags),
        )
    };
}

/// Writes two bytes, touching no vector register; returns whether both were mapped.
///
/// # Safety
/// Writing there breaks nothing: it is memory of the caller's, or user memory.
#[inline(always)]
pub unsafe fn put_short(dst: usize, value: u16) -> bool {
    // SAFETY: the caller's promise; a fault ends at the label.
    unsafe {
        faulting!("mov [{dst}], {value:x}",
            dst = in(reg) dst, value = in(reg) value, fault = label { return false },);
    }
    true
}

/// Writes a word; returns whether it was mapped.
///
/// # Safety
/// As for [`put_short`].
#[inline(always)]
pub unsafe fn put(dst: usize, value: u64) -> bool {
    // SAFETY: as above.
    unsafe { put_at::<0>(dst, value) }
}

/// The same, `AT` bytes behind `dst`.
#[inline(always)]
unsafe fn put_at<const AT: usize>(dst: usize, value: u64) -> bool {
    // SAFETY: as above.
    unsafe {
        faulting!("mov [{dst} + {at}], {value}", dst = in(reg) dst, value = in(reg) value,
            at = const AT, fault = label { return false },);
    }
    true
}

/// Writes two words, touching no vector register; returns whether all of it was mapped.
///
/// # Safety
/// As for [`put_short`].
#[inline(always)]
pub unsafe fn put_pair(dst: usize, low: u64, high: u64) -> bool {
    // SAFETY: the caller's promise.
    unsafe { put(dst, low) && put_at::<8>(dst, high) }
}

/// Where a fault of one of these stores goes on.
pub fn landing(rip: usize) -> Option<usize> {
    let (mut entry, stop) = (&raw const START, &raw const STOP);
    let target = |field: &i32| (field as *const i32 as usize).wrapping_add_signed(*field as isize);
    while entry < stop {
        // SAFETY: whole entries stand between the two, and nothing writes to them.
        let Entry {
            instruction,
            landing,
        } = unsafe { &*entry };
        if target(instruction) == rip {
            return Some(target(landing));
        }
        // SAFETY: at most the end.
        entry = unsafe { entry.add(1) };
    }
    None
}
