//! Files that only descriptors refer to and that are no files: queues and counters of events.

use super::fd::File;
use super::file::Description;
use super::inode::{Inode, Kind};
use super::name::Name;
use super::pages::Quota;
use super::rc::Ref;
use super::super_block::{FsType, SuperBlock};
use super::vfs::vfs;
use crate::errno::Errno;
use crate::sync::Exclusive;

/// What they share; made with the first.
static ANON: Exclusive<Option<Ref<SuperBlock>>> = Exclusive::new(None);

fn super_block() -> Result<Ref<SuperBlock>, Errno> {
    let mut known = ANON.lock();
    if let Some(sb) = &*known {
        return Ok(sb.clone());
    }
    let sb = Ref::new(SuperBlock::new(FsType::Anon, 0, Quota::new(None, None)))?;
    *known = Some(sb.clone());
    Ok(sb)
}

/// Opens one, with the status flags of open(2). `mode` has no type for anonymous inodes, as on Linux,
/// whose owner is root whoever calls; sockets have one. `ENOMEM`.
pub fn open(kind: Kind, mode: u32, owner: (u32, u32), status: u32) -> Result<File, Errno> {
    let inode = Inode::new(&super_block()?, kind, mode, owner)?;
    inode.count_names(1);
    let id = vfs().cache.add_nameless(Name::Static(b""), inode.clone())?;
    File::new(Description::new(id, inode, status).silent())
}
