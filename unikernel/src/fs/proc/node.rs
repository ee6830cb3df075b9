//! The tree of procfs and sysfs: static tables of entries, and directories whose members are
//! numbers (processes, threads, descriptors).
//!
//! A [`Node`] is a place in the tree: an entry of a table, and the thread and the number that were
//! chosen on the way to it. It is small, it can be copied, and making one allocates nothing.

use super::entry::{At, Entry, Jump, Number, Series, What};
use super::source::Source;
use super::text::Text;
use crate::errno::{Errno, SysResult};
use linux_raw_sys::general::{S_IFDIR, S_IFLNK, S_IFREG};

/// How the files around behave where Linux's file systems differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// procfs: a write that nobody takes is `EIO`.
    Machine,
    /// The part of procfs about processes: it is `EINVAL`.
    Process,
    /// `/proc/sys`: permissions hold for root, too.
    Variable,
    /// sysfs: likewise, and a file has the size of a page.
    Kernel,
    /// The control groups: likewise, but files have no size.
    Group,
}

/// The type of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
}

/// A place in the tree.
#[derive(Clone, Copy)]
pub struct Node {
    entry: &'static Entry,
    family: Family,
    thread: u32,
    number: u32,
}

impl core::fmt::Debug for Node {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.entry.name)
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.entry, other.entry)
            && (self.thread, self.number) == (other.thread, other.number)
    }
}

impl Eq for Node {}

/// The name of a member of a directory.
pub type Name = heapless::Vec<u8, 32>;

/// A member of a directory, as a listing finds it.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub name: Name,
    /// What has the name.
    pub node: Node,
    /// Where the listing goes on behind it.
    pub next: u64,
}

impl Node {
    /// The root directory of procfs.
    pub const PROC: Self = Self::root(&super::root::ROOT, Family::Machine);
    /// The root directory of sysfs.
    pub const SYS: Self = Self::root(&crate::fs::sysfs::ROOT, Family::Kernel);
    /// The root directory of the control groups (version 2).
    pub const CGROUP: Self = Self::root(&crate::fs::sysfs::CGROUP, Family::Group);

    const fn root(entry: &'static Entry, family: Family) -> Self {
        Self {
            entry,
            family,
            thread: 0,
            number: 0,
        }
    }

    /// Its type.
    pub const fn kind(self) -> Kind {
        match self.entry.what {
            What::Constant(_) | What::File(_) | What::Variable(..) => Kind::File,
            What::Directory(_) | What::Variables(_) | What::Series(..) => Kind::Directory,
            What::Link(_) | What::Jump(..) => Kind::Link,
        }
    }

    /// `st_mode`. The link of a descriptor has the permissions that the descriptor has.
    pub fn mode(self, source: Source) -> u32 {
        let mut mode = u32::from(self.entry.mode);
        if let What::Jump(Jump::Descriptor, _) = self.entry.what {
            let open = source.files.descriptor(self.number).unwrap_or_default();
            mode = 0o100 | u32::from(open.read) << 8 | u32::from(open.write) << 7;
        }
        mode | match self.kind() {
            Kind::Directory => S_IFDIR,
            Kind::File => S_IFREG,
            Kind::Link => S_IFLNK,
        }
    }

    /// `st_ino`: the same for the same place, different for different ones of one file system.
    pub fn inode(self) -> u64 {
        // Entries are 8-byte aligned and never move; an image has less than 2 GiB.
        let entry = core::ptr::from_ref(self.entry) as u64 >> 3 & 0xfff_ffff;
        entry | u64::from(self.number) << 28 | u64::from(self.thread) << 48
    }

    /// `st_nlink`: a directory's subdirectories refer to it.
    pub fn links(self) -> u32 {
        let is_directory = |entry: &&Entry| {
            matches!(
                entry.what,
                What::Directory(_) | What::Variables(_) | What::Series(..)
            )
        };
        match self.kind() {
            Kind::Directory => 2 + self.table().iter().filter(is_directory).count() as u32,
            _ => 1,
        }
    }

    /// `st_size`: nothing, but a page for a file of sysfs.
    pub const fn size(self) -> u64 {
        match (self.family, self.kind()) {
            (Family::Kernel, Kind::File) => 4096,
            _ => 0,
        }
    }

    /// Whether its permissions hold for root, too (`EACCES`).
    pub const fn is_strict(self) -> bool {
        !matches!(self.family, Family::Machine | Family::Process)
    }

    /// Whether the process may search and list it whatever the mode says: its own descriptors
    /// (`proc_fd_permission`).
    pub const fn lists_descriptors(self) -> bool {
        match self.entry.what {
            What::Series(_, series) => {
                matches!(series.member.what, What::Jump(Jump::Descriptor, _))
            }
            _ => false,
        }
    }

    /// The number in its name: of a descriptor, for instance.
    pub const fn number(self) -> u32 {
        self.number
    }

