//! Memory that is there when it is touched: areas, their pages, and the faults that bring them.
//!
//! What mmap(2) puts here (see [`space`](super::space) for what not) costs an entry in the list of
//! [`Areas`] until it is used. A first touch brings 16 pages, and touches that go on upwards bring
//! more and more, up to 2 MiB: a fault costs about as much as clearing that many pages does.
//!
//! Entries that become present need no flush of translations, and neither do rights that are added;
//! the flush, which can be an exit, is for what is taken away. Frames are free only after it.

mod bring;

use super::area::{Area, Areas, Backing, Mapping};
use super::frames::FRAMES;
use super::paging::{self, Access};
use super::{LARGE, PAGE};
use crate::errno::Errno;
use crate::fs::inode::Inode;
use crate::fs::page;
use crate::platform::platform;
use crate::sync::{Guard, SpinLock};
use crate::uaccess;
use bring::bring_file;
use core::ops::Range;

/// What a first touch brings, in bytes.
const AROUND: usize = 16 * PAGE;

/// How near an area below an area that grows downwards may get (Linux's `stack_guard_gap`).
const GUARD_GAP: usize = 256 * PAGE;

/// Why a page cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is mapped there: SIGSEGV, `SEGV_MAPERR`.
    Unmapped,
    /// Not in this way: SIGSEGV, `SEGV_ACCERR`.
    Denied,
    /// Behind the end of a file, or its file system is full: SIGBUS, `BUS_ADRERR`.
    Bus,
    /// There is no memory: the program ends.
    Memory,
}

/// How a page is touched.
#[derive(Clone, Copy, Debug)]
pub struct Touch {
    /// A store.
    pub write: bool,
    /// An instruction fetch.
    pub execute: bool,
}

impl Touch {
    /// A load.
    pub const READ: Self = Self {
        write: false,
        execute: false,
    };

    /// A store.
    pub const WRITE: Self = Self {
        write: true,
        execute: false,
    };

    /// Whether a page with these rights may be touched so by ring 3.
    pub fn is_permitted(self, access: Access) -> bool {
        access.user && (access.write || !self.write) && (access.execute || !self.execute)
    }
}

struct State {
    areas: Areas,
    /// Where a touch would go on upwards from the last one, and how much that one brought.
    next: usize,
    step: usize,
}

static STATE: SpinLock<State> = SpinLock::new(State {
    areas: Areas::new(),
    next: 0,
    step: AROUND,
});

fn state() -> Guard<'static, State> {
    // No upcall touches areas but an exception's, and that one tries.
    STATE.lock_no_irq()
}

/// Adds an area where there is none. `ENOMEM`.
pub fn map(area: Area) -> Result<(), Errno> {
    let mut state = state();
    state.areas.make_room(1)?;
    state.areas.insert(area);
    Ok(())
}

/// The highest free range of `len` bytes inside `within`; its start.
pub fn gap(len: usize, within: Range<usize>) -> Option<usize> {
    state().areas.gap(len, within)
}

/// Whether nothing is mapped in `range`.
pub fn is_free(range: Range<usize>) -> bool {
    state().areas.is_free(range)
}

/// How far from its start `range` is covered without a hole.
pub fn covered(range: Range<usize>) -> usize {
    state().areas.covered(range)
}

/// A copy of the first area that ends behind `address`.
pub fn next(address: usize) -> Option<Area> {
    state().areas.next(address).cloned()
}

/// Resolves a page fault at `address`.
pub fn fault(address: usize, touch: Touch) -> Result<(), Fault> {
    let page = address & !(PAGE - 1);
    // Held, the fault is the list's own: a defect that must not be hidden.
    let mut state = STATE.try_lock().ok_or(Fault::Unmapped)?;
    let area = match state.areas.find(page) {
        Some(area) => area.clone(),
        None => grown(&mut state.areas, page).ok_or(Fault::Unmapped)?,
    };
    let access = area.access.filter(|&access| touch.is_permitted(access));
    let access = access.ok_or(Fault::Denied)?;
    match &area.backing {
        Backing::Anonymous => state.populate(&area, page, access),
        Backing::File(mapping, _) => {
            bring_file(mapping, area.index(page), page, touch.write, access)
        }
    }
}

/// The area above `page` if it grows downwards, down to there.
fn grown(areas: &mut Areas, page: usize) -> Option<Area> {
    let above = areas.next(page).filter(|area| area.grows_down)?.clone();
    let is_small = above.range.end - page <= super::space::stack_limit();
    let gap = page.saturating_sub(GUARD_GAP)..above.range.start;
    if !is_small || !areas.is_free(gap) {
        return None;
    }
    areas.grow_down(above.range.start, page);
    areas.find(page).cloned()
}

