//! Writing to text, which is never mapped writable.

use crate::errno::Errno;
use crate::mm::{PAGE, frames, page_down, paging};
use crate::platform::platform;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Where text is written through: address space that is otherwise never mapped, one leaf table's.
const ALIAS: Range<usize> = 0x7000_0000_0000..0x7000_0020_0000;

/// The part of [`ALIAS`] not used since the last flush.
static ALIAS_NEXT: AtomicUsize = AtomicUsize::new(ALIAS.start);

/// Addresses that nothing else may have: text is written through them.
pub fn alias() -> Range<usize> {
    ALIAS
}

/// Writes a trampoline at `at`, putting memory behind the arena's pages where there is none yet.
///
/// It is written where its frames are, in the identity map: no alias is needed, and no flush.
pub fn write_arena(at: usize, code: &[u8]) -> Result<(), Errno> {
    let text = paging::Access {
        write: false,
        execute: true,
        user: true,
    };
    let mut done = 0;
    while done < code.len() {
        let address = at + done;
        let page = page_down(address);
        let frame = match paging::translate(page) {
            Some(frame) => frame,
            None => {
                let frame = frames::alloc_zeroed().ok_or(Errno::ENOMEM)?;
                paging::map(page..page + PAGE, frame, text)?;
                frame
            }
        };
        let part = (page + PAGE - address).min(code.len() - done);
        // SAFETY: the frame is the arena's, from `alloc_zeroed`, and data in the identity map. The
        // slot is this site's alone, and nothing jumps there yet.
        unsafe {
            let to = (frame + (address - page)) as *mut u8;
            core::ptr::copy_nonoverlapping(code[done..].as_ptr(), to, part);
        }
        done += part;
    }
    Ok(())
}

/// Writes `bytes` into text at `address` through an alias that is mapped only meanwhile.
pub fn write_text(address: usize, bytes: &[u8]) -> Result<(), Errno> {
    let first = page_down(address);
    let pages = (page_down(address + bytes.len() - 1) - first) / PAGE + 1;
    let alias = fresh_alias(pages);
    for index in 0..pages {
        let frame = paging::translate(first + index * PAGE).ok_or(Errno::EFAULT)?;
        let page = alias + index * PAGE;
        paging::map(page..page + PAGE, frame, paging::Access::DATA)?;
    }
    // SAFETY: the alias maps exactly the pages of the text written, and nothing else uses it (the
    // caller holds the lock, or is boot or an exception). The bytes replace a `syscall` window; one
    // CPU runs, and not in that window.
    unsafe {
        let to = (alias + (address - first)) as *mut u8;
        core::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
    }
    paging::unmap(alias..alias + pages * PAGE)
}

/// Pages of address space for an alias, that no translation can be left of.
///
/// A flush is a call of the monitor, and the translations that it loses cost as much again. So the
/// alias of each text is at another address, and all are flushed when there are no more.
fn fresh_alias(pages: usize) -> usize {
    let mut start = ALIAS_NEXT.load(Relaxed);
    if start + pages * PAGE > ALIAS.end {
        platform().flush(ALIAS);
        start = ALIAS.start;
    }
    ALIAS_NEXT.store(start + pages * PAGE, Relaxed);
    start
}
