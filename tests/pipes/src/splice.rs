//! splice(2), sendfile(2) and tee(2): between pipes and files.

use crate::pipe::{NOWHERE, Pipe, pattern, told};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek};
use std::os::fd::AsRawFd;
use test_support::{Outcome, call, report};

const NONBLOCK: u64 = libc::SPLICE_F_NONBLOCK as u64;

fn fd(file: &File) -> u64 {
    file.as_raw_fd() as u64
}

/// splice(2) at the positions.
fn plain(from: u64, to: u64, len: u64) -> Outcome {
    call(libc::SYS_splice, &[from, 0, to, 0, len, NONBLOCK])
}

/// splice(2) from an offset.
fn from_offset(from: u64, offset: &mut i64, to: u64, len: u64) -> Outcome {
    call(
        libc::SYS_splice,
        &[from, pointer(offset), to, 0, len, NONBLOCK],
    )
}

/// splice(2) to an offset.
fn to_offset(from: u64, to: u64, offset: &mut i64, len: u64) -> Outcome {
    call(
        libc::SYS_splice,
        &[from, 0, to, pointer(offset), len, NONBLOCK],
    )
}

fn pointer(offset: &mut i64) -> u64 {
    std::ptr::from_mut(offset) as u64
}

fn created(name: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(name)
}

/// Everything about splice(2).
pub fn splice() -> io::Result<()> {
    from_file()?;
    to_file()?;
    through()?;
    changed()?;
    holes()?;
    pipe_to_pipe()?;
    devices()?;
    refused()
}

fn from_file() -> io::Result<()> {
    let pipe = Pipe::new(0)?;
    let mut file = File::open("lines.txt")?;
    report("from the start", plain(fd(&file), pipe.output, 20));
    report("read", pipe.read(99));
    report("position", file.stream_position());
    report("more than there is", plain(fd(&file), pipe.output, 1 << 30));
    report("position", file.stream_position());
    report("unread", pipe.unread());
    report("read", pipe.read(1 << 16));
    report("at the end", plain(fd(&file), pipe.output, 10));
    let mut offset = 10_i64;
    let outcome = from_offset(fd(&file), &mut offset, pipe.output, 5000);
    report("at an offset", outcome);
    println!("offset {offset}, position {}", file.stream_position()?);
    report("write behind it", pipe.write(b"appended"));
    report("read", pipe.read(1 << 16));
    offset = 1 << 40;
    let outcome = from_offset(fd(&file), &mut offset, pipe.output, 5000);
    report("far behind the end", outcome);
    println!("offset {offset}");
    // Each page is a buffer of its own, and a part of one is, too.
    for at in [0, 4095, 100] {
        file.seek(io::SeekFrom::Start(at))?;
        report(
            format!("two bytes at {at}"),
            plain(fd(&file), pipe.output, 2),
        );
    }
    report("read", pipe.read(99));
    file.rewind()?;
    let mut count = 0;
    while plain(fd(&file), pipe.output, 1).is_ok() {
        count += 1;
    }
    println!("a full pipe has {count} pieces");
    report("unread", pipe.unread());
    report("to a full pipe", plain(fd(&file), pipe.output, 1));
    report("position", file.stream_position());
    report("read", pipe.read(99));
    Ok(())
}

fn to_file() -> io::Result<()> {
    let pipe = Pipe::new(0)?;
    let mut file = created("out")?;
    report("from an empty pipe", plain(pipe.input, fd(&file), 10));
    report("write", pipe.write(&pattern(50_000)));
    report("to a new file", plain(pipe.input, fd(&file), 8192));
    report("at an odd place", plain(pipe.input, fd(&file), 1000));
    report("more than there is", plain(pipe.input, fd(&file), 1 << 30));
    report("position", file.stream_position());
    println!("{}", told(&fs::read("out")?));
    println!("as it was written: {}", fs::read("out")? == pattern(50_000));
    report("write", pipe.write(&pattern(9000)));
    let mut offset = 4096_i64;
    let outcome = to_offset(pipe.input, fd(&file), &mut offset, 9000);
    report("over a part", outcome);
    println!("offset {offset}, position {}", file.stream_position()?);
    println!("{}", told(&fs::read("out")?));
    report("write", pipe.write(b"behind"));
    offset = 60_000;
    let outcome = to_offset(pipe.input, fd(&file), &mut offset, 9000);
    report("behind the end", outcome);
    println!("{}", told(&fs::read("out")?));
    let append = OpenOptions::new().append(true).open("out")?;
    report("write", pipe.write(b"behind"));
    report(
        "to a file in append mode",
        plain(pipe.input, fd(&append), 6),
    );
    let reader = File::open("out")?;
    report(
        "to a file open for reading",
        plain(pipe.input, fd(&reader), 6),
    );
    report("unread", pipe.unread());
    Ok(())
}

