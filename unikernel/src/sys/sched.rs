//! How threads are scheduled: policies, priorities, niceness, processors (sched(7)).

mod attr;

pub use attr::{sched_getattr, sched_setattr};

use super::thread::by_id;
use crate::cred::{self, caps};
use crate::errno::{Errno, SysResult};
use crate::process::PID;
use crate::sched::{self, Policy, SLICE, Thread, policy};
use crate::uaccess::{UserPtr, UserSlice};
use core::mem::size_of;
use linux_raw_sys::general as abi;

/// A word of a set of processors, of which there is one.
const SET: usize = size_of::<u64>();
const ONLY: u64 = 1;

/// sched_getaffinity(2): one CPU. The raw call returns the bytes written.
pub fn sched_getaffinity(tid: i32, len: usize, mask: usize) -> SysResult {
    // At least one bit per possible CPU, in whole longs.
    if len == 0 || !len.is_multiple_of(SET) {
        return Err(Errno::EINVAL);
    }
    by_id(tid)?;
    match UserSlice::new(mask, SET).write(&ONLY.to_ne_bytes())? {
        SET => Ok(SET),
        _ => Err(Errno::EFAULT),
    }
}

/// sched_setaffinity(2): `EINVAL` for a set without the only CPU.
pub fn sched_setaffinity(tid: i32, len: usize, mask: usize) -> SysResult {
    let mut set = [0; SET];
    let len = len.min(SET);
    if len != 0 && UserSlice::new(mask, len).read(&mut set)? != len {
        return Err(Errno::EFAULT);
    }
    by_id(tid)?;
    if u64::from_ne_bytes(set) & ONLY == 0 {
        return Err(Errno::EINVAL);
    }
    Ok(0)
}

/// The thread that a call names which knows no negative ids.
fn thread(tid: i32) -> Result<&'static Thread, Errno> {
    if tid < 0 {
        return Err(Errno::EINVAL);
    }
    by_id(tid)
}

/// sched_setscheduler(2).
pub fn sched_setscheduler(tid: i32, wanted: i32, priority: UserPtr<i32>) -> SysResult {
    let wanted = u32::try_from(wanted).map_err(|_| Errno::EINVAL)?;
    set(tid, Some(wanted), priority)
}

/// sched_setparam(2).
pub fn sched_setparam(tid: i32, priority: UserPtr<i32>) -> SysResult {
    set(tid, None, priority)
}

/// Sets the priority, and the policy if one is given.
fn set(tid: i32, wanted: Option<u32>, priority: UserPtr<i32>) -> SysResult {
    if tid < 0 || priority.is_null() {
        return Err(Errno::EINVAL);
    }
    let priority = priority.read()?;
    let thread = by_id(tid)?;
    let before = thread.policy();
    let wanted = Wanted {
        kind: wanted.map_or(before.kind, |wanted| wanted & !abi::SCHED_RESET_ON_FORK),
        priority,
        nice: before.nice,
        reset_on_fork: match wanted {
            Some(wanted) => wanted & abi::SCHED_RESET_ON_FORK != 0,
            None => before.reset_on_fork,
        },
    };
    apply(thread, wanted)
}

/// A policy that may be none.
struct Wanted {
    kind: u32,
    priority: i32,
    nice: i32,
    reset_on_fork: bool,
}

/// Gives a thread a policy: `EINVAL` if there is none like it, `EPERM`.
fn apply(thread: &'static Thread, wanted: Wanted) -> SysResult {
    let before = thread.policy();
    let mut policy = Policy::new(wanted.kind, wanted.priority, wanted.nice)?;
    policy.reset_on_fork = wanted.reset_on_fork;
    // RLIMIT_RTPRIO and RLIMIT_NICE are 0: without the right no priority can be gained.
    let gains = policy.is_real_time()
        && (policy.kind != before.kind || policy.priority > before.priority)
        || policy.nice < before.nice
        || before.reset_on_fork && !policy.reset_on_fork;
    if gains {
        cred::current().require(caps::SYS_NICE)?;
    }
    sched::set_policy(thread, policy);
    Ok(0)
}

/// sched_getscheduler(2).
pub fn sched_getscheduler(tid: i32) -> SysResult {
    let policy = thread(tid)?.policy();
    let reset = if policy.reset_on_fork {
        abi::SCHED_RESET_ON_FORK
    } else {
        0
    };
    Ok((policy.kind | reset) as usize)
}

/// sched_getparam(2).
pub fn sched_getparam(tid: i32, priority: UserPtr<i32>) -> SysResult {
    if priority.is_null() {
        return Err(Errno::EINVAL);
    }
    priority.write(&thread(tid)?.policy().priority)?;
    Ok(0)
}

