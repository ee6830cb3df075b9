use super::*;
use crate::errno::Errno;
use crate::fs::proc::Text;
use crate::fs::testing::{Packer, boot_with, cstr};
use crate::fs::{Stdin, facts};
use crate::sys::fast;
use crate::sys::file::{close, close_range, dup, dup2, fcntl, open};
use linux_raw_sys::general::{
    F_GETLK, F_OFD_SETLK, F_RDLCK, F_SETLK, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN,
    O_PATH, O_RDWR, O_WRONLY, flock as Flock,
};

fn boot() -> impl Sized {
    boot_with(Some(Packer::default().file("f", b"hello")), Stdin::Null)
}

fn file(flags: u32) -> i32 {
    open(cstr("f\0"), flags, 0).unwrap() as i32
}

/// Runs a lock command on ten bytes from `start` on; returns the kind that it leaves.
fn lock(fd: i32, command: u32, kind: u32, start: i64) -> Result<u32, Errno> {
    let mut flock = Flock {
        l_type: kind as i16,
        l_whence: 0,
        l_start: start,
        l_len: 10,
        l_pid: 0,
    };
    fcntl(fd, command, core::ptr::from_mut(&mut flock) as usize)?;
    Ok(flock.l_type as u32)
}

/// What keeps `fd` from an exclusive lock of its own, seen as an open file description.
fn obstacle(fd: i32) -> Result<u32, Errno> {
    lock(fd, linux_raw_sys::general::F_OFD_GETLK, F_WRLCK, 0)
}

#[test]
#[cfg_attr(miri, ignore = "the structure's padding is not initialised")]
fn record_locks_end_when_any_descriptor_is_closed() {
    let _fs = boot();
    let (one, other) = (file(O_RDWR), file(O_RDWR));
    let locks = || assert_eq!(lock(one, F_SETLK, F_WRLCK, 0), Ok(F_WRLCK));
    locks();
    assert_eq!(obstacle(other), Ok(F_WRLCK));
    let place = file(O_PATH);
    assert_eq!(close(place), Ok(0));
    assert_eq!(obstacle(other), Ok(F_WRLCK), "a place is no open file");
    // By close(2), the short cut of it included, dup2(2) and close_range(2).
    let third = file(0);
    assert_eq!(fast::close(dup(third).unwrap() as i32), None);
    assert_eq!(obstacle(other), Ok(F_WRLCK), "a short cut leaves it all");
    assert_eq!(close(third), Ok(0));
    assert_eq!(obstacle(other), Ok(F_UNLCK));
    locks();
    assert_eq!(dup2(0, file(0)), Ok(third as usize));
    assert_eq!(obstacle(other), Ok(F_UNLCK));
    locks();
    let last = file(0) as u32;
    assert_eq!(close_range(last, last, 0), Ok(0));
    assert_eq!(obstacle(other), Ok(F_UNLCK));
}

#[test]
#[cfg_attr(miri, ignore = "the structure's padding is not initialised")]
fn locks_of_a_description_end_with_it() {
    let _fs = boot();
    let (one, other) = (file(O_RDWR), file(O_RDWR));
    let copy = dup(one).unwrap() as i32;
    assert_eq!(lock(one, F_OFD_SETLK, F_WRLCK, 0), Ok(F_WRLCK));
    assert_eq!(lock(other, F_SETLK, F_RDLCK, 5), Err(Errno::EAGAIN));
    assert_eq!(flock(one, LOCK_EX), Ok(0));
    assert_eq!(flock(other, LOCK_SH | LOCK_NB), Err(Errno::EAGAIN));
    let mut shown = Text::new();
    facts::source()
        .files
        .descriptor_extra(copy as u32, &mut shown);
    facts::source()
        .files
        .descriptor_extra(other as u32, &mut shown);
    let inode = fd::get(copy).unwrap().inode().clone();
    let file = format!("00:{:02x}:{}", inode.sb.device, inode.ino);
    let wanted = format!(
        "lock:\t1: FLOCK  ADVISORY  WRITE 1 {file} 0 EOF\n\
         lock:\t2: OFDLCK ADVISORY  WRITE -1 {file} 0 9\n"
    );
    assert_eq!(shown.as_bytes(), wanted.as_bytes());
    assert_eq!(close(one), Ok(0));
    assert_eq!(lock(other, F_GETLK, F_RDLCK, 0), Ok(F_WRLCK));
    assert_eq!(flock(other, LOCK_SH | LOCK_NB), Err(Errno::EAGAIN));
    assert_eq!(close(copy), Ok(0));
    assert_eq!(lock(other, F_GETLK, F_RDLCK, 0), Ok(F_UNLCK));
    assert_eq!(flock(other, LOCK_EX | LOCK_NB), Ok(0));
    assert_eq!(flock(other, LOCK_UN), Ok(0));
    assert!(!lock::is_active());
}

#[test]
#[cfg_attr(miri, ignore = "the structure's padding is not initialised")]
fn the_file_must_be_open_for_it() {
    let _fs = boot();
    let (reader, writer, place) = (file(0), file(O_WRONLY), file(O_PATH));
    for (fd, kind, wanted) in [
        (reader, F_WRLCK, Err(Errno::EBADF)),
        (writer, F_RDLCK, Err(Errno::EBADF)),
        (place, F_RDLCK, Err(Errno::EBADF)),
        (99, F_RDLCK, Err(Errno::EBADF)),
        (reader, 7, Err(Errno::EINVAL)),
        (reader, F_RDLCK, Ok(F_RDLCK)),
        (reader, F_UNLCK, Ok(F_UNLCK)),
    ] {
        assert_eq!(lock(fd, F_SETLK, kind, 0), wanted, "{fd} {kind}");
    }
    for (fd, operation, wanted) in [
        (place, LOCK_SH, Err(Errno::EBADF)),
        (99, LOCK_SH, Err(Errno::EBADF)),
        (99, 0, Err(Errno::EINVAL)),
        (reader, LOCK_SH, Ok(0)),
    ] {
        assert_eq!(flock(fd, operation), wanted, "{fd} {operation}");
    }
}
