//! Reading and writing at places, in pieces, with flags; and whose the offset is.

use libc::{
    O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, RWF_APPEND, RWF_DSYNC, RWF_HIPRI,
    RWF_SYNC, SEEK_CUR, SEEK_END, SEEK_SET,
};
use std::io;
use test_support::files::{Scratch, content, content_of, make};
use test_support::sys::{self, close, open};
use test_support::{Outcome, call, report};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    positions()?;
    shared_offsets()?;
    appending()?;
    vectors()?;
    flags()?;
    access_modes()?;
    devices()
}

fn at(fd: i64) -> i64 {
    sys::lseek(fd, 0, SEEK_CUR).unwrap_or(-1)
}

fn positions() -> io::Result<()> {
    let fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0o644)?;
    report("write", sys::write(fd, b"0123456789"));
    println!("at {}", at(fd));
    let mut room = [b'.'; 20];
    report("read at the end", sys::read(fd, &mut room));
    report("seek", sys::lseek(fd, 4, SEEK_SET));
    report("read 3", sys::read(fd, &mut room[..3]));
    println!("{:?} at {}", String::from_utf8_lossy(&room), at(fd));
    report("read more than there is", sys::read(fd, &mut room));
    report("read nothing", sys::read(fd, &mut []));
    for place in [0, 5, 9, 10, 11, 100, -1, i64::MAX, i64::MAX - 3] {
        room.fill(b'.');
        report(
            format_args!("pread at {place}"),
            sys::pread(fd, &mut room, place),
        );
        println!("    {:?}", String::from_utf8_lossy(&room));
    }
    for place in [2, 10, 15, -1, i64::MAX, i64::MAX - 2] {
        report(
            format_args!("pwrite at {place}"),
            sys::pwrite(fd, b"xyz", place),
        );
        report("    content", content_of(fd).map(|text| text.len()));
        sys::ftruncate(fd, 18)?;
    }
    report("content", content_of(fd));
    println!("the offset is still {}", at(fd));
    report("before the start", sys::lseek(fd, -1, SEEK_SET));
    report("back too far", sys::lseek(fd, -11, SEEK_CUR));
    report("from the end", sys::lseek(fd, -18, SEEK_END));
    report("from the end too far", sys::lseek(fd, -19, SEEK_END));
    report("far behind the end", sys::lseek(fd, 1 << 50, SEEK_END));
    report("read there", sys::read(fd, &mut room));
    report("and too far", sys::lseek(fd, i64::MAX, SEEK_CUR));
    close(fd)?;
    Ok(())
}

/// Duplicates share an offset, another open(2) has its own.
fn shared_offsets() -> io::Result<()> {
    make("shared", b"abcdefghij")?;
    let first = open("shared", O_RDWR, 0)?;
    let copy = sys::dup(first)?;
    let other = open("shared", O_RDWR, 0)?;
    let mut room = [0; 3];
    sys::read(first, &mut room)?;
    println!("after a read: {} {} {}", at(first), at(copy), at(other));
    sys::lseek(copy, 7, SEEK_SET)?;
    println!(
        "after a seek of the copy: {} {} {}",
        at(first),
        at(copy),
        at(other)
    );
    sys::write(other, b"XYZ")?;
    println!(
        "after a write of the other: {} {} {}",
        at(first),
        at(copy),
        at(other)
    );
    sys::fcntl(copy, libc::F_SETFL, O_APPEND.into())?;
    let flags = |fd| sys::fcntl(fd, libc::F_GETFL, 0).map(|flags| flags & i64::from(O_APPEND));
    println!(
        "appending: {:?} {:?} {:?}",
        flags(first)?,
        flags(copy)?,
        flags(other)?
    );
    close(first)?;
    report("write by the copy", sys::write(copy, b"!"));
    report("content", content("shared"));
    println!("at {}", at(copy));
    close(copy)?;
    close(other)?;
    Ok(())
}

