//! What the tests of files share: a place for them, and what can be seen of one.

use crate::sys::{self, HERE, close, openat};
use crate::{Outcome, call};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::mem::zeroed;

/// An empty directory on a tmpfs, which is the working directory while this lives; then it is
/// removed. The umask is 022.
pub struct Scratch {
    path: String,
}

/// Where a tmpfs may be; the first that is one is used.
const PLACES: [&str; 3] = ["/dev/shm", "/tmp", "."];

impl Scratch {
    /// Makes the directory and goes there.
    ///
    /// # Errors
    /// There is no tmpfs, or it cannot be written.
    pub fn enter() -> io::Result<Self> {
        let is_tmpfs =
            |place: &&&str| statfs(place).is_ok_and(|info| info.f_type == libc::TMPFS_MAGIC);
        let missing = || io::Error::other(format!("none of {PLACES:?} is a tmpfs"));
        let place = PLACES.iter().find(is_tmpfs).ok_or_else(missing)?;
        let path = format!("{place}/lintel-test-{}", std::process::id());
        sys::umask(0o022)?;
        sys::mkdir(&path, 0o755)?;
        sys::chdir(&path)?;
        // Relative to where we are now, a `.` would mean something else at the end.
        let path = sys::getcwd()?;
        Ok(Self { path })
    }

    /// Its absolute path.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory that stays behind is a nuisance, not a failure of the test.
        let _ = sys::chdir("/");
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Removes everything in the working directory.
///
/// # Errors
/// Something cannot be removed.
pub fn clear() -> io::Result<()> {
    for entry in std::fs::read_dir(".")? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Makes a file with this content, mode 0644.
///
/// # Errors
/// What open(2) and write(2) report.
pub fn make(path: &str, content: &[u8]) -> io::Result<()> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC;
    let fd = sys::open(path, flags, 0o644)?;
    let written = sys::write(fd, content);
    close(fd)?;
    written.map(|_| ())
}

/// The content of a file, as text with escapes.
///
/// # Errors
/// What open(2) and read(2) report.
pub fn content(path: &str) -> io::Result<String> {
    let fd = sys::open(path, libc::O_RDONLY, 0)?;
    let content = content_of(fd);
    close(fd)?;
    content
}

/// The content of an open file from its start, at most 64 KiB of it, read with pread(2).
///
/// # Errors
/// What pread(2) reports.
pub fn content_of(fd: i64) -> io::Result<String> {
    let mut room = vec![0; 1 << 16];
    let length = sys::pread(fd, &mut room, 0)? as usize;
    Ok(room[..length].escape_ascii().to_string())
}

/// fstatat(2).
///
/// # Errors
/// What the call reports.
pub fn stat_at(dir: i64, path: &str, flags: i32) -> io::Result<libc::stat> {
    let path = std::ffi::CString::new(path)?;
    // SAFETY: a structure of integers, which may all be 0.
    let mut stat: libc::stat = unsafe { zeroed() };
    let args = [
        dir as u64,
        path.as_ptr() as u64,
        (&raw mut stat) as u64,
        flags as u64,
    ];
    call(libc::SYS_newfstatat, &args)?;
    Ok(stat)
}

/// stat(2).
///
/// # Errors
/// What the call reports.
pub fn stat(path: &str) -> io::Result<libc::stat> {
    stat_at(HERE, path, 0)
}

/// lstat(2).
///
/// # Errors
/// What the call reports.
pub fn lstat(path: &str) -> io::Result<libc::stat> {
    stat_at(HERE, path, libc::AT_SYMLINK_NOFOLLOW)
}

/// fstat(2).
///
/// # Errors
/// What the call reports.
pub fn fstat(fd: i64) -> io::Result<libc::stat> {
    // SAFETY: a structure of integers, which may all be 0.
    let mut stat: libc::stat = unsafe { zeroed() };
    call(libc::SYS_fstat, &[fd as u64, (&raw mut stat) as u64])?;
    Ok(stat)
}

/// statfs(2).
///
/// # Errors
/// What the call reports.
pub fn statfs(path: &str) -> io::Result<libc::statfs> {
    let path = std::ffi::CString::new(path)?;
    // SAFETY: a structure of integers, which may all be 0.
    let mut info: libc::statfs = unsafe { zeroed() };
    call(
        libc::SYS_statfs,
        &[path.as_ptr() as u64, (&raw mut info) as u64],
    )?;
    Ok(info)
}

/// The flags of a mount that statfs(2) tells: `ST_RDONLY` and its like.
///
/// # Errors
/// What the call reports.
pub fn mount_flags(path: &str) -> io::Result<u64> {
    /// Where `f_flags` is in `struct statfs` of x86-64, in words.
    const FLAGS: usize = 10;
    let path = std::ffi::CString::new(path)?;
    let mut info = [0_u64; 15];
    call(
        libc::SYS_statfs,
        &[path.as_ptr() as u64, info.as_mut_ptr() as u64],
    )?;
    Ok(info[FLAGS])
}

/// fstatfs(2).
///
/// # Errors
/// What the call reports.
pub fn fstatfs(fd: i64) -> io::Result<libc::statfs> {
    // SAFETY: a structure of integers, which may all be 0.
    let mut info: libc::statfs = unsafe { zeroed() };
    call(libc::SYS_fstatfs, &[fd as u64, (&raw mut info) as u64])?;
    Ok(info)
}

/// A word for the type of a file.
pub fn kind(mode: u32) -> &'static str {
    match mode & libc::S_IFMT {
        libc::S_IFREG => "file",
        libc::S_IFDIR => "directory",
        libc::S_IFLNK => "link",
        libc::S_IFIFO => "fifo",
        libc::S_IFSOCK => "socket",
        libc::S_IFCHR => "character device",
        libc::S_IFBLK => "block device",
        _ => "nothing known",
    }
}

