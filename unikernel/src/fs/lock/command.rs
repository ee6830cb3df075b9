//! From the arguments of fcntl(2) and flock(2) to locks.

use super::record::{Owner, Record, Span};
use super::{Mode, Slot};
use crate::errno::{Errno, SysResult};
use crate::fs::file::Description;
use crate::process::PID;
use crate::uaccess::{Pod, UserPtr};
use linux_raw_sys::general::{
    F_GETLK, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_RDLCK, F_SETLK, F_SETLKW, F_UNLCK, F_WRLCK,
    LOCK_EX, LOCK_MAND, LOCK_NB, LOCK_SH, LOCK_UN, SEEK_CUR, SEEK_END, SEEK_SET,
};

/// `struct flock`, its padding spelt out: what the application has there comes back unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Flock {
    l_type: i16,
    l_whence: i16,
    padding: u32,
    l_start: i64,
    l_len: i64,
    l_pid: i32,
    more_padding: u32,
}

// SAFETY: a `repr(C)` struct of integers, without padding: the gaps are fields.
unsafe impl Pod for Flock {}

/// What a lock asks of the open file through which it is set.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// A number that no other open file description has while this one lives.
    pub description: u64,
    /// The position, for `SEEK_CUR`; 0 where there is none.
    pub position: u64,
    /// The size of the file, for `SEEK_END`.
    pub size: u64,
    /// Whether it is open for reading.
    pub readable: bool,
    /// Whether it is open for writing.
    pub writable: bool,
}

impl Description {
    /// A number that no other open file has while this one lives: the owner of its locks.
    #[inline(always)]
    pub fn identity(&self) -> u64 {
        core::ptr::from_ref(self).addr() as u64
    }

    /// What a lock asks of it.
    #[inline]
    pub fn lock_owner(&self) -> Opened {
        Opened {
            description: self.identity(),
            position: self.position(),
            size: self.inode().size(),
            readable: self.is_readable(),
            writable: self.is_writable(),
        }
    }
}

/// Whether a command of fcntl(2) is one of [`fcntl`]'s.
pub const fn is_lock_command(command: u32) -> bool {
    matches!(
        command,
        F_GETLK | F_SETLK | F_SETLKW | F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW
    )
}

