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
//! A slab gets its frames once. Pages that were not mapped need no flush to be so, and a thread that
//! ends leaves its slab to the next one: creating threads costs no page-table work then.

use super::fpu;
use super::thread::Thread;
use crate::errno::Errno;
use crate::mm::frames::FRAMES;
use crate::mm::{PAGE, paging};
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

struct Slabs {
    /// Free ones, the last one used first.
    free: Vec<usize>,
    /// Where the next new one begins.
    next: usize,
}

static SLABS: Exclusive<Slabs> = Exclusive::new(Slabs {
    free: Vec::new(),
    next: REGION.start,
});

/// Makes a thread with the id `tid`; `EAGAIN` without memory for it.
pub fn make(tid: i32) -> Result<&'static Thread, Errno> {
    let mut slabs = SLABS.lock();
    let start = match slabs.free.pop() {
        Some(start) => start,
        None => slabs.new_slab()?,
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
    // There is room: `new_slab` saw to it.
    SLABS.lock().free.push(start);
}

impl Slabs {
    fn new_slab(&mut self) -> Result<usize, Errno> {
        let start = self.next;
        let made = (start - REGION.start) / SLAB;
        if made == MOST {
            return Err(Errno::EAGAIN);
        }
        self.free.try_reserve(made + 1).map_err(|_| Errno::EAGAIN)?;
        populate(start..start + fpu::AREA)?;
        // The header of the area must be zero before it is used for the first time.
        // SAFETY: the page was just mapped.
        unsafe { core::ptr::write_bytes(start as *mut u8, 0, fpu::AREA) };
        if populate(start + STACK_START..start + SLAB).is_err() {
            release(start..start + SLAB);
            return Err(Errno::EAGAIN);
        }
        self.next = start + SLAB;
        Ok(start)
    }
}

fn populate(range: Range<usize>) -> Result<(), Errno> {
    for page in range.step_by(PAGE) {
        let frame = FRAMES.lock().alloc(1).ok_or(Errno::EAGAIN)?;
        if paging::map(page..page + PAGE, frame, paging::Access::DATA).is_err() {
            FRAMES.lock().free(frame, 1);
            return Err(Errno::EAGAIN);
        }
    }
    Ok(())
}

/// Takes the pages of a slab away that was never used: no CPU can remember them.
fn release(range: Range<usize>) {
    for page in range.step_by(PAGE) {
        if let Some(frame) = paging::translate(page) {
            let unmapped = paging::unmap(page..page + PAGE);
            debug_assert!(unmapped.is_ok(), "the table is there");
            FRAMES.lock().free(frame, 1);
        }
    }
}
