//! Files with holes: what is read there, where data is, and what it costs.

use libc::{
    FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_UNSHARE_RANGE, FALLOC_FL_ZERO_RANGE, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY,
    SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET,
};
use std::io;
use test_support::files::{Scratch, fstat, make};
use test_support::sys::{self, close, open};
use test_support::{checksum, report};

const PAGE: i64 = 4096;
const KEEP: i32 = FALLOC_FL_KEEP_SIZE;
const PUNCH: i32 = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

fn fresh() -> io::Result<i64> {
    open("sparse", O_RDWR | O_CREAT | O_TRUNC, 0o644)
}

/// Size, blocks, and where data is.
fn shape(fd: i64) -> io::Result<String> {
    let stat = fstat(fd)?;
    let mut parts = Vec::new();
    let mut at = 0;
    while at < stat.st_size {
        let Ok(start) = sys::lseek(fd, at, SEEK_DATA) else {
            break;
        };
        let end = sys::lseek(fd, start, SEEK_HOLE)?;
        parts.push(format!("{start}..{end}"));
        at = end;
    }
    let (size, blocks) = (stat.st_size, stat.st_blocks);
    Ok(format!(
        "size {size} blocks {blocks} data [{}]",
        parts.join(" ")
    ))
}

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    writes()?;
    seeks()?;
    allocations()?;
    holes()?;
    refused()?;
    huge()
}

/// Writes that leave gaps, whose bytes are zero.
fn writes() -> io::Result<()> {
    for at in [0, 1, PAGE - 2, PAGE, 3 * PAGE + 5, 100 * PAGE - 1] {
        let fd = fresh()?;
        report(
            format_args!("write 4 at {at}"),
            sys::pwrite(fd, b"data", at),
        );
        report("    shape", shape(fd));
        let mut all = vec![0xaa; (at + 8) as usize];
        report("    read", sys::pread(fd, &mut all, 0));
        println!("    sum {:x}", checksum(&all));
        close(fd)?;
    }
    let fd = fresh()?;
    for at in [0, 2, 4, 6, 8, 7, 3] {
        sys::pwrite(fd, &[b'x'; 10], at * PAGE + 4090)?;
        report(format_args!("ten bytes across {at}"), shape(fd));
    }
    close(fd)?;
    Ok(())
}

/// Every whence from every interesting place.
fn seeks() -> io::Result<()> {
    let fd = fresh()?;
    sys::pwrite(fd, &[1; 10], 2 * PAGE)?;
    sys::pwrite(fd, &[2; 5000], 6 * PAGE + 100)?;
    sys::ftruncate(fd, 12 * PAGE + 7)?;
    report("shape", shape(fd));
    let places = [
        -1,
        0,
        1,
        PAGE,
        2 * PAGE - 1,
        2 * PAGE,
        2 * PAGE + 9,
        2 * PAGE + 10,
        3 * PAGE - 1,
        3 * PAGE,
        6 * PAGE,
        7 * PAGE + 3,
        8 * PAGE,
        12 * PAGE,
        12 * PAGE + 6,
        12 * PAGE + 7,
        13 * PAGE,
        i64::MAX,
        i64::MIN,
    ];
    for at in places {
        for (name, whence) in [("data", SEEK_DATA), ("hole", SEEK_HOLE)] {
            report(format_args!("{name} from {at}"), sys::lseek(fd, at, whence));
        }
        report(format_args!("set {at}"), sys::lseek(fd, at, SEEK_SET));
        report(format_args!("end {at}"), sys::lseek(fd, at, SEEK_END));
        report(format_args!("current {at}"), sys::lseek(fd, at, SEEK_CUR));
    }
    // A search that fails leaves the offset where it was.
    sys::lseek(fd, 77, SEEK_SET)?;
    report("data behind the end", sys::lseek(fd, 1 << 40, SEEK_DATA));
    report("still at", sys::lseek(fd, 0, SEEK_CUR));
    report("data moves it", sys::lseek(fd, PAGE, SEEK_DATA));
    report("to", sys::lseek(fd, 0, SEEK_CUR));
    for whence in [5, 6, 100, -1] {
        report(format_args!("whence {whence}"), sys::lseek(fd, 0, whence));
    }
    close(fd)?;
    let empty = fresh()?;
    report("data in an empty file", sys::lseek(empty, 0, SEEK_DATA));
    report("hole in an empty file", sys::lseek(empty, 0, SEEK_HOLE));
    close(empty)?;
    Ok(())
}

/// fallocate(2) that takes memory.
fn allocations() -> io::Result<()> {
    for (name, mode) in [("plain", 0), ("keep", KEEP)] {
        for (at, length) in [
            (0, 1),
            (0, PAGE),
            (PAGE - 1, 2),
            (5, 3 * PAGE),
            (10 * PAGE, PAGE),
        ] {
            let fd = fresh()?;
            sys::write(fd, b"head")?;
            report(
                format_args!("{name} {at} {length}"),
                sys::fallocate(fd, mode, at, length),
            );
            report("    shape", shape(fd));
            sys::pwrite(fd, b"tail", at)?;
            report("    after a write there", shape(fd));
            let mut all = vec![0xaa; 12 * PAGE as usize];
            report("    read", sys::pread(fd, &mut all, 0));
            println!("    sum {:x}", checksum(&all));
            report("    truncated", sys::ftruncate(fd, 6));
            report("    shape", shape(fd));
            close(fd)?;
        }
    }
    Ok(())
}

