//! Sending: kill(2), tkill(2), tgkill(2), rt_sigqueueinfo(2).

use crate::cred;
use crate::errno::{Errno, SysResult};
use crate::process::PID;
use crate::sched::{self, State};
use crate::signal::info::code;
use crate::signal::{self, COUNT, SigInfo, Target};
use crate::uaccess::UserPtr;

/// The number of a signal, or `None` for 0, which only asks.
fn number(signal: i32) -> Result<Option<i32>, Errno> {
    match signal {
        0 => Ok(None),
        1.. if signal as u32 <= COUNT => Ok(Some(signal)),
        _ => Err(Errno::EINVAL),
    }
}

fn from_here(signal: i32, code: i32) -> SigInfo {
    SigInfo::from_process(signal, code, PID, cred::current().uid())
}

/// kill(2). The id of any thread stands for the process. There is one, in a group of its own; process 1 and the caller are not among
/// "all".
pub fn kill(pid: i32, signal: i32) -> SysResult {
    // The group of process 1 is -1 to this call, and that means everybody.
    if !matches!(pid, 0 | PID) && (pid < 0 || sched::find(pid).is_none()) {
        return Err(Errno::ESRCH);
    }
    if let Some(signal) = number(signal)? {
        signal::send_process(from_here(signal, code::SI_USER))?;
    }
    Ok(0)
}

/// Sends the running thread a signal that a call of its brings about: SIGPIPE, SIGXFSZ.
#[cold]
#[inline(never)]
pub fn raise(signal: u32) {
    let info = from_here(signal as i32, code::SI_USER);
    // A standard signal is always sent.
    let _ = signal::send(Target::Thread(sched::current()), info);
}

/// Sends to thread `tid` of group `group` (0: of any).
fn to_thread(group: i32, tid: i32, signal: i32, info: SigInfo) -> SysResult {
    let me = sched::current();
    let thread = match tid {
        tid if tid == me.tid => Some(me),
        _ => sched::find(tid).filter(|thread| thread.state() != State::Dead),
    };
    let thread = thread.filter(|_| matches!(group, 0 | PID));
    let thread = thread.ok_or(Errno::ESRCH)?;
    if number(signal)?.is_some() {
        signal::send(Target::Thread(thread), info)?;
    }
    Ok(0)
}

/// tkill(2).
pub fn tkill(tid: i32, signal: i32) -> SysResult {
    if tid <= 0 {
        return Err(Errno::EINVAL);
    }
    to_thread(0, tid, signal, from_here(signal, code::SI_TKILL))
}

/// tgkill(2).
pub fn tgkill(group: i32, tid: i32, signal: i32) -> SysResult {
    if group <= 0 || tid <= 0 {
        return Err(Errno::EINVAL);
    }
    to_thread(group, tid, signal, from_here(signal, code::SI_TKILL))
}

/// rt_sigqueueinfo(2). To itself a process may say anything.
pub fn rt_sigqueueinfo(pid: i32, signal: i32, info: UserPtr<SigInfo>) -> SysResult {
    let info = SigInfo::read(signal, info)?;
    if pid <= 0 || sched::find(pid).is_none() {
        return Err(Errno::ESRCH);
    }
    if number(signal)?.is_some() {
        signal::send_process(info)?;
    }
    Ok(0)
}

/// rt_tgsigqueueinfo(2).
pub fn rt_tgsigqueueinfo(group: i32, tid: i32, signal: i32, info: UserPtr<SigInfo>) -> SysResult {
    let info = SigInfo::read(signal, info)?;
    if group <= 0 || tid <= 0 {
        return Err(Errno::EINVAL);
    }
    to_thread(group, tid, signal, info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_process_and_one_thread() {
        assert_eq!([kill(PID, 0), kill(0, 0)], [Ok(0); 2]);
        assert_eq!(kill(2, 0), Err(Errno::ESRCH));
        assert_eq!(kill(-1, 0), Err(Errno::ESRCH));
        assert_eq!(kill(i32::MIN, 99), Err(Errno::ESRCH));
        assert_eq!(kill(PID, 65), Err(Errno::EINVAL));
        assert_eq!(tkill(PID, 0), Ok(0));
        assert_eq!(tkill(0, 0), Err(Errno::EINVAL));
        assert_eq!(tgkill(PID, 7, 0), Err(Errno::ESRCH));
        assert_eq!(tgkill(PID, -7, 0), Err(Errno::EINVAL));
        assert_eq!(tgkill(PID, PID, -1), Err(Errno::EINVAL));
    }
}
