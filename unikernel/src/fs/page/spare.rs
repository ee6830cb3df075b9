//! Pages and frames that wait for their next use.
//!
//! The last page given back is the first to be taken again: its frame is warm, and no map has to be
//! searched.

use super::Head;
use crate::mm::PAGE;
use crate::sync::SpinLock;
use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicBool, AtomicU32};

/// Pages kept for the next to need one; the last in is the first out.
pub(super) const KEPT: usize = 32;

/// Pages without a holder, and frames that never were a page.
struct Spare {
    pages: [NonNull<Head>; KEPT],
    count: usize,
    /// The first of the frames of the last run that were not used yet, and how many there are.
    /// Nothing was written to them: the host need not have backed them.
    run: (*mut u8, usize),
}

// SAFETY: what is in it belongs to it.
unsafe impl Send for Spare {}

static SPARE: SpinLock<Spare> = SpinLock::new(Spare {
    pages: [NonNull::dangling(); KEPT],
    count: 0,
    run: (null_mut(), 0),
});

/// Takes a page, made if there is none, with a count of 0. `None` when there is no memory.
#[inline]
pub(super) fn take() -> Option<NonNull<Head>> {
    SPARE.lock_no_irq().take()
}

/// Gives back a page that has no holder any more.
#[inline]
pub(super) fn give(head: NonNull<Head>) {
    SPARE.lock_no_irq().give(head);
}

const HEAD: Layout = Layout::new::<Head>();

impl Spare {
    #[inline]
    fn take(&mut self) -> Option<NonNull<Head>> {
        if self.count == 0 {
            return self.make();
        }
        self.count -= 1;
        Some(self.pages[self.count])
    }

    #[inline]
    fn give(&mut self, head: NonNull<Head>) {
        if self.count < KEPT {
            self.pages[self.count] = head;
            self.count += 1;
        } else {
            destroy(head);
        }
    }

    #[cold]
    fn make(&mut self) -> Option<NonNull<Head>> {
        // SAFETY: the layout is not of size 0.
        let head = NonNull::new(unsafe { alloc(HEAD) })?.cast::<Head>();
        let Some(frame) = self.frame() else {
            // SAFETY: allocated above, with this layout.
            unsafe { dealloc(head.as_ptr().cast(), HEAD) };
            return None;
        };
        // SAFETY: fresh memory of the right size and alignment.
        unsafe {
            head.write(Head {
                holders: AtomicU32::new(0),
                filled: AtomicBool::new(false),
                frame,
            });
        }
        Some(head)
    }

    fn frame(&mut self) -> Option<*mut u8> {
        if self.run.1 == 0 {
            self.run = source::take()?;
        }
        let (frame, count) = self.run;
        self.run = (frame.wrapping_add(PAGE), count - 1);
        Some(frame)
    }
}

/// Gives frame and head back.
#[cold]
fn destroy(head: NonNull<Head>) {
    // SAFETY: nobody has the page any more; its frame is one that `source` gave, and the head was
    // allocated by `make`.
    unsafe {
        source::give((*head.as_ptr()).frame, 1);
        dealloc(head.as_ptr().cast(), HEAD);
    }
}

/// Pages' worth of memory kept for later: free, though it does not look so to the frame map.
pub fn spare() -> usize {
    let spare = SPARE.lock_no_irq();
    spare.count + spare.run.1
}

/// Gives all spare pages back to the frame map. Returns how many there were.
pub fn trim() -> usize {
    let mut spare = SPARE.lock_no_irq();
    let count = spare.count + spare.run.1;
    for n in 0..spare.count {
        destroy(spare.pages[n]);
    }
    spare.count = 0;
    source::give(spare.run.0, spare.run.1);
    spare.run = (null_mut(), 0);
    count
}

/// Where frames come from.
#[cfg(not(any(test, miri)))]
mod source {
    use super::PAGE;
    use crate::mm::frames::FRAMES;
    use core::ptr::with_exposed_provenance_mut;

    /// Frames are taken from the map in runs of this many: finding one means searching the map.
    const RUN: usize = 16;

    pub fn take() -> Option<(*mut u8, usize)> {
        let mut frames = FRAMES.lock();
        let run = |count| frames.alloc(count).map(|start| (start, count));
        let (start, count) = [RUN, 1].into_iter().find_map(run)?;
        Some((with_exposed_provenance_mut(start), count))
    }

    pub fn give(start: *mut u8, count: usize) {
        debug_assert_eq!(start as usize % PAGE, 0);
        FRAMES.lock().free(start as usize, count);
    }
}

/// Where unit tests get frames from, one at a time.
#[cfg(any(test, miri))]
mod source {
    use super::{Layout, PAGE, alloc, dealloc};

    const FRAME: Layout = Layout::new::<crate::fs::page::Zeros>();

    pub fn take() -> Option<(*mut u8, usize)> {
        // SAFETY: the layout is not of size 0.
        let frame = unsafe { alloc(FRAME) };
        (!frame.is_null()).then_some((frame, 1))
    }

    pub fn give(start: *mut u8, count: usize) {
        for n in 0..count {
            // SAFETY: `take` allocated each.
            unsafe { dealloc(start.wrapping_add(n * PAGE), FRAME) };
        }
    }
}
