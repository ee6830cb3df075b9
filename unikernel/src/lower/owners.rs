//! Whose trampoline an address is in, and what the same state is in the original text.

use super::trampoline::{MOVED, QUICK_ANSWER, QUICK_MOVED, SLOT, WINDOW, jump_at};
use super::{ARENA, ARENA_START, SITES};
use crate::errno::Errno;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The sites whose trampolines are in the slots, or 0, with [`QUICK`]; they are below 2 GiB.
static OWNERS: [AtomicU32; ARENA / SLOT + 1] = [const { AtomicU32::new(0) }; ARENA / SLOT + 1];

/// In [`OWNERS`]: the trampoline answers one call by itself ([`super::trampoline::build_quick`]).
pub const QUICK: u32 = 1 << 31;

/// Where code at `rip` is now, if a lowered site's jump stands before it: as [`super::redirect`], without
/// a search and without the second boundary.
pub fn moved(rip: usize) -> Option<usize> {
    let start = jump_at(rip.checked_sub(2)?)?;
    let (owner, start, moved) = owner_of(start).filter(|owner| owner.1 == start)?;
    (owner == rip - 2).then_some(start + moved)
}

/// The slot of the arena in which `address` is.
fn slot_of(address: usize) -> Option<usize> {
    let offset = address.wrapping_sub(ARENA_START.load(Relaxed));
    (offset < ARENA).then_some(offset / SLOT)
}

/// Whether `address` can be in a trampoline.
pub fn is_trampoline(address: usize) -> bool {
    slot_of(address).is_some()
}

/// The site whose trampoline `address` is in, where that starts, and how far behind that the first
/// moved instruction is.
#[inline]
fn owner_of(address: usize) -> Option<(usize, usize, usize)> {
    let slot = slot_of(address)?;
    let owner = OWNERS[slot].load(Relaxed);
    let moved = if owner & QUICK == 0 {
        MOVED
    } else {
        QUICK_MOVED
    };
    let start = ARENA_START.load(Relaxed) + slot * SLOT;
    (owner != 0).then_some(((owner & !QUICK) as usize, start, moved))
}

/// Notes whose trampoline is at `at`.
pub fn own(at: usize, site: usize, quick: u32) -> Result<(), Errno> {
    let site = u32::try_from(site).ok().filter(|site| site & QUICK == 0);
    let site = site.ok_or(Errno::EINVAL)?;
    let slot = slot_of(at).ok_or(Errno::EINVAL)?;
    OWNERS[slot].store(site | quick, Relaxed);
    Ok(())
}

/// The address behind the `syscall` whose trampoline called the shim, which returns to `back`.
pub fn behind(back: usize) -> Option<usize> {
    owner_of(back).map(|(site, ..)| site + 2)
}

/// The state of the original text that is the same as being at `rip` in a trampoline with stack
/// pointer `rsp`: another address, another stack pointer. `None` elsewhere.
pub fn original_state(rip: usize, rsp: usize) -> Option<(usize, usize)> {
    const RED_ZONE: usize = 128;
    const CALL: usize = MOVED - 8 - WINDOW;
    const STEP_UP: usize = MOVED - 8;
    let (site, start, moved) = owner_of(rip)?;
    let inside = rsp.wrapping_add(RED_ZONE);
    let second = || SITES.try_lock()?.find(site)?.second;
    match rip - start {
        0 => Some((site, rsp)),
        // The number may not have been put into eax.
        QUICK_ANSWER if moved == QUICK_MOVED && SITES.try_lock()?.find(site)?.known => {
            Some((site - WINDOW, rsp))
        }
        // Comparing has changed the flags, which are dead, and nothing else.
        offset if moved == QUICK_MOVED && offset < moved => Some((site, rsp)),
        CALL => Some((site, inside)),
        STEP_UP => Some((site + 2, inside)),
        offset if offset == moved => Some((site + 2, rsp)),
        offset if second().is_some_and(|second| offset == moved + usize::from(second)) => {
            Some((site + 4, rsp))
        }
        // All that is left is the jump back.
        _ => jump_at(rip).map(|target| (target, rsp)),
    }
}

/// The place in the original text of an address inside a trampoline, for reports.
pub fn original(rip: usize) -> Option<usize> {
    let (site, start, moved) = owner_of(rip)?;
    Some(
        site + (rip - start)
            .checked_sub(moved)
            .map_or(0, |behind| 2 + behind),
    )
}

#[cfg(test)]
mod tests {
    use super::super::{Lowered, Sites, init};
    use super::*;

    const IMAGE: usize = 0x20_0000;

    #[test]
    fn states_inside_a_quick_trampoline_have_an_original() {
        init(IMAGE, false);
        let site = IMAGE + 0x2345;
        let mut sites = Sites::new();
        let (quick, ordinary) = (sites.slot(site).unwrap(), sites.slot(site).unwrap());
        let entry = Lowered {
            site,
            start: quick,
            moved: quick + QUICK_MOVED,
            second: None,
            known: false,
        };
        SITES.lock().lowered.push(entry);
        own(quick, site, QUICK).unwrap();
        own(ordinary, site, 0).unwrap();
        let state = |at: usize| original_state(at, 0x1000);
        for offset in [0, QUICK_MOVED - 11, QUICK_MOVED - 5] {
            assert_eq!(state(quick + offset), Some((site, 0x1000)));
        }
        assert_eq!(state(quick + QUICK_MOVED), Some((site + 2, 0x1000)));
        // What comes here from the instruction before has not put the number into eax.
        SITES.lock().mark_known(site);
        assert_eq!(state(quick), Some((site, 0x1000)));
        assert_eq!(state(quick + QUICK_ANSWER), Some((site - WINDOW, 0x1000)));
        SITES.lock().lowered.clear();
        assert_eq!(state(ordinary + 5), Some((site, 0x1080)));
        assert_eq!(state(ordinary + MOVED), Some((site + 2, 0x1000)));
        assert_eq!(
            (behind(quick), behind(ordinary)),
            (Some(site + 2), Some(site + 2))
        );
        assert_eq!(original(quick + 4), Some(site));
        assert_eq!(original(quick + QUICK_MOVED + 3), Some(site + 5));
        assert!(own(quick, 1 << 31, 0).is_err());
        for at in [quick, ordinary] {
            OWNERS[slot_of(at).unwrap()].store(0, Relaxed);
        }
    }
}
