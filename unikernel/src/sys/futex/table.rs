//! Who waits for which futex: lists hashed by address.
//!
//! A waiter is on the kernel stack of the thread that waits. Only system calls come here, and none is
//! preempted, so a word that was compared is unchanged until its waiter is in the list.

use crate::errno::Errno;
use crate::mm::paging;
use crate::platform::registered;
use crate::sched::{self, Thread};
use crate::sync::Exclusive;
use crate::uaccess::{UserPtr, access_ok};
use core::cell::Cell;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr::null_mut;
use core::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

const BUCKETS: usize = 256;

/// What a futex is known by: the address of its word, or where that is in RAM, with the lowest bit
/// set, if it is shared with other mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(usize);

impl Key {
    /// The key of the word at `address`: `EINVAL` if it is not aligned, `EFAULT` if it cannot be one.
    #[inline(always)]
    pub fn new(address: usize, shared: bool) -> Result<Self, Errno> {
        if !address.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        if shared {
            return Self::shared(address);
        }
        if access_ok(address, 4) {
            Ok(Self(address))
        } else {
            Err(Errno::EFAULT)
        }
    }

    #[inline(never)]
    fn shared(address: usize) -> Result<Self, Errno> {
        // Reading puts memory behind a page that has none yet.
        UserPtr::<u32>::new(address).read()?;
        let place = if registered() {
            paging::translate(address)
        } else {
            None
        };
        Ok(Self(place.unwrap_or(address) | 1))
    }

    #[inline(always)]
    const fn bucket(self) -> usize {
        let word = self.0 as u64 >> 2;
        (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
    }
}

/// Somebody who waits. Key and `listed` are looked at by the waiting thread while others change them;
/// the links are theirs who have the table.
pub struct Waiter {
    /// Where it is listed.
    key: AtomicUsize,
    listed: AtomicBool,
    /// FUTEX_WAIT_BITSET: which wake-ups it takes.
    pub bits: u32,
    /// Who waits.
    pub thread: &'static Thread,
    /// What it waits for beside a wake-up.
    pub lock: super::pi::Wanted,
    next: Cell<*mut Waiter>,
    prev: Cell<*mut Waiter>,
    _pinned: PhantomPinned,
}

impl Waiter {
    /// The running thread, about to wait.
    pub fn new(bits: u32) -> Self {
        Self {
            key: AtomicUsize::new(0),
            listed: AtomicBool::new(false),
            bits,
            thread: sched::current(),
            lock: super::pi::Wanted::nothing(),
            next: Cell::new(null_mut()),
            prev: Cell::new(null_mut()),
            _pinned: PhantomPinned,
        }
    }

    /// Whether nobody has woken it yet.
    pub fn is_listed(&self) -> bool {
        // Who sees that it is not may let the waiter go: others are done with it.
        self.listed.load(Acquire)
    }

    /// Where it waits, also after a requeue.
    pub fn key(&self) -> Key {
        Key(self.key.load(Relaxed))
    }
}

/// First and last of a list.
#[derive(Clone, Copy)]
struct Bucket {
    ends: [*mut Waiter; 2],
}

pub struct Table([Bucket; BUCKETS]);

// SAFETY: the pointers are to waiters that their threads keep where they are until they are out of
// the lists; whoever has the table is alone with them.
unsafe impl Send for Table {}

/// All futexes that somebody waits for.
pub static TABLE: Exclusive<Table> = Exclusive::new(Table(
    [Bucket {
        ends: [null_mut(); 2],
    }; BUCKETS],
));

/// FUTEX_WAKE of a private word as a short cut: how many were woken, when that is nobody, or one who
/// does not want more than that.
#[inline(always)]
pub fn wake_quickly(address: usize, count: i32) -> Option<usize> {
    if !address.is_multiple_of(4) || !access_ok(address, 4) {
        return None;
    }
    let key = Key(address);
    let mut table = TABLE.try_lock()?;
    let mut next = table.0.get(key.bucket())?.ends[0];
    // SAFETY: listed waiters are where they are until they are taken out.
    while let Some(waiter) = unsafe { next.as_ref() } {
        if waiter.key() == key {
            let plain = count <= 1 && !waiter.lock.is_wanted();
            if !plain || !sched::wake_quickly(waiter.thread) {
                return None;
            }
            table.remove(waiter);
            return Some(1);
        }
        next = waiter.next.get();
    }
    Some(0)
}

impl Table {
    /// Puts `waiter` at the end of the list of `key`; it stays where it is until [`Table::remove`].
    #[inline(always)]
    pub fn add(&mut self, waiter: Pin<&Waiter>, key: Key) {
        let last = self.0[key.bucket() % BUCKETS].ends[1];
        self.put(waiter.get_ref(), key, last, null_mut());
    }

    /// Puts `waiter`, from where it is listed, before the first other one of `key` that `before` picks.
    pub fn insert(&mut self, waiter: &Waiter, key: Key, before: impl Fn(&Waiter) -> bool) {
        if waiter.is_listed() {
            self.unlink(waiter);
        }
        let bucket = key.bucket();
        let next = self
            .of(key)
            .find(|other| before(other))
            .map_or(null_mut(), pointer);
        // SAFETY: listed waiters are where they are until they are taken out.
        let prev = match unsafe { next.as_ref() } {
            Some(next) => next.prev.get(),
            None => self.0[bucket].ends[1],
        };
        self.put(waiter, key, prev, next);
    }

