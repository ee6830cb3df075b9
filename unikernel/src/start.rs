//! The start of a `no_std` program, in either life: from the initial stack to a Rust `main`.

use core::ffi::CStr;

/// The arguments, as the initial stack holds them (System V ABI, x86-64 supplement, 3.4.1).
#[derive(Clone, Copy, Debug)]
pub struct Args {
    stack: *const usize,
}

impl Args {
    /// The arguments on the stack that a process starts with.
    ///
    /// # Safety
    /// `stack` is the initial stack pointer; the words and strings behind it live for good.
    pub unsafe fn new(stack: *const usize) -> Self {
        Self { stack }
    }

    /// The arguments, the program's name first.
    pub fn iter(&self) -> impl Iterator<Item = &'static [u8]> {
        let stack = self.stack;
        // SAFETY: the first word is the count (`new`).
        let count = unsafe { stack.read() };
        (1..=count).map(move |index| {
            // SAFETY: as many pointers to C strings follow.
            unsafe { CStr::from_ptr(stack.add(index).read() as *const _) }.to_bytes()
        })
    }
}

/// Makes a function `fn(unikernel::start::Args) -> i32` the program's entry: `_start` calls it and
/// exits with what it returns.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        ::core::arch::global_asm!(
            ".globl _start",
            "_start:",
            "    mov rdi, rsp",
            "    xor ebp, ebp",
            "    and rsp, -16",
            "    call {start}",
            "    ud2",
            start = sym __lintel_start,
        );

        extern "C" fn __lintel_start(stack: *const usize) -> ! {
            // SAFETY: `_start` passes the stack pointer it was entered with.
            let args = unsafe { $crate::start::Args::new(stack) };
            let main: fn($crate::start::Args) -> i32 = $main;
            $crate::sys::exit(main(args))
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_from_the_stack() {
        let stack = [2, c"app".as_ptr() as usize, c"one".as_ptr() as usize, 0];
        // SAFETY: the array is laid out like an initial stack.
        let args = unsafe { Args::new(stack.as_ptr()) };
        assert_eq!(args.iter().collect::<Vec<_>>(), [&b"app"[..], b"one"]);
    }
}
