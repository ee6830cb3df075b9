//! A great many files come and go, and leave nothing behind: neither memory nor slowness. And one
//! of many is found as fast as one of few.
//!
//!     test-churn-files [COUNT [CROWD]]
//!
//! COUNT files are made and unlinked, each with a name of its own (default 100,000); CROWD files
//! are in the large directory (default 100,000). Verdicts go to standard output, figures to
//! standard error. On a host, where others use memory and the tmpfs as well, verdicts about them can
//! be wrong.

mod speed;

use lintel as _;

use speed::{Pace, at_most, batch_of};
use std::io;
use std::mem::zeroed;
use std::thread::sleep;
use std::time::Duration;
use test_support::call;
use test_support::files::{Scratch, statfs};
use test_support::sys::{self, HERE, close, open};

/// A tenth of the work at the end may take so many times what the first took.
const SLOWER: f64 = 1.3;
/// Free memory may differ by one part in so many.
const PARTS: u64 = 100;
const WARM_UP: usize = 2000;
/// How often a phase is done again that seems to have become slower.
const TRIES: usize = 8;

fn main() -> io::Result<()> {
    let number = |index: usize| {
        let word = std::env::args().nth(index);
        word.map_or(Ok(100_000), |word| word.parse::<usize>())
    };
    let wrong = |_| io::Error::new(io::ErrorKind::InvalidInput, "usage: [COUNT [CROWD]]");
    let (count, crowd) = (number(1).map_err(wrong)?, number(2).map_err(wrong)?);
    let _scratch = Scratch::enter()?;
    let place = "p".repeat(60);
    sys::mkdir(&place, 0o755)?;
    sys::chdir(&place)?;
    phase("files", count, file)?;
    phase("files with content", count / 10, file_with_content)?;
    phase("directories", count / 10, directory)?;
    phase("second names", count / 10, second_name)?;
    phase("renamed files", count / 10, renamed)?;
    phase("names that are not there", count / 2, absent)?;
    sys::chdir("..")?;
    sys::rmdir(&place)?;
    crowded(crowd)
}

/// What of the machine and the file system is free: bytes, blocks, inodes.
fn free() -> io::Result<(u64, u64, u64)> {
    // SAFETY: a structure of integers, which may all be 0.
    let mut info: libc::sysinfo = unsafe { zeroed() };
    call(libc::SYS_sysinfo, &[(&raw mut info) as u64])?;
    let bytes = info.freeram * u64::from(info.mem_unit);
    let space = statfs(".")?;
    Ok((bytes, space.f_bfree, space.f_ffree))
}

/// Does something `count` times, each time with another number, and says what remained of it.
fn phase(name: &str, count: usize, deed: fn(usize) -> io::Result<()>) -> io::Result<()> {
    // What is kept for later use is there after the first few.
    (0..WARM_UP).try_for_each(|number| deed(usize::MAX - number))?;
    let before = free()?;
    let (first, mut last) = run(count, deed)?;
    // If something else took the CPU just then, it will be as fast again as at first; what has
    // become slow for good will not.
    for _ in 0..TRIES {
        if at_most(last, first, SLOWER) {
            break;
        }
        eprintln!("{name}: {first:.0} ns each at first, {last:.0} ns at the end: once more");
        sleep(Duration::from_secs(1));
        last = run(count, deed)?.1;
    }
    let (memory, space) = is_back(before)?;
    println!("{name}: {count}");
    println!("    memory is back: {memory}, blocks and inodes: {space}");
    eprintln!("{name}: {first:.0} ns each at first, {last:.0} ns at the end");
    println!(
        "    not slower at the end: {}",
        at_most(last, first, SLOWER)
    );
    Ok(())
}

/// Nanoseconds for a deed in the first and in the last tenth of `count`.
fn run(count: usize, deed: fn(usize) -> io::Result<()>) -> io::Result<(f64, f64)> {
    let mut pace = Pace::new(count);
    for number in 0..count {
        pace.tick();
        deed(number)?;
    }
    Ok(pace.ends())
}

