//! getdents64(2): types, rooms, offsets, and directories that change while they are read.

use crate::fixture::build;
use libc::{
    O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR, S_IFIFO, S_IFSOCK, SEEK_CUR, SEEK_END, SEEK_SET,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use test_support::files::{Scratch, clear, getdents, names_in, rest_of, stat};
use test_support::report;
use test_support::sys::{self, HERE, close, open};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    build()?;
    kinds()?;
    rooms()?;
    clear()?;
    offsets()?;
    changes()?;
    removal_while_reading()?;
    many()
}

fn opendir(path: &str) -> io::Result<i64> {
    open(path, O_RDONLY | O_DIRECTORY, 0)
}

fn kinds() -> io::Result<()> {
    sys::mknod("fifo", S_IFIFO | 0o644, 0)?;
    sys::mknod("socket", S_IFSOCK | 0o644, 0)?;
    let fd = opendir(".")?;
    let mut entries = rest_of(fd)?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in &entries {
        let same = test_support::files::lstat(&entry.name)?.st_ino == entry.inode;
        println!(
            "{} type {} inode as stat says {same}",
            entry.name, entry.kind
        );
    }
    report(
        "at the end",
        getdents(fd, 4096).map(|entries| entries.len()),
    );
    close(fd)?;
    for path in ["file", "link", "missing", "/dev/null"] {
        let read = open(path, O_RDONLY, 0).and_then(|fd| {
            let read = getdents(fd, 4096).map(|entries| entries.len());
            close(fd)?;
            read
        });
        report(format_args!("read {path}"), read);
    }
    report(
        "read closed",
        getdents(987, 4096).map(|entries| entries.len()),
    );
    Ok(())
}

/// A room that is too small for the next entry is an error, not an end.
fn rooms() -> io::Result<()> {
    sys::mkdir("one", 0o755)?;
    open("one/a-name-of-twenty-two", O_CREAT | O_RDWR, 0o644).and_then(close)?;
    for room in [0, 1, 16, 23, 24, 25, 40, 47, 48, 72, 95, 96, 97, 4096] {
        let fd = opendir("one")?;
        report(
            format_args!("room for {room}"),
            getdents(fd, room).map(|entries| entries.len()),
        );
        report("    the rest", rest_of(fd).map(|entries| entries.len()));
        close(fd)?;
    }
    Ok(())
}

/// What a directory's offset is, is its own affair; that one can come back to it, is not.
fn offsets() -> io::Result<()> {
    const COUNT: usize = 100;
    for number in 0..COUNT {
        open(&format!("entry-{number:03}"), O_CREAT | O_RDWR, 0o644).and_then(close)?;
    }
    let fd = opendir(".")?;
    let all = rest_of(fd)?;
    let names: BTreeSet<&str> = all.iter().map(|entry| entry.name.as_str()).collect();
    println!("{} entries, {} names", all.len(), names.len());
    let offsets: BTreeSet<i64> = all.iter().map(|entry| entry.offset).collect();
    println!(
        "{} offsets, none negative: {}",
        offsets.len(),
        offsets.iter().all(|&at| at >= 0)
    );
    let mut right = 0;
    for (index, entry) in all.iter().enumerate() {
        sys::lseek(fd, entry.offset, SEEK_SET)?;
        let next = getdents(fd, 100)?;
        right += usize::from(
            next.first().map(|next| &next.name) == all.get(index + 1).map(|next| &next.name),
        );
    }
    println!(
        "after a seek the next one follows: {right} of {}",
        all.len()
    );
    // Another open directory of the same sees the same order.
    let other = opendir(".")?;
    println!("the same order: {}", rest_of(other)? == all);
    report("rewind", sys::lseek(fd, 0, SEEK_SET));
    println!("again the same: {}", rest_of(fd)? == all);
    report("from the end", sys::lseek(fd, 0, SEEK_END));
    report("before the start", sys::lseek(fd, -1, SEEK_SET));
    report("where it is", sys::lseek(fd, 0, SEEK_CUR).map(|at| at > 0));
    report("data", sys::lseek(fd, 0, libc::SEEK_DATA));
    let copy = sys::dup(fd)?;
    sys::lseek(fd, 0, SEEK_SET)?;
    let first = getdents(fd, 1000)?.len();
    println!(
        "a copy goes on: {}",
        first + rest_of(copy)?.len() == all.len()
    );
    for fd in [fd, other, copy] {
        close(fd)?;
    }
    Ok(())
}

