//! send(2), recv(2) and their forms; control messages (cmsg(3)).

use super::unix;
use crate::cred::{self, caps};
use crate::errno::{Errno, SysResult};
use crate::fs::fd::{self, File};
use crate::fs::file::Description;
use crate::mm::demand::Touch;
use crate::net::unix::address::{self, Name};
use crate::net::unix::receive::{self, How, Received};
use crate::net::unix::send::{self, Outgoing};
use crate::net::unix::{Credentials, Style};
use crate::process::PID;
use crate::sys::file::vector::Parts;
use crate::sys::pipe;
use crate::uaccess::{Pod, UserPtr, UserSlice, access_ok};
use alloc::vec::Vec;
use linux_raw_sys::general::iovec;
use linux_raw_sys::net::{
    MSG_CMSG_CLOEXEC, MSG_CTRUNC, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_OOB, MSG_PEEK, MSG_TRUNC,
    MSG_WAITALL, SCM_RIGHTS, SOL_SOCKET,
};

const SCM_CREDENTIALS: u32 = 2;
/// Open files in one message at most (SCM_MAX_FD).
const MOST_FILES: usize = 253;

/// `struct user_msghdr`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Header {
    name: usize,
    name_len: i32,
    _pad: i32,
    parts: usize,
    count: usize,
    control: usize,
    control_len: usize,
    flags: u32,
    _end: u32,
}

// SAFETY: a repr(C) struct of integers, the padding named.
unsafe impl Pod for Header {}

/// `struct cmsghdr`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Control {
    len: usize,
    level: u32,
    kind: u32,
}

// SAFETY: as above.
unsafe impl Pod for Control {}

const CONTROL: usize = size_of::<Control>();

/// Sends, and raises SIGPIPE where it is due.
fn send(file: &File, out: Outgoing<'_>, flags: u32) -> SysResult {
    if flags & MSG_OOB != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let nonblocking = flags & MSG_DONTWAIT != 0 || file.is_nonblocking();
    let socket = unix(file)?;
    let result = send::send(socket, out, nonblocking);
    if result == Err(Errno::EPIPE) && flags & MSG_NOSIGNAL == 0 && socket.style == Style::Stream {
        pipe::raise();
    }
    result
}

/// write(2) of a socket.
pub fn write(
    file: &Description,
    parts: &mut dyn Iterator<Item = UserSlice>,
    total: usize,
) -> SysResult {
    let crate::fs::inode::Kind::Endpoint(endpoint) = &file.inode().kind else {
        return Err(Errno::ENOTSOCK);
    };
    let out = Outgoing {
        parts,
        total,
        files: Vec::new(),
        from: None,
        to: None,
    };
    let socket = endpoint.socket();
    let result = send::send(socket, out, file.is_nonblocking());
    if result == Err(Errno::EPIPE) && socket.style == Style::Stream {
        pipe::raise();
    }
    result
}

/// sendto(2), send(2).
pub fn sendto(
    fd: i32,
    bytes: usize,
    len: usize,
    flags: u32,
    address: usize,
    address_len: u32,
) -> SysResult {
    let file = fd::get(fd)?;
    unix(&file)?;
    if !access_ok(bytes, len) {
        return Err(Errno::EFAULT);
    }
    let to = match address {
        0 => None,
        _ => Name::read(address, address_len)?,
    };
    let out = Outgoing {
        parts: &mut [UserSlice::new(bytes, len)].into_iter(),
        total: len,
        files: Vec::new(),
        from: None,
        to,
    };
    send(&file, out, flags)
}

/// sendmsg(2). Two calls make it.
#[inline(never)]
pub fn sendmsg(fd: i32, header: UserPtr<Header>, flags: u32) -> SysResult {
    let file = fd::get(fd)?;
    unix(&file)?;
    let header = header.read()?;
    let to = match (header.name, header.name_len) {
        (0, _) | (_, 0) => None,
        (_, len) => Name::read(header.name, len as u32)?,
    };
    let (files, from) = read_control(&header)?;
    let mut parts = parts(&header)?;
    let total = parts.check(Touch::READ)?;
    let out = Outgoing {
        parts: &mut parts,
        total,
        files,
        from,
        to,
    };
    send(&file, out, flags)
}

