//! Path resolution (path_resolution(7)).
//!
//! A component costs one scan of its bytes, eight at a time, which finds its end and hashes it, and
//! a probe or two of the dentry cache. Nothing is allocated, counted or waited for. A symbolic link
//! is walked by a recursion of small frames, at most [`MAX_LINKS`] deep.
//!
//! Texts end with [`PADDING`](super::name::PADDING) zeros, so that a word can be read anywhere.

use super::dcache::DentryId;
use super::generated::{self, Target};
use super::inode::{Inode, Kind};
use super::name::{self, Key, Name};
use super::permission;
use super::rc::Ref;
use super::vfs::Vfs;
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
    /// Find the name itself, for a call that makes, removes or moves names: links are not followed,
    /// mounts not crossed, slashes behind it reported.
    Name,
}

impl Goal {
    const fn follows(self) -> bool {
        matches!(self, Self::Follow | Self::Create)
    }

    const fn creates_file(self) -> bool {
        matches!(self, Self::Create | Self::CreateNew)
    }

    const fn keeps_name(self) -> bool {
        matches!(self, Self::Create | Self::CreateNew | Self::Name)
    }
}

/// What kind of name a path ends with.
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

/// Result of a walk that failed nowhere before the last component.
#[derive(Debug)]
pub struct Walked {
    /// The directory of the last component.
    pub directory: DentryId,
    /// What the path names; `None` when the directory exists but the last name does not.
    pub found: Option<DentryId>,
    /// What kind of name the last component is.
    pub last: Last,
    /// Whether a slash followed it.
    pub slash: bool,
    /// The missing name, if the goal wants to make it.
    pub name: Option<Name>,
    /// It is missing because no name can be so long. A goal of `Name` finds out only when it looks.
    pub too_long: bool,
}

impl Walked {
    /// The dentry found, or `ENOENT`, or `ENAMETOOLONG`.
    pub fn found(&self) -> Result<DentryId, Errno> {
        self.check_length()?;
        self.found.ok_or(Errno::ENOENT)
    }

    /// `ENAMETOOLONG` if no name can be so long.
    pub fn check_length(&self) -> Result<(), Errno> {
        if self.too_long {
            Err(Errno::ENAMETOOLONG)
        } else {
            Ok(())
        }
    }
}

/// Resolves the padded text `path` from directory `start`.
///
/// Errors: `ENOENT` (empty path, missing directory), `ENOTDIR`, `ELOOP`, `ENAMETOOLONG` (a
/// component longer than 255 bytes), `EACCES`.
#[inline]
pub fn walk(vfs: &mut Vfs, start: DentryId, path: &[u8], goal: Goal) -> Result<Walked, Errno> {
    if path[0] == 0 {
        return Err(Errno::ENOENT);
    }
    let mut walker = Walker {
        here: start,
        vfs,
        goal,
        links: 0,
    };
    let end = walker.run(path, true, false)?;
    end.ok_or(Errno::ENOENT)
}

struct Walker<'v> {
    vfs: &'v mut Vfs,
    here: DentryId,
    goal: Goal,
    links: usize,
}

/// A component, cut from a text.
struct Component<'t> {
    name: &'t [u8],
    key: Key,
    /// It is the last of the whole path.
    is_last: bool,
    /// A slash follows it.
    slash: bool,
    /// What it names must be a directory.
    must_be_dir: bool,
}

