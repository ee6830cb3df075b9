use super::super::event;
use super::*;
use crate::fs::testing::alone;
use linux_raw_sys::general::{IN_ACCESS, IN_CREATE, IN_MODIFY};

/// What a file is shown as.
const FILE: (u64, u32) = (0x12, 3);

/// Words of the header of an event, and its name with the padding.
type Read = ([u32; 4], Vec<u8>);

/// Reads what is there with a buffer of `room` bytes.
fn read(inotify: &Inotify, room: usize) -> Result<Vec<Read>, Errno> {
    let mut bytes = vec![0xaa_u8; room];
    let buffer = UserSlice::new(bytes.as_mut_ptr() as usize, room);
    let len = inotify.read(buffer, true)?;
    let mut rest = &bytes[..len];
    let mut events = Vec::new();
    while !rest.is_empty() {
        let word = |at: usize| u32::from_ne_bytes(rest[at * 4..][..4].try_into().unwrap());
        let header = [0, 1, 2, 3].map(word);
        let size = HEADER + header[3] as usize;
        events.push((header, rest[HEADER..size].to_vec()));
        rest = &rest[size..];
    }
    Ok(events)
}

fn watching(watches: &Watches) -> Inotify {
    let inotify = Inotify::new().unwrap();
    assert_eq!(inotify.add(watches, FILE, IN_ALL_EVENTS), Ok(1));
    inotify
}

fn create(directory: &Watches, name: &[u8]) {
    event(None, Some(directory), IN_CREATE, 0, name, false);
}

#[test]
fn names_are_padded_to_whole_headers() {
    let _alone = alone();
    let directory = Watches::new();
    let inotify = watching(&directory);
    assert_eq!(read(&inotify, 100), Err(Errno::EAGAIN));
    for len in [1, 15, 16, 255] {
        create(&directory, &vec![b'n'; len]);
        let padded = (len + 1).next_multiple_of(16);
        assert_eq!(inotify.bytes(), 16 + padded);
        let events = read(&inotify, LARGEST).unwrap();
        assert_eq!(events[0].0, [1, IN_CREATE, 0, padded as u32]);
        let (name, padding) = events[0].1.split_at(len);
        assert!(name.iter().all(|&byte| byte == b'n'));
        assert!(padding.iter().all(|&byte| byte == 0));
    }
    event(Some(&directory), None, IN_ACCESS, 0, b"", true);
    let events = read(&inotify, 16).unwrap();
    assert_eq!(events, [([1, IN_ACCESS | IN_ISDIR, 0, 0], vec![])]);
}

#[test]
fn only_whole_events_are_read() {
    let _alone = alone();
    let directory = Watches::new();
    let inotify = watching(&directory);
    create(&directory, b"a");
    create(&directory, b"b");
    assert_eq!(read(&inotify, 31), Err(Errno::EINVAL));
    assert_eq!(read(&inotify, 0), Err(Errno::EINVAL));
    assert_eq!(read(&inotify, 63).unwrap().len(), 1);
    assert_eq!(read(&inotify, 64).unwrap().len(), 1);
    assert!(!inotify.is_readable());
    create(&directory, b"c");
    let nowhere = UserSlice::new(usize::MAX - 100, 50);
    assert_eq!(inotify.read(nowhere, true), Err(Errno::EFAULT));
    assert_eq!(inotify.read(nowhere, true), Err(Errno::EAGAIN));
}

#[test]
fn what_the_last_event_said_is_not_said_again() {
    let _alone = alone();
    let directory = Watches::new();
    let inotify = watching(&directory);
    for name in [b"a", b"a", b"b", b"a"] {
        create(&directory, name);
    }
    event(None, Some(&directory), IN_MODIFY, 0, b"a", false);
    let names: Vec<u8> = read(&inotify, 4096)
        .unwrap()
        .iter()
        .map(|event| event.1[0])
        .collect();
    assert_eq!(names, b"abaa");
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn a_full_queue_says_so_once() {
    let _alone = alone();
    let directory = Watches::new();
    let inotify = watching(&directory);
    let name = |index: usize| format!("{index}").into_bytes();
    for index in 0..MAX_EVENTS + 10 {
        create(&directory, &name(index));
    }
    assert_eq!(inotify.bytes(), MAX_EVENTS * 32 + 16);
    // One event less is still more than fits beside the message.
    assert_eq!(read(&inotify, 32).unwrap().len(), 1);
    create(&directory, b"lost");
    assert_eq!(read(&inotify, 32).unwrap().len(), 1);
    create(&directory, b"kept");
    let events = read(&inotify, MAX_EVENTS * 32).unwrap();
    let (kept, rest) = events.split_last().unwrap();
    let (overflow, rest) = rest.split_last().unwrap();
    assert_eq!(overflow.0, [u32::MAX, IN_Q_OVERFLOW, 0, 0]);
    assert_eq!((&kept.1[..5], rest.len()), (&b"kept\0"[..], MAX_EVENTS - 2));
    // The next overflow is a new one.
    for index in 0..=MAX_EVENTS {
        create(&directory, &name(index));
    }
    assert_eq!(inotify.bytes(), MAX_EVENTS * 32 + 16);
}

#[test]
fn numbers_are_not_used_again() {
    let _alone = alone();
    let files = [const { Watches::new() }; 3];
    let inotify = Inotify::new().unwrap();
    let add = |file: usize| inotify.add(&files[file], FILE, IN_ACCESS);
    assert_eq!((add(0), add(1), add(0)), (Ok(1), Ok(2), Ok(1)));
    assert_eq!(
        (inotify.remove(1), inotify.remove(1)),
        (Ok(()), Err(Errno::EINVAL))
    );
    assert_eq!(inotify.remove(-1), Err(Errno::EINVAL));
    assert_eq!((add(0), add(2)), (Ok(3), Ok(4)));
    let events = read(&inotify, 4096).unwrap();
    assert_eq!(events, [([1, IN_IGNORED, 0, 0], vec![])]);
    // After the largest number come those that are free.
    inotify.0.state.lock().last = i32::MAX;
    assert_eq!(inotify.remove(3), Ok(()));
    assert_eq!(add(0), Ok(1));
    assert_eq!(inotify.remove(4), Ok(()));
    assert_eq!(add(2), Ok(3));
}

#[test]
fn a_reader_waits_for_the_next_event() {
    let _alone = alone();
    let directory = Watches::new();
    let inotify = watching(&directory);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut bytes = [0u8; 64];
            inotify.read(UserSlice::new(bytes.as_mut_ptr() as usize, 64), false)
        });
        while !inotify.arrivals().has_waiters() {
            std::thread::yield_now();
        }
        assert!(!reader.is_finished());
        create(&directory, b"a");
        assert_eq!(reader.join().unwrap(), Ok(32));
    });
}

#[test]
fn flags_and_masks_are_checked() {
    let _alone = alone();
    assert_eq!(check_flags(IN_CLOEXEC | IN_NONBLOCK), Ok(()));
    assert_eq!(check_flags(1), Err(Errno::EINVAL));
    assert_eq!(check_mask(IN_ONLYDIR), Ok(()));
    for mask in [0, 0x1000, IN_ACCESS | 0x0800_0000] {
        assert_eq!(check_mask(mask), Err(Errno::EINVAL));
    }
    let inotify = Inotify::new().unwrap();
    let mask = IN_ACCESS | IN_MASK_ADD | IN_MASK_CREATE;
    assert_eq!(inotify.add(&Watches::new(), FILE, mask), Err(Errno::EINVAL));
}
