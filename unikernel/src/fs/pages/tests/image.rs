//! Files of the initrd, whose bytes are borrowed.

use super::*;

#[test]
fn an_image_is_borrowed_until_it_is_written_to() {
    let (mut store, quota) = (PageStore::from_image(image()), unlimited());
    assert_eq!((store.pages(), store.frames()), (3, 0));
    assert_eq!(content(&store), image());
    assert_eq!(
        (store.next_data(1), store.next_hole(1)),
        (Some(1), image().len() as u64)
    );
    store.write_at(PAGE64 + 1, user(b"\0"), &quota).unwrap();
    let mut model = image().to_vec();
    model[PAGE + 1] = 0;
    assert_eq!(
        (content(&store), store.pages(), quota.pages().used),
        (model.clone(), 3, 1)
    );
    // Behind the image's end, in its last page.
    store.write_at(3 * PAGE64 - 2, user(b"ab"), &quota).unwrap();
    model.resize(3 * PAGE - 2, 0);
    model.extend(b"ab");
    assert_eq!(
        (content(&store), store.pages(), quota.pages().used),
        (model, 3, 2)
    );
}

#[test]
fn a_shrunk_image_does_not_come_back() {
    for written in [false, true] {
        let (mut store, quota) = (PageStore::from_image(image()), unlimited());
        if written {
            store.write_at(2 * PAGE64, user(b"x"), &quota).unwrap();
        }
        store.truncate(PAGE64 + 7, &quota);
        assert_eq!((store.pages(), quota.pages().used), (2, 0));
        store.truncate(3 * PAGE64, &quota);
        let mut model = image()[..PAGE + 7].to_vec();
        model.resize(3 * PAGE, 0);
        assert_eq!(content(&store), model);
        assert_eq!(store.next_hole(0), 2 * PAGE64);
    }
}

#[test]
fn holes_in_an_image_hide_it() {
    let (mut store, quota) = (PageStore::from_image(image()), unlimited());
    store.punch(0, PAGE64, &quota).unwrap();
    let mut model = image().to_vec();
    model[..PAGE].fill(0);
    assert_eq!(
        (content(&store), store.pages(), quota.pages().used),
        (model.clone(), 2, 0)
    );
    assert_eq!((store.next_data(0), store.next_hole(0)), (Some(PAGE64), 0));
    assert!(store.page(0).unwrap().is_zeros());
    // Writing to the hole does not bring the rest of the page back, nor does reserving in vain.
    assert_eq!(
        store.allocate(0, PAGE64, false, &Quota::new(Some(0), None)),
        Err(Errno::ENOSPC)
    );
    let tight = Quota::new(Some(1), None);
    assert_eq!(
        store.allocate(0, 4 * PAGE64, false, &tight),
        Err(Errno::ENOSPC)
    );
    assert_eq!(
        (content(&store), store.pages(), tight.pages().used),
        (model.clone(), 2, 0)
    );
    store.write_at(5, user(b"x"), &quota).unwrap();
    model[5] = b'x';
    assert_eq!(
        (content(&store), store.pages(), quota.pages().used),
        (model.clone(), 3, 1)
    );
    // A part of a borrowed page is cleared in a page of the file's own; at its end there is no need.
    store.punch(PAGE64 + 1, 10, &quota).unwrap();
    model[PAGE + 1..PAGE + 11].fill(0);
    assert_eq!(
        (content(&store), store.pages(), quota.pages().used),
        (model.clone(), 3, 2)
    );
    store.punch(2 * PAGE64 + 1, PAGE64, &quota).unwrap();
    model[2 * PAGE + 1..].fill(0);
    assert_eq!(
        (content(&store), store.pages(), quota.pages().used),
        (model, 3, 2)
    );
    store.truncate(0, &quota);
    assert_eq!((store.pages(), quota.pages().used), (0, 0));
}
