//! readv(2), writev(2) and their positioned forms.

use super::{MAX_TRANSFER, check_seekable, position};
use crate::errno::{Errno, SysResult};
use crate::fs::fd;
use crate::fs::file::{Description, check_range};
use crate::fs::inode::Kind;
use crate::fs::notify::hooks;
use crate::mm::demand::{self, Touch};
use crate::uaccess::{UserPtr, UserSlice, access_ok};
use linux_raw_sys::general::{
    IN_ACCESS, RWF_APPEND, RWF_DSYNC, RWF_HIPRI, RWF_NOWAIT, RWF_SYNC, UIO_MAXIOV, iovec,
};

/// Array elements kept on the stack. An array that fits is copied in once; of a longer one, as many
/// are copied at a time, and every element is checked again when it is used.
const WINDOW: usize = 8;
const ELEMENT: usize = size_of::<iovec>();

/// readv(2). Linux takes the low half of `count`, as in all these calls.
pub fn readv(fd: i32, vector: UserPtr<iovec>, count: u32) -> SysResult {
    read_parts(fd, vector, count, None, 0)
}

/// writev(2).
pub fn writev(fd: i32, vector: UserPtr<iovec>, count: u32) -> SysResult {
    write_parts(fd, vector, count, None, 0)
}

/// preadv(2). The kernel's fifth argument, the upper half of the offset, is unused on x86_64.
pub fn preadv(fd: i32, vector: UserPtr<iovec>, count: u32, offset: i64) -> SysResult {
    read_parts(fd, vector, count, Some(position(offset)?), 0)
}

/// pwritev(2).
pub fn pwritev(fd: i32, vector: UserPtr<iovec>, count: u32, offset: i64) -> SysResult {
    write_parts(fd, vector, count, Some(position(offset)?), 0)
}

/// preadv2(2): an offset of -1 is the position.
pub fn preadv2(
    fd: i32,
    vector: UserPtr<iovec>,
    count: u32,
    offset: i64,
    _high: usize,
    flags: u32,
) -> SysResult {
    read_parts(fd, vector, count, position_or_here(offset)?, flags)
}

/// pwritev2(2), as [`preadv2`]; `RWF_APPEND` writes at the end.
pub fn pwritev2(
    fd: i32,
    vector: UserPtr<iovec>,
    count: u32,
    offset: i64,
    _high: usize,
    flags: u32,
) -> SysResult {
    write_parts(fd, vector, count, position_or_here(offset)?, flags)
}

fn position_or_here(offset: i64) -> Result<Option<u64>, Errno> {
    if offset == -1 {
        Ok(None)
    } else {
        position(offset).map(Some)
    }
}

/// Flags that are known; of these a file in memory honours all by doing nothing, but `RWF_APPEND`
/// and, where a read or a write may wait, `RWF_NOWAIT`.
const FLAGS: u32 = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND;

fn check_flags(file: &Description, flags: u32, known: u32) -> Result<(), Errno> {
    let may_wait = !matches!(file.inode().kind, Kind::File(_));
    // What is read one buffer at a time knows no flags.
    let plain = file.inode().is_dir() && flags & !RWF_HIPRI != 0;
    if flags & !known != 0
        || plain
        || (flags & RWF_NOWAIT != 0 && may_wait && !file.is_nonblocking())
    {
        Err(Errno::EOPNOTSUPP)
    } else {
        Ok(())
    }
}

fn write_parts(
    fd: i32,
    vector: UserPtr<iovec>,
    count: u32,
    at: Option<u64>,
    flags: u32,
) -> SysResult {
    let file = fd::get(fd)?;
    if at.is_some() {
        check_seekable(&file)?;
    }
    file.check_writable()?;
    let mut parts = Parts::new(vector, count);
    let total = parts.check(Touch::READ)?;
    check_range(at.unwrap_or(0), total)?;
    if total == 0 {
        return Ok(0);
    }
    check_flags(&file, flags, FLAGS)?;
    let append = flags & RWF_APPEND != 0;
    hooks::write(&file, || file.write(&mut parts, total, at, append))
}

