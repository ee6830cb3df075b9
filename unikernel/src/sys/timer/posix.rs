//! timer_create(2), timer_settime(2), timer_gettime(2), timer_getoverrun(2), timer_delete(2).

use super::{Spec, read_spec, write_spec};
use crate::errno::{Errno, SysResult};
use crate::fs::rc::Ref;
use crate::sched;
use crate::signal::Target;
use crate::signal::{COUNT, MOST_QUEUED, SigInfo};
use crate::sync::Exclusive;
use crate::sys::clock;
use crate::timer::{Action, Timer};
use crate::uaccess::{Pod, UserPtr};
use alloc::vec::Vec;
use linux_raw_sys::general::{
    SIGALRM, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID, TIMER_ABSTIME,
};

/// `struct sigevent`, as far as it is looked at.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Event {
    value: u64,
    signo: i32,
    notify: u32,
    tid: i32,
    _rest: [u32; 11],
}

// SAFETY: a repr(C) struct of integers without padding.
unsafe impl Pod for Event {}

type Entry = Option<Ref<Timer>>;

/// The timers, by number.
static TIMERS: Exclusive<Vec<Entry>> = Exclusive::new(Vec::new());

fn get(number: i32) -> Result<Ref<Timer>, Errno> {
    let timers = TIMERS.lock();
    let entry = usize::try_from(number).ok().and_then(|at| timers.get(at));
    entry.cloned().flatten().ok_or(Errno::EINVAL)
}

/// The lowest free number, with room for it. `EAGAIN` when there are as many timers as signals may
/// be queued, which on Linux they count as; `ENOMEM`.
fn vacant(timers: &mut Vec<Entry>) -> Result<usize, Errno> {
    if let Some(number) = timers.iter().position(Option::is_none) {
        return Ok(number);
    }
    if timers.len() as u64 >= MOST_QUEUED {
        return Err(Errno::EAGAIN);
    }
    timers.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    timers.push(None);
    Ok(timers.len() - 1)
}

fn action(event: Option<Event>, number: i32) -> Result<Action, Errno> {
    let Some(event) = event else {
        let info = SigInfo::timer(SIGALRM as i32, number, 0, number as u64);
        return Ok(Action::Signal(Target::Process, info));
    };
    let info = SigInfo::timer(event.signo, number, 0, event.value);
    let valid = u32::try_from(event.signo).is_ok_and(|signo| (1..=COUNT).contains(&signo));
    match event.notify {
        SIGEV_NONE => Ok(Action::Nothing),
        // Of SIGEV_THREAD the thread is the C library's.
        SIGEV_SIGNAL | SIGEV_THREAD if valid => Ok(Action::Signal(Target::Process, info)),
        SIGEV_THREAD_ID if valid => {
            let thread = sched::find(event.tid).ok_or(Errno::EINVAL)?;
            Ok(Action::Signal(Target::Thread(thread), info))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// timer_create(2).
pub fn timer_create(clock: u32, event: UserPtr<Event>, to: UserPtr<i32>) -> SysResult {
    let clock = clock::find(clock)?;
    let event = event.optional().map(UserPtr::read).transpose()?;
    let mut timers = TIMERS.lock();
    let number = vacant(&mut timers)?;
    let timer = Timer::new(action(event, number as i32)?, clock)?;
    to.write(&(number as i32))?;
    timers[number] = Some(timer);
    Ok(0)
}

/// timer_settime(2).
pub fn timer_settime(number: i32, flags: u32, new: UserPtr<Spec>, old: UserPtr<Spec>) -> SysResult {
    if new.is_null() {
        return Err(Errno::EINVAL);
    }
    let wanted = read_spec(new)?;
    let timer = get(number)?;
    let before = timer.left();
    timer.set(wanted, flags & TIMER_ABSTIME != 0);
    if let Some(old) = old.optional() {
        write_spec(old, before)?;
    }
    Ok(0)
}

/// timer_gettime(2).
pub fn timer_gettime(number: i32, to: UserPtr<Spec>) -> SysResult {
    let timer = get(number)?;
    write_spec(to, timer.left())?;
    Ok(0)
}

/// timer_getoverrun(2): expirations that the last signal stood for beside one.
pub fn timer_getoverrun(number: i32) -> SysResult {
    let timer = get(number)?;
    Ok(timer.overrun().min(i32::MAX as u64) as usize)
}

/// timer_delete(2).
pub fn timer_delete(number: i32) -> SysResult {
    get(number)?;
    let gone = TIMERS.lock()[number as usize].take();
    drop(gone);
    Ok(0)
}
