//! Entries of areas: pages, small or large, that come and go, with addresses of their own.

use super::*;

/// Bits of an entry that are software's (SDM vol. 3, table 4-20: bits 9 to 11 are ignored).
mod software {
    /// The frame is the page's alone and goes with it; else it is a file's page.
    pub const OWN: u64 = 1 << 9;
    /// Not present: nobody needs the frame any more; it can be freed when no translation is left.
    pub const DEAD: u64 = 1 << 10;
    /// Not present: the page permits nothing and keeps its content.
    pub const PARKED: u64 = 1 << 11;
}

/// A leaf entry of a page, small or large, with an address of its own (not of the identity map), as
/// [`demand`](super::demand) uses it.
pub struct Entry(*mut u64);

impl Entry {
    /// How large the page is, in bytes.
    pub fn size(&self) -> usize {
        match self.value() & Flags::HUGE_PAGE.bits() {
            0 => PAGE,
            _ => LARGE,
        }
    }

    fn value(&self) -> u64 {
        read(self.0)
    }

    /// Whether there is a page, present or parked.
    pub fn is_page(&self) -> bool {
        self.value() & (Flags::PRESENT.bits() | software::PARKED) != 0
    }

    /// Whether the CPU may have cached it.
    pub fn is_present(&self) -> bool {
        self.value() & Flags::PRESENT.bits() != 0
    }

    /// Whether the frame is the page's own, not a file's.
    pub fn is_own(&self) -> bool {
        self.value() & software::OWN != 0
    }

    /// Whether stores are allowed.
    pub fn is_writable(&self) -> bool {
        self.value() & (Flags::PRESENT | Flags::WRITABLE).bits()
            == (Flags::PRESENT | Flags::WRITABLE).bits()
    }

    /// Address of the frame.
    pub fn frame(&self) -> usize {
        (self.value() & ADDRESS) as usize
    }

    /// Makes it lead to `frame`, with these rights; with none, the page is parked. A file's page
    /// that is `private` is not made writable. `true` when something was permitted that is not any
    /// more, so that a flush is needed.
    pub fn set(&self, frame: usize, own: bool, access: Option<Access>, private: bool) -> bool {
        let old = self.value();
        let mut access = access;
        if private
            && !own
            && let Some(access) = &mut access
        {
            access.write = false;
        }
        let mut new = frame as u64 | access.map_or(software::PARKED, Access::bits);
        new |= old & Flags::HUGE_PAGE.bits();
        if own {
            new |= software::OWN;
        }
        write(self.0, new);
        permits_less(old, new)
    }

    /// The page is gone: what is left is [reaped](reap) after a flush.
    pub fn kill(&self) {
        let kept = ADDRESS | software::OWN | Flags::HUGE_PAGE.bits();
        write(self.0, self.value() & kept | software::DEAD);
    }

    /// Gives the page to the entry `to`, which has none.
    pub fn give_to(&self, to: &Self) {
        write(to.0, self.value());
        write(self.0, 0);
    }
}

/// The entry of `address`, with the tables that lead to it: `ENOMEM`.
pub fn entry(address: usize) -> Result<Entry, Errno> {
    leaf(address, true).map(Entry).ok_or(Errno::ENOMEM)
}

/// The entry of the large page at `address`, a multiple of 2 MiB, if nothing is there yet.
pub fn large_entry(address: usize) -> Option<Entry> {
    let entry = directory_entry(address, true)?;
    (read(entry) == 0).then_some(Entry(entry))
}

/// Makes an empty entry a large page of its own, `frame` (a multiple of 2 MiB), ordinary data.
pub fn set_large(entry: &Entry, frame: usize) {
    let bits = Access::DATA.bits() | Flags::HUGE_PAGE.bits() | software::OWN;
    write(entry.0, frame as u64 | bits);
}

/// Makes `address` a boundary between pages: a large page around it becomes small ones, which are the
/// same to the CPU. `ENOMEM`.
pub fn split_at(address: usize) -> Result<(), Errno> {
    if address.is_multiple_of(LARGE) {
        return Ok(());
    }
    split_large(address)
}

