//! Path resolution (path_resolution(7)).
//!
//! A component costs one scan of its bytes, which finds its end and hashes it, and a probe or two
//! of the table. Nothing is allocated. A symbolic link replaces the text that is being walked by its
//! target; what was left behind it waits on a fixed stack of slices, which cannot overflow because
//! at most [`MAX_LINKS`] links are followed and each leaves at most one slice.
//!
//! Search permission is not checked: the application is root.

use super::tree::{EntryId, Kind, NameHash, Tree};
use crate::errno::Errno;
use linux_raw_sys::general::NAME_MAX;

/// Symbolic links followed in one walk before `ELOOP` (Linux's `MAXSYMLINKS`).
pub const MAX_LINKS: usize = 40;

/// What to do with the last component of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Find it; if it is a symbolic link, find what it points to.
    Follow,
    /// Find it, even if it is a symbolic link (unless a slash follows it).
    NoFollow,
    /// As `Follow`, for a file that may be created: a slash behind the name is `EISDIR`.
    Create,
    /// As `NoFollow`, for a file that may be created.
    CreateNew,
}

impl Goal {
    const fn follows(self) -> bool {
        matches!(self, Self::Follow | Self::Create)
    }

    const fn creates(self) -> bool {
        matches!(self, Self::Create | Self::CreateNew)
    }
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file of the tree.
    Entry(EntryId),
    /// Whatever the descriptor with this number refers to.
    Descriptor(u8),
}

/// Result of a walk that failed nowhere before the last component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    /// What the path names; `None` when the directory exists but the last name does not.
    pub target: Option<Target>,
    /// Whether a slash followed the last component.
    pub slash: bool,
}

impl Walked {
    /// The target, or `ENOENT`.
    pub fn found(self) -> Result<Target, Errno> {
        self.target.ok_or(Errno::ENOENT)
    }
}

/// What kind of name a path ends with, for calls that create or remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// An ordinary name.
    Name,
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// Nothing but slashes.
    Root,
}

/// Resolves `path` from directory `start`.
///
/// Errors: `ENOENT` (empty path, missing directory), `ENOTDIR`, `ELOOP`, `ENAMETOOLONG` (a
/// component longer than 255 bytes).
pub fn walk(tree: &Tree, start: EntryId, path: &[u8], goal: Goal) -> Result<Walked, Errno> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let mut walker = Walker {
        tree,
        here: start,
        rest: path,
        waiting: Suffixes::new(),
        links: 0,
    };
    walker.enter(path);
    walker.run(goal)
}

/// Resolves the directory of the last component of `path` and says what that component is, without
/// looking it up.
pub fn walk_parent(tree: &Tree, start: EntryId, path: &[u8]) -> Result<Last, Errno> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let (directory, name) = split_last(path);
    if !directory.is_empty() {
        match walk(tree, start, directory, Goal::Follow)?.found()? {
            Target::Entry(entry) if tree.inode(entry).is_dir() => {}
            _ => return Err(Errno::ENOTDIR),
        }
    } else if !tree.inode(start).is_dir() {
        return Err(Errno::ENOTDIR);
    }
    Ok(match name {
        b"" => Last::Root,
        b"." => Last::Dot,
        b".." => Last::DotDot,
        _ => Last::Name,
    })
}

/// Cuts a path in front of its last component; trailing slashes do not count.
fn split_last(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path
        .iter()
        .rposition(|&byte| byte != b'/')
        .map_or(0, |last| last + 1);
    let start = path[..end]
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(0, |slash| slash + 1);
    if end == 0 {
        (path, b"")
    } else {
        (&path[..start], &path[start..end])
    }
}

type Suffixes<'a> = heapless::Vec<&'a [u8], MAX_LINKS>;

struct Walker<'a> {
    tree: &'a Tree,
    here: EntryId,
    /// What is left of the text being walked.
    rest: &'a [u8],
    /// What is left of the texts whose links are being followed; none is empty.
    waiting: Suffixes<'a>,
    links: usize,
}

