//! Tests of the short cuts: each gives what the ordinary handler gives, or leaves the call to it.

use super::*;
use crate::errno::Errno;
use crate::fs::Stdin;
use crate::fs::testing::{Packer, boot_with, cstr};
use crate::sys::{dir, file};
use linux_raw_sys::general::{O_RDWR, O_WRONLY};

fn boot() -> impl Sized {
    let packer = Packer::default()
        .file("dir/sub/a-name-longer-than-eight", b"hello world")
        .file("f", b"abc")
        .link("l", "f");
    boot_with(Some(packer), Stdin::Null)
}

fn opened(path: &str, flags: u32) -> i32 {
    file::open(cstr(path), flags, 0).unwrap() as i32
}

fn at<T>(value: &mut T) -> UserPtr<u8> {
    UserPtr::new(core::ptr::from_mut(value) as usize)
}

const BAD: UserPtr<u8> = UserPtr::new(usize::MAX - 4095);

#[test]
fn stat_says_what_the_handler_says() {
    let _fs = boot();
    let paths = [
        "f\0",
        "/f\0",
        "dir\0",
        "dir/sub\0",
        "/dir/sub/a-name-longer-than-eight\0",
        "/dev/null\0",
        "/tmp\0",
    ];
    for path in paths {
        let (mut short, mut long) = ([1u64; 18], [2u64; 18]);
        // Times of boot are asked of the clock once, and that is not for a short cut.
        let taken = stat(cstr(path), at(&mut short).cast());
        assert_eq!(dir::stat(cstr(path), at(&mut long).cast()), Ok(0));
        if taken.is_some() {
            assert_eq!(short, long, "{path:?}");
        }
        assert_eq!(
            taken.is_some(),
            !path.contains("dev") && !path.contains("tmp")
        );
    }
}

#[test]
fn stat_leaves_what_is_not_plain() {
    let _fs = boot();
    let mut room = [0u64; 18];
    let long = format!("/{}\0", "x".repeat(200));
    let paths = [
        "l\0",
        "l/x\0",
        "none\0",
        "f/\0",
        "f/x\0",
        "dir/\0",
        "dir/.\0",
        "dir/../f\0",
        "//f\0",
        "/\0",
        "\0",
        "dir//sub\0",
        "/proc\0",
        "/proc/self\0",
        &long,
    ];
    for path in paths {
        assert_eq!(stat(cstr(path), at(&mut room).cast()), None, "{path:?}");
    }
    assert_eq!(stat(cstr("f\0"), BAD.cast()), None);
    assert_eq!(stat(BAD, at(&mut room).cast()), None);
    assert_eq!(newfstatat(3, cstr("f\0"), at(&mut room).cast(), 0), None);
    assert_eq!(
        newfstatat(AT_FDCWD, cstr("f\0"), at(&mut room).cast(), 0x100),
        None
    );
}

#[test]
fn reads_are_as_long_as_what_is_there() {
    let _fs = boot();
    let fd = opened("dir/sub/a-name-longer-than-eight\0", 0);
    let mut bytes = [0; 8];
    // The first read notes the access, which asks the clock.
    assert_eq!(read(fd, at(&mut bytes), 5), None);
    assert_eq!(file::read(fd, at(&mut bytes), 5), Ok(5));
    assert_eq!(
        (read(fd, at(&mut bytes), 5), &bytes[..5]),
        (Some(5), &b" worl"[..])
    );
    assert_eq!(
        (
            read(fd, at(&mut bytes), 5),
            file::read(fd, at(&mut bytes), 5)
        ),
        (None, Ok(1))
    );
    assert_eq!(
        (pread64(fd, at(&mut bytes), 3, 6), &bytes[..3]),
        (Some(3), &b"wor"[..])
    );
    assert_eq!(
        (pread64(fd, at(&mut bytes), 3, -1), pread64(fd, BAD, 3, 0)),
        (None, None)
    );
    assert_eq!(
        (lseek(fd, 2, SEEK_SET), lseek(fd, 3, SEEK_CUR)),
        (Some(2), Some(5))
    );
    assert_eq!(
        (
            lseek(fd, -6, SEEK_CUR),
            lseek(fd, 0, 2),
            lseek(fd, i64::MAX, SEEK_CUR)
        ),
        (None, None, None)
    );
    assert_eq!(read(opened("f\0", O_WRONLY), at(&mut bytes), 1), None);
}

#[test]
fn the_null_device_swallows() {
    let _fs = boot();
    let null = opened("/dev/null\0", O_RDWR);
    let mut bytes = [0u8; 8];
    assert_eq!(
        (
            write(null, at(&mut bytes), 8),
            read(null, at(&mut bytes), 8)
        ),
        (Some(8), Some(0))
    );
    assert_eq!((write(null, BAD, 8), read(null, BAD, 8)), (None, None));
    let mut parts = [bytes.as_ptr() as usize, 5, 0, 0, bytes.as_ptr() as usize, 2];
    assert_eq!(writev(null, at(&mut parts).cast(), 3), Some(7));
    assert_eq!(writev(null, at(&mut parts).cast(), 9), None);
    assert_eq!(writev(null, BAD.cast(), 1), None);
    parts[1] = usize::MAX;
    assert_eq!(writev(null, at(&mut parts).cast(), 3), None);
    assert_eq!(write(opened("/dev/null\0", 0), at(&mut bytes), 8), None);
    assert_eq!(write(opened("f\0", O_RDWR), at(&mut bytes), 8), None);
}

#[test]
fn descriptors_are_shared_and_given_back() {
    let _fs = boot();
    let fd = opened("f\0", 0);
    assert_eq!((fd, dup(fd), dup(fd)), (3, Some(4), Some(5)));
    assert_eq!((close(4), close(4), dup(3)), (Some(0), None, Some(4)));
    assert_eq!((close(3), close(4)), (Some(0), Some(0)));
    // The last one ends the file, which is the handler's to do.
    assert_eq!((close(5), file::close(5), dup(5)), (None, Ok(0), None));
    assert_eq!(
        (opened("f\0", 0), fcntl(3, F_GETFL, 0)),
        (3, Some(0o100_000))
    );
    assert_eq!((fcntl(3, 1, 0), fcntl(99, F_GETFL, 0)), (None, None));
}

#[test]
fn access_and_getcwd_are_for_the_plain_case() {
    let _fs = boot();
    assert_eq!(
        (
            access(cstr("f\0"), 6),
            access(cstr("f\0"), 1),
            access(cstr("dir\0"), 7)
        ),
        (Some(0), None, Some(0))
    );
    assert_eq!(
        (access(cstr("f\0"), 8), access(cstr("l\0"), 0)),
        (None, None)
    );
    let mut bytes = [7u8; 4];
    assert_eq!(
        (getcwd(at(&mut bytes), 4), bytes),
        (Some(2), [b'/', 0, 7, 7])
    );
    assert_eq!((getcwd(at(&mut bytes), 1), getcwd(BAD, 4)), (None, None));
    assert_eq!(dir::chdir(cstr("dir\0")), Ok(0));
    assert_eq!(getcwd(at(&mut bytes), 4), None);
    assert_eq!(dir::getcwd(at(&mut bytes), 4), Err(Errno::ERANGE));
}
