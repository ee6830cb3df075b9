//! procfs and sysfs: which files there are, and what is in them.
//!
//! - [`entry`] is what the tree is made of: static tables of names, and directories of processes,
//!   threads and descriptors;
//! - [`node`] is the tree: a [`Node`] is a place in it, and everything that can be done there;
//! - [`source`] says what content is made from: [`System`] and [`Files`], two traits that the rest
//!   of the library implements ([`live`] is the first);
//! - [`text`] is the buffer that content is written to;
//! - the other modules hold the generators, one subject each, in the format of Linux 6.1
//!   (proc(5); where a line's exact shape matters, the file of Linux that prints it is named).
//!
//! A file's content is generated as a whole when it is read at position 0, and kept with the open
//! file, so that a reader with a small buffer sees one state ([`Content`]).
//!
//! What is not known is left out; what is shown is true. Where Linux permits a write and nothing
//! here would keep the value, the file has no permission for it.

pub mod cpuflags;
pub mod cpuinfo;
pub mod entry;
pub mod live;
pub mod load;
pub mod machine;
pub mod maps;
pub mod mounts;
pub mod node;
pub mod process;
pub mod root;
pub mod source;
pub mod status;
pub mod sysctl;
pub mod text;

pub use entry::Jump;
pub use node::{Kind, Member, Node};
pub use source::{Files, Source, System};
pub use text::Text;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use crate::errno::Errno;

/// `f_type` of procfs (statfs(2)).
pub const PROC_MAGIC: u32 = 0x9fa0;
/// `f_type` of sysfs.
pub const SYSFS_MAGIC: u32 = 0x6265_6572;
/// `f_type` of the control groups, version 2.
pub const CGROUP_MAGIC: u32 = 0x6367_7270;

/// What an open file of procfs or sysfs reads.
#[derive(Debug, Default)]
pub struct Content(Option<Text>);

impl Content {
    /// Nothing generated yet.
    pub const fn new() -> Self {
        Self(None)
    }

    /// The bytes of `node` from position `at` on, generated anew at position 0. Errors: those of
    /// [`Node::read`].
    pub fn from(&mut self, node: Node, source: Source, at: u64) -> Result<&[u8], Errno> {
        if at == 0 || self.0.is_none() {
            // What was there is kept by nobody: its memory goes before the new text needs some.
            self.0 = None;
            let mut text = Text::new();
            node.read(source, &mut text)?;
            self.0 = Some(text);
        }
        let bytes = self.0.as_ref().map_or(&[][..], Text::as_bytes);
        let start = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        Ok(&bytes[start..])
    }
}