/// Type, permissions, links and size: what is the same wherever the file is.
pub fn looks(stat: &libc::stat) -> String {
    let mode = stat.st_mode & 0o7777;
    format!(
        "{} {mode:04o} links {} size {}",
        kind(stat.st_mode),
        stat.st_nlink,
        stat.st_size
    )
}

/// A directory's entry as getdents64(2) gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// `d_type`.
    pub kind: u8,
    /// `d_off`: where the next entry is.
    pub offset: i64,
    /// The inode.
    pub inode: u64,
}

/// One getdents64(2) with room for `room` bytes: the entries, none at the end.
///
/// # Errors
/// What the call reports.
pub fn getdents(fd: i64, room: usize) -> io::Result<Vec<Entry>> {
    const HEAD: usize = 19;
    let mut words = vec![0_u64; room.div_ceil(8)];
    let args = [fd as u64, words.as_mut_ptr() as u64, room as u64];
    let length = call(libc::SYS_getdents64, &args)? as usize;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let mut rest = &bytes[..length];
    let mut entries = Vec::new();
    while rest.len() > HEAD {
        let word = |at: usize| u64::from_ne_bytes(rest[at..at + 8].try_into().unwrap_or_default());
        let size = usize::from(u16::from_ne_bytes([rest[16], rest[17]]));
        let name = rest[HEAD..size].split(|&byte| byte == 0).next();
        entries.push(Entry {
            name: name.unwrap_or_default().escape_ascii().to_string(),
            kind: rest[18],
            offset: word(8) as i64,
            inode: word(0),
        });
        rest = &rest[size..];
    }
    Ok(entries)
}

/// All entries of an open directory from where it stands.
///
/// # Errors
/// What getdents64(2) reports.
pub fn rest_of(fd: i64) -> io::Result<Vec<Entry>> {
    let mut all = Vec::new();
    loop {
        let some = getdents(fd, 4096)?;
        if some.is_empty() {
            return Ok(all);
        }
        all.extend(some);
    }
}

/// What is in a directory, sorted, without the dots: `a b/ c@` (a file, a directory, a link).
///
/// # Errors
/// What openat(2) and getdents64(2) report.
pub fn names_in(dir: i64, path: &str) -> io::Result<String> {
    let fd = openat(dir, path, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    let entries = rest_of(fd);
    close(fd)?;
    let mut names: Vec<String> = entries?
        .into_iter()
        .filter(|entry| entry.name != "." && entry.name != "..")
        .map(|entry| entry.name + mark(entry.kind))
        .collect();
    names.sort();
    Ok(names.join(" "))
}

fn mark(kind: u8) -> &'static str {
    match kind {
        libc::DT_DIR => "/",
        libc::DT_LNK => "@",
        libc::DT_REG => "",
        libc::DT_CHR => "%",
        libc::DT_FIFO => "|",
        libc::DT_SOCK => "=",
        _ => "?",
    }
}

/// Everything below the working directory, with contents and targets, on one line:
/// `a=text b/ b/c=more d->a`. Names of one inode are joined: `a,e=text`.
///
/// # Errors
/// Something cannot be read.
pub fn tree() -> io::Result<String> {
    let mut found = Vec::new();
    walk("", &mut found)?;
    found.sort();
    let mut names: BTreeMap<(u64, String), Vec<String>> = BTreeMap::new();
    let mut order = Vec::new();
    for (path, inode, what) in found {
        let key = (inode, what);
        let known = names.entry(key.clone()).or_default();
        if known.is_empty() {
            order.push(key);
        }
        known.push(path);
    }
    let mut text = String::new();
    for key in order {
        let separator = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{separator}{}{}", names[&key].join(","), key.1);
    }
    Ok(text)
}

fn walk(dir: &str, found: &mut Vec<(String, u64, String)>) -> io::Result<()> {
    let here = if dir.is_empty() { "." } else { dir };
    let fd = sys::open(here, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    let entries = rest_of(fd);
    close(fd)?;
    for entry in entries? {
        if entry.name == "." || entry.name == ".." {
            continue;
        }
        let path = if dir.is_empty() {
            entry.name
        } else {
            format!("{dir}/{}", entry.name)
        };
        let stat = lstat(&path)?;
        let what = match stat.st_mode & libc::S_IFMT {
            libc::S_IFDIR => "/".to_owned(),
            libc::S_IFREG => format!("={}", content(&path)?),
            libc::S_IFLNK => format!("->{}", sys::readlink(&path)?),
            _ => format!("({} {:x})", kind(stat.st_mode), stat.st_rdev),
        };
        found.push((path.clone(), stat.st_ino, what));
        if stat.st_mode & libc::S_IFMT == libc::S_IFDIR {
            walk(&path, found)?;
        }
    }
    Ok(())
}

/// Forgets the value of an outcome: `ok` is all that is the same everywhere.
///
/// # Errors
/// The outcome's.
pub fn done(outcome: Outcome) -> io::Result<&'static str> {
    outcome.map(|_| "ok")
}
