//! Numbers that the assembly and the Rust side of the monitor share.

/// Vectors with a gate: 32 exceptions, 16 of the PIC, the timer of the local APIC.
pub const VECTORS: usize = 49;

/// Vector of the local APIC's timer. Its interrupts alone end at that APIC.
pub const TIMER_VECTOR: u8 = 48;

/// Size of each of the two ring-0 stacks, in bytes. The monitor nests at most twice.
pub const IST_STACK: usize = 1024;

/// Monitor calls, in `rax` at the gate. Arguments in rdi, rsi, rdx, r8; results in rax and rdx;
/// rcx, r9, r10, r11 are lost. The numbers index the monitor's table.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub enum Call {
    /// Halt until an interrupt is pending (returns at once if one is).
    Idle = 0,
    /// `rep outsb`: rdi = port, rsi = start, rdx = length. Returns the bytes not written.
    Output = 1,
    /// The same, waiting for bit 5 of the status port r8 before each byte. rdx = status reads.
    OutputPolled = 2,
    /// rdi = port, rsi = size (1, 2, 4). Returns the value.
    In = 3,
    /// rdi = port, rsi = size, rdx = value.
    Out = 4,
    /// rdi = number, rsi = value.
    WriteMsr = 5,
    /// rdi = address of a root page table; flushes everything that is not global.
    SetRoot = 6,
    /// rdi = first address, rsi = pages.
    Invalidate = 7,
    /// rdi = leaf, rsi = subleaf, rdx = where the four words go.
    Cpuid = 8,
    /// rdi = words of port and byte (bits 0-15 and 16-23), rsi = how many (at least one). No
    /// interrupt comes in between.
    OutBytes = 9,
    /// rdi = address of a register in memory, esi = value.
    Store = 10,
    /// rdi = values of DR0 to DR3, rsi = DR7. Returns DR6, which is clear then.
    Watch = 11,
}

/// Number of monitor calls.
pub const CALLS: usize = 12;

const _: () = assert!(Call::Watch as usize + 1 == CALLS);
