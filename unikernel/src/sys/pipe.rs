//! System calls on pipes: pipe(2), splice(2), tee(2), vmsplice(2), and their parts of fcntl(2) and
//! ioctl(2).
//!
//! The rules are here, over [`OpenFile`]; the calls look descriptors up and go on there.

pub mod calls;
mod files;

pub use calls::{pipe, pipe2, splice, tee, vmsplice};

use super::file::MAX_TRANSFER;
use super::signal::send;
use crate::errno::{Errno, SysResult};
use crate::fs::pipe::splice::{self as move_pages, Sink, Source};
use crate::fs::pipe::{End, Pipe};
use crate::uaccess::{UserPtr, UserSlice};
use linux_raw_sys::general::{
    F_GETPIPE_SZ, F_SETPIPE_SZ, O_APPEND, O_CLOEXEC, O_DIRECT, O_NONBLOCK, O_RDONLY, O_WRONLY,
    SIGPIPE, SPLICE_F_GIFT, SPLICE_F_MORE, SPLICE_F_MOVE, SPLICE_F_NONBLOCK,
};

/// What splice(2) and its kin must know of an open file.
pub trait OpenFile {
    /// The end, if it is a pipe or a FIFO.
    fn end(&self) -> Option<&End>;
    /// Its status flags, as `F_GETFL` has them.
    fn status(&self) -> u32;
    /// Whether it is open for reading.
    fn reads(&self) -> bool;
    /// Whether it is open for writing.
    fn writes(&self) -> bool;
    /// Whether pread(2) and pwrite(2) work: it has a position.
    fn has_position(&self) -> bool;
    /// The position; 0 where there is none.
    fn position(&self) -> u64;
    /// Moves the position, where there is one.
    fn move_to(&self, position: u64);
    /// What a pipe is filled from, starting at byte `at`. `None`: not a file that can be spliced.
    fn source(&self, at: u64) -> Option<impl Source>;
    /// What a pipe is emptied into, starting at byte `at`. `None`: not a file that can be spliced.
    fn sink(&self, at: u64) -> Option<impl Sink>;
}

/// The flags that splice(2), tee(2) and vmsplice(2) know.
const KNOWN: u32 = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;

/// `EINVAL` for flags that nobody knows.
pub fn check_flags(flags: u32) -> Result<(), Errno> {
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// Whether a splice may not wait: its own flag says so, or the status of one of the pipes.
const fn nonblocking(flags: u32, status: u32) -> bool {
    flags & SPLICE_F_NONBLOCK != 0 || status & O_NONBLOCK != 0
}

/// pipe2(2): makes a pipe. `insert(end, status, cloexec)` gives an end a descriptor, `remove` takes
/// it back. Errors: `EINVAL` (flags; there are no notification pipes), `EMFILE`, `EFAULT`, `ENOMEM`;
/// then there is no new descriptor.
pub fn make(
    fildes: UserPtr<[i32; 2]>,
    flags: u32,
    mut insert: impl FnMut(End, u32, bool) -> Result<i32, Errno>,
    mut remove: impl FnMut(i32),
) -> SysResult {
    if flags & !(O_CLOEXEC | O_NONBLOCK | O_DIRECT) != 0 {
        return Err(Errno::EINVAL);
    }
    let (reader, writer) = End::pair()?;
    let cloexec = flags & O_CLOEXEC != 0;
    let input = insert(reader, O_RDONLY | (flags & O_NONBLOCK), cloexec)?;
    let status = O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT));
    let result = insert(writer, status, cloexec).and_then(|output| {
        let written = fildes.write(&[input, output]);
        if written.is_err() {
            remove(output);
        }
        written
    });
    if result.is_err() {
        remove(input);
    }
    result.map(|()| 0)
}

/// An offset argument of splice(2), if there is one; `ESPIPE` when the file is a pipe.
fn offset(at: UserPtr<i64>, file: &impl OpenFile) -> Result<Option<UserPtr<i64>>, Errno> {
    match at.optional() {
        Some(_) if file.end().is_some() => Err(Errno::ESPIPE),
        at => Ok(at),
    }
}

/// Where a transfer of `len` bytes begins: at the given offset, or at the file's position. `EINVAL`
/// when the file takes no offset, and when the range is not one.
fn start(file: &impl OpenFile, at: Option<i64>, len: usize) -> Result<u64, Errno> {
    if at.is_some() && !file.has_position() {
        return Err(Errno::EINVAL);
    }
    let start = at.map_or(file.position(), |at| at as u64);
    let end = start.checked_add(len as u64);
    match end {
        Some(end) if start <= i64::MAX as u64 && end <= i64::MAX as u64 => Ok(start),
        _ => Err(Errno::EINVAL),
    }
}

