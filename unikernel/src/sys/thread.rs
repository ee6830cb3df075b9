//! Threads: clone(2), how they end, their ids and locks.

use crate::cpu::{CPU, work};
use crate::errno::{Errno, SysResult};
use crate::process::PID;
use crate::sched::{self, Thread, Wish};
use crate::shim::on_kernel_stack;
use crate::uaccess::{UserPtr, UserSlice, access_ok};
use crate::{mm, profile};
use core::sync::atomic::Ordering::Relaxed;
use linux_raw_sys::general as abi;

/// What threads of one process share, in any case: anything else would be another process.
const SHARED: u64 = (abi::CLONE_VM | abi::CLONE_SIGHAND | abi::CLONE_THREAD) as u64;
/// Shared or not, there is one of each: not sharing is not implemented.
const ALSO_SHARED: u64 = (abi::CLONE_FS | abi::CLONE_FILES) as u64;
/// What may be asked for beside. Detached is history; nobody traces; there are no System V
/// semaphores to undo and no I/O contexts.
const HONOURED: u64 = (abi::CLONE_SETTLS
    | abi::CLONE_PARENT_SETTID
    | abi::CLONE_CHILD_SETTID
    | abi::CLONE_CHILD_CLEARTID
    | abi::CLONE_PARENT
    | abi::CLONE_PTRACE
    | abi::CLONE_UNTRACED
    | abi::CLONE_DETACHED
    | abi::CLONE_SYSVSEM
    | abi::CLONE_IO) as u64;
const NAMESPACES_OF_THREADS: u64 = (abi::CLONE_NEWUSER | abi::CLONE_NEWPID) as u64;
/// The signal at the end of a process, in the flags of clone(2).
const CSIGNAL: u64 = abi::CSIGNAL as u64;

/// The arguments of both calls.
struct Request {
    flags: u64,
    stack: usize,
    parent_tid: usize,
    child_tid: usize,
    tls: usize,
}

/// clone(2).
pub fn clone(
    flags: usize,
    stack: usize,
    parent_tid: usize,
    child_tid: usize,
    tls: usize,
) -> SysResult {
    // The register's upper half is not looked at.
    let flags = (flags & u32::MAX as usize) as u64;
    let pidfd = abi::CLONE_PIDFD as u64;
    let both = abi::CLONE_PARENT_SETTID as u64;
    if flags & pidfd != 0 && flags & (both | abi::CLONE_DETACHED as u64) != 0 {
        return Err(Errno::EINVAL);
    }
    make(&Request {
        flags: flags & !CSIGNAL,
        stack,
        parent_tid,
        child_tid,
        tls,
    })
}

/// `struct clone_args`, by words (clone3(2)).
mod args {
    pub const FLAGS: usize = 0;
    pub const CHILD_TID: usize = 2;
    pub const PARENT_TID: usize = 3;
    pub const EXIT_SIGNAL: usize = 4;
    pub const STACK: usize = 5;
    pub const STACK_SIZE: usize = 6;
    pub const TLS: usize = 7;
    pub const SET_TID: usize = 8;
    pub const SET_TID_SIZE: usize = 9;
    pub const CGROUP: usize = 10;
    /// Words of the newest version, and bytes of the oldest.
    pub const WORDS: usize = 11;
    pub const OLDEST: usize = 64;
}