/// `O_APPEND` goes to the end whatever the offset is, pwrite(2) included (pwrite(2), Bugs).
fn appending() -> io::Result<()> {
    let fd = open("log", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0o644)?;
    let other = open("log", O_WRONLY, 0)?;
    report("write", sys::write(fd, b"one "));
    report("seek", sys::lseek(fd, 0, SEEK_SET));
    report("write", sys::write(fd, b"two "));
    println!("at {}", at(fd));
    report("pwrite at 0", sys::pwrite(fd, b"three ", 0));
    println!("at {}", at(fd));
    report("the other at 0", sys::write(other, b"ONE"));
    report("write", sys::write(fd, b"four"));
    report("content", content("log"));
    report("no longer appending", sys::fcntl(fd, libc::F_SETFL, 0));
    report("pwrite at 0", sys::pwrite(fd, b"[", 0));
    report("content", content("log"));
    close(fd)?;
    close(other)?;
    Ok(())
}

/// An `iovec`.
type Piece = [u64; 2];

fn piece(bytes: &[u8]) -> Piece {
    [bytes.as_ptr() as u64, bytes.len() as u64]
}

fn vector(number: i64, fd: i64, pieces: &[Piece], rest: &[u64]) -> Outcome {
    let args = [
        &[fd as u64, pieces.as_ptr() as u64, pieces.len() as u64],
        rest,
    ]
    .concat();
    call(number, &args)
}

fn vectors() -> io::Result<()> {
    let fd = open("pieces", O_RDWR | O_CREAT | O_TRUNC, 0o644)?;
    let parts = [
        piece(b"first "),
        piece(b""),
        piece(b"second "),
        piece(b"third"),
    ];
    report("writev", vector(libc::SYS_writev, fd, &parts, &[]));
    report("content", content_of(fd));
    report("pwritev", vector(libc::SYS_pwritev, fd, &parts[2..], &[6]));
    report("content", content_of(fd));
    let rooms = [[b'.'; 4], [b'.'; 4], [b'.'; 4]];
    let pieces = [piece(&rooms[0]), piece(&rooms[1][..1]), piece(&rooms[2])];
    report("preadv", vector(libc::SYS_preadv, fd, &pieces, &[3]));
    println!(
        "    {:?}",
        rooms.map(|room| room.escape_ascii().to_string())
    );
    sys::lseek(fd, 14, SEEK_SET)?;
    report(
        "readv at the end",
        vector(libc::SYS_readv, fd, &pieces, &[]),
    );
    println!("at {}", at(fd));
    report("no pieces", vector(libc::SYS_writev, fd, &[], &[]));
    let many = vec![piece(b"x"); 1024];
    report("1024 pieces", vector(libc::SYS_writev, fd, &many, &[]));
    let more = vec![piece(b"x"); 1025];
    report("1025 pieces", vector(libc::SYS_writev, fd, &more, &[]));
    let count = |count: u64| call(libc::SYS_writev, &[fd as u64, parts.as_ptr() as u64, count]);
    report("-1 pieces", count(u64::MAX));
    let long = [piece(b"x"), [parts[0][0], i64::MAX as u64]];
    report("too much in all", vector(libc::SYS_writev, fd, &long, &[]));
    let negative = [piece(b"x"), [parts[0][0], u64::MAX]];
    report(
        "a negative piece",
        vector(libc::SYS_writev, fd, &negative, &[]),
    );
    for place in [-1_i64, i64::MIN, i64::MAX] {
        report(
            format_args!("pwritev at {place}"),
            vector(libc::SYS_pwritev, fd, &parts, &[place as u64, 0]),
        );
        report(
            format_args!("preadv at {place}"),
            vector(libc::SYS_preadv, fd, &pieces, &[place as u64, 0]),
        );
    }
    let [reader, writer] = sys::pipe2(0)?;
    report(
        "preadv of a pipe",
        vector(libc::SYS_preadv, reader, &pieces, &[0, 0]),
    );
    report(
        "pwritev to a pipe",
        vector(libc::SYS_pwritev, writer, &parts, &[0, 0]),
    );
    report("pread of a pipe", sys::pread(reader, &mut [0; 2], 0));
    report("pwrite to a pipe", sys::pwrite(writer, b"xy", 0));
    for fd in [fd, reader, writer] {
        close(fd)?;
    }
    Ok(())
}

