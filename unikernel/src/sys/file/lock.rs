//! Locks on files: flock(2), and the lock commands of fcntl(2).

use crate::errno::SysResult;
use crate::fs::fd::{self, File};
use crate::fs::lock::{self, Whole};
use crate::uaccess::UserPtr;

/// flock(2).
pub fn flock(fd: i32, operation: u32) -> SysResult {
    let Some(whole) = Whole::decode(operation)? else {
        return Ok(0);
    };
    let file = fd::get(fd)?;
    let slot = &file.inode().extras_or_new()?.locks;
    whole.apply(slot, &file.lock_owner())
}

/// A lock command of fcntl(2), on what is not an `O_PATH` descriptor; `None` for another command.
pub fn control(file: &File, command: u32, argument: usize) -> Option<SysResult> {
    if !lock::is_lock_command(command) {
        return None;
    }
    let inode = file.inode();
    Some(inode.extras_or_new().and_then(|extras| {
        let argument = UserPtr::new(argument);
        lock::fcntl(&extras.locks, &file.lock_owner(), command, argument)
    }))
}

/// A descriptor of `file` was closed; this is what it held.
#[inline]
pub fn closed(file: File) {
    if !file.is_path() {
        file.inode().descriptor_closed();
    }
}

#[cfg(test)]
mod tests;
