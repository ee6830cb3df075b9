//! mremap(2).

use super::pages;
use crate::errno::{Errno, SysResult};
use crate::mm::area::{Area, Backing};
use crate::mm::paging;
use crate::mm::place::{self, Fixed, Request};
use crate::mm::{PAGE, demand, limit, page_up, space};
use crate::uaccess::USER_END;
use core::ops::Range;
use linux_raw_sys::general as abi;

const FLAGS: u32 = abi::MREMAP_MAYMOVE | abi::MREMAP_FIXED | abi::MREMAP_DONTUNMAP;

/// mremap(2). `old_len` 0, which would map shared memory a second time, is `EINVAL`.
pub fn mremap(old: usize, old_len: usize, new_len: usize, flags: u32, target: usize) -> SysResult {
    let may_move = flags & abi::MREMAP_MAYMOVE != 0;
    let (fixed, keep) = (
        flags & abi::MREMAP_FIXED != 0,
        flags & abi::MREMAP_DONTUNMAP != 0,
    );
    if flags & !FLAGS != 0 || !old.is_multiple_of(PAGE) || (fixed || keep) && !may_move {
        return Err(Errno::EINVAL);
    }
    let range = pages(old, old_len)
        .filter(|range| !range.is_empty())
        .ok_or(Errno::EINVAL)?;
    let len = page_up(new_len).filter(|&len| len != 0 && len <= USER_END);
    let len = len.ok_or(Errno::EINVAL)?;
    if keep && len != range.len() {
        return Err(Errno::EINVAL);
    }
    let target = match fixed {
        true => {
            let new = pages(target, len).filter(|new| new.start.is_multiple_of(PAGE));
            let new = new.ok_or(Errno::EINVAL)?;
            if new.start < range.end && range.start < new.end {
                return Err(Errno::EINVAL);
            }
            Some(new)
        }
        false => None,
    };
    let more = len.saturating_sub(range.len()) + if keep { len } else { 0 };
    if more > 0 {
        limit::check(more, true, target.clone().unwrap_or(0..0))?;
    }
    if place::is_for_areas(&range) {
        return of_area(range, len, may_move, target, keep);
    }
    if !space::is_mapped(range.clone()) {
        return Err(Errno::EFAULT);
    }
    match target {
        None if !keep => space::remap(range, len, may_move),
        _ => copy_to(range, len, target, keep),
    }
}

/// Of pages of areas: these move without being copied.
fn of_area(
    old: Range<usize>,
    len: usize,
    may_move: bool,
    target: Option<Range<usize>>,
    keep: bool,
) -> SysResult {
    let area = demand::next(old.start).filter(|area| area.range.contains(&old.start));
    let area = area.ok_or(Errno::EFAULT)?;
    let kept = old.start..old.end.min(old.start + len);
    if kept.end > area.range.end || len > old.len() && old.end > area.range.end {
        return Err(Errno::EFAULT);
    }
    if kept.end < old.end {
        demand::unmap(kept.end..old.end)?;
    }
    let more = len - kept.len();
    if target.is_none() && !keep {
        if more == 0 || old.end == area.range.end && demand::extend(old.end, more).is_ok() {
            return Ok(old.start);
        }
        if !may_move {
            return Err(Errno::ENOMEM);
        }
    }
    let new = match target {
        Some(new) if !place::is_for_areas(&new) => return Err(Errno::ENOMEM),
        Some(new) => {
            demand::unmap(new.clone())?;
            new.start
        }
        None => place::gap(len, false).ok_or(Errno::ENOMEM)?,
    };
    demand::relocate(kept.clone(), new)?;
    if more > 0 {
        demand::extend(new + kept.len(), more)?;
    }
    if keep {
        demand::map(Area {
            range: kept.clone(),
            backing: area.backing.skip(kept.start - area.range.start),
            ..area
        })?;
    }
    Ok(new)
}

/// Of pages of RAM, which have their addresses for good: to another place their content is copied.
fn copy_to(old: Range<usize>, len: usize, target: Option<Range<usize>>, keep: bool) -> SysResult {
    let access = paging::access(old.start);
    let new = place::map(Request {
        address: target.as_ref().map_or(0, |new| new.start),
        fixed: target.map_or(Fixed::No, |_| Fixed::Replace),
        backing: Backing::Anonymous,
        ..Request::data(len)
    })?;
    space::copy_pages(old.start..old.end.min(old.start + len), new)?;
    match keep {
        true => space::discard(old)?,
        false => space::unmap(old)?,
    }
    space::protect(new..new + len, access)?;
    Ok(new)
}
