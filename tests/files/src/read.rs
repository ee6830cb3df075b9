//! Reading and seeking.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use test_support::{call, checksum, report};

/// Whole files, lines, pieces of several sizes, several buffers at once.
pub fn read() -> io::Result<()> {
    println!("a.txt {:?}", fs::read_to_string("a.txt")?);
    println!("empty {:?}", fs::read_to_string("empty")?);
    println!("unicode name {:?}", fs::read_to_string("ünï cödé.txt")?);
    let lines = fs::read("lines.txt")?;
    println!(
        "lines.txt {} bytes, checksum {:016x}",
        lines.len(),
        checksum(&lines)
    );
    let count = BufReader::new(File::open("lines.txt")?).lines().count();
    println!("lines.txt {count} lines");

    for size in [1_usize, 7, 4096, 8191, 65536] {
        let mut file = File::open("lines.txt")?;
        let mut piece = vec![0; size];
        let mut all = Vec::new();
        loop {
            let length = file.read(&mut piece)?;
            if length == 0 {
                break;
            }
            all.extend_from_slice(&piece[..length]);
        }
        println!("in pieces of {size}: the same {}", all == lines);
    }

    let mut file = File::open("a.txt")?;
    let (mut first, mut second) = ([0; 5], [0; 20]);
    let mut pieces = [
        io::IoSliceMut::new(&mut first),
        io::IoSliceMut::new(&mut second),
    ];
    let length = file.read_vectored(&mut pieces)?;
    println!(
        "readv {length} {:?} {:?}",
        &first,
        &second[..length - first.len()]
    );
    let fd = file.as_raw_fd() as u64;
    report(
        "read of nothing",
        call(libc::SYS_read, &[fd, second.as_mut_ptr() as u64, 0]),
    );
    Ok(())
}

/// Positions.
pub fn seek() -> io::Result<()> {
    let mut file = File::open("lines.txt")?;
    let end = file.seek(SeekFrom::End(0))?;
    println!("end {end}");
    println!("behind it {:?}", file.read(&mut [0; 8])?);
    println!("10 before it {}", file.seek(SeekFrom::End(-10))?);
    let mut rest = String::new();
    file.read_to_string(&mut rest)?;
    println!("from there {rest:?}");
    println!("far away {}", file.seek(SeekFrom::Start(1 << 40))?);
    println!("there {:?}", file.read(&mut [0; 8])?);
    file.seek(SeekFrom::Start(100))?;
    println!("forth and back {}", file.seek(SeekFrom::Current(-50))?);

    let mut piece = [0; 12];
    println!("pread {}", file.read_at(&mut piece, 5000)?);
    println!("got {:?}", String::from_utf8_lossy(&piece));
    println!("pread past the end {}", file.read_at(&mut piece, end - 3)?);
    println!("position {}", file.stream_position()?);

    let fd = file.as_raw_fd() as u64;
    let lseek =
        |offset: i64, whence: i32| call(libc::SYS_lseek, &[fd, offset as u64, whence as u64]);
    report("before the start", lseek(-1, libc::SEEK_SET));
    report(
        "before the start from the end",
        lseek(-(end as i64) - 1, libc::SEEK_END),
    );
    report("no such origin", lseek(0, 99));
    report("data", lseek(10, libc::SEEK_DATA));
    report("hole", lseek(10, libc::SEEK_HOLE));
    report("data behind the end", lseek(end as i64, libc::SEEK_DATA));
    report("position", lseek(0, libc::SEEK_CUR));
    Ok(())
}
