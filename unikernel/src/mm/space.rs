//! The application's address space: break, mappings, main stack, protection.
//!
//! The simple version: anonymous memory is frames of the identity map; the main stack is the one
//! region that is populated on demand.

use super::frames::FRAMES;
use super::paging::{self, Access};
use super::{PAGE, page_down, page_up};
use crate::boot::BootInfo;
use crate::errno::Errno;
use crate::platform::platform;
use crate::sync::SpinLock;
use crate::uaccess;
use core::ops::Range;

/// One past the highest byte of the main stack, as on Linux without randomisation.
pub const STACK_TOP: usize = 0x7fff_ffff_f000;

/// How far the main stack may grow: Linux's default RLIMIT_STACK.
pub const STACK_LIMIT: usize = 8 << 20;

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

/// Fixes where things are; the break starts, empty, at `break_start`.
pub fn init(boot: &BootInfo, break_start: usize) {
    let mut space = SPACE.lock();
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

/// Clears whole pages of RAM.
fn clear(range: &Range<usize>) {
    // SAFETY: callers pass frames they have just taken, mapped writable by the identity map.
    unsafe { core::ptr::write_bytes(range.start as *mut u64, 0, range.len() / 8) };
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

/// Anonymous memory: `len` bytes (a multiple of the page size), cleared, anywhere.
pub fn map_anonymous(len: usize, access: Option<Access>) -> Result<usize, Errno> {
    let start = {
        let mut frames = FRAMES.lock();
        let start = frames.alloc(len / PAGE).ok_or(Errno::ENOMEM)?;
        frames.set_user(start, len / PAGE);
        start
    };
    clear(&(start..start + len));
    if access != Some(Access::DATA) {
        protect_pages(start..start + len, access)?;
    }
    Ok(start)
}

/// MAP_FIXED: replaces pages that the application mapped before; elsewhere there is no memory to
/// put there (`ENOMEM`).
pub fn map_fixed(
    range: Range<usize>,
    access: Option<Access>,
    replace: bool,
) -> Result<usize, Errno> {
    take_at(range.clone(), replace)?;
    restore(range.clone());
    clear(&range);
    if access != Some(Access::DATA) {
        protect_pages(range.clone(), access)?;
    }
    Ok(range.start)
}

/// Makes all of `range` the application's: its own pages stay, free frames are taken.
fn take_at(range: Range<usize>, replace: bool) -> Result<(), Errno> {
    let inside = ram(range.clone());
    if !replace && inside.step_by(PAGE).any(|page| is_known(page..page + PAGE)) {
        return Err(Errno::EEXIST);
    }
    let mut frames = FRAMES.lock();
    for page in range.clone().step_by(PAGE) {
        match frames.is_user(page) {
            true if !replace => return Err(Errno::EEXIST),
            false if !frames.is_free(page) => return Err(Errno::ENOMEM),
            _ => {}
        }
    }
    for page in range.step_by(PAGE) {
        // What is not free is the application's already.
        if frames.claim(page..page + PAGE) {
            frames.set_user(page, 1);
        }
    }
    Ok(())
}

/// Whether every page of `range` was mapped by the application.
pub fn is_mapped(range: Range<usize>) -> bool {
    let frames = FRAMES.lock();
    range.step_by(PAGE).all(|page| frames.is_user(page))
}

/// Clears the application's own pages in `range`, mappings and break (MADV_DONTNEED on private
/// anonymous memory); `ENOMEM` when there was a hole, after doing the rest, as Linux does.
pub fn discard(range: Range<usize>) -> Result<(), Errno> {
    let inside = ram(range.clone());
    let mut whole = inside == range;
    for page in inside.step_by(PAGE) {
        if !is_anonymous(page) {
            whole = false;
            continue;
        }
        let access = paging::access(page);
        if access != Some(Access::DATA) {
            restore(page..page + PAGE);
        }
        clear(&(page..page + PAGE));
        if access != Some(Access::DATA) {
            protect_pages(page..page + PAGE, access)?;
        }
    }
    if whole { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Whether the page at `address` is a mapping or part of the break.
fn is_anonymous(address: usize) -> bool {
    let space = SPACE.lock();
    let heap = space.break_start..page_up(space.break_end).unwrap_or(0);
    heap.contains(&address) || FRAMES.lock().is_user(address)
}

/// mremap(2) of `old` (pages of the application's) to `len` bytes, in place if the frames behind
/// are free, else elsewhere if `may_move`.
pub fn remap(old: Range<usize>, len: usize, may_move: bool) -> Result<usize, Errno> {
    let access = paging::access(old.start);
    if len <= old.len() {
        unmap(old.start + len..old.end);
        return Ok(old.start);
    }
    let more = old.end..old.start + len;
    if take_at(more.clone(), false).is_ok() {
        clear(&more);
        protect_pages(more, access)?;
        return Ok(old.start);
    }
    if !may_move {
        return Err(Errno::ENOMEM);
    }
    let new = map_anonymous(len, Some(Access::DATA))?;
    // A page without read access is read all the same: it is the identity map's.
    restore(old.clone());
    // SAFETY: the old pages are the application's and mapped; the new ones are fresh and larger.
    unsafe { core::ptr::copy_nonoverlapping(old.start as *const u8, new as *mut u8, old.len()) };
    unmap(old);
    protect_pages(new..new + len, access)?;
    Ok(new)
}

/// The part of `range` that can be RAM at all.
fn ram(range: Range<usize>) -> Range<usize> {
    range.start..range.end.min(FRAMES.lock().top())
}

/// munmap(2): gives back what of `range` the application had mapped; the rest is left alone.
pub fn unmap(range: Range<usize>) {
    for page in ram(range).step_by(PAGE) {
        if FRAMES.lock().is_user(page) {
            restore(page..page + PAGE);
            FRAMES.lock().free(page, 1);
        }
    }
}

/// Makes identity-mapped RAM ordinary data again before it changes hands.
fn restore(range: Range<usize>) {
    let changed = paging::protect(range.clone(), Some(Access::DATA));
    debug_assert!(changed.is_ok(), "ordinary pages need no new table");
    if changed == Ok(true) {
        platform().flush(range);
    }
}

fn protect_pages(range: Range<usize>, access: Option<Access>) -> Result<(), Errno> {
    if paging::protect(range.clone(), access)? {
        platform().flush(range);
    }
    Ok(())
}

/// mprotect(2): `ENOMEM` when a page of `range` is not the application's.
pub fn protect(range: Range<usize>, access: Option<Access>) -> Result<(), Errno> {
    if !is_known(range.clone()) {
        return Err(Errno::ENOMEM);
    }
    protect_pages(range, access)
}

/// Whether every page of `range` is the application's: image, break or mapping.
pub fn is_known(range: Range<usize>) -> bool {
    let space = SPACE.lock();
    let frames = FRAMES.lock();
    range.step_by(PAGE).all(|page| {
        let heap = space.break_start..page_up(space.break_end).unwrap_or(0);
        let image = space.image.contains(&page)
            && !space.monitor.iter().any(|monitor| monitor.contains(&page));
        image || heap.contains(&page) || frames.is_user(page)
    })
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
    paging::access(address).filter(|access| access.user)?;
    paging::translate(address)
}

/// Populates the main stack down to the page of `address`, in steps.
fn grow_stack(space: &mut Space, address: usize) -> Result<(), Errno> {
    let low = (address & !(STACK_STEP - 1)).max(STACK_TOP - STACK_LIMIT);
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
    if (STACK_TOP - STACK_LIMIT + ROOM..STACK_TOP).contains(&here) {
        // SAFETY: the address is in the region of the main stack, which grows on access.
        unsafe { ((here - ROOM) as *const u8).read_volatile() };
    }
}

/// Makes the first part of the main stack; returns its top.
pub fn main_stack(first: usize) -> Result<usize, Errno> {
    grow_stack(&mut SPACE.lock(), STACK_TOP - first)?;
    Ok(STACK_TOP)
}

/// Whether `address` is just below the farthest that the main stack may grow: a stack overflow.
pub fn is_overflow(address: usize) -> bool {
    let limit = STACK_TOP - STACK_LIMIT;
    (limit - STACK_LIMIT..limit).contains(&address)
}

/// A page fault at `address`: `true` when it was a demand for stack and has been met.
pub fn demand(address: usize, present: bool) -> bool {
    let wanted = STACK_TOP - STACK_LIMIT..STACK_TOP;
    if present || !wanted.contains(&address) {
        return false;
    }
    let mut space = SPACE.lock();
    address < space.stack_low && grow_stack(&mut space, address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stack_is_populated_on_demand() {
        assert!(!demand(0x1000, false));
        assert!(!demand(STACK_TOP - 8, true));
        assert!(!demand(STACK_TOP - STACK_LIMIT - 8, false));
        assert!(!demand(STACK_TOP, false));
    }
}
