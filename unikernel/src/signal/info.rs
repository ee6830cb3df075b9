//! What a signal says about itself: `siginfo_t` (sigaction(2)).

use crate::errno::Errno;
use crate::uaccess::{Pod, UserPtr, UserSlice};

/// Where a signal is from (`si_code`; include/uapi/asm-generic/siginfo.h).
pub mod code {
    #![allow(missing_docs, reason = "the names are sigaction(2)'s own")]
    pub const SI_USER: i32 = 0;
    pub const SI_KERNEL: i32 = 0x80;
    pub const SI_QUEUE: i32 = -1;
    pub const SI_TIMER: i32 = -2;
    pub const SI_TKILL: i32 = -6;
    pub const ILL_ILLOPN: i32 = 2;
    pub const FPE_INTDIV: i32 = 1;
    pub const FPE_FLTDIV: i32 = 3;
    pub const FPE_FLTOVF: i32 = 4;
    pub const FPE_FLTUND: i32 = 5;
    pub const FPE_FLTRES: i32 = 6;
    pub const FPE_FLTINV: i32 = 7;
    pub const SEGV_MAPERR: i32 = 1;
    pub const SEGV_ACCERR: i32 = 2;
    pub const BUS_ADRALN: i32 = 1;
    pub const BUS_ADRERR: i32 = 2;
    pub const TRAP_TRACE: i32 = 2;
}

/// The part of a `siginfo_t` that is ever filled: 48 of 128 bytes, the rest is zero (Linux's
/// `kernel_siginfo_t`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SigInfo {
    /// The signal's number.
    pub signo: i32,
    /// An error number; hardly ever used.
    pub errno: i32,
    /// Where it is from.
    pub code: i32,
    _pad: i32,
    /// The union: what depends on `code`.
    pub fields: [u64; 4],
}

// SAFETY: a repr(C) struct of integers, the padding named.
unsafe impl Pod for SigInfo {}
// SAFETY: an array of integers.
unsafe impl Pod for [u64; 16] {}

/// Size of a `siginfo_t` in bytes.
pub const SIZE: usize = 128;

impl SigInfo {
    /// A signal with nothing more to say than `code`.
    pub const fn new(signo: i32, code: i32) -> Self {
        Self {
            signo,
            errno: 0,
            code,
            _pad: 0,
            fields: [0; 4],
        }
    }

    /// From the kernel, without a sender.
    pub const fn kernel(signo: i32) -> Self {
        Self::new(signo, code::SI_KERNEL)
    }

    /// From a process: its id and real user.
    pub const fn from_process(signo: i32, code: i32, pid: i32, uid: u32) -> Self {
        let mut info = Self::new(signo, code);
        info.fields[0] = pid as u32 as u64 | (uid as u64) << 32;
        info
    }

    /// A fault at `address`.
    pub const fn fault(signo: i32, code: i32, address: usize) -> Self {
        let mut info = Self::new(signo, code);
        info.fields[0] = address as u64;
        info
    }

    /// From a POSIX timer: its id, expirations missed, and the value that it was given.
    pub const fn timer(signo: i32, id: i32, overrun: i32, value: u64) -> Self {
        let mut info = Self::new(signo, code::SI_TIMER);
        info.fields[0] = id as u32 as u64 | (overrun as u32 as u64) << 32;
        info.fields[1] = value;
        info
    }

    /// Whether both are from one POSIX timer.
    pub const fn is_of_same_timer(&self, other: &Self) -> bool {
        self.signo == other.signo
            && self.code == code::SI_TIMER
            && self.fields[0] as u32 == other.fields[0] as u32
    }

    /// Of a POSIX timer: expirations missed.
    pub const fn overrun(&self) -> u64 {
        self.fields[0] >> 32
    }

    /// Sets them; there are at most 2^31-1 (DELAYTIMER_MAX).
    pub fn set_overrun(&mut self, overrun: u64) {
        let overrun = overrun.min(i32::MAX as u64);
        self.fields[0] = self.fields[0] & 0xffff_ffff | overrun << 32;
    }

    /// As a whole `siginfo_t`.
    pub const fn words(&self) -> [u64; SIZE / 8] {
        let mut words = [0; SIZE / 8];
        words[0] = self.signo as u32 as u64 | (self.errno as u32 as u64) << 32;
        words[1] = self.code as u32 as u64;
        let mut i = 0;
        while i < self.fields.len() {
            words[2 + i] = self.fields[i];
            i += 1;
        }
        words
    }

    /// Reads what a program made up for `signo`. `E2BIG` when it fills more than there is and
    /// `code` does not say with what.
    pub fn read(signo: i32, from: UserPtr<Self>) -> Result<Self, Errno> {
        let mut info = from.read()?;
        let mut rest = [0u8; SIZE - size_of::<Self>()];
        if UserSlice::new(from.add(1).address(), rest.len()).read(&mut rest)? != rest.len() {
            return Err(Errno::EFAULT);
        }
        info.signo = signo;
        if rest != [0; SIZE - size_of::<Self>()] && !is_known(signo, info.code) {
            return Err(Errno::E2BIG);
        }
        Ok(info)
    }
}

/// Whether the layout that goes with `code` is known (Linux's `known_siginfo_layout`).
fn is_known(signo: i32, code: i32) -> bool {
    let most = match signo {
        4 => 11,
        8 => 15,
        11 => 10,
        7 => 5,
        31 => 2,
        _ => 6,
    };
    code == code::SI_KERNEL || (-7..=most).contains(&code) || code == -60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_where_the_c_library_has_them() {
        let words = SigInfo::from_process(10, code::SI_QUEUE, -3, 7).words();
        // SAFETY: a siginfo_t is 128 bytes of integers.
        let info: libc::siginfo_t = unsafe { core::mem::transmute(words) };
        assert_eq!((info.si_signo, info.si_code, info.si_errno), (10, -1, 0));
        // SAFETY: the fields of SI_QUEUE are filled.
        assert_eq!(unsafe { (info.si_pid(), info.si_uid()) }, (-3, 7));
        let words = SigInfo::fault(11, code::SEGV_MAPERR, 0x1234).words();
        // SAFETY: as above, and SIGSEGV has an address.
        let info: libc::siginfo_t = unsafe { core::mem::transmute(words) };
        // SAFETY: as above.
        assert_eq!(unsafe { info.si_addr() } as usize, 0x1234);
    }

    #[test]
    fn what_a_program_makes_up_must_be_understood() {
        let read = |code: i32, last: u64| {
            let mut words = SigInfo::new(5, code).words();
            words[15] = last;
            SigInfo::read(12, UserPtr::new(words.as_ptr() as usize))
        };
        assert_eq!(read(code::SI_QUEUE, 1).map(|info| info.signo), Ok(12));
        assert_eq!(read(99, 1), Err(Errno::E2BIG));
        assert_eq!(read(99, 0).map(|info| info.code), Ok(99));
    }
}
