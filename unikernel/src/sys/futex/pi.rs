//! Locks that lend their owner the priority of those who wait (futex(2), priority-inheritance
//! futexes). The word holds the id of the owner; the library hands the lock on.

use super::table::{Key, TABLE, Table, Waiter};
use super::{Call, sleep};
use crate::errno::{Errno, SysResult};
use crate::sched::{self, State, Thread};
use crate::uaccess::UserPtr;
use core::cell::Cell;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use linux_raw_sys::general as abi;

const TID: u32 = abi::FUTEX_TID_MASK;
const WAITERS: u32 = abi::FUTEX_WAITERS;
const DIED: u32 = abi::FUTEX_OWNER_DIED;

/// A chain of owners that wait for other owners is followed no farther.
const DEEPEST: usize = 1024;

/// How many threads are in the lists of locks: mostly none, and then who ends has nothing to look for.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// What a waiter waits for beside a wake-up.
pub struct Wanted {
    /// The lock's word and who has it.
    lock: Cell<Option<(usize, &'static Thread)>>,
    /// FUTEX_WAIT_REQUEUE_PI: the lock that it will then wait for.
    pub later: Cell<Option<Key>>,
}

impl Wanted {
    /// Nothing.
    pub const fn nothing() -> Self {
        Self {
            lock: Cell::new(None),
            later: Cell::new(None),
        }
    }

    /// Whether a mere wake-up is not enough.
    #[inline(always)]
    pub fn is_wanted(&self) -> bool {
        self.lock.get().is_some() || self.later.get().is_some()
    }

    fn owner(&self) -> Option<&'static Thread> {
        self.lock.get().map(|lock| lock.1)
    }
}

/// FUTEX_LOCK_PI, FUTEX_LOCK_PI2, and FUTEX_TRYLOCK_PI (`only_try`).
pub(super) fn lock(call: &Call, only_try: bool) -> SysResult {
    let deadline = if only_try { None } else { call.deadline()? };
    let key = call.key()?;
    let waiter = pin!(Waiter::new(u32::MAX));
    let waiter = waiter.as_ref();
    let mut table = TABLE.lock();
    if acquire(&mut table, call.word, key, waiter.thread)? {
        return Ok(0);
    }
    if only_try {
        return Err(Errno::EAGAIN);
    }
    enlist(&mut table, call.word, key, waiter.get_ref())?;
    drop(table);
    wait(waiter, deadline)
}

/// Waits for a lock that is handed over; gives up at the deadline.
pub fn wait(waiter: Pin<&Waiter>, deadline: Option<u64>) -> SysResult {
    let result = sleep(waiter, deadline);
    if let Some(owner) = waiter.lock.owner() {
        WAITING.fetch_sub(1, Relaxed);
        if result.is_err() {
            lend(&mut TABLE.lock(), owner);
        }
    }
    match result {
        Err(Errno::ERESTARTSYS) => Err(Errno::ERESTARTNOINTR),
        result => result.map(|()| 0),
    }
}

/// Takes the lock for `thread` if nobody has it. `EDEADLK` if the thread itself has it, `EINVAL` if
/// somebody waits for a mere wake-up there.
pub fn acquire(
    table: &mut Table,
    word: UserPtr<u32>,
    key: Key,
    thread: &'static Thread,
) -> Result<bool, Errno> {
    let value = word.read()?;
    if value & TID == thread.tid as u32 {
        return Err(Errno::EDEADLK);
    }
    let mut others = table.of(key).peekable();
    let waited_for = others.peek().is_some();
    if others.any(|other| other.lock.lock.get().is_none()) {
        return Err(Errno::EINVAL);
    }
    if value & TID == 0 {
        let waiters = if waited_for { WAITERS } else { 0 };
        word.write(&(thread.tid as u32 | value & DIED | waiters))?;
        set_owner(table, key, thread);
        return Ok(true);
    }
    word.write(&(value | WAITERS))?;
    Ok(false)
}

