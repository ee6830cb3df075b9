//! Receiving.

use super::address::Name;
use super::{Credentials, Message, Phase, RECEIVE, State, Style, Unix};
use crate::errno::Errno;
use crate::fs::fd::File;
use crate::fs::rc::Ref;
use crate::uaccess::UserSlice;
use alloc::vec::Vec;

/// How to receive.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// MSG_DONTWAIT, or `O_NONBLOCK`.
    pub nonblocking: bool,
    /// MSG_PEEK: everything stays where it is.
    pub peek: bool,
    /// MSG_WAITALL: of a stream, all that there is room for.
    pub all: bool,
}

/// What was received.
#[derive(Debug)]
pub struct Received {
    /// Bytes that were copied.
    pub count: usize,
    /// Bytes of the message, of which the rest is lost.
    pub whole: usize,
    /// Open files that came with them.
    pub files: Vec<File>,
    /// Who sent them, if it was anybody.
    pub from: Option<Credentials>,
    /// The sender's name.
    pub name: Option<Name>,
}

impl Received {
    const NOTHING: Self = Self {
        count: 0,
        whole: 0,
        files: Vec::new(),
        from: None,
        name: None,
    };
}

/// Buffers of the application, one after the other.
struct Sink<'a> {
    parts: &'a mut dyn Iterator<Item = UserSlice>,
    current: UserSlice,
}

impl Sink<'_> {
    /// Copies bytes out as far as there is room. Fewer at a fault; `EFAULT` at one in the first
    /// byte.
    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let mut done = 0;
        while done < bytes.len() {
            if self.current.is_empty() {
                match self.parts.next() {
                    Some(part) => self.current = part,
                    None => break,
                }
                continue;
            }
            let part = self.current.take(bytes.len() - done);
            let copied = match part.write(&bytes[done..done + part.len()]) {
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
        Ok(done)
    }
}

/// Receives into `parts`, `total` bytes in all. Nothing when the other side is gone. Errors:
/// `EINVAL` (a stream without a partner), `ENOTCONN` (packets), `EAGAIN`, `EINTR`, `ECONNRESET`,
/// `EFAULT`.
pub fn receive(
    socket: &Ref<Unix>,
    parts: &mut dyn Iterator<Item = UserSlice>,
    total: usize,
    how: How,
) -> Result<Received, Errno> {
    let current = UserSlice::new(0, 0);
    let mut sink = Sink { parts, current };
    let mut received = Received::NOTHING;
    loop {
        let before = received.count;
        let mut state = socket.lock();
        check(socket.style, &state)?;
        let mut sender = None;
        let step = match (state.inbox.is_empty(), socket.style) {
            (true, _) => nothing(&mut state),
            (false, Style::Stream) => stream(&mut state, &mut sink, total, how, &mut received),
            (false, _) => one(&mut state, &mut sink, how, &mut received, &mut sender),
        };
        let partner = state.peer.clone();
        drop(state);
        if !how.peek && (received.count > before || sender.is_some()) {
            made_room(socket, partner, sender);
        }
        match step {
            Ok(true) => return Ok(received),
            Ok(false) if received.count > 0 && !how.all => return Ok(received),
            Ok(false) => {}
            Err(error) => return received.or(error),
        }
        if how.nonblocking {
            return received.or(Errno::EAGAIN);
        }
        let waited = socket.wait(&socket.readable, RECEIVE, || {
            let state = socket.lock();
            !state.inbox.is_empty() || state.shut[RECEIVE] || state.error.is_some()
        });
        if let Err(error) = waited {
            return received.or(error);
        }
    }
}

impl Received {
    /// An error counts only when nothing was received before it.
    fn or(self, error: Errno) -> Result<Self, Errno> {
        match self.count {
            0 => Err(error),
            _ => Ok(self),
        }
    }
}

/// Lets those send who wait for room.
fn made_room(socket: &Unix, partner: Option<Ref<Unix>>, sender: Option<Ref<Unix>>) {
    socket.room.wake();
    for other in [partner, sender].into_iter().flatten() {
        other.writable.wake();
    }
}

fn check(style: Style, state: &State) -> Result<(), Errno> {
    match (style, state.phase) {
        (Style::Datagram, _) | (_, Phase::Connected) => Ok(()),
        (Style::Stream, _) => Err(Errno::EINVAL),
        (Style::Packets, _) => Err(Errno::ENOTCONN),
    }
}

/// The inbox is empty: whether that is the end.
fn nothing(state: &mut State) -> Result<bool, Errno> {
    match state.error.take() {
        Some(error) => Err(error),
        None => Ok(state.shut[RECEIVE]),
    }
}

/// Receives from the messages of a stream. What comes behind open files is not received together
/// with them, nor what one sent with what another did. Whether that is all.
fn stream(
    state: &mut State,
    sink: &mut Sink<'_>,
    total: usize,
    how: How,
    received: &mut Received,
) -> Result<bool, Errno> {
    let mut at = 0;
    while received.count < total
        && let Some(message) = state.inbox.get_mut(at)
    {
        let stops = !message.files.is_empty();
        if received.count > 0 && received.from != Some(message.from) {
            return Ok(true);
        }
        let bytes = &message.bytes[message.taken..];
        let wanted = bytes.len().min(total - received.count);
        let copied = sink.put(&bytes[..wanted])?;
        received.count += copied;
        received.from = Some(message.from);
        if how.peek {
            received.files = copies(&message.files)?;
            at += 1;
        } else {
            received.files = core::mem::take(&mut message.files);
            message.taken += copied;
            if message.taken == message.bytes.len() {
                state.held -= message.charge();
                state.inbox.pop_front();
            }
        }
        if stops || copied < wanted {
            return Ok(true);
        }
    }
    Ok(received.count == total)
}

fn copies(files: &[File]) -> Result<Vec<File>, Errno> {
    let mut copies = Vec::new();
    copies
        .try_reserve_exact(files.len())
        .map_err(|_| Errno::ENOMEM)?;
    copies.extend(files.iter().cloned());
    Ok(copies)
}

/// Receives one message; what there is no room for is lost.
fn one(
    state: &mut State,
    sink: &mut Sink<'_>,
    how: How,
    received: &mut Received,
    sender: &mut Option<Ref<Unix>>,
) -> Result<bool, Errno> {
    let taken;
    let message: &Message = if how.peek {
        let Some(first) = state.inbox.front() else {
            return Ok(false);
        };
        first
    } else {
        let Some(first) = state.inbox.pop_front() else {
            return Ok(false);
        };
        state.held -= first.charge();
        taken = first;
        &taken
    };
    *sender = message.sender.clone();
    received.from = Some(message.from);
    received.whole = message.bytes.len();
    received.files = copies(&message.files)?;
    received.name = message.sender.as_ref().and_then(|sender| sender.name());
    received.count = sink.put(&message.bytes)?;
    Ok(true)
}
