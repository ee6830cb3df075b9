use super::*;
use crate::fs::testing::alone;
use crate::uaccess::UserSlice;
use linux_raw_sys::general::{
    IN_CLOSE_WRITE, IN_CREATE, IN_DELETE, IN_IGNORED, IN_MODIFY, IN_OPEN,
};

/// What a file is shown as.
const FILE: (u64, u32) = (0x12, 3);

/// What arrived: number of the watch, mask, whether there is a cookie, name.
type Seen = (i32, u32, bool, String);

fn drain(inotify: &Inotify) -> Vec<Seen> {
    let mut bytes = vec![0u8; 1 << 16];
    let buffer = UserSlice::new(bytes.as_mut_ptr() as usize, bytes.len());
    let len = match inotify.read(buffer, true) {
        Ok(len) => len,
        Err(errno) => {
            assert_eq!(errno, Errno::EAGAIN);
            0
        }
    };
    let mut rest = &bytes[..len];
    let mut events = Vec::new();
    while !rest.is_empty() {
        let word = |at: usize| u32::from_ne_bytes(rest[at * 4..][..4].try_into().unwrap());
        let (name, next) = rest[16..].split_at(word(3) as usize);
        let text = name.split(|&byte| byte == 0).next().unwrap_or_default();
        let text = String::from_utf8(text.to_vec()).unwrap();
        events.push((word(0) as i32, word(1), word(2) != 0, text));
        rest = next;
    }
    events
}

fn seen(number: i32, mask: u32, name: &str) -> Seen {
    (number, mask, false, name.to_owned())
}

/// A directory (watch 1) and a file in it (watch 2).
fn both(mask: u32) -> (Watches, Watches, Inotify) {
    let (directory, file) = (Watches::new(), Watches::new());
    let inotify = Inotify::new().unwrap();
    assert_eq!(inotify.add(&directory, FILE, mask), Ok(1));
    assert_eq!(inotify.add(&file, FILE, mask), Ok(2));
    (directory, file, inotify)
}

#[test]
fn the_directory_learns_first_and_with_the_name() {
    let _alone = alone();
    let (directory, file, inotify) = both(IN_ALL_EVENTS);
    event(Some(&file), Some(&directory), IN_MODIFY, 0, b"f", false);
    event(Some(&file), Some(&directory), IN_OPEN, 0, b"f", true);
    event(None, Some(&directory), IN_DELETE, 0, b"f", false);
    event(None, None, IN_DELETE, 0, b"f", false);
    let wanted = [
        seen(1, IN_MODIFY, "f"),
        seen(2, IN_MODIFY, ""),
        seen(1, IN_OPEN | IN_ISDIR, "f"),
        seen(2, IN_OPEN | IN_ISDIR, ""),
        seen(1, IN_DELETE, "f"),
    ];
    assert_eq!(drain(&inotify), wanted);
}

#[test]
fn only_what_is_wanted_arrives() {
    let _alone = alone();
    let (directory, file, inotify) = both(IN_CREATE);
    event(Some(&file), Some(&directory), IN_MODIFY, 0, b"f", false);
    assert_eq!(
        inotify.add(&directory, FILE, IN_MODIFY | IN_MASK_ADD),
        Ok(1)
    );
    event(Some(&file), Some(&directory), IN_MODIFY, 0, b"f", false);
    event(None, Some(&directory), IN_CREATE, 0, b"g", false);
    assert_eq!(inotify.add(&directory, FILE, IN_MODIFY), Ok(1));
    event(None, Some(&directory), IN_CREATE, 0, b"h", false);
    let mask = IN_OPEN | IN_MASK_CREATE;
    assert_eq!(inotify.add(&directory, FILE, mask), Err(Errno::EEXIST));
    let wanted = [seen(1, IN_MODIFY, "f"), seen(1, IN_CREATE, "g")];
    assert_eq!(drain(&inotify), wanted);
}

#[test]
fn one_shot_is_one_event() {
    let _alone = alone();
    let (directory, file, inotify) = both(IN_MODIFY | IN_ONESHOT);
    event(Some(&file), None, IN_OPEN, 0, b"", false);
    for _ in 0..2 {
        event(Some(&file), Some(&directory), IN_MODIFY, 0, b"f", false);
    }
    let wanted = [
        seen(1, IN_MODIFY, "f"),
        seen(1, IN_IGNORED, ""),
        seen(2, IN_MODIFY, ""),
        seen(2, IN_IGNORED, ""),
    ];
    assert_eq!(drain(&inotify), wanted);
    assert_eq!(inotify.remove(1), Err(Errno::EINVAL));
    assert_eq!(inotify.add(&file, FILE, IN_MODIFY), Ok(3));
}

