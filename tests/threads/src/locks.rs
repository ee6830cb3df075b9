//! Locks that lend priority, and locks whose owner dies.

use crate::futex::{PRIVATE, WAKE, at, futex, monotonic, spec, until_waiting};
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use test_support::{call, report};

const LOCK_PI: u64 = 6;
const UNLOCK_PI: u64 = 7;
const TRYLOCK_PI: u64 = 8;
const WAIT_REQUEUE_PI: u64 = 11;
const CMP_REQUEUE_PI: u64 = 12;
const LOCK_PI2: u64 = 13;
const WAITERS: u32 = 0x8000_0000;
const DIED: u32 = 0x4000_0000;
const TID: u32 = 0x3fff_ffff;

fn me() -> u32 {
    call(libc::SYS_gettid, &[]).unwrap_or(0) as u32
}

/// A lock's word, with our own id as 1 and others' as 2.
fn seen(word: &AtomicU32) -> String {
    let value = word.load(SeqCst);
    let owner = match value & TID {
        0 => "nobody",
        tid if tid == me() => "me",
        _ => "another",
    };
    let mark = |bit: u32, name| if value & bit != 0 { name } else { "" };
    format!(
        "{owner}{}{}",
        mark(WAITERS, ", waited for"),
        mark(DIED, ", died")
    )
}

fn until_waited_for(word: &AtomicU32) {
    while word.load(SeqCst) & WAITERS == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    // The mark is set a little before the thread sleeps.
    thread::sleep(Duration::from_millis(20));
}

pub fn lending() -> io::Result<()> {
    let lock = AtomicU32::new(0);
    report("free", futex(&lock, LOCK_PI | PRIVATE, &[0, 0]));
    println!("  {}", seen(&lock));
    report("again", futex(&lock, LOCK_PI | PRIVATE, &[0, 0]));
    report("try again", futex(&lock, TRYLOCK_PI | PRIVATE, &[0, 0]));
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            report("try another's", futex(&lock, TRYLOCK_PI | PRIVATE, &[0, 0]));
            report("unlock another's", futex(&lock, UNLOCK_PI | PRIVATE, &[0]));
            let soon = spec(monotonic() + Duration::from_millis(20));
            let late = futex(&lock, LOCK_PI2 | PRIVATE, &[0, soon.as_ptr() as u64]);
            report("wait for another's", late);
            // Printed by the other, who prints meanwhile.
            let given = futex(&lock, LOCK_PI | PRIVATE, &[0, 0]);
            let state = seen(&lock);
            (given, state, futex(&lock, UNLOCK_PI | PRIVATE, &[0]))
        });
        thread::sleep(Duration::from_millis(100));
        until_waited_for(&lock);
        println!("  {}", seen(&lock));
        report("hand over", futex(&lock, UNLOCK_PI | PRIVATE, &[0]));
        if let Ok((given, state, unlocked)) = other.join() {
            report("given", given);
            println!("  then {state}");
            report("unlock", unlocked);
        }
    });
    println!("  {}", seen(&lock));
    report("not mine", futex(&lock, UNLOCK_PI | PRIVATE, &[0]));
    lock.store(4_000_000, SeqCst);
    report("owner unknown", futex(&lock, LOCK_PI | PRIVATE, &[0, 0]));
    circle();
    counted();
    Ok(())
}

/// Two threads, each with a lock that the other waits for.
fn circle() {
    let locks = [const { AtomicU32::new(0) }; 2];
    report("first", futex(&locks[0], LOCK_PI | PRIVATE, &[0, 0]));
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = futex(&locks[1], LOCK_PI | PRIVATE, &[0, 0]);
            let got = futex(&locks[0], LOCK_PI | PRIVATE, &[0, 0]);
            report("after the other gave up", got);
            let _ = futex(&locks[0], UNLOCK_PI | PRIVATE, &[0]);
            let _ = futex(&locks[1], UNLOCK_PI | PRIVATE, &[0]);
        });
        until_waited_for(&locks[0]);
        report("a circle", futex(&locks[1], LOCK_PI | PRIVATE, &[0, 0]));
        let _ = futex(&locks[0], UNLOCK_PI | PRIVATE, &[0]);
    });
}

