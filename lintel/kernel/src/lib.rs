//! The kernel object: where the library meets its platforms.
//!
//! For `std` and C applications this crate becomes one relocatable object with every symbol
//! localised (`lintel`'s build script); a `no_std` application depends on it as on any crate. It
//! holds what exactly one crate of a program may define: the allocator, the panic handler, the
//! `mem*` functions, and the entry from the boot code.

#![no_std]

#[cfg(panic = "abort")]
mod runtime;

use platform_qemu::boot::{Record, info};
use unikernel::process;

/// Entered in ring 3 from the boot code, on the kernel stack.
///
/// # Safety
/// Called once, by the boot code, with its record.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lintel_main(record: &Record) -> ! {
    // SAFETY: the boot code maps the first GiB and fills the record.
    let info = unsafe { info(record) };
    process::start(platform_kvm::detect(), &info)
}