/// While some come and some go, what stays is seen once.
fn changes() -> io::Result<()> {
    clear()?;
    let make = |name: &str| open(name, O_CREAT | O_RDWR, 0o644).and_then(close);
    for number in 0..400 {
        make(&format!("stays-{number:03}"))?;
        make(&format!("goes-{number:03}"))?;
    }
    let fd = opendir(".")?;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut round = 0;
    loop {
        let entries = getdents(fd, 700)?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            *seen.entry(entry.name).or_default() += 1;
        }
        for number in (round * 9..).take(9) {
            let _ = sys::unlink(&format!("goes-{number:03}"));
            let _ = sys::unlink(&format!("goes-{:03}", 399 - number.min(399)));
            // Some are replaced, others are new; neither may turn up without end.
            if round < 30 {
                make(&format!("new-{number:03}"))?;
                sys::rename(&format!("new-{number:03}"), &format!("renamed-{number:03}"))?;
            }
        }
        round += 1;
    }
    let of = |start: &str| {
        seen.iter()
            .filter(|(name, _)| name.starts_with(start))
            .collect::<Vec<_>>()
    };
    let stays = of("stays-");
    println!(
        "stayed: {} seen, {} of them once",
        stays.len(),
        stays.iter().filter(|entry| *entry.1 == 1).count()
    );
    println!(
        "gone or new, seen twice: {}",
        seen.values().filter(|&&count| count > 1).count()
    );
    println!("dots: {:?} {:?}", seen.get("."), seen.get(".."));
    println!(
        "ended after {}",
        if round < 10_000 {
            "a while"
        } else {
            "too long"
        }
    );
    sys::lseek(fd, 0, SEEK_SET)?;
    let names: BTreeSet<String> = rest_of(fd)?.into_iter().map(|entry| entry.name).collect();
    let count = |start: &str| names.iter().filter(|name| name.starts_with(start)).count();
    println!(
        "now there are {} {} {}",
        count("stays-"),
        count("goes-"),
        count("renamed-")
    );
    close(fd)?;
    clear()
}

/// As `rm -r` does it: read some, remove them, read on.
fn removal_while_reading() -> io::Result<()> {
    sys::mkdir("victim", 0o755)?;
    for number in 0..1000 {
        sys::mknod(&format!("victim/{number}"), libc::S_IFREG | 0o644, 0)?;
    }
    let fd = opendir("victim")?;
    let mut removed = 0;
    loop {
        let entries = getdents(fd, 2000)?;
        if entries.is_empty() {
            break;
        }
        for entry in entries.iter().filter(|entry| !entry.name.starts_with('.')) {
            sys::unlinkat(fd, &entry.name, 0)?;
            removed += 1;
        }
    }
    println!("removed {removed}, left {:?}", names_in(HERE, "victim")?);
    close(fd)?;
    report("rmdir", sys::rmdir("victim"));
    Ok(())
}

fn many() -> io::Result<()> {
    const COUNT: usize = 20_000;
    sys::mkdir("crowd", 0o755)?;
    let dir = opendir("crowd")?;
    for number in 0..COUNT {
        sys::mknodat(dir, &format!("{number:x}"), libc::S_IFREG | 0o600, 0)?;
    }
    let names: BTreeSet<String> = rest_of(dir)?.into_iter().map(|entry| entry.name).collect();
    println!("{} names", names.len());
    report("one of them", stat("crowd/4e1f").map(|stat| stat.st_size));
    report("one more", stat("crowd/4e20").map(|stat| stat.st_size));
    for number in (0..COUNT).filter(|number| number % 3 != 0) {
        sys::unlinkat(dir, &format!("{number:x}"), 0)?;
    }
    sys::lseek(dir, 0, SEEK_SET)?;
    println!("{} left", rest_of(dir)?.len());
    for number in (0..COUNT).step_by(3) {
        sys::unlinkat(dir, &format!("{number:x}"), 0)?;
    }
    close(dir)?;
    report("rmdir", sys::rmdir("crowd"));
    Ok(())
}
