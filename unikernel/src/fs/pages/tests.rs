use super::*;
use std::sync::LazyLock;

mod image;
#[cfg(not(miri))]
mod with_faults;

const PAGE64: u64 = PAGE as u64;

fn unlimited() -> Quota {
    Quota::new(None, None)
}

fn user(bytes: &[u8]) -> UserSlice {
    UserSlice::new(bytes.as_ptr() as usize, bytes.len())
}

fn user_mut(bytes: &mut [u8]) -> UserSlice {
    UserSlice::new(bytes.as_mut_ptr() as usize, bytes.len())
}

/// All of the file, read in one go into user memory.
fn content(store: &PageStore) -> Vec<u8> {
    let mut out = vec![0xee; store.size() as usize + 3];
    assert_eq!(
        store.read_at(0, user_mut(&mut out)),
        Ok(store.size() as usize)
    );
    assert_eq!(out[store.size() as usize..], [0xee; 3]);
    out.truncate(store.size() as usize);
    let mut again = vec![0xdd; out.len()];
    assert_eq!(store.read_bytes(0, &mut again), out.len());
    assert_eq!(out, again);
    out
}

/// 2.5 pages without a zero, as the initrd would have them.
fn image() -> &'static [u8] {
    static IMAGE: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..5 * PAGE / 2).map(|i| (i % 251 + 1) as u8).collect());
    &IMAGE
}

#[test]
fn a_new_file_is_empty() {
    let store = PageStore::new();
    assert_eq!((store.size(), store.pages(), store.frames()), (0, 0, 0));
    assert_eq!(store.read_at(0, user_mut(&mut [0; 9])), Ok(0));
    assert_eq!(store.read_at(u64::MAX, user_mut(&mut [0; 9])), Ok(0));
    assert_eq!(store.next_data(0), None);
}

#[test]
fn what_is_written_is_read() {
    let (mut store, quota) = (PageStore::new(), unlimited());
    assert_eq!(store.write_at(0, user(b"hello, "), &quota), Ok(7));
    assert_eq!(store.write_at(7, user(b"world"), &quota), Ok(5));
    assert_eq!(content(&store), b"hello, world");
    assert_eq!((store.pages(), quota.pages().used), (1, 1));
    let mut part = [0; 4];
    assert_eq!(store.read_at(9, user_mut(&mut part)), Ok(3));
    assert_eq!(&part, b"rld\0");
    let parts = [user(b"J"), user(b""), user(b"ELLO")];
    assert_eq!(store.write(0, parts, &quota), Ok(5));
    let (mut a, mut b) = ([0; 6], [0; 20]);
    assert_eq!(store.read(0, [user_mut(&mut a), user_mut(&mut b)]), Ok(12));
    assert_eq!((&a, &b[..6]), (b"JELLO,", &b" world"[..]));
}

#[test]
fn writing_nothing_changes_nothing() {
    let (mut store, quota) = (PageStore::new(), unlimited());
    assert_eq!(store.write_at(100, user(b""), &quota), Ok(0));
    assert_eq!((store.size(), store.pages()), (0, 0));
    store.allocate(0, 1, false, &quota).unwrap();
    assert_eq!(store.write_at(0, user(b""), &quota), Ok(0));
    assert_eq!(
        store.next_data(0),
        None,
        "allocated, and still without content"
    );
}

#[test]
fn a_gap_is_a_hole() {
    let (mut store, quota) = (PageStore::new(), unlimited());
    assert_eq!(store.write_at(10 * PAGE64 + 5, user(b"x"), &quota), Ok(1));
    assert_eq!((store.size(), store.pages()), (10 * PAGE64 + 6, 1));
    let mut expected = vec![0; 10 * PAGE + 5];
    expected.push(b'x');
    assert_eq!(content(&store), expected);
    assert_eq!(store.next_data(3), Some(10 * PAGE64));
    assert_eq!(store.next_data(10 * PAGE64 + 2), Some(10 * PAGE64 + 2));
    assert_eq!(
        (store.next_hole(7), store.next_hole(10 * PAGE64)),
        (7, 10 * PAGE64 + 6)
    );
}

