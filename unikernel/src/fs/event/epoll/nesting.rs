//! Epolls that watch epolls: not in a circle, and not too many above each other.

use super::{Epoll, item};
use crate::errno::Errno;
use core::sync::atomic::Ordering::Relaxed;

/// How many may be above each other (EP_MAX_NESTS and the innermost one).
const DEEPEST: usize = 5;

/// Whether `epoll` may watch `other`: `ELOOP`.
pub fn check(epoll: &Epoll, other: &Epoll) -> Result<(), Errno> {
    let below = below(other, epoll, DEEPEST).ok_or(Errno::ELOOP)?;
    match above(epoll, DEEPEST) {
        Some(above) if above + below <= DEEPEST => Ok(()),
        _ => Err(Errno::ELOOP),
    }
}

/// How many are from `epoll` down. `None`: more than `most`, or `avoid` is among them.
fn below(epoll: &Epoll, avoid: &Epoll, most: usize) -> Option<usize> {
    if core::ptr::eq(epoll, avoid) || most == 0 {
        return None;
    }
    let mut deepest = 0;
    for item in epoll.items.lock().iter() {
        if let Some(other) = item.file().epoll() {
            deepest = deepest.max(below(other, avoid, most - 1)?);
        }
    }
    Some(deepest + 1)
}

/// How many are from `epoll` up.
fn above(epoll: &Epoll, most: usize) -> Option<usize> {
    if most == 0 {
        return None;
    }
    let mut highest = Some(0);
    // SAFETY: an epoll's file has it open, so it lives as long.
    if let Some(file) = unsafe { epoll.file.load(Relaxed).as_ref() } {
        item::owners_of(file, |owner| {
            highest = match (highest, above(owner, most - 1)) {
                (Some(one), Some(other)) => Some(one.max(other)),
                _ => None,
            };
        });
    }
    highest.map(|highest| highest + 1)
}
