//! `fd` and `fdinfo`.

use crate::{check, text};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use test_support::{checked, report, report_ok};

fn numbers(path: &str) -> io::Result<Vec<i32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(path)? {
        numbers.push(entry?.file_name().to_string_lossy().parse().unwrap_or(-1));
    }
    Ok(numbers)
}

fn value(info: &str, key: &str) -> String {
    let line = |line: &str| {
        line.strip_prefix(key)?
            .strip_prefix(":\t")
            .map(str::to_owned)
    };
    info.lines().find_map(line).unwrap_or_default()
}

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let file = File::open("/proc/version")?;
    let fd = file.as_raw_fd();
    let listed = numbers("/proc/self/fd")?;
    check("sorted", listed.is_sorted());
    check("the standard streams", listed.starts_with(&[0, 1, 2]));
    check("an open file", listed.contains(&fd));
    let infos = numbers("/proc/self/fdinfo")?;
    check("as many infos", infos.len() == listed.len());
    let link = |fd: i32| fs::read_link(format!("/proc/self/fd/{fd}"));
    report("its path", link(fd).map(|path| path.display().to_string()));
    let copy: OwnedFd = file.try_clone()?.into();
    report(
        "of a copy",
        link(copy.as_raw_fd()).map(|path| path.display().to_string()),
    );
    drop(copy);
    // Listing takes a descriptor, too: not this one.
    // SAFETY: a command without a pointer, on a descriptor of ours.
    let high = checked(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 60) })? as i32;
    check("a high number", numbers("/proc/self/fd")?.contains(&high));
    // SAFETY: nobody else has it.
    checked(unsafe { libc::close(high) })?;
    report_ok("closed", link(high));
    report_ok(
        "closed, opened",
        File::open(format!("/proc/self/fd/{high}")),
    );
    check(
        "not listed any more",
        !numbers("/proc/self/fd")?.contains(&high),
    );
    info()?;
    pipes()?;
    Ok(())
}

fn info() -> io::Result<()> {
    let mut file = File::open("/proc/self/exe").or_else(|_| File::open("/proc/version"))?;
    file.seek(SeekFrom::Start(5))?;
    let fd = file.as_raw_fd();
    let read = || text(&format!("/proc/self/fdinfo/{fd}"));
    println!("pos {}", value(&read(), "pos"));
    println!("flags {}", value(&read(), "flags"));
    // SAFETY: a command without a pointer, on a descriptor of ours.
    unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
    println!("flags without FD_CLOEXEC {}", value(&read(), "flags"));
    // SAFETY: as above.
    unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) };
    println!("flags with O_NONBLOCK {}", value(&read(), "flags"));
    check("a mount", value(&read(), "mnt_id").parse::<u32>().is_ok());
    let mode = fs::symlink_metadata(format!("/proc/self/fd/{fd}"))?
        .permissions()
        .mode();
    println!("mode of a link for reading {:o}", mode & 0o777);
    Ok(())
}

fn pipes() -> io::Result<()> {
    let (mut reader, mut writer) = io::pipe()?;
    let link = fs::read_link(format!("/proc/self/fd/{}", reader.as_raw_fd()))?;
    let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
    check("both ends are one pipe", fs::read_link(&path)? == link);
    let inode = fs::metadata(&path)?.ino();
    check(
        "the number is the inode's",
        link.as_os_str() == &format!("pipe:[{inode}]")[..],
    );
    let mode = fs::symlink_metadata(&path)?.permissions().mode();
    println!("mode of a link for writing {:o}", mode & 0o777);
    // Opening the link opens the pipe again.
    let mut other = fs::OpenOptions::new().write(true).open(&path)?;
    other.write_all(b"through the link, ")?;
    writer.write_all(b"directly")?;
    drop((other, writer));
    let mut bytes = String::new();
    reader.read_to_string(&mut bytes)?;
    println!("{bytes}");
    Ok(())
}
