//! Names of sockets: paths, and abstract ones (unix(7)).

use super::{Style, Unix};
use crate::errno::Errno;
use crate::fs::inode::{Inode, Kind};
use crate::fs::path::PathBuf;
use crate::fs::rc::Ref;
use crate::fs::{permission, vfs};
use crate::sync::Exclusive;
use crate::uaccess::{UserPtr, UserSlice};
use alloc::vec::Vec;
use linux_raw_sys::general::{AT_FDCWD, S_IFSOCK, W_OK};
use linux_raw_sys::net::AF_UNIX;

/// Bytes of a family, which a name follows.
const FAMILY: usize = 2;
/// The longest name in bytes.
const LONGEST: usize = 108;

/// A name as getsockname(2) shows it: a path without its NUL, or a NUL and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Vec<u8>);

impl Name {
    /// Reads an address of `length` bytes; without a name, `None`. Errors: `EINVAL` (the length, the
    /// family), `EFAULT`, `ENOMEM`.
    pub fn read(from: usize, length: u32) -> Result<Option<Self>, Errno> {
        let length = length as usize;
        if !(FAMILY..=FAMILY + LONGEST).contains(&length) {
            return Err(Errno::EINVAL);
        }
        let mut room = [0; FAMILY + LONGEST];
        if UserSlice::new(from, length).read(&mut room[..length])? != length {
            return Err(Errno::EFAULT);
        }
        if u16::from_ne_bytes([room[0], room[1]]) != AF_UNIX as u16 {
            return Err(Errno::EINVAL);
        }
        let name = &room[FAMILY..length];
        match name.first() {
            None => Ok(None),
            Some(0) => Self::new(name).map(Some),
            Some(_) => {
                let end = name.iter().position(|&byte| byte == 0);
                Self::new(&name[..end.unwrap_or(name.len())]).map(Some)
            }
        }
    }

    fn new(bytes: &[u8]) -> Result<Self, Errno> {
        let mut name = Vec::new();
        name.try_reserve_exact(bytes.len())
            .map_err(|_| Errno::ENOMEM)?;
        name.extend_from_slice(bytes);
        Ok(Self(name))
    }

    /// An abstract name that is free: five digits. `ENOMEM`.
    pub fn automatic(style: Style) -> Result<Self, Errno> {
        static LAST: Exclusive<u32> = Exclusive::new(0);
        let names = NAMES.lock();
        loop {
            let mut last = LAST.lock();
            *last = (*last + 1) & 0xf_ffff;
            let digit = |place: u32| b"0123456789abcdef"[(*last >> (4 * place) & 15) as usize];
            let name = [0, digit(4), digit(3), digit(2), digit(1), digit(0)];
            if position(&names, Key::Abstract(style as u8, &name)).is_err() {
                return Self::new(&name);
            }
        }
    }

    fn is_abstract(&self) -> bool {
        self.0.first() == Some(&0)
    }
}

/// Writes an address where a program wants it, cut to the room that it has, and its length. `EINVAL`
/// (a negative length), `EFAULT`.
pub fn write(name: Option<&Name>, to: usize, length: UserPtr<i32>) -> Result<(), Errno> {
    let room = usize::try_from(length.read()?).map_err(|_| Errno::EINVAL)?;
    let full = put(name, to, room)?;
    length.write(&(full as i32))
}

/// Writes an address of at most `room` bytes; how long all of it is.
pub fn put(name: Option<&Name>, to: usize, room: usize) -> Result<usize, Errno> {
    let mut bytes = [0; FAMILY + LONGEST + 1];
    bytes[..FAMILY].copy_from_slice(&(AF_UNIX as u16).to_ne_bytes());
    let mut full = FAMILY;
    if let Some(name) = name {
        bytes[FAMILY..FAMILY + name.0.len()].copy_from_slice(&name.0);
        full += name.0.len() + usize::from(!name.is_abstract());
    }
    let part = &bytes[..full.min(room)];
    if UserSlice::new(to, part.len()).write(part)? != part.len() {
        return Err(Errno::EFAULT);
    }
    Ok(full)
}

/// What a name stands for: a path for the file that is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Inode(u32, u64),
    /// Styles have names of their own.
    Abstract(u8, &'a [u8]),
}

/// A name in use.
struct Owner {
    /// Of a path: device and inode.
    inode: Option<(u32, u64)>,
    name: Name,
    socket: Ref<Unix>,
}

impl Owner {
    fn key(&self) -> Key<'_> {
        match self.inode {
            Some((device, number)) => Key::Inode(device, number),
            None => Key::Abstract(self.socket.style as u8, &self.name.0),
        }
    }
}

/// Those that have names, by what the names stand for.
static NAMES: Exclusive<Vec<Owner>> = Exclusive::new(Vec::new());

fn position(names: &[Owner], key: Key<'_>) -> Result<usize, usize> {
    names.binary_search_by(|owner| owner.key().cmp(&key))
}

/// Gives `socket` a name: a path is made, with `mode`. Errors: `EADDRINUSE`, those of mknod(2).
pub fn claim(socket: &Ref<Unix>, name: &Name, mode: u32) -> Result<(), Errno> {
    let mut names = NAMES.lock();
    names.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    let inode = match name.is_abstract() {
        true => None,
        false => Some(create(name, mode)?),
    };
    let owner = Owner {
        inode,
        name: name.clone(),
        socket: socket.clone(),
    };
    match position(&names, owner.key()) {
        Ok(_) => Err(Errno::EADDRINUSE),
        Err(at) => {
            names.insert(at, owner);
            Ok(())
        }
    }
}

fn create(name: &Name, mode: u32) -> Result<(u32, u64), Errno> {
    let mut buffer = PathBuf::new();
    let path = buffer.copy(&name.0)?;
    let mut vfs = vfs();
    let used = |error| match error {
        Errno::EEXIST => Errno::EADDRINUSE,
        other => other,
    };
    let at = vfs.vacant(AT_FDCWD, path, false).map_err(used)?;
    let id = vfs.create(at, Kind::Socket, S_IFSOCK | mode)?;
    Ok(identity(vfs.inode(id)?))
}

fn identity(inode: &Inode) -> (u32, u64) {
    (inode.sb.device, inode.ino)
}

/// Whose a name is, among those of a style if it is abstract. Errors: `ECONNREFUSED` (nobody's), those of finding a path, `EACCES`.
pub fn find(name: &Name, style: Style) -> Result<Ref<Unix>, Errno> {
    let key = if name.is_abstract() {
        Key::Abstract(style as u8, &name.0)
    } else {
        let mut buffer = PathBuf::new();
        let path = buffer.copy(&name.0)?;
        let mut vfs = vfs();
        let found = vfs.find(AT_FDCWD, path, 0)?;
        let inode = vfs.inode(found)?;
        permission::access(inode, W_OK)?;
        let (device, number) = identity(inode);
        Key::Inode(device, number)
    };
    let names = NAMES.lock();
    let at = position(&names, key).map_err(|_| Errno::ECONNREFUSED)?;
    Ok(names[at].socket.clone())
}

/// A socket is closed: its name is free, or leads nowhere.
pub fn release(socket: &Unix) {
    if socket.lock().name.is_none() {
        return;
    }
    let mut names = NAMES.lock();
    let at = names
        .iter()
        .position(|owner| core::ptr::eq(&raw const *owner.socket, socket));
    let gone = at.map(|at| names.remove(at));
    drop(names);
    drop(gone);
}
