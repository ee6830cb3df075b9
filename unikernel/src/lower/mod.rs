//! Lowering: a `syscall` instruction becomes a jump to a trampoline that calls the shim.
//!
//! `syscall` is two bytes, a jump is five, so one or two following instructions have to move. A
//! site is patched only when this is *proven* safe, and the proof is local:
//!
//! 1. The site trapped, so an instruction boundary is at the `syscall` and one is behind it.
//! 2. The bytes behind it are decoded forward from that boundary ([`decode`]); only complete
//!    encodings that mean the same elsewhere, or can be made to, are moved. So the original
//!    boundaries inside the five bytes are known: `site + 2`, and `site + 4` when the first moved
//!    instruction has two bytes.
//! 3. Something may still jump there: a merged tail, a preempted thread, a signal frame. So the
//!    bytes that the jump puts at these two places are instructions that raise #GP at CPL 3: its
//!    second displacement byte is 0xF4, `hlt`, its fourth is 0x6E, `outsb`. [`redirect`] then
//!    resumes at the moved copy. To that end all trampolines live in one arena 0x6E00_0000 above
//!    the image, in which each site has 256 bytes at a suitable distance ("instruction punning").
//!
//! So every original boundary keeps its meaning, whoever jumps to it, and no control-flow analysis
//! has to be believed. What does not fit stays a trap: slower, never wrong. Text is written
//! through a temporary alias; the text mapping itself is never writable.

mod decode;
mod known;
mod owners;
mod text;
mod trampoline;

use crate::errno::Errno;
use crate::mm::{PAGE, page_down};
use crate::sync::SpinLock;
use crate::uaccess::UserSlice;
use crate::{events, profile};
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
pub use known::give_up;
use known::{Arrival, Awaited, Candidate};
use owners::{QUICK, own};
pub use owners::{behind, is_trampoline, moved, original, original_state};
pub use text::alias;
use text::write_arena;
pub(crate) use text::write_text;
use trampoline::{MOVED, QUICK_ANSWER, QUICK_MOVED, SLOT, Tail, WINDOW, jump_at, jump_to};

/// Every value of two displacement bytes: so far on, the second of them is the same again.
const TURN: usize = 64 << 10;
/// Bytes of address space for trampolines: two turns, and a page. Each turn costs 5.5 KiB of RAM.
const ARENA: usize = 2 * TURN + PAGE;
/// What must stand at `site + 2`: `hlt`.
const PUN_2: u8 = 0xf4;
/// What must stand at `site + 4` when that is a boundary: `outsb`, refused at IOPL 0.
const PUN_4: u8 = 0x6e;
/// Distance of the arena from the image: the high byte is the second pun, and the rest lets sites
/// in the first 15 MiB of the image reach it with that byte.
const DISTANCE: usize = (PUN_4 as usize) << 24 | 0xf0_0000;

/// Sites left as traps that are remembered, so as to count each once.
const MOST_TRAPPED: usize = 1024;

static ENABLED: AtomicBool = AtomicBool::new(false);
static ARENA_START: AtomicUsize = AtomicUsize::new(0);
static TRAPS: AtomicU32 = AtomicU32::new(0);
static SITES: SpinLock<Sites> = SpinLock::new(Sites::new());

struct Sites {
    slots: [u64; ARENA / SLOT / 64 + 1],
    /// Lowered sites, sorted by address.
    lowered: Vec<Lowered>,
    /// Executed sites that are traps, and whether that is because no safe rewriting is known.
    trapped: Vec<(usize, bool)>,
    /// Lowered sites that may turn out to have one number.
    awaited: Awaited,
}

/// A rewritten site.
#[derive(Clone, Copy)]
struct Lowered {
    site: usize,
    /// Where its trampoline is.
    start: usize,
    /// Where its first moved instruction is.
    moved: usize,
    /// How far behind that the second one is, if two moved: there is a boundary at `site + 4`.
    second: Option<u8>,
    /// The instruction before it is a jump, too.
    known: bool,
}

/// What became of the sites that were executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sites that are calls now.
    pub lowered: usize,
    /// Sites that are traps.
    pub trapped: usize,
    /// Those among the trapped ones for which no rewriting could be proven safe.
    pub unproven: usize,
    /// Those among the lowered ones whose number is known.
    pub known: usize,
    /// Traps taken, the first one of each lowered site included.
    pub traps: u32,
}

/// Where the arena is for an image at `start`: reserved at boot, filled as needed.
pub fn arena(start: usize) -> Range<usize> {
    let at = page_down(start) + DISTANCE;
    at..at + ARENA
}

/// Places the arena for the image at `start`, and allows lowering if `enabled`.
pub fn init(start: usize, enabled: bool) {
    ARENA_START.store(arena(start).start, Relaxed);
    ENABLED.store(enabled, Relaxed);
}

