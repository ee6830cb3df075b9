//! Mappings whose pages come when they are touched: where they are, what is there, how they move.

use crate::region::{PAGE, READ_WRITE, map};
use std::io;
use test_support::{call, report, report_ok};

const ANONYMOUS: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
const MIB: u64 = 1 << 20;

fn touch(address: u64, byte: u8) {
    // SAFETY: the caller mapped it; nothing borrows it.
    unsafe { (address as *mut u8).write_volatile(byte) }
}

fn byte(address: u64) -> u8 {
    // SAFETY: as above.
    unsafe { (address as *const u8).read_volatile() }
}

/// How many of the first `pages` pages have memory.
fn resident(address: u64, pages: usize) -> io::Result<usize> {
    let mut vector = vec![0_u8; pages];
    let len = (pages * PAGE) as u64;
    call(
        libc::SYS_mincore,
        &[address, len, vector.as_mut_ptr() as u64],
    )?;
    Ok(vector.iter().filter(|&&byte| byte & 1 != 0).count())
}

/// Hints, low addresses, mappings that grow downwards.
///
/// # Errors
/// When a mapping that must succeed does not.
pub fn places() -> io::Result<()> {
    let hint = 0x1234_5678_9000;
    let at = map(hint, PAGE, READ_WRITE, ANONYMOUS)?;
    println!("a hint is taken: {}", at == hint);
    let other = map(hint, PAGE, READ_WRITE, ANONYMOUS)?;
    println!("but not what is there: {}", other != hint);
    let again = map(
        hint,
        PAGE,
        READ_WRITE,
        ANONYMOUS | libc::MAP_FIXED_NOREPLACE,
    );
    report_ok("MAP_FIXED_NOREPLACE", again);
    let odd = map(hint + 1, PAGE, READ_WRITE, ANONYMOUS | libc::MAP_FIXED);
    report_ok("MAP_FIXED, not aligned", odd);
    let low = map(0, 64 * PAGE, READ_WRITE, ANONYMOUS | libc::MAP_32BIT)?;
    touch(low, 1);
    println!("MAP_32BIT: {}", low + (64 * PAGE) as u64 <= 1 << 31);
    let top = map(
        hint + 64 * MIB,
        PAGE,
        READ_WRITE,
        ANONYMOUS | libc::MAP_GROWSDOWN,
    )?;
    touch(top, 1);
    touch(top - PAGE as u64, 2);
    println!("grown downwards: {} {}", byte(top), byte(top - PAGE as u64));
    let populated = map(
        0,
        8 * PAGE,
        READ_WRITE,
        ANONYMOUS | libc::MAP_POPULATE | libc::MAP_STACK,
    )?;
    report("populated", resident(populated, 8));
    let none = map(
        0,
        8 * PAGE,
        libc::PROT_NONE,
        ANONYMOUS | libc::MAP_NORESERVE,
    )?;
    report("reserved", resident(none, 8));
    Ok(())
}