    /// Whether a name in this directory means the same for ever, or stays unused for ever; others
    /// must be looked up each time.
    pub fn is_stable(self, name: &[u8]) -> bool {
        match self.entry.what {
            What::Series(fixed, _) => fixed.iter().any(|entry| entry.name.as_bytes() == name),
            _ => true,
        }
    }

    fn table(self) -> &'static [Entry] {
        match self.entry.what {
            What::Directory(table) | What::Variables(table) | What::Series(table, _) => table,
            _ => &[],
        }
    }

    fn at(self, source: Source) -> At {
        At {
            source,
            thread: self.thread,
            number: self.number,
        }
    }

    fn child(self, entry: &'static Entry) -> Self {
        let family = match entry.what {
            What::Variables(_) => Family::Variable,
            _ => self.family,
        };
        Self {
            entry,
            family,
            ..self
        }
    }

    fn member(self, series: &'static Series, number: u32) -> Self {
        let child = Self {
            family: Family::Process,
            ..self.child(&series.member)
        };
        match series.is {
            Number::Process => child,
            Number::Thread => Self {
                thread: number,
                ..child
            },
            Number::Other => Self {
                number,
                family: self.family,
                ..child
            },
        }
    }

    /// The node `name` of this directory: `ENOENT`, or `ENOTDIR` when this is none.
    pub fn lookup(self, source: Source, name: &[u8]) -> Result<Self, Errno> {
        if self.kind() != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        let known = self.table().iter();
        if let Some(entry) = known.into_iter().find(|e| e.name.as_bytes() == name) {
            return Ok(self.child(entry));
        }
        let What::Series(_, series) = self.entry.what else {
            return Err(Errno::ENOENT);
        };
        let digits = name.strip_prefix(series.member.name.as_bytes());
        let number = digits.and_then(decimal).ok_or(Errno::ENOENT)?;
        match (series.next)(&self.at(source), number) {
            Some(next) if next == number => Ok(self.member(series, number)),
            _ => Err(Errno::ENOENT),
        }
    }

    /// The member of this directory at position `from` (0 is the first; `.` and `..` are not
    /// among them), or the first behind it. Positions of members stay the same while others come
    /// and go.
    pub fn list(self, source: Source, from: u64) -> Option<Member> {
        let table = self.table();
        if let Some(entry) = usize::try_from(from).ok().and_then(|i| table.get(i)) {
            return Some(Member {
                name: Name::from_slice(entry.name.as_bytes()).ok()?,
                node: self.child(entry),
                next: from + 1,
            });
        }
        let What::Series(_, series) = self.entry.what else {
            return None;
        };
        let first = u32::try_from(from.checked_sub(table.len() as u64)?).ok()?;
        let number = (series.next)(&self.at(source), first)?;
        Some(Member {
            name: numbered(series.member.name, number)?,
            node: self.member(series, number),
            next: table.len() as u64 + u64::from(number) + 1,
        })
    }

    /// Writes a file's content: `EISDIR` for a directory, `EINVAL` for a link.
    pub fn read(self, source: Source, into: &mut Text) -> Result<(), Errno> {
        match self.entry.what {
            What::Constant(text) => {
                into.str(text);
            }
            What::File(make) | What::Variable(make, _) => make(&self.at(source), into)?,
            _ if self.kind() == Kind::Directory => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
        into.finish().map(|_| ())
    }

    /// Writes `bytes` to a file at position `at`; returns how many it took. `EIO` or `EINVAL` for a
    /// file that takes nothing.
    pub fn write(self, source: Source, at: u64, bytes: &[u8]) -> SysResult {
        match self.entry.what {
            What::Variable(_, take) => take(&self.at(source), at, bytes),
            _ if self.family == Family::Machine => Err(Errno::EIO),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Writes the target of a link, `EINVAL` if this is none.
    pub fn target(self, source: Source, into: &mut Text) -> Result<(), Errno> {
        match self.entry.what {
            What::Link(make) | What::Jump(_, make) => make(&self.at(source), into)?,
            _ => return Err(Errno::EINVAL),
        }
        into.finish().map(|_| ())
    }

    /// Where the link leads if not to where its text says.
    pub const fn jump(self) -> Option<Jump> {
        match self.entry.what {
            What::Jump(jump, _) => Some(jump),
            _ => None,
        }
    }
}

/// A number as procfs has it in names: decimal digits, no leading zero.
fn decimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    digits.iter().try_fold(0u32, |number, &digit| {
        let digit = (digit as char).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn numbered(prefix: &str, number: u32) -> Option<Name> {
    let mut name = Name::from_slice(prefix.as_bytes()).ok()?;
    let mut power = 1_000_000_000;
    while power > 1 && number < power {
        power /= 10;
    }
    while power > 0 {
        name.push(b'0' + (number / power % 10) as u8).ok()?;
        power /= 10;
    }
    Some(name)
}