/// Brings every page of `range` that may be touched so; stops at the first that cannot be had.
pub fn bring(range: Range<usize>, touch: Touch) -> Result<(), Fault> {
    range
        .step_by(PAGE)
        .try_for_each(|page| match paging::access(page) {
            Some(access) if touch.is_permitted(access) => Ok(()),
            _ => fault(page, touch),
        })
}

/// Before a call copies from or to `len` bytes at `start` while it has a file open in its hands:
/// brings them, for a fault could not, if they are that file's. What cannot be had shows in the copy.
#[inline(always)]
pub fn prepare(start: usize, len: usize, touch: Touch) {
    if Mapping::exist() {
        prepare_files(start, len, touch);
    }
}

#[cold]
#[inline(never)]
fn prepare_files(start: usize, len: usize, touch: Touch) {
    let mut from = start;
    while let Some(area) = next(from).filter(|area| area.range.start < start + len) {
        if matches!(area.backing, Backing::File(..)) {
            let first = area.range.start.max(start & !(PAGE - 1));
            let _ = bring(first..area.range.end.min(start + len), touch);
        }
        from = area.range.end;
    }
}

/// munmap(2): what is mapped in `range` goes. `ENOMEM` when the list cannot be cut.
pub fn unmap(range: Range<usize>) -> Result<(), Errno> {
    let mut state = state();
    if state.areas.is_free(range.clone()) {
        return Ok(());
    }
    state.areas.make_room(2)?;
    split(&range)?;
    drop_pages(&state.areas, range.clone());
    state.areas.remove(range);
    Ok(())
}

/// Makes both ends of `range` boundaries between pages. `ENOMEM`.
fn split(range: &Range<usize>) -> Result<(), Errno> {
    paging::split_at(range.start)?;
    paging::split_at(range.end)
}

/// MADV_DONTNEED: the pages of `range` go, and are as new when they are touched again. `ENOMEM`.
pub fn discard(range: Range<usize>) -> Result<(), Errno> {
    let state = state();
    let range = bring::clear_ends(range);
    split(&range)?;
    drop_pages(&state.areas, range);
    Ok(())
}

/// A file has lost its pages from `index` on, up to `end`: whoever touches them gets them anew, or
/// SIGBUS.
pub fn file_cut(inode: &Inode, pages: Range<u64>) {
    if !Mapping::exist() {
        return;
    }
    let mapped = |mapping: &Mapping| core::ptr::eq::<Inode>(&**mapping.file.inode(), inode);
    let state = state();
    for area in state.areas.inside(0..usize::MAX) {
        let Backing::File(mapping, first) = &area.backing else {
            continue;
        };
        let place = |index: u64| {
            let pages = index
                .saturating_sub(*first)
                .min((area.range.len() / PAGE) as u64);
            area.range.start + pages as usize * PAGE
        };
        let range = place(pages.start)..place(pages.end);
        if mapped(mapping) && !range.is_empty() {
            drop_file_pages(area, mapping, range);
        }
    }
}

/// Takes pages out of the tables, and then gives back what they had.
fn drop_pages(areas: &Areas, range: Range<usize>) {
    kill(range.clone(), true);
    for area in areas.inside(range.clone()) {
        if let Backing::File(mapping, _) = &area.backing {
            release(area, mapping, range.clone());
        }
    }
}

/// Takes the pages of `range` that are the file's out of the tables: copies stay.
fn drop_file_pages(area: &Area, mapping: &Mapping, range: Range<usize>) {
    kill(range.clone(), false);
    release(area, mapping, range);
}

/// Lets go of the file's pages that a part of an area held.
fn release(area: &Area, mapping: &Mapping, range: Range<usize>) {
    let start = range.start.max(area.range.start);
    let end = range.end.min(area.range.end);
    if start < end {
        let (first, last) = (area.index(start), area.index(end - PAGE));
        mapping.pages.lock().remove(first, last);
    }
}

/// Takes pages of `range` out of the tables and frees what was theirs: those that are a file's, or
/// `all`, and then the tables, too.
fn kill(range: Range<usize>, all: bool) {
    let (mut found, mut cached) = (false, None::<Range<usize>>);
    paging::each_entry(range.clone(), &mut |address, entry| {
        if entry.is_page() && (all || !entry.is_own()) {
            if entry.is_present() {
                let start = cached.as_ref().map_or(address, |range| range.start);
                cached = Some(start..address + entry.size());
            }
            entry.kill();
            found = true;
        }
    });
    if !found {
        return;
    }
    if all {
        paging::kill_tables(range.clone());
    }
    if let Some(cached) = cached {
        platform().flush(cached);
    }
    reap(range);
}

