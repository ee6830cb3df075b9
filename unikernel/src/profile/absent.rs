//! The profiler when it is not compiled in: every hook is empty. Code that nothing calls would not
//! be linked, but its mere presence changes what the compiler inlines elsewhere.

/// Not compiled in.
pub const ENABLED: bool = false;

/// The way a call came in; nobody asks.
#[allow(missing_docs)]
pub enum Door {
    Direct,
}

/// What a cost would be accounted to; nobody asks.
#[allow(missing_docs)]
pub enum Cause {
    Halt,
    Msr,
    Apic,
    Cpuid,
    Flush,
    IrqTimer,
    IrqTick,
    IrqConsole,
    IrqSpurious,
    Trap,
}

/// Just runs it.
#[inline(always)]
pub fn around(_number: u32, _door: Option<Door>, run: impl FnOnce() -> isize) -> isize {
    run()
}

/// Just runs it.
#[inline(always)]
pub fn caused<R>(_cause: Cause, run: impl FnOnce() -> R) -> R {
    run()
}

/// Nothing.
#[inline(always)]
pub fn not_returning(_number: u32) {}

/// Nothing.
#[inline(always)]
pub fn trapping() {}

/// Nothing.
#[inline(always)]
pub fn idled(_since: u64) {}

/// Nothing.
#[inline(always)]
pub fn set_port(_port: u16) {}

/// Nothing.
#[inline(always)]
pub fn dump() {}

/// Nothing.
#[inline(always)]
pub fn interrupted(_rip: usize) {}

/// Nothing.
#[inline(always)]
pub fn asked() {}

/// Nothing.
#[inline(always)]
pub fn safe_point() {}

/// Just runs it.
#[inline(always)]
pub fn unmeasured<R>(run: impl FnOnce() -> R) -> R {
    run()
}

/// Just runs it.
#[inline(always)]
pub fn port<R>(_port: u16, run: impl FnOnce() -> R) -> R {
    run()
}

/// Just runs it.
#[inline(always)]
pub fn fault<R>(_vector: u64, run: impl FnOnce() -> R) -> R {
    run()
}

/// Nothing is kept of a call.
#[derive(Debug)]
pub struct Call;

impl Call {
    /// Nothing.
    #[allow(clippy::new_without_default, reason = "as in the profiler")]
    pub const fn new() -> Self {
        Self
    }
}

/// Nothing.
#[inline(always)]
pub fn switched(_from: &Call, _to: &Call) {}
