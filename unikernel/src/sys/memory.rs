//! brk, mmap, munmap, mprotect.

use crate::errno::{Errno, SysResult};
use crate::fs;
use crate::mm::paging::Access;
use crate::mm::{PAGE, page_up, space};
use crate::uaccess::{USER_END, UserSlice};
use core::ops::Range;
use linux_raw_sys::general as abi;

bitflags::bitflags! {
    /// Protections of mmap(2) and mprotect(2).
    #[derive(Clone, Copy)]
    struct Prot: u32 {
        const READ = abi::PROT_READ;
        const WRITE = abi::PROT_WRITE;
        const EXEC = abi::PROT_EXEC;
        /// Atomic operations: no difference on x86.
        const SEM = abi::PROT_SEM;
    }
}

impl Prot {
    /// As page-table permissions; `None` is no access at all. x86 cannot write without reading.
    fn access(self) -> Option<Access> {
        let any = self.intersects(Self::READ | Self::WRITE | Self::EXEC);
        let (write, execute) = (self.contains(Self::WRITE), self.contains(Self::EXEC));
        any.then_some(Access {
            write,
            execute,
            user: true,
        })
    }
}

/// brk(2), the raw call: the new break, or the old one when it could not move.
pub fn brk(end: usize) -> SysResult {
    Ok(space::set_break(end))
}

/// The page range of an address and a length, or `None` outside the address space.
fn pages(start: usize, len: usize) -> Option<Range<usize>> {
    let end = start.checked_add(page_up(len)?)?;
    (end <= USER_END).then_some(start..end)
}

const TYPE: u32 = abi::MAP_SHARED | abi::MAP_PRIVATE;

/// mmap(2): anonymous memory, and private copies of files. Shared mappings of one process without
/// fork are no different from private ones when anonymous.
pub fn mmap(hint: usize, len: usize, prot: u32, flags: u32, fd: i32, offset: usize) -> SysResult {
    if !offset.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let contents = match flags & abi::MAP_ANONYMOUS {
        0 => contents(fd)?,
        _ => None,
    };
    if let Some(file) = &contents {
        check_mapping(file, prot, flags)?;
    }
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    match flags & TYPE {
        abi::MAP_SHARED
            if prot & abi::PROT_WRITE != 0
                && contents.as_ref().is_some_and(|file| !file.is_writable()) =>
        {
            return Err(Errno::EACCES);
        }
        abi::MAP_SHARED if prot & abi::PROT_WRITE != 0 && contents.is_some() => {
            // A mapping that could be written would be a copy, and nobody would see what it holds.
            return Err(Errno::ENODEV);
        }
        abi::MAP_PRIVATE | abi::MAP_SHARED => {}
        // MAP_SHARED_VALIDATE, whose point is refusing what is not known.
        TYPE => return Err(Errno::EOPNOTSUPP),
        _ => return Err(Errno::EINVAL),
    }
    let access = Prot::from_bits_truncate(prot).access();
    let size = pages(0, len).ok_or(Errno::ENOMEM)?.end;
    // A file is copied in first, and then protected.
    let first = if contents.is_some() {
        Some(Access::DATA)
    } else {
        access
    };
    let start = match flags & (abi::MAP_FIXED | abi::MAP_FIXED_NOREPLACE) {
        0 => space::map_anonymous(size, first)?,
        _ => place(hint, len, first, flags & abi::MAP_FIXED_NOREPLACE == 0)?,
    };
    if let Some(contents) = contents {
        fill(start, len, &contents, offset);
        space::protect(start..start + size, access)?;
    }
    Ok(start)
}

/// A regular file that is open for reading; `None` for `/dev/zero`, which is memory like any other.
fn contents(fd: i32) -> Result<Option<fs::fd::File>, Errno> {
    let file = fs::fd::get(fd)?;
    if !file.is_readable() {
        return Err(Errno::EACCES);
    }
    match file.inode().kind {
        fs::inode::Kind::File(_) => Ok(Some(file)),
        fs::inode::Kind::Device(fs::device::Device::Zero) => Ok(None),
        _ => Err(Errno::ENODEV),
    }
}

/// What the file and its file system let be done: `EPERM`.
fn check_mapping(file: &fs::fd::File, prot: u32, flags: u32) -> Result<(), Errno> {
    let inode = file.inode();
    if prot & abi::PROT_EXEC != 0 && inode.sb.is_noexec() {
        return Err(Errno::EPERM);
    }
    if flags & TYPE == abi::MAP_SHARED && prot & abi::PROT_WRITE != 0 {
        fs::guard::map_shared(inode)?;
    }
    Ok(())
}

fn place(hint: usize, len: usize, access: Option<Access>, replace: bool) -> SysResult {
    if !hint.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let range = pages(hint, len).ok_or(Errno::ENOMEM)?;
    space::map_fixed(range, access, replace)
}