/// From file to file, in steps of a size that divides nothing.
fn through() -> io::Result<()> {
    let pipe = Pipe::new(0)?;
    let (from, to) = (File::open("lines.txt")?, created("copy")?);
    let (mut steps, mut sum) = (0, 0);
    loop {
        let count = plain(fd(&from), pipe.output, 3000)?;
        if count == 0 {
            break;
        }
        sum += plain(pipe.input, fd(&to), count as u64)?;
        steps += 1;
    }
    println!("{sum} bytes in {steps} steps");
    println!("a copy: {}", fs::read("copy")? == fs::read("lines.txt")?);
    // In whole pages, which could change hands.
    let (from, to) = (File::open("lines.txt")?, created("copy")?);
    report("in", plain(fd(&from), pipe.output, 1 << 20));
    report("out", plain(pipe.input, fd(&to), 1 << 20));
    println!("a copy: {}", fs::read("copy")? == fs::read("lines.txt")?);
    Ok(())
}

/// A file keeps what it took, whatever happens to the others that had the page.
fn changed() -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let pipe = Pipe::new(0)?;
    let (first, second) = (created("first")?, created("second")?);
    report("write", pipe.write(&pattern(8192)));
    report("to the first", plain(pipe.input, fd(&first), 8192));
    let mut offset = 0_i64;
    let outcome = from_offset(fd(&first), &mut offset, pipe.output, 8192);
    report("and into the pipe", outcome);
    report("to the second", plain(pipe.input, fd(&second), 8192));
    first.write_all_at(b"changed", 100)?;
    second.write_all_at(b"otherwise", 4096)?;
    report("write", pipe.write(&[9; 8192]));
    println!("first {}", told(&fs::read("first")?));
    println!("second {}", told(&fs::read("second")?));
    first.set_len(10)?;
    drop(first);
    fs::remove_file("first")?;
    println!("second {}", told(&fs::read("second")?));
    report("read", pipe.read(1 << 16));
    Ok(())
}

/// What was never written reads as zeros.
fn holes() -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let pipe = Pipe::new(0)?;
    let sparse = created("sparse")?;
    sparse.set_len(20_000)?;
    sparse.write_all_at(b"island", 9000)?;
    report("all of it", plain(fd(&sparse), pipe.output, 1 << 20));
    report("read", pipe.read(1 << 16));
    report("write", pipe.write(b"x"));
    let mut offset = 30_000_i64;
    let outcome = to_offset(pipe.input, fd(&sparse), &mut offset, 1);
    report("leaves a hole", outcome);
    println!("{}", told(&fs::read("sparse")?));
    Ok(())
}

fn pipe_to_pipe() -> io::Result<()> {
    let mut near = Pipe::new(0)?;
    let far = Pipe::new(0)?;
    report("from an empty pipe", plain(near.input, far.output, 10));
    near.write(b"moved along")?;
    report("a part", plain(near.input, far.output, 5));
    report("write to the one", near.write(b"!"));
    report("write to the other", far.write(b"?"));
    report("the rest", plain(near.input, far.output, 100));
    report("read", far.read(100));
    near.write(&pattern(60_000))?;
    far.write(&[1; 30_000])?;
    report("what fits", plain(near.input, far.output, 60_000));
    report("left", near.unread());
    report("nothing fits", plain(near.input, far.output, 60_000));
    report("read", far.read(1 << 17));
    report("the rest", plain(near.input, far.output, 60_000));
    report("read", far.read(1 << 17));
    near.close_output();
    report("at the end", plain(near.input, far.output, 10));
    let near = Pipe::new(0)?;
    let mut far = Pipe::new(0)?;
    near.write(b"nowhere to go")?;
    far.close_input();
    report("to a broken pipe", plain(near.input, far.output, 10));
    report("read", near.read(99));
    let file = File::open("lines.txt")?;
    report(
        "from a file to a broken pipe",
        plain(fd(&file), far.output, 10),
    );
    Ok(())
}

/// To a pipe, sendfile(2) is splice(2) without an offset for the pipe.
pub fn sendfile() -> io::Result<()> {
    let pipe = Pipe::new(0)?;
    let mut file = File::open("lines.txt")?;
    let send = |at: u64, len: u64| call(libc::SYS_sendfile, &[pipe.output, fd(&file), at, len]);
    report("sendfile", send(0, 100));
    let mut offset = 5000_i64;
    report("at an offset", send(pointer(&mut offset), 5000));
    println!("offset {offset}");
    report("read", pipe.read(1 << 16));
    report("position", file.stream_position());
    Ok(())
}

fn devices() -> io::Result<()> {
    let pipe = Pipe::new(0)?;
    let zero = File::open("/dev/zero")?;
    report("from /dev/zero", plain(fd(&zero), pipe.output, 5000));
    report("read", pipe.read(1 << 16));
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    report("from /dev/null", plain(fd(&null), pipe.output, 10));
    report("write", pipe.write(&pattern(5000)));
    report("to /dev/null", plain(pipe.input, fd(&null), 4500));
    report("unread", pipe.unread());
    Ok(())
}

