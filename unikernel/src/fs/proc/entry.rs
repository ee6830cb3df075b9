//! What the static tables of procfs and sysfs are made of: names, and what has them.

use super::source::Source;
use super::text::Text;
use crate::errno::{Errno, SysResult};

/// Generates a file's content or a link's target.
pub type Make = fn(&At, &mut Text) -> Result<(), Errno>;

/// Takes what is written to a file at a position; returns the bytes taken.
pub type Take = fn(&At, u64, &[u8]) -> SysResult;

/// What a generator is given.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// Where everything comes from.
    pub source: Source<'a>,
    /// The thread whose directory this is in, or 0 for the process.
    pub thread: u32,
    /// The number in the name: of a descriptor, for instance.
    pub number: u32,
}

/// A name in a static directory.
pub struct Entry {
    /// The name; of a member of a [`Series`], what comes before its number.
    pub name: &'static str,
    /// Permissions.
    pub mode: u16,
    /// What it is.
    pub what: What,
}

/// What an entry is.
pub enum What {
    /// A file that never changes.
    Constant(&'static str),
    /// A file that can be read.
    File(Make),
    /// A file that can be read and written.
    Variable(Make, Take),
    /// A directory.
    Directory(&'static [Entry]),
    /// A directory of system variables, which nobody may write without the permission.
    Variables(&'static [Entry]),
    /// A directory with members that come and go, behind the static ones.
    Series(&'static [Entry], &'static Series),
    /// A symbolic link.
    Link(Make),
    /// A symbolic link that leads to a file itself, whatever its text says.
    Jump(Jump, Make),
}

/// Members of a directory that are named by a number.
pub struct Series {
    /// What each of them is; its name is what comes before the number.
    pub member: Entry,
    /// The lowest number from one on that exists.
    pub next: fn(&At, u32) -> Option<u32>,
    /// What the number is.
    pub is: Number,
}

/// What the number of a member is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// A process.
    Process,
    /// A thread of the process.
    Thread,
    /// A descriptor, or anything else.
    Other,
}

/// Where a link leads that is more than its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    /// The program's file: it has none that could be opened (`ENOENT`).
    Program,
    /// The working directory.
    Current,
    /// The root directory.
    Root,
    /// The file of the descriptor that [`Node::number`](super::Node::number) says.
    Descriptor,
}