/// A counter behind such a lock, used as a C library would: the kernel is asked only if need be.
fn counted() {
    let (lock, count) = (AtomicU32::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let tid = me();
                for round in 0..500 {
                    if lock.compare_exchange(0, tid, SeqCst, SeqCst).is_err() {
                        let _ = futex(&lock, LOCK_PI | PRIVATE, &[0, 0]);
                    }
                    let value = count.load(SeqCst);
                    if round % 50 == 0 {
                        thread::yield_now();
                    }
                    count.store(value + 1, SeqCst);
                    if lock.compare_exchange(tid, 0, SeqCst, SeqCst).is_err() {
                        let _ = futex(&lock, UNLOCK_PI | PRIVATE, &[0]);
                    }
                }
            });
        }
    });
    println!("counted: {}", count.into_inner());
}

/// `struct robust_list_head` and two entries, with the words 8 bytes behind each entry.
#[repr(C)]
struct List {
    head: [u64; 3],
    first: [u64; 2],
    second: [u64; 2],
}

/// A thread that ends with locks: their words say so, and who waits for one is woken.
pub fn robust() -> io::Result<()> {
    let mut list = Box::new(List {
        head: [0; 3],
        first: [0; 2],
        second: [0; 2],
    });
    let head = &raw mut list.head as u64;
    let [first, second] = [&raw mut list.first, &raw mut list.second].map(|entry| entry as u64);
    list.head = [first, 8, 0];
    list.first[0] = second;
    list.second[0] = head;
    // SAFETY: the words live as long as the list, and are only used as atomics from here on.
    let words = unsafe { [first, second].map(|entry| &*((entry + 8) as *const AtomicU32)) };
    thread::scope(|scope| {
        scope.spawn(|| {
            report("register", call(libc::SYS_set_robust_list, &[head, 24]));
            let (mut found, mut size) = (0_u64, 0_u64);
            let to = [0, &raw mut found as u64, &raw mut size as u64];
            report("told", call(libc::SYS_get_robust_list, &to));
            println!("  {}", found == head && size == 24);
            words[0].store(me(), SeqCst);
            words[1].store(me() | WAITERS, SeqCst);
            thread::sleep(Duration::from_millis(50));
        });
        let waiter = scope.spawn(|| {
            while words[1].load(SeqCst) == 0 {
                thread::yield_now();
            }
            let value = words[1].load(SeqCst);
            futex(words[1], 0, &[value.into(), 0])
        });
        report("woken", waiter.join().unwrap_or(Ok(-1)));
    });
    println!("  {}; {}", seen(words[0]), seen(words[1]));
    report("another size", call(libc::SYS_set_robust_list, &[head, 16]));
    report(
        "of nobody",
        call(libc::SYS_get_robust_list, &[4_000_000, head, head]),
    );
    drop(list);
    Ok(())
}

/// Waiting for a condition, then for its lock.
pub fn requeue() -> io::Result<()> {
    let (condition, lock) = (AtomicU32::new(0), AtomicU32::new(0));
    let order = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let rest = [0, 0, at(&lock), 0];
                let result = futex(&condition, WAIT_REQUEUE_PI | PRIVATE, &rest);
                println!("{}: {}", order.fetch_add(1, SeqCst), result.is_ok());
                println!("  {}", seen(&lock).starts_with("me"));
                let _ = futex(&lock, UNLOCK_PI | PRIVATE, &[0]);
            });
        }
        thread::sleep(Duration::from_millis(100));
        report("mere wake-up", futex(&condition, WAKE | PRIVATE, &[1]));
        report(
            "two at once",
            futex(&condition, CMP_REQUEUE_PI | PRIVATE, &[2, 9, at(&lock), 0]),
        );
        report(
            "onto itself",
            futex(
                &condition,
                CMP_REQUEUE_PI | PRIVATE,
                &[1, 9, at(&condition), 0],
            ),
        );
        report(
            "changed",
            futex(&condition, CMP_REQUEUE_PI | PRIVATE, &[1, 9, at(&lock), 1]),
        );
        let _ = futex(&lock, LOCK_PI | PRIVATE, &[0, 0]);
        report(
            "moved",
            futex(&condition, CMP_REQUEUE_PI | PRIVATE, &[1, 9, at(&lock), 0]),
        );
        let _ = futex(&lock, UNLOCK_PI | PRIVATE, &[0]);
    });
    let word = AtomicU32::new(0);
    report(
        "the same word",
        futex(&word, WAIT_REQUEUE_PI | PRIVATE, &[0, 0, at(&word), 0]),
    );
    report(
        "another value",
        futex(&word, WAIT_REQUEUE_PI | PRIVATE, &[1, 0, at(&lock), 0]),
    );
    until_waiting(&word, 0);
    Ok(())
}
