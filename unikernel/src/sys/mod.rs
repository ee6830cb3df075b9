//! System calls, one handler each, reading like its man page; and the *direct* door.
//!
//! The functions of this module itself are the direct door: ordinary Rust calls that inline. In
//! the native life, where no kernel runs underneath, they make the real system call instead.

pub mod clock;
pub mod copy;
pub mod dir;
pub mod event;
pub mod family;
pub mod fast;
pub mod file;
pub mod futex;
pub mod identity;
pub mod memfd;
pub mod memory;
pub mod mount;
pub mod pipe;
pub mod poll;
pub mod prctl;
pub mod process;
pub mod random;
pub mod sched;
pub mod signal;
pub mod socket;
pub mod space;
pub mod thread;
pub mod timer;
pub mod xattr;

use crate::platform::registered;
use crate::shim::table;
use core::arch::asm;
use linux_raw_sys::general as abi;

/// Makes a system call through the direct door: with a constant `number` the dispatch disappears.
///
/// # Safety
/// As for syscall(2): the arguments must be what the call expects, since it may write memory.
#[inline(always)]
pub unsafe fn syscall(number: u32, args: [usize; 6]) -> isize {
    if registered() {
        table::direct(number, args)
    } else {
        // SAFETY: the caller's.
        unsafe { native(number, args) }
    }
}

/// The `syscall` instruction, for the native life.
///
/// # Safety
/// As for [`syscall`].
#[inline]
unsafe fn native(number: u32, args: [usize; 6]) -> isize {
    let result;
    // SAFETY: the register contract of the Linux system call ABI; the effect is the caller's.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as usize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack)
        );
    }
    result
}

/// getpid(2).
#[inline(always)]
pub fn getpid() -> i32 {
    // SAFETY: the call takes no argument and touches no memory.
    unsafe { syscall(abi::__NR_getpid, [0; 6]) as i32 }
}

/// write(2): bytes written, or a negative error number.
#[inline(always)]
pub fn write(fd: i32, bytes: &[u8]) -> isize {
    let args = [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0];
    // SAFETY: the range is a live slice, which the call only reads.
    unsafe { syscall(abi::__NR_write, args) }
}

/// clock_gettime(2) of CLOCK_MONOTONIC, in nanoseconds.
pub fn monotonic_ns() -> u64 {
    let mut now = [0u64; 2];
    let args = [
        abi::CLOCK_MONOTONIC as usize,
        now.as_mut_ptr() as usize,
        0,
        0,
        0,
        0,
    ];
    // SAFETY: the call writes two words, a timespec, to `now`.
    unsafe { syscall(abi::__NR_clock_gettime, args) };
    now[0] * crate::time::NANOS + now[1]
}

/// exit_group(2).
pub fn exit(code: i32) -> ! {
    // SAFETY: the call ends the program.
    unsafe { syscall(abi::__NR_exit_group, [code as usize, 0, 0, 0, 0, 0]) };
    unreachable!("exit_group returned")
}
