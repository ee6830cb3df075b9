//! The shim: three doors, one dispatch.
//!
//! 1. *direct*: [`crate::sys`] functions, ordinary inlined Rust calls;
//! 2. *lowered*: a `syscall` instruction rewritten into a jump to a trampoline that calls
//!    `lintel_shim_lowered` ([`crate::lower`]);
//! 3. *trapped*: everything else, through LSTAR to `lintel_shim_trapped`.
//!
//! Contract of doors 2 and 3, which is Linux's: every register but rax, rcx and r11 survives, the
//! vector state included, and so does the 128-byte red zone.

mod arg;
pub mod dispatch;
mod entry;
mod row;
pub mod table;
pub mod vdso;

pub use arg::{Arg, Handler};
pub use entry::{KERNEL_STACK, on_kernel_stack};
pub use row::{Class, LIMIT, Level, Row, is_declined};
pub use table::ROWS;
