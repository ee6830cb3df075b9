//! procfs and sysfs as the walk and open files see them: dentries for names that were looked up,
//! content for files that are read.

use super::dcache::DentryId;
use super::facts;
use super::file::each;
use super::inode::{Inode, Kind, Link};
use super::name::Name;
use super::proc::{Content, Jump, Node, Text};
use super::vfs::Vfs;
use crate::errno::{Errno, SysResult};
use crate::uaccess::UserSlice;

/// Where a generated link leads.
pub enum Target {
    /// To a file, whatever the link's text says.
    Dentry(DentryId),
    /// To what a text names.
    Text(Link),
}

/// The most that one write to a generated file takes.
const WRITE_MAX: usize = 4096;

/// Looks `name` up in a generated directory, and keeps what was found, or that nothing was. In any
/// other directory the cache has all names, so there is none.
pub fn lookup(vfs: &mut Vfs, directory: DentryId, name: &[u8]) -> Result<Option<DentryId>, Errno> {
    let parent = vfs.inode(directory)?.clone();
    let Kind::Proc(node) = &parent.kind else {
        return Ok(None);
    };
    let source = facts::source();
    let found = match node.lookup(source, name) {
        Ok(found) => Some(found),
        Err(Errno::ENOENT) => None,
        Err(errno) => return Err(errno),
    };
    if found.is_none() && !node.is_stable(name) {
        return Ok(None);
    }
    let inode = match found {
        Some(node) => Some(Inode::generated(&parent.sb, node, node.mode(source))?),
        None => None,
    };
    let id = vfs
        .cache
        .add_evictable(directory, Name::copy(name)?, inode)?;
    Ok(found.is_some().then_some(id))
}

/// Looks again whether a cached name of a generated directory still means what it did; if not, it
/// is forgotten and looked up anew.
pub fn revalidate(
    vfs: &mut Vfs,
    directory: DentryId,
    id: DentryId,
) -> Result<Option<DentryId>, Errno> {
    let parent = vfs.inode(directory)?.clone();
    let Kind::Proc(node) = &parent.kind else {
        return Ok(Some(id));
    };
    let name = Name::copy(vfs.cache.name(id))?;
    if node.is_stable(name.bytes()) {
        return Ok(Some(id));
    }
    let source = facts::source();
    let now = node.lookup(source, name.bytes());
    let same = match (&now, vfs.inode(id).map(|inode| (&inode.kind, inode.mode()))) {
        (Ok(now), Ok((Kind::Proc(then), mode))) => now == then && now.mode(source) == mode,
        _ => false,
    };
    if same {
        return Ok(Some(id));
    }
    vfs.cache.unlink(id);
    lookup(vfs, directory, name.bytes())
}

/// Where a generated link leads.
pub fn target(vfs: &Vfs, node: Node) -> Result<Target, Errno> {
    Ok(match node.jump() {
        Some(Jump::Program) => return Err(Errno::ENOENT),
        Some(Jump::Current) => Target::Dentry(vfs.cwd),
        Some(Jump::Root) => Target::Dentry(vfs.root),
        Some(Jump::Descriptor) => {
            let found = vfs.descriptor(node.number() as i32);
            Target::Dentry(found.map_err(|_| Errno::ENOENT)?)
        }
        None => {
            let mut text = Text::new();
            node.target(facts::source(), &mut text)?;
            Target::Text(Link::new(text.as_bytes())?)
        }
    })
}

/// Takes an entry of a directory: inode number, position behind it, mode and name. `false`: it does
/// not fit.
pub type Add<'a> = dyn FnMut(u64, u64, u32, &[u8]) -> Result<bool, Errno> + 'a;

/// Adds the entries of a generated directory from position 2 on, behind `.` and `..`, until `add`
/// says that one does not fit (`false`).
pub fn list(node: Node, position: &mut u64, add: &mut Add<'_>) -> Result<bool, Errno> {
    let source = facts::source();
    while let Some(member) = node.list(source, *position - 2) {
        let (ino, mode) = (member.node.inode(), member.node.mode(source));
        if !add(ino, member.next + 2, mode, &member.name)? {
            return Ok(false);
        }
        *position = member.next + 2;
    }
    Ok(true)
}

/// Reads a generated file from byte `at` on.
pub fn read(
    content: &mut Content,
    node: Node,
    at: u64,
    parts: &mut dyn Iterator<Item = UserSlice>,
) -> SysResult {
    let mut rest = content.from(node, facts::source(), at)?;
    each(parts, |part| {
        let done = part.write(rest)?;
        rest = &rest[done..];
        Ok(done)
    })
}

/// Writes to a generated file: what it takes at once.
pub fn write(node: Node, at: u64, parts: &mut dyn Iterator<Item = UserSlice>) -> SysResult {
    let mut bytes = [0; WRITE_MAX];
    each(parts, |part| {
        let count = part.read(&mut bytes)?;
        node.write(facts::source(), at, &bytes[..count])
    })
}
