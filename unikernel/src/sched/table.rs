//! Threads by their ids.

use super::MAIN;
use super::thread::Thread;
use crate::cpu::without_interrupts;
use crate::sync::Exclusive;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;

/// Ids are below this (`/proc/sys/kernel/pid_max` of 64-bit Linux).
pub const MOST: i32 = 4 << 20;
const CHAINS: usize = 256;

struct Table {
    chains: [*mut Thread; CHAINS],
    last: i32,
    count: usize,
}

// SAFETY: the pointers are to threads, which live for ever and may be used from anywhere.
unsafe impl Send for Table {}

/// All threads but the main one.
static TABLE: Exclusive<Table> = Exclusive::new(Table {
    chains: [null_mut(); CHAINS],
    last: crate::process::PID,
    count: 0,
});

impl Table {
    fn chain(&self, tid: i32) -> impl Iterator<Item = &'static Thread> + use<> {
        let first = self.chains[tid as usize % CHAINS];
        // SAFETY: pointers in the table are to threads, which live for ever.
        let follow = |at: *mut Thread| unsafe { at.as_ref() };
        core::iter::successors(follow(first), move |thread| {
            follow(thread.chain.load(Relaxed))
        })
    }

    fn find(&self, tid: i32) -> Option<&'static Thread> {
        self.chain(tid).find(|thread| thread.tid == tid)
    }
}

/// Interrupts look at it, too: to wake who sleeps, to send signals.
fn with<R>(body: impl FnOnce(&mut Table) -> R) -> R {
    without_interrupts(|| body(&mut TABLE.lock()))
}

/// An id that no thread has; ids go up, so that one is not used again soon.
pub fn new_id() -> i32 {
    with(|table| {
        loop {
            table.last = if table.last + 1 < MOST {
                table.last + 1
            } else {
                crate::process::PID + 1
            };
            if table.find(table.last).is_none() {
                return table.last;
            }
        }
    })
}

/// Adds a thread.
pub fn add(thread: &'static Thread) {
    with(|table| {
        let chain = &mut table.chains[thread.tid as usize % CHAINS];
        thread.chain.store(*chain, Relaxed);
        *chain = core::ptr::from_ref(thread).cast_mut();
        table.count += 1;
    });
}

/// Takes out a thread that was added.
pub fn remove(thread: &'static Thread) {
    with(|table| {
        let next = thread.chain.load(Relaxed);
        let before = table
            .chain(thread.tid)
            .find(|other| core::ptr::eq(other.chain.load(Relaxed), thread));
        match before {
            Some(before) => before.chain.store(next, Relaxed),
            None => table.chains[thread.tid as usize % CHAINS] = next,
        }
        table.count -= 1;
    });
}

/// The thread with this id; the main one as long as any lives.
pub fn find(tid: i32) -> Option<&'static Thread> {
    if tid == crate::process::PID {
        return Some(&MAIN);
    }
    with(|table| table.find(tid))
}

/// How many there are beside the main one.
pub fn others() -> usize {
    with(|table| table.count)
}

/// Calls `visit` with every thread, the main one first. It must neither make nor end any.
pub fn each(mut visit: impl FnMut(&'static Thread)) {
    visit(&MAIN);
    // Mostly there are none, and then no chain is looked at.
    let mut left = others();
    for hash in 0..CHAINS as i32 {
        if left == 0 {
            return;
        }
        let mut next = with(|table| table.chain(hash).next());
        while let Some(thread) = next {
            // SAFETY: as in `Table::chain`.
            next = unsafe { thread.chain.load(Relaxed).as_ref() };
            visit(thread);
            left -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_found_by_their_ids() {
        let make = |tid| &*Box::leak(Box::new(Thread::new(tid)));
        let ids = [300, 300 + CHAINS as i32, 300 + 2 * CHAINS as i32, 301];
        let threads = ids.map(make);
        threads.into_iter().for_each(add);
        for thread in threads {
            assert!(find(thread.tid).unwrap().is(thread));
        }
        let mut seen = Vec::new();
        each(|thread| seen.push(thread.tid));
        assert!(seen[0] == 1 && ids.iter().all(|tid| seen.contains(tid)));
        for (index, thread) in threads.into_iter().enumerate() {
            remove(thread);
            let left = ids.map(|tid| find(tid).is_some());
            let wanted = core::array::from_fn(|at| at > index);
            assert_eq!(left, wanted);
        }
    }

    #[test]
    fn ids_are_new() {
        assert!(new_id() < new_id());
    }
}