/// clone3(2).
pub fn clone3(arguments: usize, size: usize) -> SysResult {
    let words = read_args(arguments, size)?;
    let flags = words[args::FLAGS];
    let word = |index: usize| words[index] as usize;
    let (stack, stack_size) = (word(args::STACK), word(args::STACK_SIZE));
    let forbidden = CSIGNAL & !(abi::CLONE_NEWTIME as u64) | abi::CLONE_DETACHED as u64;
    let ignored = abi::CLONE_CLEAR_SIGHAND | abi::CLONE_INTO_CGROUP;
    let known = u64::from(u32::MAX) | ignored;
    let tids = words[args::SET_TID_SIZE];
    let wrong = flags & !known != 0
        || flags & forbidden != 0
        || flags & SHARED & abi::CLONE_SIGHAND as u64 != 0 && flags & abi::CLONE_CLEAR_SIGHAND != 0
        || flags & (abi::CLONE_THREAD | abi::CLONE_PARENT) as u64 != 0
            && words[args::EXIT_SIGNAL] != 0
        || words[args::EXIT_SIGNAL] > CSIGNAL
        || (stack == 0) != (stack_size == 0)
        || stack != 0 && !access_ok(stack, stack_size)
        || tids > 32
        || (words[args::SET_TID] == 0) != (tids == 0)
        || flags & abi::CLONE_INTO_CGROUP != 0 && words[args::CGROUP] > i32::MAX as u64;
    if wrong {
        return Err(Errno::EINVAL);
    }
    if flags & ignored != 0 || tids != 0 {
        return Err(Errno::ENOSYS);
    }
    make(&Request {
        flags,
        stack: stack.wrapping_add(stack_size),
        parent_tid: word(args::PARENT_TID),
        child_tid: word(args::CHILD_TID),
        tls: word(args::TLS),
    })
}

/// Copies the structure in: an older one is filled up with zeros, in a newer one what is not known
/// must be zero (`E2BIG`).
fn read_args(address: usize, size: usize) -> Result<[u64; args::WORDS], Errno> {
    const KNOWN: usize = args::WORDS * 8;
    if size < args::OLDEST {
        return Err(Errno::EINVAL);
    }
    if size > mm::PAGE {
        return Err(Errno::E2BIG);
    }
    let mut bytes = [0; KNOWN];
    UserSlice::new(address, size).read_versioned(&mut bytes)?;
    let words = bytes.as_chunks::<8>().0;
    Ok(core::array::from_fn(|index| {
        u64::from_ne_bytes(words[index])
    }))
}

/// Checks what both calls check, as Linux does in copy_process().
fn make(request: &Request) -> SysResult {
    let has = |flag: u32| request.flags & u64::from(flag) != 0;
    let contradictory = has(abi::CLONE_NEWNS) && has(abi::CLONE_FS)
        || has(abi::CLONE_NEWUSER) && has(abi::CLONE_FS)
        || has(abi::CLONE_THREAD) && !has(abi::CLONE_SIGHAND)
        || has(abi::CLONE_SIGHAND) && !has(abi::CLONE_VM)
        || has(abi::CLONE_THREAD) && request.flags & NAMESPACES_OF_THREADS != 0
        || has(abi::CLONE_NEWIPC) && has(abi::CLONE_SYSVSEM);
    if contradictory {
        return Err(Errno::EINVAL);
    }
    let wanted = SHARED | ALSO_SHARED;
    if request.flags & wanted != wanted || request.flags & !(wanted | HONOURED) != 0 {
        return Err(Errno::ENOSYS);
    }
    if has(abi::CLONE_SETTLS) && request.tls >= super::process::TASK_SIZE {
        return Err(Errno::EPERM);
    }
    let wish = Wish {
        stack: request.stack,
        tls: has(abi::CLONE_SETTLS).then_some(request.tls),
        clear_tid: if has(abi::CLONE_CHILD_CLEARTID) {
            request.child_tid
        } else {
            0
        },
    };
    // Linux ignores bad pointers here.
    let announce = |thread: &'static Thread| {
        let wanted = [
            (abi::CLONE_PARENT_SETTID, request.parent_tid),
            (abi::CLONE_CHILD_SETTID, request.child_tid),
        ];
        for (flag, address) in wanted {
            if has(flag) {
                let _ = UserPtr::new(address).write(&thread.tid);
            }
        }
    };
    sched::clone(&wish, announce).map(|thread| thread.tid as usize)
}

/// gettid(2).
#[inline(always)]
pub fn gettid() -> SysResult {
    Ok(sched::current().tid as usize)
}

/// exit(2): of the thread, and with the last one of the process.
pub fn exit(code: i32) -> SysResult {
    profile::not_returning(abi::__NR_exit);
    sched::leave(code as u8)
}

/// set_tid_address(2).
pub fn set_tid_address(clear: UserPtr<i32>) -> SysResult {
    let me = sched::current();
    me.clear_tid.store(clear.address(), Relaxed);
    Ok(me.tid as usize)
}

