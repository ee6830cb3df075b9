//! What a signal does: dispositions (rt_sigaction(2)) and defaults (signal(7)).

use super::{SIGCONT, SIGKILL, SIGSTOP, bit};
use crate::uaccess::Pod;

/// The default action.
pub const SIG_DFL: usize = 0;
/// Ignored.
pub const SIG_IGN: usize = 1;

/// Flags of a disposition.
pub mod flag {
    #![allow(missing_docs, reason = "the names are sigaction(2)'s own")]
    pub const NOCLDSTOP: u64 = 1;
    pub const NOCLDWAIT: u64 = 2;
    pub const SIGINFO: u64 = 4;
    pub const EXPOSE_TAGBITS: u64 = 0x800;
    pub const RESTORER: u64 = 0x0400_0000;
    pub const ONSTACK: u64 = 0x0800_0000;
    pub const RESTART: u64 = 0x1000_0000;
    pub const NODEFER: u64 = 0x4000_0000;
    pub const RESETHAND: u64 = 0x8000_0000;
    /// All that Linux knows; it forgets the others, SA_UNSUPPORTED among them.
    pub const ALL: u64 = NOCLDSTOP
        | NOCLDWAIT
        | SIGINFO
        | EXPOSE_TAGBITS
        | RESTORER
        | ONSTACK
        | RESTART
        | NODEFER
        | RESETHAND;
}

/// The kernel's sigaction (rt_sigaction(2), C library/kernel differences).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigAction {
    /// A function, [`SIG_DFL`] or [`SIG_IGN`].
    pub handler: usize,
    /// Bits of [`flag`].
    pub flags: u64,
    /// Where the handler returns to.
    pub restorer: usize,
    /// Signals blocked while it runs.
    pub mask: u64,
}

// SAFETY: a repr(C) struct of integers.
unsafe impl Pod for SigAction {}

impl SigAction {
    /// What every signal does at first.
    pub const DEFAULT: Self = Self {
        handler: SIG_DFL,
        flags: 0,
        restorer: 0,
        mask: 0,
    };

    /// Whether the program has a function for it.
    pub const fn is_handler(&self) -> bool {
        self.handler > SIG_IGN
    }

    /// Whether signal `number` disappears when it has this disposition.
    pub const fn ignores(&self, number: u32) -> bool {
        match self.handler {
            SIG_IGN => true,
            SIG_DFL => matches!(default(number), Default::Ignore),
            _ => false,
        }
    }

    /// As it is kept: without unknown flags and without what cannot be blocked.
    pub const fn sanitised(mut self) -> Self {
        self.flags &= flag::ALL;
        self.mask &= !UNBLOCKABLE;
        self
    }
}

/// SIGKILL and SIGSTOP.
pub const UNBLOCKABLE: u64 = bit(SIGKILL) | bit(SIGSTOP);

/// Stop signals: SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU.
pub const STOPS: u64 = bit(19) | bit(20) | bit(21) | bit(22);

/// Signals of instructions: SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS.
pub const SYNCHRONOUS: u64 = bit(11) | bit(7) | bit(4) | bit(5) | bit(8) | bit(31);

/// What a signal without a handler does (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// Ends the process.
    Terminate,
    /// Ends the process with a report, where Linux writes a core file.
    Core,
    /// Nothing.
    Ignore,
    /// Stops the process until SIGCONT.
    Stop,
}

/// The default action of signal `number`.
pub const fn default(number: u32) -> Default {
    match number {
        // SIGCHLD, SIGURG, SIGWINCH; SIGCONT continues when it is sent, and then is nothing.
        17 | 23 | 28 | SIGCONT => Default::Ignore,
        19..=22 => Default::Stop,
        3..=8 | 11 | 24 | 25 | 31 => Default::Core,
        _ => Default::Terminate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_flags_and_unblockable_signals_are_forgotten() {
        let action = SigAction {
            flags: !0,
            mask: !0,
            ..SigAction::DEFAULT
        };
        let kept = action.sanitised();
        assert_eq!(kept.flags & 0x400, 0);
        assert_eq!(kept.flags, libc::SA_SIGINFO as u64 | 0xdc00_0803);
        assert_eq!(!kept.mask, 1 << 8 | 1 << 18);
    }

    #[test]
    fn defaults_are_those_of_the_manual() {
        let of = |default| (1..=64).filter(move |&n| super::default(n) == default);
        assert_eq!(of(Default::Ignore).collect::<Vec<_>>(), [17, 18, 23, 28]);
        assert_eq!(of(Default::Stop).collect::<Vec<_>>(), [19, 20, 21, 22]);
        let core = [3, 4, 5, 6, 7, 8, 11, 24, 25, 31];
        assert_eq!(of(Default::Core).collect::<Vec<_>>(), core);
        assert!(SigAction::DEFAULT.ignores(17) && !SigAction::DEFAULT.ignores(15));
    }
}
