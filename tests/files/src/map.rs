//! Files mapped into memory.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use test_support::{call, checksum, report_ok};

const PAGE: usize = 4096;

struct Mapping {
    start: *mut u8,
    length: usize,
}

impl Mapping {
    fn new(
        file: &File,
        length: usize,
        protection: i32,
        flags: i32,
        offset: i64,
    ) -> io::Result<Self> {
        // SAFETY: a new mapping, where the system likes it.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                protection,
                flags,
                file.as_raw_fd(),
                offset,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            start: start.cast(),
            length,
        })
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is ours for as long as it is borrowed, and nobody changes the file.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and no longer borrowed.
        unsafe { libc::munmap(self.start.cast(), self.length) };
    }
}

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let file = File::open("lines.txt")?;
    let contents = fs::read("lines.txt")?;
    let size = contents.len();
    let rounded = size.next_multiple_of(PAGE);
    let both = libc::PROT_READ | libc::PROT_WRITE;

    let mut whole = Mapping::new(&file, size, libc::PROT_READ, libc::MAP_PRIVATE, 0)?;
    println!("the file {}", *whole.bytes() == contents[..]);
    let mut shared = Mapping::new(&file, size, libc::PROT_READ, libc::MAP_SHARED, 0)?;
    println!("shared, the file {}", *shared.bytes() == contents[..]);
    let mut padded = Mapping::new(&file, rounded, libc::PROT_READ, libc::MAP_PRIVATE, 0)?;
    println!(
        "zero behind its end {}",
        padded.bytes()[size..].iter().all(|&byte| byte == 0)
    );
    let mut part = Mapping::new(&file, PAGE, libc::PROT_READ, libc::MAP_PRIVATE, PAGE as i64)?;
    println!(
        "its second page {}",
        *part.bytes() == contents[PAGE..2 * PAGE]
    );

    let mut copy = Mapping::new(&file, size, both, libc::MAP_PRIVATE, 0)?;
    copy.bytes().fill(b'!');
    println!("a private copy {:016x}", checksum(copy.bytes()));
    println!("the file as before {}", fs::read("lines.txt")? == contents);
    println!(
        "the first mapping as before {}",
        *whole.bytes() == contents[..]
    );
    drop(file);
    println!(
        "the mapping outlives the file {}",
        *whole.bytes() == contents[..]
    );

    let directory = File::open("sub")?;
    report_ok(
        "a directory",
        Mapping::new(&directory, PAGE, libc::PROT_READ, libc::MAP_PRIVATE, 0),
    );
    let file = File::open("lines.txt")?;
    let map =
        |length, protection, flags, offset| Mapping::new(&file, length, protection, flags, offset);
    report_ok(
        "an odd offset",
        map(PAGE, libc::PROT_READ, libc::MAP_PRIVATE, 100),
    );
    report_ok("shared and writable", map(PAGE, both, libc::MAP_SHARED, 0));
    let missing = [
        0,
        4096,
        libc::PROT_READ as u64,
        libc::MAP_PRIVATE as u64,
        987,
        0,
    ];
    report_ok("a closed descriptor", call(libc::SYS_mmap, &missing));
    Ok(())
}
