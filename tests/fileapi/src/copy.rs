//! copy_file_range(2) and sendfile(2).

use libc::{O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, SEEK_CUR, SEEK_SET};
use std::io;
use test_support::files::{Scratch, content, content_of, fstat, make};
use test_support::sys::{self, close, copy_file_range, open, sendfile};
use test_support::{checksum, report};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    make("from", b"the quick brown fox")?;
    make("to", b"")?;
    ranges()?;
    large()?;
    refused()?;
    sends()?;
    sends_refused()
}

fn address(offset: &mut i64) -> u64 {
    std::ptr::from_mut(offset) as u64
}

fn at(fd: i64) -> i64 {
    sys::lseek(fd, 0, SEEK_CUR).unwrap_or(-1)
}

fn ranges() -> io::Result<()> {
    let from = open("from", O_RDONLY, 0)?;
    let to = open("to", O_RDWR, 0)?;
    report("five", copy_file_range(from, 0, to, 0, 5, 0));
    println!("at {} and {}", at(from), at(to));
    report("content", content("to"));
    let (mut source, mut target) = (10, 2);
    report(
        "at places",
        copy_file_range(from, address(&mut source), to, address(&mut target), 5, 0),
    );
    println!("places {source} {target}, at {} and {}", at(from), at(to));
    report("content", content("to"));
    let mut source = 16;
    report(
        "short at the end",
        copy_file_range(from, address(&mut source), to, 0, 100, 0),
    );
    println!("place {source}, at {} and {}", at(from), at(to));
    report(
        "nothing left",
        copy_file_range(from, address(&mut source), to, 0, 100, 0),
    );
    report("nothing wanted", copy_file_range(from, 0, to, 0, 0, 0));
    let mut target = 30;
    report(
        "behind the end",
        copy_file_range(from, 0, to, address(&mut target), 4, 0),
    );
    report("content", content("to"));
    for place in [-1, i64::MIN, i64::MAX, i64::MAX - 2] {
        let mut wrong = place;
        report(
            format_args!("from {place}"),
            copy_file_range(from, address(&mut wrong), to, 0, 4, 0),
        );
        let mut wrong = place;
        report(
            format_args!("to {place}"),
            copy_file_range(from, 0, to, address(&mut wrong), 4, 0),
        );
    }
    report("content", content("to").map(|text| text.len()));
    close(from)?;
    close(to)?;
    Ok(())
}

fn large() -> io::Result<()> {
    let data: Vec<u8> = (0..1_u32 << 20).map(|i| (i % 253) as u8).collect();
    make("large", &data)?;
    sys::truncate("large", 3 << 20)?;
    let from = open("large", O_RDONLY, 0)?;
    let to = open("copied", O_RDWR | O_CREAT | O_TRUNC, 0o644)?;
    let mut total = 0;
    loop {
        match copy_file_range(from, 0, to, 0, 10 << 20, 0)? {
            0 => break,
            count => total += count,
        }
    }
    println!("copied {total} with a hole");
    let mut back = vec![0; 3 << 20];
    sys::pread(to, &mut back, 0)?;
    println!(
        "the same {}",
        back[..data.len()] == data[..] && back[data.len()..].iter().all(|&b| b == 0)
    );
    report("size", fstat(to).map(|stat| stat.st_size));
    // Within one file, apart from each other.
    let mut source = 0;
    let mut target = 5_000_001;
    let inside = copy_file_range(
        to,
        address(&mut source),
        to,
        address(&mut target),
        100_000,
        0,
    );
    report("inside one file", inside);
    let mut back = vec![0; 100_000];
    sys::pread(to, &mut back, 5_000_001)?;
    println!("sum {:x} {:x}", checksum(&back), checksum(&data[..100_000]));
    close(from)?;
    close(to)?;
    Ok(())
}

