//! Users, groups, names and limits: what a process may ask about itself and its machine.

use crate::errno::{Errno, SysResult};
use crate::mm::frames::FRAMES;
use crate::mm::space::STACK_LIMIT;
use crate::process::PID;
use crate::time;
use crate::uaccess::UserPtr;
use linux_raw_sys::general::rlimit64;
use linux_raw_sys::system::{new_utsname, sysinfo as Sysinfo};

/// getuid(2), geteuid(2), getgid(2), getegid(2): root, as pid 1 of a machine is.
#[inline(always)]
pub fn getuid() -> SysResult {
    Ok(0)
}

/// getresuid(2) and getresgid(2).
pub fn getresuid(real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) -> SysResult {
    real.write(&0)?;
    effective.write(&0)?;
    saved.write(&0)?;
    Ok(0)
}

/// getgroups(2): no supplementary groups.
pub fn getgroups(size: i32, _list: usize) -> SysResult {
    if size < 0 { Err(Errno::EINVAL) } else { Ok(0) }
}

fn field(text: &str) -> [core::ffi::c_char; 65] {
    let mut field = [0; 65];
    for (to, &from) in field.iter_mut().zip(text.as_bytes()) {
        *to = from as core::ffi::c_char;
    }
    field
}

/// uname(2). The release is the Linux whose ABI is meant; glibc compares it with its minimum.
pub fn uname(buffer: UserPtr<new_utsname>) -> SysResult {
    let name = new_utsname {
        sysname: field("Linux"),
        nodename: field("lintel"),
        release: field("6.1.0-lintel"),
        version: field(concat!("Lintel ", env!("CARGO_PKG_VERSION"))),
        machine: field("x86_64"),
        domainname: field("(none)"),
    };
    buffer.write(&name)?;
    Ok(0)
}

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
const LIMITS: u32 = 16;

/// The limits, as a Linux process finds them at boot (getrlimit(2)).
fn limit(resource: u32) -> Result<rlimit64, Errno> {
    let (rlim_cur, rlim_max) = match resource {
        linux_raw_sys::general::RLIMIT_STACK => (STACK_LIMIT as u64, INFINITY),
        linux_raw_sys::general::RLIMIT_NOFILE => (1024, 1024),
        linux_raw_sys::general::RLIMIT_CORE => (0, INFINITY),
        linux_raw_sys::general::RLIMIT_NPROC => (1, 1),
        linux_raw_sys::general::RLIMIT_MEMLOCK => (8 << 20, 8 << 20),
        linux_raw_sys::general::RLIMIT_SIGPENDING => (0, 0),
        linux_raw_sys::general::RLIMIT_MSGQUEUE => (819_200, 819_200),
        linux_raw_sys::general::RLIMIT_NICE | linux_raw_sys::general::RLIMIT_RTPRIO => (0, 0),
        other if other < LIMITS => (INFINITY, INFINITY),
        _ => return Err(Errno::EINVAL),
    };
    Ok(rlimit64 { rlim_cur, rlim_max })
}

/// prlimit64(2). Limits can be read; setting one is refused unless it changes nothing.
pub fn prlimit64(pid: i32, resource: u32, new: UserPtr<rlimit64>, old: UserPtr<rlimit64>) -> SysResult {
    if resource >= LIMITS {
        return Err(Errno::EINVAL);
    }
    let wanted = new.optional().map(UserPtr::read).transpose()?;
    if pid != 0 && pid != PID {
        return Err(Errno::ESRCH);
    }
    let current = limit(resource)?;
    if let Some(wanted) = wanted {
        if wanted.rlim_cur > wanted.rlim_max {
            return Err(Errno::EINVAL);
        }
        if (wanted.rlim_cur, wanted.rlim_max) != (current.rlim_cur, current.rlim_max) {
            return Err(Errno::EPERM);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at<T>(value: &mut T) -> UserPtr<T> {
        UserPtr::new(core::ptr::from_mut(value) as usize)
    }

    #[test]
    fn limits_can_be_read_but_not_changed() {
        let mut old = rlimit64 { rlim_cur: 0, rlim_max: 0 };
        assert_eq!(prlimit64(0, 3, UserPtr::new(0), at(&mut old)), Ok(0));
        assert_eq!(old.rlim_cur, STACK_LIMIT as u64);
        assert_eq!(prlimit64(0, 3, at(&mut old), UserPtr::new(0)), Ok(0));
        old.rlim_cur = 1;
        assert_eq!(prlimit64(0, 3, at(&mut old), UserPtr::new(0)), Err(Errno::EPERM));
        assert_eq!(prlimit64(0, 16, UserPtr::new(0), at(&mut old)), Err(Errno::EINVAL));
        assert_eq!(prlimit64(77, 3, UserPtr::new(0), at(&mut old)), Err(Errno::ESRCH));
    }

    #[test]
    fn the_machine_names_itself() {
        // SAFETY: an array of characters may be zero.
        let mut name: new_utsname = unsafe { core::mem::zeroed() };
        assert_eq!(uname(at(&mut name)), Ok(0));
        assert_eq!(name.machine[..7], field("x86_64")[..7]);
        assert_eq!(uname(UserPtr::new(usize::MAX)), Err(Errno::EFAULT));
    }
}
