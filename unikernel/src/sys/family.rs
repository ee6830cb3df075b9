//! What a process without relatives can say about them: waiting, groups and sessions, what it and
//! they have used.

use crate::errno::{Errno, SysResult};
use crate::process::PID;
use crate::sched;
use crate::time::{self, NANOS};
use crate::uaccess::{Pod, UserPtr};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use linux_raw_sys::general::{
    __WALL, __WCLONE, __WNOTHREAD, P_ALL, P_PGID, P_PID, P_PIDFD, WCONTINUED, WEXITED, WNOHANG,
    WNOWAIT, WSTOPPED,
};

/// Options that wait4(2) and waitid(2) both know.
const COMMON: u32 = WNOHANG | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL;

/// wait4(2): there are no children.
pub fn wait4(pid: i32, _status: usize, options: u32, _usage: usize) -> SysResult {
    if options & !(COMMON | WSTOPPED) != 0 {
        return Err(Errno::EINVAL);
    }
    // -i32::MIN is no group.
    Err(if pid == i32::MIN {
        Errno::ESRCH
    } else {
        Errno::ECHILD
    })
}

/// waitid(2): there are no children.
pub fn waitid(kind: u32, id: i32, _info: usize, options: u32, _usage: usize) -> SysResult {
    let states = WEXITED | WSTOPPED | WCONTINUED;
    if options & !(COMMON | WEXITED | WSTOPPED | WNOWAIT) != 0 || options & states == 0 {
        return Err(Errno::EINVAL);
    }
    match kind {
        P_ALL => {}
        P_PID if id > 0 => {}
        P_PGID if id >= 0 => {}
        P_PIDFD if id >= 0 => return Err(Errno::EBADF),
        _ => return Err(Errno::EINVAL),
    }
    Err(Errno::ECHILD)
}

/// setpgid(2): the process leads its session, so its group stays.
pub fn setpgid(pid: i32, group: i32) -> SysResult {
    if group < 0 {
        return Err(Errno::EINVAL);
    }
    match pid {
        0 | PID => Err(Errno::EPERM),
        _ => Err(Errno::ESRCH),
    }
}

/// setsid(2): the process leads a group already.
pub fn setsid() -> SysResult {
    Err(Errno::EPERM)
}

/// The personality that is kept.
static PERSONALITY: AtomicU32 = AtomicU32::new(0);

/// personality(2): kept, and of no effect; all ones only ask.
pub fn personality(wanted: u32) -> SysResult {
    let before = PERSONALITY.load(Relaxed);
    if wanted != u32::MAX {
        PERSONALITY.store(wanted, Relaxed);
    }
    Ok(before as usize)
}

/// `struct rusage`: two times of seconds and microseconds, and fourteen counts.
type Usage = [u64; 18];

// SAFETY: an array of integers.
unsafe impl Pod for Usage {}

/// Places in it: `ru_minflt`, `ru_nvcsw`, `ru_nivcsw`.
const MINOR_FAULTS: usize = 8;
const WAITS: usize = 16;
const LOSSES: usize = 17;

const USAGE_SELF: i32 = 0;
const USAGE_CHILDREN: i32 = -1;
const USAGE_THREAD: i32 = 1;

/// getrusage(2): CPU time, all of it as the user's, since no ring is crossed; page faults, all minor,
/// since nothing is read from a disk; and switches. The rest is not counted.
pub fn getrusage(who: i32, to: UserPtr<Usage>) -> SysResult {
    let mut usage = [0; 18];
    let (used, counts) = match who {
        USAGE_SELF => (time::cpu_ns(), sched::counts()),
        USAGE_THREAD => (sched::current().cpu_ns(), sched::current().counts()),
        USAGE_CHILDREN => Default::default(),
        _ => return Err(Errno::EINVAL),
    };
    let (seconds, rest) = time::split(used);
    usage[0] = seconds;
    usage[1] = u64::from(rest / 1000);
    usage[MINOR_FAULTS] = counts.faults;
    usage[WAITS] = counts.waits;
    usage[LOSSES] = counts.losses;
    to.write(&usage)?;
    Ok(0)
}

/// Ticks of times(2) in a second.
const TICKS: u64 = 100;

/// times(2): CPU time of the process, all as the user's, and of no children; ticks since boot.
pub fn times(to: UserPtr<[u64; 4]>) -> SysResult {
    const TICK: u64 = NANOS / TICKS;
    if let Some(to) = to.optional() {
        let to = to.cast::<[u64; 2]>();
        to.write_pair(time::cpu_ns() / TICK, 0)?;
        to.add(1).write_pair(0, 0)?;
    }
    Ok((time::monotonic_ns() / TICK) as usize)
}

/// Commands of membarrier(2).
mod barrier {
    pub const QUERY: u32 = 0;
    pub const GLOBAL: u32 = 1 << 0;
    pub const GLOBAL_EXPEDITED: u32 = 1 << 1;
    pub const REGISTER_GLOBAL: u32 = 1 << 2;
    pub const PRIVATE: u32 = 1 << 3;
    pub const REGISTER_PRIVATE: u32 = 1 << 4;
    pub const PRIVATE_SYNC: u32 = 1 << 5;
    pub const REGISTER_PRIVATE_SYNC: u32 = 1 << 6;
    pub const PRIVATE_RSEQ: u32 = 1 << 7;
    pub const REGISTER_PRIVATE_RSEQ: u32 = 1 << 8;
    pub const GET_REGISTRATIONS: u32 = 1 << 9;
    /// MEMBARRIER_CMD_FLAG_CPU, with PRIVATE_RSEQ only.
    pub const ONE_CPU: u32 = 1;
}

/// What was registered for.
static REGISTERED: AtomicU32 = AtomicU32::new(0);

/// membarrier(2): with one CPU, whoever runs again has gone through a switch, which is a barrier, and
/// has left its restartable sequence.
pub fn membarrier(command: u32, flags: u32, _cpu: u32) -> SysResult {
    use barrier::*;
    const ALL: u32 = GLOBAL
        | GLOBAL_EXPEDITED
        | REGISTER_GLOBAL
        | PRIVATE
        | REGISTER_PRIVATE
        | PRIVATE_SYNC
        | REGISTER_PRIVATE_SYNC
        | PRIVATE_RSEQ
        | REGISTER_PRIVATE_RSEQ
        | GET_REGISTRATIONS;
    if flags != 0 && (flags, command) != (ONE_CPU, PRIVATE_RSEQ) {
        return Err(Errno::EINVAL);
    }
    match command {
        QUERY => Ok(ALL as usize),
        GLOBAL | GLOBAL_EXPEDITED => Ok(0),
        GET_REGISTRATIONS => Ok(REGISTERED.load(Relaxed) as usize),
        REGISTER_GLOBAL | REGISTER_PRIVATE | REGISTER_PRIVATE_SYNC | REGISTER_PRIVATE_RSEQ => {
            REGISTERED.fetch_or(command, Relaxed);
            Ok(0)
        }
        // Each is registered for by the command above it.
        PRIVATE | PRIVATE_SYNC | PRIVATE_RSEQ if REGISTERED.load(Relaxed) & (command << 1) != 0 => {
            Ok(0)
        }
        PRIVATE | PRIVATE_SYNC | PRIVATE_RSEQ => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}
