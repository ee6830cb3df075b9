//! The profiler as if it had never been written: what a build with the profiler compiled out is
//! compared with, instruction by instruction (`--cfg lintel_without_profiler`).

/// Never compiled in.
pub const ENABLED: bool = false;

/// The way a call came in; nobody asks.
#[allow(missing_docs)]
pub enum Door {
    Direct,
}

/// What a cost would be accounted to; nobody asks.
#[allow(missing_docs)]
pub enum Cause {
    PortSerial,
    PortDebugcon,
    PortPit,
    PortPic,
    PortRtc,
    PortOther,
    Halt,
    Msr,
    Cpuid,
    Flush,
    IrqTimer,
    IrqConsole,
    IrqSpurious,
    PageFault,
    ProtectionFault,
    OtherFault,
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
pub fn idled(_ticks: u64) {}

/// Nothing.
#[inline(always)]
pub fn set_port(_port: u16) {}

/// Nothing.
#[inline(always)]
pub fn dump() {}
