//! What is remembered of how the program was started, for those who ask later (`/proc`).

use super::AUXV;
use crate::elf::Elf;
use crate::sync::SpinLock;
use crate::time;
use alloc::vec::Vec;
use core::ops::Range;

/// How the program was started.
pub struct Record {
    /// The argument strings on the stack, each with its NUL, the program's name first.
    pub args: Range<usize>,
    /// The environment strings, right behind them.
    pub environment: Range<usize>,
    /// The stack pointer at the first instruction.
    pub stack: usize,
    /// The auxiliary vector.
    pub auxiliary: [(usize, usize); AUXV],
    /// The path that the program was started by.
    pub program: Vec<u8>,
    /// What the boot loader passed.
    pub command_line: &'static [u8],
    /// TSC at the start.
    started: u64,
}

static RECORD: SpinLock<Record> = SpinLock::new(Record {
    args: 0..0,
    environment: 0..0,
    stack: 0,
    auxiliary: [(0, 0); AUXV],
    program: Vec::new(),
    command_line: b"",
    started: 0,
});

/// Writes things down, at boot.
pub fn write(change: impl FnOnce(&mut Record)) {
    change(&mut RECORD.lock_no_irq());
}

/// Reads what was written down. The lock is held meanwhile: `look` copies and asks for nothing.
pub fn read<R>(look: impl FnOnce(&Record) -> R) -> R {
    look(&RECORD.lock_no_irq())
}

impl Record {
    /// Marks the program's start as now.
    pub fn starts(&mut self) {
        self.started = time::tsc();
    }

    /// CLOCK_MONOTONIC at the program's start, ns.
    pub fn started(&self) -> u64 {
        let ago = time::ticks_to_ns(time::tsc().wrapping_sub(self.started));
        time::monotonic_ns().saturating_sub(ago)
    }
}

/// Where the code and the data of an image are, as Linux's ELF loader sees it
/// (`load_elf_binary`): from the first to the last byte of executable segments that the file has;
/// and those of the last segment.
pub fn code_and_data(elf: Elf) -> (Range<usize>, Range<usize>) {
    let file = |segment: crate::elf::Program| {
        let start = segment.memory().start;
        (segment.flags & 1 != 0, start..start + segment.file_size())
    };
    let (mut code, mut data) = (None, 0..0);
    for (executable, range) in elf.segments().map(file) {
        if executable {
            let so_far: Range<usize> = code.unwrap_or(range.clone());
            code = Some(so_far.start.min(range.start)..so_far.end.max(range.end));
        }
        data = data.start.max(range.start)..data.end.max(range.end);
    }
    (code.unwrap_or(0..0), data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "needs the linker")]
    fn code_and_data_are_segments_of_this_very_program() {
        unsafe extern "C" {
            static __ehdr_start: u8;
        }
        // SAFETY: the linker's symbol is the header of the running test, which stays mapped. A
        // position-independent one has addresses from 0, which is all the same here.
        let elf = unsafe { Elf::at(&raw const __ehdr_start as usize) };
        let (code, data) = code_and_data(elf);
        assert!(code.contains(&elf.entry()), "{code:x?}");
        assert!(data.start >= code.end && data.len() > 16, "{data:x?}");
    }
}
