//! What a touch brings: zeros, with what lies around the page, and pages of files.

use super::*;

impl State {
    /// Brings zeros for `page` and those around it that are missing.
    pub(super) fn populate(
        &mut self,
        area: &Area,
        page: usize,
        access: Access,
    ) -> Result<(), Fault> {
        self.step = match page == self.next {
            true => (self.step * 2).min(LARGE),
            false => AROUND,
        };
        let start = match self.step {
            AROUND => (page & !(AROUND - 1)).max(area.range.start),
            _ => page,
        };
        let end = (page & !(AROUND - 1))
            .saturating_add(self.step)
            .min(area.range.end);
        self.next = end;
        if bring_large(&area.range, page, access) {
            return Ok(());
        }
        if bring_zeros(page..page + PAGE, access) == 0 {
            return Err(Fault::Memory);
        }
        // The others are a favour: when memory is short, there is none.
        bring_zeros(start..page, access);
        bring_zeros(page + PAGE..end, access);
        Ok(())
    }
}

/// Brings a large page for the one at `page`, if all of it is in the area, nothing of it is there yet,
/// and memory is plenty: the CPU, and more so a host that shadows the tables, has less to do.
fn bring_large(area: &Range<usize>, page: usize, access: Access) -> bool {
    let start = page & !(LARGE - 1);
    if access != Access::DATA || start < area.start || start + LARGE > area.end {
        return false;
    }
    let Some(entry) = paging::large_entry(start) else {
        return false;
    };
    let frame = {
        let mut frames = FRAMES.lock();
        let (total, free) = frames.counts();
        if free < total / 4 {
            return false;
        }
        frames.alloc(LARGE / PAGE)
    };
    let Some(frame) = frame else {
        return false;
    };
    debug_assert!(frame.is_multiple_of(LARGE), "blocks are aligned");
    // SAFETY: the frames have just been taken, and the identity map has them writable.
    unsafe { uaccess::clear(frame as *mut u8, LARGE) };
    paging::set_large(&entry, frame);
    true
}

/// Clears what at the ends of `range` is a part, at most half, of a large page, and returns the rest. While
/// memory is plenty that costs less than to cut the page, which takes a flush, and all of its addresses
/// from what the CPU and a host that shadows the tables have of them.
pub(super) fn clear_ends(range: Range<usize>) -> Range<usize> {
    let (total, free) = FRAMES.lock().counts();
    let Range { mut start, mut end } = range;
    if free >= total / 4 {
        let next = start.next_multiple_of(LARGE).min(end);
        if clear_part(start..next) {
            start = next;
        }
        let last = (end & !(LARGE - 1)).max(start);
        if clear_part(last..end) {
            end = last;
        }
    }
    start..end
}

/// Clears `part`, which lies in one aligned 2 MiB, if there is a large page and it is no more than half
/// of it; whether it did.
fn clear_part(part: Range<usize>) -> bool {
    if part.is_empty() || part.len() > LARGE / 2 {
        return false;
    }
    let Some((_, true)) = paging::lookup(part.start) else {
        return false;
    };
    let Some(frame) = paging::translate(part.start) else {
        return false;
    };
    // SAFETY: the frames are the page's own, and the identity map has them writable.
    unsafe { uaccess::clear(frame as *mut u8, part.len()) };
    true
}

/// Makes sure that the pages of `range`, in one anonymous area, are there; how many are.
fn bring_zeros(range: Range<usize>, access: Access) -> usize {
    let mut done = 0;
    let mut run = Run::default();
    for address in range.step_by(PAGE) {
        if paging::lookup(address).is_some() {
            // What was cached of it was from before a right was added; the fault has dropped that.
            done += 1;
            continue;
        }
        let Ok(entry) = paging::entry(address) else {
            break;
        };
        if entry.is_page() {
            entry.set(entry.frame(), entry.is_own(), Some(access), true);
        } else {
            let Some(frame) = run.take() else {
                break;
            };
            clear(frame);
            entry.set(frame, true, Some(access), true);
        }
        done += 1;
    }
    run.give_back();
    done
}

/// Adjacent frames, taken together.
#[derive(Default)]
struct Run {
    next: usize,
    left: usize,
}

impl Run {
    fn take(&mut self) -> Option<usize> {
        if self.left == 0 {
            let mut frames = FRAMES.lock();
            let several = frames
                .alloc(AROUND / PAGE)
                .map(|start| (start, AROUND / PAGE));
            (self.next, self.left) = several.or_else(|| frames.alloc(1).map(|one| (one, 1)))?;
        }
        let frame = self.next;
        (self.next, self.left) = (frame + PAGE, self.left - 1);
        Some(frame)
    }

    fn give_back(self) {
        if self.left > 0 {
            FRAMES.lock().free(self.next, self.left);
        }
    }
}

fn clear(frame: usize) {
    // SAFETY: the frame has just been taken, and the identity map has it writable.
    unsafe { uaccess::clear(frame as *mut u8, PAGE) };
}

/// Brings page `index` of a file to `address`.
pub(super) fn bring_file(
    mapping: &Mapping,
    index: u64,
    address: usize,
    write: bool,
    access: Access,
) -> Result<(), Fault> {
    let inode = mapping.file.inode();
    let store = inode.store().ok_or(Fault::Bus)?;
    // A call that is in the middle of this very file brought its buffer before.
    let mut store = store.try_lock().ok_or(Fault::Bus)?;
    if index >= store.size().div_ceil(PAGE as u64) {
        return Err(Fault::Bus);
    }
    let entry = paging::entry(address).map_err(|_| Fault::Memory)?;
    let mut pages = mapping.pages.lock();
    if entry.is_page() && (entry.is_own() || mapping.shared || !write) {
        entry.set(entry.frame(), entry.is_own(), Some(access), !mapping.shared);
        return Ok(());
    }
    if write && !mapping.shared {
        let frame = FRAMES.lock().alloc(1).ok_or(Fault::Memory)?;
        clear(frame);
        // SAFETY: the frame has just been taken, and is one page of the identity map.
        let bytes = unsafe { core::slice::from_raw_parts_mut(frame as *mut u8, PAGE) };
        store.read_bytes(index * PAGE as u64, bytes);
        // A store faulted, so what was cached of the page was dropped (SDM vol. 3, 4.10.4.1).
        entry.set(frame, true, Some(access), true);
        pages.remove(index, index);
        return Ok(());
    }
    let page = store.page_mut(index, &inode.sb.quota);
    let page = page.map_err(|errno| match errno {
        Errno::ENOMEM => Fault::Memory,
        _ => Fault::Bus,
    })?;
    let frame = page.address().expose_provenance();
    pages.insert(index, page).map_err(|_| Fault::Memory)?;
    entry.set(frame, false, Some(access), !mapping.shared);
    Ok(())
}
