//! Where mmap(2) puts what: memory of the identity map, or an area with addresses of its own.
//!
//! Ordinary memory of moderate size is frames of the identity map, cleared at once: no page-table
//! write, no fault, no flush. An area is for the rest: what permits less than reading and writing,
//! what may never be used (MAP_NORESERVE, stacks, a mebibyte and more), files, fixed addresses that
//! are no RAM.

use super::area::{Area, Backing};
use super::frames::FRAMES;
use super::paging::Access;
use super::{LARGE, PAGE, demand, ram, space};
use crate::errno::Errno;
use crate::lower;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// From this size on memory comes when it is touched, and then by the large page. Below, clearing all
/// of it at once costs a few microseconds even if most of it is never used; the other way would cost
/// a host that shadows page tables as much for each page that is.
const LAZY: usize = LARGE;

/// End of the addresses for areas; the main stack is above.
const END: usize = 0x7ff0_0000_0000;

/// End of the addresses for areas below 2 GiB: the arena of trampolines is behind.
const LOW_END: usize = 0x6000_0000;

/// Start of the addresses for areas: above all RAM and all devices. Set at boot, as the next.
static START: AtomicUsize = AtomicUsize::new(0);
/// Start of those below 2 GiB: above the RAM that is there.
static LOW_START: AtomicUsize = AtomicUsize::new(LOW_END);
/// How far below [`END`] areas are placed, at random: address-space layout randomisation.
static SHIFT: AtomicUsize = AtomicUsize::new(0);

/// Finds out where areas may be. `shift` bytes, whole pages, move all that is placed.
pub fn init(memory: &[Range<usize>], shift: usize) {
    const STEP: usize = 1 << 30;
    let top = memory.iter().map(|ram| ram.end).max().unwrap_or(0);
    START.store(top.max(1 << 32).next_multiple_of(STEP), Relaxed);
    let low = memory.iter().filter(|ram| ram.start < LOW_END);
    let low = low.map(|ram| ram.end.next_multiple_of(LARGE)).max();
    LOW_START.store(low.unwrap_or(LOW_END), Relaxed);
    SHIFT.store(shift, Relaxed);
}

/// What is to happen at the address that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fixed {
    /// It is a hint.
    No,
    /// MAP_FIXED: what is there goes.
    Replace,
    /// MAP_FIXED_NOREPLACE: `EEXIST` when there is something.
    Keep,
}

/// A mapping that is asked for.
pub struct Request {
    /// Bytes, whole pages, not 0.
    pub len: usize,
    /// Where, a multiple of the page size; 0: anywhere.
    pub address: usize,
    /// Whether it must be there.
    pub fixed: Fixed,
    /// What it permits.
    pub access: Option<Access>,
    /// Where its content is from.
    pub backing: Backing,
    /// It may never be used (MAP_NORESERVE, MAP_STACK).
    pub lazy: bool,
    /// Below 2 GiB (MAP_32BIT).
    pub low: bool,
    /// MAP_GROWSDOWN.
    pub grows_down: bool,
}

impl Request {
    /// Ordinary memory, anywhere.
    pub fn data(len: usize) -> Self {
        Self {
            len,
            address: 0,
            fixed: Fixed::No,
            access: Some(Access::DATA),
            backing: Backing::Anonymous,
            lazy: false,
            low: false,
            grows_down: false,
        }
    }
}

/// Whether areas can be in all of `range`.
pub fn is_for_areas(range: &Range<usize>) -> bool {
    let inside = |start, end| start <= range.start && range.end <= end;
    let alias = lower::alias();
    let is_high = inside(START.load(Relaxed), alias.start) || inside(alias.end, END);
    is_high || inside(LOW_START.load(Relaxed), LOW_END)
}

/// Maps; the address. Errors: `ENOMEM`, `EEXIST`.
pub fn map(request: Request) -> Result<usize, Errno> {
    let range = request.address..request.address + request.len;
    match request.fixed {
        Fixed::No => {}
        fixed if is_for_areas(&range) => return map_area_at(request, range, fixed),
        fixed => return map_ram_at(&request, range, fixed),
    }
    if request.address != 0 && is_for_areas(&range) && demand::is_free(range.clone()) {
        return add_area(request, range.start);
    }
    if is_ordinary(&request)
        && let Ok(start) = ram::map(request.len)
    {
        return Ok(start);
    }
    check_amount(&request)?;
    let start = match request.len {
        // So that large pages fit.
        LARGE.. if !request.lazy && !request.low => {
            gap(request.len + LARGE, false).map(|start| start.next_multiple_of(LARGE))
        }
        len => gap(len, request.low),
    };
    add_area(request, start.ok_or(Errno::ENOMEM)?)
}

/// Whether the identity map is the place for it.
fn is_ordinary(request: &Request) -> bool {
    request.access == Some(Access::DATA)
        && matches!(request.backing, Backing::Anonymous)
        && request.len < LAZY
        && !(request.lazy || request.low || request.grows_down)
}

/// More than there is at all is refused, unless it was said that it will not be used
/// (`vm.overcommit_memory` = 0).
fn check_amount(request: &Request) -> Result<(), Errno> {
    let is_charged = request.access.is_some_and(|access| access.write) && !request.lazy;
    let total = FRAMES.lock().counts().0 * PAGE;
    if is_charged && matches!(request.backing, Backing::Anonymous) && request.len > total {
        return Err(Errno::ENOMEM);
    }
    Ok(())
}

/// Free addresses for an area.
pub fn gap(len: usize, low: bool) -> Option<usize> {
    if low {
        return demand::gap(len, LOW_START.load(Relaxed)..LOW_END);
    }
    let alias = lower::alias();
    demand::gap(len, alias.end..END - SHIFT.load(Relaxed))
        .or_else(|| demand::gap(len, START.load(Relaxed)..alias.start))
}

fn map_area_at(request: Request, range: Range<usize>, fixed: Fixed) -> Result<usize, Errno> {
    if fixed == Fixed::Keep && !demand::is_free(range.clone()) {
        return Err(Errno::EEXIST);
    }
    check_amount(&request)?;
    demand::unmap(range.clone())?;
    add_area(request, range.start)
}

fn add_area(request: Request, start: usize) -> Result<usize, Errno> {
    demand::map(Area {
        range: start..start + request.len,
        access: request.access,
        backing: request.backing,
        grows_down: request.grows_down,
    })?;
    Ok(start)
}

/// At an address in RAM there is that RAM or nothing; a file is copied to it.
fn map_ram_at(request: &Request, range: Range<usize>, fixed: Fixed) -> Result<usize, Errno> {
    match &request.backing {
        Backing::Anonymous => ram::map_fixed(range, request.access, fixed == Fixed::Replace),
        Backing::File(mapping, _) if mapping.shared => Err(Errno::ENOMEM),
        Backing::File(mapping, first) => {
            let data = Some(Access::DATA);
            let start = ram::map_fixed(range.clone(), data, fixed == Fixed::Replace)?;
            // SAFETY: the pages are fresh, writable and nobody else's yet.
            let bytes = unsafe { core::slice::from_raw_parts_mut(start as *mut u8, range.len()) };
            if let Some(store) = mapping.file.inode().store() {
                store.lock().read_bytes(first * PAGE as u64, bytes);
            }
            space::protect(range, request.access)?;
            Ok(start)
        }
    }
}
