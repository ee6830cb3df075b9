//! Limits of the address space, of data and of the stack (getrlimit(2)).

use crate::region::{PAGE, READ_WRITE, map};
use std::hint::black_box;
use std::io;
use test_support::{call, checked, report, report_ok};

const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
const MIB: u64 = 1 << 20;

/// Sets the soft limit.
fn set(resource: u32, bytes: u64) -> io::Result<i64> {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the struct lives as long as the call.
    checked(unsafe { libc::setrlimit(resource, &raw const limit) })
}

/// The address space in bytes, and what of it is data (proc_pid_statm(5)).
fn sizes() -> io::Result<(u64, u64)> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: Vec<u64> = statm
        .split(' ')
        .filter_map(|n| n.trim().parse().ok())
        .collect();
    Ok((pages[0] * PAGE as u64, pages[5] * PAGE as u64))
}

/// Reports on everything here.
///
/// # Errors
/// When a limit cannot be set.
pub fn run() -> io::Result<()> {
    let (all, data) = sizes()?;
    set(libc::RLIMIT_AS, all + 64 * MIB)?;
    tries("address space");
    report_ok(
        "mapping for reading",
        map(0, 128 << 20, libc::PROT_READ, PRIVATE),
    );
    report_ok(
        "reservation",
        map(0, 128 << 20, libc::PROT_NONE, PRIVATE | libc::MAP_NORESERVE),
    );
    set(libc::RLIMIT_AS, libc::RLIM_INFINITY)?;
    set(libc::RLIMIT_DATA, data + 64 * MIB)?;
    tries("data");
    report_ok(
        "mapping for reading",
        map(0, 128 << 20, libc::PROT_READ, PRIVATE),
    );
    set(libc::RLIMIT_DATA, libc::RLIM_INFINITY)?;
    tries("no limit");
    set(libc::RLIMIT_STACK, 64 * MIB)?;
    println!("40 MiB of frames: {}", descend(40 << 10));
    set(libc::RLIMIT_STACK, 8 * MIB)?;
    Ok(())
}

/// What a limit of 64 MiB more than there is permits and refuses.
fn tries(what: &str) {
    println!("[{what}]");
    report_ok("too much", map(0, 128 << 20, READ_WRITE, PRIVATE));
    let small = map(0, 16 << 20, READ_WRITE, PRIVATE);
    let at = *small.as_ref().unwrap_or(&0);
    report_ok("not too much", small);
    let grown = call(libc::SYS_mremap, &[at, 16 << 20, 128 << 20, 1]);
    let grown_at = grown.as_ref().map_or(at, |&at| at as u64);
    report_ok(
        "grow it",
        grown.as_ref().map_err(|_| io::Error::last_os_error()),
    );
    let len = if grown.is_ok() { 128 << 20 } else { 16 << 20 };
    report("unmap", call(libc::SYS_munmap, &[grown_at, len]));
    let start = call(libc::SYS_brk, &[0]).unwrap_or(0);
    let end = call(libc::SYS_brk, &[start as u64 + 128 * MIB]).unwrap_or(0);
    println!("the break moved: {}", end != start);
    let _ = call(libc::SYS_brk, &[start as u64]);
}

#[inline(never)]
fn descend(depth: usize) -> usize {
    let frame = black_box([depth as u8; 1024]);
    let below = if depth == 0 { 0 } else { descend(depth - 1) };
    below + usize::from(frame[depth % 1024] == depth as u8)
}
