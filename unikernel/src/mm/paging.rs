//! Four-level page tables (Intel SDM vol. 3, 4.5), edited from ring 3 through the identity map.
//!
//! Writing an entry is an ordinary store; making a changed one effective is the platform's
//! [`flush`](crate::platform::Platform::flush). Accessed and dirty are set in advance: neither is
//! ever read here, and a shadow-paging host would otherwise take a fault to track them.

mod areas;

pub use areas::{
    Entry, each_entry, entry, kill_tables, large_entry, reap, set_large, split_at, split_large,
};

use super::frames::{self, FRAMES};
use super::{LARGE, PAGE};
use crate::errno::Errno;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use x86_64::structures::paging::PageTableFlags as Flags;

/// What a page permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Stores are allowed.
    pub write: bool,
    /// Instruction fetches are allowed.
    pub execute: bool,
    /// Ring 3 may touch it at all.
    pub user: bool,
}

impl Access {
    /// Ordinary data.
    pub const DATA: Self = Self {
        write: true,
        execute: false,
        user: true,
    };

    fn bits(self) -> u64 {
        let mut flags = Flags::PRESENT | Flags::ACCESSED | Flags::DIRTY;
        flags.set(Flags::WRITABLE, self.write);
        flags.set(Flags::NO_EXECUTE, !self.execute);
        flags.set(Flags::USER_ACCESSIBLE, self.user);
        flags.bits()
    }
}

/// Entries above the leaves permit everything; the leaves decide.
const TABLE: u64 = Flags::PRESENT
    .union(Flags::WRITABLE)
    .union(Flags::USER_ACCESSIBLE)
    .union(Flags::ACCESSED)
    .bits();

const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Address of the root table (PML4); set once at boot.
static ROOT: AtomicUsize = AtomicUsize::new(0);

/// Names the root table. Its memory, like that of all tables, is in the identity map.
pub fn set_root(address: usize) {
    ROOT.store(address, Relaxed);
}

/// Puts copies of the root table, and of the tables of the first GiB, in the place of those in use,
/// which stay what they are until the new root is loaded.
///
/// Nobody walks the copies yet, so editing them costs stores; in a directory in use each store is an
/// exit under a host that shadows it.
pub fn renew() -> Result<(), Errno> {
    let copy = |table: usize| -> Result<usize, Errno> {
        let new = FRAMES.lock().alloc(1).ok_or(Errno::ENOMEM)?;
        frames::count_table();
        // SAFETY: both are tables of 4 KiB in the identity map, and the new one is nobody else's.
        unsafe { core::ptr::copy_nonoverlapping(table as *const u64, new as *mut u64, 512) };
        Ok(new)
    };
    let root = copy(ROOT.load(Relaxed))?;
    let mut table = root;
    for level in [3, 2] {
        let entry = slot(table, level, 0);
        table = copy((read(entry) & ADDRESS) as usize)?;
        write(entry, table as u64 | TABLE);
    }
    set_root(root);
    Ok(())
}

fn slot(table: usize, level: u32, address: usize) -> *mut u64 {
    let index = address >> (12 + 9 * level) & 511;
    (table as *mut u64).wrapping_add(index)
}

fn read(entry: *mut u64) -> u64 {
    // SAFETY: `slot` yields entries of tables that `next` allocated or the boot tables, all of
    // which are mapped RAM. Volatile because the CPU walks them behind the compiler's back.
    unsafe { entry.read_volatile() }
}

fn write(entry: *mut u64, value: u64) {
    // SAFETY: as in `read`.
    unsafe { entry.write_volatile(value) }
}

/// The next table behind `entry`, which covers `span` bytes; made (or split) when `create`.
#[inline]
fn next(entry: *mut u64, span: usize, create: bool) -> Option<usize> {
    let value = read(entry);
    let present = value & Flags::PRESENT.bits() != 0;
    if present && value & Flags::HUGE_PAGE.bits() == 0 {
        return Some((value & ADDRESS) as usize);
    }
    if !create {
        return None;
    }
    let table = frames::alloc_zeroed()?;
    if present {
        split(table, value, span);
    }
    write(entry, table as u64 | TABLE);
    Some(table)
}