impl Walker<'_> {
    /// Walks a text. At the end of the path (`is_end`) returns the result; in the middle of one the
    /// walk stands where the text leads. `must_be_dir`: slashes follow the link whose text it is.
    fn run(
        &mut self,
        text: &[u8],
        is_end: bool,
        must_be_dir: bool,
    ) -> Result<Option<Walked>, Errno> {
        if text[0] == b'/' {
            self.here = self.vfs.root;
        }
        let mut at = skip_slashes(text, 0);
        if text[at] == 0 {
            // Nothing but slashes.
            self.search()?;
            let here = self.here;
            return Ok(is_end.then(|| self.end(Last::Root, Some(here), true)));
        }
        loop {
            self.search()?;
            let key = name::scan(self.here.number(), &text[at..]);
            let len = key.len as usize;
            let next = skip_slashes(text, at + len);
            let (is_over, slash) = (text[next] == 0, next > at + len);
            let part = Component {
                name: &text[at..at + len],
                key,
                is_last: is_over && is_end,
                slash,
                must_be_dir: !is_over || slash || must_be_dir,
            };
            if let Some(end) = self.step(&part)? {
                return Ok(Some(end));
            }
            if is_over {
                return Ok(None);
            }
            at = next;
        }
    }

    /// `ENOTDIR` unless the walk stands on a directory, `EACCES` unless it may be searched.
    #[inline(always)]
    fn search(&self) -> Result<(), Errno> {
        match self.vfs.cache.inode(self.here) {
            Some(inode) if inode.is_dir() => permission::search(inode),
            _ => Err(Errno::ENOTDIR),
        }
    }

    #[inline(always)]
    fn step(&mut self, part: &Component<'_>) -> Result<Option<Walked>, Errno> {
        if part.name[0] == b'.' && part.name.len() <= 2 && part.name.ends_with(b".") {
            return self.dots(part);
        }
        if part.is_last && part.slash && self.goal.creates_file() {
            return Err(Errno::EISDIR);
        }
        let found = match self.vfs.cache.lookup(self.here, &part.key, part.name) {
            Some(id) => Some(id),
            None => self.miss(part)?,
        };
        let Some(id) = found else {
            return self.missing(part);
        };
        let is_name = part.is_last && self.goal == Goal::Name;
        let id = if is_name { id } else { self.cross(id) };
        let Some(inode) = self.vfs.cache.inode(id) else {
            return self.missing(part);
        };
        match &inode.kind {
            Kind::Symlink(_) => {
                let inode = inode.clone();
                return self.special(part, id, &inode);
            }
            Kind::Proc(_) => return self.generated(part, id),
            _ => {}
        }
        self.arrive(part, id)
    }

    /// The walk has come to `id`, which is no link to follow.
    #[inline(always)]
    fn arrive(&mut self, part: &Component<'_>, id: DentryId) -> Result<Option<Walked>, Errno> {
        if !part.is_last {
            self.here = id;
            return Ok(None);
        }
        if part.must_be_dir && self.goal != Goal::Name && !self.is_dir(id) {
            return Err(Errno::ENOTDIR);
        }
        Ok(Some(self.end(Last::Name, Some(id), part.slash)))
    }

    fn is_dir(&self, id: DentryId) -> bool {
        self.vfs.cache.inode(id).is_some_and(|inode| inode.is_dir())
    }

    /// From a mount point to what is mounted there.
    #[inline(always)]
    fn cross(&mut self, id: DentryId) -> DentryId {
        let mut id = id;
        while let Some(root) = self.vfs.cache.mounted_on(id) {
            id = root;
            if self.vfs.expiring {
                self.vfs.used(root);
            }
        }
        id
    }

    fn end(&self, last: Last, found: Option<DentryId>, slash: bool) -> Walked {
        Walked {
            directory: self.here,
            found,
            last,
            slash,
            name: None,
            too_long: false,
        }
    }

    fn dots(&mut self, part: &Component<'_>) -> Result<Option<Walked>, Errno> {
        let is_up = part.name.len() == 2;
        let id = if is_up {
            let above = self.vfs.above(self.here);
            self.cross(above)
        } else {
            self.here
        };
        if part.is_last {
            let last = if is_up { Last::DotDot } else { Last::Dot };
            return Ok(Some(self.end(last, Some(id), part.slash)));
        }
        self.here = id;
        Ok(None)
    }

    /// The cache does not know the name: the file system may.
    #[cold]
    #[inline(never)]
    fn miss(&mut self, part: &Component<'_>) -> Result<Option<DentryId>, Errno> {
        if self.is_too_long(part) {
            return if part.is_last && self.goal == Goal::Name {
                Ok(None)
            } else {
                Err(Errno::ENAMETOOLONG)
            };
        }
        generated::lookup(self.vfs, self.here, part.name)
    }

    /// Whether no name can be so long. In a directory that was removed nobody asks.
    fn is_too_long(&self, part: &Component<'_>) -> bool {
        let is_alive = |inode: &Ref<Inode>| inode.nlink() > 0;
        part.name.len() > NAME_MAX as usize && self.vfs.cache.inode(self.here).is_some_and(is_alive)
    }

    #[cold]
    #[inline(never)]
    fn missing(&mut self, part: &Component<'_>) -> Result<Option<Walked>, Errno> {
        if !part.is_last {
            return Err(Errno::ENOENT);
        }
        let mut end = self.end(Last::Name, None, part.slash);
        end.too_long = self.is_too_long(part);
        if self.goal.keeps_name() && part.name.len() <= NAME_MAX as usize {
            end.name = Some(Name::copy(part.name)?);
        }
        Ok(Some(end))
    }

    /// Something of procfs or sysfs: what its name meant last may be gone.
    #[cold]
    #[inline(never)]
    fn generated(&mut self, part: &Component<'_>, id: DentryId) -> Result<Option<Walked>, Errno> {
        let Some(id) = generated::revalidate(self.vfs, self.here, id)? else {
            return self.missing(part);
        };
        let inode = self.vfs.inode(id)?.clone();
        self.special(part, id, &inode)
    }

    /// A symbolic link, or something of procfs.
    #[cold]
    #[inline(never)]
    fn special(
        &mut self,
        part: &Component<'_>,
        id: DentryId,
        inode: &Ref<Inode>,
    ) -> Result<Option<Walked>, Errno> {
        let follow =
            !part.is_last || self.goal.follows() || (part.must_be_dir && self.goal != Goal::Name);
        if !follow || !inode.is_symlink() {
            return self.arrive(part, id);
        }
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        match &inode.kind {
            Kind::Proc(node) => match generated::target(self.vfs, *node)? {
                Target::Dentry(id) => self.arrive(part, id),
                Target::Text(text) => self.follow(part, text.padded()),
            },
            Kind::Symlink(link) => {
                inode.accessed();
                self.follow(part, link.padded())
            }
            _ => self.arrive(part, id),
        }
    }

    fn follow(&mut self, part: &Component<'_>, text: &[u8]) -> Result<Option<Walked>, Errno> {
        if text[0] == 0 {
            return Err(Errno::ENOENT);
        }
        self.run(text, part.is_last, part.must_be_dir)
    }
}

#[inline(always)]
fn skip_slashes(text: &[u8], at: usize) -> usize {
    let mut at = at;
    while text[at] == b'/' {
        at += 1;
    }
    at
}
