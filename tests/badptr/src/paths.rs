//! Calls that take a path.

use crate::each::each;
use crate::places::Places;
use libc::{
    AT_FDCWD, SYS_access, SYS_newfstatat, SYS_open, SYS_openat, SYS_readlink, SYS_readlinkat,
    SYS_statx,
};
use test_support::{call, report};

const CWD: u64 = AT_FDCWD as u64;
const BASIC_STATS: u64 = libc::STATX_BASIC_STATS as u64;
const BAD_FD: u64 = 987;
const KEEP: u64 = 8;

/// Reports on everything here.
pub fn run(places: &Places) {
    let mut buffer = [0_u64; 64];
    let buffer = buffer.as_mut_ptr() as u64;

    each(places, "open", KEEP, |p| call(SYS_open, &[p, 0]));
    each(places, "openat", KEEP, |p| call(SYS_openat, &[CWD, p, 0]));
    each(places, "openat bad fd", KEEP, |p| {
        call(SYS_openat, &[BAD_FD, p, 0])
    });
    each(places, "access", KEEP, |p| call(SYS_access, &[p, 0]));
    each(places, "newfstatat path", KEEP, |p| {
        call(SYS_newfstatat, &[CWD, p, buffer, 0])
    });
    each(places, "statx path", KEEP, |p| {
        call(SYS_statx, &[CWD, p, 0, BASIC_STATS, buffer])
    });
    each(places, "readlink path", KEEP, |p| {
        call(SYS_readlink, &[p, buffer, 64])
    });
    each(places, "readlinkat path", KEEP, |p| {
        call(SYS_readlinkat, &[CWD, p, buffer, 64])
    });
    ends(places, buffer);
    results(places);
}

/// Paths that end exactly where the good memory ends.
fn ends(places: &Places, buffer: u64) {
    let access = |path: &[u8]| call(SYS_access, &[places.put(path), 0]);
    report("access NUL in the last byte", access(b"data.txt\0"));
    report("access NUL behind the last byte", access(b"data.txt"));
    report("access empty", access(b"\0"));
    let path = places.put(b"link-to-data\0");
    report(
        "readlink NUL in the last byte",
        call(SYS_readlink, &[path, buffer, 64]),
    );
    let long = [b'a'; 5000];
    let long = long.as_ptr() as u64;
    report("access no NUL in 4096 bytes", call(SYS_access, &[long, 0]));
}

/// Bad places for what the calls find out about a path.
fn results(places: &Places) {
    let data = c"data.txt".as_ptr() as u64;
    let missing = c"missing".as_ptr() as u64;
    let link = c"link-to-data".as_ptr() as u64;
    for (name, path) in [("", data), (" of a missing file", missing)] {
        each(places, &format!("newfstatat result{name}"), KEEP, |p| {
            call(SYS_newfstatat, &[CWD, path, p, 0])
        });
        each(places, &format!("statx result{name}"), KEEP, |p| {
            call(SYS_statx, &[CWD, path, 0, BASIC_STATS, p])
        });
    }
    each(places, "readlink result", 4, |p| {
        call(SYS_readlink, &[link, p, 64])
    });
    each(places, "readlink exact result", 4, |p| {
        call(SYS_readlink, &[link, p, 4])
    });
    each(places, "readlink empty result", 4, |p| {
        call(SYS_readlink, &[link, p, 0])
    });
    each(places, "readlink result of a file", 4, |p| {
        call(SYS_readlink, &[data, p, 64])
    });
    each(places, "readlinkat result", 4, |p| {
        call(SYS_readlinkat, &[CWD, link, p, 64])
    });
}