#[test]
fn unlinked_files_can_be_left_out() {
    let _alone = alone();
    let (directory, file, inotify) = both(IN_ALL_EVENTS | IN_EXCL_UNLINK);
    let write = |mask| event(Some(&file), Some(&directory), mask, 0, b"f", false);
    write(IN_MODIFY | UNLINKED);
    assert_eq!(drain(&inotify), []);
    assert_eq!(inotify.add(&directory, FILE, IN_ALL_EVENTS), Ok(1));
    write(IN_CLOSE_WRITE | UNLINKED);
    assert_eq!(drain(&inotify), [seen(1, IN_CLOSE_WRITE, "f")]);
}

#[test]
fn deleted_and_unmounted_files_are_watched_no_more() {
    let _alone = alone();
    let (directory, file, inotify) = both(IN_ALL_EVENTS);
    file.deleted();
    file.deleted();
    directory.unmounted(true);
    let wanted = [
        seen(2, IN_DELETE_SELF, ""),
        seen(2, IN_IGNORED, ""),
        seen(1, IN_UNMOUNT | IN_ISDIR, ""),
        seen(1, IN_IGNORED, ""),
    ];
    assert_eq!(drain(&inotify), wanted);
    // Who does not want to know learns only that it is over; of a mount even that it was one.
    let (directory, file, inotify) = both(IN_CREATE);
    file.deleted();
    directory.unmounted(false);
    let wanted = [
        seen(2, IN_IGNORED, ""),
        seen(1, IN_UNMOUNT, ""),
        seen(1, IN_IGNORED, ""),
    ];
    assert_eq!(drain(&inotify), wanted);
    assert_eq!(inotify.add(&file, FILE, IN_CREATE), Ok(3));
    drop(file);
    assert_eq!(drain(&inotify), []);
    assert_eq!(inotify.remove(3), Ok(()));
    assert_eq!(drain(&inotify), [seen(3, IN_IGNORED, "")]);
}

#[test]
fn both_ends_of_a_rename_have_one_cookie() {
    let _alone = alone();
    let (directory, file, inotify) = both(IN_ALL_EVENTS);
    let (other, replaced) = (Watches::new(), Watches::new());
    assert_eq!(inotify.add(&other, FILE, IN_ALL_EVENTS), Ok(3));
    assert_eq!(inotify.add(&replaced, FILE, IN_ALL_EVENTS), Ok(4));
    let from = Place {
        directory: Some(&directory),
        name: b"f",
    };
    let to = Place {
        directory: Some(&other),
        name: b"g",
    };
    renamed(from, to, Some(&file), false, Some(&replaced));
    let wanted = [
        (1, IN_MOVED_FROM, true, "f".to_owned()),
        (3, IN_MOVED_TO, true, "g".to_owned()),
        seen(4, IN_ATTRIB, ""),
        seen(2, IN_MOVE_SELF, ""),
    ];
    assert_eq!(drain(&inotify), wanted);
    renamed(to, from, Some(&file), true, None);
    let masks: Vec<u32> = drain(&inotify).iter().map(|event| event.1).collect();
    let wanted = [
        IN_MOVED_FROM | IN_ISDIR,
        IN_MOVED_TO | IN_ISDIR,
        IN_MOVE_SELF,
    ];
    assert_eq!(masks, wanted);
}

#[test]
fn watches_are_shown_latest_first() {
    let _alone = alone();
    let (directory, file, inotify) = both(IN_OPEN | IN_EXCL_UNLINK);
    assert_eq!(
        inotify.add(&directory, FILE, IN_MODIFY | IN_MASK_ADD),
        Ok(1)
    );
    let mut shown = Vec::new();
    inotify.show(|watch| shown.push((watch.number, watch.inode, watch.device, watch.mask)));
    let first = IN_OPEN | IN_EXCL_UNLINK;
    assert_eq!(
        shown,
        [(2, 0x12, 3, first), (1, 0x12, 3, first | IN_MODIFY)]
    );
    drop((directory, file));
}

#[test]
fn instances_do_not_know_each_other() {
    let _alone = alone();
    let file = Watches::new();
    let (first, second) = (Inotify::new().unwrap(), Inotify::new().unwrap());
    assert_eq!(first.add(&file, FILE, IN_MODIFY), Ok(1));
    assert_eq!(second.add(&file, FILE, IN_OPEN), Ok(1));
    event(Some(&file), None, IN_MODIFY, 0, b"", false);
    assert_eq!(drain(&second), []);
    drop(first);
    event(Some(&file), None, IN_OPEN, 0, b"", false);
    assert_eq!(drain(&second), [seen(1, IN_OPEN, "")]);
    let list = file.list().unwrap();
    assert_eq!(list.watches.lock().len(), 1);
    // Nothing keeps an instance alive but its descriptor.
    let weak = Arc::downgrade(&list);
    drop((list, file));
    assert!(weak.upgrade().is_some());
    drop(second);
    assert!(weak.upgrade().is_none());
}