/// preadv2(2) and pwritev2(2): -1 is the file's own offset, and flags are for one call.
fn flags() -> io::Result<()> {
    let fd = open("flags", O_RDWR | O_CREAT | O_TRUNC, 0o644)?;
    let write = |text: &[u8], place: i64, flags: i32| {
        vector(
            libc::SYS_pwritev2,
            fd,
            &[piece(text)],
            &[place as u64, 0, flags as u64],
        )
    };
    let room = [b'.'; 6];
    let read = |place: i64, flags: i32| {
        vector(
            libc::SYS_preadv2,
            fd,
            &[piece(&room)],
            &[place as u64, 0, flags as u64],
        )
    };
    report("write at its offset", write(b"abcdef", -1, 0));
    println!("at {}", at(fd));
    report("write at 2", write(b"XY", 2, 0));
    println!("at {}", at(fd));
    report("append at 0", write(b"ghi", 0, RWF_APPEND));
    println!("at {}", at(fd));
    sys::lseek(fd, 1, SEEK_SET)?;
    report("append at its offset", write(b"jkl", -1, RWF_APPEND));
    println!("at {}", at(fd));
    report("content", content_of(fd));
    report("synchronously", write(b"m", 12, RWF_SYNC | RWF_DSYNC));
    report("with high priority", write(b"n", 13, RWF_HIPRI));
    report("read with high priority", read(0, RWF_HIPRI));
    report("read at 8", read(8, 0));
    println!("    {:?} at {}", String::from_utf8_lossy(&room), at(fd));
    report("read at its offset", read(-1, 0));
    println!("at {}", at(fd));
    report("read appending", read(0, RWF_APPEND));
    report("read at -2", read(-2, 0));
    report("write at -2", write(b"x", -2, 0));
    for bit in [15, 20, 30] {
        report(format_args!("unknown flag {bit}"), write(b"x", 0, 1 << bit));
        report(format_args!("unknown flag {bit}, read"), read(0, 1 << bit));
    }
    report("content", content_of(fd));
    close(fd)?;
    Ok(())
}

fn access_modes() -> io::Result<()> {
    make("file", b"content")?;
    sys::mkdir("dir", 0o755)?;
    for (name, path, flags) in [
        ("read-only", "file", O_RDONLY),
        ("write-only", "file", O_WRONLY),
        ("neither", "file", O_WRONLY | O_RDWR),
        ("directory", "dir", O_RDONLY),
    ] {
        let fd = open(path, flags, 0)?;
        let mut room = [0; 4];
        let pieces = [piece(&room)];
        report(
            format_args!("{name} readv"),
            vector(libc::SYS_readv, fd, &pieces, &[]),
        );
        report(
            format_args!("{name} writev"),
            vector(libc::SYS_writev, fd, &[piece(b"x")], &[]),
        );
        report(format_args!("{name} read"), sys::read(fd, &mut room));
        report(format_args!("{name} read nothing"), sys::read(fd, &mut []));
        report(format_args!("{name} write"), sys::write(fd, b"y"));
        report(format_args!("{name} write nothing"), sys::write(fd, b""));
        report(format_args!("{name} pread"), sys::pread(fd, &mut room, 0));
        report(format_args!("{name} pwrite"), sys::pwrite(fd, b"z", 0));
        report(
            format_args!("{name} ioctl"),
            call(libc::SYS_ioctl, &[fd as u64, libc::TCGETS, 0]),
        );
        close(fd)?;
    }
    Ok(())
}

/// The devices, as files: offsets, modes, and what they refuse.
fn devices() -> io::Result<()> {
    for name in ["null", "zero", "full", "urandom"] {
        let fd = open(&format!("/dev/{name}"), O_RDWR, 0)?;
        report(format_args!("{name} read"), sys::read(fd, &mut [0; 10]));
        report(format_args!("{name} write"), sys::write(fd, &[0; 10]));
        report(
            format_args!("{name} pread"),
            sys::pread(fd, &mut [0; 10], 5),
        );
        report(format_args!("{name} pwrite"), sys::pwrite(fd, &[0; 10], 5));
        report(
            format_args!("{name} seek"),
            sys::lseek(fd, 7, SEEK_SET).map(|_| "ok"),
        );
        report(format_args!("{name} fsync"), sys::fsync(fd));
        let kind =
            test_support::files::fstat(fd).map(|stat| test_support::files::kind(stat.st_mode));
        report(format_args!("{name} is"), kind);
        let number = test_support::files::fstat(fd)?.st_rdev;
        println!("    number {}:{}", libc::major(number), libc::minor(number));
        close(fd)?;
    }
    Ok(())
}
