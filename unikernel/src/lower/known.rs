//! Sites whose number is known, because the instruction before them puts it into eax.
//!
//! There the call can be answered from that instruction on: `mov eax, imm32` is as long as a jump.
//! That the bytes before a `syscall` read like one proves nothing (`mov dword ptr [rbp-72], 39` ends
//! in them). But the CPU knows: a debug register reports that an *instruction* which starts there is
//! about to be executed (Intel SDM vol. 3, 18.2.4). So it is asked to, and the jump is written when
//! it has. A machine whose debug registers report nothing keeps the site as it was.

use super::trampoline::{WINDOW, jump_to};
use super::write_text;
use crate::platform::{BREAKPOINTS, platform};
use crate::uaccess::UserSlice;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use heapless::Vec;

/// In DR6: a single step (SDM vol. 3, 18.2.3). Bit n says that breakpoint n was met.
const STEP: u64 = 1 << 14;

/// Whether a debug register is in use. Each entry of such a machine costs its host some hundred cycles.
static WATCHING: AtomicBool = AtomicBool::new(false);

/// Sites that wait for the proof, the latest ones; the debug registers hold the addresses before
/// them.
pub struct Awaited(Vec<(usize, usize), BREAKPOINTS>);

/// What a debug exception is about.
pub struct Arrival {
    /// The site whose number is known now.
    pub site: Option<usize>,
    /// It was not a step at the same time.
    pub alone: bool,
}

impl Awaited {
    /// None.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Waits for an instruction before `site` that puts `number` into eax, if that is how the bytes
    /// there read: it is to go on at `door`. The site that has waited longest makes room.
    pub fn add(&mut self, site: usize, number: usize, door: usize) {
        let mut code = [0; WINDOW];
        let read = UserSlice::new(site.wrapping_sub(WINDOW), WINDOW).read(&mut code);
        let [0xb8, immediate @ ..] = code else { return };
        if read != Ok(WINDOW) || u32::from_le_bytes(immediate) as usize != number {
            return;
        }
        if self.0.is_full() {
            self.0.remove(0);
        }
        // There is room.
        let _ = self.0.push((site, door));
        self.watch();
    }

    /// Sets the debug registers; returns what DR6 said.
    fn watch(&self) -> u64 {
        let mut addresses = [0; BREAKPOINTS];
        for (address, awaited) in addresses.iter_mut().zip(&self.0) {
            *address = awaited.0 - WINDOW;
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
        let is_here = |awaited: &(usize, usize)| awaited.0 - WINDOW == rip;
        let index = self.0.iter().position(is_here)?;
        let (site, door) = self.0.remove(index);
        let reasons = self.watch();
        let met = reasons & 1 << index != 0;
        // What cannot be written stays as it is, which is right, too.
        let known = met && jump_to(rip, door).is_some_and(|jump| write_text(rip, &jump).is_ok());
        Some(Arrival {
            site: known.then_some(site),
            alone: met && reasons & STEP == 0,
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
