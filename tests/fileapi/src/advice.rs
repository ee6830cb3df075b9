//! Calls that only say something about files: posix_fadvise(2), readahead(2), sync_file_range(2);
//! and sendfile(2) with files that are none on a disk.

use libc::{O_PATH, O_RDONLY, O_RDWR, O_WRONLY, SEEK_CUR};
use std::io;
use test_support::files::{Scratch, content_of, make};
use test_support::sys::{self, close, open, sendfile};
use test_support::{Outcome, call, report};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    make("file", b"0123456789")?;
    sys::mkdir("dir", 0o755)?;
    let [reader, writer] = sys::pipe2(0)?;
    let files = [
        ("file", open("file", O_RDWR, 0)?),
        ("write-only", open("file", O_WRONLY, 0)?),
        ("place", open("file", O_PATH, 0)?),
        ("directory", open("dir", O_RDONLY, 0)?),
        ("device", open("/dev/null", O_RDWR, 0)?),
        ("generated", open("/proc/version", O_RDONLY, 0)?),
        ("reader", reader),
        ("writer", writer),
        ("closed", 987),
    ];
    for (name, fd) in files {
        advised(name, fd);
        synchronised(name, fd);
    }
    for (_, fd) in &files[..files.len() - 1] {
        close(*fd)?;
    }
    sent()
}

fn advised(name: &str, fd: i64) {
    let advise = |at: i64, len: i64, advice: i64| -> Outcome {
        let args = [fd, at, len, advice].map(|arg| arg as u64);
        call(libc::SYS_fadvise64, &args)
    };
    for advice in [-1, 0, 1, 2, 3, 4, 5, 6] {
        report(format_args!("advise {advice} {name}"), advise(0, 0, advice));
    }
    report(format_args!("advise too little {name}"), advise(0, -1, 0));
    report(format_args!("advise all {name}"), advise(5, i64::MAX, 3));
    for count in [0, 10, i64::MAX, -1] {
        let outcome = call(libc::SYS_readahead, &[fd as u64, 0, count as u64]);
        report(format_args!("read {count} of {name} ahead"), outcome);
    }
}

fn synchronised(name: &str, fd: i64) {
    for (at, len, flags) in [
        (0, 0, 0),
        (5, 10, 7),
        (5, i64::MAX - 5, 2),
        (5, i64::MAX, 2),
        (-1, 5, 2),
        (5, -1, 2),
        (0, 0, 8),
    ] {
        let args = [fd, at, len, flags].map(|arg| arg as u64);
        let outcome = call(libc::SYS_sync_file_range, &args);
        report(format_args!("sync {at} {len} {flags} of {name}"), outcome);
    }
}

fn sent() -> io::Result<()> {
    let file = open("file", O_RDONLY, 0)?;
    let target = open("target", O_RDWR | libc::O_CREAT, 0o644)?;
    let null = open("/dev/null", O_RDWR, 0)?;
    let zero = open("/dev/zero", O_RDWR, 0)?;
    let full = open("/dev/full", O_RDWR, 0)?;
    let version = open("/proc/version", O_RDONLY, 0)?;
    let [reader, writer] = sys::pipe2(libc::O_NONBLOCK)?;
    report("zeros to a file", sendfile(target, zero, 0, 5000));
    report("the place in it", sys::lseek(target, 0, SEEK_CUR));
    report("zeros to a pipe", sendfile(writer, zero, 0, 1 << 20));
    report("more of them", sendfile(writer, zero, 0, 1));
    report("nothing to a device", sendfile(null, null, 0, 10));
    report("nothing to a file", sendfile(target, null, 0, 10));
    for (name, to) in [
        ("nowhere", null),
        ("to zeros", zero),
        ("to a full device", full),
    ] {
        for (at, count) in [(0, 5), (100, 5), (0, 0)] {
            let mut place: i64 = at;
            let outcome = sendfile(to, file, std::ptr::from_mut(&mut place) as u64, count);
            report(format_args!("{count} from {at} {name}"), outcome);
            println!("    place {place}");
        }
    }
    sys::ftruncate(target, 0)?;
    sys::lseek(target, 0, libc::SEEK_SET)?;
    report("a generated file", sendfile(target, version, 0, 14));
    report("is", content_of(target));
    report("the place in it", sys::lseek(version, 0, SEEK_CUR));
    report(
        "a range of it",
        sys::copy_file_range(version, 0, target, 0, 5, 0),
    );
    report("too many", sendfile(null, file, 0, usize::MAX));
    let bad = 0x6000_0000_0000;
    report("a bad place", sendfile(null, file, bad, 5));
    report("a bad place and file", sendfile(null, 987, bad, 5));
    for fd in [file, target, null, zero, full, version, reader, writer] {
        close(fd)?;
    }
    Ok(())
}
