//! Sockets of unix(7): streams, datagrams, sequenced packets.
//!
//! What is sent lies in the receiver's inbox as messages, copied in once and out once; a stream is
//! messages whose ends nobody sees. Who finds nothing, or no room, sleeps on a queue.
//!
//! - [`address`]: names, and whose they are;
//! - [`connect`]: bind, listen, accept, connect;
//! - [`send`], [`receive`]: messages, with descriptors and credentials.
//!
//! Two sockets are never locked at once, so one may be its own partner.

pub mod address;
pub mod connect;
pub mod receive;
pub mod send;

use crate::cred;
use crate::errno::Errno;
use crate::fs::fd::File;
use crate::fs::rc::Ref;
use crate::process::PID;
use crate::sync::{Exclusive, Inside};
use crate::time;
use crate::wait::{Interrupted, Queue};
use address::Name;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use linux_raw_sys::general::{
    POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRNORM,
};

/// The default size of a buffer in bytes (net.core.wmem_default).
const BUFFER: u32 = 212_992;
/// Datagrams that wait at most in an inbox (net.unix.max_dgram_qlen).
const DATAGRAMS: usize = 10;

/// How a socket divides what is sent (socket(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// SOCK_STREAM.
    Stream,
    /// SOCK_DGRAM.
    Datagram,
    /// SOCK_SEQPACKET.
    Packets,
}

/// Who sent something, or is at the other end: `struct ucred`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Process, or 0 when nobody is known.
    pub pid: i32,
    /// User, or -1.
    pub uid: u32,
    /// Group, or -1.
    pub gid: u32,
}

impl Credentials {
    const NOBODY: Self = Self {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };

    /// Of a message for which nobody asked: the overflow ids.
    const UNKNOWN: Self = Self {
        pid: 0,
        uid: 65534,
        gid: 65534,
    };

    /// Of the process: its effective ids, as `SO_PEERCRED` shows.
    pub fn effective() -> Self {
        let cred = cred::current();
        Self {
            pid: PID,
            uid: cred.euid(),
            gid: cred.egid(),
        }
    }

    /// Of the process: its real ids, as messages have them.
    pub fn real() -> Self {
        let cred = cred::current();
        Self {
            pid: PID,
            uid: cred.uid(),
            gid: cred.gid(),
        }
    }
}

/// Something sent.
struct Message {
    bytes: Vec<u8>,
    /// Bytes of a stream that were received already.
    taken: usize,
    files: Vec<File>,
    from: Credentials,
    /// Of a datagram: who waits for room, and its name.
    sender: Option<Ref<Unix>>,
}

impl Message {
    /// What it takes of the sender's buffer: its bytes, and about what Linux adds to them.
    fn charge(&self) -> usize {
        self.bytes.len().next_multiple_of(64).max(64) + 704
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Fresh,
    Listening,
    Connected,
}

struct State {
    phase: Phase,
    peer: Option<Ref<Unix>>,
    inbox: VecDeque<Message>,
    /// What the messages in the inbox are [charged](Message::charge).
    held: usize,
    /// Nothing more is received, or sent.
    shut: [bool; 2],
    closed: bool,
    error: Option<Errno>,
    name: Option<Name>,
    /// Of a listener: connections that nobody accepted yet.
    pending: VecDeque<Endpoint>,
    backlog: usize,
    peer_credentials: Credentials,
    options: Options,
}

/// What setsockopt(2) sets.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// SO_RCVTIMEO, SO_SNDTIMEO in nanoseconds; 0 is for ever.
    pub timeouts: [u64; 2],
    /// SO_RCVBUF, SO_SNDBUF in bytes, as they are reported.
    pub buffers: [u32; 2],
    /// SO_PASSCRED: messages bring credentials.
    pub credentials: bool,
    /// SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST: kept, without effect, as on Linux.
    pub kept: u32,
}