/// A component, cut from the front of a path.
struct Component<'a> {
    name: &'a [u8],
    hash: NameHash,
    /// Nothing but slashes follows in this text.
    is_last: bool,
    /// A slash follows it.
    slash: bool,
}

impl<'a> Walker<'a> {
    /// Starts on a text: from the root if it begins with a slash, else from here.
    fn enter(&mut self, text: &'a [u8]) {
        if text[0] == b'/' {
            self.here = EntryId::ROOT;
        }
        self.rest = trim_slashes(text);
    }

    fn run(mut self, goal: Goal) -> Result<Walked, Errno> {
        let mut must_be_dir = false;
        loop {
            if self.rest.is_empty() {
                match self.waiting.pop() {
                    Some(rest) => self.rest = rest,
                    // Only "/" ends here: a last component is dealt with below.
                    None => return Ok(found(Target::Entry(self.here), must_be_dir)),
                }
            }
            let part = self.component();
            let is_last = part.is_last && self.waiting.is_empty();
            must_be_dir |= is_last && part.slash;
            if is_last && part.slash && goal.creates() && !matches!(part.name, b"." | b"..") {
                self.require_dir()?;
                return Err(Errno::EISDIR);
            }
            let Some(entry) = self.child(&part)? else {
                let missing = Walked {
                    target: None,
                    slash: must_be_dir,
                };
                return if is_last {
                    Ok(missing)
                } else {
                    Err(Errno::ENOENT)
                };
            };
            let inode = self.tree.inode(entry);
            let follow = !is_last || must_be_dir || goal.follows();
            match inode.kind {
                Kind::Symlink(target) if follow => {
                    self.follow(target)?;
                    continue;
                }
                Kind::Descriptor(number) if follow => {
                    let plain = is_last && !must_be_dir;
                    let target = Target::Descriptor(number);
                    return if plain {
                        Ok(found(target, false))
                    } else {
                        Err(Errno::ENOTDIR)
                    };
                }
                _ => {}
            }
            self.here = entry;
            if is_last {
                if must_be_dir && !inode.is_dir() {
                    return Err(Errno::ENOTDIR);
                }
                return Ok(found(Target::Entry(entry), must_be_dir));
            }
        }
    }

    /// Cuts the next component off and hashes it on the way.
    #[inline]
    fn component(&mut self) -> Component<'a> {
        let text = self.rest;
        let mut hash = NameHash::in_directory(self.here);
        let mut len = 0;
        while let Some(&byte) = text.get(len)
            && byte != b'/'
        {
            hash = hash.add(byte);
            len += 1;
        }
        let (name, rest) = text.split_at(len);
        self.rest = trim_slashes(rest);
        Component {
            name,
            hash,
            is_last: self.rest.is_empty(),
            slash: !rest.is_empty(),
        }
    }

    /// What the component names in this directory.
    fn child(&self, part: &Component<'_>) -> Result<Option<EntryId>, Errno> {
        let special = match part.name {
            b"." => Some(self.here),
            b".." => self.tree.parent(self.here),
            name => match self.tree.lookup_hashed(self.here, name, part.hash) {
                None => None,
                found => return Ok(found),
            },
        };
        // A lookup in a file finds nothing, so only these two cases need the question.
        self.require_dir()?;
        if part.name.len() > NAME_MAX as usize {
            return Err(Errno::ENAMETOOLONG);
        }
        Ok(special)
    }

    /// `ENOTDIR` unless the walk stands on a directory.
    fn require_dir(&self) -> Result<(), Errno> {
        if self.tree.inode(self.here).is_dir() {
            Ok(())
        } else {
            Err(Errno::ENOTDIR)
        }
    }

    #[cold]
    fn follow(&mut self, target: &'static [u8]) -> Result<(), Errno> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        if !self.rest.is_empty() {
            self.waiting.push(self.rest).map_err(|_| Errno::ELOOP)?;
        }
        self.enter(target);
        Ok(())
    }
}

const fn found(target: Target, slash: bool) -> Walked {
    Walked {
        target: Some(target),
        slash,
    }
}

fn trim_slashes(text: &[u8]) -> &[u8] {
    let mut text = text;
    while let Some((b'/', rest)) = text.split_first() {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests;
