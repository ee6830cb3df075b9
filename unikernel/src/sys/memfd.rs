//! memfd_create(2), and sealing (fcntl(2)).

use crate::cred;
use crate::errno::{Errno, SysResult};
use crate::fs::fd;
use crate::fs::file::Description;
use crate::fs::guard;
use crate::fs::inode::{Inode, Kind};
use crate::fs::name::Name;
use crate::fs::pages::{PageStore, Quota};
use crate::fs::rc::Ref;
use crate::fs::super_block::{FsType, SuperBlock};
use crate::fs::vfs;
use crate::sync::Exclusive;
use crate::uaccess::{UserPtr, read_path};
use linux_raw_sys::general::{
    F_SEAL_EXEC, MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_EXEC, MFD_HUGE_MASK, MFD_HUGE_SHIFT,
    MFD_HUGETLB, MFD_NOEXEC_SEAL, NAME_MAX, O_LARGEFILE, O_RDWR, S_IFREG,
};

/// What precedes the name where it is shown.
const PREFIX: &[u8] = b"memfd:";
/// Bytes of a name, with the NUL.
const ROOM: usize = NAME_MAX as usize - PREFIX.len() + 1;

const FLAGS: u32 = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_NOEXEC_SEAL | MFD_EXEC;

/// What all these files share: a tmpfs without limits that is mounted nowhere. Made with the first.
static SHARED: Exclusive<Option<Ref<SuperBlock>>> = Exclusive::new(None);

fn shared() -> Result<Ref<SuperBlock>, Errno> {
    let mut known = SHARED.lock();
    if let Some(sb) = &*known {
        return Ok(sb.clone());
    }
    let sb = Ref::new(SuperBlock::new(FsType::Tmpfs, 0, Quota::new(None, None)))?;
    *known = Some(sb.clone());
    Ok(sb)
}

/// memfd_create(2). There are no huge pages: `MFD_HUGETLB` is `ENOSYS`, as on a Linux without them.
pub fn memfd_create(name: UserPtr<u8>, flags: u32) -> SysResult {
    let size_too = match flags & MFD_HUGETLB {
        0 => 0,
        _ => MFD_HUGE_MASK << MFD_HUGE_SHIFT,
    };
    let contradicts = MFD_EXEC | MFD_NOEXEC_SEAL;
    if flags & !(FLAGS | size_too) != 0 || flags & contradicts == contradicts {
        return Err(Errno::EINVAL);
    }
    let name = shown_name(name)?;
    fd::check_room()?;
    if flags & MFD_HUGETLB != 0 {
        return Err(Errno::ENOSYS);
    }
    let file = make(name, flags)?;
    fd::insert(file, 0, flags & MFD_CLOEXEC != 0)
}

/// The name with what precedes it. `EFAULT`; `EINVAL` when it is too long.
fn shown_name(name: UserPtr<u8>) -> Result<Name, Errno> {
    let mut room = [0; PREFIX.len() + ROOM];
    let (prefix, rest) = room.split_at_mut(PREFIX.len());
    prefix.copy_from_slice(PREFIX);
    let len = match read_path(name, rest) {
        Ok(name) => name.len(),
        Err(Errno::ENAMETOOLONG) => return Err(Errno::EINVAL),
        Err(errno) => return Err(errno),
    };
    Name::copy(&room[..PREFIX.len() + len])
}

/// The open file.
fn make(name: Name, flags: u32) -> Result<fd::File, Errno> {
    let cred = cred::current();
    let (mode, seals) = match flags & (MFD_NOEXEC_SEAL | MFD_ALLOW_SEALING) {
        0 => (0o777, None),
        MFD_ALLOW_SEALING => (0o777, Some(0)),
        _ => (0o666, Some(F_SEAL_EXEC)),
    };
    let kind = Kind::File(Exclusive::new(PageStore::new()));
    let owner = (cred.fsuid(), cred.fsgid());
    let inode = Inode::new(&shared()?, kind, S_IFREG | mode, owner)?;
    if let Some(seals) = seals {
        inode.seals.set(seals);
    }
    let id = vfs().cache.add_nameless(name, inode.clone())?;
    let file = Description::new(id, inode, O_RDWR | O_LARGEFILE);
    fd::File::new(file.silent())
}

/// `F_GET_SEALS` of fcntl(2): `EINVAL` unless the file is a regular one in memory.
pub fn get_seals(file: &Description) -> SysResult {
    let inode = file.inode();
    inode.store().ok_or(Errno::EINVAL)?;
    Ok(inode.seals.bits() as usize)
}

/// `F_ADD_SEALS` of fcntl(2): `EPERM` unless the file is open for writing, and when it is sealed
/// against seals; `EINVAL`.
pub fn add_seals(file: &Description, seals: u32) -> SysResult {
    if !file.is_writable() {
        return Err(Errno::EPERM);
    }
    guard::add_seals(file.inode(), seals)?;
    Ok(0)
}

#[cfg(test)]
mod tests;
