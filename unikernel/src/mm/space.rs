//! The application's address space: image, break, main stack, and the calls that change mappings,
//! wherever these are: in RAM ([`ram`](super::ram)) or in areas ([`demand`]).

use super::demand::{Fault, Touch};
use super::frames::FRAMES;
use super::paging::{self, Access};
use super::ram::{clear, restore};
use super::{PAGE, demand, limit, page_down, page_up, place, ram};
use crate::boot::BootInfo;
use crate::errno::Errno;
use crate::sync::SpinLock;
use crate::uaccess;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// One past the highest byte of the main stack, as on Linux without randomisation.
const STACK_TOP: usize = 0x7fff_ffff_f000;

/// How far the main stack may grow at first: Linux's default RLIMIT_STACK.
pub const STACK_LIMIT: usize = 8 << 20;

/// The farthest that any limit lets it grow; areas are below.
const MOST_STACK: usize = 32 << 30;

/// One past the highest byte of the main stack, and how far it may grow now. Apart from the rest,
/// because faults ask for them without the lock.
static TOP: AtomicUsize = AtomicUsize::new(STACK_TOP);
static LIMIT: AtomicUsize = AtomicUsize::new(STACK_LIMIT);

/// One past the highest byte of the main stack.
pub fn stack_top() -> usize {
    TOP.load(Relaxed)
}

/// How far a stack may grow (RLIMIT_STACK), in bytes.
pub fn stack_limit() -> usize {
    LIMIT.load(Relaxed)
}

/// Changes RLIMIT_STACK; what has grown stays.
pub fn set_stack_limit(bytes: u64) {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    LIMIT.store(page_down(bytes.min(MOST_STACK)), Relaxed);
}

/// All addresses that the main stack may reach.
fn stack() -> Range<usize> {
    stack_top() - stack_limit()..stack_top()
}

/// The stack grows by this much at a time, so that deep recursion costs few faults.
const STACK_STEP: usize = 64 << 10;

struct Space {
    /// The image, whose protection may change but which is never unmapped.
    image: Range<usize>,
    /// Not to be touched by mprotect: the monitor's pages.
    monitor: [Range<usize>; 2],
    break_start: usize,
    break_end: usize,
    stack_low: usize,
}

static SPACE: SpinLock<Space> = SpinLock::new(Space {
    image: 0..0,
    monitor: [0..0, 0..0],
    break_start: 0,
    break_end: 0,
    stack_low: STACK_TOP,
});

/// Fixes where things are; the break starts, empty, at `break_start`, and the main stack `shift` bytes
/// (whole pages) lower than it could.
pub fn init(boot: &BootInfo, break_start: usize, shift: usize) {
    TOP.store(STACK_TOP - shift, Relaxed);
    let mut space = SPACE.lock();
    space.stack_low = STACK_TOP - shift;
    space.image = page_down(boot.image.header)..page_up(boot.image.end).unwrap_or(usize::MAX);
    space.monitor = boot.image.monitor.clone();
    (space.break_start, space.break_end) = (break_start, break_start);
    for (slot, own) in boot.image.own.iter().enumerate() {
        uaccess::forbid(slot, own.start, own.len());
    }
}

/// Where the parts of the address space are that do not come from mmap(2).
pub struct Parts {
    /// The image; it begins with the ELF header.
    pub image: Range<usize>,
    /// The break, whole pages.
    pub heap: Range<usize>,
    /// The lowest address of the main stack that has been reached.
    pub stack_low: usize,
}

/// Where the parts of the address space are now.
pub fn parts() -> Parts {
    let space = SPACE.lock();
    Parts {
        image: space.image.clone(),
        heap: space.break_start..page_up(space.break_end).unwrap_or(space.break_start),
        stack_low: space.stack_low,
    }
}

