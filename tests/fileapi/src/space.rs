//! truncate(2), ftruncate(2), and what remains behind a file's end.

use libc::{O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};
use std::io;
use test_support::files::{Scratch, content, fstat, make, stat};
use test_support::sys::{self, close, open};
use test_support::{checksum, report};

const PAGE: usize = 4096;

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    make("file", b"0123456789")?;
    for size in [10, 4, 0, 7, 5000, 4097, 4096, 4095, 1, 100_000, 3] {
        report(format_args!("truncate {size}"), sys::truncate("file", size));
        let about = stat("file").map(|stat| (stat.st_size, stat.st_blocks));
        report("    is", about.map(|about| format!("{about:?}")));
        let text = content("file").map(|text| checksum(text.as_bytes()));
        report("    sum", text.map(|sum| format!("{sum:x}")));
    }
    stale_bytes()?;
    grown_by_writing()?;
    refused()
}

/// What was cut off does not come back.
fn stale_bytes() -> io::Result<()> {
    let fd = open("stale", O_RDWR | O_CREAT | O_TRUNC, 0o644)?;
    for cut in [1, 100, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE] {
        sys::ftruncate(fd, 0)?;
        sys::pwrite(fd, &[0xff; 3 * PAGE], 0)?;
        sys::ftruncate(fd, cut as i64)?;
        sys::ftruncate(fd, 3 * PAGE as i64)?;
        let mut all = vec![0xaa; 4 * PAGE];
        let length = sys::pread(fd, &mut all, 0)? as usize;
        let ones = all[..length].iter().filter(|&&byte| byte == 0xff).count();
        let zeros = all[..length].iter().filter(|&&byte| byte == 0).count();
        println!("cut to {cut} and grown: length {length}, ones {ones}, zeros {zeros}");
        // The same when a write makes it grow.
        sys::ftruncate(fd, cut as i64)?;
        sys::pwrite(fd, b"x", cut as i64 + 50)?;
        let length = sys::pread(fd, &mut all, 0)? as usize;
        let zeros = all[..length].iter().filter(|&&byte| byte == 0).count();
        println!("    by a write: length {length}, zeros {zeros}");
    }
    close(fd)?;
    Ok(())
}

fn grown_by_writing() -> io::Result<()> {
    let fd = open("grown", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0o644)?;
    let mut sizes = Vec::new();
    for length in [1, 4094, 1, 1, 8192, 5] {
        sys::write(fd, &vec![length as u8; length])?;
        let stat = fstat(fd)?;
        sizes.push((stat.st_size, stat.st_blocks));
    }
    println!("sizes and blocks {sizes:?}");
    report(
        "open to truncate",
        open("grown", O_WRONLY | O_TRUNC, 0).and_then(close),
    );
    report("size seen by the first", fstat(fd).map(|stat| stat.st_size));
    report("append", sys::write(fd, b"again"));
    report("content", content("grown"));
    // A megabyte in one write, and back.
    let large: Vec<u8> = (0..1_u32 << 20).map(|i| (i % 251) as u8).collect();
    report("a megabyte", sys::write(fd, &large));
    let mut back = vec![0; large.len() + 10];
    report("read", sys::pread(fd, &mut back, 5));
    println!("the same {}", back[..large.len()] == large[..]);
    report("blocks", fstat(fd).map(|stat| stat.st_blocks));
    close(fd)?;
    Ok(())
}

fn refused() -> io::Result<()> {
    make("file", b"content")?;
    sys::mkdir("dir", 0o755)?;
    sys::symlink("file", "link")?;
    for path in [
        "",
        "missing",
        "dir",
        "dir/",
        "file/",
        "file/x",
        "link",
        "/dev/null",
    ] {
        report(format_args!("truncate {path:?}"), sys::truncate(path, 5));
    }
    report("through the link", content("file"));
    for size in [-1, i64::MIN] {
        report(
            format_args!("truncate to {size}"),
            sys::truncate("file", size),
        );
        report(
            format_args!("truncate dir to {size}"),
            sys::truncate("dir", size),
        );
    }
    let [reader, writer] = sys::pipe2(0)?;
    let named = [
        ("read-only", open("file", O_RDONLY, 0)?),
        ("write-only", open("file", O_WRONLY, 0)?),
        ("appending", open("file", O_WRONLY | O_APPEND, 0)?),
        ("directory", open("dir", O_RDONLY, 0)?),
        ("device", open("/dev/null", O_RDWR, 0)?),
        ("zeros", open("/dev/zero", O_RDWR, 0)?),
        ("pipe", writer),
        ("other end", reader),
        ("closed", 987),
    ];
    for (name, fd) in named {
        report(format_args!("ftruncate {name}"), sys::ftruncate(fd, 3));
        report(
            format_args!("ftruncate {name} to -1"),
            sys::ftruncate(fd, -1),
        );
        report(format_args!("fsync {name}"), sys::fsync(fd));
        let _ = close(fd);
    }
    report("content", content("file"));
    Ok(())
}
