//! Sending.

use super::address::{self, Name};
use super::connect::may_send;
use super::{Credentials, Message, Phase, SEND, Style, Unix};
use crate::errno::{Errno, SysResult};
use crate::fs::fd::File;
use crate::fs::rc::Ref;
use crate::uaccess::UserSlice;
use alloc::vec::Vec;

/// The longest piece of a stream that is copied at once, in bytes.
const PIECE: usize = 32 << 10;

/// What is to be sent.
pub struct Outgoing<'a> {
    /// Where the bytes are.
    pub parts: &'a mut dyn Iterator<Item = UserSlice>,
    /// How many.
    pub total: usize,
    /// Open files that go with the first of them.
    pub files: Vec<File>,
    /// Who sends, if the program says so.
    pub from: Option<Credentials>,
    /// Whom to; `None` for the partner.
    pub to: Option<Name>,
}

/// Buffers of the application, one after the other.
struct Source<'a> {
    parts: &'a mut dyn Iterator<Item = UserSlice>,
    current: UserSlice,
}

impl Source<'_> {
    /// Copies the next `len` bytes. Fewer at a fault; `EFAULT` at one in the first byte, `ENOMEM`.
    fn take(&mut self, len: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(len, 0);
        let mut done = 0;
        while done < len {
            if self.current.is_empty() {
                match self.parts.next() {
                    Some(part) => self.current = part,
                    None => break,
                }
                continue;
            }
            let part = self.current.take(len - done);
            let copied = match part.read(&mut bytes[done..done + part.len()]) {
                Ok(copied) => copied,
                Err(error) if done == 0 => return Err(error),
                Err(_) => 0,
            };
            done += copied;
            self.current = self.current.skip(copied);
            if copied < part.len() {
                break;
            }
        }
        bytes.truncate(done);
        Ok(bytes)
    }
}

/// Sends; how many bytes went. `EPIPE` is the caller's to raise SIGPIPE for. Errors: `ENOTCONN`,
/// `EISCONN`, `EOPNOTSUPP` (a stream has no other receiver), `EMSGSIZE`, `EAGAIN`, `EINTR`,
/// `ECONNREFUSED`, `EPERM`, `EFAULT`, `ENOMEM`.
pub fn send(socket: &Ref<Unix>, out: Outgoing<'_>, nonblocking: bool) -> SysResult {
    match socket.style {
        Style::Stream => stream(socket, out, nonblocking),
        _ => message(socket, out, nonblocking),
    }
}

/// The partner of one that connects. `EPIPE` when it is gone or receives nothing more.
fn partner(socket: &Unix) -> Result<Ref<Unix>, Errno> {
    let state = socket.lock();
    if state.shut[SEND] {
        return Err(Errno::EPIPE);
    }
    if state.phase != Phase::Connected {
        return Err(Errno::ENOTCONN);
    }
    state.peer.clone().ok_or(Errno::EPIPE)
}

