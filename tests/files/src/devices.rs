//! The devices every program may expect.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use test_support::report;

const LENGTH: usize = 10_000;

fn open(name: &str) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(name)
}

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    for name in [
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/urandom",
        "/dev/random",
    ] {
        let data = fs::metadata(name)?;
        let (major, minor) = (libc::major(data.rdev()), libc::minor(data.rdev()));
        let kind = data.file_type().is_char_device();
        println!(
            "{name} character device {kind} {major}:{minor} {} bytes",
            data.len()
        );
    }
    for name in ["/dev/null", "/dev/zero", "/dev/full"] {
        let mut device = open(name)?;
        let mut buffer = vec![0xaa_u8; LENGTH];
        report(format_args!("{name} read"), device.read(&mut buffer));
        println!(
            "{name} zeros {}",
            buffer.iter().filter(|&&byte| byte == 0).count()
        );
        report(format_args!("{name} write"), device.write(&buffer));
        report(format_args!("{name} write of nothing"), device.write(&[]));
        report(
            format_args!("{name} seek"),
            device.seek(SeekFrom::Start(10)),
        );
    }
    let (mut first, mut second) = (vec![0; LENGTH], vec![0; LENGTH]);
    let mut random = File::open("/dev/urandom")?;
    report("/dev/urandom read", random.read(&mut first));
    random.read_exact(&mut second)?;
    println!("two reads differ {}", first != second);
    let mut seen = [false; 256];
    first
        .iter()
        .for_each(|&byte| seen[usize::from(byte)] = true);
    println!("every byte occurs {}", seen.iter().all(|&seen| seen));
    report("/dev/missing", File::open("/dev/missing").map(|_| "opened"));
    Ok(())
}