/// Fills `table` with small pages that together are the large page `value`.
fn split(table: usize, value: u64, span: usize) {
    debug_assert!(span == LARGE);
    let start = value & ADDRESS & !(LARGE as u64 - 1);
    let bits = value & !ADDRESS & !Flags::HUGE_PAGE.bits();
    for index in 0..512 {
        write(
            slot(table, 0, index << 12),
            (start + (index << 12) as u64) | bits,
        );
    }
}

/// The page-directory entry of `address`, or `None` without memory for a table.
#[inline]
fn directory_entry(address: usize, create: bool) -> Option<*mut u64> {
    let pdpt = next(slot(ROOT.load(Relaxed), 3, address), LARGE << 18, create)?;
    let directory = next(slot(pdpt, 2, address), LARGE << 9, create)?;
    Some(slot(directory, 1, address))
}

#[inline]
fn leaf(address: usize, create: bool) -> Option<*mut u64> {
    let table = next(directory_entry(address, create)?, LARGE, create)?;
    Some(slot(table, 0, address))
}

/// Maps `range` (multiples of 2 MiB) onto itself with large pages.
pub fn map_large(range: Range<usize>, access: Access) -> Result<(), Errno> {
    const DIRECTORY: usize = LARGE << 9;
    let bits = access.bits() | Flags::HUGE_PAGE.bits();
    let mut address = range.start;
    while address < range.end {
        let end = range.end.min((address & !(DIRECTORY - 1)) + DIRECTORY);
        let mut entry = directory_entry(address, true).ok_or(Errno::ENOMEM)?;
        // The entries of one directory lie side by side; eight at a time, since there may be thousands.
        while address < end {
            let value = address as u64 | bits;
            let count = if end - address >= 8 * LARGE { 8 } else { 1 };
            if count == 8 {
                let step = LARGE as u64;
                let [a, b, c, d] = [value, value + step, value + 2 * step, value + 3 * step];
                let more = 4 * step;
                let eight = [a, b, c, d, a + more, b + more, c + more, d + more];
                // SAFETY: as in `read`: so many entries of the directory are left.
                unsafe { entry.cast::<[u64; 8]>().write_volatile(eight) };
            } else {
                write(entry, value);
            }
            entry = entry.wrapping_add(count);
            address += count * LARGE;
        }
    }
    Ok(())
}

/// Maps the pages of `virt` to the frames from `phys` on.
pub fn map(virt: Range<usize>, phys: usize, access: Access) -> Result<(), Errno> {
    for (index, address) in virt.step_by(PAGE).enumerate() {
        let entry = leaf(address, true).ok_or(Errno::ENOMEM)?;
        write(entry, (phys + index * PAGE) as u64 | access.bits());
    }
    Ok(())
}

/// The entries of the large pages around `range`; `None` for what is not a large page.
fn large_pages(range: &Range<usize>) -> impl Iterator<Item = Option<(*mut u64, u64)>> {
    let first = range.start & !(LARGE - 1);
    (first..range.end).step_by(LARGE).map(|address| {
        let entry = directory_entry(address, false)?;
        let value = read(entry);
        (value & Flags::HUGE_PAGE.bits() != 0).then_some((entry, value))
    })
}

/// Whether nobody has written to the large pages around `range` since they were
/// [made clean](make_clean) and flushed.
pub fn is_clean(range: &Range<usize>) -> bool {
    let is_clean = |(_, value): (*mut u64, u64)| value & Flags::DIRTY.bits() == 0;
    large_pages(range).all(|page| page.is_some_and(is_clean))
}

/// Resets the dirty bits of the large pages around `range` (SDM vol. 3, 4.8), which is in effect after a
/// flush. `false`, and nothing done, where pages are small.
pub fn make_clean(range: &Range<usize>) -> bool {
    if root() == 0 || large_pages(range).any(|page| page.is_none()) {
        return false;
    }
    for (entry, value) in large_pages(range).flatten() {
        write(entry, value & !Flags::DIRTY.bits());
    }
    true
}

