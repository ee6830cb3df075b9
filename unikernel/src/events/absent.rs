//! The debug events when they are not compiled in: every hook is empty. Code that nothing calls would
//! not be linked, but its mere presence changes what the compiler inlines elsewhere.

use crate::errno::Errno;
use crate::options::Options;
use crate::platform::Interrupt;

/// Not compiled in.
pub const ENABLED: bool = false;

/// Nothing.
#[inline(always)]
pub fn init(_options: &Options) {}

/// Just runs it.
#[inline(always)]
pub fn around(_number: u32, _args: [usize; 6], run: impl FnOnce() -> isize) -> isize {
    run()
}

/// Just runs it.
#[inline(always)]
pub fn irq(_vector: u8, run: impl FnOnce() -> Interrupt) -> Interrupt {
    run()
}

/// Just runs it.
#[inline(always)]
pub fn fault(_vector: u64, _error: u64, _rip: u64, _rsp: u64, run: impl FnOnce() -> bool) -> bool {
    run()
}

/// Just runs it.
#[inline(always)]
pub fn lowering(_site: usize, run: impl FnOnce() -> Result<(), Errno>) -> Result<(), Errno> {
    run()
}

/// Nothing.
#[inline(always)]
pub fn write() {}

/// Nothing.
#[inline(always)]
pub fn finish() {}

/// Nothing.
#[inline(always)]
pub fn report_last() {}

/// Nothing is kept of a call.
#[derive(Debug)]
pub struct Call;

impl Call {
    /// Nothing.
    #[allow(clippy::new_without_default, reason = "as in the events")]
    pub const fn new() -> Self {
        Self
    }
}

/// Nothing.
#[inline(always)]
pub fn switched(_from: (&Call, i32), _to: (&Call, i32)) {}