/// Frees the frames of dead entries, neighbours together.
fn reap(range: Range<usize>) {
    let mut run = 0..0;
    let mut frames = FRAMES.lock();
    paging::reap(range, &mut |frame, count| {
        if frame != run.end {
            frames.free(run.start, run.len() / PAGE);
            run.start = frame;
        }
        run.end = frame + count * PAGE;
    });
    frames.free(run.start, run.len() / PAGE);
}

/// mprotect(2) of `range`, which areas cover. Errors: `ENOMEM`; `EACCES` for stores to a file that is
/// not open for writing.
pub fn protect(range: Range<usize>, access: Option<Access>) -> Result<(), Errno> {
    let mut state = state();
    state.areas.make_room(2)?;
    let is_store = access.is_some_and(|access| access.write);
    for area in state.areas.inside(range.clone()) {
        if let Backing::File(mapping, _) = &area.backing
            && (is_store && mapping.shared && !mapping.file.is_writable())
        {
            return Err(Errno::EACCES);
        }
    }
    split(&range)?;
    let mut lost = false;
    for area in state.areas.inside(range.clone()) {
        let part = range.start.max(area.range.start)..range.end.min(area.range.end);
        let private = !matches!(&area.backing, Backing::File(mapping, _) if mapping.shared);
        paging::each_entry(part, &mut |_, entry| {
            if entry.is_page() {
                lost |= entry.set(entry.frame(), entry.is_own(), access, private);
            }
        });
    }
    state.areas.protect(range.clone(), access);
    if lost {
        platform().flush(range);
    }
    Ok(())
}

/// Makes the area that ends at `end` longer by `more` bytes, where nothing is mapped. `ENOMEM`.
pub fn extend(end: usize, more: usize) -> Result<(), Errno> {
    let mut state = state();
    let added = end..end + more;
    let last = state.areas.find(end - PAGE).cloned().ok_or(Errno::ENOMEM)?;
    if last.range.end != end || !state.areas.is_free(added.clone()) {
        return Err(Errno::ENOMEM);
    }
    state.areas.make_room(1)?;
    let backing = last.backing.skip(last.range.len());
    let range = added;
    state.areas.insert(Area {
        range,
        backing,
        ..last
    });
    Ok(())
}

/// Moves the area's part `old` with its pages to `new`, which is as long and free. `ENOMEM`.
pub fn relocate(old: Range<usize>, new: usize) -> Result<(), Errno> {
    let mut state = state();
    let area = state.areas.find(old.start).cloned().ok_or(Errno::EFAULT)?;
    state.areas.make_room(3)?;
    for large in (old.start & !(LARGE - 1)..old.end).step_by(LARGE) {
        paging::split_large(large)?;
    }
    let mut result = Ok(());
    paging::each_entry(old.clone(), &mut |address, _| {
        result = result.and(paging::entry(new + (address - old.start)).map(|_| ()));
    });
    result?;
    let mut any = false;
    paging::each_entry(old.clone(), &mut |address, entry| {
        if let Ok(target) = paging::entry(new + (address - old.start)) {
            entry.give_to(&target);
            any = true;
        }
    });
    state.areas.remove(old.clone());
    let backing = area.backing.skip(old.start - area.range.start);
    state.areas.insert(Area {
        range: new..new + old.len(),
        backing,
        ..area
    });
    if any {
        platform().flush(old);
    }
    Ok(())
}

/// Whether stores to some mapping may change the file.
pub fn is_shared_for_writing(inode: &Inode) -> bool {
    let writes = |area: &Area| match &area.backing {
        Backing::File(mapping, _) => {
            let is_it = core::ptr::eq::<Inode>(&**mapping.file.inode(), inode);
            is_it && mapping.shared && area.access.is_some_and(|access| access.write)
        }
        Backing::Anonymous => false,
    };
    Mapping::exist() && state().areas.inside(0..usize::MAX).any(writes)
}

/// Bytes of `range` that have memory.
pub fn resident(range: Range<usize>) -> usize {
    let mut bytes = 0;
    paging::each_entry(range, &mut |_, entry| {
        bytes += if entry.is_page() { entry.size() } else { 0 };
    });
    bytes
}

/// When memory is short: gives back what is kept for later. Whether that was anything.
pub fn squeeze() -> bool {
    page::trim() > 0
}
