//! Users, groups, names and limits: what a process may ask about itself and its machine.
//!
//! Submodules: [`users`] has the ids, [`capability`] what privilege is made of, [`names`] the names
//! of the system.

pub mod capability;
pub mod names;
pub mod users;

pub use capability::{capget, capset};
pub use names::{setdomainname, sethostname, uname, uname_fast};
pub use users::{
    getegid, geteuid, getgid, getgroups, getresgid, getresuid, getuid, setfsgid, setfsuid, setgid,
    setgroups, setregid, setresgid, setresuid, setreuid, setuid,
};

use crate::cred::{self, caps};
use crate::errno::{Errno, SysResult};
use crate::fs::{fd, guard};
use crate::mm::frames::FRAMES;
use crate::mm::limit;
use crate::mm::space::{STACK_LIMIT, set_stack_limit};
use crate::process::PID;
use crate::sync::Exclusive;
use crate::uaccess::UserPtr;
use crate::{signal, time};
use linux_raw_sys::general::{self as abi, rlimit64};
use linux_raw_sys::system::sysinfo as Sysinfo;

/// sysinfo(2), in units of one byte.
pub fn sysinfo(buffer: UserPtr<Sysinfo>) -> SysResult {
    let (total, free) = FRAMES.lock().counts();
    // SAFETY: the struct is integers and arrays of them, for which zero is a value.
    let mut info: Sysinfo = unsafe { core::mem::zeroed() };
    info.uptime = time::split(time::monotonic_ns()).0 as i64;
    info.totalram = (total * crate::mm::PAGE) as u64;
    info.freeram = (free * crate::mm::PAGE) as u64;
    info.procs = 1;
    info.mem_unit = 1;
    buffer.write(&info)?;
    Ok(0)
}

const INFINITY: u64 = u64::MAX;
/// RLIM_NLIMITS.
const LIMITS: usize = 16;

/// The limits (soft, hard), as a Linux process finds them at boot (getrlimit(2)).
static CURRENT: Exclusive<[(u64, u64); LIMITS]> = Exclusive::new({
    let mut limits = [(INFINITY, INFINITY); LIMITS];
    limits[abi::RLIMIT_STACK as usize] = (STACK_LIMIT as u64, INFINITY);
    limits[abi::RLIMIT_NOFILE as usize] = (fd::SOFT_LIMIT as u64, fd::LIMIT as u64);
    limits[abi::RLIMIT_CORE as usize] = (0, INFINITY);
    limits[abi::RLIMIT_NPROC as usize] = (1, 1);
    limits[abi::RLIMIT_MEMLOCK as usize] = (8 << 20, 8 << 20);
    limits[abi::RLIMIT_SIGPENDING as usize] = (signal::MOST_QUEUED, signal::MOST_QUEUED);
    limits[abi::RLIMIT_MSGQUEUE as usize] = (819_200, 819_200);
    limits[abi::RLIMIT_NICE as usize] = (0, 0);
    limits[abi::RLIMIT_RTPRIO as usize] = (0, 0);
    limits
});

/// The limit `resource`, soft and hard; without a limit if there is no such resource.
pub fn limits(resource: u32) -> (u64, u64) {
    limit(resource).map_or((INFINITY, INFINITY), |limit| {
        (limit.rlim_cur, limit.rlim_max)
    })
}

#[inline]
fn limit(resource: u32) -> Result<rlimit64, Errno> {
    let limits = CURRENT.lock();
    let &(rlim_cur, rlim_max) = limits.get(resource as usize).ok_or(Errno::EINVAL)?;
    Ok(rlimit64 { rlim_cur, rlim_max })
}

/// Sets a limit that is enforced (open files, the size of a file, queued signals, the stack, address
/// space), or that limits something that does not exist here (core files); any other change would only pretend, and is `EPERM`.
fn set_limit(resource: u32, wanted: &rlimit64) -> Result<(), Errno> {
    let current = limit(resource)?;
    if wanted.rlim_cur > wanted.rlim_max {
        return Err(Errno::EINVAL);
    }
    let unchanged = (wanted.rlim_cur, wanted.rlim_max) == (current.rlim_cur, current.rlim_max);
    match resource {
        _ if unchanged => return Ok(()),
        _ if wanted.rlim_max > current.rlim_max && !cred::current().has(caps::SYS_RESOURCE) => {
            return Err(Errno::EPERM);
        }
        abi::RLIMIT_CORE => {}
        abi::RLIMIT_SIGPENDING => signal::set_limit(wanted.rlim_cur),
        abi::RLIMIT_STACK => set_stack_limit(wanted.rlim_cur),
        abi::RLIMIT_AS => limit::set_all(wanted.rlim_cur),
        abi::RLIMIT_DATA => limit::set_data(wanted.rlim_cur),
        abi::RLIMIT_FSIZE => guard::set_limit(wanted.rlim_cur),
        abi::RLIMIT_NOFILE if wanted.rlim_max <= fd::LIMIT as u64 => {
            fd::set_limit(wanted.rlim_cur as usize);
        }
        _ => return Err(Errno::EPERM),
    }
    CURRENT.lock()[resource as usize] = (wanted.rlim_cur, wanted.rlim_max);
    Ok(())
}

/// prlimit64(2). Limits can be read; those of files and core dumps can be set.
pub fn prlimit64(
    pid: i32,
    resource: u32,
    new: UserPtr<rlimit64>,
    old: UserPtr<rlimit64>,
) -> SysResult {
    limit(resource)?;
    let wanted = new.optional().map(UserPtr::read).transpose()?;
    if pid != 0 && pid != PID {
        return Err(Errno::ESRCH);
    }
    let current = limit(resource)?;
    if let Some(wanted) = wanted {
        set_limit(resource, &wanted)?;
    }
    if let Some(old) = old.optional() {
        old.write(&current)?;
    }
    Ok(0)
}

/// getrlimit(2).
pub fn getrlimit(resource: u32, buffer: UserPtr<rlimit64>) -> SysResult {
    buffer.write(&limit(resource)?)?;
    Ok(0)
}

/// setrlimit(2): as prlimit64.
pub fn setrlimit(resource: u32, buffer: UserPtr<rlimit64>) -> SysResult {
    let wanted = buffer.read()?;
    set_limit(resource, &wanted)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<T>(value: &mut T) -> UserPtr<T> {
        UserPtr::new(core::ptr::from_mut(value) as usize)
    }

    #[test]
    fn limits_that_nothing_enforces_cannot_be_changed() {
        let mut old = rlimit64 {
            rlim_cur: 0,
            rlim_max: 0,
        };
        assert_eq!(prlimit64(0, 3, UserPtr::new(0), at(&mut old)), Ok(0));
        assert_eq!(old.rlim_cur, STACK_LIMIT as u64);
        assert_eq!(prlimit64(0, 3, at(&mut old), UserPtr::new(0)), Ok(0));
        (old.rlim_cur, old.rlim_max) = (1, INFINITY);
        assert_eq!(
            prlimit64(0, abi::RLIMIT_CPU, at(&mut old), UserPtr::new(0)),
            Err(Errno::EPERM)
        );
        assert_eq!(
            prlimit64(0, 16, UserPtr::new(0), at(&mut old)),
            Err(Errno::EINVAL)
        );
        assert_eq!(
            prlimit64(77, 3, UserPtr::new(0), at(&mut old)),
            Err(Errno::ESRCH)
        );
    }
}
