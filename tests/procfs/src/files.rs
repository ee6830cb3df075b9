//! Generated files as files: parts of reads, positions, types, errors.

use crate::{check, text};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use test_support::{report, report_ok};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let whole = text("/proc/version");
    let mut byte_by_byte = Vec::new();
    let mut file = File::open("/proc/version")?;
    let mut byte = [0];
    while file.read(&mut byte)? == 1 {
        byte_by_byte.push(byte[0]);
    }
    check("byte by byte", byte_by_byte == whole.as_bytes());
    report("at the end", file.read(&mut byte));
    file.seek(SeekFrom::Start(6))?;
    let mut word = [0; 7];
    file.read_exact(&mut word)?;
    println!("from 6 on {:?}", String::from_utf8_lossy(&word));
    file.read_exact_at(&mut word, 0)?;
    println!("from 0 on {:?}", String::from_utf8_lossy(&word));
    report("far behind the end", file.read_at(&mut byte, 1 << 40));
    let same = text("/proc/self/limits");
    let mut small = io::BufReader::with_capacity(64, File::open("/proc/self/limits")?);
    let mut pieces = String::new();
    small.read_to_string(&mut pieces)?;
    check("in small pieces", pieces == same);

    for path in [
        "/proc",
        "/proc/self/",
        "/proc/self/task",
        "/proc/sys",
        "/proc/version",
        "/proc/self/maps",
        "/proc/self/environ",
        "/proc/self/comm",
        "/sys",
        "/sys/devices/system/cpu",
        "/sys/devices/system/cpu/online",
    ] {
        let found = fs::metadata(path)?;
        println!("{path} {:o} {}", found.permissions().mode(), found.len());
    }
    for path in [
        "/proc/self",
        "/proc/mounts",
        "/proc/self/exe",
        "/proc/self/fd/0",
    ] {
        let found = fs::symlink_metadata(path)?;
        println!("{path} is a link {}", found.is_symlink());
    }
    check(
        "a device of its own",
        fs::metadata("/proc")?.dev() != fs::metadata("/sys")?.dev(),
    );
    check(
        "one inode number each",
        fs::metadata("/proc/version")?.ino() != fs::metadata("/proc/uptime")?.ino(),
    );
    check(
        "the same inode number",
        fs::metadata("/proc/version")?.ino() == fs::metadata("/proc/version")?.ino(),
    );

    report_ok("missing", File::open("/proc/missing"));
    report_ok("missing in self", File::open("/proc/self/missing"));
    report_ok("missing in sys", File::open("/proc/sys/missing"));
    report_ok("below a file", File::open("/proc/version/below"));
    report(
        "a directory",
        File::open("/proc/self").and_then(|mut file| file.read(&mut byte)),
    );
    for path in ["/proc/new", "/proc/self/new", "/proc/sys/new"] {
        report_ok(path, File::create(path));
        report_ok(format_args!("directory {path}"), fs::create_dir(path));
    }
    statfs();
    Ok(())
}

/// `f_type`, which tells the file systems apart.
fn statfs() {
    for path in [c"/proc", c"/proc/self/maps", c"/sys"] {
        let mut info = std::mem::MaybeUninit::<libc::statfs>::zeroed();
        // SAFETY: a path that ends with NUL, and a buffer of the right size.
        let result = unsafe { libc::statfs(path.as_ptr(), info.as_mut_ptr()) };
        // SAFETY: zero is valid for every field.
        let info = unsafe { info.assume_init() };
        println!("{} {result} {:#x}", path.to_string_lossy(), info.f_type);
    }
}