/// Whether as much memory is free as before, and exactly as many blocks and inodes. A host has other
/// things to do as well: it gets some time to finish them.
fn is_back(before: (u64, u64, u64)) -> io::Result<(bool, bool)> {
    let mut now = free()?;
    for _ in 0..20 {
        if now.0.abs_diff(before.0) <= before.0 / PARTS {
            break;
        }
        sleep(Duration::from_millis(250));
        now = free()?;
    }
    eprintln!("    free bytes, blocks and inodes before {before:?} and after {now:?}");
    let memory = now.0.abs_diff(before.0) <= before.0 / PARTS;
    Ok((memory, (now.1, now.2) == (before.1, before.2)))
}

fn file(number: usize) -> io::Result<()> {
    let name = format!("file-{number:x}");
    close(open(
        &name,
        libc::O_RDWR | libc::O_CREAT | libc::O_EXCL,
        0o644,
    )?)?;
    sys::unlink(&name)?;
    Ok(())
}

fn file_with_content(number: usize) -> io::Result<()> {
    let name = format!("file-{number:x}");
    let fd = open(&name, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL, 0o644)?;
    sys::write(fd, &[b'x'; 5000])?;
    sys::pwrite(fd, b"far out", 1 << 30)?;
    sys::unlink(&name)?;
    close(fd)?;
    Ok(())
}

fn directory(number: usize) -> io::Result<()> {
    let name = format!("directory-{number:x}");
    sys::mkdir(&name, 0o755)?;
    let inner = format!("{name}/inner");
    sys::symlink("somewhere else, far away", &inner)?;
    sys::unlink(&inner)?;
    sys::rmdir(&name)?;
    Ok(())
}

fn second_name(number: usize) -> io::Result<()> {
    let (first, second) = (format!("first-{number:x}"), format!("second-{number:x}"));
    sys::mknod(&first, libc::S_IFREG | 0o644, 0)?;
    sys::link(&first, &second)?;
    sys::unlink(&first)?;
    sys::unlink(&second)?;
    Ok(())
}

fn renamed(number: usize) -> io::Result<()> {
    let (old, new) = (format!("old-{number:x}"), format!("new-{number:x}"));
    sys::mknod(&old, libc::S_IFREG | 0o644, 0)?;
    sys::rename(&old, &new)?;
    sys::mknod(&old, libc::S_IFREG | 0o644, 0)?;
    sys::rename(&old, &new)?;
    sys::unlink(&new)?;
    Ok(())
}

fn absent(number: usize) -> io::Result<()> {
    match sys::access(&format!("absent-{number:x}"), libc::F_OK) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Compares stat(2) of files in a large directory with stat(2) of files in a small one. Ten files of
/// each are looked at over and over, so that the size of the directory is all that differs.
fn crowded(crowd: usize) -> io::Result<()> {
    const FEW: usize = 10;
    for (dir, count) in [("few", FEW), ("many", crowd)] {
        sys::mkdir(dir, 0o755)?;
        for number in 0..count {
            sys::mknodat(
                HERE,
                &format!("{dir}/{number:06}"),
                libc::S_IFREG | 0o644,
                0,
            )?;
        }
    }
    let paths = |dir: &str, count: usize| -> Vec<String> {
        let step = (count / FEW).max(1);
        (0..FEW)
            .map(|n| format!("{dir}/{:06}\0", n * step))
            .collect()
    };
    let (few, many) = (paths("few", FEW), paths("many", crowd));
    let (small, large) = speed::alternately(|| batch_of(&few), || batch_of(&many))?;
    eprintln!("stat of one of {FEW}: {small:.0} ns, of one of {crowd}: {large:.0} ns");
    println!(
        "stat of one of {crowd} as fast as of one of {FEW}: {}",
        at_most(large, small, SLOWER)
    );
    Ok(())
}
