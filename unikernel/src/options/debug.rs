//! `lintel.debug=`: what is to be told beside the program's own output.

use crate::events;

/// What is asked for, as bits. The first six names are *reports*: a summary each, at boot or at
/// exit, on the control channel. The others are *events*: each single one, in the order in which
/// they happened (module `events`, feature `events`). The names of the events are plural where a
/// report of the singular exists: `irq` counts interrupts, `irqs` lists them; `lower` sums up the
/// rewriting of `syscall` sites, `lowering` lists the attempts. The last name is neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Debug(u32);

impl Debug {
    /// Each at the position of its bit.
    const NAMES: [&'static str; 12] = [
        "boot", "lower", "syscalls", "console", "clock", "irq", "strace", "irqs", "faults",
        "lowering", "sched", "panic",
    ];
    /// Nothing.
    pub const ALL_OFF: Self = Self(0);
    /// Report what boot found.
    pub const BOOT: Self = Self(1);
    /// Report lowered and trapped sites at exit.
    pub const LOWER: Self = Self(2);
    /// Report unimplemented calls at exit.
    pub const SYSCALLS: Self = Self(4);
    /// Report monitor calls made for the console at exit.
    pub const CONSOLE: Self = Self(8);
    /// Compare all clock sources at boot.
    pub const CLOCK: Self = Self(16);
    /// Report interrupts at exit.
    pub const IRQ: Self = Self(32);
    /// An event for each system call.
    pub const STRACE: Self = Self(64);
    /// An event for each interrupt.
    pub const IRQS: Self = Self(128);
    /// An event for each exception.
    pub const FAULTS: Self = Self(256);
    /// An event for each attempt to lower a site.
    pub const LOWERING: Self = Self(512);
    /// An event for each switch of threads.
    pub const SCHED: Self = Self(1024);
    /// Panic before the program's first instruction: what reads a crash can be tried on one.
    pub const PANIC: Self = Self(2048);

    /// Reads a list of names with commas between them.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let parts = value.split(|&c| c == b',').filter(|part| !part.is_empty());
        let bit = |part: &[u8]| match part {
            // No report has this name, so the singular can mean nothing else.
            b"fault" => Some(Self::FAULTS.0),
            _ => {
                let at = |name: &&str| name.as_bytes() == part;
                Some(1 << Self::NAMES.iter().position(at)?)
            }
        };
        parts
            .map(bit)
            .try_fold(0, |set, bit| Some(set | bit?))
            .map(Self)
    }

    /// Whether `other` is asked for.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Itself, unless it has events and this kernel was built without.
    pub fn built(self) -> Option<Self> {
        (events::ENABLED || self.events() == Self::ALL_OFF).then_some(self)
    }

    /// The events alone.
    pub const fn events(self) -> Self {
        let calls = Self::STRACE.0 | Self::LOWERING.0;
        Self(self.0 & (calls | Self::IRQS.0 | Self::FAULTS.0 | Self::SCHED.0))
    }

    /// The bits.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bits() {
        let parsed = Debug::parse(b"lower,strace,irqs").unwrap();
        assert!(parsed.has(Debug::LOWER) && parsed.has(Debug::STRACE) && parsed.has(Debug::IRQS));
        assert!(!parsed.has(Debug::IRQ) && !parsed.has(Debug::LOWERING));
        assert_eq!(parsed.events().bits(), 64 + 128);
        assert_eq!(Debug::parse(b"faults,lowering").unwrap().bits(), 256 + 512);
        assert_eq!(Debug::parse(b"fault"), Some(Debug::FAULTS));
        assert_eq!(Debug::parse(b""), Some(Debug::ALL_OFF));
        assert_eq!(Debug::parse(b"sched"), Some(Debug::SCHED));
        assert_eq!(Debug::parse(b"panic"), Some(Debug::PANIC));
        assert_eq!(Debug::PANIC.events(), Debug::ALL_OFF);
        assert_eq!(Debug::parse(b"nothing"), None);
    }
}
