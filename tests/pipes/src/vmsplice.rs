//! vmsplice(2). What the memory holds is not changed afterwards: whether the pipe would show it is
//! not promised.

use crate::pipe::{NOWHERE, Pipe, pattern};
use std::io;
use test_support::{Outcome, call, report};

const NONBLOCK: u64 = libc::SPLICE_F_NONBLOCK as u64;

fn vmsplice(fd: u64, parts: &[(u64, u64)], flags: u64) -> Outcome {
    let parts: Vec<[u64; 2]> = parts.iter().map(|part| [part.0, part.1]).collect();
    let args = [fd, parts.as_ptr() as u64, parts.len() as u64, flags];
    call(libc::SYS_vmsplice, &args)
}

/// Memory that begins where a page does.
fn pages(bytes: &[u8]) -> &'static mut [u8] {
    let room = vec![0_u8; bytes.len() + 4096].leak();
    let start = room.as_ptr().align_offset(4096);
    let pages = &mut room[start..start + bytes.len()];
    pages.copy_from_slice(bytes);
    pages
}

/// Both directions.
pub fn vmsplice_both() -> io::Result<()> {
    let mut pipe = Pipe::new(0)?;
    let memory = pages(&pattern(100_000));
    let at = memory.as_ptr() as u64;
    let into = |parts: &[(u64, u64)]| vmsplice(pipe.output, parts, NONBLOCK);
    report("into", into(&[(at, 5000)]));
    report("read", pipe.read(9999));
    report("across a page's end", into(&[(at + 4090, 12)]));
    report("in parts", into(&[(at, 1), (at, 0), (at + 8000, 200)]));
    report("nothing", into(&[]));
    report("empty parts", into(&[(at, 0), (at, 0)]));
    report("unread", pipe.unread());
    report("write behind", pipe.write(b"written"));
    report("read", pipe.read(9999));
    report("more than fits", into(&[(at, 100_000)]));
    report("to a full pipe", into(&[(at, 1)]));
    report("read", pipe.read(1 << 17));
    // Every piece takes a place.
    report("small pieces", into(&[(at, 1); 20]));
    report("read", pipe.read(99));

    let room = pages(&[0; 20_000]);
    let start = room.as_ptr() as u64;
    let out = |parts: &[(u64, u64)]| vmsplice(pipe.input, parts, NONBLOCK);
    report("out of an empty pipe", out(&[(start, 100)]));
    pipe.write(b"out of the pipe")?;
    report("out", out(&[(start, 6), (start + 9, 100)]));
    println!("{:?}", String::from_utf8_lossy(&room[..18]));

    let odd = |parts: &[(u64, u64)]| report("a bad part", vmsplice(pipe.output, parts, NONBLOCK));
    odd(&[(NOWHERE, 1)]);
    odd(&[(0, 1)]);
    odd(&[(at, 10), (0, 10)]);
    odd(&[(at, u64::MAX)]);
    report("unread", pipe.unread());
    pipe.write(b"stays")?;
    let out = |parts: &[(u64, u64)]| vmsplice(pipe.input, parts, NONBLOCK);
    report("out to a bad part", out(&[(0, 3)]));
    report("out to a good and a bad one", out(&[(start, 10), (0, 3)]));
    report("read", pipe.read(99));

    let file = std::fs::File::open("lines.txt")?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file) as u64;
    report("a file", vmsplice(fd, &[(at, 1)], 0));
    report("a file, and nothing", vmsplice(fd, &[], 0));
    report("no such descriptor", vmsplice(987, &[(at, 1)], 0));
    report("unknown flags", vmsplice(987, &[(at, 1)], 16));
    report(
        "too many parts",
        call(libc::SYS_vmsplice, &[pipe.output, at, 1025, 0]),
    );
    report(
        "no array",
        call(libc::SYS_vmsplice, &[pipe.output, NOWHERE, 1, 0]),
    );
    pipe.close_input();
    report("a broken pipe", vmsplice(pipe.output, &[(at, 1)], 0));
    Ok(())
}
