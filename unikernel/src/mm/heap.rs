//! The kernel heap.
//!
//! Three tiers, by size: up to 2 KiB, power-of-two classes with an intrusive free list (a pop or a
//! push); up to 16 KiB, a `linked_list_allocator` over one region, for odd sizes where rounding
//! up would waste; above, whole frames. Classes take their blocks from single frames, so an idle
//! heap holds no memory at all.

use super::{PAGE, frames::FRAMES};
use crate::sync::SpinLock;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use linked_list_allocator::Heap as ListHeap;

const SMALLEST: usize = 16;
const CLASSES: usize = 8;
const LARGEST_CLASS: usize = SMALLEST << (CLASSES - 1);
const LARGEST_ODD: usize = 16 << 10;
/// Largest region for odd sizes.
const ODD_REGION: usize = 64 << 10;

/// A free block of some class; its first word links to the next.
struct Free {
    next: Option<NonNull<Free>>,
}

struct Tiers {
    classes: [Option<NonNull<Free>>; CLASSES],
    odd: ListHeap,
}

// SAFETY: the pointers lead to blocks owned by the heap, and the lock around admits one user.
unsafe impl Send for Tiers {}

/// Frames that the heap holds, in blocks or free in a class.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Frames that the heap holds.
pub fn frames() -> usize {
    HELD.load(Relaxed)
}

/// The allocator; declared as `#[global_allocator]` by the crate that builds the kernel object.
pub struct Heap(SpinLock<Tiers>);

impl Heap {
    /// An empty heap; memory is taken from the frames on demand.
    #[allow(clippy::new_without_default, reason = "const, for a static")]
    pub const fn new() -> Self {
        let tiers = Tiers {
            classes: [None; CLASSES],
            odd: ListHeap::empty(),
        };
        Self(SpinLock::new(tiers))
    }
}

fn class_of(size: usize) -> usize {
    size.max(SMALLEST).next_power_of_two().trailing_zeros() as usize - 4
}

fn effective(layout: Layout) -> usize {
    layout.size().max(layout.align())
}

impl Tiers {
    fn pop(&mut self, class: usize) -> *mut u8 {
        if self.classes[class].is_none() && !self.refill(class) {
            return null_mut();
        }
        let Some(block) = self.classes[class] else {
            return null_mut();
        };
        // SAFETY: blocks on the list are free memory of the heap's, at least 16 bytes, and were
        // initialised as `Free` when pushed.
        self.classes[class] = unsafe { block.as_ref().next };
        block.as_ptr().cast()
    }

    fn push(&mut self, class: usize, block: NonNull<Free>) {
        let next = self.classes[class];
        // SAFETY: the block has just been given back (or carved), is aligned to its class and
        // belongs to nobody else.
        unsafe { block.write(Free { next }) };
        self.classes[class] = Some(block);
    }

    fn refill(&mut self, class: usize) -> bool {
        let Some(page) = FRAMES.lock().alloc(1) else {
            return false;
        };
        HELD.fetch_add(1, Relaxed);
        for offset in (0..PAGE).step_by(SMALLEST << class).rev() {
            if let Some(block) = NonNull::new((page + offset) as *mut Free) {
                self.push(class, block);
            }
        }
        true
    }

    fn odd(&mut self, layout: Layout) -> *mut u8 {
        if self.odd.size() == 0 {
            let mut frames = FRAMES.lock();
            // Not more than a 64th of RAM, but room for one of the largest.
            let pages = (frames.counts().0 / 64).clamp(LARGEST_ODD / PAGE + 1, ODD_REGION / PAGE);
            if let Some(region) = frames.alloc(pages) {
                // SAFETY: the region is fresh RAM, ours for good.
                unsafe { self.odd.init(region as *mut u8, pages * PAGE) };
                HELD.fetch_add(pages, Relaxed);
            }
        }
        self.odd
            .allocate_first_fit(layout)
            .map_or(null_mut(), NonNull::as_ptr)
    }

    fn owns_odd(&self, pointer: *mut u8) -> bool {
        let bottom = self.odd.bottom() as usize;
        (bottom..bottom + self.odd.size()).contains(&(pointer as usize))
    }
}

fn whole_frames(size: usize) -> *mut u8 {
    let count = size.div_ceil(PAGE);
    let Some(address) = FRAMES.lock().alloc(count) else {
        return null_mut();
    };
    HELD.fetch_add(count, Relaxed);
    address as *mut u8
}

// SAFETY: blocks are at least `layout` large and aligned (class sizes are powers of two inside a
// page, frames are page-aligned; larger alignments are refused), and are handed out once.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = effective(layout);
        if layout.align() > PAGE {
            return null_mut();
        }
        if size <= LARGEST_CLASS {
            return self.0.lock().pop(class_of(size));
        }
        if size <= LARGEST_ODD {
            let block = self.0.lock().odd(layout);
            if !block.is_null() {
                return block;
            }
        }
        whole_frames(size)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let (size, Some(block)) = (effective(layout), NonNull::new(pointer)) else {
            return;
        };
        let mut tiers = self.0.lock();
        if size <= LARGEST_CLASS {
            tiers.push(class_of(size), block.cast());
        } else if tiers.owns_odd(pointer) {
            // SAFETY: the block came from this region with this layout.
            unsafe { tiers.odd.deallocate(block, layout) };
        } else {
            FRAMES.lock().free(pointer as usize, size.div_ceil(PAGE));
            HELD.fetch_sub(size.div_ceil(PAGE), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_powers_of_two_from_16() {
        assert_eq!([1, 16, 17, 32, 33, 2048].map(class_of), [0, 0, 1, 1, 2, 7]);
        assert_eq!(LARGEST_CLASS, 2048);
    }

    #[test]
    fn blocks_are_reused_in_lifo_order() {
        let mut tiers = Tiers {
            classes: [None; CLASSES],
            odd: ListHeap::empty(),
        };
        let block = Box::leak(Box::new([0u64; 8])).as_mut_ptr().cast::<Free>();
        tiers.push(2, NonNull::new(block).unwrap());
        assert_eq!(tiers.pop(2), block.cast());
        assert!(tiers.classes[2].is_none());
    }
}
