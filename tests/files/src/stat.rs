//! What is known about files, by every call that tells.

use std::ffi::CStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use test_support::{checked, report};

const CWD: i32 = libc::AT_FDCWD;

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    for name in [
        "a.txt",
        "empty",
        "lines.txt",
        "tool.sh",
        "sub",
        "link",
        "link-dir",
    ] {
        println!("{name}: {}", describe(&fs::metadata(name)?));
    }
    println!("link itself: {}", describe(&fs::symlink_metadata("link")?));
    let file = File::open("lines.txt")?;
    println!("by descriptor: {}", describe(&file.metadata()?));
    println!(
        "directory by descriptor: {}",
        describe(&File::open("sub")?.metadata()?)
    );
    same_file()?;
    old_calls(&file);
    Ok(())
}

fn describe(data: &Metadata) -> String {
    let executable = data.permissions().mode() & 0o100 != 0;
    // The size of a directory is the file system's own affair.
    let size = if data.is_dir() {
        "-".to_owned()
    } else {
        data.len().to_string()
    };
    format!(
        "type {:o} size {size} executable {executable} block size {} times {}",
        data.mode() & libc::S_IFMT,
        data.blksize() > 0,
        data.modified().is_ok(),
    )
}

/// One file, whichever way it is reached.
fn same_file() -> io::Result<()> {
    let identity = |path: &str| fs::metadata(path).map(|data| (data.dev(), data.ino()));
    println!(
        "through a link {}",
        identity("a.txt")? == identity("sub/up")?
    );
    println!(
        "through dots {}",
        identity("a.txt")? == identity("sub/deep/../../a.txt")?
    );
    println!(
        "parent of the directory {}",
        identity("sub/..")? == identity(".")?
    );
    println!("another file {}", identity("a.txt")? == identity("empty")?);
    println!("parent of / {}", identity("/..")? == identity("/")?);
    Ok(())
}

fn old_calls(file: &File) {
    let fstatat = |directory: i32, path: &CStr, flags: i32| {
        let mut data = MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the path ends with a NUL, the buffer has the size of the result.
        checked(unsafe { libc::fstatat(directory, path.as_ptr(), data.as_mut_ptr(), flags) })?;
        // SAFETY: zero is valid for every field, and the call has filled them.
        let data = unsafe { data.assume_init() };
        Ok::<_, io::Error>(format!(
            "{:o} {}",
            data.st_mode & libc::S_IFMT,
            data.st_size
        ))
    };
    let fd = file.as_raw_fd();
    report("newfstatat", fstatat(CWD, c"lines.txt", 0));
    report("newfstatat, link", fstatat(CWD, c"link", 0));
    report(
        "newfstatat, link itself",
        fstatat(CWD, c"link", libc::AT_SYMLINK_NOFOLLOW),
    );
    report(
        "newfstatat, empty path",
        fstatat(fd, c"", libc::AT_EMPTY_PATH),
    );
    report("newfstatat, empty path not allowed", fstatat(fd, c"", 0));
    report("newfstatat, file as directory", fstatat(fd, c"a.txt", 0));
    report("newfstatat, unknown flags", fstatat(CWD, c"a.txt", 1 << 30));
    report("newfstatat, loop", fstatat(CWD, c"self", 0));
    report(
        "newfstatat, loop itself",
        fstatat(CWD, c"self", libc::AT_SYMLINK_NOFOLLOW),
    );
    report("newfstatat, below a file", fstatat(CWD, c"through-file", 0));
}