/// Bytes of `struct robust_list_head`.
const ROBUST_HEAD: usize = 24;

/// set_robust_list(2).
pub fn set_robust_list(head: usize, len: usize) -> SysResult {
    if len != ROBUST_HEAD {
        return Err(Errno::EINVAL);
    }
    sched::current().robust.store(head, Relaxed);
    Ok(0)
}

/// get_robust_list(2).
pub fn get_robust_list(tid: i32, head: UserPtr<usize>, len: UserPtr<usize>) -> SysResult {
    let thread = by_id(tid)?;
    len.write(&ROBUST_HEAD)?;
    head.write(&thread.robust.load(Relaxed))?;
    Ok(0)
}

/// The thread that `tid` names, 0 being the running one: `ESRCH` if there is none.
pub(super) fn by_id(tid: i32) -> Result<&'static Thread, Errno> {
    match tid {
        0 => Ok(sched::current()),
        PID.. => sched::find(tid).ok_or(Errno::ESRCH),
        _ => Err(Errno::ESRCH),
    }
}

/// sched_yield(2). Alone, there is nobody to yield to.
#[inline(always)]
pub fn sched_yield() -> SysResult {
    if !sched::is_alone() {
        lintel_fast_cold_yield();
    }
    Ok(0)
}

#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn lintel_fast_cold_yield() {
    extern "C" fn run() {
        sched::yield_now();
    }
    on_kernel_stack(run);
    debug_assert!(CPU.work.load(Relaxed) & work::RESCHEDULE == 0 || !sched::is_alone());
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: u64 = SHARED | ALSO_SHARED;

    fn call(flags: u64) -> SysResult {
        clone(flags as usize, 0, 0, 0, 0)
    }

    #[test]
    fn contradictory_flags_are_refused() {
        let bad = [
            abi::CLONE_THREAD,
            abi::CLONE_THREAD | abi::CLONE_VM,
            abi::CLONE_SIGHAND,
            abi::CLONE_NEWNS | abi::CLONE_FS,
            abi::CLONE_THREAD | abi::CLONE_SIGHAND | abi::CLONE_VM | abi::CLONE_NEWPID,
            abi::CLONE_PIDFD | abi::CLONE_PARENT_SETTID,
        ];
        for flags in bad {
            assert_eq!(call(flags.into()), Err(Errno::EINVAL), "{flags:#x}");
        }
        assert_eq!(call(17), Err(Errno::ENOSYS), "fork");
        assert_eq!(
            call((abi::CLONE_VM | abi::CLONE_VFORK).into()),
            Err(Errno::ENOSYS)
        );
        assert_eq!(
            call(THREAD & !u64::from(abi::CLONE_FILES)),
            Err(Errno::ENOSYS)
        );
    }

    #[test]
    fn structures_of_other_sizes_are_read() {
        let mut words = [0u64; 20];
        words[args::FLAGS] = THREAD;
        let at = words.as_ptr() as usize;
        assert_eq!(read_args(at, 63), Err(Errno::EINVAL));
        assert_eq!(read_args(at, 4097), Err(Errno::E2BIG));
        assert_eq!(read_args(at, 64).map(|w| w[0]), Ok(THREAD));
        assert_eq!(read_args(at, 160).map(|w| w[0]), Ok(THREAD));
        words[19] = 1;
        assert_eq!(read_args(words.as_ptr() as usize, 160), Err(Errno::E2BIG));
    }

    #[test]
    fn stacks_come_with_their_sizes() {
        let mut words = [0u64; args::WORDS];
        words[args::FLAGS] = THREAD;
        let call = |words: &[u64; args::WORDS]| clone3(words.as_ptr() as usize, 88);
        words[args::STACK] = 4096;
        assert_eq!(call(&words), Err(Errno::EINVAL));
        words[args::STACK_SIZE] = usize::MAX as u64;
        assert_eq!(call(&words), Err(Errno::EINVAL));
        words[args::STACK_SIZE] = 4096;
        words[args::EXIT_SIGNAL] = 17;
        assert_eq!(call(&words), Err(Errno::EINVAL));
    }
}
