//! getsockopt(2), setsockopt(2).

use super::unix;
use crate::errno::{Errno, SysResult};
use crate::fs::fd;
use crate::net::unix::{RECEIVE, SEND, Style};
use crate::uaccess::{UserPtr, UserSlice};
use linux_raw_sys::net::{
    AF_UNIX, SO_ACCEPTCONN, SO_BROADCAST, SO_DOMAIN, SO_ERROR, SO_KEEPALIVE, SO_PASSCRED,
    SO_PEERCRED, SO_PROTOCOL, SO_RCVBUF, SO_RCVTIMEO, SO_REUSEADDR, SO_REUSEPORT, SO_SNDBUF,
    SO_SNDTIMEO, SO_TYPE, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM, SOL_SOCKET,
};

/// The least that a buffer can be set to, and what is reported twice as large, as on Linux.
const LEAST: [u32; 2] = [2304, 4608];
/// The most without privilege (net.core.wmem_max).
const MOST: u32 = 212_992;
const SECOND: u64 = 1_000_000_000;

/// Switches that are kept without effect.
const fn kept(option: u32) -> Option<u32> {
    match option {
        SO_REUSEADDR => Some(1),
        SO_KEEPALIVE => Some(2),
        SO_BROADCAST => Some(4),
        SO_REUSEPORT => Some(8),
        _ => None,
    }
}

/// Which half an option is of.
const fn half(option: u32) -> usize {
    match option {
        SO_RCVBUF | SO_RCVTIMEO => RECEIVE,
        _ => SEND,
    }
}

/// getsockopt(2).
pub fn getsockopt(
    fd: i32,
    level: u32,
    option: u32,
    value: usize,
    length: UserPtr<i32>,
) -> SysResult {
    let file = fd::get(fd)?;
    let socket = unix(&file)?;
    let room = usize::try_from(length.read()?).map_err(|_| Errno::EINVAL)?;
    if level != SOL_SOCKET {
        return Err(Errno::EOPNOTSUPP);
    }
    let options = socket.options();
    let mut bytes = [0; 16];
    let mut word = |value: u32| {
        bytes[..4].copy_from_slice(&value.to_ne_bytes());
        4
    };
    let size = match option {
        SO_TYPE => word(match socket.style {
            Style::Stream => SOCK_STREAM,
            Style::Datagram => SOCK_DGRAM,
            Style::Packets => SOCK_SEQPACKET,
        }),
        SO_DOMAIN => word(AF_UNIX),
        SO_PROTOCOL => word(0),
        SO_ERROR => word(socket.take_error().map_or(0, |error| error.number().into())),
        SO_ACCEPTCONN => word(socket.is_listening().into()),
        SO_RCVBUF | SO_SNDBUF => word(options.buffers[half(option)]),
        SO_PASSCRED => word(options.credentials.into()),
        SO_PEERCRED => {
            let peer = socket.peer_credentials();
            let words = [peer.pid as u32, peer.uid, peer.gid];
            for (to, word) in bytes.chunks_exact_mut(4).zip(words) {
                to.copy_from_slice(&word.to_ne_bytes());
            }
            12
        }
        SO_RCVTIMEO | SO_SNDTIMEO => {
            let ns = options.timeouts[half(option)];
            bytes[..8].copy_from_slice(&(ns / SECOND).to_ne_bytes());
            bytes[8..].copy_from_slice(&(ns % SECOND / 1000).to_ne_bytes());
            16
        }
        _ => match kept(option) {
            Some(bit) => word((options.kept & bit != 0).into()),
            None => return Err(Errno::ENOPROTOOPT),
        },
    };
    let size = size.min(room);
    if UserSlice::new(value, size).write(&bytes[..size])? != size {
        return Err(Errno::EFAULT);
    }
    length.write(&(size as i32))?;
    Ok(0)
}

/// setsockopt(2).
pub fn setsockopt(fd: i32, level: u32, option: u32, value: usize, length: i32) -> SysResult {
    let file = fd::get(fd)?;
    let socket = unix(&file)?;
    if level != SOL_SOCKET {
        return Err(Errno::EOPNOTSUPP);
    }
    if length < 4 {
        return Err(Errno::EINVAL);
    }
    let word = UserPtr::<u32>::new(value).read()?;
    match option {
        SO_RCVTIMEO | SO_SNDTIMEO => {
            if length < 16 {
                return Err(Errno::EINVAL);
            }
            let at = UserPtr::<i64>::new(value);
            let timeout = timeout(at.read()?, at.add(1).read()?)?;
            socket.set_options(|options| options.timeouts[half(option)] = timeout);
        }
        SO_RCVBUF | SO_SNDBUF => {
            let half = half(option);
            let size = (2 * word.min(MOST)).max(LEAST[half]);
            socket.set_options(|options| options.buffers[half] = size);
        }
        SO_PASSCRED => socket.set_options(|options| options.credentials = word != 0),
        _ => {
            let bit = kept(option).ok_or(Errno::ENOPROTOOPT)?;
            socket.set_options(|options| match word {
                0 => options.kept &= !bit,
                _ => options.kept |= bit,
            });
        }
    }
    Ok(0)
}

/// A timeout in nanoseconds, 0 for none: `EDOM` for microseconds that are none.
fn timeout(seconds: i64, microseconds: i64) -> Result<u64, Errno> {
    let rest = u64::try_from(microseconds)
        .ok()
        .filter(|&rest| rest < 1_000_000)
        .ok_or(Errno::EDOM)?;
    // Linux takes a negative time for one that is over at once; the least that there is does.
    let Ok(seconds) = u64::try_from(seconds) else {
        return Ok(1);
    };
    Ok(seconds.saturating_mul(SECOND).saturating_add(rest * 1000))
}