/// Counts so far; none when a crash interrupted the lowering itself.
pub fn stats() -> Stats {
    let Some(sites) = SITES.try_lock() else {
        return Stats::default();
    };
    let unproven = sites.trapped.iter().filter(|site| site.1).count();
    let (lowered, trapped) = (sites.lowered.len(), sites.trapped.len());
    Stats {
        lowered,
        trapped,
        unproven,
        known: sites.lowered.iter().filter(|entry| entry.known).count(),
        traps: TRAPS.load(Relaxed),
    }
}

/// The executed site number `index` that is still a trap.
pub fn trapped_site(index: usize) -> Option<usize> {
    SITES.try_lock()?.trapped.get(index).map(|site| site.0)
}

/// Called by the trapped door with the address behind the `syscall` and the number of the call.
/// Returns where the call returns to: there, or the copy of what stood there, when that has just
/// been moved.
pub extern "C" fn on_trap(behind: usize, number: usize) -> usize {
    let resume = profile::caused(profile::Cause::Trap, || offer(behind, number));
    profile::trapping();
    resume.unwrap_or(behind)
}

/// Counts the trap at the site before `behind`, and lowers the site the first time; returns where
/// the instruction at `behind` has gone.
fn offer(behind: usize, number: usize) -> Option<usize> {
    TRAPS.fetch_add(1, Relaxed);
    let site = behind.wrapping_sub(2);
    let mut sites = SITES.lock();
    if sites.find(site).is_some() || sites.trapped.iter().any(|entry| entry.0 == site) {
        return None;
    }
    let enabled = ENABLED.load(Relaxed);
    let lowered = enabled && events::lowering(site, || sites.lower(site, number)).is_ok();
    if !lowered && sites.trapped.len() < MOST_TRAPPED && sites.trapped.try_reserve(1).is_ok() {
        sites.trapped.push((site, enabled));
    }
    sites.find(site).map(|entry| entry.moved)
}

/// #GP at `rip`: when it is an inner boundary of a lowered site, the moved instruction to go on
/// with.
pub fn redirect(rip: usize) -> Option<usize> {
    // Held, the fault is the lowering's own.
    let sites = SITES.try_lock()?;
    let first = sites
        .find(rip.wrapping_sub(2))
        .map(|entry| (entry, entry.moved));
    let second = || {
        let entry = sites.find(rip.wrapping_sub(4))?;
        Some((entry, entry.moved + usize::from(entry.second?)))
    };
    let (entry, target) = first.or_else(second)?;
    // The memory may have been given other code since.
    entry.stands().then_some(target)
}

/// A debug exception at `rip`: whether the instruction there was waited for, and it says no more than
/// that it is reached.
pub fn arrived(rip: usize) -> bool {
    // Held, the exception is in the lowering itself.
    let Some(mut sites) = SITES.try_lock() else {
        return false;
    };
    let Some(arrival) = sites.awaited.arrived(rip) else {
        return false;
    };
    let Arrival {
        candidate,
        met,
        step,
    } = arrival;
    if met
        && sites
            .find(candidate.site)
            .is_some_and(|entry| entry.stands())
        && candidate.prove()
    {
        sites.mark_known(candidate.site);
    }
    met && !step
}

impl Lowered {
    /// Whether the jump is still there.
    fn stands(&self) -> bool {
        jump_at(self.site) == Some(self.start)
    }
}

impl Sites {
    const fn new() -> Self {
        let slots = [0; ARENA / SLOT / 64 + 1];
        Self {
            slots,
            lowered: Vec::new(),
            trapped: Vec::new(),
            awaited: Awaited::new(),
        }
    }

    fn find(&self, site: usize) -> Option<Lowered> {
        let found = self.lowered.binary_search_by_key(&site, |entry| entry.site);
        found.ok().map(|index| self.lowered[index])
    }

    fn mark_known(&mut self, site: usize) {
        if let Ok(index) = self.lowered.binary_search_by_key(&site, |entry| entry.site) {
            self.lowered[index].known = true;
        }
    }

