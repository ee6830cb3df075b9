//! Where threads are: each has a slab of address space of its own.
//!
//! ```text
//! +0      the area of its vector state
//! 4 KiB   guard page, never mapped
//! 8 KiB   kernel stack, growing down
//! ...     the `Thread`, at the end
//! 40 KiB
//! ```
//!
//! Pages that were not mapped need no flush to be so, and a thread that ends leaves its slab to the next
//! one: creating threads costs no page-table work then. When many slabs are unused, the frames of the
//! oldest go back, many at a time with one flush; but for the last page, since the `Thread` stays where
//! it is for ever.

use super::fpu;
use super::thread::Thread;
use crate::errno::Errno;
use crate::mm::frames::FRAMES;
use crate::mm::{PAGE, paging};
use crate::platform::platform;
use crate::shim::KERNEL_STACK;
use crate::sync::Exclusive;
use alloc::vec::Vec;
use core::ops::Range;

/// Address space for slabs, that nothing else uses.
const REGION: Range<usize> = 0x7100_0000_0000..0x7100_0000_0000 + MOST * SLAB;
/// Threads beside the main one that may ever be there at a time.
const MOST: usize = 32_000;
const SLAB: usize = STACK_START + KERNEL_STACK;
const STACK_START: usize = fpu::AREA + PAGE;
const THREAD_START: usize = (SLAB - size_of::<Thread>()) & !63;

/// Stack that remains in a slab, beside the thread itself.
const _: () = assert!(THREAD_START - STACK_START >= KERNEL_STACK - 2048);

/// Unused slabs whose frames are given back at a time; as many are kept.
const BATCH: usize = 32;
/// Pages of a slab that can be given back: all that are mapped but the last.
const PAGES: usize = (SLAB - STACK_START + fpu::AREA) / PAGE - 1;

struct Slabs {
    /// Free ones, the last one used first.
    free: Vec<usize>,
    /// Free ones that have but their last page.
    bare: Vec<usize>,
    /// Where the next new one begins.
    next: usize,
}

static SLABS: Exclusive<Slabs> = Exclusive::new(Slabs {
    free: Vec::new(),
    bare: Vec::new(),
    next: REGION.start,
});

/// Makes a thread with the id `tid`; `EAGAIN` without memory for it.
pub fn make(tid: i32) -> Result<&'static Thread, Errno> {
    let mut slabs = SLABS.lock();
    let start = match slabs.free.pop() {
        Some(start) => start,
        None => slabs.bare_or_new()?,
    };
    let thread = (start + THREAD_START) as *mut Thread;
    // SAFETY: the slab is mapped, and nobody else's: it is new, or the thread in it has ended and
    // is in no list any more.
    let thread = unsafe {
        thread.write(Thread::new(tid));
        &*thread
    };
    thread
        .stack
        .store(start + THREAD_START, core::sync::atomic::Ordering::Relaxed);
    // SAFETY: the first page of the slab is for that.
    unsafe { thread.fpu.set_area(start) };
    Ok(thread)
}

/// Takes back what [`make`] made. The thread may be running on its stack for a last time, as long
/// as none is made meanwhile.
pub fn give_back(thread: &'static Thread) {
    let start = core::ptr::from_ref(thread) as usize - THREAD_START;
    let mut slabs = SLABS.lock();
    // There is room: `new_slab` saw to it.
    slabs.free.push(start);
    if slabs.free.len() > 2 * BATCH {
        slabs.strip();
    }
}

/// Bytes that slabs have in RAM.
pub fn in_use() -> usize {
    let slabs = SLABS.lock();
    (slabs.next - REGION.start) / SLAB * (PAGES + 1) * PAGE - slabs.bare.len() * PAGES * PAGE
}

impl Slabs {
    fn bare_or_new(&mut self) -> Result<usize, Errno> {
        let Some(&start) = self.bare.last() else {
            return self.new_slab();
        };
        fill(start)?;
        self.bare.pop();
        Ok(start)
    }

    /// Takes the frames of the slabs that have been unused for longest.
    #[cold]
    #[inline(never)]
    fn strip(&mut self) {
        let mut frames = heapless::Vec::<usize, { BATCH * PAGES }>::new();
        for start in self.free.drain(..BATCH) {
            for page in (start..start + SLAB - PAGE).step_by(PAGE) {
                if let Some(frame) = paging::translate(page)
                    && paging::unmap(page..page + PAGE).is_ok()
                {
                    // There is room for all that a slab has.
                    let _ = frames.push(frame);
                }
            }
            // There is room, as for `free`.
            self.bare.push(start);
        }
        platform().flush(REGION.start..self.next);
        for frame in frames {
            FRAMES.lock().free(frame, 1);
        }
    }

    fn new_slab(&mut self) -> Result<usize, Errno> {
        let start = self.next;
        let made = (start - REGION.start) / SLAB;
        if made == MOST {
            return Err(Errno::EAGAIN);
        }
        // Both lists have room for all there are.
        let free = made + 1 - self.free.len();
        self.free.try_reserve(free).map_err(|_| Errno::EAGAIN)?;
        let bare = made + 1 - self.bare.len();
        self.bare.try_reserve(bare).map_err(|_| Errno::EAGAIN)?;
        fill(start)?;
        self.next = start + SLAB;
        Ok(start)
    }
}

/// Maps what of the slab at `start` is not.
fn fill(start: usize) -> Result<(), Errno> {
    let pages = populate(start..start + fpu::AREA)
        .and_then(|()| populate(start + STACK_START..start + SLAB));
    if pages.is_err() {
        // The last page comes last, or was there.
        release(start..start + SLAB - PAGE);
        return pages;
    }
    // The header of the area must be zero before it is used for the first time.
    // SAFETY: the page was just mapped.
    unsafe { core::ptr::write_bytes(start as *mut u8, 0, fpu::AREA) };
    Ok(())
}

fn populate(range: Range<usize>) -> Result<(), Errno> {
    for page in range.step_by(PAGE) {
        if paging::translate(page).is_some() {
            continue;
        }
        let frame = FRAMES.lock().alloc(1).ok_or(Errno::EAGAIN)?;
        if paging::map(page..page + PAGE, frame, paging::Access::DATA).is_err() {
            FRAMES.lock().free(frame, 1);
            return Err(Errno::EAGAIN);
        }
    }
    Ok(())
}

/// Takes pages of a slab away that were just mapped and not used: no CPU can remember them.
fn release(range: Range<usize>) {
    for page in range.step_by(PAGE) {
        if let Some(frame) = paging::translate(page) {
            let unmapped = paging::unmap(page..page + PAGE);
            debug_assert!(unmapped.is_ok(), "the table is there");
            FRAMES.lock().free(frame, 1);
        }
    }
}
