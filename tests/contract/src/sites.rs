//! The call sites (`sites.s`) and the code around them (`harness.s`).

use crate::state::{SHARED, STACK, STACK_SIZE, Shared};
use std::mem::offset_of;

/// Forms of call site. The discriminants are in the table that `sites.s` builds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Form {
    /// `mov eax, N; syscall; cmp rax, -4095; jae`
    Minus4095 = 0,
    /// `mov eax, N; syscall; cmp rax, -4096; ja`
    Minus4096 = 1,
    /// `mov eax, N; syscall`, then something else.
    Bare = 2,
    /// `mov rax, N; syscall`: the number in the seven-byte encoding.
    Long = 3,
    /// `xor eax, eax; syscall; cmp rax, -4096; ja`
    XorCompared = 4,
    /// `xor eax, eax; syscall`, then something else.
    Xor = 5,
    /// `syscall` alone.
    Naked = 6,
    /// As [`Form::Minus4096`]; `syscall` straddles two pages.
    Page = 7,
    /// As [`Form::Minus4096`]; the number straddles two cache lines.
    Line = 8,
    /// No `syscall`: a loop.
    Spin = 9,
    /// `mov r8d, 39; syscall`: no number is set, though the last bytes read as if.
    Fifth = 10,
    /// `mov eax, N; syscall; jmp`; what stands behind the jump is an entry, too.
    Jumped = 11,
}

impl Form {
    /// The comparison behind the instruction: its operand, and whether the jump is `jae`.
    pub fn comparison(self) -> Option<(i64, bool)> {
        match self {
            Self::Minus4095 => Some((-4095, true)),
            Self::Minus4096 | Self::XorCompared | Self::Page | Self::Line => Some((-4096, false)),
            Self::Bare
            | Self::Long
            | Self::Xor
            | Self::Naked
            | Self::Spin
            | Self::Fifth
            | Self::Jumped => None,
        }
    }

    /// Whether the instruction before `syscall` is `xor eax, eax`, which sets the flags.
    pub fn sets_flags(self) -> bool {
        matches!(self, Self::XorCompared | Self::Xor)
    }
}

/// The instructions of a site at which it can be entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// The first: the number is set here.
    First = 0,
    /// Onto `syscall`, past the instruction that sets the number.
    Syscall = 1,
    /// Onto the comparison behind it; behind a jump, onto what stands there.
    Compare = 2,
    /// Onto the jump.
    Branch = 3,
}

/// All entries.
pub const ENTRIES: [Entry; 4] = [Entry::First, Entry::Syscall, Entry::Compare, Entry::Branch];

/// One call site.
#[repr(C)]
pub struct Site {
    /// Its instructions.
    pub form: Form,
    /// The number that its first instruction sets; -1: none.
    pub number: i64,
    entries: [u64; 4],
}

impl Site {
    /// The address to jump to, where the site has that instruction.
    pub fn address(&self, entry: Entry) -> Option<u64> {
        Some(self.entries[entry as usize]).filter(|&address| address != 0)
    }
}

/// All sites.
pub fn all() -> &'static [Site] {
    // SAFETY: `sites.s` puts whole rows of `Site`'s layout (six words, the first a discriminant
    // of `Form`) between the two labels and nothing changes them.
    unsafe {
        let start = &raw const contract_sites;
        let end = &raw const contract_sites_end;
        std::slice::from_raw_parts(start, end.offset_from_unsigned(start))
    }
}

/// Loads the input frame, jumps to `target`, and stores the output frame.
///
/// # Safety
/// `target` is an entry of a site; the system call that it makes with the input's registers is
/// harmless; the input's `rsp` comes from [`stack_pointer`] and its `xstate` is a valid image.
pub unsafe fn run(target: u64) {
    // SAFETY: `SHARED` is only borrowed for this store; the assembly keeps the C ABI's promises
    // to us (callee-saved registers, vector control state, stack), and the caller the rest.
    unsafe {
        (*SHARED.get()).target = target;
        contract_run();
    }
}

/// A stack pointer in the middle of the sites' own stack, `offset` bytes off a page boundary.
pub fn stack_pointer(offset: u64) -> u64 {
    STACK.get() as u64 + (STACK_SIZE / 2) as u64 + offset
}

unsafe extern "C" {
    static contract_sites: Site;
    static contract_sites_end: Site;
    fn contract_run();
}

std::arch::global_asm!(
    include_str!("harness.s"),
    shared = sym SHARED,
    in_gpr = const offset_of!(Shared, input.gpr),
    in_rsp = const offset_of!(Shared, input.rsp),
    in_flags = const offset_of!(Shared, input.flags),
    in_below = const offset_of!(Shared, input.below),
    in_above = const offset_of!(Shared, input.above),
    in_xstate = const offset_of!(Shared, input.xstate),
    out_gpr = const offset_of!(Shared, output.gpr),
    out_rsp = const offset_of!(Shared, output.rsp),
    out_flags = const offset_of!(Shared, output.flags),
    out_below = const offset_of!(Shared, output.below),
    out_above = const offset_of!(Shared, output.above),
    out_xstate = const offset_of!(Shared, output.xstate),
    saved = const offset_of!(Shared, saved),
    saved_rsp = const offset_of!(Shared, saved_rsp),
    target = const offset_of!(Shared, target),
    xmask = const offset_of!(Shared, xmask),
    use_xsave = const offset_of!(Shared, use_xsave),
);

std::arch::global_asm!(
    include_str!("sites.s"),
    shared = sym SHARED,
    out_branch = const offset_of!(Shared, output.branch),
    form_minus_4095 = const Form::Minus4095 as u64,
    form_minus_4096 = const Form::Minus4096 as u64,
    form_bare = const Form::Bare as u64,
    form_long = const Form::Long as u64,
    form_xor_compared = const Form::XorCompared as u64,
    form_xor = const Form::Xor as u64,
    form_naked = const Form::Naked as u64,
    form_page = const Form::Page as u64,
    form_line = const Form::Line as u64,
    form_spin = const Form::Spin as u64,
    form_fifth = const Form::Fifth as u64,
    form_jumped = const Form::Jumped as u64,
);
