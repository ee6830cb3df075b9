//! One visit of a call site: what goes in, what must come out, what came out.

use crate::calls::Call;
use crate::pattern::Pattern;
use crate::sites::{self, Entry, Form, Site};
use crate::state::{ARGS, Frame, GPR_NAMES, R8, R11, RAX, RCX, SHARED};
use crate::xstate::Layout;

const CARRY: u64 = 1 << 0;
const PARITY: u64 = 1 << 2;
const ADJUST: u64 = 1 << 4;
const ZERO: u64 = 1 << 6;
const SIGN: u64 = 1 << 7;
const INTERRUPT: u64 = 1 << 9;
const DIRECTION: u64 = 1 << 10;
const OVERFLOW: u64 = 1 << 11;
const STATUS: u64 = CARRY | PARITY | ADJUST | ZERO | SIGN | OVERFLOW;

/// Stack pointers, in bytes off a page boundary: aligned, as a function finds it, odd.
const STACK_OFFSETS: [u64; 4] = [0, 8, 16, 1];

/// Results around the limit above which a result is an error.
const EDGES: [i64; 5] = [-4097, -4096, -4095, -1, 0];

/// A site, where to enter it and the call whose number and arguments are in the registers.
pub struct Visit<'a> {
    /// The site.
    pub site: &'a Site,
    /// Where it is entered.
    pub entry: Entry,
    /// The call it makes, or would make.
    pub call: &'a Call,
}

impl Visit<'_> {
    /// Runs the site in the middle of a fresh pattern and describes what is wrong behind it.
    pub fn run(&self, layout: &Layout, pattern: &mut Pattern) -> Vec<String> {
        let Some(target) = self.site.address(self.entry) else {
            return Vec::new();
        };
        let shared = SHARED.get();
        // SAFETY: one thread, and the assembly does not run while these borrows live; `target` is
        // an entry of the site; `Call` holds harmless calls; `prepare` makes a valid frame.
        unsafe {
            self.prepare(&mut (*shared).input, layout, pattern);
            (*shared).output = Frame::new();
            sites::run(target);
            self.check(&(*shared).input, &(*shared).output, layout)
        }
    }

    fn prepare(&self, input: &mut Frame, layout: &Layout, pattern: &mut Pattern) {
        layout.fill(&mut input.xstate, pattern);
        pattern.fill_words(&mut input.gpr);
        pattern.fill_words(&mut input.below);
        pattern.fill_words(&mut input.above);
        input.rsp = sites::stack_pointer(pattern.pick(&STACK_OFFSETS));
        input.flags = pattern.word() & STATUS | INTERRUPT | 2;
        for (&value, register) in self.call.args.iter().zip(ARGS) {
            input.gpr[register] = value;
        }
        match self.entry {
            Entry::Syscall => input.gpr[RAX] = self.call.number,
            Entry::First if self.site.form == Form::Fifth => input.gpr[RAX] = self.call.number,
            Entry::Compare if pattern.below(2) == 0 => input.gpr[RAX] = pattern.pick(&EDGES) as u64,
            _ => {}
        }
    }

    fn makes_call(&self) -> bool {
        self.site.form != Form::Spin && matches!(self.entry, Entry::First | Entry::Syscall)
    }

    fn check(&self, input: &Frame, output: &Frame, layout: &Layout) -> Vec<String> {
        let mut faults = self.check_registers(input, output);
        faults.extend(self.check_flow(input, output));
        if output.rsp != input.rsp {
            faults.push(format!("rsp: {:#x} -> {:#x}", input.rsp, output.rsp));
        }
        if output.below != input.below {
            faults.push(format!(
                "red zone: {:x?} -> {:x?}",
                input.below, output.below
            ));
        }
        if output.above != input.above {
            faults.push(format!(
                "stack above rsp: {:x?} -> {:x?}",
                input.above, output.above
            ));
        }
        faults.extend(layout.differences(&input.xstate, &output.xstate));
        faults
    }

    fn check_registers(&self, input: &Frame, output: &Frame) -> Vec<String> {
        let mut expected = input.gpr;
        if self.site.form == Form::Fifth && self.entry == Entry::First {
            expected[R8] = 39;
        }
        if self.makes_call() {
            expected[RAX] = self.call.result as u64;
            expected[RCX] = output.gpr[RCX];
            expected[R11] = output.gpr[R11];
        } else if self.site.form == Form::Spin {
            expected[R11] = 0;
        }
        GPR_NAMES
            .iter()
            .zip(expected.iter().zip(output.gpr))
            .filter(|(_, (expected, actual))| *expected != actual)
            .map(|(name, (expected, actual))| format!("{name}: {actual:#x}, not {expected:#x}"))
            .collect()
    }

    /// The flags and the way the conditional jump went.
    fn check_flow(&self, input: &Frame, output: &Frame) -> Vec<String> {
        let mut compared = STATUS | DIRECTION;
        let mut flags = input.flags;
        let mut branch = 1;
        if self.site.form == Form::Jumped && self.entry == Entry::Compare {
            branch = 2;
        }
        if self.site.form == Form::Spin {
            compared = DIRECTION;
        } else if self.site.form.sets_flags() && self.entry == Entry::First {
            flags = ZERO | PARITY;
            compared &= !ADJUST; // `xor` leaves it undefined.
        }
        if let Some((limit, or_equal)) = self.site.form.comparison() {
            if self.entry != Entry::Branch {
                flags = flags_of_comparison(output.gpr[RAX], limit as u64);
                compared |= ADJUST;
            }
            let above = flags & CARRY == 0 && (or_equal || flags & ZERO == 0);
            branch = if above { 2 } else { 1 };
        }
        let mut faults = Vec::new();
        if (flags ^ output.flags) & compared != 0 {
            faults.push(format!(
                "flags: {:#x}, not {flags:#x} in {compared:#x}",
                output.flags
            ));
        }
        if output.branch != branch {
            faults.push(format!("went way {}, not {branch}", output.branch));
        }
        faults
    }
}

/// The status flags behind `cmp left, right`.
fn flags_of_comparison(left: u64, right: u64) -> u64 {
    let (result, borrow) = left.overflowing_sub(right);
    let (_, overflow) = (left as i64).overflowing_sub(right as i64);
    let flag = |condition: bool, bit: u64| if condition { bit } else { 0 };
    flag(borrow, CARRY)
        | flag((result as u8).count_ones().is_multiple_of(2), PARITY)
        | flag((left ^ right ^ result) & 0x10 != 0, ADJUST)
        | flag(result == 0, ZERO)
        | flag((result as i64) < 0, SIGN)
        | flag(overflow, OVERFLOW)
}
