//! Files in memory: shared and private mappings, what the file and the mapping see of each other.

use crate::region::{PAGE, READ_WRITE, map};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;
use test_support::{call, checked, report, report_ok};

/// A file in memory of `pages` pages, each filled with its number and a bit more.
fn file(pages: usize) -> io::Result<File> {
    // SAFETY: the name ends in NUL; the descriptor is new and nobody else's.
    let mut file = unsafe {
        let fd = checked(libc::memfd_create(
            c"mapped".as_ptr(),
            libc::MFD_ALLOW_SEALING,
        ))?;
        File::from_raw_fd(fd as i32)
    };
    for page in 0..pages {
        file.write_all(&[page as u8 + b'a'; PAGE])?;
    }
    Ok(file)
}

fn map_file(
    file: &File,
    pages: usize,
    protection: i32,
    flags: i32,
    page: usize,
) -> io::Result<u64> {
    let offset = (page * PAGE) as u64;
    call(
        libc::SYS_mmap,
        &[
            0,
            (pages * PAGE) as u64,
            protection as u64,
            flags as u64,
            file.as_raw_fd() as u64,
            offset,
        ],
    )
    .map(|address| address as u64)
}

/// The byte at `address`, which is mapped and readable.
fn byte(address: u64) -> char {
    // SAFETY: the caller's promise.
    unsafe { (address as *const u8).read_volatile() as char }
}

fn put(address: u64, byte: u8) {
    // SAFETY: the caller's promise; nothing borrows it.
    unsafe { (address as *mut u8).write_volatile(byte) }
}

fn at(file: &File, offset: usize) -> io::Result<char> {
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset as u64)?;
    Ok(byte[0] as char)
}

/// Stores are the file's at once, and the file's changes are seen at once.
///
/// # Errors
/// When something that cannot fail does.
pub fn shared() -> io::Result<()> {
    let file = file(4)?;
    let start = map_file(&file, 4, READ_WRITE, libc::MAP_SHARED, 0)?;
    let second = map_file(&file, 2, libc::PROT_READ, libc::MAP_SHARED, 1)?;
    let shown = |page: usize| byte(start + (page * PAGE) as u64);
    println!("content: {}{}{}{}", shown(0), shown(1), shown(2), shown(3));
    put(start + PAGE as u64, b'X');
    println!("stored: {} {}", at(&file, PAGE)?, byte(second));
    file.write_all_at(b"Y", 2 * PAGE as u64 + 5)?;
    println!(
        "written: {} {}",
        byte(start + 2 * PAGE as u64 + 5),
        byte(second + PAGE as u64 + 5)
    );
    report_ok("msync", call(libc::SYS_msync, &[start, 4 * PAGE as u64, 4]));
    // A call on the file itself copies from and to its own mapping.
    let into = unsafe_slice(start + 3 * PAGE as u64, 100);
    report("read into it", file.read_at(into, 0));
    println!("there: {}", byte(start + 3 * PAGE as u64 + 99));
    report("write from it", file.write_at(into, 10));
    file.set_len(2 * PAGE as u64)?;
    println!("cut: {}", at(&file, PAGE)?);
    report_ok(
        "write(2) from behind the end",
        write_from(start + 3 * PAGE as u64),
    );
    file.set_len(4 * PAGE as u64)?;
    println!("grown: {:?} {:?}", shown(2), shown(3));
    report_ok("munmap", call(libc::SYS_munmap, &[start, 4 * PAGE as u64]));
    println!("left: {}", byte(second));
    report_ok("munmap", call(libc::SYS_munmap, &[second, 2 * PAGE as u64]));
    seals()
}

fn unsafe_slice(address: u64, len: usize) -> &'static mut [u8] {
    // SAFETY: the mapping lives until the end of the section; the kernel alone uses the slice.
    unsafe { std::slice::from_raw_parts_mut(address as *mut u8, len) }
}

fn write_from(address: u64) -> io::Result<i64> {
    let null = File::options().write(true).open("/dev/null")?;
    let (reader, writer) = io::pipe()?;
    drop((null, reader));
    call(libc::SYS_write, &[writer.as_raw_fd() as u64, address, 8])
}

