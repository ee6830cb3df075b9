//! process_vm_readv(2) and process_vm_writev(2) of the process itself.

use crate::region::{PAGE, READ_WRITE, map};
use std::io;
use test_support::{call, report};

/// A buffer as `struct iovec`.
type Part = [u64; 2];

fn transfer(number: i64, pid: u32, local: &[Part], remote: &[Part], flags: u64) -> io::Result<i64> {
    let (here, there) = (local.as_ptr() as u64, remote.as_ptr() as u64);
    let (locals, remotes) = (local.len() as u64, remote.len() as u64);
    call(number, &[pid.into(), here, locals, there, remotes, flags])
}

/// Reports on everything here.
///
/// # Errors
/// When a mapping that must succeed does not.
pub fn run() -> io::Result<()> {
    const READ: i64 = libc::SYS_process_vm_readv;
    const WRITE: i64 = libc::SYS_process_vm_writev;
    let own = std::process::id();
    let source: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
    let mut target = vec![0_u8; 10_000];
    let [from, to] = [source.as_ptr() as u64, target.as_mut_ptr() as u64];
    let parts = [[from, 3], [from + 3, 0], [from + 3, 9997]];
    report(
        "read",
        transfer(READ, own, &[[to, 5000], [to + 5000, 5000]], &parts, 0),
    );
    println!("the same: {}", source == target);
    target.fill(0);
    report("write", transfer(WRITE, own, &parts, &[[to, 10_000]], 0));
    println!("the same: {}", source == target);
    report("more there", transfer(READ, own, &[[to, 10]], &parts, 0));
    report(
        "more here",
        transfer(READ, own, &[[to, 10_000]], &parts[..1], 0),
    );
    report("nothing here", transfer(READ, own, &[], &parts, 0));
    report("nothing there", transfer(READ, own, &[[to, 10]], &[], 0));
    report("flags", transfer(READ, own, &[[to, 10]], &parts, 1));
    report(
        "nobody",
        transfer(READ, 0x3fff_fff0, &[[to, 10]], &parts, 0),
    );
    let many = vec![[to, 0]; 1025];
    report("too many here", transfer(READ, own, &many, &parts, 0));
    report("too many there", transfer(READ, own, &[[to, 10]], &many, 0));
    let hole = map(
        0,
        2 * PAGE,
        READ_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
    )?;
    // Of a large mapping, because freed memory of a small one can stay readable.
    let far = map(
        0,
        8 << 20,
        READ_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
    )?;
    call(
        libc::SYS_munmap,
        &[far + PAGE as u64, (8 << 20) - PAGE as u64],
    )?;
    report("bad there", transfer(READ, own, &[[to, 10]], &[[8, 10]], 0));
    report(
        "bad there, later",
        transfer(
            READ,
            own,
            &[[to, 10_000]],
            &[[far + PAGE as u64 - 100, 200]],
            0,
        ),
    );
    report(
        "bad here",
        transfer(READ, own, &[[8, 10]], &[[from, 10]], 0),
    );
    report(
        "a bad array",
        call(READ, &[own.into(), 8, 1, parts.as_ptr() as u64, 1, 0]),
    );
    report(
        "a good page",
        transfer(WRITE, own, &[[from, 100]], &[[hole, 100]], 0),
    );
    Ok(())
}
