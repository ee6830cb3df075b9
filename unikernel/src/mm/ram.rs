//! Mappings in RAM: frames of the identity map, whose addresses are theirs.
//!
//! They are there from the start, cleared. What is given back is ordinary data again, so that the
//! next to get it needs no page table changed.

use super::frames::FRAMES;
use super::paging::{self, Access};
use super::{LARGE, PAGE, space};
use crate::errno::Errno;
use crate::platform::platform;
use crate::uaccess;
use core::ops::Range;

/// Clears whole pages of RAM.
pub(super) fn clear(range: &Range<usize>) {
    // SAFETY: callers pass frames they have just taken, mapped writable by the identity map.
    unsafe { uaccess::clear(range.start as *mut u8, range.len()) };
}

/// Anonymous memory: `len` bytes (a multiple of the page size), cleared, anywhere.
pub fn map(len: usize) -> Result<usize, Errno> {
    let start = {
        let mut frames = FRAMES.lock();
        let start = frames.alloc_data(len / PAGE).ok_or(Errno::ENOMEM)?;
        frames.set_user(start, len / PAGE, true);
        start
    };
    match len {
        MUCH.. => make_clear(&(start..start + len)),
        _ => clear(&(start..start + len)),
    }
    Ok(start)
}

/// From this size on it is worth knowing whether memory is clear already.
const MUCH: usize = 256 << 10;

/// Clears memory that may be clear since it was last mapped ([`zeros`](super::frames::Zeros)).
fn make_clear(range: &Range<usize>) {
    let known = FRAMES.lock().zeros.contains(range);
    if known && paging::is_clean(range) {
        return FRAMES.lock().zeros.paid();
    }
    clear(range);
    if FRAMES.lock().zeros.is_due(known) && paging::make_clean(range) {
        platform().flush(range.clone());
        let mut frames = FRAMES.lock();
        // Their bits said that what else is known there was used; now they say nothing of that.
        let large = range.start & !(LARGE - 1)..range.end.next_multiple_of(LARGE);
        frames.zeros.forget(large);
        frames.zeros.note(range.clone());
    }
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
    if !replace
        && inside
            .step_by(PAGE)
            .any(|page| space::is_known(page..page + PAGE))
    {
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
            frames.set_user(page, 1, true);
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
        if !space::is_anonymous(page) {
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

/// mremap(2) of `old` (pages of the application's) to `len` bytes, in place if the frames behind
/// are free, else elsewhere if `may_move`. `ENOMEM`.
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
    let new = space::map_data(len)?;
    space::copy_pages(old.clone(), new)?;
    unmap(old);
    space::protect(new..new + len, access)?;
    Ok(new)
}

/// The part of `range` that can be RAM at all.
fn ram(range: Range<usize>) -> Range<usize> {
    range.start..range.end.min(FRAMES.lock().top())
}

/// munmap(2): gives back what of `range` the application had mapped; the rest is left alone.
pub fn unmap(range: Range<usize>) {
    let mut from = range.start;
    while from < range.end {
        let Some(run) = FRAMES.lock().user_run(from..range.end) else {
            break;
        };
        restore(run.clone());
        let mut frames = FRAMES.lock();
        frames.set_user(run.start, run.len() / PAGE, false);
        frames.free(run.start, run.len() / PAGE);
        from = run.end;
    }
}

/// Makes identity-mapped RAM ordinary data again before it changes hands.
pub(super) fn restore(range: Range<usize>) {
    let changed = paging::protect(range.clone(), Some(Access::DATA));
    debug_assert!(changed.is_ok(), "ordinary pages need no new table");
    if changed == Ok(true) {
        platform().flush(range);
    }
}

pub(super) fn protect_pages(range: Range<usize>, access: Option<Access>) -> Result<(), Errno> {
    if paging::protect(range.clone(), access)? {
        platform().flush(range);
    }
    Ok(())
}
