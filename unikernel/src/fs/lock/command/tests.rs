use super::*;
use crate::fs::testing::alone;
use linux_raw_sys::general::{LOCK_READ, LOCK_RW};

const OPENED: Opened = Opened {
    description: 1,
    position: 10,
    size: 100,
    readable: true,
    writable: true,
};

fn flock(l_type: u32, whence: u32, l_start: i64, l_len: i64) -> Flock {
    Flock {
        l_type: l_type as i16,
        l_whence: whence as i16,
        padding: 0x1234_5678,
        l_start,
        l_len,
        l_pid: 0,
        more_padding: 7,
    }
}

fn at(flock: &mut Flock) -> UserPtr<Flock> {
    UserPtr::new(core::ptr::from_mut(flock) as usize)
}

fn run(slot: &Slot, opened: &Opened, command: u32, mut argument: Flock) -> SysResult {
    fcntl(slot, opened, command, at(&mut argument))
}

/// Type, start, length and process of what a command says.
fn ask(slot: &Slot, opened: &Opened, command: u32, mut argument: Flock) -> (u32, i64, i64, i32) {
    assert_eq!(fcntl(slot, opened, command, at(&mut argument)), Ok(0));
    assert_eq!((argument.padding, argument.more_padding), (0x1234_5678, 7));
    let Flock { l_start, l_len, .. } = argument;
    (argument.l_type as u32, l_start, l_len, argument.l_pid)
}

#[test]
fn spans_are_computed_as_linux_does() {
    let _alone = alone();
    const MAX: i64 = i64::MAX;
    let rows = [
        ((SEEK_SET, 5, 3), Ok((5, 3))),
        ((SEEK_SET, 5, 0), Ok((5, 0))),
        ((SEEK_CUR, 5, 3), Ok((15, 3))),
        ((SEEK_CUR, -10, 0), Ok((0, 0))),
        ((SEEK_END, 0, 1), Ok((100, 1))),
        ((SEEK_END, -100, 0), Ok((0, 0))),
        ((SEEK_END, 0, -1), Ok((99, 1))),
        ((SEEK_SET, 5, -5), Ok((0, 5))),
        ((SEEK_SET, 1, MAX), Ok((1, 0))),
        ((SEEK_SET, MAX, 1), Ok((MAX as u64, 0))),
        ((SEEK_SET, MAX - 1, 1), Ok((MAX as u64 - 1, 1))),
        ((SEEK_SET, -1, 0), Err(Errno::EINVAL)),
        ((SEEK_END, -101, 200), Err(Errno::EINVAL)),
        ((SEEK_SET, 5, -6), Err(Errno::EINVAL)),
        ((SEEK_SET, 0, -1), Err(Errno::EINVAL)),
        ((SEEK_SET, i64::MIN, i64::MIN), Err(Errno::EINVAL)),
        ((SEEK_SET, 1, i64::MIN), Err(Errno::EINVAL)),
        ((3, 0, 0), Err(Errno::EINVAL)),
        ((SEEK_SET, 2, MAX), Err(Errno::EOVERFLOW)),
        ((SEEK_CUR, MAX - 9, 0), Err(Errno::EOVERFLOW)),
    ];
    for ((whence, start, len), wanted) in rows {
        let span = flock(F_WRLCK, whence, start, len).span(&OPENED);
        let found = span.map(|span| (span.first(), span.length()));
        assert_eq!(found, wanted, "{whence} {start} {len}");
    }
}

#[test]
fn conflicts_are_described() {
    let _alone = alone();
    let slot = Slot::new();
    let other = Opened {
        description: 2,
        ..OPENED
    };
    let (all, set) = (flock(F_WRLCK, 0, 0, 0), flock(F_WRLCK, SEEK_CUR, 0, 5));
    assert_eq!(run(&slot, &OPENED, F_SETLK, set), Ok(0));
    // The process is one owner, whatever the descriptor.
    assert_eq!(ask(&slot, &other, F_GETLK, all), (F_UNLCK, 0, 0, 0));
    assert_eq!(ask(&slot, &other, F_OFD_GETLK, all), (F_WRLCK, 10, 5, PID));
    assert_eq!(run(&slot, &other, F_OFD_SETLK, all), Err(Errno::EAGAIN));
    let rest = flock(F_RDLCK, 0, 15, 0);
    assert_eq!(run(&slot, &other, F_OFD_SETLKW, rest), Ok(0));
    assert_eq!(ask(&slot, &OPENED, F_GETLK, all), (F_RDLCK, 15, 0, -1));
    let shared = flock(F_RDLCK, 0, 0, 0);
    assert_eq!(ask(&slot, &OPENED, F_GETLK, shared), (F_UNLCK, 0, 0, 0));
    let own = flock(F_UNLCK, 0, 0, 0);
    assert_eq!(ask(&slot, &other, F_OFD_GETLK, own), (F_RDLCK, 15, 0, -1));
    assert_eq!(ask(&slot, &OPENED, F_OFD_GETLK, own), (F_UNLCK, 0, 0, 0));
    assert_eq!(run(&slot, &OPENED, F_SETLK, own), Ok(0));
    assert_eq!(ask(&slot, &other, F_OFD_GETLK, all), (F_UNLCK, 0, 0, 0));
}

