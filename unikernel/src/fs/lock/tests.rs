use super::*;
use crate::fs::testing::alone;
use Mode::{Exclusive, Shared};
use Owner::{Description, Process};

fn span(first: u64, last: u64) -> Span {
    Span::new(first, last).unwrap()
}

fn all() -> Span {
    span(0, Span::END)
}

fn is_unused(slot: &Slot) -> bool {
    slot.0.lock().is_none()
}

#[test]
fn an_unlocked_file_has_no_list() {
    let _alone = alone();
    let slot = Slot::new();
    assert_eq!(slot.unlock(Process, all()), Ok(()));
    slot.unlock_whole(1);
    assert!(is_unused(&slot));
    assert_eq!(slot.lock(Process, Shared, span(0, 9), false), Ok(()));
    assert!(!is_unused(&slot));
    assert_eq!(slot.unlock(Process, span(0, 9)), Ok(()));
    assert!(is_unused(&slot));
    assert_eq!(slot.lock_whole(1, Shared, false), Ok(()));
    slot.unlock_whole(1);
    assert!(is_unused(&slot));
}

#[test]
fn closing_any_descriptor_loses_the_records_of_the_process() {
    let _alone = alone();
    let slot = Slot::new();
    assert_eq!(slot.lock(Process, Exclusive, span(0, 9), false), Ok(()));
    assert_eq!(
        slot.lock(Description(1), Exclusive, span(10, 19), false),
        Ok(())
    );
    assert_eq!(slot.lock_whole(1, Exclusive, false), Ok(()));
    slot.descriptor_closed();
    assert_eq!(slot.own(Process, all()), None);
    assert!(slot.own(Description(1), all()).is_some());
    slot.description_closed(2);
    assert_eq!(slot.lock_whole(2, Shared, false), Err(Errno::EAGAIN));
    slot.description_closed(1);
    assert!(is_unused(&slot));
}

#[test]
fn locks_of_files_and_of_records_do_not_meet() {
    let _alone = alone();
    let slot = Slot::new();
    assert_eq!(slot.lock_whole(1, Exclusive, false), Ok(()));
    assert_eq!(slot.lock(Process, Exclusive, all(), false), Ok(()));
    slot.descriptor_closed();
    slot.description_closed(1);
}

#[test]
fn a_conversion_that_fails_loses_the_lock() {
    let _alone = alone();
    let slot = Slot::new();
    assert_eq!(slot.lock_whole(1, Shared, false), Ok(()));
    assert_eq!(slot.lock_whole(2, Shared, false), Ok(()));
    assert_eq!(slot.lock_whole(2, Shared, false), Ok(()));
    assert_eq!(slot.lock_whole(1, Exclusive, false), Err(Errno::EAGAIN));
    assert_eq!(slot.lock_whole(2, Exclusive, false), Ok(()));
    assert_eq!(slot.lock_whole(1, Shared, false), Err(Errno::EAGAIN));
    assert_eq!(slot.lock_whole(2, Shared, false), Ok(()));
    assert_eq!(slot.lock_whole(1, Shared, false), Ok(()));
    slot.description_closed(1);
    slot.description_closed(2);
    assert!(is_unused(&slot));
}

#[test]
fn who_waits_gets_the_lock_when_it_is_released() {
    let _alone = alone();
    let slot = Slot::new();
    assert_eq!(slot.lock(Process, Exclusive, span(5, 5), false), Ok(()));
    assert_eq!(slot.lock_whole(1, Exclusive, false), Ok(()));
    std::thread::scope(|scope| {
        let record = scope.spawn(|| slot.lock(Description(2), Shared, all(), true));
        let whole = scope.spawn(|| slot.lock_whole(2, Exclusive, true));
        while !RELEASED.has_waiters() {
            std::thread::yield_now();
        }
        assert!(!record.is_finished() && !whole.is_finished());
        slot.descriptor_closed();
        assert_eq!(record.join().unwrap(), Ok(()));
        slot.unlock_whole(1);
        assert_eq!(whole.join().unwrap(), Ok(()));
    });
    assert_eq!(slot.own(Description(2), all()).unwrap().mode, Shared);
    slot.description_closed(2);
}

#[test]
fn locked_files_are_counted() {
    let _alone = alone();
    let slots = [const { Slot::new() }; 3];
    for slot in &slots {
        assert_eq!(slot.lock(Process, Shared, all(), false), Ok(()));
        assert_eq!(slot.lock_whole(1, Shared, false), Ok(()));
    }
    // Other tests may add to it, and take away what they added.
    assert!(LOCKED.load(Relaxed) >= 3);
}