/// Puts `waiter` into the list for a lock that somebody has. `ESRCH` if that is no thread, `EDEADLK`
/// if it waits, itself or through others, for `waiter`'s thread.
pub fn enlist(
    table: &mut Table,
    word: UserPtr<u32>,
    key: Key,
    waiter: &Waiter,
) -> Result<(), Errno> {
    let owner = sched::find((word.read()? & TID) as i32);
    let owner = owner
        .filter(|owner| owner.state() != State::Dead)
        .ok_or(Errno::ESRCH)?;
    let mut next = Some(owner);
    for _ in 0..DEEPEST {
        let Some(thread) = next else { break };
        if thread.is(waiter.thread) {
            return Err(Errno::EDEADLK);
        }
        next = wait_of(table, thread).and_then(|wait| wait.lock.owner());
    }
    waiter.lock.lock.set(Some((word.address(), owner)));
    waiter.lock.later.set(None);
    WAITING.fetch_add(1, Relaxed);
    let level = waiter.thread.level();
    table.insert(waiter, key, |other| other.thread.level() > level);
    lend(table, owner);
    Ok(())
}

/// How `thread` waits for a lock, if it does.
fn wait_of<'a>(table: &Table, thread: &Thread) -> Option<&'a Waiter> {
    table
        .all()
        .find(|waiter| waiter.thread.is(thread) && waiter.lock.owner().is_some())
}

/// Lends `owner` the highest priority of those who wait for its locks; and so on with the owner of
/// the lock that it waits for.
fn lend(table: &mut Table, mut owner: &'static Thread) {
    for _ in 0..DEEPEST {
        let waits = table
            .all()
            .filter(|wait| wait.lock.owner().is_some_and(|o| o.is(owner)));
        let best = waits.map(|wait| wait.thread.level()).min();
        if !sched::lend_level(owner, best) {
            return;
        }
        let Some(wait) = wait_of(table, owner) else {
            return;
        };
        let (key, level) = (wait.key(), owner.level());
        table.insert(wait, key, |other| other.thread.level() > level);
        let Some(next) = wait.lock.owner() else {
            return;
        };
        owner = next;
    }
}

/// Tells those who wait for `key` who has the lock now.
fn set_owner(table: &mut Table, key: Key, owner: &'static Thread) {
    for waiter in table.of(key) {
        if let Some((word, _)) = waiter.lock.lock.get() {
            waiter.lock.lock.set(Some((word, owner)));
        }
    }
    lend(table, owner);
}

/// FUTEX_UNLOCK_PI.
pub(super) fn unlock(call: &Call) -> SysResult {
    let me = sched::current();
    if call.word.read()? & TID != me.tid as u32 {
        return Err(Errno::EPERM);
    }
    let key = call.key()?;
    let mut table = TABLE.lock();
    let Some(first) = table.of(key).next() else {
        call.word.write(&0)?;
        return Ok(0);
    };
    if first.lock.owner().is_none() {
        return Err(Errno::EINVAL);
    }
    hand_over(&mut table, call.word, first, 0)?;
    lend(&mut table, me);
    Ok(0)
}

/// Gives the lock to `waiter`, with `more` set in the word. Linux leaves the mark that somebody
/// waits, so the new owner will come here, too.
fn hand_over(
    table: &mut Table,
    word: UserPtr<u32>,
    waiter: &Waiter,
    more: u32,
) -> Result<(), Errno> {
    word.write(&(waiter.thread.tid as u32 | WAITERS | more))?;
    let (key, thread) = (waiter.key(), waiter.thread);
    table.remove(waiter);
    set_owner(table, key, thread);
    sched::wake(thread);
    Ok(())
}

/// Gives a lock that nobody has to `waiter`, which waits elsewhere (FUTEX_CMP_REQUEUE_PI).
pub fn give(table: &mut Table, waiter: &Waiter) {
    let thread = waiter.thread;
    table.remove(waiter);
    sched::wake(thread);
}

/// Hands on all locks of `owner`, which ends, that anybody waits for.
pub fn bequeath(owner: &Thread) {
    if WAITING.load(Relaxed) == 0 {
        return;
    }
    let mut table = TABLE.lock();
    loop {
        let mut all = table.all();
        let Some(waiter) = all.find(|wait| wait.lock.owner().is_some_and(|o| o.is(owner))) else {
            return;
        };
        drop(all);
        let first = table.of(waiter.key()).next().unwrap_or(waiter);
        let word = first.lock.lock.get().map_or(0, |lock| lock.0);
        if hand_over(&mut table, UserPtr::new(word), first, DIED).is_err() {
            // The word is gone; whoever waits for it waits for nothing.
            first.lock.lock.set(None);
            WAITING.fetch_sub(1, Relaxed);
        }
    }
}
