//! sendmmsg(2) and recvmmsg(2): several messages by one call.

use super::message::{Header, recvmsg, sendmsg};
use super::unix;
use crate::errno::{Errno, SysResult};
use crate::fs::fd;
use crate::sys::clock::{self, nanoseconds};
use crate::time;
use crate::uaccess::UserPtr;
use core::mem::size_of;
use linux_raw_sys::general::__kernel_timespec;
use linux_raw_sys::net::MSG_DONTWAIT;

/// Only the first message is waited for.
const MSG_WAITFORONE: u32 = 0x10000;

/// `struct mmsghdr`: a header, and how long the message was.
#[repr(C)]
pub struct Message {
    header: Header,
    len: u32,
    _pad: u32,
}

/// Messages that one call sends at most (`UIO_MAXIOV`).
const MOST: u32 = 1024;

/// The header of message `index`, and where its length goes.
fn place(messages: UserPtr<Message>, index: u32) -> (UserPtr<Header>, UserPtr<u32>) {
    let header = messages.add(index as usize).cast::<Header>();
    let len = UserPtr::new(header.address() + size_of::<Header>());
    (header, len)
}

/// How many messages `one` did, until it failed; its error if that was the first.
fn each(
    messages: UserPtr<Message>,
    count: u32,
    mut one: impl FnMut(u32, UserPtr<Header>) -> Result<Option<usize>, Errno>,
) -> SysResult {
    for index in 0..count {
        let (header, len) = place(messages, index);
        let done = one(index, header).and_then(|length| match length {
            Some(length) => len.write(&(length as u32)).map(|()| true),
            None => Ok(false),
        });
        match done {
            Ok(true) => {}
            Err(error) if index == 0 => return Err(error),
            _ => return Ok(index as usize),
        }
    }
    Ok(count as usize)
}

/// sendmmsg(2).
pub fn sendmmsg(fd: i32, messages: UserPtr<Message>, count: u32, flags: u32) -> SysResult {
    unix(&fd::get(fd)?)?;
    each(messages, count.min(MOST), |_, header| {
        sendmsg(fd, header, flags).map(Some)
    })
}

/// recvmmsg(2). As on Linux the time is looked at after each message, so the last may take longer.
pub fn recvmmsg(
    fd: i32,
    messages: UserPtr<Message>,
    count: u32,
    flags: u32,
    timeout: UserPtr<__kernel_timespec>,
) -> SysResult {
    let wait = timeout.optional().map(nanoseconds).transpose()?;
    unix(&fd::get(fd)?)?;
    let end = wait.map(|wait| time::monotonic_ns().saturating_add(wait));
    let left = || end.map(|end| end.saturating_sub(time::monotonic_ns()));
    let mut flags = flags;
    let done = each(messages, count, |index, header| {
        if index > 0 && left() == Some(0) {
            return Ok(None);
        }
        let length = recvmsg(fd, header, flags & !MSG_WAITFORONE)?;
        if flags & MSG_WAITFORONE != 0 {
            flags |= MSG_DONTWAIT;
        }
        Ok(Some(length))
    })?;
    if done > 0
        && let Some(left) = left()
    {
        clock::write(timeout.cast(), left)?;
    }
    Ok(done)
}