fn read_parts(
    fd: i32,
    vector: UserPtr<iovec>,
    count: u32,
    at: Option<u64>,
    flags: u32,
) -> SysResult {
    let file = fd::get(fd)?;
    if at.is_some() {
        check_seekable(&file)?;
    }
    file.check_readable()?;
    let mut parts = Parts::new(vector, count);
    let total = parts.check(Touch::WRITE)?;
    let done = if total == 0 {
        0
    } else {
        check_range(at.unwrap_or(0), total)?;
        check_flags(&file, flags, FLAGS)?;
        file.read(&mut parts, total, at)?
    };
    // Unlike read(2), these say it even of a read at the end.
    hooks::file(&file, IN_ACCESS);
    Ok(done)
}

/// The buffers of an array of `iovec`, in order, cut so that they sum up to at most
/// [`MAX_TRANSFER`].
pub struct Parts {
    vector: UserPtr<iovec>,
    count: usize,
    next: usize,
    /// Bytes still to be handed out.
    left: usize,
    window: [u8; WINDOW * ELEMENT],
}

impl Parts {
    /// An array of `count` elements, as the application names it.
    pub const fn new(vector: UserPtr<iovec>, count: u32) -> Self {
        let window = [0; WINDOW * ELEMENT];
        Self {
            vector,
            count: count as usize,
            next: 0,
            left: 0,
            window,
        }
    }

    /// Checks the whole array, as Linux does before it transfers anything; returns the number of
    /// bytes in all. Errors: `EINVAL` (more than 1024 elements, a negative length), `EFAULT` (the
    /// array or a buffer).
    #[inline]
    pub fn check(&mut self, touch: Touch) -> Result<usize, Errno> {
        let is_only = self.count == 1;
        let mut reachable = true;
        let total = self.measure(|base, len| {
            // Linux cuts the only buffer before it checks it, and several only afterwards.
            let checked = if is_only { len.min(MAX_TRANSFER) } else { len };
            reachable &= access_ok(base, checked);
            if reachable {
                demand::prepare(base, checked, touch);
            }
        })?;
        if reachable {
            Ok(total)
        } else {
            Err(Errno::EFAULT)
        }
    }

    /// Checks the array alone and shows each buffer to `see`; returns the number of bytes in all.
    /// Errors: as [`check`](Self::check), but of the array.
    #[inline]
    pub fn measure(&mut self, mut see: impl FnMut(usize, usize)) -> Result<usize, Errno> {
        if self.count > UIO_MAXIOV as usize {
            return Err(Errno::EINVAL);
        }
        let mut total: usize = 0;
        for index in 0..self.count {
            let (base, len) = self.element(index)?;
            if len > isize::MAX as usize {
                return Err(Errno::EINVAL);
            }
            see(base, len);
            total = total.saturating_add(len);
        }
        self.left = total.min(MAX_TRANSFER);
        if self.count > WINDOW {
            self.fill(0)?;
        }
        Ok(self.left)
    }

    /// Address and length; the window moves on when `index` is the first behind it.
    #[inline]
    fn element(&mut self, index: usize) -> Result<(usize, usize), Errno> {
        if index.is_multiple_of(WINDOW) {
            self.fill(index)?;
        }
        Ok(self.at(index))
    }

    #[inline]
    fn at(&self, index: usize) -> (usize, usize) {
        let words = self.window.as_chunks().0;
        let slot = index % WINDOW * 2;
        (
            usize::from_ne_bytes(words[slot]),
            usize::from_ne_bytes(words[slot + 1]),
        )
    }

    fn fill(&mut self, from: usize) -> Result<(), Errno> {
        let size = (self.count - from).min(WINDOW) * ELEMENT;
        let elements = UserSlice::new(self.vector.add(from).address(), size);
        if elements.read(&mut self.window[..size])? != size {
            return Err(Errno::EFAULT);
        }
        Ok(())
    }
}

impl Iterator for Parts {
    type Item = UserSlice;

