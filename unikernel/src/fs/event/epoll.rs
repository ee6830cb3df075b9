//! epoll(7).
//!
//! Every file that is watched has an [`Item`] with a hook on each of the file's wait queues. A
//! wake-up puts the item on the list of those that may be ready, from an interrupt, too; a wait
//! looks at the items on that list only, so it costs what is ready, not what is watched.
//!
//! An item does not keep its file open: the last close removes it ([`forget`]).

mod item;
mod nesting;
mod ready;

#[cfg(test)]
mod tests;

use crate::errno::{Errno, SysResult};
use crate::fs::file::Description;
use crate::fs::rc::Ref;
use crate::sync::Exclusive;
use crate::uaccess::{Pod, UserPtr};
use crate::wait::Queue;
use alloc::vec::Vec;
use core::ptr::{from_ref, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};
pub use item::Item;
use item::{Key, Once};
use linux_raw_sys::general::{
    EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLWAKEUP, POLLERR, POLLHUP, POLLIN,
};
use ready::Ready;

/// `struct epoll_event` of x86-64: twelve bytes.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Events of poll(2), and how they are reported.
    pub events: u32,
    /// What the program gets back with them.
    pub data: u64,
}

// SAFETY: a packed struct of integers has no padding.
unsafe impl Pod for Wanted {}

/// What `events` has beside events of poll(2). `EPOLLWAKEUP` has nothing to keep awake.
const MODES: u32 = EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET;
/// Reported whether wanted or not.
const ALWAYS: u32 = POLLERR | POLLHUP;

/// What an epoll descriptor refers to.
#[derive(Debug)]
pub struct Epoll {
    /// By key.
    items: Exclusive<Vec<Ref<Item>>>,
    ready: Ready,
    /// The open file that this is; known once something was added.
    file: AtomicPtr<Description>,
    /// Woken when an item may have become ready.
    queue: Queue,
}

impl Epoll {
    /// One that watches nothing.
    #[allow(clippy::new_without_default, reason = "const")]
    pub const fn new() -> Self {
        Self {
            items: Exclusive::new(Vec::new()),
            ready: Ready::new(),
            file: AtomicPtr::new(null_mut()),
            queue: Queue::new(),
        }
    }

    /// Who waits here, or watches this.
    pub const fn queue(&self) -> &Queue {
        &self.queue
    }

    /// `EPOLL_CTL_ADD`; `me` is the open file that this is. Errors: `EEXIST`, `ENOMEM`, `ELOOP` (they would watch each other, or five
    /// above each other).
    ///
    /// # Safety
    /// `self` stays where it is.
    pub unsafe fn add(
        &self,
        me: &Description,
        (fd, file): (i32, &Description),
        wanted: Wanted,
    ) -> Result<(), Errno> {
        let key = Key::of(fd, file);
        if self.find(key).is_ok() {
            return Err(Errno::EEXIST);
        }
        self.file.store(from_ref(me).cast_mut(), Relaxed);
        if let Some(other) = file.epoll() {
            nesting::check(self, other)?;
        }
        self.items
            .lock()
            .try_reserve(1)
            .map_err(|_| Errno::ENOMEM)?;
        let item = Ref::new(Item::new(key, file, self, wanted))?;
        // SAFETY: the item is on the heap until it is dropped, which unhooks it; the file's last
        // close drops it before the file's queues go.
        unsafe { item.hook(file) };
        let mut items = self.items.lock();
        let at = position(&items, key).unwrap_or_else(|at| at);
        items.insert(at, item.clone());
        drop(items);
        self.look(&item);
        Ok(())
    }

    /// `EPOLL_CTL_MOD`. Errors: `ENOENT`, `EINVAL` (the item is exclusive).
    pub fn change(&self, fd: i32, file: &Description, wanted: Wanted) -> Result<(), Errno> {
        let item = self.find(Key::of(fd, file))?;
        if item.events() & EPOLLEXCLUSIVE != 0 {
            return Err(Errno::EINVAL);
        }
        item.set(wanted);
        self.look(&item);
        Ok(())
    }

    /// `EPOLL_CTL_DEL`. Errors: `ENOENT`.
    pub fn remove(&self, fd: i32, file: &Description) -> Result<(), Errno> {
        self.find(Key::of(fd, file))?;
        self.remove_key(Key::of(fd, file), file);
        Ok(())
    }

    fn remove_key(&self, key: Key, file: &Description) {
        let mut items = self.items.lock();
        if let Ok(at) = position(&items, key) {
            let item = items.remove(at);
            drop(items);
            self.take_out(&item, file);
        }
    }

    /// Nothing refers to an item any more: neither queues, nor the ready list, nor the file.
    fn take_out(&self, item: &Item, file: &Description) {
        item.unhook(file);
        self.ready.remove(item);
    }

    fn find(&self, key: Key) -> Result<Ref<Item>, Errno> {
        let items = self.items.lock();
        let at = position(&items, key).map_err(|_| Errno::ENOENT)?;
        Ok(items[at].clone())
    }

    /// An item that is ready now goes on the list.
    fn look(&self, item: &Item) {
        if item.holds() != 0 {
            self.ready.push(item);
            self.queue.wake();
        }
    }

    /// Writes what is ready to at most `most` places; how many. What is wanted while it holds goes
    /// to the end of the list again, so that everybody has a turn. `EFAULT`, when not even the first
    /// could be written.
    pub fn collect(&self, to: UserPtr<Wanted>, most: usize) -> SysResult {
        let mut done = 0;
        for _ in 0..self.ready.len() {
            if done == most {
                break;
            }
            let Some(item) = self.ready.pop() else { break };
            let events = item.holds();
            if events == 0 {
                continue;
            }
            let data = item.data();
            if let Err(error) = to.add(done).write(&Wanted { events, data }) {
                self.ready.push_front(item);
                return if done > 0 { Ok(done) } else { Err(error) };
            }
            done += 1;
            match item.once() {
                Once::Disabled => item.disable(),
                Once::Edge => {}
                Once::No => self.ready.push(item),
            }
        }
        Ok(done)
    }

    /// Whether a wait would have anything to look at.
    pub fn may_be_ready(&self) -> bool {
        self.ready.len() > 0
    }

    /// `POLLIN` when something is ready. What is not goes off the list.
    pub fn events(&self) -> u32 {
        for _ in 0..self.ready.len() {
            let Some(item) = self.ready.pop() else { break };
            if item.holds() != 0 {
                self.ready.push_front(item);
                return POLLIN;
            }
        }
        0
    }
}

fn position(items: &[Ref<Item>], key: Key) -> Result<usize, usize> {
    items.binary_search_by_key(&key, |item| item.key())
}

impl Drop for Epoll {
    fn drop(&mut self) {
        for item in core::mem::take(self.items.get_mut()) {
            self.take_out(&item, item.file());
        }
    }
}

/// The last close of a file that epolls watch: it leaves them.
#[cold]
pub fn forget(file: &Description) {
    while let Some((owner, key)) = item::first_of(file) {
        // SAFETY: an item's owner lives as long as the item is hooked, and this one is.
        unsafe { &*owner }.remove_key(key, file);
    }
}