fn refused() -> io::Result<()> {
    sys::mkdir("dir", 0o755)?;
    let [reader, writer] = sys::pipe2(0)?;
    sys::write(writer, b"in the pipe")?;
    let read = open("from", O_RDONLY, 0)?;
    let both = open("from", O_RDWR, 0)?;
    let write = open("to", O_WRONLY, 0)?;
    let append = open("to", O_WRONLY | O_APPEND, 0)?;
    let dir = open("dir", O_RDONLY, 0)?;
    let null = open("/dev/null", O_RDWR, 0)?;
    let zero = open("/dev/zero", O_RDWR, 0)?;
    let place = open("from", libc::O_PATH, 0)?;
    for (name, from, to) in [
        ("to read-only", read, read),
        ("from write-only", write, write),
        ("to appending", read, append),
        ("from a directory", dir, write),
        ("to a directory", read, dir),
        ("from a pipe", reader, write),
        ("to a pipe", read, writer),
        ("to a device", read, null),
        ("from a device", zero, write),
        ("from a place", place, write),
        ("to a place", read, place),
        ("from closed", 987, write),
        ("to closed", read, 987),
    ] {
        report(name, copy_file_range(from, 0, to, 0, 4, 0));
    }
    for flags in [1, 2, 1 << 31] {
        report(
            format_args!("flags {flags}"),
            copy_file_range(read, 0, write, 0, 4, flags),
        );
    }
    for (source, target, count) in [
        (0, 0, 5),
        (0, 4, 5),
        (0, 5, 5),
        (5, 0, 5),
        (4, 0, 5),
        (0, 100, 5),
    ] {
        let (mut from, mut to) = (source, target);
        let outcome = copy_file_range(both, address(&mut from), both, address(&mut to), count, 0);
        report(
            format_args!("one file, {count} from {source} to {target}"),
            outcome,
        );
    }
    report("content", content("from"));
    for fd in [
        reader, writer, read, both, write, append, dir, null, zero, place,
    ] {
        close(fd)?;
    }
    Ok(())
}

fn sends() -> io::Result<()> {
    make("from", b"the quick brown fox")?;
    let from = open("from", O_RDONLY, 0)?;
    let to = open("sent", O_RDWR | O_CREAT | O_TRUNC, 0o644)?;
    report("send to a file", sendfile(to, from, 0, 9));
    println!("at {} and {}", at(from), at(to));
    let mut place = 4;
    report("from a place", sendfile(to, from, address(&mut place), 5));
    println!("place {place}, at {} and {}", at(from), at(to));
    report("content", content_of(to));
    let mut place = 15;
    report(
        "short at the end",
        sendfile(to, from, address(&mut place), 100),
    );
    report("nothing left", sendfile(to, from, address(&mut place), 100));
    println!("place {place}");
    let [reader, writer] = sys::pipe2(0)?;
    sys::lseek(from, 0, SEEK_SET)?;
    report("send to a pipe", sendfile(writer, from, 0, 100));
    let mut room = [b'.'; 30];
    report("read the pipe", sys::read(reader, &mut room));
    println!("    {:?}", String::from_utf8_lossy(&room));
    let null = open("/dev/null", O_WRONLY, 0)?;
    sys::lseek(from, 0, SEEK_SET)?;
    report("send to a device", sendfile(null, from, 0, 100));
    println!("at {}", at(from));
    let large = open("large", O_RDONLY, 0)?;
    sys::ftruncate(to, 0)?;
    sys::lseek(to, 0, SEEK_SET)?;
    let mut total = 0;
    while total < 3 << 20 {
        total += sendfile(to, large, 0, 3 << 20)?;
    }
    println!("sent {total}");
    let mut sums = Vec::new();
    for fd in [large, to] {
        let mut all = vec![0; 3 << 20];
        sys::pread(fd, &mut all, 0)?;
        sums.push(checksum(&all));
    }
    println!("the same {}", sums[0] == sums[1]);
    for fd in [from, to, reader, writer, null, large] {
        close(fd)?;
    }
    Ok(())
}

fn sends_refused() -> io::Result<()> {
    let [reader, writer] = sys::pipe2(libc::O_NONBLOCK)?;
    sys::write(writer, b"in the pipe")?;
    let read = open("from", O_RDONLY, 0)?;
    let write = open("sent", O_WRONLY, 0)?;
    let append = open("sent", O_WRONLY | O_APPEND, 0)?;
    let dir = open("dir", O_RDONLY, 0)?;
    for (name, to, from) in [
        ("to read-only", read, read),
        ("from write-only", write, write),
        ("to appending", append, read),
        ("from a directory", write, dir),
        ("to a directory", dir, read),
        ("from a pipe", write, reader),
        ("to closed", 987, read),
        ("from closed", write, 987),
    ] {
        report(format_args!("send {name}"), sendfile(to, from, 0, 4));
    }
    for place in [-1, i64::MAX] {
        let mut wrong = place;
        report(
            format_args!("send from {place}"),
            sendfile(write, read, address(&mut wrong), 4),
        );
    }
    let mut place = 0;
    report(
        "send a pipe from a place",
        sendfile(write, reader, address(&mut place), 4),
    );
    for fd in [reader, writer, read, write, append, dir] {
        close(fd)?;
    }
    Ok(())
}
