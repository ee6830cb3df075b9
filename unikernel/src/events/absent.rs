//! The debug events as if they had never been written: what a build with the events compiled out
//! is compared with, instruction by instruction (`--cfg lintel_without_profiler`).

use crate::errno::Errno;
use crate::options::Options;
use crate::platform::Interrupt;

/// Never compiled in.
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
pub fn irq(_vector: u8, run: impl FnOnce() -> Interrupt) {
    run();
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
pub fn idle() {}

/// Nothing.
#[inline(always)]
pub fn finish() {}

/// Nothing.
#[inline(always)]
pub fn report_last() {}
