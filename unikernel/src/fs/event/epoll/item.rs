//! One file that an epoll watches.

use super::{ALWAYS, Epoll, MODES, Wanted};
use crate::fs::file::Description;
use crate::wait::Hook;
use core::ptr::{from_ref, null_mut};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};
use linux_raw_sys::general::{EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT};

/// What an item is found by: the descriptor it was added with, and the open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    fd: i32,
    file: usize,
}

impl Key {
    pub fn of(fd: i32, file: &Description) -> Self {
        let file = from_ref(file).addr();
        Self { fd, file }
    }
}

/// What becomes of an item that was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    /// It is reported again while it holds.
    No,
    /// It is reported again at the next wake-up.
    Edge,
    /// It is reported again when the program asks anew.
    Disabled,
}

/// A watched file.
#[derive(Debug)]
pub struct Item {
    key: Key,
    file: *const Description,
    owner: *const Epoll,
    events: AtomicU32,
    data: AtomicU64,
    hooks: [Hook; 2],
    /// The next of the same file.
    sibling: AtomicPtr<Item>,
    /// The next of those that may be ready, if it is one of them.
    pub(super) next: AtomicPtr<Item>,
    pub(super) is_listed: AtomicBool,
}

// SAFETY: the pointers lead to what outlives the item's hooks; one CPU runs one system call at a
// time, and what interrupts touch changes with them closed.
unsafe impl Send for Item {}
// SAFETY: as above.
unsafe impl Sync for Item {}

impl Item {
    /// An item that is not hooked yet.
    pub const fn new(key: Key, file: &Description, owner: &Epoll, wanted: Wanted) -> Self {
        Self {
            key,
            file: from_ref(file),
            owner: from_ref(owner),
            events: AtomicU32::new(wanted.events | ALWAYS),
            data: AtomicU64::new(wanted.data),
            hooks: [Hook::new(called), Hook::new(called)],
            sibling: AtomicPtr::new(null_mut()),
            next: AtomicPtr::new(null_mut()),
            is_listed: AtomicBool::new(false),
        }
    }

    /// Puts it on the file's queues, and among the items of the file.
    ///
    /// # Safety
    /// The item stays where it is until it is [unhooked](Self::unhook), which is before the file or
    /// the owner goes.
    pub unsafe fn hook(&self, file: &Description) {
        for (hook, queue) in self.hooks.iter().zip(file.queues()) {
            if let Some(queue) = queue {
                if self.events() & EPOLLEXCLUSIVE != 0 {
                    hook.set_exclusive();
                }
                // SAFETY: the caller's; the owner is this item, as `called` expects.
                unsafe { hook.attach(queue, from_ref(self)) };
            }
        }
        self.sibling.store(file.watchers.load(Relaxed), Relaxed);
        file.watchers.store(from_ref(self).cast_mut(), Relaxed);
    }

    /// Takes it off them. At the last close of the file, that has the only access to it.
    pub fn unhook(&self, file: &Description) {
        self.hooks.iter().for_each(Hook::detach);
        let mut link = &file.watchers;
        // SAFETY: the items of a file are hooked, so they live.
        while let Some(item) = unsafe { link.load(Relaxed).as_ref() } {
            if core::ptr::eq(item, self) {
                link.store(self.sibling.load(Relaxed), Relaxed);
                return;
            }
            link = &item.sibling;
        }
    }

    /// The file, which lives: its last close unhooks the item.
    pub fn file(&self) -> &Description {
        // SAFETY: as above.
        unsafe { &*self.file }
    }

    /// The epoll that watches it.
    pub const fn owner(&self) -> *const Epoll {
        self.owner
    }

    /// What it is found by.
    pub const fn key(&self) -> Key {
        self.key
    }

    /// What is wanted, and how.
    pub fn events(&self) -> u32 {
        self.events.load(Relaxed)
    }

    /// What the program gets back.
    pub fn data(&self) -> u64 {
        self.data.load(Relaxed)
    }

    /// Other events and data from now on.
    pub fn set(&self, wanted: Wanted) {
        self.events.store(wanted.events | ALWAYS, Relaxed);
        self.data.store(wanted.data, Relaxed);
    }

    /// Nothing is reported any more, until [`set`](Self::set).
    pub fn disable(&self) {
        self.events.store(self.events() & MODES, Relaxed);
    }

    /// Wanted events that hold now.
    pub fn holds(&self) -> u32 {
        match self.events() & !MODES {
            0 => 0,
            wanted => self.file().events(wanted),
        }
    }

    /// What becomes of it when it was reported.
    pub fn once(&self) -> Once {
        match self.events() {
            events if events & EPOLLONESHOT != 0 => Once::Disabled,
            events if events & EPOLLET != 0 => Once::Edge,
            _ => Once::No,
        }
    }
}

/// A queue of an item's file was woken; whether that wakes who waits for it.
fn called(item: *const ()) -> bool {
    // SAFETY: the hook was attached with this item, which stays until it is detached; so does its
    // owner.
    let (item, owner) = unsafe {
        let item = &*item.cast::<Item>();
        (item, &*item.owner)
    };
    if item.events() & !MODES != 0 {
        owner.ready.push(item);
        owner.queue.wake();
        return owner.queue.has_waiters();
    }
    false
}

/// Where the first item of a file is.
pub fn first_of(file: &Description) -> Option<(*const Epoll, Key)> {
    // SAFETY: the items of a file are hooked, so they live.
    let first = unsafe { file.watchers.load(Relaxed).as_ref() }?;
    Some((first.owner(), first.key()))
}

/// The epolls that watch a file.
pub fn owners_of(file: &Description, mut each: impl FnMut(&Epoll)) {
    let mut next = file.watchers.load(Relaxed);
    // SAFETY: as above, and their owners live.
    while let Some(item) = unsafe { next.as_ref() } {
        // SAFETY: as above.
        each(unsafe { &*item.owner });
        next = item.sibling.load(Relaxed);
    }
}