/// mremap(2) of memory that is partly there.
///
/// # Errors
/// When a mapping that must succeed does not.
pub fn moves() -> io::Result<()> {
    let start = map(0, 16 << 20, READ_WRITE, ANONYMOUS)?;
    for mib in 0..16 {
        touch(start + mib * MIB, mib as u8 + 1);
    }
    let kept = |at: u64, mibs: u64| (0..mibs).all(|mib| byte(at + mib * MIB) == mib as u8 + 1);
    let remap = |old: u64, len: u64, new: u64, flags: i32, target: u64| {
        call(libc::SYS_mremap, &[old, len, new, flags as u64, target])
    };
    let moved = remap(start, 16 * MIB, 64 * MIB, libc::MREMAP_MAYMOVE, 0)? as u64;
    println!("larger: {} {}", kept(moved, 16), byte(moved + 63 * MIB));
    report_ok("smaller", remap(moved, 64 * MIB, 5 * MIB + 1, 0, 0));
    println!("kept: {}", kept(moved, 6));
    let target = 0x2345_0000_0000;
    let fixed = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    let at = remap(moved, 5 * MIB, 5 * MIB, fixed, target)? as u64;
    println!("moved to where it should: {} {}", at == target, kept(at, 5));
    report_ok("onto itself", remap(at, 5 * MIB, 5 * MIB, fixed, at + MIB));
    report_ok(
        "MREMAP_FIXED alone",
        remap(at, MIB, MIB, libc::MREMAP_FIXED, target + 64 * MIB),
    );
    let kept_mapping = libc::MREMAP_MAYMOVE | libc::MREMAP_DONTUNMAP;
    let new = remap(at, MIB, MIB, kept_mapping, 0)? as u64;
    println!("moved and kept: {} {}", byte(new), byte(at));
    report_ok(
        "nothing there",
        remap(0x3333_0000_0000, MIB, MIB, libc::MREMAP_MAYMOVE, 0),
    );
    let small = map(0, 2 * PAGE, READ_WRITE, ANONYMOUS)?;
    touch(small, 9);
    let target = 0x2346_0000_0000;
    let at = remap(small, 2 * PAGE as u64, 4 * PAGE as u64, fixed, target)? as u64;
    println!(
        "small: {} {} {}",
        at == target,
        byte(at),
        byte(at + 3 * PAGE as u64)
    );
    Ok(())
}

/// madvise(2), mlock(2), mincore(2), msync(2) and what they refuse.
///
/// # Errors
/// When a mapping that must succeed does not.
pub fn advice() -> io::Result<()> {
    let len = 8 * PAGE as u64;
    let start = map(0, 8 * PAGE, READ_WRITE, ANONYMOUS | libc::MAP_STACK)?;
    let advise = |at: u64, advice: i32| call(libc::SYS_madvise, &[at, len, advice as u64]);
    report_ok("populate", advise(start, libc::MADV_POPULATE_WRITE));
    report("resident", resident(start, 8));
    report_ok("discard", advise(start, libc::MADV_DONTNEED));
    report("resident", resident(start, 8));
    for (name, number) in [
        ("normal", libc::MADV_NORMAL),
        ("willneed", libc::MADV_WILLNEED),
        ("free", libc::MADV_FREE),
        ("hugepage", libc::MADV_HUGEPAGE),
        ("dontdump", libc::MADV_DONTDUMP),
        ("cold", libc::MADV_COLD),
        ("unknown", 999),
    ] {
        report_ok(name, advise(start, number));
    }
    report_ok("not aligned", advise(start + 1, libc::MADV_NORMAL));
    let nowhere = 0x3333_0000_0000;
    report_ok("nowhere", advise(nowhere, libc::MADV_NORMAL));
    report_ok(
        "populate nowhere",
        advise(nowhere, libc::MADV_POPULATE_READ),
    );
    report_ok("mlock", call(libc::SYS_mlock, &[start + 5, 10]));
    report_ok("mlock nowhere", call(libc::SYS_mlock, &[nowhere, 10]));
    report_ok("munlock", call(libc::SYS_munlock, &[start + 5, 10]));
    report_ok("mlock2", call(libc::SYS_mlock2, &[start, 10, 1]));
    report_ok(
        "mlock2, unknown flags",
        call(libc::SYS_mlock2, &[start, 10, 2]),
    );
    report_ok("mlockall, no flags", call(libc::SYS_mlockall, &[0]));
    report_ok("munlockall", call(libc::SYS_munlockall, &[]));
    report_ok("msync", call(libc::SYS_msync, &[start, len, 4]));
    report_ok("msync, both", call(libc::SYS_msync, &[start, len, 5]));
    report_ok("msync nowhere", call(libc::SYS_msync, &[nowhere, len, 4]));
    report_ok("mincore nowhere", resident(nowhere, 1));
    let hole = call(libc::SYS_munmap, &[start + PAGE as u64, PAGE as u64]);
    report_ok("a hole", hole);
    let protect = |protection: u64| call(libc::SYS_mprotect, &[start, len, protection]);
    report_ok("mprotect over it", protect(1));
    report_ok("discard over it", advise(start, libc::MADV_DONTNEED));
    report_ok("read before it", call(libc::SYS_munmap, &[start, len]));
    Ok(())
}