/// splice(2) between two open files, with `flags` checked and `len` not 0.
pub fn splice_files(
    input: &impl OpenFile,
    in_at: UserPtr<i64>,
    output: &impl OpenFile,
    out_at: UserPtr<i64>,
    len: usize,
    flags: u32,
) -> SysResult {
    let in_at = offset(in_at, input)?;
    let out_at = offset(out_at, output)?;
    let to = out_at.map(UserPtr::read).transpose()?;
    let from = in_at.map(UserPtr::read).transpose()?;
    if !input.reads() || !output.writes() {
        return Err(Errno::EBADF);
    }
    match (input.end(), output.end()) {
        (Some(near), Some(far)) if near.is_same_pipe(far) => Err(Errno::EINVAL),
        (Some(near), Some(far)) => {
            let nonblocking = nonblocking(flags, input.status() | output.status());
            broken(move_pages::splice(
                near.pipe(),
                far.pipe(),
                len,
                nonblocking,
            ))
        }
        (Some(near), None) => {
            if output.status() & O_APPEND != 0 {
                return Err(Errno::EINVAL);
            }
            let at = start(output, to, len)?;
            let nonblocking = nonblocking(flags, input.status());
            let done = {
                let mut sink = output.sink(at).ok_or(Errno::EINVAL)?;
                near.pipe()
                    .splice_to(&mut sink, len.min(MAX_TRANSFER), nonblocking)?
            };
            advance(output, out_at, at, done)
        }
        (None, Some(far)) => {
            let at = start(input, from, len)?;
            let done = fill(input, at, far, len, nonblocking(flags, output.status()))?;
            advance(input, in_at, at, done)
        }
        (None, None) => Err(Errno::EINVAL),
    }
}

/// Splices from byte `at` of a file into a pipe: splice(2), and sendfile(2) to a pipe (which does
/// the same and moves its own offset). Returns the bytes.
pub fn fill(input: &impl OpenFile, at: u64, far: &End, len: usize, nonblocking: bool) -> SysResult {
    let len = len.min(MAX_TRANSFER);
    match input.source(at) {
        Some(mut source) => broken(far.pipe().splice_from(&mut source, len, nonblocking)),
        // Linux asks the file only when there is room.
        None => broken(
            far.pipe()
                .wait_for_room(nonblocking)
                .and(Err(Errno::EINVAL)),
        ),
    }
}

/// Puts the position behind `done` bytes where it belongs: to the offset argument, or to the file.
fn advance(
    file: &impl OpenFile,
    argument: Option<UserPtr<i64>>,
    at: u64,
    done: usize,
) -> SysResult {
    let behind = at + done as u64;
    match argument {
        Some(argument) => argument.write(&(behind as i64))?,
        None => file.move_to(behind),
    }
    Ok(done)
}

/// tee(2) between two open files, with `flags` checked and `len` not 0.
pub fn tee_files(
    input: &impl OpenFile,
    output: &impl OpenFile,
    len: usize,
    flags: u32,
) -> SysResult {
    if !input.reads() || !output.writes() {
        return Err(Errno::EBADF);
    }
    match (input.end(), output.end()) {
        (Some(near), Some(far)) if !near.is_same_pipe(far) => {
            let nonblocking = nonblocking(flags, input.status() | output.status());
            broken(move_pages::tee(near.pipe(), far.pipe(), len, nonblocking))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// vmsplice(2), with `flags` checked; `parts` are `total` bytes in all. To a pipe if the file is
/// open for writing, else from it; `O_NONBLOCK` does not count.
pub fn vmsplice_file(
    file: &impl OpenFile,
    parts: impl Iterator<Item = UserSlice>,
    total: usize,
    flags: u32,
) -> SysResult {
    if total == 0 {
        return Ok(0);
    }
    let pipe = file.end().ok_or(Errno::EBADF)?.pipe();
    let nonblocking = nonblocking(flags, 0);
    if file.writes() {
        broken(pipe.vmsplice_from(parts, nonblocking))
    } else {
        pipe.vmsplice_to(parts, total, nonblocking)
    }
}

/// The pipe's commands of fcntl(2). `EBADF` when the file is none. `privileged` is
/// CAP_SYS_RESOURCE. `None` for another command.
pub fn control(
    end: Option<&End>,
    command: u32,
    argument: usize,
    privileged: bool,
) -> Option<SysResult> {
    let pipe = end.map(End::pipe).ok_or(Errno::EBADF);
    match command {
        F_GETPIPE_SZ => Some(pipe.map(Pipe::size)),
        // The argument is an `unsigned int`.
        F_SETPIPE_SZ => Some(pipe.and_then(|pipe| pipe.set_size(argument as u32, privileged))),
        _ => None,
    }
}

/// Raises SIGPIPE when a call found a pipe without readers (or a write was cut short by the last
/// one leaving: [`End::lost_reader`]).
pub fn broken(result: SysResult) -> SysResult {
    if result == Err(Errno::EPIPE) {
        raise();
    }
    result
}

/// SIGPIPE to oneself. Ignored or blocked, the call's `EPIPE` is all there is.
pub fn raise() {
    send::raise(SIGPIPE);
}

#[cfg(test)]
mod tests;
