//! The system calls: descriptors are looked up, and the rules of the module above applied.

use super::{check_flags, make, splice_files, tee_files, vmsplice_file};
use crate::cred::{self, caps};
use crate::errno::{Errno, SysResult};
use crate::fs::fd;
use crate::fs::file::Description;
use crate::fs::inode::{Inode, Kind};
use crate::fs::name::Name;
use crate::fs::notify::hooks;
use crate::fs::pages::Quota;
use crate::fs::pipe::{End, Fifo};
use crate::fs::rc::Ref;
use crate::fs::super_block::{FsType, SuperBlock};
use crate::fs::vfs;
use crate::sync::Exclusive;
use crate::sys::file::vector::Parts;
use crate::uaccess::UserPtr;
use linux_raw_sys::general::{IN_ACCESS, IN_MODIFY, S_IFIFO, iovec};

/// What nameless pipes share; made with the first.
static PIPEFS: Exclusive<Option<Ref<SuperBlock>>> = Exclusive::new(None);

fn pipefs() -> Result<Ref<SuperBlock>, Errno> {
    let mut known = PIPEFS.lock();
    if let Some(sb) = &*known {
        return Ok(sb.clone());
    }
    let sb = Ref::new(SuperBlock::new(FsType::Pipefs, 0, Quota::new(None, None)))?;
    *known = Some(sb.clone());
    Ok(sb)
}

/// pipe(2).
pub fn pipe(fildes: UserPtr<[i32; 2]>) -> SysResult {
    pipe2(fildes, 0)
}

/// pipe2(2).
pub fn pipe2(fildes: UserPtr<[i32; 2]>, flags: u32) -> SysResult {
    let owner = (cred::current().fsuid(), cred::current().fsgid());
    let sb = pipefs()?;
    let mut inode = None;
    let insert = |end: End, status: u32, cloexec: bool| {
        let inode = match &inode {
            Some(inode) => Ref::clone(inode),
            None => {
                let fifo = Kind::Fifo(Fifo::of(&end));
                let made = Inode::new(&sb, fifo, S_IFIFO | 0o600, owner)?;
                made.count_names(1);
                inode.insert(made).clone()
            }
        };
        let id = vfs().cache.add_nameless(Name::Static(b""), inode.clone())?;
        let file = fd::File::new(Description::of_pipe(id, inode, status, end))?;
        fd::insert(file, 0, cloexec).map(|fd| fd as i32)
    };
    make(fildes, flags, insert, |fd| drop(fd::remove(fd)))
}

/// splice(2).
pub fn splice(
    input: i32,
    in_at: UserPtr<i64>,
    output: i32,
    out_at: UserPtr<i64>,
    len: usize,
    flags: u32,
) -> SysResult {
    // Linux looks at the length first here, and at the flags first in tee(2).
    if len == 0 {
        return Ok(0);
    }
    check_flags(flags)?;
    let (input, output) = (fd::get(input)?, fd::get(output)?);
    let done = splice_files(&*input, in_at, &*output, out_at, len, flags);
    let done = hooks::moved(&output, IN_MODIFY, done);
    hooks::moved(&input, IN_ACCESS, done)
}

/// tee(2).
pub fn tee(input: i32, output: i32, len: usize, flags: u32) -> SysResult {
    check_flags(flags)?;
    if len == 0 {
        return Ok(0);
    }
    let (input, output) = (fd::get(input)?, fd::get(output)?);
    let done = tee_files(&*input, &*output, len, flags);
    let done = hooks::moved(&input, IN_ACCESS, done);
    hooks::moved(&output, IN_MODIFY, done)
}

/// vmsplice(2).
pub fn vmsplice(fd: i32, vector: UserPtr<iovec>, count: u32, flags: u32) -> SysResult {
    check_flags(flags)?;
    let file = fd::get(fd)?;
    let mut parts = Parts::new(vector, count);
    let total = parts.check(crate::mm::demand::Touch::READ)?;
    let done = vmsplice_file(&*file, &mut parts, total, flags);
    let writes = file.is_writable();
    hooks::moved(&file, if writes { IN_MODIFY } else { IN_ACCESS }, done)
}

/// The pipe's commands of fcntl(2); `None` for another command.
pub fn control(file: &Description, command: u32, argument: usize) -> Option<SysResult> {
    let privileged = cred::current().has(caps::SYS_RESOURCE);
    super::control(file.end(), command, argument, privileged)
}
