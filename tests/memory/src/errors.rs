//! What memory calls refuse.

use crate::region::{PAGE, READ_WRITE, Region, map};
use std::io;
use test_support::{call, report, report_ok};

const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
const FIXED: i32 = PRIVATE | libc::MAP_FIXED;
/// The first address that is not the program's, on a processor with four levels of tables.
const END: u64 = 0x7fff_ffff_f000;

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let region = Region::new(4)?;
    let start = region.page(0);
    report_ok("map nothing", map(0, 0, READ_WRITE, PRIVATE));
    report_ok(
        "map neither private nor shared",
        map(0, PAGE, READ_WRITE, libc::MAP_ANONYMOUS),
    );
    report_ok(
        "map at a fixed odd address",
        map(start + 1, PAGE, READ_WRITE, FIXED),
    );
    report_ok(
        "map at an odd hint",
        map(start + 1, PAGE, READ_WRITE, PRIVATE).map(unmap_page),
    );
    report_ok("map at the end", map(END, PAGE, READ_WRITE, FIXED));
    report_ok(
        "map a kernel address",
        map(0xffff_8000_0000_0000, PAGE, READ_WRITE, FIXED),
    );
    report_ok("map too much", map(0, 1 << 47, libc::PROT_NONE, PRIVATE));
    report_ok(
        "map nearly everything",
        map(0, usize::MAX, READ_WRITE, PRIVATE),
    );
    let closed = [0, 4096, 3, libc::MAP_PRIVATE as u64, 987, 0];
    report_ok("map a closed descriptor", call(libc::SYS_mmap, &closed));
    let offset = [0, 4096, 3, PRIVATE as u64, u64::MAX, 1];
    report_ok("map at an odd offset", call(libc::SYS_mmap, &offset));

    let munmap = |address: u64, length: u64| call(libc::SYS_munmap, &[address, length]);
    report("unmap nothing", munmap(start, 0));
    report("unmap an odd address", munmap(start + 1, 4096));
    report("unmap the end", munmap(END, 4096));
    report(
        "unmap a kernel address",
        munmap(0xffff_8000_0000_0000, 4096),
    );
    report(
        "unmap what is not mapped",
        munmap(0x6000_0000_0000, 1 << 30),
    );

    let protect = |address: u64, length: u64| call(libc::SYS_mprotect, &[address, length, 1]);
    report(
        "protect what is not mapped",
        protect(0x6000_0000_0000, 4096),
    );
    report(
        "protect a kernel address",
        protect(0xffff_8000_0000_0000, 4096),
    );
    report("protect an overflow", protect(start, u64::MAX - 4096));
    println!("untouched {}", region.show(1));
    Ok(())
}

fn unmap_page(address: u64) {
    let _ = call(libc::SYS_munmap, &[address, PAGE as u64]);
}