fn parts(header: &Header) -> Result<Parts, Errno> {
    let count = u32::try_from(header.count).map_err(|_| Errno::EMSGSIZE)?;
    if count > 1024 {
        return Err(Errno::EMSGSIZE);
    }
    Ok(Parts::new(UserPtr::<iovec>::new(header.parts), count))
}

/// The control messages of what is sent: open files, and who sends.
fn read_control(header: &Header) -> Result<(Vec<File>, Option<Credentials>), Errno> {
    let (mut files, mut from) = (Vec::new(), None);
    let mut at = 0;
    while header.control != 0 && header.control_len - at >= CONTROL {
        let start = header.control + at;
        let control = UserPtr::<Control>::new(start).read()?;
        if control.len < CONTROL || control.len > header.control_len - at {
            return Err(Errno::EINVAL);
        }
        let data = UserSlice::new(start + CONTROL, control.len - CONTROL);
        match (control.level, control.kind) {
            (SOL_SOCKET, SCM_RIGHTS) => read_files(data, &mut files)?,
            (SOL_SOCKET, SCM_CREDENTIALS) => from = Some(read_credentials(data)?),
            (SOL_SOCKET, _) => return Err(Errno::EINVAL),
            _ => {}
        }
        at = (at + control.len)
            .next_multiple_of(8)
            .min(header.control_len);
    }
    Ok((files, from))
}

fn read_files(data: UserSlice, files: &mut Vec<File>) -> Result<(), Errno> {
    let count = data.len() / 4;
    if files.len() + count > MOST_FILES {
        return Err(Errno::EINVAL);
    }
    files.try_reserve(count).map_err(|_| Errno::ENOMEM)?;
    let from = UserPtr::<i32>::new(data.start());
    for index in 0..count {
        files.push(fd::get_any(from.add(index).read()?)?);
    }
    Ok(())
}

/// Who somebody says to be, as far as it may: `EPERM`, `EINVAL`.
fn read_credentials(data: UserSlice) -> Result<Credentials, Errno> {
    if data.len() != 12 {
        return Err(Errno::EINVAL);
    }
    let from = UserPtr::<u32>::new(data.start());
    let [pid, uid, gid] = [from.read()?, from.add(1).read()?, from.add(2).read()?];
    let cred = cred::current();
    let among = |ids: cred::ids::Ids, id| [ids.real, ids.effective, ids.saved].contains(&id);
    let may = (pid as i32 == PID || cred.has(caps::SYS_ADMIN))
        && (among(cred.user(), uid) || cred.has(caps::SETUID))
        && (among(cred.group(), gid) || cred.has(caps::SETGID));
    if !may {
        return Err(Errno::EPERM);
    }
    Ok(Credentials {
        pid: pid as i32,
        uid,
        gid,
    })
}

fn how(file: &Description, flags: u32) -> How {
    How {
        nonblocking: flags & MSG_DONTWAIT != 0 || file.is_nonblocking(),
        peek: flags & MSG_PEEK != 0,
        all: flags & MSG_WAITALL != 0,
    }
}

/// read(2) of a socket.
pub fn read(
    file: &Description,
    parts: &mut dyn Iterator<Item = UserSlice>,
    total: usize,
) -> SysResult {
    let crate::fs::inode::Kind::Endpoint(endpoint) = &file.inode().kind else {
        return Err(Errno::ENOTSOCK);
    };
    let received = receive::receive(endpoint.socket(), parts, total, how(file, 0))?;
    Ok(received.count)
}

/// What a call returns: with MSG_TRUNC the length of the message, however much was copied.
fn result(received: &Received, flags: u32) -> usize {
    match flags & MSG_TRUNC {
        0 => received.count,
        _ => received.count.max(received.whole),
    }
}

