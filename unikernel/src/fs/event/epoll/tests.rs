use super::*;
use crate::fs::Stdin;
use crate::fs::anon;
use crate::fs::event::Event;
use crate::fs::event::counter::Counter;
use crate::fs::fd::File;
use crate::fs::inode::Kind;
use crate::fs::testing::boot_with;
use crate::uaccess::UserSlice;
use linux_raw_sys::general::{O_NONBLOCK, O_RDWR, POLLOUT};

fn open(event: Event) -> File {
    anon::open(Kind::Event(event), 0o600, (0, 0), O_RDWR | O_NONBLOCK).unwrap()
}

fn counter(value: u32) -> File {
    open(Event::Counter(Counter::new(value, false)))
}

fn add_one(file: &File) {
    let one = 1_u64;
    let part = UserSlice::new(&raw const one as usize, 8);
    assert_eq!(file.write(&mut [part].into_iter(), 8, None, false), Ok(8));
}

fn add(epoll: &File, fd: i32, file: &File, events: u32) -> Result<(), Errno> {
    let wanted = Wanted {
        events,
        data: fd as u64,
    };
    // SAFETY: it is on the heap.
    unsafe { epoll.epoll().unwrap().add(epoll, (fd, file), wanted) }
}

/// What a wait reports: data and events.
fn collect(epoll: &File, most: usize) -> Vec<(u64, u32)> {
    let mut room = [Wanted::default(); 8];
    let to = UserPtr::new(room.as_mut_ptr() as usize);
    let count = epoll.epoll().unwrap().collect(to, most).unwrap();
    room[..count].iter().map(|w| (w.data, w.events)).collect()
}

#[test]
fn levels_are_reported_as_long_as_they_hold_and_in_turn() {
    let _fs = boot_with(None, Stdin::Null);
    let (epoll, first, second) = (open(Event::Epoll(Epoll::new())), counter(1), counter(0));
    add(&epoll, 1, &first, POLLIN).unwrap();
    add(&epoll, 2, &second, POLLIN).unwrap();
    assert_eq!(add(&epoll, 2, &second, POLLIN), Err(Errno::EEXIST));
    assert_eq!(collect(&epoll, 8), [(1, POLLIN)]);
    add_one(&second);
    assert_eq!(
        (collect(&epoll, 1), collect(&epoll, 1)),
        (vec![(1, POLLIN)], vec![(2, POLLIN)])
    );
    assert_eq!(collect(&epoll, 8).len(), 2);
    epoll.epoll().unwrap().remove(1, &first).unwrap();
    assert_eq!(epoll.epoll().unwrap().remove(1, &first), Err(Errno::ENOENT));
    assert_eq!(collect(&epoll, 8), [(2, POLLIN)]);
}

#[test]
fn edges_and_single_shots_are_reported_once() {
    let _fs = boot_with(None, Stdin::Null);
    let (epoll, edge, shot) = (open(Event::Epoll(Epoll::new())), counter(1), counter(1));
    add(&epoll, 1, &edge, POLLIN | POLLOUT | EPOLLET).unwrap();
    add(&epoll, 2, &shot, POLLIN | EPOLLONESHOT).unwrap();
    assert_eq!(collect(&epoll, 8), [(1, POLLIN | POLLOUT), (2, POLLIN)]);
    add_one(&shot);
    assert_eq!(collect(&epoll, 8), []);
    add_one(&edge);
    assert_eq!(collect(&epoll, 8), [(1, POLLIN | POLLOUT)]);
    let again = Wanted {
        events: POLLIN,
        data: 3,
    };
    epoll.epoll().unwrap().change(2, &shot, again).unwrap();
    assert_eq!(collect(&epoll, 8), [(3, POLLIN)]);
}

#[test]
fn a_closed_file_is_watched_no_more_and_an_epoll_lets_go() {
    let _fs = boot_with(None, Stdin::Null);
    let (epoll, gone, stays) = (open(Event::Epoll(Epoll::new())), counter(1), counter(1));
    add(&epoll, 1, &gone, POLLIN).unwrap();
    add(&epoll, 2, &stays, POLLIN).unwrap();
    drop(gone);
    assert_eq!(collect(&epoll, 8), [(2, POLLIN)]);
    drop(epoll);
    assert!(stays.watchers.load(Relaxed).is_null());
    assert!(
        stays
            .queues()
            .into_iter()
            .flatten()
            .all(|queue| !queue.has_waiters())
    );
}

#[test]
fn epolls_watch_each_other_five_deep_and_not_in_a_circle() {
    let _fs = boot_with(None, Stdin::Null);
    let all: Vec<_> = (0..7).map(|_| open(Event::Epoll(Epoll::new()))).collect();
    let bottom = counter(0);
    add(&all[0], 9, &bottom, POLLIN).unwrap();
    for depth in 1..5 {
        add(&all[depth], 1, &all[depth - 1], POLLIN).unwrap();
    }
    assert_eq!(add(&all[5], 1, &all[4], POLLIN), Err(Errno::ELOOP));
    assert_eq!(add(&all[0], 1, &all[3], POLLIN), Err(Errno::ELOOP));
    assert_eq!(add(&all[0], 1, &all[6], POLLIN), Err(Errno::ELOOP));
    assert_eq!(collect(&all[4], 8), []);
    add_one(&bottom);
    assert_eq!(collect(&all[4], 8), [(1, POLLIN)]);
    assert_eq!(all[3].events(POLLIN), POLLIN);
}