    fn lower(&mut self, site: usize, number: usize) -> Result<(), Errno> {
        let mut code = [0; 2 + 16];
        let len = UserSlice::new(site, code.len()).read(&mut code)?;
        if len < 2 || code[..2] != [0x0f, 0x05] {
            return Err(Errno::EINVAL);
        }
        let behind = &code[2..len];
        let tail = Tail::read(behind).ok_or(Errno::EINVAL)?;
        let shim = match tail.sets_flags() {
            true => lintel_shim_lowered as *const () as usize,
            false => lintel_shim_keeping_flags as *const () as usize,
        };
        self.lowered.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let at = self.slot(site).ok_or(Errno::ENOSPC)?;
        let jump = jump_to(site, at).ok_or(Errno::EINVAL)?;
        if jump[2] != PUN_2 || tail.second().is_some() && jump[4] != PUN_4 {
            return Err(Errno::EINVAL);
        }
        let quick = self.place(at, site, behind, &tail, shim, number)?;
        write_text(site, &jump)?;
        if let Some(quick) = quick {
            let door = quick + QUICK_ANSWER;
            self.awaited.add(Candidate { site, number, door });
        }
        let index = self.lowered.partition_point(|entry| entry.site < site);
        let moved = at
            + if quick == Some(at) {
                QUICK_MOVED
            } else {
                MOVED
            };
        let entry = Lowered {
            site,
            start: at,
            moved,
            second: tail.second(),
            known: false,
        };
        self.lowered.insert(index, entry);
        Ok(())
    }

    /// Writes the trampoline of `site` at `at`. When `number` has one answer there are two, in
    /// either order: the one that gives it, which is returned, compares the number first where the
    /// flags are dead, and leaves all others to the ordinary one; elsewhere it is the second, for
    /// the case that the number turns out to be known.
    fn place(
        &mut self,
        at: usize,
        site: usize,
        behind: &[u8],
        tail: &Tail,
        shim: usize,
        number: usize,
    ) -> Result<Option<usize>, Errno> {
        let answer = answer(number).and_then(|answer| Some((answer, self.slot(site)?)));
        let (ordinary, quick) = match answer {
            Some((answer, beside)) if tail.sets_flags() => (beside, Some((answer, at))),
            quick => (at, quick),
        };
        let code = trampoline::build(ordinary, site, behind, tail, shim).ok_or(Errno::EINVAL)?;
        write_arena(ordinary, &code)?;
        own(ordinary, site, 0)?;
        let Some((answer, quick)) = quick else {
            return Ok(None);
        };
        let code = trampoline::build_quick(quick, site, behind, tail, (number, answer), ordinary);
        write_arena(quick, &code.ok_or(Errno::EINVAL)?)?;
        own(quick, site, QUICK)?;
        Ok(Some(quick))
    }

    /// Takes a free slot whose distance from `site` has the first pun in its second byte. Sites whose
    /// low two bytes are about the same compete for them.
    fn slot(&mut self, site: usize) -> Option<usize> {
        let arena = ARENA_START.load(Relaxed);
        let base = site + WINDOW + (usize::from(PUN_2) << 8);
        let first = base.wrapping_sub(arena) % TURN;
        for start in (first..ARENA).step_by(TURN) {
            let slots = start.div_ceil(SLOT)..(start + 256).min(ARENA - SLOT).div_ceil(SLOT);
            for index in slots {
                let (word, bit) = (index / 64, 1 << (index % 64));
                if self.slots[word] & bit == 0 {
                    self.slots[word] |= bit;
                    return Some(arena + index * SLOT);
                }
            }
        }
        None
    }
}

/// What a call without arguments returns, always and to everybody; none when calls are to be
/// measured or noted.
fn answer(number: usize) -> Option<u32> {
    let constant = !profile::ENABLED && !events::ENABLED;
    let getpid = number == linux_raw_sys::general::__NR_getpid as usize;
    (constant && getpid).then_some(crate::process::PID as u32)
}

unsafe extern "C" {
    fn lintel_shim_lowered();
    fn lintel_shim_keeping_flags();
}

#[cfg(test)]
mod tests {
    use super::trampoline::distance;
    use super::*;

    const IMAGE: usize = 0x20_0000;

    #[test]
    fn every_site_has_a_slot_with_both_puns() {
        init(IMAGE, false);
        for site in (IMAGE..IMAGE + (15 << 20)).step_by(97_771) {
            let at = Sites::new().slot(site).unwrap();
            let bytes = distance(site + WINDOW, at).unwrap();
            assert_eq!((bytes[1], bytes[3]), (PUN_2, PUN_4), "{site:#x} -> {at:#x}");
            assert!(at >= arena(IMAGE).start && at + SLOT <= arena(IMAGE).end);
        }
    }

    #[test]
    fn only_what_never_changes_is_answered_in_place() {
        let quick = |number| answer(number as usize);
        assert_eq!(quick(linux_raw_sys::general::__NR_getpid), Some(1));
        assert_eq!(quick(linux_raw_sys::general::__NR_gettid), None);
        assert_eq!(answer(usize::MAX), None);
    }

    #[test]
    fn slots_are_taken_once_and_run_out() {
        init(IMAGE, false);
        let mut sites = Sites::new();
        let taken: Vec<_> = core::iter::from_fn(|| sites.slot(IMAGE + 0x1234)).collect();
        assert!((10..=16).contains(&taken.len()), "{taken:x?}");
        assert!(taken.windows(2).all(|pair| pair[0] + SLOT <= pair[1]));
    }
}