#[test]
fn the_largest_offset_can_be_written_and_no_more() {
    let (mut store, quota) = (PageStore::new(), unlimited());
    assert_eq!(store.write_at(MAX_SIZE - 2, user(b"abc"), &quota), Ok(2));
    assert_eq!((store.size(), store.pages()), (MAX_SIZE, 1));
    assert_eq!(
        store.write_at(MAX_SIZE, user(b"c"), &quota),
        Err(Errno::EFBIG)
    );
    assert_eq!(
        store.allocate(MAX_SIZE, 1, false, &quota),
        Err(Errno::EFBIG)
    );
    assert_eq!(
        store.allocate(u64::MAX, 2, false, &quota),
        Err(Errno::EFBIG)
    );
    let mut end = [9; 4];
    assert_eq!(store.read_at(MAX_SIZE - 3, user_mut(&mut end)), Ok(3));
    assert_eq!(&end, b"\0ab\x09");
    assert_eq!(store.next_data(0), Some(MAX_SIZE & !(PAGE64 - 1)));
    assert_eq!(store.next_hole(MAX_SIZE - 1), MAX_SIZE);
    store.truncate(0, &quota);
    assert_eq!(quota.pages().used, 0);
}

#[test]
fn bytes_behind_the_end_are_zero_when_the_file_grows() {
    let (mut store, quota) = (PageStore::new(), unlimited());
    store.write_at(0, user(&[7; 100]), &quota).unwrap();
    store.truncate(10, &quota);
    store.truncate(20, &quota);
    assert_eq!(content(&store), [&[7; 10][..], &[0; 10]].concat());
    // A mapping writes behind the end; that is seen neither by truncate nor by a write.
    store.page_mut(0, &quota).unwrap().copy_from(20, &[8; 50]);
    store.truncate(30, &quota);
    assert_eq!(content(&store)[20..], [0; 10]);
    store.page_mut(0, &quota).unwrap().copy_from(30, &[8; 50]);
    store.write_at(35, user(b"z"), &quota).unwrap();
    assert_eq!(content(&store)[30..], *b"\0\0\0\0\0z");
}

#[test]
fn a_mapping_sees_what_is_cut_off_vanish() {
    let (mut store, quota) = (PageStore::new(), unlimited());
    store.write_at(0, user(&[7; 100]), &quota).unwrap();
    let mapped = store.page_mut(0, &quota).unwrap();
    store.truncate(10, &quota);
    let mut seen = [1; 100];
    mapped.copy_to(0, &mut seen);
    assert_eq!(seen, *[&[7; 10][..], &[0; 90]].concat());
}

#[test]
fn a_full_file_system_gives_short_counts_and_then_enospc() {
    let (mut store, quota) = (PageStore::new(), Quota::new(Some(2), None));
    let from = vec![5; 3 * PAGE];
    assert_eq!(store.write_at(100, user(&from), &quota), Ok(2 * PAGE - 100));
    assert_eq!(store.size(), 2 * PAGE64);
    assert_eq!(
        store.write_at(2 * PAGE64, user(b"x"), &quota),
        Err(Errno::ENOSPC)
    );
    assert_eq!(
        store.write_at(0, user(b"x"), &quota),
        Ok(1),
        "there is a page already"
    );
    let parts = [user(b"y"), user(b"z")];
    assert_eq!(store.write(2 * PAGE64 - 1, parts, &quota), Ok(1));
    // The source is looked at before the space.
    let bad = UserSlice::new(usize::MAX - 100, 1);
    assert_eq!(store.write_at(2 * PAGE64, bad, &quota), Err(Errno::EFAULT));
    assert_eq!(store.page_mut(2, &quota).err(), Some(Errno::ENOSPC));
    store.punch(0, PAGE64, &quota).unwrap();
    assert_eq!(store.write_at(2 * PAGE64, user(b"x"), &quota), Ok(1));
    store.truncate(0, &quota);
    assert_eq!(quota.pages().used, 0);
}