/// Maps `range` onto itself, replacing whatever large or small pages were there.
pub fn map_identity(range: Range<usize>, access: Access) -> Result<(), Errno> {
    map(range.clone(), range.start, access)
}

/// Makes `range` unmapped. The frames behind it are the caller's business.
pub fn unmap(range: Range<usize>) -> Result<(), Errno> {
    for address in range.step_by(PAGE) {
        let entry = leaf(address, true).ok_or(Errno::ENOMEM)?;
        write(entry, 0);
    }
    Ok(())
}

/// Unmaps the large page of `address` (a multiple of 2 MiB).
pub fn unmap_large(address: usize) {
    if let Some(entry) = directory_entry(address, false) {
        write(entry, 0);
    }
}

/// Gives `range` of the identity map the protection `access`, or none at all. `true` when a present
/// entry permits less than before, so that a flush is needed: what is not present is not cached (SDM
/// vol. 3, 4.10.2.3), and a fault for a right that was added drops what was cached (4.10.4.1).
pub fn protect(range: Range<usize>, access: Option<Access>) -> Result<bool, Errno> {
    let mut changed = false;
    let wanted = access.map_or(0, Access::bits);
    let mut next = range.start;
    while next < range.end {
        let address = next;
        next += PAGE;
        if let Some((value, true)) = lookup(address)
            && (value | Flags::DIRTY.bits()) & !ADDRESS & !Flags::HUGE_PAGE.bits() == wanted
        {
            next = (address | (LARGE - 1)) + 1;
            continue;
        }
        let entry = leaf(address, true).ok_or(Errno::ENOMEM)?;
        let target = if wanted == 0 {
            0
        } else {
            address as u64 | wanted
        };
        let old = read(entry);
        changed |= permits_less(old, target);
        write(entry, target);
    }
    Ok(changed)
}

/// Whether a translation cached from the entry `old` must not be used when it is `new`.
fn permits_less(old: u64, new: u64) -> bool {
    let needed = Flags::PRESENT | Flags::WRITABLE | Flags::USER_ACCESSIBLE;
    let lost = old & !new & needed.bits() | new & !old & Flags::NO_EXECUTE.bits();
    old & Flags::PRESENT.bits() != 0 && (lost != 0 || (old ^ new) & ADDRESS != 0)
}

/// The leaf entry of `address` and whether it is a large page.
#[inline]
pub fn lookup(address: usize) -> Option<(u64, bool)> {
    if root() == 0 {
        // Unit tests have no tables.
        return None;
    }
    let entry = directory_entry(address, false)?;
    let value = read(entry);
    if value & Flags::PRESENT.bits() == 0 {
        return None;
    }
    if value & Flags::HUGE_PAGE.bits() != 0 {
        return Some((value, true));
    }
    let value = read(slot((value & ADDRESS) as usize, 0, address));
    (value & Flags::PRESENT.bits() != 0).then_some((value, false))
}

/// What the page of `address` permits, when it is mapped.
pub fn access(address: usize) -> Option<Access> {
    let (value, _) = lookup(address)?;
    let has = |flag: Flags| value & flag.bits() != 0;
    Some(Access {
        write: has(Flags::WRITABLE),
        execute: !has(Flags::NO_EXECUTE),
        user: has(Flags::USER_ACCESSIBLE),
    })
}

/// The frame address behind `address`, when it is mapped.
pub fn translate(address: usize) -> Option<usize> {
    let (value, large) = lookup(address)?;
    let span = if large { LARGE } else { PAGE };
    Some((value & ADDRESS) as usize & !(span - 1) | address & (span - 1))
}

/// The page directory of `address`, if there is one.
fn directory(address: usize) -> Option<usize> {
    let pdpt = next(slot(ROOT.load(Relaxed), 3, address), LARGE << 18, false)?;
    next(slot(pdpt, 2, address), LARGE << 9, false)
}

/// Address of the root table.
pub fn root() -> usize {
    ROOT.load(Relaxed)
}
