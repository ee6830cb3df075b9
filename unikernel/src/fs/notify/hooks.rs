//! Where the file layer says what happens: from open files and names to who watches them.
//!
//! Each is one load and a branch while nobody watches anything.

use super::{Place, UNLINKED, Watches, deliver, is_active, renamed};
use crate::errno::SysResult;
use crate::fs::dcache::{Dcache, DentryId};
use crate::fs::file::Description;
use crate::fs::inode::{Inode, file_type};
use crate::fs::rc::Ref;
use crate::fs::vfs::vfs;
use alloc::vec::Vec;
use linux_raw_sys::general::{
    IN_ACCESS, IN_ATTRIB, IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, IN_CREATE, IN_DELETE, IN_MODIFY,
    NAME_MAX, S_IFDIR, S_IFREG,
};

/// A name as it was.
pub type OldName = heapless::Vec<u8, { NAME_MAX as usize }>;

fn watches(inode: &Inode) -> Option<&Watches> {
    inode.extras().map(|extras| &extras.watches)
}

/// Tells those who watch the file with this name, and those who watch its directory.
#[cold]
#[inline(never)]
fn tell(cache: &Dcache, id: DentryId, mask: u32) {
    let Some(inode) = cache.inode(id) else { return };
    let directory = cache.parent(id).and_then(|above| cache.inode(above));
    let directory = directory.and_then(|inode| watches(inode));
    let is_dir = inode.is_dir();
    deliver(watches(inode), directory, mask, 0, cache.name(id), is_dir);
}

/// Tells those who watch a file itself.
#[inline]
fn tell_itself(inode: &Inode, mask: u32) {
    deliver(watches(inode), None, mask, 0, b"", inode.is_dir());
}

#[cold]
#[inline(never)]
fn tell_of_file(file: &Description, mask: u32) {
    if file.is_silent {
        return;
    }
    // Who may see a directory need not learn when its devices and pipes are used.
    let is_plain = matches!(file_type(file.inode().mode()), S_IFREG | S_IFDIR);
    if !is_plain && mask & (IN_ACCESS | IN_MODIFY) != 0 {
        return tell_itself(file.inode(), mask);
    }
    let (cache, id) = (&vfs().cache, file.dentry());
    let is_unlinked = !cache.is_linked(id) && cache.parent(id).is_some();
    tell(cache, id, if is_unlinked { mask | UNLINKED } else { mask });
}

/// An open file was opened, or is about to be closed, or something was done with its content.
#[inline(always)]
pub fn file(file: &Description, mask: u32) {
    if is_active() {
        tell_of_file(file, mask);
    }
}

/// An open file, not an `O_PATH` one, is about to be closed.
#[inline(always)]
pub fn closed(closed: &Description) {
    if is_active() {
        let writes = closed.is_writable();
        let mask = if writes {
            IN_CLOSE_WRITE
        } else {
            IN_CLOSE_NOWRITE
        };
        tell_of_file(closed, mask);
    }
}

/// Passes the result of a transfer on; says `mask` of the file if a byte was moved.
#[inline(always)]
pub fn moved(file: &Description, mask: u32, result: SysResult) -> SysResult {
    if is_active() && matches!(result, Ok(1..)) {
        tell_of_file(file, mask);
    }
    result
}

/// Runs a write to an open file and says what came of it: `IN_ATTRIB` when it cost the file its
/// set-id bits, and `IN_MODIFY`.
#[inline(always)]
pub fn write(file: &Description, act: impl FnOnce() -> SysResult) -> SysResult {
    let mode = file.inode().mode();
    let result = act();
    if is_active() && file.inode().mode() != mode {
        tell_of_file(file, IN_ATTRIB);
    }
    moved(file, IN_MODIFY, result)
}

/// The attributes of a file with this name were changed, or its size.
#[inline(always)]
pub fn changed(id: DentryId, mask: u32) {
    if is_active() && mask != 0 {
        tell(&vfs().cache, id, mask);
    }
}

/// A name was made.
#[inline(always)]
pub fn created(cache: &Dcache, directory: &Inode, id: DentryId) {
    if is_active() {
        let is_dir = cache.inode(id).is_some_and(|inode| inode.is_dir());
        let mask = IN_CREATE;
        deliver(None, watches(directory), mask, 0, cache.name(id), is_dir);
    }
}

/// The number of names of a file has changed.
#[inline(always)]
pub fn counted(inode: &Inode) {
    if is_active() {
        tell_itself(inode, IN_ATTRIB);
    }
}

/// The name of a dentry that is about to lose it; `None` when nobody watches.
#[inline(always)]
pub fn old_name(cache: &Dcache, id: DentryId) -> Option<OldName> {
    if is_active() {
        OldName::from_slice(cache.name(id)).ok()
    } else {
        None
    }
}

/// A name was removed from a directory.
pub fn removed(directory: &Inode, name: &[u8], is_dir: bool) {
    deliver(None, watches(directory), IN_DELETE, 0, name, is_dir);
}

/// A dentry is no more: that was the end of its file if there is no other name.
#[inline(always)]
pub fn dropped(inode: Option<&Inode>) {
    if is_active()
        && let Some(inode) = inode
        && inode.nlink() == 0
        && let Some(watches) = watches(inode)
    {
        watches.deleted();
    }
}

/// The file system with this root is about to be freed.
#[inline(always)]
pub fn unmounted(cache: &Dcache, root: DentryId) {
    if is_active() {
        tell_of_unmount(cache, root);
    }
}

/// Tells who watches any of its files, the latest first.
#[cold]
#[inline(never)]
fn tell_of_unmount(cache: &Dcache, root: DentryId) {
    let mut watched: Vec<Ref<Inode>> = Vec::new();
    let mut at = Some(root);
    while let Some(id) = at {
        // Without memory for it a watch ends without a word.
        if let Some(inode) = cache.inode(id)
            && watches(inode).is_some()
            && watched.try_reserve(1).is_ok()
        {
            let at = watched.partition_point(|other| other.ino > inode.ino);
            watched.insert(at, inode.clone());
        }
        at = next_in_tree(cache, root, id);
    }
    for inode in watched {
        if let Some(watches) = watches(&inode) {
            watches.unmounted(inode.is_dir());
        }
    }
}

/// The dentry that follows another in a tree.
fn next_in_tree(cache: &Dcache, root: DentryId, id: DentryId) -> Option<DentryId> {
    let mut at = id;
    if let Some(child) = cache.first_child(at) {
        return Some(child);
    }
    while at != root {
        if let Some(next) = cache.next_sibling(at) {
            return Some(next);
        }
        at = cache.parent(at)?;
    }
    None
}

/// `file` was moved, over `other` if there was something; or the two were exchanged.
#[cold]
pub fn moved_name(
    from: (&Inode, &[u8]),
    to: (&Inode, &[u8]),
    file: &Inode,
    other: Option<&Inode>,
    exchanged: bool,
) {
    let place = |(directory, name)| Place {
        directory: watches(directory),
        name,
    };
    let (from, to) = (place(from), place(to));
    let replaced = other.filter(|_| !exchanged).and_then(watches);
    renamed(from, to, watches(file), file.is_dir(), replaced);
    if let Some(other) = other.filter(|_| exchanged) {
        renamed(to, from, watches(other), other.is_dir(), None);
    }
}
