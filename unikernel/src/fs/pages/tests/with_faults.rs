//! Bad pointers in the midst of reads and writes.

use super::*;
use crate::uaccess::faults::Fenced;

#[test]
fn a_bad_source_gives_a_short_count_and_no_page_for_nothing() {
    let mut fenced = Fenced::new(2);
    fenced.bytes().fill(b'x');
    let end = fenced.end();
    for at in [0, 10, PAGE64 - 50, 5 * PAGE64 + 1] {
        for good in [0, 1, 49, 50, 51, 100, PAGE, PAGE + 100, 2 * PAGE] {
            let (mut store, quota) = (PageStore::from_image(&image()[..77]), unlimited());
            let from = UserSlice::new(end - good, good + 3 * PAGE);
            let expected = if good == 0 {
                Err(Errno::EFAULT)
            } else {
                Ok(good)
            };
            assert_eq!(store.write_at(at, from, &quota), expected);
            let mut model = image()[..77].to_vec();
            if good > 0 {
                let end = at as usize + good;
                model.resize(model.len().max(end), 0);
                model[at as usize..end].fill(b'x');
                let pages = index_of(end as u64 - 1) - index_of(at) + 1;
                assert_eq!(quota.pages().used, pages, "{at} {good}");
            } else {
                assert_eq!(
                    (quota.pages().used, store.tree.next(0).is_some()),
                    (0, false)
                );
            }
            assert_eq!(content(&store), model, "{at} {good}");
        }
    }
}

#[test]
fn a_bad_destination_gives_a_short_count() {
    let (mut store, quota) = (PageStore::from_image(image()), unlimited());
    store.write_at(PAGE64 + 5, user(b"x"), &quota).unwrap();
    store.truncate(6 * PAGE64, &quota);
    let model = content(&store);
    let mut fenced = Fenced::new(5);
    let end = fenced.end();
    for at in [0, 9, PAGE - 3, 2 * PAGE + 4, 4 * PAGE] {
        for good in [0, 1, 3, 5, 4095, PAGE, 5000, 2 * PAGE] {
            let len = (good + 2 * PAGE).min(6 * PAGE - at);
            let good = good.min(len);
            let to = UserSlice::new(end - good, good + 2 * PAGE);
            let expected = if good == 0 {
                Err(Errno::EFAULT)
            } else {
                Ok(good)
            };
            assert_eq!(store.read_at(at as u64, to), expected, "{at} {good}");
            let got = &fenced.bytes()[5 * PAGE - good..];
            assert_eq!(got, &model[at..at + good], "{at} {good}");
        }
    }
    let parts = [UserSlice::new(end - 5, 10), UserSlice::new(end - 10, 10)];
    assert_eq!(
        store.read(0, parts),
        Ok(5),
        "what is behind a fault is not read"
    );
    assert_eq!(store.write(0, parts, &quota), Ok(5));
}

#[test]
fn a_bad_source_counts_before_a_full_file_system() {
    let (mut store, full) = (PageStore::new(), Quota::new(Some(0), None));
    let fenced = Fenced::new(1);
    let from = |good| UserSlice::new(fenced.end() - good, 10);
    assert_eq!(store.write_at(0, from(0), &full), Err(Errno::EFAULT));
    assert_eq!(store.write_at(0, from(1), &full), Err(Errno::ENOSPC));
    assert_eq!(full.pages().used, 0);
}

#[test]
fn a_range_that_leaves_the_address_space_is_bad_from_the_start() {
    let (mut store, quota) = (PageStore::from_image(image()), unlimited());
    // Two pieces: a page of the file's own, and what is borrowed.
    store.write_at(0, user(b"x"), &quota).unwrap();
    let fenced = Fenced::last();
    let beyond = UserSlice::new(fenced.start(), 2 * PAGE);
    assert_eq!(store.read_at(1, beyond), Err(Errno::EFAULT));
    assert_eq!(store.write_at(1, beyond, &quota), Err(Errno::EFAULT));
    assert_eq!(store.read_at(1, beyond.take(PAGE)), Ok(PAGE));
}