    #[inline]
    fn next(&mut self) -> Option<UserSlice> {
        if self.next == self.count || self.left == 0 {
            return None;
        }
        // The first window is filled by `check`; an array that is gone by now ends the transfer.
        let index = self.next;
        let first = index < WINDOW;
        let (base, len) = if first {
            self.at(index)
        } else {
            self.element(index).ok()?
        };
        let part = UserSlice::new(base, len.min(self.left));
        self.next += 1;
        self.left -= part.len();
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Stdin;
    use crate::fs::testing::{Packer, boot_with, cstr};
    use crate::sys::file::{lseek, open};
    use linux_raw_sys::general::O_RDWR;

    fn boot() -> impl Sized {
        let content: Vec<u8> = (0..=255).collect();
        boot_with(Some(Packer::default().file("f", &content)), Stdin::Null)
    }

    fn vector(parts: &[(usize, usize)]) -> Vec<iovec> {
        let part = |&(base, len): &(usize, usize)| iovec {
            iov_base: base as *mut _,
            iov_len: len as _,
        };
        parts.iter().map(part).collect()
    }

    fn at(vector: &[iovec]) -> UserPtr<iovec> {
        UserPtr::new(vector.as_ptr() as usize)
    }

    #[test]
    fn long_vectors_are_read_in_windows() {
        let _fs = boot();
        let fd = open(cstr("f\0"), 0, 0).unwrap() as i32;
        let mut bytes = [0u8; 100];
        let base = bytes.as_mut_ptr() as usize;
        let elements: Vec<_> = (0..50).map(|i| (base + 2 * i, 2)).collect();
        assert_eq!(readv(fd, at(&vector(&elements)), 50), Ok(100));
        assert!((0..100).eq(bytes));
        assert_eq!(preadv(fd, at(&vector(&elements)), 50, 200), Ok(56));
        assert_eq!((bytes[55], bytes[56]), (255, 56));
        assert_eq!(lseek(fd, 0, 1), Ok(100));
    }

    #[test]
    fn arrays_are_checked_before_anything_moves() {
        let _fs = boot();
        let fd = open(cstr("f\0"), 0, 0).unwrap() as i32;
        let mut bytes = [0u8; 4];
        let good = (bytes.as_mut_ptr() as usize, 4);
        let rows = [
            (vec![good, (good.0, usize::MAX)], Err(Errno::EINVAL)),
            (vec![good, (usize::MAX - 9, 4)], Err(Errno::EFAULT)),
            (
                vec![(usize::MAX - 9, 4), (good.0, usize::MAX)],
                Err(Errno::EINVAL),
            ),
            (vec![(good.0, 0)], Ok(0)),
            (vec![], Ok(0)),
        ];
        for (elements, wanted) in rows {
            assert_eq!(
                readv(fd, at(&vector(&elements)), elements.len() as u32),
                wanted
            );
        }
        assert_eq!((bytes, lseek(fd, 0, 1)), ([0; 4], Ok(0)));
        assert_eq!(readv(fd, UserPtr::new(0), 1025), Err(Errno::EINVAL));
        assert_eq!(
            readv(fd, UserPtr::new(usize::MAX - 15), 1),
            Err(Errno::EFAULT)
        );
        assert_eq!(readv(99, UserPtr::new(0), 1025), Err(Errno::EBADF));
        assert_eq!(preadv(99, UserPtr::new(0), 1025, -1), Err(Errno::EINVAL));
        assert_eq!(writev(fd, UserPtr::new(0), 1025), Err(Errno::EBADF));
    }

    #[test]
    fn transfers_are_cut_at_the_limit() {
        let _fs = boot();
        let fd = open(cstr("/dev/null\0"), O_RDWR, 0).unwrap() as i32;
        let half = (0x10_0000, 0x7000_0000);
        assert_eq!(writev(fd, at(&vector(&[half, half])), 2), Ok(MAX_TRANSFER));
        assert_eq!(pwritev(fd, at(&vector(&[half])), 1, 7), Ok(half.1));
        assert_eq!(pwritev(1, at(&vector(&[half])), 1, 7), Err(Errno::ESPIPE));
        assert_eq!(preadv(1, at(&vector(&[half])), 1, 7), Err(Errno::ESPIPE));
    }

    #[test]
    fn all_1024_elements_are_used() {
        let _fs = boot();
        let fd = open(cstr("/dev/zero\0"), O_RDWR, 0).unwrap() as i32;
        let mut bytes = vec![1u8; 1024];
        let base = bytes.as_mut_ptr() as usize;
        let elements: Vec<_> = (0..1024).map(|i| (base + i, 1)).collect();
        assert_eq!(readv(fd, at(&vector(&elements)), 1024), Ok(1024));
        assert!(bytes.iter().all(|&byte| byte == 0));
    }
}