#[test]
fn allocated_room_is_counted_and_is_no_data() {
    let (mut store, quota) = (PageStore::new(), Quota::new(Some(8), None));
    store.allocate(100, 2 * PAGE64, true, &quota).unwrap();
    assert_eq!((store.size(), store.pages()), (0, 3));
    store.truncate(2 * PAGE64 + 100, &quota);
    assert_eq!(store.pages(), 3);
    assert_eq!((store.next_data(0), store.next_hole(0)), (None, 0));
    store.write_at(PAGE64 + 9, user(b"x"), &quota).unwrap();
    assert_eq!(
        (store.next_data(0), store.next_hole(PAGE64)),
        (Some(PAGE64), 2 * PAGE64)
    );
    assert_eq!(content(&store)[PAGE + 8..PAGE + 11], *b"\0x\0");
    // Too much at once, too much in the end: what was written stays, what was reserved goes.
    assert_eq!(
        store.allocate(0, 9 * PAGE64, false, &quota),
        Err(Errno::ENOSPC)
    );
    assert_eq!(store.pages(), 3);
    assert_eq!(
        store.allocate(3 * PAGE64, 6 * PAGE64, false, &quota),
        Err(Errno::ENOSPC)
    );
    assert_eq!((store.pages(), quota.pages().used), (3, 3));
    assert_eq!(
        store.allocate(0, 7 * PAGE64, false, &Quota::new(Some(7), None)),
        Ok(())
    );
}

#[test]
fn a_page_that_is_reserved_twice_counts_as_written() {
    let (mut store, quota) = (PageStore::new(), unlimited());
    store.allocate(0, 2 * PAGE64, false, &quota).unwrap();
    store.allocate(PAGE64, 2 * PAGE64, false, &quota).unwrap();
    assert_eq!((store.next_data(0), store.pages()), (Some(PAGE64), 3));
    assert_eq!(store.next_hole(PAGE64), 2 * PAGE64);
}

#[test]
fn reserving_in_vain_gives_back_what_was_never_written() {
    let (mut store, quota) = (PageStore::new(), Quota::new(Some(5), None));
    store.write_at(7 * PAGE64, user(b"x"), &quota).unwrap();
    store.write_at(PAGE64, user(b"x"), &quota).unwrap();
    assert_eq!(
        store.allocate(0, 5 * PAGE64, false, &quota),
        Err(Errno::ENOSPC)
    );
    assert_eq!((store.pages(), quota.pages().used), (2, 2));
    assert_eq!(store.next_data(0), Some(PAGE64));
}

#[test]
fn room_behind_the_end_goes_with_a_truncate_to_the_same_size() {
    let (mut store, quota) = (PageStore::new(), unlimited());
    store.write_at(0, user(b"abc"), &quota).unwrap();
    store.allocate(0, 9 * PAGE64, true, &quota).unwrap();
    store.truncate(5, &quota);
    assert_eq!(store.pages(), 9);
    store.truncate(5, &quota);
    assert_eq!((store.pages(), store.size()), (1, 5));
}

#[test]
fn punching_clears_parts_and_gives_pages_back() {
    let (mut store, quota) = (PageStore::new(), unlimited());
    let mut model: Vec<u8> = (0..6 * PAGE).map(|i| (i % 255 + 1) as u8).collect();
    store.write_bytes(0, &model, &quota).unwrap();
    let mut punch = |at: usize, len: usize, pages| {
        store.punch(at as u64, len as u64, &quota).unwrap();
        model[at.min(6 * PAGE)..(at + len).min(6 * PAGE)].fill(0);
        assert_eq!(
            (content(&store), store.pages()),
            (model.clone(), pages),
            "{at} {len}"
        );
    };
    punch(100, 50, 6);
    punch(PAGE - 1, 2, 6);
    punch(PAGE, PAGE, 5);
    punch(3 * PAGE - 10, 2 * PAGE + 20, 3);
    punch(6 * PAGE - 1, 100, 3);
    punch(0, 1 << 40, 0);
    assert_eq!(store.size(), 6 * PAGE64);
    assert_eq!(quota.pages().used, 0);
    assert_eq!(store.punch(0, u64::MAX, &quota), Ok(()));
}