/// What splice(2) refuses, and in which order.
fn refused() -> io::Result<()> {
    let pipe = Pipe::new(0)?;
    let file = OpenOptions::new().read(true).write(true).open("out")?;
    let (from, to, other) = (pipe.input, pipe.output, fd(&file));
    let mut offset = 0_i64;
    let good = pointer(&mut offset);
    let directory = File::open(".")?;
    let path = {
        let mut options = OpenOptions::new();
        use std::os::unix::fs::OpenOptionsExt;
        options.read(true).custom_flags(libc::O_PATH).open("out")?
    };
    pipe.write(b"content")?;
    let rows: [(&str, [u64; 6]); 19] = [
        ("nothing", [987, 0, 987, 0, 0, u64::MAX]),
        ("unknown flags", [987, 0, 987, 0, 1, 16]),
        ("no such input", [987, 0, to, 0, 1, NONBLOCK]),
        ("no such output", [from, 0, 987, 0, 1, NONBLOCK]),
        ("a path", [fd(&path), 0, to, 0, 1, NONBLOCK]),
        ("no pipe", [other, 0, other, 0, 1, NONBLOCK]),
        ("to itself", [from, 0, to, 0, 1, NONBLOCK]),
        ("the wrong ends", [to, 0, from, 0, 1, NONBLOCK]),
        (
            "an offset for the input pipe",
            [from, good, other, 0, 1, NONBLOCK],
        ),
        (
            "an offset for the output pipe",
            [other, 0, to, good, 1, NONBLOCK],
        ),
        ("a bad one", [from, NOWHERE, other, 0, 1, NONBLOCK]),
        (
            "a bad offset of the input",
            [other, NOWHERE, to, 0, 1, NONBLOCK],
        ),
        (
            "a bad offset of the output",
            [from, 0, other, NOWHERE, 1, NONBLOCK],
        ),
        ("from a directory", [fd(&directory), 0, to, 0, 1, NONBLOCK]),
        ("to a directory", [from, 0, fd(&directory), 0, 1, NONBLOCK]),
        ("too long", [other, 0, to, 0, u64::MAX, NONBLOCK]),
        (
            "too long for a file",
            [from, 0, other, 0, u64::MAX, NONBLOCK],
        ),
        ("longer than offsets", [other, 0, to, 0, 1 << 63, NONBLOCK]),
        (
            "too long, between pipes",
            [from, 0, to, 0, u64::MAX, NONBLOCK],
        ),
    ];
    for (what, args) in rows {
        report(what, call(libc::SYS_splice, &args));
    }
    for wrong in [-1, i64::MIN, i64::MAX] {
        offset = wrong;
        report(
            format!("from {wrong}"),
            from_offset(other, &mut offset, to, 1),
        );
        report(
            format!("to {wrong}"),
            to_offset(from, other, &mut offset, 1),
        );
        println!("offset {offset}");
    }
    report("what was there", pipe.read(99));
    Ok(())
}

/// tee(2): the same bytes twice.
pub fn tee() -> io::Result<()> {
    let mut near = Pipe::new(0)?;
    let mut far = Pipe::new(0)?;
    let tee =
        |from: u64, to: u64, len: u64, flags: u64| call(libc::SYS_tee, &[from, to, len, flags]);
    report("from an empty pipe", tee(near.input, far.output, 10, 0));
    near.write(b"twice")?;
    report("all", tee(near.input, far.output, 100, NONBLOCK));
    report("a part", tee(near.input, far.output, 2, NONBLOCK));
    report("write to the one", near.write(b" near"));
    report("write to the other", far.write(b" far"));
    report("read the one", near.read(99));
    report("write over it", near.write(b"something else"));
    report("read the other", far.read(99));
    report("read the one", near.read(99));
    near.write(&pattern(60_000))?;
    far.write(&[1; 30_000])?;
    report("what fits", tee(near.input, far.output, 60_000, 0));
    report("nothing fits", tee(near.input, far.output, 60_000, 0));
    report("left", near.unread());
    report("read the other", far.read(1 << 17));
    report("read the one", near.read(1 << 17));
    let file = File::open("lines.txt")?;
    report("nothing", tee(987, 987, 0, 0));
    report("nothing, unknown flags", tee(987, 987, 0, 16));
    report("no such input", tee(987, far.output, 1, 0));
    report("no such output", tee(near.input, 987, 1, 0));
    report("a file", tee(fd(&file), far.output, 1, 0));
    report("to itself", tee(near.input, near.output, 1, 0));
    report("the wrong ends", tee(near.output, far.input, 1, 0));
    far.close_input();
    near.write(b"x")?;
    report("to a broken pipe", tee(near.input, far.output, 1, 0));
    let far = Pipe::new(0)?;
    near.read(1)?;
    near.close_output();
    report("at the end", tee(near.input, far.output, 1, 0));
    Ok(())
}
