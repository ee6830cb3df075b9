//! The machine state that is loaded before a call site and stored behind it.

use std::cell::UnsafeCell;

/// Room for the standard XSAVE format up to and including `zmm16`-`zmm31`.
pub const XSTATE_SIZE: usize = 4096;
/// Words checked on each side of the stack pointer; below it they are the red zone.
pub const STACK_WORDS: usize = 16;
/// The order of the general registers in [`Frame::gpr`].
pub const GPR_NAMES: [&str; 15] = [
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];
/// Index of `rax` in [`Frame::gpr`].
pub const RAX: usize = 0;
/// Index of `rcx` in [`Frame::gpr`].
pub const RCX: usize = 2;
/// Index of `r8` in [`Frame::gpr`].
pub const R8: usize = 7;
/// Index of `r11` in [`Frame::gpr`].
pub const R11: usize = 10;
/// Where the six arguments of a system call go in [`Frame::gpr`]: rdi, rsi, rdx, r10, r8, r9.
pub const ARGS: [usize; 6] = [5, 4, 3, 9, 7, 8];

/// Everything an instruction sequence can see or change.
#[derive(Clone)]
#[repr(C, align(64))]
pub struct Frame {
    /// FXSAVE or XSAVE image: x87, mxcsr, xmm, and ymm, opmask, zmm where the processor has them.
    pub xstate: [u8; XSTATE_SIZE],
    /// The general registers but `rsp`, in the order of [`GPR_NAMES`].
    pub gpr: [u64; 15],
    /// The stack pointer.
    pub rsp: u64,
    /// The flags register.
    pub flags: u64,
    /// The red zone, from `rsp - 128` upwards.
    pub below: [u64; STACK_WORDS],
    /// The stack from `rsp` upwards.
    pub above: [u64; STACK_WORDS],
    /// Which way the code went: 1 straight on, 2 the conditional jump was taken.
    pub branch: u64,
}

impl Frame {
    /// All zero.
    pub const fn new() -> Self {
        Self {
            xstate: [0; XSTATE_SIZE],
            gpr: [0; 15],
            rsp: 0,
            flags: 0,
            below: [0; STACK_WORDS],
            above: [0; STACK_WORDS],
            branch: 0,
        }
    }
}

/// What the assembly reads and writes.
#[repr(C, align(64))]
pub struct Shared {
    /// Loaded before the jump to `target`.
    pub input: Frame,
    /// Stored behind it.
    pub output: Frame,
    /// The test program's own vector state, put back at the end.
    pub saved: [u8; XSTATE_SIZE],
    /// The test program's own stack pointer.
    pub saved_rsp: u64,
    /// Where to jump.
    pub target: u64,
    /// The XSAVE components to load and store.
    pub xmask: u32,
    /// Non-zero: XSAVE can be used; otherwise FXSAVE.
    pub use_xsave: u32,
}

/// A static that only this single-threaded program's one user touches.
#[repr(transparent)]
pub struct Cell<T>(UnsafeCell<T>);

// SAFETY: the program has one thread.
unsafe impl<T> Sync for Cell<T> {}

impl<T> Cell<T> {
    /// Holds `value`.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The address of the value.
    pub const fn get(&self) -> *mut T {
        self.0.get()
    }
}

/// The one [`Shared`], reached by the assembly relative to `rip`.
pub static SHARED: Cell<Shared> = Cell::new(Shared {
    input: Frame::new(),
    output: Frame::new(),
    saved: [0; XSTATE_SIZE],
    saved_rsp: 0,
    target: 0,
    xmask: 0,
    use_xsave: 0,
});

/// Bytes of the stack that call sites run on.
pub const STACK_SIZE: usize = 64 << 10;

/// The stack that call sites run on.
#[repr(C, align(4096))]
pub struct Stack([u8; STACK_SIZE]);

/// The one [`Stack`].
pub static STACK: Cell<Stack> = Cell::new(Stack([0; STACK_SIZE]));
