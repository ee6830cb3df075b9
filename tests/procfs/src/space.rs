//! The address space: `maps` and its kin show what is there, with its rights.

use crate::{check, number, text};
use std::io;
use std::ops::Range;
use test_support::{checked, report};

/// A line of `maps`.
#[derive(Clone, Debug)]
struct Line {
    range: Range<usize>,
    rights: String,
    name: String,
}

fn parse(line: &str) -> Option<Line> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let address = |hex| usize::from_str_radix(hex, 16).ok();
    let rights = words.next()?.to_owned();
    let (offset, device, inode) = (words.next()?, words.next()?, words.next()?);
    u64::from_str_radix(offset, 16).ok()?;
    device.split_once(':')?;
    inode.parse::<u64>().ok()?;
    Some(Line {
        range: address(start)?..address(end)?,
        rights,
        name: words.next()?.trim_start().to_owned(),
    })
}

fn maps() -> Vec<Line> {
    text("/proc/self/maps").lines().filter_map(parse).collect()
}

fn at(address: usize) -> Option<Line> {
    maps()
        .into_iter()
        .find(|line| line.range.contains(&address))
}

/// Rights and, if it has brackets, name of what is at `address`.
fn describe(address: usize) -> String {
    let Some(line) = at(address) else {
        return "nothing".to_owned();
    };
    let name = Some(&line.name[..]).filter(|name| name.starts_with('['));
    format!("{} {}", line.rights, name.unwrap_or_default())
        .trim_end()
        .to_owned()
}

static CONSTANT: [u64; 4] = [1, 2, 3, 4];
static VARIABLE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(5);

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let lines = maps();
    check(
        "every line is a region",
        lines.len() == text("/proc/self/maps").lines().count(),
    );
    let sorted = lines
        .windows(2)
        .all(|pair| pair[0].range.end <= pair[1].range.start);
    check("in order, apart from each other", sorted);
    let whole = |line: &Line| {
        !line.range.is_empty() && (line.range.start | line.range.end).is_multiple_of(4096)
    };
    check("whole pages", lines.iter().all(whole));
    check("page 0 is not there", lines[0].range.start > 0);
    let code = run as fn() -> io::Result<()> as usize;
    println!("code: {}", describe(code));
    let exe = std::fs::read_link("/proc/self/exe")?;
    let named = at(code).is_some_and(|line| line.name == exe.to_string_lossy());
    check("code has the program's name", named);
    println!("constants: {}", describe(CONSTANT.as_ptr() as usize));
    println!("variables: {}", describe(VARIABLE.as_ptr() as usize));
    let local = 0_u8;
    println!("stack: {}", describe(&raw const local as usize));
    // SAFETY: asks where the break is.
    let end = unsafe { libc::sbrk(0) } as usize;
    // SAFETY: moves the break up; nobody else uses the memory.
    let old = unsafe { libc::sbrk(8192) };
    println!("break: {} {}", old as usize == end, describe(end + 4096));
    mappings()?;
    sums();
    Ok(())
}

/// Mappings appear with their rights and go.
fn mappings() -> io::Result<()> {
    const LEN: usize = 16 * 4096;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping anywhere.
    let start =
        checked(unsafe { libc::mmap(std::ptr::null_mut(), LEN, rights, flags, -1, 0) } as i64)?;
    let start = start as usize;
    println!("mapped: {}", describe(start));
    let change = |offset: usize, len: usize, rights| {
        // SAFETY: a part of the mapping, which has nothing in it.
        checked(unsafe { libc::mprotect((start + offset) as *mut _, len, rights) })
    };
    change(4096, 4096, libc::PROT_READ)?;
    change(2 * 4096, 2 * 4096, libc::PROT_NONE)?;
    change(5 * 4096, 4096, libc::PROT_READ | libc::PROT_EXEC)?;
    for page in 0..7 {
        println!("page {page}: {}", describe(start + page * 4096));
    }
    let piece = at(start + 2 * 4096).map(|line| (line.range.start - start, line.range.len()));
    println!("a piece {piece:?}");
    // SAFETY: as above.
    report(
        "unmap",
        checked(unsafe { libc::munmap((start + 8 * 4096) as *mut _, 4096) }),
    );
    println!("gone: {}", describe(start + 8 * 4096));
    println!("not gone: {}", describe(start + 9 * 4096));
    // SAFETY: as above.
    report(
        "unmap all",
        checked(unsafe { libc::munmap(start as *mut _, LEN) }),
    );
    println!(
        "all gone: {} {}",
        describe(start),
        describe(start + LEN - 1)
    );
    Ok(())
}

/// What is added up agrees with its parts.
fn sums() {
    // Text is read into memory that grows; with room beforehand nothing changes between the files.
    let mut smaps = String::with_capacity(1 << 20);
    smaps += &text("/proc/self/smaps");
    let all = |key: &str| -> u64 {
        let of = |line: &str| {
            line.strip_prefix(key)?
                .trim()
                .strip_suffix(" kB")?
                .parse::<u64>()
                .ok()
        };
        smaps.lines().filter_map(of).sum()
    };
    let rss = all("Rss:");
    check("something is resident", rss > 100);
    let parts = [
        "Shared_Clean:",
        "Shared_Dirty:",
        "Private_Clean:",
        "Private_Dirty:",
    ];
    check("Rss is a sum", parts.map(all).iter().sum::<u64>() == rss);
    check(
        "as many sizes as regions",
        smaps.matches("\nRss:").count() == smaps.matches("\nVmFlags:").count(),
    );
    let rollup = text("/proc/self/smaps_rollup");
    println!(
        "rollup {:?}",
        rollup
            .lines()
            .next()
            .and_then(|line| line.split(' ').next_back())
    );
    let close = number(&rollup, "Rss").is_some_and(|sum| sum.abs_diff(rss) < 2048);
    check("the rollup is about the same", close);
}