/// The receiving and the sending half, as an index.
pub const RECEIVE: usize = 0;
/// See [`RECEIVE`].
pub const SEND: usize = 1;

/// A socket.
pub struct Unix {
    /// How it divides what is sent.
    pub style: Style,
    state: Exclusive<State>,
    /// Woken when there may be something to receive or to accept.
    readable: Queue,
    /// Woken when the partner may have room.
    writable: Queue,
    /// Woken when this one may have room: for those who send to it without being its partner, or
    /// connect.
    room: Queue,
}

impl core::fmt::Debug for Unix {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Unix").field("style", &self.style).finish()
    }
}

impl Unix {
    /// A socket without a name or a partner. `ENOMEM`.
    pub fn new(style: Style) -> Result<Ref<Self>, Errno> {
        Ref::new(Self {
            style,
            state: Exclusive::new(State {
                phase: Phase::Fresh,
                peer: None,
                inbox: VecDeque::new(),
                held: 0,
                shut: [false; 2],
                closed: false,
                error: None,
                name: None,
                pending: VecDeque::new(),
                backlog: 0,
                peer_credentials: Credentials::NOBODY,
                options: Options {
                    timeouts: [0; 2],
                    buffers: [BUFFER; 2],
                    credentials: false,
                    kept: 0,
                },
            }),
            readable: Queue::new(),
            writable: Queue::new(),
            room: Queue::new(),
        })
    }

    /// socketpair(2): two that are connected. `ENOMEM`.
    pub fn pair(style: Style) -> Result<[Ref<Self>; 2], Errno> {
        let pair = [Self::new(style)?, Self::new(style)?];
        for (one, other) in [(0, 1), (1, 0)] {
            let mut state = pair[one].lock();
            state.peer = Some(pair[other].clone());
            state.phase = Phase::Connected;
            state.peer_credentials = Credentials::effective();
        }
        Ok(pair)
    }

