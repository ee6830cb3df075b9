//! bind(2), listen(2), accept(2), connect(2).

use super::address::{self, Name};
use super::{Credentials, Endpoint, Phase, RECEIVE, SEND, Style, Unix};
use crate::errno::Errno;
use crate::fs::rc::Ref;

/// The longest backlog (net.core.somaxconn).
const SOMAXCONN: u32 = 4096;

/// bind(2); without a name, to one that is free. Errors: `EINVAL` (it has one), those of
/// [`address::claim`].
pub fn bind(socket: &Ref<Unix>, name: Option<Name>, mode: u32) -> Result<(), Errno> {
    if socket.lock().name.is_some() {
        // Linux lets a socket be bound to a free name again, to no effect.
        return if name.is_none() {
            Ok(())
        } else {
            Err(Errno::EINVAL)
        };
    }
    let name = match name {
        Some(name) => name,
        None => Name::automatic(socket.style)?,
    };
    address::claim(socket, &name, mode)?;
    socket.lock().name = Some(name);
    Ok(())
}

impl Unix {
    /// listen(2): at most `backlog` connections wait, or one more. Errors: `EOPNOTSUPP` (datagrams),
    /// `EINVAL` (no name, or connected).
    pub fn listen(&self, backlog: i32) -> Result<(), Errno> {
        if self.style == Style::Datagram {
            return Err(Errno::EOPNOTSUPP);
        }
        let mut state = self.lock();
        if state.name.is_none() || state.phase == Phase::Connected {
            return Err(Errno::EINVAL);
        }
        state.phase = Phase::Listening;
        state.backlog = (backlog as u32).min(SOMAXCONN) as usize;
        state.peer_credentials = Credentials::effective();
        drop(state);
        self.room.wake();
        Ok(())
    }

    /// accept(2): the next connection. Errors: `EOPNOTSUPP` (datagrams), `EINVAL` (not listening),
    /// `EAGAIN`, `EINTR`.
    pub fn accept(&self, nonblocking: bool) -> Result<Endpoint, Errno> {
        if self.style == Style::Datagram {
            return Err(Errno::EOPNOTSUPP);
        }
        loop {
            let mut state = self.lock();
            if state.phase != Phase::Listening || state.shut[RECEIVE] {
                return Err(Errno::EINVAL);
            }
            if let Some(connection) = state.pending.pop_front() {
                drop(state);
                self.room.wake();
                return Ok(connection);
            }
            drop(state);
            if nonblocking {
                return Err(Errno::EAGAIN);
            }
            self.wait(&self.readable, RECEIVE, || {
                let state = self.lock();
                !state.pending.is_empty() || state.shut[RECEIVE]
            })?;
        }
    }

    /// The name, for getsockname(2).
    pub fn name(&self) -> Option<Name> {
        self.lock().name.clone()
    }

    /// The partner's name, for getpeername(2). `ENOTCONN`.
    pub fn peer_name(&self) -> Result<Option<Name>, Errno> {
        Ok(self.peer().ok_or(Errno::ENOTCONN)?.name())
    }

    /// Ends the connection of a datagram socket.
    pub fn disconnect(&self) {
        let peer = self.lock().peer.take();
        drop(peer);
        self.changed();
    }
}

/// connect(2). Errors: `EPROTOTYPE` (another style), `ECONNREFUSED`, `EISCONN`, `EINVAL` (it
/// listens), `EAGAIN` (too many wait), `EINTR`, `EPERM` (a datagram socket that is connected to
/// another), `ENOMEM`.
pub fn connect(socket: &Ref<Unix>, name: &Name, nonblocking: bool) -> Result<(), Errno> {
    let target = address::find(name, socket.style)?;
    if target.style != socket.style {
        return Err(Errno::EPROTOTYPE);
    }
    if socket.style == Style::Datagram {
        may_send(socket, &target)?;
        let before = socket.lock().peer.replace(target);
        drop(before);
        socket.changed();
        return Ok(());
    }
    let server = Unix::new(socket.style)?;
    loop {
        let mut state = target.lock();
        if state.phase != Phase::Listening || state.shut[RECEIVE] {
            return Err(Errno::ECONNREFUSED);
        }
        if state.pending.len() <= state.backlog {
            state.pending.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            let name = state.name.clone();
            let credentials = state.peer_credentials;
            drop(state);
            // As late as on Linux.
            may_connect(socket)?;
            meet(socket, &server, name, credentials);
            target.lock().pending.push_back(Endpoint::new(server));
            target.readable.wake();
            socket.changed();
            return Ok(());
        }
        drop(state);
        if nonblocking {
            return Err(Errno::EAGAIN);
        }
        socket.wait(&target.room, SEND, || {
            let state = target.lock();
            state.shut[RECEIVE] || state.pending.len() <= state.backlog
        })?;
    }
}

fn may_connect(socket: &Unix) -> Result<(), Errno> {
    match socket.lock().phase {
        Phase::Fresh => Ok(()),
        Phase::Connected => Err(Errno::EISCONN),
        Phase::Listening => Err(Errno::EINVAL),
    }
}

/// Makes partners of who connects and of what will be accepted.
fn meet(client: &Ref<Unix>, server: &Ref<Unix>, name: Option<Name>, listener: Credentials) {
    let mut state = client.lock();
    state.phase = Phase::Connected;
    state.peer = Some(server.clone());
    state.peer_credentials = listener;
    drop(state);
    let mut state = server.lock();
    state.phase = Phase::Connected;
    state.peer = Some(client.clone());
    state.peer_credentials = Credentials::effective();
    state.name = name;
}

/// Whether a datagram may go from one to another, which may have a partner: `EPERM`.
pub(super) fn may_send(from: &Ref<Unix>, to: &Ref<Unix>) -> Result<(), Errno> {
    match to.peer() {
        Some(partner) if !Ref::same(&partner, from) => Err(Errno::EPERM),
        _ => Ok(()),
    }
}
