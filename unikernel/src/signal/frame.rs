//! The frame that a handler gets, as Linux lays it out on x86-64 (arch/x86/kernel/signal_64.c).
//!
//! From higher addresses to lower: the red zone, the XSAVE area (a multiple of 64, with the words
//! that say how large it is), and `rt_sigframe`: return address, `ucontext_t`, `siginfo_t`. The
//! handler starts as if it had been called by its restorer.

mod enter;
mod leave;

pub(super) use enter::{Delivery, enter};
pub(super) use leave::leave;

use super::{AltStack, Trap};
use crate::irq::Frame;
use core::mem::{offset_of, size_of};

/// `struct sigcontext`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Context {
    r8_to_15: [u64; 8],
    rdi: u64,
    rsi: u64,
    rbp: u64,
    rbx: u64,
    rdx: u64,
    rax: u64,
    rcx: u64,
    rsp: u64,
    rip: u64,
    flags: u64,
    cs: u16,
    gs: u16,
    fs: u16,
    ss: u16,
    error: u64,
    vector: u64,
    old_mask: u64,
    cr2: u64,
    fpstate: usize,
    _reserved: [u64; 8],
}

/// `struct ucontext`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct UserContext {
    flags: u64,
    link: u64,
    stack: AltStack,
    context: Context,
    mask: u64,
}

/// `struct rt_sigframe`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SignalFrame {
    restorer: usize,
    user: UserContext,
    info: [u64; 16],
}

const _: () = {
    assert!(size_of::<Context>() == 256 && size_of::<UserContext>() == 304);
    assert!(size_of::<SignalFrame>() == 440 && offset_of!(SignalFrame, info) == 312);
};

/// Of the XSAVE area, the words that software may use (`struct _fpx_sw_bytes`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    magic: u32,
    extended_size: u32,
    components: u64,
    size: u32,
    _padding: [u32; 7],
}

/// Where [`Extent`] is in an XSAVE area.
const EXTENT: usize = 464;
/// Where the header of an XSAVE area is; its first word says which components are there.
const HEADER: usize = 512;
const MAGIC_1: u32 = 0x4650_5853;
const MAGIC_2: u32 = 0x4650_5845;

/// `uc_flags`: the XSAVE area is there, `ss` is kept, and is restored strictly.
const UC_FLAGS: u64 = 1 | 2 | 4;

/// 64-bit code and data segments of Linux, which programs see whatever ours are.
const USER_CS: u16 = 0x33;
const USER_SS: u16 = 0x2b;

/// Flags that a program may change by a frame: CF, PF, AF, ZF, SF, TF, DF, OF, RF, AC.
const FIX_FLAGS: u64 = 0x0005_0dd5;
/// Not AC: it would make the library's own accesses fault.
const AC: u64 = 1 << 18;
/// RF, DF, TF: cleared for a handler.
const NOT_IN_HANDLER: u64 = 1 << 16 | 1 << 10 | 1 << 8;

/// The x87 and SSE components.
const LEGACY: u64 = 3;

const RED_ZONE: u64 = 128;

impl Context {
    fn of(f: &Frame, mask: u64, fpstate: usize, trap: &Trap) -> Self {
        Self {
            r8_to_15: [f.r8, f.r9, f.r10, f.r11, f.r12, f.r13, f.r14, f.r15],
            rdi: f.rdi,
            rsi: f.rsi,
            rbp: f.rbp,
            rbx: f.rbx,
            rdx: f.rdx,
            rax: f.rax,
            rcx: f.rcx,
            rsp: f.rsp,
            rip: f.rip,
            flags: f.rflags,
            cs: USER_CS,
            gs: 0,
            fs: 0,
            ss: USER_SS,
            error: trap.error,
            vector: trap.vector,
            old_mask: mask,
            cr2: trap.cr2,
            fpstate,
            _reserved: [0; 8],
        }
    }

    /// Into the registers, as far as a program may; whether it may.
    fn restore(&self, f: &mut Frame) -> bool {
        [f.r8, f.r9, f.r10, f.r11, f.r12, f.r13, f.r14, f.r15] = self.r8_to_15;
        (f.rdi, f.rsi, f.rbp, f.rbx) = (self.rdi, self.rsi, self.rbp, self.rbx);
        (f.rdx, f.rax, f.rcx, f.rsp) = (self.rdx, self.rax, self.rcx, self.rsp);
        f.rip = self.rip;
        f.rflags = (f.rflags & !FIX_FLAGS) | self.flags & FIX_FLAGS & !AC;
        // IRETQ would raise #GP at any other segment, and at an address that is not canonical.
        self.cs | 3 == USER_CS && self.ss | 3 == USER_SS && is_canonical(self.rip)
    }
}

/// Whether an address has 48 significant bits.
const fn is_canonical(address: u64) -> bool {
    ((address as i64) << 16 >> 16) as u64 == address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_the_c_librarys() {
        use libc::{REG_CR2, REG_CSGSFS, REG_EFL, REG_R8, REG_RIP, REG_RSP, mcontext_t};
        let at = |register: libc::c_int| offset_of!(mcontext_t, gregs) + 8 * register as usize;
        assert_eq!(offset_of!(Context, r8_to_15), at(REG_R8));
        assert_eq!(offset_of!(Context, rdi), at(libc::REG_RDI));
        assert_eq!(offset_of!(Context, rcx), at(libc::REG_RCX));
        assert_eq!(offset_of!(Context, rsp), at(REG_RSP));
        assert_eq!(offset_of!(Context, rip), at(REG_RIP));
        assert_eq!(offset_of!(Context, flags), at(REG_EFL));
        assert_eq!(offset_of!(Context, cs), at(REG_CSGSFS));
        assert_eq!(offset_of!(Context, error), at(libc::REG_ERR));
        assert_eq!(offset_of!(Context, vector), at(libc::REG_TRAPNO));
        assert_eq!(offset_of!(Context, old_mask), at(libc::REG_OLDMASK));
        assert_eq!(offset_of!(Context, cr2), at(REG_CR2));
        assert_eq!(offset_of!(Context, fpstate), offset_of!(mcontext_t, fpregs));
        use libc::ucontext_t;
        let same = [
            (
                offset_of!(UserContext, stack),
                offset_of!(ucontext_t, uc_stack),
            ),
            (
                offset_of!(UserContext, context),
                offset_of!(ucontext_t, uc_mcontext),
            ),
            (
                offset_of!(UserContext, mask),
                offset_of!(ucontext_t, uc_sigmask),
            ),
        ];
        assert!(same.iter().all(|(ours, theirs)| ours == theirs), "{same:?}");
    }

    #[test]
    fn addresses_and_flags_are_checked() {
        assert!(is_canonical(0) && is_canonical(0x7fff_ffff_ffff) && is_canonical(!0));
        assert!(!is_canonical(0x8000_0000_0000) && !is_canonical(1 << 63));
        // IOPL, IF, NT, VM, VIF, VIP, ID are not a program's to change.
        assert_eq!(
            FIX_FLAGS & (3 << 12 | 1 << 9 | 1 << 14 | 0xf << 17 & !AC),
            0
        );
    }
}
