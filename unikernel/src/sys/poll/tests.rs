//! Tests of poll and select on what is always ready; nothing here waits.

use super::*;
use crate::fs::Stdin;
use crate::fs::testing::{Packer, boot_with, cstr};
use crate::sys::file::open;
use linux_raw_sys::general::{O_PATH, O_RDWR};
use linux_raw_sys::general::{POLLIN, POLLOUT, POLLWRNORM};

fn boot() -> impl Sized {
    boot_with(Some(Packer::default().file("f", b"x")), Stdin::Null)
}

fn set(rows: &[(i32, u32)]) -> Vec<pollfd> {
    rows.iter()
        .map(|&(fd, events)| pollfd {
            fd,
            events: events as i16,
            revents: -1,
        })
        .collect()
}

fn at<T>(items: &mut [T]) -> UserPtr<T> {
    UserPtr::new(items.as_mut_ptr() as usize)
}

fn revents(fds: &[pollfd]) -> Vec<u32> {
    fds.iter().map(|fd| u32::from(fd.revents as u16)).collect()
}

const NULL: UserPtr<u8> = UserPtr::new(0);

#[test]
fn files_and_devices_are_always_ready() {
    let _fs = boot();
    let file = open(cstr("f\0"), 0, 0).unwrap() as i32;
    let null = open(cstr("/dev/null\0"), O_RDWR, 0).unwrap() as i32;
    let mut fds = set(&[
        (file, POLLIN),
        (null, POLLIN | POLLOUT),
        (file, 0),
        (null, POLLPRI),
    ]);
    assert_eq!(poll(at(&mut fds), 4, -1), Ok(2));
    assert_eq!(revents(&fds), [POLLIN, POLLIN | POLLOUT, 0, 0]);
}

#[test]
fn bad_descriptors_are_reported_and_negative_ones_ignored() {
    let _fs = boot();
    let path_only = open(cstr("f\0"), O_PATH, 0).unwrap() as i32;
    let mut fds = set(&[
        (99, 0),
        (-1, POLLIN),
        (path_only, POLLIN),
        (i32::MIN, POLLOUT),
    ]);
    assert_eq!(poll(at(&mut fds), 4, -1), Ok(2));
    assert_eq!(revents(&fds), [POLLNVAL, 0, POLLNVAL, 0]);
}

#[test]
fn the_console_can_be_written() {
    let _fs = boot();
    let mut fds = set(&[(1, POLLOUT | POLLWRNORM)]);
    assert_eq!(poll(at(&mut fds), 1, 0), Ok(1));
    assert_eq!(revents(&fds), [POLLOUT | POLLWRNORM]);
}

#[test]
fn arrays_are_checked() {
    let _fs = boot();
    assert_eq!(poll(UserPtr::new(0), 0, 0), Ok(0));
    assert_eq!(poll(UserPtr::new(0), 1025, 0), Err(Errno::EINVAL));
    assert_eq!(poll(UserPtr::new(usize::MAX - 7), 1, 0), Err(Errno::EFAULT));
}

#[test]
fn ppoll_checks_time_and_mask() {
    let _fs = boot();
    let go = |sec, nsec, mask: usize, size| {
        let mut time = [__kernel_timespec {
            tv_sec: sec,
            tv_nsec: nsec,
        }];
        ppoll(UserPtr::new(0), 0, at(&mut time), UserPtr::new(mask), size)
    };
    assert_eq!(go(0, 0, 0, 0), Ok(0));
    assert_eq!(go(0, 1_000_000_000, 0, 0), Err(Errno::EINVAL));
    assert_eq!(go(-1, 0, 0, 0), Err(Errno::EINVAL));
    assert_eq!(go(0, 0, 4096, 4), Err(Errno::EINVAL));
    assert_eq!(go(0, 0, usize::MAX - 7, 8), Err(Errno::EFAULT));
    let bad = UserPtr::new(usize::MAX - 15);
    assert_eq!(
        ppoll(UserPtr::new(0), 0, bad, UserPtr::new(0), 0),
        Err(Errno::EFAULT)
    );
}

#[test]
fn select_counts_members_of_every_set() {
    let _fs = boot();
    let null = open(cstr("/dev/null\0"), O_RDWR, 0).unwrap();
    assert_eq!(null, 3);
    let (mut read, mut write, mut except) = ([0b1001_u64], [0b1000_u64], [0b1000_u64]);
    let mut sets = [&mut read, &mut write, &mut except].map(|set| at(set).cast::<u8>());
    assert_eq!(select(4, sets[0], sets[1], sets[2], UserPtr::new(0)), Ok(3));
    assert_eq!((read, write, except), ([0b1001], [0b1000], [0]));
    let mut closed = [1_u64 << 40];
    sets[0] = at(&mut closed).cast();
    assert_eq!(
        select(41, sets[0], NULL, NULL, UserPtr::new(0)),
        Err(Errno::EBADF)
    );
    let mut now = [0_u64; 2];
    assert_eq!(select(40, sets[0], NULL, NULL, at(&mut now).cast()), Ok(0));
    assert_eq!(closed, [0]);
}

#[test]
fn select_checks_its_arguments() {
    let _fs = boot();
    let bad = UserPtr::new(usize::MAX - 127);
    assert_eq!(
        select(-1, NULL, NULL, NULL, UserPtr::new(0)),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        select(1, bad, NULL, NULL, UserPtr::new(0)),
        Err(Errno::EFAULT)
    );
    let mut time = [__kernel_old_timeval {
        tv_sec: 0,
        tv_usec: -1,
    }];
    assert_eq!(
        select(0, NULL, NULL, NULL, at(&mut time)),
        Err(Errno::EINVAL)
    );
    let mut zero = [__kernel_timespec {
        tv_sec: 0,
        tv_nsec: 0,
    }];
    let mut mask = [[4096_u64, 4]];
    let go = pselect6(0, NULL, NULL, NULL, at(&mut zero), at(&mut mask));
    assert_eq!(go, Err(Errno::EINVAL));
    assert_eq!(
        pselect6(0, NULL, NULL, NULL, at(&mut zero), UserPtr::new(0)),
        Ok(0)
    );
}

#[test]
fn lengths_of_time_are_checked() {
    assert_eq!(length(2, 5, NANOSECONDS), Ok(2_000_000_005));
    assert_eq!(length(2, 5, 1_000_000), Ok(2_000_005_000));
    assert_eq!(length(i64::MAX, 5, 1_000_000), Ok(u64::MAX));
    assert_eq!(length(1, 1_000_000, 1_000_000), Err(Errno::EINVAL));
    assert_eq!(length(-1, 0, 1_000_000), Err(Errno::EINVAL));
    assert_eq!(Wait::nanoseconds(0), Wait::Never);
    assert_eq!((Wait::Never.left(), Wait::Forever.left()), (0, 0));
}
