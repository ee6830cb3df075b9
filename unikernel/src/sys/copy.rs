//! Copies from descriptor to descriptor: sendfile(2) and copy_file_range(2).

use super::file::MAX_TRANSFER;
use super::pipe::broken;
use crate::errno::{Errno, SysResult};
use crate::fs::copy::{Input, Output, copy, largest};
use crate::fs::fd::{self, File};
use crate::fs::file::Description;
use crate::fs::guard;
use crate::fs::inode::Kind;
use crate::fs::notify::hooks;
use crate::fs::pipe::End;
use crate::fs::rc::Ref;
use crate::uaccess::UserPtr;
use linux_raw_sys::general::{IN_ACCESS, IN_MODIFY, O_APPEND, O_NONBLOCK};

/// A range of a file as arguments say it: `EINVAL` when it does not begin or end at an offset.
fn range(at: i64, len: usize) -> Result<u64, Errno> {
    let end = i64::try_from(len).ok().and_then(|len| at.checked_add(len));
    match (u64::try_from(at), end) {
        (Ok(at), Some(_)) => Ok(at),
        _ => Err(Errno::EINVAL),
    }
}

/// sendfile(2).
pub fn sendfile(output: i32, input: i32, offset: UserPtr<i64>, count: usize) -> SysResult {
    let mut at = offset.optional().map(UserPtr::read).transpose()?;
    let result = send_from(output, input, at.as_mut(), count);
    if let Some(at) = at {
        // Linux writes it back whatever happened.
        offset.write(&at)?;
    }
    result
}

fn send_from(output: i32, input: i32, offset: Option<&mut i64>, count: usize) -> SysResult {
    let input = fd::get(input)?;
    input.check_readable()?;
    if offset.is_some() && !input.is_seekable() {
        return Err(Errno::ESPIPE);
    }
    let start = offset.as_ref().map(|at| **at);
    let mut at = range(start.unwrap_or(input.position() as i64), count)?;
    let done = send(output, &input, &mut at, count.min(MAX_TRANSFER))?;
    match offset {
        Some(offset) => *offset = at as i64,
        None if input.is_seekable() => input.set_position(at),
        None => {}
    }
    Ok(done)
}

/// Sends `count` bytes from `at` on, which moves.
fn send(output: i32, input: &File, at: &mut u64, count: usize) -> SysResult {
    let output = fd::get(output)?;
    output.check_writable()?;
    let most = largest(input.inode()).min(largest(output.inode()));
    let count = match most.checked_sub(*at) {
        None | Some(0) if count > 0 => return Err(Errno::EOVERFLOW),
        left => count.min(left.unwrap_or(0) as usize),
    };
    let result = match output.end() {
        Some(end) => send_to_pipe(&output, end, input, at, count),
        None => send_to_file(&output, input, at, count),
    };
    let result = hooks::moved(input, IN_ACCESS, result);
    hooks::moved(&output, IN_MODIFY, result)
}

fn send_to_pipe(
    output: &Description,
    end: &End,
    input: &Description,
    at: &mut u64,
    count: usize,
) -> SysResult {
    let nonblocking = output.flags() & O_NONBLOCK != 0;
    // Linux asks the file only when there is room.
    let room = end.pipe().wait_for_room(nonblocking);
    let result = room.and_then(|()| {
        let mut input = Input::new(input, *at)?;
        if count == 0 {
            return Ok(0);
        }
        let done = end.pipe().splice_from(&mut input, count, nonblocking)?;
        *at = input.position();
        Ok(done)
    });
    // That there was nothing to send was found out by looking.
    if result.is_ok() && count > 0 {
        input.accessed();
    }
    broken(result)
}

fn send_to_file(
    output: &Description,
    input: &Description,
    at: &mut u64,
    count: usize,
) -> SysResult {
    // The console as a pipe takes everything in order anyway.
    let appends = output.flags() & O_APPEND != 0 && output.is_seekable();
    if appends || !input.is_seekable() {
        return Err(Errno::EINVAL);
    }
    let to = if output.is_seekable() {
        range(output.position() as i64, count)?
    } else {
        0
    };
    // Linux notes it whatever comes of it, and however little was asked for.
    input.accessed();
    if count == 0 {
        return Ok(0);
    }
    let mut from = Input::new(input, *at)?;
    let mut target = Output::new(output.inode(), to);
    let done = copy(&mut from, &mut target, count)?;
    *at = from.position();
    if output.is_seekable() {
        output.set_position(target.position());
    }
    Ok(done)
}

/// copy_file_range(2), between regular files of one file system.
pub fn copy_file_range(
    input: i32,
    in_offset: UserPtr<i64>,
    output: i32,
    out_offset: UserPtr<i64>,
    len: usize,
    flags: u32,
) -> SysResult {
    let (input, output) = (fd::get(input)?, fd::get(output)?);
    let start = |offset: UserPtr<i64>, file: &Description| match offset.optional() {
        Some(offset) => offset.read(),
        None => Ok(file.position() as i64),
    };
    let (from, to) = (start(in_offset, &input)?, start(out_offset, &output)?);
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let len = check(&input, from, &output, to, len)?;
    let (from, to) = (range(from, len)?, range(to, len)?);
    if len == 0 {
        return Ok(0);
    }
    let mut source = Input::new(&input, from)?;
    let mut target = Output::new(output.inode(), to);
    let done = copy(&mut source, &mut target, len.min(MAX_TRANSFER))?;
    let moved = |offset: UserPtr<i64>, file: &Description, to: u64| match offset.optional() {
        Some(offset) => offset.write(&(to as i64)),
        None => {
            file.set_position(to);
            Ok(())
        }
    };
    if done > 0 {
        let first = moved(in_offset, &input, from + done as u64);
        moved(out_offset, &output, to + done as u64).and(first)?;
        hooks::file(&input, IN_ACCESS);
        hooks::file(&output, IN_MODIFY);
    }
    Ok(done)
}

/// Whether a range may be copied, and how much of it there is: what Linux checks, in its order
/// (`generic_copy_file_checks`). Offsets may still be negative.
fn check(
    input: &Description,
    from: i64,
    output: &Description,
    to: i64,
    len: usize,
) -> Result<usize, Errno> {
    let (source, target) = (input.inode(), output.inode());
    if source.is_dir() || target.is_dir() {
        return Err(Errno::EISDIR);
    }
    let is_regular = |kind: &Kind| matches!(kind, Kind::File(_) | Kind::Proc(_));
    if !is_regular(&source.kind) || !is_regular(&target.kind) {
        return Err(Errno::EINVAL);
    }
    if !input.is_readable() || !output.is_writable() || output.flags() & O_APPEND != 0 {
        return Err(Errno::EBADF);
    }
    if !Ref::same(&source.sb, &target.sb) {
        return Err(Errno::EXDEV);
    }
    let wraps = |at: i64| (at as u64).checked_add(len as u64).is_none();
    if wraps(from) || wraps(to) {
        return Err(Errno::EOVERFLOW);
    }
    let size = source.size() as i64;
    let len = match from < size {
        true => (len as u64).min((size as u64).wrapping_sub(from as u64)),
        false => 0,
    };
    let len = guard::copy(to, len).map_err(guard::Refused::raise)?;
    let overlap = |one: i64, other: i64| one < other.saturating_add_unsigned(len);
    if Ref::same(source, target) && overlap(from, to) && overlap(to, from) {
        return Err(Errno::EINVAL);
    }
    Ok(len as usize)
}

#[cfg(test)]
mod tests;
