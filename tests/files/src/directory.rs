//! Directories' entries, and the working directory.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use test_support::{call, report};

/// What the root of a machine has that the directory it was made from has not.
const MOUNTED: [&str; 4] = ["dev", "proc", "sys", "tmp"];

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    list(".")?;
    list("sub")?;
    list("link-dir/deep")?;
    report(
        "a file",
        fs::read_dir("a.txt").map(|entries| entries.count()),
    );
    report(
        "missing",
        fs::read_dir("missing").map(|entries| entries.count()),
    );
    pages()?;
    working_directory()
}

fn list(path: &str) -> io::Result<()> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let kind = match () {
            () if kind.is_dir() => "directory",
            () if kind.is_symlink() => "link",
            () if kind.is_file() => "file",
            () => "other",
        };
        entries.push((entry.file_name().to_string_lossy().into_owned(), kind));
    }
    entries.sort();
    for (name, kind) in entries
        .into_iter()
        .filter(|entry| !MOUNTED.contains(&entry.0.as_str()))
    {
        println!("{path}: {name} {kind}");
    }
    Ok(())
}

/// Reads a directory in pieces of different size, and again after a rewind.
fn pages() -> io::Result<()> {
    let dir = File::open("sub")?;
    let fd = dir.as_raw_fd() as u64;
    let mut counts = Vec::new();
    for size in [64_u64, 100, 256, 4096] {
        report("rewind", call(libc::SYS_lseek, &[fd, 0, 0]));
        counts.push(count_entries(fd, size)?);
    }
    println!("with the two dots, entries by size of piece: {counts:?}");
    let mut room = [0_u64; 2];
    call(libc::SYS_lseek, &[fd, 0, 0])?;
    report(
        "no room",
        call(libc::SYS_getdents64, &[fd, room.as_mut_ptr() as u64, 16]),
    );
    Ok(())
}

fn count_entries(fd: u64, size: u64) -> io::Result<usize> {
    const LENGTH_OFFSET: usize = 16;
    let mut piece = [0_u8; 4096];
    let mut count = 0;
    loop {
        let length = call(libc::SYS_getdents64, &[fd, piece.as_mut_ptr() as u64, size])? as usize;
        if length == 0 {
            return Ok(count);
        }
        let mut at = 0;
        while at < length {
            let length = &piece[at + LENGTH_OFFSET..at + LENGTH_OFFSET + 2];
            at += usize::from(u16::from_ne_bytes([length[0], length[1]]));
            count += 1;
        }
    }
}

fn working_directory() -> io::Result<()> {
    let home = env::current_dir()?;
    let place = || {
        let here = env::current_dir()?;
        Ok::<_, io::Error>(format!("{:?}", here.strip_prefix(&home).unwrap_or(&here)))
    };
    env::set_current_dir("sub")?;
    println!("in {} {:?}", place()?, fs::read_to_string("b.txt")?);
    env::set_current_dir("deep/../deep")?;
    println!("in {} {:?}", place()?, fs::read_to_string("../../a.txt")?);
    report(
        "chdir to a file",
        env::set_current_dir("leaf.txt").map(|()| "done"),
    );
    report(
        "chdir to nothing",
        env::set_current_dir("missing").map(|()| "done"),
    );
    env::set_current_dir(&home)?;
    env::set_current_dir("link-dir")?;
    println!("in {}", place()?);
    env::set_current_dir(&home)
}