fn stream(socket: &Ref<Unix>, out: Outgoing<'_>, nonblocking: bool) -> SysResult {
    if out.to.is_some() {
        return Err(match socket.lock().phase {
            Phase::Connected => Errno::EISCONN,
            _ => Errno::EOPNOTSUPP,
        });
    }
    let mut files = out.files;
    let current = UserSlice::new(0, 0);
    let mut source = Source {
        parts: out.parts,
        current,
    };
    let mut done = 0;
    partner(socket)?;
    while done < out.total {
        match piece(
            socket,
            &mut source,
            out.total - done,
            &mut files,
            out.from,
            nonblocking,
        ) {
            Ok(sent) => done += sent,
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Sends a piece of at most `most` bytes of a stream.
fn piece(
    socket: &Ref<Unix>,
    source: &mut Source<'_>,
    most: usize,
    files: &mut Vec<File>,
    from: Option<Credentials>,
    nonblocking: bool,
) -> SysResult {
    let peer = partner(socket)?;
    if !peer.has_room(socket) {
        if nonblocking {
            return Err(Errno::EAGAIN);
        }
        socket.wait(&socket.writable, SEND, || {
            peer.has_room(socket) || socket.lock().shut[SEND]
        })?;
        return piece(socket, source, most, files, from, nonblocking);
    }
    let bytes = source.take(most.min(PIECE))?;
    let sent = bytes.len();
    deliver(
        &peer,
        Message {
            bytes,
            taken: 0,
            files: core::mem::take(files),
            from: sender_of(socket, &peer, from),
            sender: None,
        },
    )?;
    Ok(sent)
}

/// Who a message says sends it: nobody, where neither side asks for it.
fn sender_of(socket: &Unix, to: &Unix, said: Option<Credentials>) -> Credentials {
    match said {
        Some(from) => from,
        None if socket.options().credentials || to.options().credentials => Credentials::real(),
        None => Credentials::UNKNOWN,
    }
}

/// Puts a message into an inbox. `ENOMEM`.
fn deliver(to: &Unix, message: Message) -> Result<(), Errno> {
    let mut state = to.lock();
    state.inbox.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    state.held += message.charge();
    state.inbox.push_back(message);
    drop(state);
    to.readable.wake();
    Ok(())
}

/// Sends one message, whole or not at all.
fn message(socket: &Ref<Unix>, out: Outgoing<'_>, nonblocking: bool) -> SysResult {
    if out.total > socket.options().buffers[SEND] as usize - 32 {
        return Err(Errno::EMSGSIZE);
    }
    let current = UserSlice::new(0, 0);
    let mut source = Source {
        parts: out.parts,
        current,
    };
    let to = match (socket.style, out.to) {
        (Style::Packets, _) => partner(socket)?,
        (_, Some(name)) => {
            let to = address::find(&name, Style::Datagram)?;
            if to.style != Style::Datagram {
                return Err(Errno::EPROTOTYPE);
            }
            may_send(socket, &to)?;
            to
        }
        (_, None) => {
            if socket.lock().shut[SEND] {
                return Err(Errno::EPIPE);
            }
            socket.peer().ok_or(Errno::ENOTCONN)?
        }
    };
    let bytes = source.take(out.total)?;
    if bytes.len() < out.total {
        return Err(Errno::EFAULT);
    }
    wait_for_room(socket, &to, nonblocking)?;
    deliver(
        &to,
        Message {
            bytes,
            taken: 0,
            files: out.files,
            from: sender_of(socket, &to, out.from),
            sender: (socket.style == Style::Datagram).then(|| socket.clone()),
        },
    )?;
    Ok(out.total)
}

/// Waits until a message fits. Who is closed takes none: `ECONNREFUSED`, and it is no partner any
/// more; `EPIPE` for packets, and when it receives nothing more.
fn wait_for_room(socket: &Ref<Unix>, to: &Ref<Unix>, nonblocking: bool) -> Result<(), Errno> {
    loop {
        let state = to.lock();
        let (closed, shut) = (state.closed, state.shut[super::RECEIVE]);
        drop(state);
        if socket.style == Style::Packets && (closed || socket.lock().shut[SEND]) {
            return Err(Errno::EPIPE);
        }
        if closed {
            socket.disconnect_from(to);
            return Err(Errno::ECONNREFUSED);
        }
        if shut {
            return Err(Errno::EPIPE);
        }
        if to.has_room(socket) {
            return Ok(());
        }
        if nonblocking {
            return Err(Errno::EAGAIN);
        }
        socket.wait(&to.room, SEND, || {
            to.has_room(socket) || to.lock().shut[super::RECEIVE] || socket.lock().shut[SEND]
        })?;
    }
}

impl Unix {
    /// Forgets a partner that is closed.
    fn disconnect_from(&self, partner: &Ref<Self>) {
        let mut state = self.lock();
        let gone = state.peer.take_if(|peer| Ref::same(peer, partner));
        drop(state);
        drop(gone);
    }
}