/// sched_get_priority_max(2).
pub fn sched_get_priority_max(kind: u32) -> SysResult {
    policy::priorities(kind).map(|range| range.1 as usize)
}

/// sched_get_priority_min(2).
pub fn sched_get_priority_min(kind: u32) -> SysResult {
    policy::priorities(kind).map(|range| range.0 as usize)
}

/// sched_rr_get_interval(2): a turn, which for SCHED_FIFO has no end (0).
pub fn sched_rr_get_interval(tid: i32, interval: UserPtr<[u64; 2]>) -> SysResult {
    const TICK_NS: u64 = 10_000_000;
    const _: () = assert!(SLICE == 3);
    let slice = thread(tid)?.policy().slice();
    interval.write_pair(0, u64::from(slice) * TICK_NS)?;
    Ok(0)
}

/// Calls `visit` with the threads that `which` and `who` name (getpriority(2)).
fn each(which: i32, who: i32, mut visit: impl FnMut(&'static Thread)) -> Result<(), Errno> {
    let user = cred::current().uid();
    match (which, who) {
        (0, who) => visit(by_id(who)?),
        // The one process group; the user of all.
        (1, 0 | PID) | (2, 0) => sched::each(visit),
        (2, who) if who as u32 == user => sched::each(visit),
        (1 | 2, _) => return Err(Errno::ESRCH),
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// getpriority(2), the raw call: 20 minus the nice value, the best of those named.
pub fn getpriority(which: i32, who: i32) -> SysResult {
    let mut best = 0;
    each(which, who, |thread| {
        best = best.max(20 - thread.policy().nice)
    })?;
    Ok(best as usize)
}

/// setpriority(2).
pub fn setpriority(which: i32, who: i32, nice: i32) -> SysResult {
    let nice = nice.clamp(-20, 19);
    let may_gain = cred::current().has(caps::SYS_NICE);
    let mut refused = false;
    each(which, who, |thread| {
        let policy = thread.policy();
        if nice < policy.nice && !may_gain {
            refused = true;
        } else {
            sched::set_policy(thread, Policy { nice, ..policy });
        }
    })?;
    if refused { Err(Errno::EACCES) } else { Ok(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<T>(value: &mut T) -> UserPtr<T> {
        UserPtr::new(core::ptr::from_mut(value) as usize)
    }

    #[test]
    fn policies_are_set_and_told() {
        let (mut five, mut none, mut told) = (5, 0, 9);
        let rr = abi::SCHED_RR as i32;
        assert_eq!(sched_setscheduler(0, rr, at(&mut none)), Err(Errno::EINVAL));
        assert_eq!(sched_setscheduler(0, rr, at(&mut five)), Ok(0));
        assert_eq!(sched_getscheduler(0), Ok(rr as usize));
        assert_eq!((sched_getparam(0, at(&mut told)), told), (Ok(0), 5));
        assert_eq!(sched_setparam(0, at(&mut none)), Err(Errno::EINVAL));
        assert_eq!(sched_setscheduler(0, 0, at(&mut none)), Ok(0));
        assert_eq!(sched_setscheduler(0, -1, at(&mut none)), Err(Errno::EINVAL));
        assert_eq!(sched_setscheduler(-1, 0, at(&mut none)), Err(Errno::EINVAL));
        assert_eq!(
            sched_setscheduler(7777, 0, at(&mut none)),
            Err(Errno::ESRCH)
        );
    }

    #[test]
    fn niceness_is_clamped_and_told() {
        assert_eq!(getpriority(0, 0), Ok(20));
        assert_eq!(setpriority(0, 0, 50), Ok(0));
        assert_eq!(getpriority(0, 0), Ok(1));
        assert_eq!(setpriority(0, 0, -50), Ok(0));
        assert_eq!(getpriority(0, 0), Ok(40));
        assert_eq!(getpriority(0, 99), Err(Errno::ESRCH));
        assert_eq!(getpriority(1, 99), Err(Errno::ESRCH));
        assert_eq!(getpriority(3, 0), Err(Errno::EINVAL));
        assert_eq!(setpriority(0, 0, 0), Ok(0));
    }

    #[test]
    fn the_only_processor_must_be_in_the_set() {
        for (set, result) in [(1u64, Ok(0)), (3, Ok(0)), (2, Err(Errno::EINVAL))] {
            let at = core::ptr::from_ref(&set) as usize;
            assert_eq!(sched_setaffinity(0, 8, at), result);
        }
        assert_eq!(sched_setaffinity(0, 0, 0), Err(Errno::EINVAL));
    }
}