/// fcntl(2) with `F_GETLK`, `F_SETLK`, `F_SETLKW` or one of their `F_OFD_` variants. The descriptor
/// is not an `O_PATH` one (`EBADF`).
///
/// Errors: `EINVAL`, `EOVERFLOW`, `EFAULT`, `EBADF` (not open for it), `EAGAIN`, `EINTR`, `ENOLCK`.
pub fn fcntl(slot: &Slot, opened: &Opened, command: u32, argument: UserPtr<Flock>) -> SysResult {
    let mut flock = argument.read()?;
    let of_description = matches!(command, F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW);
    let owner = if of_description {
        Owner::Description(opened.description)
    } else {
        Owner::Process
    };
    match command {
        F_GETLK | F_OFD_GETLK => {
            get(slot, opened, owner, &mut flock)?;
            argument.write(&flock)?;
        }
        F_SETLK | F_OFD_SETLK => set(slot, opened, owner, &flock, false)?,
        F_SETLKW | F_OFD_SETLKW => set(slot, opened, owner, &flock, true)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

fn get(slot: &Slot, opened: &Opened, owner: Owner, flock: &mut Flock) -> Result<(), Errno> {
    if owner == Owner::Process && flock.mode()?.is_none() {
        return Err(Errno::EINVAL);
    }
    let (span, mode) = (flock.span(opened)?, flock.mode()?);
    flock.check_pid(owner)?;
    let found = match mode {
        Some(mode) => slot.conflict(owner, mode, span),
        // Linux 6.6 and later: what the description itself holds.
        None => slot.own(owner, span),
    };
    match found {
        Some(record) => flock.describe(&record),
        None => flock.l_type = F_UNLCK as i16,
    }
    Ok(())
}

fn set(slot: &Slot, opened: &Opened, owner: Owner, flock: &Flock, wait: bool) -> Result<(), Errno> {
    let (span, mode) = (flock.span(opened)?, flock.mode()?);
    let open_for_it = match mode {
        Some(Mode::Shared) => opened.readable,
        Some(Mode::Exclusive) => opened.writable,
        None => true,
    };
    if !open_for_it {
        return Err(Errno::EBADF);
    }
    flock.check_pid(owner)?;
    match mode {
        Some(mode) => slot.lock(owner, mode, span, wait),
        None => slot.unlock(owner, span),
    }
}

impl Flock {
    /// The bytes meant, as `flock64_to_posix_lock` of Linux computes them. Errors: `EINVAL`,
    /// `EOVERFLOW`.
    fn span(&self, opened: &Opened) -> Result<Span, Errno> {
        let base = match u32::from(self.l_whence as u16) {
            SEEK_SET => 0,
            SEEK_CUR => opened.position,
            SEEK_END => opened.size,
            _ => return Err(Errno::EINVAL),
        };
        let base = i64::try_from(base).map_err(|_| Errno::EOVERFLOW)?;
        let start = base.checked_add(self.l_start).ok_or(Errno::EOVERFLOW)?;
        if start < 0 {
            return Err(Errno::EINVAL);
        }
        let (first, last) = match self.l_len {
            0 => (start, i64::MAX),
            1.. => {
                let last = start.checked_add(self.l_len - 1);
                (start, last.ok_or(Errno::EOVERFLOW)?)
            }
            // The bytes in front of the start.
            ..0 => (start + self.l_len, start - 1),
        };
        let first = u64::try_from(first).map_err(|_| Errno::EINVAL)?;
        Span::new(first, last as u64).ok_or(Errno::EINVAL)
    }

    /// The mode asked for, `None` for `F_UNLCK`.
    fn mode(&self) -> Result<Option<Mode>, Errno> {
        match u32::from(self.l_type as u16) {
            F_RDLCK => Ok(Some(Mode::Shared)),
            F_WRLCK => Ok(Some(Mode::Exclusive)),
            F_UNLCK => Ok(None),
            _ => Err(Errno::EINVAL),
        }
    }

    /// A lock of a description names no process.
    const fn check_pid(&self, owner: Owner) -> Result<(), Errno> {
        match owner {
            Owner::Description(_) if self.l_pid != 0 => Err(Errno::EINVAL),
            _ => Ok(()),
        }
    }

    fn describe(&mut self, record: &Record) {
        self.l_type = match record.mode {
            Mode::Shared => F_RDLCK,
            Mode::Exclusive => F_WRLCK,
        } as i16;
        self.l_whence = SEEK_SET as i16;
        // Neither is larger than the largest offset.
        self.l_start = record.span.first() as i64;
        self.l_len = record.span.length() as i64;
        self.l_pid = match record.owner {
            Owner::Process => PID,
            Owner::Description(_) => -1,
        };
    }
}

/// What flock(2) is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The mode; `None` for `LOCK_UN`.
    pub mode: Option<Mode>,
    /// Whether to wait (no `LOCK_NB`).
    pub wait: bool,
}

impl Whole {
    /// Decodes the second argument of flock(2). `None` is `LOCK_MAND`, which Linux ignores since
    /// 5.18, without even a look at the descriptor. Linux looks at the operation before it looks
    /// at the descriptor. Errors: `EINVAL`.
    pub const fn decode(operation: u32) -> Result<Option<Self>, Errno> {
        if operation & LOCK_MAND != 0 {
            return Ok(None);
        }
        let mode = match operation & !LOCK_NB {
            LOCK_SH => Some(Mode::Shared),
            LOCK_EX => Some(Mode::Exclusive),
            LOCK_UN => None,
            _ => return Err(Errno::EINVAL),
        };
        let wait = operation & LOCK_NB == 0;
        Ok(Some(Self { mode, wait }))
    }

    /// flock(2) on the file of `slot`. Errors: `EBADF` (open for nothing), `EAGAIN`, `EINTR`,
    /// `ENOLCK`.
    pub fn apply(self, slot: &Slot, opened: &Opened) -> SysResult {
        match self.mode {
            Some(_) if !opened.readable && !opened.writable => return Err(Errno::EBADF),
            Some(mode) => slot.lock_whole(opened.description, mode, self.wait)?,
            None => slot.unlock_whole(opened.description),
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests;