    fn lock(&self) -> Inside<'_, State> {
        self.state.lock()
    }

    fn is_connecting(&self) -> bool {
        self.style != Style::Datagram
    }

    fn peer(&self) -> Option<Ref<Self>> {
        self.lock().peer.clone()
    }

    /// The options.
    pub fn options(&self) -> Options {
        self.lock().options
    }

    /// Sets options.
    pub fn set_options(&self, change: impl FnOnce(&mut Options)) {
        change(&mut self.lock().options);
    }

    /// SO_ERROR: the error that waits, which is gone then.
    pub fn take_error(&self) -> Option<Errno> {
        self.lock().error.take()
    }

    /// SO_ACCEPTCONN.
    pub fn is_listening(&self) -> bool {
        self.lock().phase == Phase::Listening
    }

    /// SO_PEERCRED.
    pub fn peer_credentials(&self) -> Credentials {
        self.lock().peer_credentials
    }

    /// Bytes that wait (FIONREAD): of a stream all, else those of the first message.
    pub fn unread(&self) -> usize {
        let state = self.lock();
        match self.style {
            Style::Stream => {
                let left = |message: &Message| message.bytes.len() - message.taken;
                state.inbox.iter().map(left).sum()
            }
            _ => state.inbox.front().map_or(0, |first| first.bytes.len()),
        }
    }

    /// Sleeps on `queue` until `ready`, at most as long as the option of this half says. Errors:
    /// `EAGAIN`, `EINTR`.
    fn wait(&self, queue: &Queue, half: usize, ready: impl Fn() -> bool) -> Result<(), Errno> {
        let timeout = self.options().timeouts[half];
        let deadline = (timeout > 0).then(|| time::monotonic_ns().saturating_add(timeout));
        match queue.wait_until(deadline, ready) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Errno::EAGAIN),
            Err(Interrupted) if timeout > 0 => Err(Errno::EINTR),
            Err(interrupted) => Err(interrupted.into()),
        }
    }

    /// shutdown(2) of both halves or one, and so of the partner's other one.
    pub fn shut_down(&self, halves: [bool; 2]) {
        let shut = |socket: &Self, halves: [bool; 2]| {
            let mut state = socket.lock();
            for (shut, more) in state.shut.iter_mut().zip(halves) {
                *shut |= more;
            }
            drop(state);
            socket.changed();
        };
        shut(self, halves);
        if self.is_connecting()
            && let Some(peer) = self.peer()
        {
            shut(&peer, [halves[SEND], halves[RECEIVE]]);
        }
    }

    fn changed(&self) {
        self.readable.wake();
        self.writable.wake();
        self.room.wake();
    }

    /// The last descriptor is closed. `unseen`: nobody accepted it.
    fn close(&self, unseen: bool) {
        address::release(self);
        let mut state = self.lock();
        state.closed = true;
        state.shut = [true; 2];
        let peer = state.peer.take();
        let lost = core::mem::take(&mut state.inbox);
        let pending = core::mem::take(&mut state.pending);
        state.held = 0;
        drop(state);
        if self.is_connecting()
            && let Some(peer) = peer
        {
            let mut state = peer.lock();
            state.shut = [true; 2];
            if unseen || !lost.is_empty() {
                state.error = Some(Errno::ECONNRESET);
            }
            let me = state.peer.take();
            drop(state);
            peer.changed();
            drop(me);
        } else if let Some(peer) = peer {
            peer.writable.wake();
        }
        self.changed();
        for message in &lost {
            if let Some(sender) = &message.sender {
                sender.writable.wake();
            }
        }
        for connection in pending {
            connection.0.close(true);
        }
    }

    /// The events of poll(2) that hold now.
    pub fn events(&self) -> u32 {
        let state = self.lock();
        let mut events = 0;
        if !state.inbox.is_empty() || !state.pending.is_empty() || state.shut[RECEIVE] {
            events |= POLLIN | POLLRDNORM;
        }
        if state.shut[RECEIVE] {
            events |= POLLRDHUP;
        }
        if state.shut == [true; 2] || (self.is_connecting() && state.phase == Phase::Fresh) {
            events |= POLLHUP;
        }
        if state.error.is_some() {
            events |= POLLERR;
        }
        let listens = state.phase == Phase::Listening;
        let peer = state.peer.clone();
        drop(state);
        if !listens && peer.is_none_or(|peer| peer.has_much_room(self)) {
            events |= POLLOUT | POLLWRNORM;
        }
        events
    }

    /// Whether `sender` can send something to it; to who is closed there is always room.
    fn has_room(&self, sender: &Self) -> bool {
        self.room_for(sender, 1)
    }

    /// Whether poll(2) says so: three quarters of the buffer are free.
    fn has_much_room(&self, sender: &Self) -> bool {
        self.room_for(sender, 4)
    }

    fn room_for(&self, sender: &Self, share: usize) -> bool {
        let size = sender.options().buffers[SEND] as usize;
        let state = self.lock();
        let partners = state
            .peer
            .as_ref()
            .is_some_and(|peer| core::ptr::eq(&raw const **peer, sender));
        // Not so many datagrams may wait of somebody else.
        let few = partners || self.is_connecting() || state.inbox.len() <= DATAGRAMS;
        let held = state.held * share;
        state.closed || few && (held < size || share > 1 && held == size)
    }

    /// The queues that are woken when [`events`](Self::events) may have changed.
    pub const fn queues(&self) -> [Option<&Queue>; 2] {
        [Some(&self.readable), Some(&self.writable)]
    }
}

/// An open file's hold on a socket: it is closed with it.
#[derive(Debug)]
pub struct Endpoint(Ref<Unix>);

impl Endpoint {
    /// Holds a socket that nobody holds yet.
    pub const fn new(socket: Ref<Unix>) -> Self {
        Self(socket)
    }

    /// The socket.
    pub const fn socket(&self) -> &Ref<Unix> {
        &self.0
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if !self.0.lock().closed {
            self.0.close(false);
        }
    }
}