#[test]
fn bad_arguments_are_refused() {
    let _alone = alone();
    let slot = Slot::new();
    let mut named = flock(F_RDLCK, 0, 0, 0);
    named.l_pid = 5;
    for command in [F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW] {
        assert_eq!(run(&slot, &OPENED, command, named), Err(Errno::EINVAL));
    }
    assert_eq!(run(&slot, &OPENED, F_SETLK, named), Ok(0));
    let odd = flock(3, 0, i64::MAX, 0);
    for command in [F_GETLK, F_SETLK, F_OFD_GETLK, F_OFD_SETLK] {
        assert_eq!(run(&slot, &OPENED, command, odd), Err(Errno::EINVAL));
    }
    let released = flock(F_UNLCK, 0, 0, 0);
    assert_eq!(run(&slot, &OPENED, F_GETLK, released), Err(Errno::EINVAL));
    for command in [F_GETLK, F_SETLK] {
        let bad = UserPtr::new(usize::MAX - 7);
        assert_eq!(fcntl(&slot, &OPENED, command, bad), Err(Errno::EFAULT));
    }
    assert!(is_lock_command(F_SETLKW) && !is_lock_command(3));
}

#[test]
fn a_lock_needs_a_file_open_for_it() {
    let _alone = alone();
    let slot = Slot::new();
    let reader = Opened {
        writable: false,
        ..OPENED
    };
    let writer = Opened {
        readable: false,
        ..OPENED
    };
    let of = |kind| flock(kind, 0, 0, 0);
    let rows = [
        (&reader, F_RDLCK, Ok(0)),
        (&reader, F_WRLCK, Err(Errno::EBADF)),
        (&writer, F_RDLCK, Err(Errno::EBADF)),
        (&writer, F_WRLCK, Ok(0)),
        (&writer, F_UNLCK, Ok(0)),
    ];
    for (opened, kind, wanted) in rows {
        assert_eq!(run(&slot, opened, F_SETLK, of(kind)), wanted, "{kind}");
        // Asking is free.
        if kind != F_UNLCK {
            assert_eq!(run(&slot, opened, F_GETLK, of(kind)), Ok(0));
        }
    }
}

#[test]
fn operations_of_flock_are_decoded() {
    let _alone = alone();
    let whole = |mode, wait| Ok(Some(Whole { mode, wait }));
    let rows = [
        (LOCK_SH, whole(Some(Mode::Shared), true)),
        (LOCK_EX | LOCK_NB, whole(Some(Mode::Exclusive), false)),
        (LOCK_UN, whole(None, true)),
        (LOCK_UN | LOCK_NB, whole(None, false)),
        (LOCK_MAND | LOCK_RW, Ok(None)),
        (0, Err(Errno::EINVAL)),
        (LOCK_NB, Err(Errno::EINVAL)),
        (LOCK_SH | LOCK_EX, Err(Errno::EINVAL)),
        (LOCK_SH | LOCK_READ, Err(Errno::EINVAL)),
    ];
    for (operation, wanted) in rows {
        assert_eq!(Whole::decode(operation), wanted, "{operation}");
    }
}

#[test]
fn whole_files_need_an_open_file() {
    let _alone = alone();
    let slot = Slot::new();
    let neither = Opened {
        readable: false,
        writable: false,
        ..OPENED
    };
    let exclusive = Whole::decode(LOCK_EX | LOCK_NB).unwrap().unwrap();
    let released = Whole::decode(LOCK_UN).unwrap().unwrap();
    assert_eq!(exclusive.apply(&slot, &neither), Err(Errno::EBADF));
    assert_eq!(released.apply(&slot, &neither), Ok(0));
    assert_eq!(exclusive.apply(&slot, &OPENED), Ok(0));
    let other = Opened {
        description: 2,
        ..OPENED
    };
    assert_eq!(exclusive.apply(&slot, &other), Err(Errno::EAGAIN));
}
