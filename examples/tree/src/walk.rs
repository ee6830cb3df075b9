//! Walking directories.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    Character,
    /// A block device.
    Block,
}

impl Kind {
    fn of(metadata: &Metadata) -> Self {
        let kind = metadata.file_type();
        match () {
            () if kind.is_dir() => Self::Directory,
            () if kind.is_symlink() => Self::Link,
            () if kind.is_fifo() => Self::Fifo,
            () if kind.is_socket() => Self::Socket,
            () if kind.is_char_device() => Self::Character,
            () if kind.is_block_device() => Self::Block,
            () => Self::File,
        }
    }

    /// The letter that ls(1) has for it.
    pub fn letter(self) -> char {
        match self {
            Self::Directory => 'd',
            Self::File => '-',
            Self::Link => 'l',
            Self::Fifo => 'p',
            Self::Socket => 's',
            Self::Character => 'c',
            Self::Block => 'b',
        }
    }
}

/// Something in the tree.
#[derive(Debug)]
pub struct Node {
    /// Its name; for a root, the path that was given.
    pub name: OsString,
    /// What it is.
    pub kind: Kind,
    /// Its permissions: twelve bits.
    pub mode: u32,
    /// Bytes in it; for a directory, in everything below it.
    pub size: u64,
    /// Where a symbolic link leads.
    pub target: Option<PathBuf>,
    /// What is in a directory, in no order.
    pub children: Vec<Node>,
    /// Why it could not be read.
    pub error: Option<io::Error>,
}

/// Reads everything at and below `root`. What cannot be read is noted where it is.
///
/// # Errors
/// There is no such root.
pub fn walk(root: &Path) -> io::Result<Node> {
    // A root may be a link to a directory; below it links are not followed.
    let metadata = fs::metadata(root)?;
    Ok(node(root.as_os_str(), root, &metadata))
}

fn node(name: &OsStr, path: &Path, metadata: &Metadata) -> Node {
    let kind = Kind::of(metadata);
    let mut node = Node {
        name: name.to_owned(),
        kind,
        mode: metadata.mode() & 0o7777,
        size: 0,
        target: None,
        children: Vec::new(),
        error: None,
    };
    match kind {
        Kind::Directory => match children(path) {
            Ok(children) => node.children = children,
            Err(error) => node.error = Some(error),
        },
        Kind::Link => match fs::read_link(path) {
            Ok(target) => node.target = Some(target),
            Err(error) => node.error = Some(error),
        },
        Kind::File => node.size = metadata.len(),
        _ => {}
    }
    node.size += node.children.iter().map(|child| child.size).sum::<u64>();
    node
}

fn children(path: &Path) -> io::Result<Vec<Node>> {
    let mut children = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(metadata) => children.push(node(&entry.file_name(), &entry.path(), &metadata)),
            // It may have gone meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(children)
}