/// recvfrom(2), recv(2).
pub fn recvfrom(
    fd: i32,
    bytes: usize,
    len: usize,
    flags: u32,
    address: usize,
    address_len: UserPtr<i32>,
) -> SysResult {
    let file = fd::get(fd)?;
    let socket = unix(&file)?;
    if flags & MSG_OOB != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    if !access_ok(bytes, len) {
        return Err(Errno::EFAULT);
    }
    let part = UserSlice::new(bytes, len);
    let received = receive::receive(socket, &mut [part].into_iter(), len, how(&file, flags))?;
    if address != 0 {
        match &received.name {
            Some(name) => address::write(Some(name), address, address_len)?,
            None => address_len.write(&0)?,
        }
    }
    Ok(result(&received, flags))
}

/// recvmsg(2). Two calls make it.
#[inline(never)]
pub fn recvmsg(fd: i32, at: UserPtr<Header>, flags: u32) -> SysResult {
    let file = fd::get(fd)?;
    let socket = unix(&file)?;
    let mut header = at.read()?;
    if flags & MSG_OOB != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let mut parts = parts(&header)?;
    let total = parts.check(Touch::WRITE)?;
    let received = receive::receive(socket, &mut parts, total, how(&file, flags))?;
    header.flags = flags & MSG_CMSG_CLOEXEC;
    if received.whole > received.count {
        header.flags |= MSG_TRUNC;
    }
    let count = result(&received, flags);
    if header.name != 0 {
        let room = usize::try_from(header.name_len).map_err(|_| Errno::EINVAL)?;
        header.name_len = match &received.name {
            Some(name) => address::put(Some(name), header.name, room)? as i32,
            None => 0,
        };
    }
    let from = received.from.filter(|_| socket.options().credentials);
    write_control(&mut header, received.files, from, flags)?;
    at.write(&header)?;
    Ok(count)
}

/// Writes control messages, and how long they are; what there is no room for is lost, and said to
/// be.
fn write_control(
    header: &mut Header,
    files: Vec<File>,
    from: Option<Credentials>,
    flags: u32,
) -> Result<(), Errno> {
    let mut out = Controls {
        at: header.control,
        left: if header.control == 0 {
            0
        } else {
            header.control_len
        },
    };
    if let Some(from) = from {
        let words = [from.pid as u32, from.uid, from.gid];
        if !out.put(SCM_CREDENTIALS, &words)? {
            header.flags |= MSG_CTRUNC;
        }
    }
    let fits = out.left.saturating_sub(CONTROL) / 4;
    if files.len() > fits {
        header.flags |= MSG_CTRUNC;
    }
    let mut numbers = Vec::new();
    numbers
        .try_reserve(files.len())
        .map_err(|_| Errno::ENOMEM)?;
    for file in files.into_iter().take(fits) {
        match fd::insert(file, 0, flags & MSG_CMSG_CLOEXEC != 0) {
            Ok(fd) => numbers.push(fd as u32),
            Err(_) => {
                header.flags |= MSG_CTRUNC;
                break;
            }
        }
    }
    if !numbers.is_empty() {
        out.put(SCM_RIGHTS, &numbers)?;
    }
    header.control_len = out.at - header.control;
    Ok(())
}

/// Where control messages are written.
struct Controls {
    at: usize,
    left: usize,
}

impl Controls {
    /// Writes one of `words`, if there is room; whether there was.
    fn put(&mut self, kind: u32, words: &[u32]) -> Result<bool, Errno> {
        let len = CONTROL + 4 * words.len();
        if len > self.left {
            return Ok(false);
        }
        let level = SOL_SOCKET;
        UserPtr::new(self.at).write(&Control { len, level, kind })?;
        let to = UserPtr::<u32>::new(self.at + CONTROL);
        for (index, word) in words.iter().enumerate() {
            to.add(index).write(word)?;
        }
        let space = len.next_multiple_of(8).min(self.left);
        self.at += space;
        self.left -= space;
        Ok(true)
    }
}
