//! # Lintel
//!
//! Makes an ordinary `std` program one ELF with two lives: run it, and it is a Linux process; give
//! it to `qemu-system-x86_64 -kernel`, and it is a virtual machine with nothing else inside.
//!
//! ```
//! use lintel as _; // links the kernel object; nothing else changes
//!
//! println!("Hello from either life");
//! ```
//!
//! Build with `cargo lintel build` (or with `-C target-feature=+crt-static -C
//! relocation-model=static`, which is all that the tool adds), run with `cargo lintel run`.
//!
//! Built in any other way the program is an ordinary Linux program, without the second life.
//!
//! The crate itself is empty: its build script compiles the library kernel into one object, with
//! every symbol localised but the boot entries, and names it to the linker.

#![no_std]
