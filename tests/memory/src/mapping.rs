//! Anonymous mappings. Pages are shown as [`Region::show`] says.
//!
//! Pages that were given back are not looked at: in a machine they stay accessible until the memory
//! is used again, which is Lintel's documented difference from a Linux process.

use crate::region::{PAGE, READ_WRITE, Region, is_writable, map};
use std::io;
use test_support::{call, report, report_ok};

const SALT: u8 = 0x50;
const OTHER_SALT: u8 = 1;
const LARGE: usize = 2 << 20;

/// Fresh mappings are zero, whatever the memory held before.
pub fn sizes() -> io::Result<()> {
    for length in [PAGE, 3 * PAGE, LARGE, LARGE + PAGE, 4 * LARGE] {
        for round in 0..3 {
            let region = Region::new(length / PAGE)?;
            let fresh = region.show(SALT).bytes().all(|page| page == b'0');
            region.fill(0..region.pages(), SALT);
            let kept = region.show(SALT).bytes().all(|page| page == b'=');
            println!("{length} bytes, round {round}: zero {fresh}, then kept {kept}");
        }
    }
    let odd = map(0, 100, READ_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS)?;
    println!(
        "100 bytes are a page: {}",
        is_writable(odd + PAGE as u64 - 8)
    );
    println!("page aligned: {}", odd.is_multiple_of(PAGE as u64));
    report("unmap 100 bytes", call(libc::SYS_munmap, &[odd, 100]));
    let shared = Region::with_flags(4, libc::MAP_SHARED | libc::MAP_ANONYMOUS)?;
    shared.fill(1..3, SALT);
    println!("shared {}", shared.show(SALT));
    Ok(())
}

/// A fixed mapping replaces what was there, and nothing else.
pub fn fixed() -> io::Result<()> {
    let region = Region::new(8)?;
    region.fill(0..8, SALT);
    println!("at first {}", region.show(SALT));
    println!("at the place {}", region.replace(2..4)? == region.page(2));
    println!("replaced 2 and 3 {}", region.show(SALT));
    region.replace(7..8)?;
    println!("replaced 7 {}", region.show(SALT));
    region.unmap(4..6)?;
    region.replace(3..7)?;
    println!("replaced 3 to 6 {}", region.show(SALT));
    let keep = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    report_ok(
        "not to be replaced",
        map(region.page(1), PAGE, READ_WRITE, keep),
    );
    region.unmap(1..2)?;
    let placed = map(region.page(1), PAGE, READ_WRITE, keep)?;
    println!("nothing to replace {}", placed == region.page(1));
    println!("in the end {}", region.show(SALT));
    Ok(())
}

/// Unmapping the middle.
pub fn hole() -> io::Result<()> {
    let region = Region::new(10)?;
    region.fill(0..10, SALT);
    report("unmap 3 to 5", region.unmap(3..6));
    println!("{} {}", &region.show(SALT)[..3], &region.show(SALT)[6..]);
    report("over the hole", region.protect(0..10, READ_WRITE));
    report("beside the hole", region.protect(0..3, READ_WRITE));
    report("unmap 3 to 5 again", region.unmap(3..6));
    report("unmap 0 to 7, with the hole", region.unmap(0..8));
    println!("{}", &region.show(SALT)[8..]);
    region.fill(8..10, OTHER_SALT);
    println!("{}", &region.show(OTHER_SALT)[8..]);
    Ok(())
}

/// Protection holds against the kernel and comes off again.
pub fn protect() -> io::Result<()> {
    let region = Region::new(6)?;
    region.fill(0..6, SALT);
    report("read-only 1 to 3", region.protect(1..4, libc::PROT_READ));
    println!("{}", region.show(SALT));
    let writable = |region: &Region| -> String {
        (0..6)
            .map(|page| {
                if is_writable(region.page(page)) {
                    'w'
                } else {
                    '-'
                }
            })
            .collect()
    };
    println!("{}", writable(&region));
    report("none 3 to 4", region.protect(3..5, libc::PROT_NONE));
    println!("{}", region.show(SALT));
    report("back", region.protect(0..6, READ_WRITE));
    println!("{}", region.show(SALT)); // Two words of time are in 0, 4 and 5.
    println!("{}", writable(&region));
    region.unmap(2..3)?;
    report("over a hole", region.protect(0..6, READ_WRITE));
    report("nothing", call(libc::SYS_mprotect, &[region.page(0), 0, 1]));
    report(
        "odd address",
        call(libc::SYS_mprotect, &[region.page(0) + 1, 4096, 1]),
    );
    report(
        "odd length",
        call(libc::SYS_mprotect, &[region.page(0), 1, 1]),
    );
    println!("{}", &writable(&region)[..2]);
    report("no such protection", region.protect(0..1, 0x100));
    Ok(())
}

/// Advice: only `MADV_DONTNEED` has an effect that shows.
pub fn advise() -> io::Result<()> {
    let region = Region::new(6)?;
    let advise = |page: usize, length: u64, advice: i32| {
        call(
            libc::SYS_madvise,
            &[region.page(page), length, advice as u64],
        )
    };
    region.fill(0..6, SALT);
    report("not needed 2 and 3", advise(2, 8192, libc::MADV_DONTNEED));
    println!("{}", region.show(SALT));
    region.fill(2..4, SALT);
    println!("{}", region.show(SALT));
    report("needed", advise(0, 8192, libc::MADV_WILLNEED));
    report("normal", advise(0, 8192, libc::MADV_NORMAL));
    report("no such advice", advise(0, 8192, 9999));
    report("nothing", advise(0, 0, libc::MADV_DONTNEED));
    println!("{}", region.show(SALT));
    region.unmap(1..2)?;
    report("with a hole", advise(0, 3 * 4096, libc::MADV_DONTNEED));
    println!("{} {}", &region.show(SALT)[..1], &region.show(SALT)[2..]);
    Ok(())
}

/// Growing, shrinking and moving.
pub fn remap() -> io::Result<()> {
    let region = Region::new(8)?;
    region.fill(0..8, SALT);
    let remap = |page: usize, old: usize, new: usize, flags: i32| {
        let (old, new) = ((old * PAGE) as u64, (new * PAGE) as u64);
        call(
            libc::SYS_mremap,
            &[region.page(page), old, new, flags as u64],
        )
    };
    println!("shrink {}", remap(0, 8, 4, 0)? as u64 == region.page(0));
    println!("{}", &region.show(SALT)[..4]);
    let moved = remap(2, 2, 64, libc::MREMAP_MAYMOVE)? as u64;
    let first = |page: u64| {
        // SAFETY: `mremap` has mapped the 64 pages from `moved` on.
        unsafe { ((moved + page * PAGE as u64) as *const u8).read() }
    };
    println!(
        "grown: {:#x} {:#x} {:#x} {:#x}",
        first(0),
        first(1),
        first(2),
        first(63)
    );
    report(
        "unmap it",
        call(libc::SYS_munmap, &[moved, 64 * PAGE as u64]),
    );
    println!("{}", &region.show(SALT)[..2]);
    report_ok("of nothing", remap(5, 1, 2, libc::MREMAP_MAYMOVE));
    report_ok("to nothing", remap(0, 1, 0, libc::MREMAP_MAYMOVE));
    report_ok("no such flags", remap(0, 1, 2, 64));
    let odd = [region.page(0) + 1, 4096, 8192, 1];
    report_ok("odd address", call(libc::SYS_mremap, &odd));
    Ok(())
}