fn seals() -> io::Result<()> {
    let file = file(1)?;
    let add = |seals: i32| {
        // SAFETY: a descriptor and a number.
        checked(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) })
    };
    let start = map_file(&file, 1, READ_WRITE, libc::MAP_SHARED, 0)?;
    report_ok("a write seal while it is mapped", add(libc::F_SEAL_WRITE));
    call(libc::SYS_munmap, &[start, PAGE as u64])?;
    report_ok("and when it is not", add(libc::F_SEAL_WRITE));
    report_ok(
        "shared and writable",
        map_file(&file, 1, READ_WRITE, libc::MAP_SHARED, 0),
    );
    report_ok(
        "private",
        map_file(&file, 1, READ_WRITE, libc::MAP_PRIVATE, 0),
    );
    Ok(())
}

/// Stores are the mapping's own; pages that were not stored to are the file's.
///
/// # Errors
/// When something that cannot fail does.
pub fn private() -> io::Result<()> {
    let file = file(3)?;
    let start = map_file(&file, 3, READ_WRITE, libc::MAP_PRIVATE, 0)?;
    put(start, b'X');
    println!("stored: {} {}", byte(start), at(&file, 0)?);
    println!("the rest of the page: {}", byte(start + 1));
    println!("before: {}", byte(start + PAGE as u64));
    file.write_all_at(b"YY", PAGE as u64 - 1)?;
    println!(
        "own: {}, the file's: {}",
        byte(start + PAGE as u64 - 1),
        byte(start + PAGE as u64)
    );
    report_ok("discard", call(libc::SYS_madvise, &[start, PAGE as u64, 4]));
    println!("again the file's: {}", byte(start));
    put(start + 2 * PAGE as u64, b'Z');
    file.set_len(0)?;
    println!(
        "kept when the file is cut: {}",
        write_from(start + 2 * PAGE as u64).is_ok()
    );
    report_ok(
        "munmap of the middle",
        call(libc::SYS_munmap, &[start + PAGE as u64, PAGE as u64]),
    );
    Ok(())
}

/// What may not be mapped, and how.
///
/// # Errors
/// When something that cannot fail does.
pub fn refused() -> io::Result<()> {
    let file = file(1)?;
    let reopened = |flags: &File| File::open(format!("/proc/self/fd/{}", flags.as_raw_fd()));
    let read_only = reopened(&file)?;
    let (none, read) = (libc::PROT_NONE, libc::PROT_READ);
    report_ok(
        "read-only, shared, to write",
        map_file(&read_only, 1, READ_WRITE, libc::MAP_SHARED, 0),
    );
    report_ok(
        "read-only, private, to write",
        map_file(&read_only, 1, READ_WRITE, libc::MAP_PRIVATE, 0),
    );
    let start = map_file(&read_only, 1, read, libc::MAP_SHARED, 0)?;
    let protect =
        |protection: i32| call(libc::SYS_mprotect, &[start, PAGE as u64, protection as u64]);
    report_ok("mprotect to write", protect(READ_WRITE));
    report_ok("mprotect to nothing", protect(none));
    report_ok("mprotect to read", protect(read));
    println!("still: {}", byte(start));
    let write_only = File::options().write(true).open("/dev/null")?;
    report_ok(
        "not readable",
        map_file(&write_only, 1, read, libc::MAP_PRIVATE, 0),
    );
    let (reader, _writer) = io::pipe()?;
    let pipe = File::from(std::os::fd::OwnedFd::from(reader));
    report_ok("a pipe", map_file(&pipe, 1, read, libc::MAP_PRIVATE, 0));
    report_ok("neither shared nor private", map_file(&file, 1, read, 0, 0));
    report_ok("behind the largest offset", {
        let offset = i64::MAX as u64 & !(PAGE as u64 - 1);
        let args = [0, 2 * PAGE as u64, 1, 2, file.as_raw_fd() as u64, offset];
        call(libc::SYS_mmap, &args)
    });
    let unknown = libc::MAP_SHARED_VALIDATE | 1 << 25;
    report_ok(
        "an unknown flag, validated",
        map_file(&file, 1, read, unknown, 0),
    );
    report_ok(
        "validated",
        map_file(&file, 1, read, libc::MAP_SHARED_VALIDATE, 0),
    );
    let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    report_ok(
        "huge pages",
        map(0, 1 << 21, READ_WRITE, anonymous | libc::MAP_HUGETLB),
    );
    report_ok("more than there is", map(0, 1 << 46, READ_WRITE, anonymous));
    report_ok(
        "the same, not reserved",
        map(0, 1 << 46, READ_WRITE, anonymous | libc::MAP_NORESERVE),
    );
    Ok(())
}
