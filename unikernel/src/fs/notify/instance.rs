//! An inotify descriptor: its queue of events and the numbers of its watches.

use super::{ACTIVE, Limited, List, Watches};
use crate::errno::{Errno, SysResult};
use crate::sync::Exclusive;
use crate::uaccess::UserSlice;
use crate::wait::Queue;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use linux_raw_sys::general::{
    IN_ALL_EVENTS, IN_CLOEXEC, IN_DONT_FOLLOW, IN_EXCL_UNLINK, IN_IGNORED, IN_ISDIR, IN_MASK_ADD,
    IN_MASK_CREATE, IN_NONBLOCK, IN_ONESHOT, IN_ONLYDIR, IN_Q_OVERFLOW, IN_UNMOUNT, NAME_MAX,
};

/// Most events in a queue (`/proc/sys/fs/inotify/max_queued_events`).
pub const MAX_EVENTS: usize = 16_384;
/// Most descriptors at a time (`/proc/sys/fs/inotify/max_user_instances`).
pub const MAX_INSTANCES: u32 = 128;

/// `struct inotify_event` without the name: four words.
const HEADER: usize = 16;
/// With the longest name, its NUL and the padding.
const LARGEST: usize = HEADER + (NAME_MAX as usize + 1).next_multiple_of(HEADER);

/// Everything that inotify_add_watch(2) takes.
const KNOWN: u32 = IN_ALL_EVENTS
    | IN_UNMOUNT
    | IN_Q_OVERFLOW
    | IN_IGNORED
    | IN_ONLYDIR
    | IN_DONT_FOLLOW
    | IN_EXCL_UNLINK
    | IN_MASK_CREATE
    | IN_MASK_ADD
    | IN_ISDIR
    | IN_ONESHOT;

/// Checks the flags of inotify_init1(2): `EINVAL`.
pub const fn check_flags(flags: u32) -> Result<(), Errno> {
    if flags & !(IN_CLOEXEC | IN_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// Checks the mask of inotify_add_watch(2), which Linux does before it looks at the descriptor:
/// `EINVAL`. `IN_ONLYDIR` and `IN_DONT_FOLLOW` are for the walk.
pub const fn check_mask(mask: u32) -> Result<(), Errno> {
    if mask & !KNOWN != 0 || mask & KNOWN == 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// An event in a queue.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    watch: i32,
    mask: u32,
    cookie: u32,
    name: Box<[u8]>,
}

impl Event {
    /// Bytes that it takes in the buffer of a read.
    fn size(&self) -> usize {
        match self.name.len() {
            0 => HEADER,
            len => HEADER + (len + 1).next_multiple_of(HEADER),
        }
    }

    /// Copies it out. Errors: `EFAULT`.
    fn write(&self, to: UserSlice) -> SysResult {
        let (mut bytes, size) = ([0; LARGEST], self.size());
        let words = [
            self.watch as u32,
            self.mask,
            self.cookie,
            (size - HEADER) as u32,
        ];
        for (to, word) in bytes.chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&word.to_ne_bytes());
        }
        bytes[HEADER..][..self.name.len()].copy_from_slice(&self.name);
        if to.write(&bytes[..size])? < size {
            return Err(Errno::EFAULT);
        }
        Ok(size)
    }

    /// Whether it says nothing that `last`, the one before it, did not say.
    fn repeats(&self, last: &Self) -> bool {
        (self.watch, self.mask) == (last.watch, last.mask) && self.name == last.name
    }
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    /// `IN_Q_OVERFLOW` is among the events.
    overflowed: bool,
    /// What is watched, in the order of the numbers.
    watched: Vec<(i32, Arc<List>)>,
    /// The number that was given last: they are not used again.
    last: i32,
}

impl State {
    fn push(&mut self, event: Event) {
        if self.events.len() >= MAX_EVENTS {
            return self.overflow();
        }
        if self.events.back().is_some_and(|last| event.repeats(last)) {
            return;
        }
        if self.events.try_reserve(1).is_err() {
            return self.overflow();
        }
        self.events.push_back(event);
    }

    /// Says that events were lost, if that is not said already.
    fn overflow(&mut self) {
        if self.overflowed || self.events.try_reserve(1).is_err() {
            return;
        }
        self.overflowed = true;
        self.events.push_back(Event {
            watch: -1,
            mask: IN_Q_OVERFLOW,
            cookie: 0,
            name: Box::default(),
        });
    }

    /// Takes the first event, if there is one. Errors: `EINVAL` (it needs more than `room` bytes).
    fn take(&mut self, room: usize) -> Result<Option<Event>, Errno> {
        if self.events.front().is_some_and(|event| event.size() > room) {
            return Err(Errno::EINVAL);
        }
        let event = self.events.pop_front();
        if event.as_ref().is_some_and(|event| event.watch < 0) {
            self.overflowed = false;
        }
        Ok(event)
    }

    fn find(&self, number: i32) -> Result<usize, usize> {
        self.watched
            .binary_search_by_key(&number, |watched| watched.0)
    }

    /// The next number that is not in use, counting up and around.
    fn next_number(&self) -> i32 {
        let mut next = self.last;
        loop {
            next = next.checked_add(1).unwrap_or(1);
            if self.find(next).is_err() {
                return next;
            }
        }
    }
}

/// What an inotify descriptor refers to.
#[derive(Debug)]
pub struct Instance {
    state: Exclusive<State>,
    arrived: Queue,
}

