//! Calls that change the address space, and the first touch of new memory.

use super::{Row, batched, row};
use crate::errno::Stop;
use crate::meter::{Meter, Outcome};
use crate::sys::call;
use std::ptr::null_mut;

pub const ROWS: &[Row] = &[
    row(
        "mmap_munmap",
        "mmap of 4 KiB, anonymous and private; munmap; never touched",
        mmap_munmap,
    ),
    row("mmap_munmap_1m", "the same with 1 MiB", mmap_munmap_1m),
    row(
        "mmap_touch_1m",
        "the same, and a store to each of its pages",
        mmap_touch_1m,
    ),
    batched(
        "mmap_fault",
        "first touch of a page, one of 4096 of a mapping; mmap and munmap included",
        TOUCHED_PAGES as u64,
        mmap_fault,
    ),
    row(
        "mprotect",
        "mprotect of a page to read-only, and back to writable",
        mprotect,
    ),
    row("brk", "brk one page up, and down again", brk),
    row(
        "mremap",
        "mremap of a mapping of 4 KiB to 8 KiB, where it is, and back",
        mremap,
    ),
    row(
        "madvise",
        "a store to a page; madvise(MADV_DONTNEED) of it, after which it is zero",
        madvise,
    ),
];

const PAGE: usize = 4096;
const TOUCHED_PAGES: usize = 4096;
const WRITABLE: i32 = libc::PROT_READ | libc::PROT_WRITE;

/// New memory: its address.
#[inline(always)]
fn map(length: usize) -> Result<i64, Stop> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: without MAP_FIXED a new mapping lies where nothing was.
    unsafe { call!(SYS_mmap, null_mut::<u8>(), length, WRITABLE, flags, -1, 0) }.ok()
}

/// Gives memory back.
///
/// # Safety
/// It is a whole mapping made by [`map`], and nothing in it is used any more.
#[inline(always)]
unsafe fn unmap(address: i64, length: usize) -> Result<(), Stop> {
    // SAFETY: the caller's promise.
    unsafe { call!(SYS_munmap, address, length) }.is(0)
}

fn mmap_munmap(meter: &mut Meter) -> Outcome {
    map_and_unmap(meter, PAGE)
}

fn mmap_munmap_1m(meter: &mut Meter) -> Outcome {
    map_and_unmap(meter, 1 << 20)
}

#[inline(always)]
fn map_and_unmap(meter: &mut Meter, length: usize) -> Outcome {
    meter.measure(move || {
        let address = map(length)?;
        // SAFETY: it was just mapped and is not used.
        unsafe { unmap(address, length) }
    })
}

fn mmap_touch_1m(meter: &mut Meter) -> Outcome {
    const LENGTH: usize = 1 << 20;
    meter.measure(move || {
        let address = map(LENGTH)?;
        for page in (0..LENGTH as i64).step_by(PAGE) {
            // SAFETY: it is inside the mapping, which is writable memory that nobody else knows of.
            unsafe { ((address + page) as *mut u64).write_volatile(1) };
        }
        // SAFETY: it was just mapped and is not used any more.
        unsafe { unmap(address, LENGTH) }
    })
}

fn mmap_fault(meter: &mut Meter) -> Outcome {
    const LENGTH: usize = TOUCHED_PAGES * PAGE;
    let (mut start, mut next) = (0, 0);
    meter.measure(move || {
        if next == start {
            start = map(LENGTH)?;
            next = start + LENGTH as i64;
        }
        next -= PAGE as i64;
        let page = next as *mut u64;
        // SAFETY: `next` is the start of a page of the mapping, which is writable memory that
        // nobody else knows of.
        unsafe {
            if page.read_volatile() != 0 {
                return Err(Stop::new("SYS_mmap", 0));
            }
            page.write_volatile(1);
        }
        if next == start {
            // SAFETY: the last page was touched; the next iteration makes a new mapping.
            unsafe { unmap(start, LENGTH) }?;
        }
        Ok(())
    })
}

/// A page of memory.
struct Mapping(i64);

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length; the row is done and does not use it any more.
        let _ = unsafe { unmap(self.0, PAGE) };
    }
}

fn mprotect(meter: &mut Meter) -> Outcome {
    let page = Mapping(map(PAGE)?);
    let address = page.0;
    // It exists, as any page does whose protection is worth changing.
    // SAFETY: the page is writable memory that nobody else knows of.
    unsafe { (address as *mut u8).write_volatile(1) };
    meter.measure(move || {
        // SAFETY: nobody writes to the page while it is read-only.
        unsafe { call!(SYS_mprotect, address, PAGE, libc::PROT_READ) }.is(0)?;
        // SAFETY: as above.
        unsafe { call!(SYS_mprotect, address, PAGE, WRITABLE) }.is(0)
    })
}

/// The C library's allocator owns what is below the end; while the loop runs it is not called, and
/// after each iteration the end is where it was.
fn brk(meter: &mut Meter) -> Outcome {
    // SAFETY: an impossible end moves nothing.
    let end = unsafe { call!(SYS_brk, 0) }.ok()?;
    let further = end + PAGE as i64;
    meter.measure(move || {
        // SAFETY: memory above the end belongs to nobody.
        unsafe { call!(SYS_brk, further) }.is(further)?;
        // SAFETY: what goes away is what just came.
        unsafe { call!(SYS_brk, end) }.is(end)
    })
}

fn mremap(meter: &mut Meter) -> Outcome {
    let page = with_room()?;
    let address = page.0;
    // SAFETY: the page is writable memory that nobody else knows of.
    unsafe { (address as *mut u8).write_volatile(1) };
    meter.measure(move || grow_and_shrink(address))
}

#[inline(never)]
fn grow_and_shrink(address: i64) -> Result<(), Stop> {
    // SAFETY: without MREMAP_MAYMOVE it grows where nothing was, or not at all.
    unsafe { call!(SYS_mremap, address, PAGE, 2 * PAGE, 0) }.is(address)?;
    // SAFETY: what goes away is what just came.
    unsafe { call!(SYS_mremap, address, 2 * PAGE, PAGE, 0) }.is(address)
}

/// A page behind which nothing is: a second one was there and has gone. Where the kernel takes its own
/// pages from the same memory it may take that one, mostly when call sites are used for the first time:
/// so it is tried, and then there is another.
fn with_room() -> Result<Mapping, Stop> {
    let mut tries = 8;
    loop {
        let address = map(2 * PAGE)?;
        // SAFETY: nothing of the mapping is used; what stays is one whole mapping of a page.
        unsafe { unmap(address + PAGE as i64, PAGE) }?;
        let page = Mapping(address);
        let tried = (0..4).try_for_each(|_| grow_and_shrink(address));
        tries -= 1;
        match tried {
            Ok(()) => return Ok(page),
            Err(stop) if tries == 0 => return Err(stop),
            Err(_) => {}
        }
    }
}

fn madvise(meter: &mut Meter) -> Outcome {
    let page = Mapping(map(PAGE)?);
    let address = page.0;
    meter.measure(move || {
        let first = address as *mut u8;
        // SAFETY: the page is writable memory that nobody else knows of.
        unsafe {
            if first.read_volatile() != 0 {
                return Err(Stop::new("SYS_madvise", 0));
            }
            first.write_volatile(1);
        }
        // SAFETY: nothing in the page is needed any more.
        unsafe { call!(SYS_madvise, address, PAGE, libc::MADV_DONTNEED) }.is(0)
    })
}
