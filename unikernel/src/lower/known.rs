//! Sites whose number is known, because the instruction before them puts it into eax.
//!
//! There the call can be answered from that instruction on: `mov eax, imm32` is as long as a jump.
//! That the bytes before a `syscall` read like one proves nothing (`mov dword ptr [rbp-72], 39` ends
//! in them). But the CPU knows: a debug register reports that an *instruction* which starts there is
//! about to be executed (Intel SDM vol. 3, 18.2.4). So it is asked to, and the jump is written when
//! it has. A machine whose debug registers report nothing keeps the site as it was.

use super::text::write_text;
use super::trampoline::{WINDOW, jump_to};
use crate::platform::{BREAKPOINTS, platform};
use crate::uaccess::UserSlice;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use heapless::Vec;

/// In DR6: a single step (SDM vol. 3, 18.2.3). Bit n says that breakpoint n was met.
const STEP: u64 = 1 << 14;

/// Whether a debug register is in use. Each entry of such a machine costs its host some hundred cycles.
static WATCHING: AtomicBool = AtomicBool::new(false);

/// A site that waits for the proof.
#[derive(Clone, Copy)]
pub struct Candidate {
    /// Where its `syscall` was.
    pub site: usize,
    /// The number that the instruction before it seems to set.
    pub number: usize,
    /// Where that instruction is to lead.
    pub door: usize,
}

/// The latest candidates; the debug registers hold the addresses before their sites.
pub struct Awaited(Vec<Candidate, BREAKPOINTS>);

/// What a debug exception is about.
pub struct Arrival {
    /// Who has waited for it.
    pub candidate: Candidate,
    /// An instruction starts there, indeed.
    pub met: bool,
    /// It was a step, too.
    pub step: bool,
}

impl Candidate {
    /// Where the instruction is.
    const fn start(&self) -> usize {
        self.site.wrapping_sub(WINDOW)
    }

    /// Whether the bytes before the site read like an instruction that sets the number.
    fn reads_so(&self) -> bool {
        let mut code = [0; WINDOW];
        let read = UserSlice::new(self.start(), WINDOW).read(&mut code);
        let [opcode, immediate @ ..] = code;
        let number = u32::from_le_bytes(immediate) as usize;
        read == Ok(WINDOW) && opcode == 0xb8 && number == self.number
    }

    /// Makes the instruction, which is one, a jump; whether that was possible.
    pub fn prove(&self) -> bool {
        // Since then the memory may have been given other code.
        let jump = jump_to(self.start(), self.door).filter(|_| self.reads_so());
        jump.is_some_and(|jump| write_text(self.start(), &jump).is_ok())
    }
}

impl Awaited {
    /// None.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Waits for the instruction before the site, if the bytes there read so. The candidate that has
    /// waited longest makes room.
    pub fn add(&mut self, candidate: Candidate) {
        if !candidate.reads_so() {
            return;
        }
        if self.0.is_full() {
            self.0.remove(0);
        }
        // There is room.
        let _ = self.0.push(candidate);
        self.watch();
    }

    /// Sets the debug registers; returns what DR6 said.
    fn watch(&self) -> u64 {
        let mut addresses = [0; BREAKPOINTS];
        for (address, awaited) in addresses.iter_mut().zip(&self.0) {
            *address = awaited.start();
        }
        WATCHING.store(!self.0.is_empty(), Relaxed);
        platform().watch(&addresses)
    }

    /// Waits no longer. A call for which this matters is made again within microseconds.
    fn give_up(&mut self) {
        self.0.clear();
        self.watch();
    }

    /// A debug exception at `rip`; none of ours if nothing is awaited there.
    pub fn arrived(&mut self, rip: usize) -> Option<Arrival> {
        let index = self.0.iter().position(|awaited| awaited.start() == rip)?;
        let candidate = self.0.remove(index);
        let reasons = self.watch();
        Some(Arrival {
            candidate,
            met: reasons & 1 << index != 0,
            step: reasons & STEP != 0,
        })
    }
}

/// Lets the debug registers go: an interrupt has come, or the machine rests.
#[inline]
pub fn give_up() {
    if WATCHING.load(Relaxed)
        && let Some(mut sites) = super::SITES.try_lock()
    {
        sites.awaited.give_up();
    }
}
