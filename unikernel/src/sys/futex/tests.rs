use super::*;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

const PRIVATE: u32 = abi::FUTEX_PRIVATE_FLAG;

fn at(word: &AtomicU32) -> UserPtr<u32> {
    UserPtr::new(word.as_ptr() as usize)
}

fn call(word: &AtomicU32, operation: u32, value: u32) -> SysResult {
    futex(at(word), operation, value, 0, UserPtr::new(0), u32::MAX)
}

#[test]
fn nobody_is_woken_and_a_changed_word_is_not_waited_for() {
    let word = AtomicU32::new(5);
    assert_eq!(call(&word, abi::FUTEX_WAKE | PRIVATE, 1), Ok(0));
    assert_eq!(call(&word, abi::FUTEX_WAIT, 4), Err(Errno::EAGAIN));
    assert_eq!(call(&word, 99, 4), Err(Errno::ENOSYS));
    let odd = futex(UserPtr::new(1), abi::FUTEX_WAKE, 1, 0, UserPtr::new(0), 0);
    assert_eq!(odd, Err(Errno::EINVAL));
    let none = futex(at(&word), abi::FUTEX_WAIT_BITSET, 5, 0, UserPtr::new(0), 0);
    assert_eq!(none, Err(Errno::EINVAL));
}

#[test]
fn waits_end_at_their_time() {
    let word = AtomicU32::new(0);
    let soon = abi::__kernel_timespec {
        tv_sec: 0,
        tv_nsec: 1000,
    };
    let timeout = core::ptr::from_ref(&soon) as usize;
    for command in [abi::FUTEX_WAIT, abi::FUTEX_WAIT_BITSET] {
        let result = futex(at(&word), command | PRIVATE, 0, timeout, UserPtr::new(0), 1);
        assert_eq!(result, Err(Errno::ETIMEDOUT));
    }
    assert_eq!(wake_quickly(word.as_ptr() as usize, 1), Some(0));
    assert_eq!(wake_quickly(word.as_ptr() as usize + 1, 1), None);
}

/// Waits until `count` threads wait for `word`.
fn until_waiting(word: &AtomicU32, count: usize) {
    let key = Key::new(word.as_ptr() as usize, false).unwrap();
    while TABLE.lock().of(key).count() != count {
        std::thread::sleep(Duration::from_micros(100));
    }
}

#[test]
fn sleepers_are_woken_one_by_one_and_moved() {
    let words = [const { AtomicU32::new(7) }; 2];
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(call(&words[0], abi::FUTEX_WAIT | PRIVATE, 7), Ok(0)));
        }
        until_waiting(&words[0], 4);
        assert_eq!(call(&words[0], abi::FUTEX_WAKE | PRIVATE, 1), Ok(1));
        until_waiting(&words[0], 3);
        let requeue = abi::FUTEX_CMP_REQUEUE | PRIVATE;
        let move_on = |value| futex(at(&words[0]), requeue, 1, 1, at(&words[1]), value);
        assert_eq!(move_on(8), Err(Errno::EAGAIN));
        assert_eq!(move_on(7), Ok(2));
        until_waiting(&words[0], 1);
        until_waiting(&words[1], 1);
        assert_eq!(call(&words[1], abi::FUTEX_WAKE | PRIVATE, 9), Ok(1));
        assert_eq!(call(&words[0], abi::FUTEX_WAKE | PRIVATE, 9), Ok(1));
    });
}

#[test]
fn an_operation_wakes_at_two_words() {
    let words = [const { AtomicU32::new(0) }; 2];
    std::thread::scope(|scope| {
        for word in &words {
            scope.spawn(|| assert_eq!(call(word, abi::FUTEX_WAIT | PRIVATE, 0), Ok(0)));
            until_waiting(word, 1);
        }
        // Set to 1, and wake at the second, too, if it was 0.
        let operation = abi::FUTEX_WAKE_OP | PRIVATE;
        let set = 1 << 12;
        assert_eq!(
            futex(at(&words[0]), operation, 1, 1, at(&words[1]), set),
            Ok(2)
        );
        assert_eq!(words[1].load(SeqCst), 1);
    });
}

#[test]
fn locks_are_handed_to_who_waits() {
    let lock = AtomicU32::new(0);
    let me = sched::current().tid as u32;
    // Owners are looked up in the table of threads, where those of the host are not.
    assert_eq!(call(&lock, abi::FUTEX_LOCK_PI | PRIVATE, 0), Ok(0));
    assert_eq!(lock.load(SeqCst), me);
    assert_eq!(
        call(&lock, abi::FUTEX_LOCK_PI | PRIVATE, 0),
        Err(Errno::EDEADLK)
    );
    assert_eq!(call(&lock, abi::FUTEX_UNLOCK_PI | PRIVATE, 0), Ok(0));
    assert_eq!(lock.load(SeqCst), 0);
    assert_eq!(
        call(&lock, abi::FUTEX_UNLOCK_PI | PRIVATE, 0),
        Err(Errno::EPERM)
    );
    lock.store(1234, SeqCst);
    assert_eq!(
        call(&lock, abi::FUTEX_TRYLOCK_PI | PRIVATE, 0),
        Err(Errno::EAGAIN)
    );
    assert_eq!(
        call(&lock, abi::FUTEX_LOCK_PI | PRIVATE, 0),
        Err(Errno::ESRCH)
    );
}

#[test]
fn one_of_several_words_is_enough() {
    let words = [const { AtomicU32::new(3) }; 3];
    let mut list = [0u64; 9];
    for (index, word) in words.iter().enumerate() {
        list[3 * index..][..3].copy_from_slice(&[3, word.as_ptr() as u64, 2 | 128]);
    }
    let wait = || {
        let list = UserPtr::new(list.as_ptr() as usize);
        futex_waitv(list, 3, 0, UserPtr::new(0), 1)
    };
    std::thread::scope(|scope| {
        let waiter = scope.spawn(wait);
        until_waiting(&words[1], 1);
        assert_eq!(call(&words[1], abi::FUTEX_WAKE | PRIVATE, 1), Ok(1));
        assert_eq!(waiter.join().unwrap(), Ok(1));
    });
    words[2].store(4, SeqCst);
    assert_eq!(wait(), Err(Errno::EAGAIN));
}