/// Makes the large page at `address`, if there is one, small ones. `ENOMEM`.
pub fn split_large(address: usize) -> Result<(), Errno> {
    let Ok(Some(entry)) = last_entry(address) else {
        return Ok(());
    };
    let value = read(entry);
    let table = frames::alloc_zeroed().ok_or(Errno::ENOMEM)?;
    split(table, value, LARGE);
    write(entry, table as u64 | TABLE);
    Ok(())
}

/// Visits the entries of `range` that are not empty; large pages as one. What has no table costs a step
/// for each table that is not there: a terabyte is two.
pub fn each_entry(range: Range<usize>, visit: &mut dyn FnMut(usize, Entry)) {
    let mut at = range.start;
    while at < range.end {
        match last_entry(at) {
            Err(span) => at = (at | (span - 1)).saturating_add(1),
            Ok(Some(large)) => {
                visit(at, Entry(large));
                at = (at | (LARGE - 1)) + 1;
            }
            Ok(None) => {
                let end = range.end.min((at | (LARGE - 1)) + 1);
                visit_table(at..end, visit);
                at = end;
            }
        }
    }
}

/// The same in one table of small pages.
fn visit_table(range: Range<usize>, visit: &mut dyn FnMut(usize, Entry)) {
    let Some(first) = leaf(range.start, false) else {
        return;
    };
    for (index, address) in range.step_by(PAGE).enumerate() {
        let slot = first.wrapping_add(index);
        if read(slot) != 0 {
            visit(address, Entry(slot));
        }
    }
}

/// The entry of the large page at `address`, present or not; `None` where a table of small ones is; or
/// how many bytes have no table.
fn last_entry(address: usize) -> Result<Option<*mut u64>, usize> {
    let mut table = ROOT.load(Relaxed);
    for level in [3, 2, 1] {
        let slot = slot(table, level, address);
        let value = read(slot);
        if level == 1 && value & Flags::HUGE_PAGE.bits() != 0 {
            return Ok(Some(slot));
        }
        if value & Flags::PRESENT.bits() == 0 {
            return Err(PAGE << (9 * level));
        }
        table = (value & ADDRESS) as usize;
    }
    Ok(None)
}

/// Takes the tables of small pages that lie wholly in `range` out of their directories: before a
/// flush. They are dead, as pages are.
pub fn kill_tables(range: Range<usize>) {
    let mut at = range.start.next_multiple_of(LARGE);
    while at + LARGE <= range.end {
        match last_entry(at) {
            Err(span) => at = (at | (span - 1)).saturating_add(1),
            Ok(large) => {
                if large.is_none()
                    && let Some(entry) = directory_entry(at, false)
                {
                    write(entry, read(entry) & ADDRESS | software::DEAD);
                }
                at += LARGE;
            }
        }
    }
}

/// Gives back what is dead in `range`, after a flush: tables with their pages, and pages; `free` gets
/// the address of the first frame of each and how many they are.
pub fn reap(range: Range<usize>, free: &mut dyn FnMut(usize, usize)) {
    let mut at = range.start;
    while at < range.end {
        let Some(directory) = directory(at) else {
            at = (at | ((LARGE << 9) - 1)).saturating_add(1);
            continue;
        };
        let end = range.end.min((at | (LARGE - 1)) + 1);
        let entry = slot(directory, 1, at);
        let value = read(entry);
        if value & Flags::HUGE_PAGE.bits() != 0 {
            reap_entry(entry, LARGE, free);
        } else if value & software::DEAD != 0 {
            let table = (value & ADDRESS) as usize;
            write(entry, 0);
            (0..512).for_each(|index| reap_entry(slot(table, 0, index << 12), PAGE, free));
            free(table, 1);
            frames::uncount_table();
        } else if value & Flags::PRESENT.bits() != 0 {
            let first = slot((value & ADDRESS) as usize, 0, at);
            let pages = (end - at).div_ceil(PAGE);
            (0..pages).for_each(|index| reap_entry(first.wrapping_add(index), PAGE, free));
        }
        at = end;
    }
}

fn reap_entry(entry: *mut u64, size: usize, free: &mut dyn FnMut(usize, usize)) {
    let value = read(entry);
    if value & software::DEAD != 0 {
        write(entry, 0);
        if value & software::OWN != 0 {
            free((value & ADDRESS) as usize, size / PAGE);
        }
    }
}