/// fallocate(2) that gives memory back.
fn holes() -> io::Result<()> {
    let ranges = [
        (0, 1),
        (0, PAGE),
        (0, PAGE + 1),
        (1, PAGE),
        (1, 2 * PAGE),
        (100, 50),
        (PAGE, 3 * PAGE),
        (4 * PAGE, 100 * PAGE),
        (6 * PAGE - 3, 3),
        (5 * PAGE, PAGE),
        (100 * PAGE, PAGE),
        (0, i64::MAX),
        (3, 6 * PAGE),
    ];
    for (at, length) in ranges {
        let fd = fresh()?;
        sys::write(fd, &[0xff; 6 * PAGE as usize])?;
        report(
            format_args!("punch {at} {length}"),
            sys::fallocate(fd, PUNCH, at, length),
        );
        report("    shape", shape(fd));
        let mut all = vec![0xaa; 6 * PAGE as usize];
        sys::pread(fd, &mut all, 0)?;
        let zeros = all.iter().filter(|&&byte| byte == 0).count();
        println!("    zeros {zeros} sum {:x}", checksum(&all));
        sys::pwrite(fd, &[0xee; 10], at.min(5 * PAGE))?;
        report("    filled again", shape(fd));
        close(fd)?;
    }
    Ok(())
}

fn refused() -> io::Result<()> {
    let fd = fresh()?;
    sys::write(fd, &[0xff; 3 * PAGE as usize])?;
    let modes = [
        ("punch without keep", FALLOC_FL_PUNCH_HOLE),
        ("collapse", FALLOC_FL_COLLAPSE_RANGE),
        ("zero", FALLOC_FL_ZERO_RANGE),
        ("zero and keep", FALLOC_FL_ZERO_RANGE | KEEP),
        ("insert", FALLOC_FL_INSERT_RANGE),
        ("unshare", FALLOC_FL_UNSHARE_RANGE),
        ("punch and zero", PUNCH | FALLOC_FL_ZERO_RANGE),
        ("unknown", 0x400),
        ("all", -1),
    ];
    for (name, mode) in modes {
        report(name, sys::fallocate(fd, mode, 0, PAGE));
    }
    for (at, length) in [
        (0, 0),
        (0, -1),
        (-1, 1),
        (i64::MAX, 1),
        (i64::MAX - 5, 6),
        (1, i64::MAX),
    ] {
        report(
            format_args!("plain {at} {length}"),
            sys::fallocate(fd, 0, at, length),
        );
        report(
            format_args!("punch {at} {length}"),
            sys::fallocate(fd, PUNCH, at, length),
        );
    }
    report("unchanged", shape(fd));
    close(fd)?;
    make("file", b"content")?;
    sys::mkdir("dir", 0o755)?;
    let [reader, writer] = sys::pipe2(0)?;
    let read_only = open("file", O_RDONLY, 0)?;
    let write_only = open("file", O_WRONLY, 0)?;
    let dir = open("dir", O_RDONLY, 0)?;
    let null = open("/dev/null", O_RDWR, 0)?;
    for (name, fd) in [
        ("read-only", read_only),
        ("write-only", write_only),
        ("directory", dir),
        ("pipe", writer),
        ("other end", reader),
        ("device", null),
        ("closed", 987),
    ] {
        report(format_args!("{name} plain"), sys::fallocate(fd, 0, 0, 1));
        report(format_args!("{name} data"), sys::lseek(fd, 0, SEEK_DATA));
        report(format_args!("{name} hole"), sys::lseek(fd, 0, SEEK_HOLE));
        report(format_args!("{name} set"), sys::lseek(fd, 3, SEEK_SET));
        let _ = close(fd);
    }
    Ok(())
}

/// Sizes near the largest.
fn huge() -> io::Result<()> {
    let fd = fresh()?;
    // Linux loses count when it looks for the end of data in the last page of all.
    let shape = |fd| {
        let stat = fstat(fd)?;
        Ok::<_, io::Error>(format!("size {} blocks {}", stat.st_size, stat.st_blocks))
    };
    for size in [
        1 << 31,
        (1 << 32) + 1,
        1 << 40,
        1 << 62,
        i64::MAX - PAGE,
        i64::MAX - 1,
        i64::MAX,
    ] {
        report(format_args!("size {size}"), sys::ftruncate(fd, size));
        report("    shape", shape(fd));
        report("    write at its end", sys::pwrite(fd, b"end", size - 3));
        report("    shape", shape(fd));
        let mut tail = [0; 8];
        report("    read", sys::pread(fd, &mut tail, size - 5));
        println!("    {tail:?}");
        report("    read too far", sys::pread(fd, &mut tail, size));
        report("    write behind", sys::pwrite(fd, b"x", size));
        sys::ftruncate(fd, 0)?;
    }
    sys::lseek(fd, i64::MAX, SEEK_SET)?;
    report("read at the end of all", sys::read(fd, &mut [0; 2]));
    report("write at the end of all", sys::write(fd, b"xy"));
    report("nothing written there", sys::write(fd, b""));
    sys::lseek(fd, i64::MAX - 1, SEEK_SET)?;
    report("write one before", sys::write(fd, b"xy"));
    report("shape", shape(fd));
    close(fd)?;
    Ok(())
}