#[test]
fn pages_are_shared_with_whoever_maps_them() {
    let (mut store, quota) = (PageStore::from_image(image()), unlimited());
    let mapped = store.page_mut(1, &quota).unwrap();
    mapped.copy_from(0, b"by the mapping");
    assert_eq!(content(&store)[PAGE..PAGE + 14], *b"by the mapping");
    store.write_at(PAGE64, user(b"BY"), &quota).unwrap();
    let mut seen = [0; 6];
    mapped.copy_to(0, &mut seen);
    assert_eq!(&seen, b"BY the");
    assert!(store.page(1).unwrap().is(&mapped));
    assert!(store.page_mut(1, &quota).unwrap().is(&mapped));
    // Copies of what is borrowed, and of nothing.
    let copy = store.page(2).unwrap();
    let mut bytes = vec![0; PAGE];
    copy.copy_to(0, &mut bytes);
    assert_eq!(
        (&bytes[..PAGE / 2], &bytes[PAGE / 2..]),
        (&image()[2 * PAGE..], &[0; 2048][..])
    );
    assert!(store.page(3).unwrap().is_zeros());
    assert_eq!(quota.pages().used, 1);
    // Cut off, it stays with whoever has it.
    store.truncate(0, &quota);
    assert_eq!(quota.pages().used, 0);
    assert!(!mapped.is_shared());
}

#[test]
fn pages_move_in_unless_others_have_them() {
    let (mut store, quota) = (PageStore::new(), unlimited());
    let filled = |byte: u8| {
        let page = Page::dirty().unwrap();
        page.copy_from(0, &[byte; PAGE]);
        page
    };
    let page = filled(1);
    let frame = page.address();
    store.install(2, page, &quota).unwrap();
    assert_eq!(
        (store.size(), store.pages(), quota.pages().used),
        (3 * PAGE64, 1, 1)
    );
    assert_eq!(store.page(2).unwrap().address(), frame);
    // Replaced, but not under a mapping, and not by a page that somebody else has.
    store.install(2, filled(2), &quota).unwrap();
    assert_ne!(store.page(2).unwrap().address(), frame);
    let mapped = store.page_mut(2, &quota).unwrap();
    store.install(2, filled(3), &quota).unwrap();
    assert!(store.page(2).unwrap().is(&mapped));
    drop(mapped);
    let shared = filled(4);
    store.install(1, shared.clone(), &quota).unwrap();
    store.install(0, Page::zeros(), &quota).unwrap();
    assert!(!shared.is_shared());
    let expected = [[0; PAGE], [4; PAGE], [3; PAGE]].concat();
    assert_eq!((content(&store), quota.pages().used), (expected, 3));
    assert_eq!(
        store.install(3, filled(5), &Quota::new(Some(0), None)),
        Err(Errno::ENOSPC)
    );
    assert_eq!((store.size(), store.next_hole(0)), (3 * PAGE64, 3 * PAGE64));
}

#[test]
fn a_page_can_be_copied_into_its_own_file() {
    let (mut store, quota) = (PageStore::new(), unlimited());
    store.write_bytes(0, b"0123456789", &quota).unwrap();
    let page = store.page(0).unwrap();
    assert_eq!(store.write_page(2, (&page, 0, 8), &quota), Ok(8));
    assert_eq!(content(&store), b"0101234567");
}