/// brk(2): moves the end of the data segment to `end` if memory allows; returns where it is.
pub fn set_break(end: usize) -> usize {
    let mut space = SPACE.lock();
    let (Some(old), Some(new)) = (page_up(space.break_end), page_up(end)) else {
        return space.break_end;
    };
    if end < space.break_start {
        return space.break_end;
    }
    if new > old {
        if !FRAMES.lock().claim(old..new) {
            return space.break_end;
        }
        clear(&(old..new));
    } else if new < old {
        restore(new..old);
        FRAMES.lock().free(new, (old - new) / PAGE);
    }
    space.break_end = end;
    end
}

/// Whether limits let the break be at `end`.
pub fn may_break(end: usize) -> bool {
    let old = parts().heap.end;
    let more = page_up(end).unwrap_or(end).saturating_sub(old);
    more == 0 || limit::check(more, true, 0..0).is_ok()
}

/// How far from its start `range` is the application's without a hole: image, break, mappings.
pub fn covered(range: Range<usize>) -> usize {
    if place::is_for_areas(&(range.start..range.start + PAGE)) {
        return demand::covered(range);
    }
    let space = SPACE.lock();
    let frames = FRAMES.lock();
    let heap = space.break_start..page_up(space.break_end).unwrap_or(0);
    let is_known = |page: &usize| {
        let image = space.image.contains(page)
            && !space.monitor.iter().any(|monitor| monitor.contains(page));
        image || heap.contains(page) || frames.is_user(*page)
    };
    let mut pages = range.clone().step_by(PAGE);
    pages.find(|page| !is_known(page)).unwrap_or(range.end)
}

/// Whether every page of `range` is the application's: image, break or mapping.
pub fn is_known(range: Range<usize>) -> bool {
    covered(range.clone()) == range.end
}

/// Whether the page at `address`, of RAM, is a mapping or part of the break.
pub fn is_anonymous(address: usize) -> bool {
    let space = SPACE.lock();
    let heap = space.break_start..page_up(space.break_end).unwrap_or(0);
    heap.contains(&address) || FRAMES.lock().is_user(address)
}

/// munmap(2): gives back what of `range` the application had mapped; the rest is left alone.
/// `ENOMEM` when the list of areas is full.
pub fn unmap(range: Range<usize>) -> Result<(), Errno> {
    ram::unmap(range.clone());
    demand::unmap(range)
}

/// mprotect(2): up to the first page that is not the application's, which is `ENOMEM`. `EACCES` for
/// stores to a file that is not open for writing.
pub fn protect(range: Range<usize>, access: Option<Access>) -> Result<(), Errno> {
    let known = range.start..covered(range.clone());
    if !known.is_empty() {
        if place::is_for_areas(&known) {
            demand::protect(known.clone(), access)?;
        } else {
            ram::protect_pages(known.clone(), access)?;
        }
    }
    if known.end == range.end {
        Ok(())
    } else {
        Err(Errno::ENOMEM)
    }
}

/// MADV_DONTNEED: what is in `range` is as new when it is touched again; `ENOMEM` when there was a
/// hole, after doing the rest, as Linux does.
pub fn discard(range: Range<usize>) -> Result<(), Errno> {
    if !place::is_for_areas(&range) {
        return ram::discard(range);
    }
    demand::discard(range.clone())?;
    if is_known(range) {
        Ok(())
    } else {
        Err(Errno::ENOMEM)
    }
}

/// Whether all of `range`, of RAM, is mappings.
pub fn is_mapped(range: Range<usize>) -> bool {
    ram::is_mapped(range)
}

/// mremap(2) of mappings in RAM: see [`ram::remap`].
pub fn remap(old: Range<usize>, len: usize, may_move: bool) -> Result<usize, Errno> {
    ram::remap(old, len, may_move)
}

/// Copies pages of RAM, whatever they permit, to `new`, which may be written. `ENOMEM`.
pub fn copy_pages(old: Range<usize>, new: usize) -> Result<(), Errno> {
    demand::bring(new..new + old.len(), Touch::WRITE).map_err(|_| Errno::ENOMEM)?;
    restore(old.clone());
    // SAFETY: the old pages are the application's and in the identity map; the new ones are there
    // and may be written, and the two do not overlap.
    unsafe { core::ptr::copy_nonoverlapping(old.start as *const u8, new as *mut u8, old.len()) };
    Ok(())
}

