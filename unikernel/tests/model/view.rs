//! What can be seen of files, in a form in which two worlds can be compared.

use super::world::{World, name_of};
use std::fmt;
use std::mem::zeroed;

/// A point in time: one that was set (they all lie in the past), or the clock's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Taken from the clock.
    Now,
    /// Set by utimensat(2): seconds and nanoseconds.
    Set(i64, i64),
}

/// Times from here on (in 2017) are the clock's; operations set earlier ones.
const CLOCK_BEGINS: i64 = 1_500_000_000;

impl Time {
    /// The time a kernel tells.
    pub fn new(seconds: i64, nanoseconds: i64) -> Self {
        match seconds {
            CLOCK_BEGINS.. => Self::Now,
            _ => Self::Set(seconds, nanoseconds),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::Set(seconds, nanoseconds) => write!(f, "{seconds}.{nanoseconds:09}"),
        }
    }
}

/// stat(2), without what is a world's own (device, inode).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    mode: u32,
    nlink: u64,
    owner: (u32, u32),
    rdev: u64,
    size: i64,
    blocks: i64,
    block_size: i64,
    times: [Time; 3],
}

impl fmt::Debug for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "mode {:o} nlink {} owner {:?} rdev {:x} size {} blocks {} of {} a/m/ctime {:?}",
            self.mode,
            self.nlink,
            self.owner,
            self.rdev,
            self.size,
            self.blocks,
            self.block_size,
            self.times
        )
    }
}

impl Stat {
    /// What a `struct stat` says.
    pub fn new(stat: &libc::stat) -> Self {
        Self {
            mode: stat.st_mode,
            nlink: stat.st_nlink,
            owner: (stat.st_uid, stat.st_gid),
            rdev: stat.st_rdev,
            size: stat.st_size,
            blocks: stat.st_blocks,
            block_size: stat.st_blksize,
            times: [
                Time::new(stat.st_atime, stat.st_atime_nsec),
                Time::new(stat.st_mtime, stat.st_mtime_nsec),
                Time::new(stat.st_ctime, stat.st_ctime_nsec),
            ],
        }
    }

    /// The type of the file, as bits of `st_mode`.
    pub fn kind(&self) -> u32 {
        self.mode & libc::S_IFMT
    }

    /// The size in bytes.
    pub fn size(&self) -> i64 {
        self.size
    }
}

/// fstatat(2) of `path`, which ends with NUL: the description and the inode, or the error.
pub fn stat_at(world: &World, dir: i32, path: &[u8], flags: i32) -> Result<(Stat, u64), isize> {
    // SAFETY: a structure of integers, which may all be 0.
    let mut stat: libc::stat = unsafe { zeroed() };
    let buffer = (&raw mut stat) as usize;
    let args = [dir as usize, path.as_ptr() as usize, buffer, flags as usize];
    match world.call(libc::SYS_newfstatat, &args) {
        0 => Ok((Stat::new(&stat), stat.st_ino)),
        error => Err(error),
    }
}

/// fstat(2), by way of the empty path.
pub fn stat_of(world: &World, fd: i32) -> Result<(Stat, u64), isize> {
    stat_at(world, fd, b"\0", libc::AT_EMPTY_PATH)
}

/// A directory's entry.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub name: Vec<u8>,
    /// `d_type`.
    pub kind: u8,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name.escape_ascii(), self.kind)
    }
}

/// All entries of the directory `fd`, sorted: rewinds, then reads in small pieces. Errors are those
/// of lseek(2) and getdents64(2).
pub fn list(world: &World, fd: i32) -> Result<Vec<Entry>, isize> {
    const PIECE: usize = 600;
    let rewound = world.call(libc::SYS_lseek, &[fd as usize, 0, 0]);
    if rewound < 0 {
        return Err(rewound);
    }
    let mut entries = Vec::new();
    let mut piece = [0_u64; PIECE / 8];
    loop {
        let args = [fd as usize, piece.as_mut_ptr() as usize, PIECE];
        let length = world.call(libc::SYS_getdents64, &args);
        match usize::try_from(length) {
            Err(_) => return Err(length),
            Ok(0) => break,
            Ok(length) => parse(&bytes_of(&piece)[..length], &mut entries),
        }
    }
    entries.sort();
    Ok(entries)
}

fn bytes_of(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// Takes `struct linux_dirent64`s apart (getdents64(2)).
fn parse(mut piece: &[u8], entries: &mut Vec<Entry>) {
    const HEAD: usize = 19;
    while piece.len() > HEAD {
        let length = usize::from(u16::from_ne_bytes([piece[16], piece[17]]));
        let name = &piece[HEAD..length];
        let end = name.iter().position(|&byte| byte == 0);
        entries.push(Entry {
            name: name[..end.unwrap_or(name.len())].to_vec(),
            kind: piece[18],
        });
        piece = &piece[length..];
    }
}

/// Something that an operation left behind beside its result.
#[derive(Clone, PartialEq, Eq)]
pub enum Detail {
    /// The bytes of a buffer, the untouched ones included.
    Bytes(Vec<u8>),
    /// A description.
    Stat(Stat),
    /// What statx(2) says: its mask, the description, and whether there is a birth time.
    Statx(u32, Stat, bool),
    /// A file offset.
    Offset(i64),
    /// A directory's content.
    List(Vec<Entry>),
    /// A path below the run's outermost directory.
    Path(String),
}

impl fmt::Debug for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{}", Runs(bytes)),
            Self::Stat(stat) => stat.fmt(f),
            Self::Statx(mask, stat, born) => write!(f, "mask {mask:#x} {stat:?} birth {born}"),
            Self::Offset(offset) => write!(f, "offset {offset}"),
            Self::List(entries) => entries.fmt(f),
            Self::Path(path) => path.fmt(f),
        }
    }
}

/// Bytes as runs of equal ones: `3 × 00, 5 × 61`.
struct Runs<'a>(&'a [u8]);

impl fmt::Display for Runs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for run in self.0.chunk_by(|a, b| a == b).take(20) {
            write!(f, "{separator}{} × {:02x}", run.len(), run[0])?;
            separator = ", ";
        }
        Ok(())
    }
}

/// What an operation did, as far as its caller can see.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    /// The result of the call, or `-errno`.
    pub code: isize,
    /// What else came back.
    pub details: Vec<Detail>,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name_of(self.code))?;
        for detail in &self.details {
            write!(f, "; {detail:?}")?;
        }
        Ok(())
    }
}
