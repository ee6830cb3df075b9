//! Ways to die.

use std::arch::asm;
use std::hint::black_box;
use std::process;

/// The function behind a command, if there is one of that name.
pub fn find(command: &str) -> Option<fn()> {
    Some(match command {
        "panic" => panic,
        "abort" => abort,
        "segv" => write_to_null,
        "ill" => invalid_opcode,
        "fpe" => divide_by_zero,
        "trap" => breakpoint,
        "gpf" => read_not_canonical,
        "nx" => jump_into_data,
        "text" => write_to_code,
        "stack" => overflow_the_stack,
        _ => return None,
    })
}

fn panic() {
    panic!("as it was told");
}

fn abort() {
    process::abort()
}

fn write_to_null() {
    // SAFETY: page 0 is never mapped: the store does not complete, the process dies.
    unsafe { asm!("mov dword ptr [{address}], 1", address = in(reg) 0_u64) }
}

fn invalid_opcode() {
    // SAFETY: the process dies of it.
    unsafe { asm!("ud2") }
}

fn divide_by_zero() {
    // SAFETY: the process dies of it.
    unsafe {
        asm!(
            "div {divisor:e}",
            divisor = in(reg) 0_u32,
            inout("eax") 1_u32 => _,
            inout("edx") 0_u32 => _,
        );
    }
}

fn breakpoint() {
    // SAFETY: without a debugger the process dies of it; with one, nothing happens.
    unsafe { asm!("int3") }
}

fn read_not_canonical() {
    // SAFETY: no memory can be there: the load does not complete, the process dies.
    unsafe { asm!("mov {value}, [{address}]", value = out(reg) _, address = in(reg) 1_u64 << 63) }
}

fn jump_into_data() {
    static mut CODE: [u8; 16] = [0xc3; 16]; // `ret`: where data can be run, nothing happens.
    // SAFETY: data is not executable: the process dies; if it is, the code returns at once and
    // changes nothing.
    unsafe { asm!("call {code}", code = in(reg) &raw mut CODE, clobber_abi("C")) }
}

fn write_to_code() {
    // SAFETY: code is not writable: the process dies; if it is, the byte is replaced by itself.
    unsafe {
        asm!(
            "mov {byte}, [{address}]",
            "mov [{address}], {byte}",
            byte = out(reg_byte) _,
            address = in(reg) write_to_code as *const () as u64,
        );
    }
}

fn overflow_the_stack() {
    println!("{}", recurse(0));
}

/// Ends later than any stack, and its frame is small enough that no guard page is jumped over.
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    if depth == u64::MAX {
        return depth;
    }
    let frame = black_box([depth; 64]);
    recurse(black_box(depth + 1)).wrapping_add(black_box(frame)[0])
}
