//! sched_setattr(2) and sched_getattr(2): policy, priority and niceness at once, in a structure that
//! may grow.

use super::{Wanted, apply, thread};
use crate::errno::{Errno, SysResult};
use crate::mm::PAGE;
use crate::sched::Policy;
use crate::sys::thread::by_id;
use crate::uaccess::{Pod, UserPtr, UserSlice};
use core::mem::{offset_of, size_of};
use linux_raw_sys::general as abi;

/// `struct sched_attr`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Attr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    /// Of SCHED_DEADLINE: runtime, deadline, period.
    deadline: [u64; 3],
    /// Utilisation clamps.
    clamps: [u32; 2],
}

// SAFETY: a repr(C) struct of integers without padding.
unsafe impl Pod for Attr {}

/// The size of the first version, which had no clamps.
const FIRST: usize = offset_of!(Attr, clamps);
const SIZE: usize = size_of::<Attr>();

/// Reads a structure of the caller's size: what it has beyond ours must be 0. Errors: `EFAULT`; `E2BIG`,
/// with our size told.
fn read(from: UserPtr<Attr>) -> Result<Attr, Errno> {
    let told = from.cast::<u32>();
    let size = match told.read()? as usize {
        0 => FIRST,
        size => size,
    };
    let mut bytes = [0; SIZE];
    let read = match size {
        FIRST..=PAGE => UserSlice::new(from.address(), size).read_versioned(&mut bytes),
        _ => Err(Errno::E2BIG),
    };
    if read == Err(Errno::E2BIG) {
        told.write(&(SIZE as u32))?;
    }
    read?;
    // SAFETY: `Attr` is integers without padding, so any bytes are one.
    let attr: Attr = unsafe { core::mem::transmute(bytes) };
    let clamps = attr.flags & u64::from(abi::SCHED_FLAG_UTIL_CLAMP) != 0;
    if clamps && size < SIZE {
        return Err(Errno::EINVAL);
    }
    Ok(attr)
}

/// sched_setattr(2). Utilisation clamps are `EOPNOTSUPP`, as on a Linux without them.
pub fn sched_setattr(tid: i32, attr: UserPtr<Attr>, flags: u32) -> SysResult {
    if attr.is_null() || tid < 0 || flags != 0 {
        return Err(Errno::EINVAL);
    }
    let attr = read(attr)?;
    let has = |flag: u32| attr.flags & u64::from(flag) != 0;
    if (attr.policy as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    let thread = by_id(tid)?;
    let before = thread.policy();
    let keeps = has(abi::SCHED_FLAG_KEEP_POLICY);
    let mut wanted = Wanted {
        kind: if keeps { before.kind } else { attr.policy },
        priority: attr.priority as i32,
        nice: attr.nice.clamp(-20, 19),
        reset_on_fork: match keeps {
            true => before.reset_on_fork,
            false => has(abi::SCHED_FLAG_RESET_ON_FORK),
        },
    };
    if has(abi::SCHED_FLAG_KEEP_PARAMS) {
        // Then the policy, too, is looked at and not taken (`__sched_setscheduler`).
        (wanted.priority, wanted.nice) = (before.priority, before.nice);
        Policy::new(wanted.kind, wanted.priority, wanted.nice)?;
        wanted.kind = before.kind;
    }
    if attr.flags & !u64::from(abi::SCHED_FLAG_ALL) != 0 {
        return Err(Errno::EINVAL);
    }
    // A real-time thread keeps its niceness for later.
    if matches!(wanted.kind, abi::SCHED_FIFO | abi::SCHED_RR) {
        wanted.nice = before.nice;
    }
    if has(abi::SCHED_FLAG_UTIL_CLAMP) {
        return Err(Errno::EOPNOTSUPP);
    }
    apply(thread, wanted)
}

/// sched_getattr(2): as much of the structure as there is room for.
pub fn sched_getattr(tid: i32, to: UserPtr<Attr>, size: u32, flags: u32) -> SysResult {
    let size = size as usize;
    if to.is_null() || flags != 0 || !(FIRST..=PAGE).contains(&size) {
        return Err(Errno::EINVAL);
    }
    let policy = thread(tid)?.policy();
    let size = size.min(SIZE);
    let real_time = policy.is_real_time();
    let attr = Attr {
        size: size as u32,
        policy: policy.kind,
        flags: u64::from(policy.reset_on_fork) * u64::from(abi::SCHED_FLAG_RESET_ON_FORK),
        nice: if real_time { 0 } else { policy.nice },
        priority: policy.priority as u32,
        ..Attr::default()
    };
    // SAFETY: integers without padding are bytes.
    let bytes: [u8; SIZE] = unsafe { core::mem::transmute(attr) };
    match UserSlice::new(to.address(), size).write(&bytes[..size])? {
        done if done == size => Ok(0),
        _ => Err(Errno::EFAULT),
    }
}
