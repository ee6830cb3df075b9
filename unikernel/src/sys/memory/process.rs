//! process_vm_readv(2) and process_vm_writev(2), of the only process that there is.

use crate::errno::{Errno, SysResult};
use crate::mm::demand::Touch;
use crate::process::PID;
use crate::sys::file::vector::Parts;
use crate::uaccess::{UserPtr, UserSlice};
use linux_raw_sys::general::iovec;

/// Bytes that are copied at a time.
const BLOCK: usize = 512;

/// process_vm_readv(2): from `remote` to `local`.
pub fn process_vm_readv(
    pid: i32,
    local: UserPtr<iovec>,
    locals: usize,
    remote: UserPtr<iovec>,
    remotes: usize,
    flags: usize,
) -> SysResult {
    transfer(
        pid,
        parts(local, locals),
        parts(remote, remotes),
        flags,
        Touch::WRITE,
    )
}

/// process_vm_writev(2): from `local` to `remote`.
pub fn process_vm_writev(
    pid: i32,
    local: UserPtr<iovec>,
    locals: usize,
    remote: UserPtr<iovec>,
    remotes: usize,
    flags: usize,
) -> SysResult {
    transfer(
        pid,
        parts(local, locals),
        parts(remote, remotes),
        flags,
        Touch::READ,
    )
}

/// An array; one that is too long is refused when it is looked at.
fn parts(vector: UserPtr<iovec>, count: usize) -> Parts {
    Parts::new(vector, u32::try_from(count).unwrap_or(u32::MAX))
}

/// Checks in Linux's order, then copies: to `here` if that is to be written, else from it. A bad remote
/// buffer is a matter of the copy, a bad local one is not (`import_iovec`).
fn transfer(pid: i32, mut here: Parts, mut there: Parts, flags: usize, touch: Touch) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    if here.check(touch)? == 0 || there.measure(|_, _| {})? == 0 {
        return Ok(0);
    }
    if pid != PID {
        return Err(Errno::ESRCH);
    }
    match touch.write {
        true => copy(there, here),
        false => copy(here, there),
    }
}

/// Copies until one side is at its end or a buffer is bad: the bytes copied, or `EFAULT` if there are
/// none.
fn copy(from: Parts, to: Parts) -> SysResult {
    let (mut from, mut to) = (Cursor::new(from), Cursor::new(to));
    let mut block = [0; BLOCK];
    let mut done = 0;
    while let (Some(source), Some(target)) = (from.rest(), to.rest()) {
        let len = source.len().min(target.len()).min(BLOCK);
        let read = source.read(&mut block[..len]).unwrap_or(0);
        let written = target.write(&block[..read]).unwrap_or(0);
        done += written;
        if written < len {
            return if done > 0 {
                Ok(done)
            } else {
                Err(Errno::EFAULT)
            };
        }
        from.advance(len);
        to.advance(len);
    }
    Ok(done)
}

/// A place in an array of buffers.
struct Cursor {
    parts: Parts,
    rest: UserSlice,
}

impl Cursor {
    const fn new(parts: Parts) -> Self {
        let rest = UserSlice::new(0, 0);
        Self { parts, rest }
    }

    /// What is left of the buffer in which it is, which is not empty; `None` at the end.
    fn rest(&mut self) -> Option<UserSlice> {
        while self.rest.is_empty() {
            self.rest = self.parts.next()?;
        }
        Some(self.rest)
    }

    fn advance(&mut self, by: usize) {
        self.rest = self.rest.skip(by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(buffers: &mut [&mut [u8]]) -> Vec<iovec> {
        let part = |buffer: &mut &mut [u8]| iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len() as _,
        };
        buffers.iter_mut().map(part).collect()
    }

    fn at(vector: &[iovec]) -> UserPtr<iovec> {
        UserPtr::new(vector.as_ptr() as usize)
    }

    #[test]
    #[cfg_attr(miri, ignore = "reads at bad addresses")]
    fn buffers_of_any_size_meet() {
        let mut source: Vec<u8> = (0..1400_u32).map(|n| n as u8).collect();
        let (mut first, mut none, mut second) = ([0; 3], [], [0; 1390]);
        let (one, two) = source.split_at_mut(700);
        let remote = vector(&mut [one, two]);
        let local = vector(&mut [&mut first, &mut none, &mut second]);
        let read = |flags, pid| process_vm_readv(pid, at(&local), 3, at(&remote), 2, flags);
        assert_eq!(read(1, PID), Err(Errno::EINVAL));
        assert_eq!(read(0, PID + 1), Err(Errno::ESRCH));
        assert_eq!(read(0, PID), Ok(1393));
        assert_eq!(first, source[..3]);
        assert_eq!(second, source[3..1393]);
        let back = process_vm_writev(PID, at(&local[..1]), 1, at(&remote[1..]), 1, 0);
        assert_eq!(back, Ok(3));
        assert_eq!(source[700..703], [0, 1, 2]);
    }

    #[test]
    fn bad_buffers_and_counts_are_named() {
        let mut buffer = [7; 8];
        let good = vector(&mut [&mut buffer]);
        let bad = [iovec {
            iov_base: core::ptr::without_provenance_mut(usize::MAX - 100),
            iov_len: 8,
        }];
        let read = |local: &[iovec], remote: &[iovec], count| {
            process_vm_readv(PID, at(local), count, at(remote), 1, 0)
        };
        assert_eq!(read(&good, &bad, 1), Err(Errno::EFAULT));
        assert_eq!(read(&bad, &good, 1), Err(Errno::EFAULT));
        assert_eq!(read(&good, &good, 1 << 32), Err(Errno::EINVAL));
        assert_eq!(read(&good, &bad, 0), Ok(0));
    }
}