/// Copies a file's bytes from `offset` on to the fresh pages at `start`.
fn fill(start: usize, len: usize, contents: &fs::fd::File, offset: usize) {
    // SAFETY: `start` has at least `len` fresh, writable bytes that nobody else knows yet.
    let memory = unsafe { core::slice::from_raw_parts_mut(start as *mut u8, len) };
    if let Some(store) = contents.inode().store() {
        store.lock().read_bytes(offset as u64, memory);
        contents.inode().accessed();
    }
}

/// munmap(2).
pub fn munmap(start: usize, len: usize) -> SysResult {
    if !start.is_multiple_of(PAGE) || len == 0 {
        return Err(Errno::EINVAL);
    }
    space::unmap(pages(start, len).ok_or(Errno::EINVAL)?);
    Ok(0)
}

/// mprotect(2).
pub fn mprotect(start: usize, len: usize, prot: u32) -> SysResult {
    let prot = Prot::from_bits(prot).ok_or(Errno::EINVAL)?;
    if !start.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    space::protect(pages(start, len).ok_or(Errno::ENOMEM)?, prot.access())?;
    Ok(0)
}

/// mremap(2), without MREMAP_FIXED and MREMAP_DONTUNMAP.
pub fn mremap(old: usize, old_len: usize, new_len: usize, flags: u32, _new: usize) -> SysResult {
    if flags & !abi::MREMAP_MAYMOVE != 0 || !old.is_multiple_of(PAGE) || new_len == 0 {
        return Err(Errno::EINVAL);
    }
    let range = pages(old, old_len)
        .filter(|range| !range.is_empty())
        .ok_or(Errno::EINVAL)?;
    let new_len = page_up(new_len).filter(|&len| len <= USER_END);
    let new_len = new_len.ok_or(Errno::EINVAL)?;
    if !space::is_mapped(range.clone()) {
        return Err(Errno::EFAULT);
    }
    space::remap(range, new_len, flags & abi::MREMAP_MAYMOVE != 0)
}

/// mincore(2): all of it is resident.
pub fn mincore(start: usize, len: usize, vector: usize) -> SysResult {
    if !start.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let range = pages(start, len).ok_or(Errno::ENOMEM)?;
    let count = range.len() / PAGE;
    let target = UserSlice::new(vector, count);
    if !crate::uaccess::access_ok(vector, count) {
        return Err(Errno::EFAULT);
    }
    if !space::is_known(range) {
        return Err(Errno::ENOMEM);
    }
    let mut done = 0;
    while done < count {
        let part = target.skip(done).take(RESIDENT.len());
        match part.write(&RESIDENT)? {
            n if n == part.len() => done += n,
            _ => return Err(Errno::EFAULT),
        }
    }
    Ok(0)
}

/// What mincore says of pages, a piece at a time.
const RESIDENT: [u8; 256] = [1; 256];

/// madvise(2): MADV_DONTNEED discards; the advice that Linux may ignore is ignored.
pub fn madvise(start: usize, len: usize, advice: u32) -> SysResult {
    let known = matches!(
        advice,
        abi::MADV_NORMAL
            | abi::MADV_RANDOM
            | abi::MADV_SEQUENTIAL
            | abi::MADV_WILLNEED
            | abi::MADV_DONTNEED
            | abi::MADV_FREE
            | abi::MADV_DONTFORK
            | abi::MADV_DOFORK
            | abi::MADV_HUGEPAGE
            | abi::MADV_NOHUGEPAGE
            | abi::MADV_DONTDUMP
            | abi::MADV_DODUMP
    );
    if !known || !start.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let range = pages(start, len).ok_or(Errno::EINVAL)?;
    match advice {
        abi::MADV_DONTNEED => space::discard(range)?,
        _ if !space::is_known(range.clone()) => return Err(Errno::ENOMEM),
        _ => {}
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_checked_before_anything_is_done() {
        let anonymous = abi::MAP_PRIVATE | abi::MAP_ANONYMOUS;
        assert_eq!(mmap(0, 0, 3, anonymous, -1, 0), Err(Errno::EINVAL));
        assert_eq!(mmap(0, 1, 3, anonymous, -1, 1), Err(Errno::EINVAL));
        assert_eq!(mmap(0, 1, 3, abi::MAP_ANONYMOUS, -1, 0), Err(Errno::EINVAL));
        assert_eq!(mmap(0, usize::MAX, 3, anonymous, -1, 0), Err(Errno::ENOMEM));
        assert_eq!(munmap(1, 1), Err(Errno::EINVAL));
        assert_eq!(munmap(0, usize::MAX), Err(Errno::EINVAL));
        assert_eq!(mprotect(PAGE, PAGE, 0x40), Err(Errno::EINVAL));
        assert_eq!(mprotect(PAGE, 0, 1), Ok(0));
        assert_eq!(mprotect(PAGE, PAGE, 1), Err(Errno::ENOMEM));
    }
}
