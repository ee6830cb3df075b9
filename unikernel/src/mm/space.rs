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
    },
);

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
pub fn map_fixed(range: Range<usize>, access: Option<Access>, replace: bool) -> Result<usize, Errno> {
    let (owned, free) = {
        let frames = FRAMES.lock();
        let owned = range.clone().step_by(PAGE).filter(|&page| frames.is_user(page)).count();
        (owned, owned == 0)
    };
    if !replace && owned != 0 {
        return Err(Errno::EEXIST);
    }
    if owned != range.len() / PAGE {
        let mut frames = FRAMES.lock();
        if !free || !frames.claim(range.clone()) {
            return Err(Errno::ENOMEM);
        }
        frames.set_user(range.start, range.len() / PAGE);
    }
    restore(range.clone());
    clear(&range);
    if access != Some(Access::DATA) {
        protect_pages(range.clone(), access)?;
    }
    Ok(range.start)
}

/// munmap(2): gives back what of `range` the application had mapped; the rest is left alone.
pub fn unmap(range: Range<usize>) {
    for page in range.step_by(PAGE) {
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
    {
        let space = SPACE.lock();
        let frames = FRAMES.lock();
        let known = |page: usize| {
            let heap = space.break_start..page_up(space.break_end).unwrap_or(0);
            let image = space.image.contains(&page)
                && !space.monitor.iter().any(|monitor| monitor.contains(&page));
            image || heap.contains(&page) || frames.is_user(page)
        };
        if !range.clone().step_by(PAGE).all(known) {
            return Err(Errno::ENOMEM);
        }
    }
    protect_pages(range, access)
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

/// Makes the first part of the main stack; returns its top.
pub fn main_stack(first: usize) -> Result<usize, Errno> {
    grow_stack(&mut SPACE.lock(), STACK_TOP - first)?;
    Ok(STACK_TOP)
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
