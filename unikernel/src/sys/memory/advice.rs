//! What says how memory will be used, or asks whether it is there: madvise(2), mincore(2), mlock(2),
//! msync(2).

use super::pages;
use crate::errno::{Errno, SysResult};
use crate::mm::area::Backing;
use crate::mm::demand::{self, Fault, Touch};
use crate::mm::{PAGE, paging, place, space};
use crate::uaccess::{UserSlice, access_ok};
use core::ops::Range;
use linux_raw_sys::general as abi;

/// mincore(2): which pages have memory.
pub fn mincore(start: usize, len: usize, vector: usize) -> SysResult {
    if !start.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let range = pages(start, len).ok_or(Errno::ENOMEM)?;
    let count = range.len() / PAGE;
    if !access_ok(vector, count) {
        return Err(Errno::EFAULT);
    }
    if !space::is_known(range.clone()) {
        return Err(Errno::ENOMEM);
    }
    const PART: usize = 256;
    for first in (0..count).step_by(PART) {
        let part = UserSlice::new(vector + first, PART.min(count - first));
        let start = range.start + first * PAGE;
        let mut bytes = [0; PART];
        for (number, byte) in bytes[..part.len()].iter_mut().enumerate() {
            *byte = u8::from(is_resident(start + number * PAGE));
        }
        if part.write(&bytes[..part.len()])? != part.len() {
            return Err(Errno::EFAULT);
        }
    }
    Ok(0)
}

fn is_resident(page: usize) -> bool {
    if !place::is_for_areas(&(page..page + PAGE)) || paging::lookup(page).is_some() {
        return true;
    }
    // A page of a file is there whether it is in the page tables or not.
    demand::next(page).is_some_and(|area| match &area.backing {
        Backing::File(mapping, _) if area.range.contains(&page) => {
            let at = area.index(page) * PAGE as u64;
            let store = mapping.file.inode().store();
            store.is_some_and(|store| store.lock().next_data(at) == Some(at))
        }
        _ => demand::resident(page..page + PAGE) > 0,
    })
}

/// Advice that may be ignored, and is: there is no swap, no fork, no dump, no huge page of its own.
const IGNORED: [u32; 15] = [
    abi::MADV_NORMAL,
    abi::MADV_RANDOM,
    abi::MADV_SEQUENTIAL,
    abi::MADV_WILLNEED,
    abi::MADV_FREE,
    abi::MADV_DONTFORK,
    abi::MADV_DOFORK,
    abi::MADV_HUGEPAGE,
    abi::MADV_NOHUGEPAGE,
    abi::MADV_DONTDUMP,
    abi::MADV_DODUMP,
    abi::MADV_WIPEONFORK,
    abi::MADV_KEEPONFORK,
    abi::MADV_COLD,
    abi::MADV_PAGEOUT,
];

/// madvise(2): MADV_DONTNEED discards, MADV_POPULATE_READ and _WRITE bring; the advice that Linux may
/// ignore is ignored.
pub fn madvise(start: usize, len: usize, advice: u32) -> SysResult {
    let acts = [
        abi::MADV_DONTNEED,
        abi::MADV_DONTNEED_LOCKED,
        abi::MADV_POPULATE_READ,
        abi::MADV_POPULATE_WRITE,
    ];
    if !acts.contains(&advice) && !IGNORED.contains(&advice) || !start.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let range = pages(start, len).ok_or(Errno::EINVAL)?;
    match advice {
        _ if range.is_empty() => {}
        abi::MADV_DONTNEED | abi::MADV_DONTNEED_LOCKED => space::discard(range)?,
        abi::MADV_POPULATE_READ => populate(range, false)?,
        abi::MADV_POPULATE_WRITE => populate(range, true)?,
        // Only anonymous private memory can be given back without a word.
        abi::MADV_FREE | abi::MADV_WIPEONFORK if has_file(range.clone()) => {
            return Err(Errno::EINVAL);
        }
        _ if !space::is_known(range) => return Err(Errno::ENOMEM),
        _ => {}
    }
    Ok(0)
}

fn has_file(range: Range<usize>) -> bool {
    let mut from = range.start;
    while let Some(area) = demand::next(from).filter(|area| area.range.start < range.end) {
        if matches!(area.backing, Backing::File(..)) {
            return true;
        }
        from = area.range.end;
    }
    false
}

/// Brings all of it. Errors as of madvise(2): `ENOMEM` (a hole, or no memory), `EFAULT` (it may not
/// be touched so, or the file ends before).
fn populate(range: Range<usize>, write: bool) -> Result<(), Errno> {
    let end = space::covered(range.clone());
    let touch = Touch {
        write,
        ..Touch::READ
    };
    demand::bring(range.start..end, touch).map_err(|fault| match fault {
        Fault::Unmapped | Fault::Memory => Errno::ENOMEM,
        Fault::Denied | Fault::Bus => Errno::EFAULT,
    })?;
    if end == range.end {
        Ok(())
    } else {
        Err(Errno::ENOMEM)
    }
}

/// A range as mlock(2) and munlock(2) take it: any address, rounded outwards.
fn around(start: usize, len: usize) -> Result<Range<usize>, Errno> {
    let first = start & !(PAGE - 1);
    let len = len.checked_add(start - first).ok_or(Errno::EINVAL)?;
    pages(first, len).ok_or(Errno::ENOMEM)
}

/// mlock(2): memory that is there stays; the rest is brought.
pub fn mlock(start: usize, len: usize) -> SysResult {
    mlock2(start, len, 0)
}

/// mlock2(2), with MLOCK_ONFAULT.
pub fn mlock2(start: usize, len: usize, flags: u32) -> SysResult {
    if flags & !abi::MLOCK_ONFAULT != 0 {
        return Err(Errno::EINVAL);
    }
    let range = around(start, len)?;
    if !range.is_empty() && !space::is_known(range.clone()) {
        return Err(Errno::ENOMEM);
    }
    if flags & abi::MLOCK_ONFAULT == 0 {
        // What may not be touched is locked all the same.
        let _ = demand::bring(range, Touch::READ);
    }
    Ok(0)
}

/// munlock(2).
pub fn munlock(start: usize, len: usize) -> SysResult {
    let range = around(start, len)?;
    if range.is_empty() || space::is_known(range) {
        Ok(0)
    } else {
        Err(Errno::ENOMEM)
    }
}

/// mlockall(2): there is no swap.
pub fn mlockall(flags: u32) -> SysResult {
    const ALL: u32 = abi::MCL_CURRENT | abi::MCL_FUTURE | abi::MCL_ONFAULT;
    if flags == 0 || flags & !ALL != 0 || flags == abi::MCL_ONFAULT {
        return Err(Errno::EINVAL);
    }
    Ok(0)
}

/// munlockall(2).
pub fn munlockall() -> SysResult {
    Ok(0)
}

/// msync(2): what is stored through a mapping is in the file at once.
pub fn msync(start: usize, len: usize, flags: u32) -> SysResult {
    const BOTH: u32 = abi::MS_ASYNC | abi::MS_SYNC;
    if flags & !(BOTH | abi::MS_INVALIDATE) != 0
        || flags & BOTH == BOTH
        || !start.is_multiple_of(PAGE)
    {
        return Err(Errno::EINVAL);
    }
    let range = pages(start, len).ok_or(Errno::ENOMEM)?;
    if range.is_empty() || space::is_known(range) {
        Ok(0)
    } else {
        Err(Errno::ENOMEM)
    }
}
