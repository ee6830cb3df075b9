//! brk, mmap, munmap, mprotect; [`advice`] has what says how memory will be used, [`remap`] mremap,
//! [`process`] what reads and writes the memory of processes.

pub mod advice;
pub mod process;
pub mod remap;

use crate::errno::{Errno, SysResult};
use crate::fs;
use crate::fs::rc::Ref;
use crate::mm::area::{Backing, Mapping};
use crate::mm::demand::{self, Touch};
use crate::mm::paging::Access;
use crate::mm::place::{self, Fixed, Request};
use crate::mm::{PAGE, limit, page_up, space};
use crate::uaccess::USER_END;
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
    let end = if space::may_break(end) { end } else { 0 };
    Ok(space::set_break(end))
}

/// The page range of an address and a length, or `None` outside the address space.
fn pages(start: usize, len: usize) -> Option<Range<usize>> {
    let end = start.checked_add(page_up(len)?)?;
    (end <= USER_END).then_some(start..end)
}

const TYPE: u32 = abi::MAP_SHARED | abi::MAP_PRIVATE;

/// Flags of mmap(2) that change nothing here: there is no swap, and no executable to protect.
const IGNORED: u32 = abi::MAP_DENYWRITE | abi::MAP_EXECUTABLE | abi::MAP_NONBLOCK | abi::MAP_LOCKED;

/// The size of huge pages, as a logarithm.
const HUGE_SIZE: u32 = abi::MAP_HUGE_MASK << abi::MAP_HUGE_SHIFT;

/// Flags that are known; MAP_SHARED_VALIDATE refuses others.
const KNOWN: u32 = TYPE
    | IGNORED
    | abi::MAP_FIXED
    | abi::MAP_FIXED_NOREPLACE
    | abi::MAP_ANONYMOUS
    | abi::MAP_32BIT
    | abi::MAP_GROWSDOWN
    | abi::MAP_NORESERVE
    | abi::MAP_POPULATE
    | abi::MAP_STACK
    | abi::MAP_HUGETLB
    | HUGE_SIZE
    | abi::MAP_ABOVE4G
    | abi::MAP_UNINITIALIZED;

/// mmap(2). Shared anonymous memory is private: there is no other process to share it with.
pub fn mmap(hint: usize, len: usize, prot: u32, flags: u32, fd: i32, offset: usize) -> SysResult {
    if !offset.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let file = match flags & abi::MAP_ANONYMOUS {
        0 => Some(fs::fd::get(fd)?),
        _ => None,
    };
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    let size = pages(0, len).ok_or(Errno::ENOMEM)?.end;
    let end = offset.checked_add(size).ok_or(Errno::EOVERFLOW)?;
    if file.is_some() && end > i64::MAX as usize {
        return Err(Errno::EOVERFLOW);
    }
    check_type(flags)?;
    let backing = match file {
        Some(file) => file_backing(file, prot, flags, (offset / PAGE) as u64)?,
        None => Backing::Anonymous,
    };
    let (address, fixed) = address(hint, size, flags)?;
    let access = Prot::from_bits_truncate(prot).access();
    let is_data = access.is_some_and(|access| access.write) && flags & abi::MAP_SHARED == 0;
    let replaced = match fixed {
        Fixed::Replace => address..address + size,
        _ => 0..0,
    };
    limit::check(size, is_data, replaced)?;
    let start = place::map(Request {
        len: size,
        address,
        fixed,
        access,
        backing,
        lazy: flags & (abi::MAP_NORESERVE | abi::MAP_STACK) != 0,
        low: flags & abi::MAP_32BIT != 0 && fixed == Fixed::No,
        grows_down: flags & abi::MAP_GROWSDOWN != 0,
    })?;
    if let Some(access) = access
        && flags & (abi::MAP_POPULATE | abi::MAP_LOCKED) != 0
    {
        let write = access.write;
        // What cannot be had now is a matter of the touch that needs it.
        let _ = demand::bring(
            start..start + size,
            Touch {
                write,
                ..Touch::READ
            },
        );
    }
    Ok(start)
}

/// Shared, private, or shared and sure that every flag is known.
fn check_type(flags: u32) -> Result<(), Errno> {
    match flags & TYPE {
        TYPE if flags & !KNOWN != 0 => return Err(Errno::EOPNOTSUPP),
        TYPE | abi::MAP_SHARED if flags & abi::MAP_GROWSDOWN != 0 => return Err(Errno::EINVAL),
        TYPE | abi::MAP_SHARED | abi::MAP_PRIVATE => {}
        _ => return Err(Errno::EINVAL),
    }
    // No page of that size was set aside (`vm.nr_hugepages` is 0).
    if flags & abi::MAP_HUGETLB != 0 {
        return Err(Errno::ENOMEM);
    }
    Ok(())
}

/// Where the mapping is to be.
fn address(hint: usize, size: usize, flags: u32) -> Result<(usize, Fixed), Errno> {
    let fixed = match flags & (abi::MAP_FIXED | abi::MAP_FIXED_NOREPLACE) {
        0 => Fixed::No,
        abi::MAP_FIXED => Fixed::Replace,
        _ => Fixed::Keep,
    };
    if fixed == Fixed::No {
        let hint = hint & !(PAGE - 1);
        // A hint that cannot be is none.
        return Ok((pages(hint, size).map_or(0, |range| range.start), fixed));
    }
    if !hint.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    pages(hint, size).ok_or(Errno::ENOMEM)?;
    Ok((hint, fixed))
}

/// A regular file as the content of a mapping, from page `first` on; `/dev/zero` is memory like any
/// other. Errors: `EACCES` (not open for it), `EPERM` (its seals, its file system), `ENODEV`.
fn file_backing(file: fs::fd::File, prot: u32, flags: u32, first: u64) -> Result<Backing, Errno> {
    let shared = flags & abi::MAP_SHARED != 0;
    let writes = shared && prot & abi::PROT_WRITE != 0;
    if !file.is_readable() || writes && !file.is_writable() {
        return Err(Errno::EACCES);
    }
    let inode = file.inode();
    if prot & abi::PROT_EXEC != 0 && inode.sb.is_noexec() {
        return Err(Errno::EPERM);
    }
    match inode.kind {
        fs::inode::Kind::File(_) => {}
        fs::inode::Kind::Device(fs::device::Device::Zero) => return Ok(Backing::Anonymous),
        _ => return Err(Errno::ENODEV),
    }
    if writes {
        fs::guard::map_shared(inode)?;
    }
    file.accessed();
    let mapping = Ref::new(Mapping::new(file, shared))?;
    Ok(Backing::File(mapping, first))
}

/// munmap(2).
pub fn munmap(start: usize, len: usize) -> SysResult {
    if !start.is_multiple_of(PAGE) || len == 0 {
        return Err(Errno::EINVAL);
    }
    space::unmap(pages(start, len).ok_or(Errno::EINVAL)?)?;
    Ok(0)
}

/// mprotect(2).
pub fn mprotect(start: usize, len: usize, prot: u32) -> SysResult {
    // PROT_GROWSDOWN would go on to the start of the main stack, whose rights do not change.
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