impl Instance {
    /// Queues an event. A name that there is no memory for is an overflow, as on Linux.
    pub(super) fn push(&self, watch: i32, mask: u32, cookie: u32, name: &[u8]) {
        let name = &name[..name.len().min(NAME_MAX as usize)];
        let mut copy = Vec::new();
        let room = copy.try_reserve_exact(name.len());
        let mut state = self.state.lock();
        match room {
            Ok(()) => {
                copy.extend_from_slice(name);
                let name = copy.into_boxed_slice();
                state.push(Event {
                    watch,
                    mask,
                    cookie,
                    name,
                });
            }
            Err(_) => state.overflow(),
        }
        drop(state);
        self.arrived.wake();
    }

    /// Gives the next number to a watch in `list`. Errors: `ENOSPC`, `ENOMEM`.
    pub(super) fn number_for(&self, list: Arc<List>) -> Result<i32, Errno> {
        let mut state = self.state.lock();
        state.watched.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        ACTIVE.take(Errno::ENOSPC)?;
        let number = state.next_number();
        let at = state.find(number).unwrap_or_else(|at| at);
        state.watched.insert(at, (number, list));
        state.last = number;
        Ok(number)
    }

    /// A watch has ended: its number goes, with `IN_IGNORED`.
    pub(super) fn forget(&self, number: i32) {
        if self.take_watched(number).is_some() {
            self.push(number, IN_IGNORED, 0, b"");
        }
    }

    fn take_watched(&self, number: i32) -> Option<Arc<List>> {
        let mut state = self.state.lock();
        let at = state.find(number).ok()?;
        ACTIVE.give_back(1);
        Some(state.watched.remove(at).1)
    }
}

/// A watch as `fdinfo` shows it.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Its number.
    pub number: i32,
    /// The number of the inode.
    pub inode: u64,
    /// The minor number of its device.
    pub device: u32,
    /// Events wanted, and flags that stay.
    pub mask: u32,
}

/// How many there are.
static INSTANCES: Limited = Limited::new(MAX_INSTANCES);

/// An inotify instance, which ends with its open file description: all its watches go.
#[derive(Debug)]
pub struct Inotify(Arc<Instance>);

impl Inotify {
    /// inotify_init(2). Errors: `EMFILE`.
    pub fn new() -> Result<Self, Errno> {
        INSTANCES.take(Errno::EMFILE)?;
        Ok(Self(Arc::new(Instance {
            state: Exclusive::new(State::default()),
            arrived: Queue::new(),
        })))
    }

    /// inotify_add_watch(2) of the file with these watches, which the caller may read; `mask` has
    /// passed [`check_mask`]. `file` is its number and the minor number of its device. Errors:
    /// `EINVAL`, `EEXIST`, `ENOSPC`, `ENOMEM`.
    pub fn add(&self, watches: &Watches, file: (u64, u32), mask: u32) -> Result<i32, Errno> {
        if mask & IN_MASK_ADD != 0 && mask & IN_MASK_CREATE != 0 {
            return Err(Errno::EINVAL);
        }
        watches.list_or_new(file).add(&self.0, mask)
    }

    /// inotify_rm_watch(2). Errors: `EINVAL`.
    pub fn remove(&self, number: i32) -> Result<(), Errno> {
        let list = self.0.take_watched(number).ok_or(Errno::EINVAL)?;
        list.remove(&self.0);
        self.0.push(number, IN_IGNORED, 0, b"");
        Ok(())
    }

    /// read(2): as many whole events as fit; waits for one unless `nonblocking`. Errors: `EINVAL`
    /// (the first does not fit), `EAGAIN`, `EINTR`, `EFAULT` (the event is lost then, and the
    /// count of those before it, as on Linux).
    pub fn read(&self, buffer: UserSlice, nonblocking: bool) -> SysResult {
        let mut rest = buffer;
        loop {
            let done = buffer.len() - rest.len();
            let next = self.0.state.lock().take(rest.len());
            match next {
                Ok(Some(event)) => rest = rest.skip(event.write(rest)?),
                _ if done != 0 => return Ok(done),
                Err(errno) => return Err(errno),
                Ok(None) if nonblocking => return Err(Errno::EAGAIN),
                Ok(None) => self.0.arrived.wait(|| self.is_readable())?,
            }
        }
    }

    /// Whether a read would not wait.
    pub fn is_readable(&self) -> bool {
        !self.0.state.lock().events.is_empty()
    }

    /// The queue that is woken when an event arrives, for poll(2).
    pub fn arrivals(&self) -> &Queue {
        &self.0.arrived
    }

    /// Calls `each` with every watch, the latest first.
    pub fn show(&self, mut each: impl FnMut(Shown)) {
        let state = self.0.state.lock();
        for (number, list) in state.watched.iter().rev() {
            each(Shown {
                number: *number,
                inode: list.file.0,
                device: list.file.1,
                mask: list.mask_of(&self.0).unwrap_or_default(),
            });
        }
    }

    /// `FIONREAD`: bytes that could be read.
    pub fn bytes(&self) -> usize {
        let state = self.0.state.lock();
        state.events.iter().map(Event::size).sum()
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        let watched = core::mem::take(&mut self.0.state.lock().watched);
        // No more than MAX_WATCHES.
        ACTIVE.give_back(watched.len() as u32);
        for (_, list) in watched {
            list.remove(&self.0);
        }
        INSTANCES.give_back(1);
    }
}

#[cfg(test)]
mod tests;
