//! What happens to the locks of a thread that ends (get_robust_list(2)).

use super::{pi, wake_all_of};
use crate::errno::Errno;
use crate::sched::Thread;
use crate::uaccess::UserPtr;
use core::sync::atomic::Ordering::Relaxed;
use linux_raw_sys::general as abi;

/// Entries that are looked at: a list may be a circle, or damaged.
const MOST: usize = abi::ROBUST_LIST_LIMIT as usize;

/// An entry of the list: its address, and whether it is a lock that lends priorities.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    address: usize,
    lends: bool,
}

impl Entry {
    fn read(at: usize) -> Result<Self, Errno> {
        let word = UserPtr::<usize>::new(at).read()?;
        Ok(Self {
            address: word & !1,
            lends: word & 1 != 0,
        })
    }
}

/// Marks the locks in the list of `thread`, which ends, as left by a dead owner, and hands on those
/// that lend priorities. A list that cannot be read ends there.
pub fn leave_robust_list(thread: &Thread) {
    let head = thread.robust.swap(0, Relaxed);
    if head != 0 {
        let _ = walk(thread, head);
    }
    pi::bequeath(thread);
}

fn walk(thread: &Thread, head: usize) -> Result<(), Errno> {
    let mut entry = Entry::read(head)?;
    let offset = UserPtr::<usize>::new(head.wrapping_add(8)).read()?;
    let pending = Entry::read(head.wrapping_add(16))?;
    for _ in 0..MOST {
        if entry.address == head {
            break;
        }
        // The next one first: the word may be anybody's once it is marked.
        let next = Entry::read(entry.address);
        if entry.address != pending.address {
            leave(thread, entry, offset, false)?;
        }
        entry = next?;
    }
    if pending.address != 0 {
        leave(thread, pending, offset, true)?;
    }
    Ok(())
}

/// As Linux's handle_futex_death(): `pending` entries were being locked or unlocked.
fn leave(thread: &Thread, entry: Entry, offset: usize, pending: bool) -> Result<(), Errno> {
    let address = entry.address.wrapping_add(offset);
    if !address.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    let word = UserPtr::<u32>::new(address);
    let value = word.read()?;
    if pending && !entry.lends && value == 0 {
        // It was unlocked, but perhaps nobody was woken.
        wake_all_of(address, 1);
        return Ok(());
    }
    if value & abi::FUTEX_TID_MASK != thread.tid as u32 {
        return Ok(());
    }
    word.write(&(value & abi::FUTEX_WAITERS | abi::FUTEX_OWNER_DIED))?;
    if !entry.lends && value & abi::FUTEX_WAITERS != 0 {
        wake_all_of(address, 1);
    }
    Ok(())
}