    #[inline(always)]
    fn put(&mut self, waiter: &Waiter, key: Key, prev: *mut Waiter, next: *mut Waiter) {
        let bucket = key.bucket();
        waiter.key.store(key.0, Relaxed);
        waiter.listed.store(true, Relaxed);
        waiter.next.set(next);
        waiter.prev.set(prev);
        self.join(bucket, prev, pointer(waiter));
        self.join(bucket, pointer(waiter), next);
    }

    /// Makes two neighbours know each other; null is the end.
    #[inline(always)]
    fn join(&mut self, bucket: usize, left: *mut Waiter, right: *mut Waiter) {
        // SAFETY: as above.
        match unsafe { left.as_ref() } {
            Some(left) => left.next.set(right),
            None => self.0[bucket % BUCKETS].ends[0] = right,
        }
        // SAFETY: as above.
        match unsafe { right.as_ref() } {
            Some(right) => right.prev.set(left),
            None => self.0[bucket % BUCKETS].ends[1] = left,
        }
    }

    /// Takes `waiter` out, if it is in.
    #[inline(always)]
    pub fn remove(&mut self, waiter: &Waiter) {
        if waiter.is_listed() {
            self.unlink(waiter);
            waiter.listed.store(false, Release);
        }
    }

    #[inline(always)]
    fn unlink(&mut self, waiter: &Waiter) {
        let bucket = waiter.key().bucket();
        self.join(bucket, waiter.prev.get(), waiter.next.get());
    }

    /// Those who wait for `key`, the first to come first. The one that was just returned may be
    /// taken out.
    pub fn of<'a>(&self, key: Key) -> impl Iterator<Item = &'a Waiter> + use<'a> {
        chain(self.0[key.bucket()].ends[0]).filter(move |waiter| waiter.key() == key)
    }

    /// All waiters.
    pub fn all<'a>(&self) -> impl Iterator<Item = &'a Waiter> + use<'a, '_> {
        self.0.iter().flat_map(|bucket| chain(bucket.ends[0]))
    }
}

fn pointer(waiter: &Waiter) -> *mut Waiter {
    core::ptr::from_ref(waiter).cast_mut()
}

fn chain<'a>(first: *mut Waiter) -> impl Iterator<Item = &'a Waiter> {
    let mut next = first;
    core::iter::from_fn(move || {
        // SAFETY: listed waiters are where they are until they are taken out; each is looked at
        // before its successor is followed.
        let waiter = unsafe { next.as_ref() }?;
        next = waiter.next.get();
        Some(waiter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::pin::pin;

    fn key(address: usize) -> Key {
        Key::new(address, false).unwrap()
    }

    fn table() -> Table {
        Table(
            [Bucket {
                ends: [null_mut(); 2],
            }; BUCKETS],
        )
    }

    #[test]
    fn waiters_are_found_by_their_words_in_order() {
        let mut table = table();
        let [a, b, c] = [1, 2, 3].map(Waiter::new);
        let (a, b, c) = (pin!(a), pin!(b), pin!(c));
        table.add(a.as_ref(), key(0x1000));
        table.add(b.as_ref(), key(0x2000));
        table.add(c.as_ref(), key(0x1000));
        let bits = |table: &Table, at| table.of(key(at)).map(|w| w.bits).collect::<Vec<_>>();
        assert_eq!(
            (bits(&table, 0x1000), bits(&table, 0x2000)),
            (vec![1, 3], vec![2])
        );
        table.remove(&a);
        table.remove(&a);
        assert_eq!(bits(&table, 0x1000), [3]);
        assert!(c.is_listed() && !a.is_listed());
        table.insert(&a, key(0x1000), |other| other.bits == 3);
        assert_eq!(bits(&table, 0x1000), [1, 3]);
        for waiter in [&a, &b, &c] {
            table.remove(waiter);
        }
        assert_eq!(table.all().count(), 0);
    }

    #[test]
    fn all_in_one_bucket_keep_their_order() {
        let mut table = table();
        let same: Vec<_> = (1..)
            .map(|n| key(n * 4))
            .filter(|k| k.bucket() == key(0x40).bucket())
            .take(3)
            .collect();
        let waiters: Vec<_> = (0..9).map(|bits| Box::pin(Waiter::new(bits))).collect();
        for (index, waiter) in waiters.iter().enumerate() {
            table.add(waiter.as_ref(), same[index % 3]);
        }
        for (index, &key) in same.iter().enumerate() {
            let bits: Vec<_> = table.of(key).map(|w| w.bits as usize).collect();
            assert_eq!(bits, [index, index + 3, index + 6]);
        }
        waiters.iter().for_each(|waiter| table.remove(waiter));
    }

    #[test]
    fn words_are_aligned_and_in_user_memory() {
        assert_eq!(Key::new(0x1001, false), Err(Errno::EINVAL));
        assert_eq!(Key::new(usize::MAX - 3, false), Err(Errno::EFAULT));
        let word = 0u32;
        let at = core::ptr::from_ref(&word) as usize;
        assert_ne!(Key::new(at, true), Key::new(at, false));
    }
}
