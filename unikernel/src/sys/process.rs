//! The process itself: identity, exit, and what a runtime asks for at its start.

use crate::errno::{Errno, SysResult};
use crate::process::{self, PID};
use crate::profile;
use crate::uaccess::UserPtr;
use core::arch::asm;

/// getpid(2), getpgrp(2): the one process has id 1.
#[inline(always)]
pub fn getpid() -> SysResult {
    Ok(PID as usize)
}

/// getppid(2): nobody is above.
#[inline(always)]
pub fn getppid() -> SysResult {
    Ok(0)
}

/// getpgid(2) and getsid(2).
pub fn getpgid(pid: i32) -> SysResult {
    if pid == 0 || pid == PID {
        getpid()
    } else {
        Err(Errno::ESRCH)
    }
}

/// exit_group(2): of all threads. The low eight bits reach the outside.
pub fn exit_group(code: i32) -> SysResult {
    profile::not_returning(linux_raw_sys::general::__NR_exit_group);
    process::exit(code as u8)
}

const ARCH_SET_GS: i32 = 0x1001;
const ARCH_SET_FS: i32 = 0x1002;
const ARCH_GET_FS: i32 = 0x1003;
const ARCH_GET_GS: i32 = 0x1004;

/// Linux's TASK_SIZE_MAX: no base of a segment may be as high.
pub(super) const TASK_SIZE: usize = 0x7fff_ffff_f000;

/// arch_prctl(2). FS and GS bases are set by the unprivileged instructions.
pub fn arch_prctl(code: i32, address: usize) -> SysResult {
    let base: usize;
    match code {
        ARCH_SET_FS | ARCH_SET_GS if address >= TASK_SIZE => return Err(Errno::EPERM),
        // SAFETY: the base is canonical (checked); kernel code uses neither FS nor GS. The feature
        // is checked at boot.
        ARCH_SET_FS => unsafe { asm!("wrfsbase {}", in(reg) address) },
        // SAFETY: as above.
        ARCH_SET_GS => unsafe { asm!("wrgsbase {}", in(reg) address) },
        ARCH_GET_FS => {
            // SAFETY: reads a register.
            unsafe { asm!("rdfsbase {}", out(reg) base) };
            UserPtr::new(address).write(&base)?;
        }
        ARCH_GET_GS => {
            // SAFETY: reads a register.
            unsafe { asm!("rdgsbase {}", out(reg) base) };
            UserPtr::new(address).write(&base)?;
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// getcpu(2): CPU 0 on node 0; the third argument is unused since Linux 2.6.24.
pub fn getcpu(processor: UserPtr<u32>, node: UserPtr<u32>, _cache: usize) -> SysResult {
    for target in [processor, node].into_iter().filter_map(UserPtr::optional) {
        target.write(&0)?;
    }
    Ok(0)
}