/// Ordinary memory, wherever there is room for it.
pub fn map_data(len: usize) -> Result<usize, Errno> {
    place::map(place::Request::data(len))
}

/// Walks the physically contiguous pieces of `start..start + len`, application or library memory,
/// until `run` (physical address, length) returns `false` or a page is not mapped for ring 3.
/// Returns the bytes walked. For devices, which read memory past the page tables.
pub fn each_run(start: usize, len: usize, mut run: impl FnMut(usize, usize) -> bool) -> usize {
    let mut done = 0;
    while done < len {
        let Some(first) = user_frame(start + done) else {
            break;
        };
        let mut piece = (PAGE - (start + done) % PAGE).min(len - done);
        while done + piece < len && user_frame(start + done + piece) == Some(first + piece) {
            piece += PAGE.min(len - done - piece);
        }
        if !run(first, piece) {
            break;
        }
        done += piece;
    }
    done
}

/// The physical address behind `address`, if ring 3 may read it.
fn user_frame(address: usize) -> Option<usize> {
    if paging::lookup(address).is_none() {
        // Its memory may come only now; if not, that shows next.
        let _ = demand::fault(address, demand::Touch::READ);
    }
    paging::access(address).filter(|access| access.user)?;
    paging::translate(address)
}

/// Populates the main stack down to the page of `address`.
fn grow_stack(space: &mut Space, address: usize) -> Result<(), Errno> {
    let low = page_down(address).max(stack().start);
    while space.stack_low > low {
        let page = space.stack_low - PAGE;
        let frame = FRAMES.lock().alloc(1).ok_or(Errno::ENOMEM)?;
        clear(&(frame..frame + PAGE));
        paging::map(page..page + PAGE, frame, Access::DATA)?;
        space.stack_low = page;
    }
    Ok(())
}

/// Makes sure that a system call made on the main stack through the direct door finds it populated:
/// its handler may hold the very locks that populating needs.
#[inline]
pub fn prepare_stack() {
    const ROOM: usize = 32 << 10;
    let here = 0u8;
    let here = core::ptr::from_ref(&here) as usize;
    if stack().contains(&here.wrapping_sub(ROOM)) {
        // SAFETY: the address is in the region of the main stack, which grows on access.
        unsafe { ((here - ROOM) as *const u8).read_volatile() };
    }
}

/// Makes the first part of the main stack; returns its top.
pub fn main_stack(first: usize) -> Result<usize, Errno> {
    grow_stack(&mut SPACE.lock(), stack_top() - first)?;
    Ok(stack_top())
}

/// Whether `address` is just below the farthest that the main stack may grow: a stack overflow.
pub fn is_overflow(address: usize) -> bool {
    let limit = stack().start;
    (limit - STACK_LIMIT..limit).contains(&address)
}

/// Resolves a page fault at `address`, if it is a demand for memory. `error` is the CPU's error code
/// (SDM vol. 3, 4.7).
pub fn demand(address: usize, error: u64) -> Result<(), Fault> {
    let touch = Touch {
        write: error & 2 != 0,
        execute: error & 16 != 0,
    };
    let present = error & 1 != 0;
    if present && paging::access(address).is_some_and(|access| touch.is_permitted(access)) {
        // A right was added since the CPU cached the translation; the fault has dropped that.
        return Ok(());
    }
    if !stack().contains(&address) {
        return demand::fault(address, touch);
    }
    let mut space = SPACE.lock();
    if present || address >= space.stack_low {
        return Err(Fault::Denied);
    }
    grow_stack(&mut space, address & !(STACK_STEP - 1)).map_err(|_| Fault::Memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stack_is_populated_on_demand() {
        assert_eq!(demand(0x1000, 4), Err(Fault::Unmapped));
        assert_eq!(demand(STACK_TOP - 8, 5), Err(Fault::Denied));
        let below = STACK_TOP - STACK_LIMIT - 8;
        assert_eq!(demand(below, 4), Err(Fault::Unmapped));
        assert_eq!(demand(STACK_TOP, 6), Err(Fault::Unmapped));
    }
}
