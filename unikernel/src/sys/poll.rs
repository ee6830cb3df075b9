//! poll(2) and select(2).
//!
//! A call looks at all descriptors once. If none is ready it enrols at their wait queues, looks once
//! more, and sleeps until one of the queues is woken or time is up.

use crate::errno::{Errno, SysResult};
use crate::fs::fd::{self, File, SOFT_LIMIT as LIMIT};
use crate::fs::ready::{READ, WRITE};
use crate::sys::clock;
use crate::sys::signal::read_set;
use crate::uaccess::{UserPtr, UserSlice, access_ok};
use crate::wait::{Hook, Queue};
use crate::{sched, signal, time};
use alloc::vec::Vec;
use linux_raw_sys::general::{
    __kernel_old_timeval, __kernel_timespec, POLLERR, POLLHUP, POLLNVAL, POLLPRI, POLLRDBAND,
    POLLWRBAND, pollfd,
};

const NANOSECONDS: u64 = 1_000_000_000;

/// When to give up waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// At once.
    Never,
    /// At this time of the monotonic clock, in nanoseconds.
    Until(u64),
    /// Not at all.
    Forever,
}

impl Wait {
    /// After a time in nanoseconds.
    pub fn nanoseconds(length: u64) -> Self {
        match length {
            0 => Self::Never,
            _ => Self::Until(time::monotonic_ns().saturating_add(length)),
        }
    }

    /// After a time in milliseconds; negative: for ever.
    pub fn milliseconds(timeout: i32) -> Self {
        match u64::try_from(timeout) {
            Ok(milliseconds) => Self::nanoseconds(milliseconds * 1_000_000),
            Err(_) => Self::Forever,
        }
    }

    /// Nanoseconds left, for the calls that report it.
    fn left(self) -> u64 {
        match self {
            Self::Until(deadline) => deadline.saturating_sub(time::monotonic_ns()),
            Self::Never | Self::Forever => 0,
        }
    }

    /// Whether time is up; otherwise when it will be.
    pub fn deadline(self) -> Option<Option<u64>> {
        match self {
            Self::Never => None,
            Self::Until(deadline) if time::monotonic_ns() >= deadline => None,
            Self::Until(deadline) => Some(Some(deadline)),
            Self::Forever => Some(None),
        }
    }

    /// Sleeps until `scan` finds something ready or time is up; returns its last result. `members`
    /// calls its argument with every descriptor that is looked at.
    fn until_ready(
        self,
        mut scan: impl FnMut() -> SysResult,
        members: impl Fn(&mut dyn FnMut(i32) -> Result<(), Errno>) -> Result<(), Errno>,
    ) -> SysResult {
        let mut enrolled = None;
        loop {
            let calls = enrolled.as_ref().map(Enrolled::calls);
            let ready = scan()?;
            if ready > 0 {
                return Ok(ready);
            }
            if signal::is_due() {
                return Err(Errno::ERESTARTNOHAND);
            }
            let Some(deadline) = self.deadline() else {
                return Ok(0);
            };
            let Some(calls) = calls else {
                let mut files = Vec::new();
                members(&mut |fd| add(&mut files, fd))?;
                enrolled = Some(Enrolled::at(files)?);
                continue;
            };
            let called = || enrolled.as_ref().map(Enrolled::calls) != Some(calls);
            time::sleep_until(deadline, || signal::is_due() || called());
        }
    }
}

/// Adds the open file `fd` to `files` if there is a queue to wait at. `ENOMEM`.
fn add(files: &mut Vec<File>, fd: i32) -> Result<(), Errno> {
    let Ok(file) = fd::get(fd) else { return Ok(()) };
    if let [None, None] = file.queues() {
        return Ok(());
    }
    files.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    files.push(file);
    Ok(())
}

/// Open files at whose queues a call waits.
struct Enrolled {
    hooks: Vec<Hook>,
    files: Vec<File>,
}

impl Enrolled {
    /// Waits at the queues of `files`: their wake-ups wake the running thread. `ENOMEM`.
    fn at(files: Vec<File>) -> Result<Self, Errno> {
        let mut hooks = Vec::new();
        let count = queues(&files).count();
        hooks.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
        hooks.resize_with(count, Hook::waking);
        for (hook, queue) in hooks.iter().zip(queues(&files)) {
            // SAFETY: the hooks are on the heap until they have been detached, which is before the files
            // go; threads stay for ever.
            unsafe { hook.attach(queue, sched::current()) };
        }
        Ok(Self { hooks, files })
    }

    /// Wake-ups of all the queues.
    fn calls(&self) -> u32 {
        queues(&self.files).fold(0, |sum, queue| sum.wrapping_add(queue.calls()))
    }
}

impl Drop for Enrolled {
    fn drop(&mut self) {
        // While all can be reached: a queue leads from one to the other.
        self.hooks.iter().for_each(Hook::detach);
    }
}

fn queues(files: &[File]) -> impl Iterator<Item = &Queue> {
    files.iter().flat_map(|file| file.queues()).flatten()
}

/// Nanoseconds in `seconds` and a fraction of `unit` parts per second; `EINVAL` when either is out
/// of range. A length that does not fit is as good as for ever.
fn length(seconds: i64, fraction: i64, unit: u64) -> Result<u64, Errno> {
    let fraction = u64::try_from(fraction)
        .ok()
        .filter(|&fraction| fraction < unit);
    let (Ok(seconds), Some(fraction)) = (u64::try_from(seconds), fraction) else {
        return Err(Errno::EINVAL);
    };
    Ok(seconds
        .saturating_mul(NANOSECONDS)
        .saturating_add(fraction * (NANOSECONDS / unit)))
}

/// poll(2): `timeout` is in milliseconds, negative for ever.
pub fn poll(fds: UserPtr<pollfd>, count: u32, timeout: i32) -> SysResult {
    poll_until(fds, count as usize, Wait::milliseconds(timeout))
}

/// ppoll(2).
pub fn ppoll(
    fds: UserPtr<pollfd>,
    count: u32,
    timeout: UserPtr<__kernel_timespec>,
    mask: UserPtr<u64>,
    mask_size: usize,
) -> SysResult {
    let wait = timespec(timeout)?;
    let result = under_mask(mask, mask_size, || poll_until(fds, count as usize, wait))?;
    report_left(timeout, wait);
    result
}

/// A timeout as a timespec; NULL is for ever. Errors: `EFAULT`, `EINVAL`.
pub fn timespec(timeout: UserPtr<__kernel_timespec>) -> Result<Wait, Errno> {
    let Some(timeout) = timeout.optional() else {
        return Ok(Wait::Forever);
    };
    let timeout = timeout.read()?;
    length(timeout.tv_sec, timeout.tv_nsec, NANOSECONDS).map(Wait::nanoseconds)
}

/// Tells the caller what is left of its timeout; that it cannot be written is no error.
fn report_left(timeout: UserPtr<__kernel_timespec>, wait: Wait) {
    if !timeout.is_null() {
        let _ = clock::write(timeout.cast(), wait.left());
    }
}

/// Calls `wait` under a signal mask, if there is one; its result, or what is wrong with the mask. A
/// signal that ends the wait is delivered before the old mask is back.
pub fn under_mask(
    mask: UserPtr<u64>,
    size: usize,
    wait: impl FnOnce() -> SysResult,
) -> Result<SysResult, Errno> {
    if mask.is_null() {
        return Ok(wait());
    }
    signal::borrow_mask(read_set(mask, size)?);
    let result = wait();
    if !matches!(result, Err(Errno::ERESTARTNOHAND | Errno::EINTR)) {
        signal::return_mask();
    }
    Ok(result)
}

fn poll_until(fds: UserPtr<pollfd>, count: usize, wait: Wait) -> SysResult {
    if count > fd::limit() {
        return Err(Errno::EINVAL);
    }
    if !access_ok(fds.address(), count * size_of::<pollfd>()) {
        return Err(Errno::EFAULT);
    }
    let members = |add: &mut dyn FnMut(i32) -> Result<(), Errno>| {
        (0..count).try_for_each(|index| add(fds.add(index).read()?.fd))
    };
    wait.until_ready(|| scan_array(fds, count), members)
}

/// One look at the array: fills in all `revents`; counts those that are not 0.
fn scan_array(fds: UserPtr<pollfd>, count: usize) -> SysResult {
    let mut ready = 0;
    for index in 0..count {
        let at = fds.add(index);
        let wanted = at.read()?;
        let events = u32::from(wanted.events as u16) | POLLERR | POLLHUP;
        let revents = match fd::get(wanted.fd) {
            _ if wanted.fd < 0 => 0,
            Ok(file) => file.events(events),
            Err(_) => POLLNVAL,
        };
        ready += usize::from(revents != 0);
        at.write(&pollfd {
            revents: revents as i16,
            ..wanted
        })?;
    }
    Ok(ready)
}

/// A set of descriptors as select(2) has it, and where it came from.
struct Set {
    from: UserPtr<u8>,
    bytes: [u8; LIMIT / 8],
}

/// The three sets of select(2).
type Sets = [Set; 3];

/// Which events put a descriptor into the result sets.
const SET_EVENTS: [u32; 3] = [
    READ | POLLRDBAND | POLLHUP | POLLERR,
    WRITE | POLLWRBAND | POLLERR,
    POLLPRI,
];

impl Set {
    /// Copies in as many bytes as `count` descriptors need, in whole words as Linux does.
    fn read(from: UserPtr<u8>, count: usize) -> Result<Self, Errno> {
        let mut bytes = [0; LIMIT / 8];
        let size = set_size(count);
        if !from.is_null() && size > 0 {
            let room = UserSlice::new(from.address(), size);
            if room.read(&mut bytes[..size])? != size {
                return Err(Errno::EFAULT);
            }
        }
        Ok(Self { from, bytes })
    }

    fn write(&self, result: &[u8]) -> Result<(), Errno> {
        if self.from.is_null() || result.is_empty() {
            return Ok(());
        }
        let done = UserSlice::new(self.from.address(), result.len()).write(result)?;
        if done == result.len() {
            Ok(())
        } else {
            Err(Errno::EFAULT)
        }
    }

    fn contains(&self, fd: usize) -> bool {
        self.bytes[fd / 8] & (1 << (fd % 8)) != 0
    }
}

const fn set_size(count: usize) -> usize {
    count.div_ceil(64) * 8
}

/// select(2).
pub fn select(
    count: i32,
    read: UserPtr<u8>,
    write: UserPtr<u8>,
    except: UserPtr<u8>,
    timeout: UserPtr<__kernel_old_timeval>,
) -> SysResult {
    let wait = match timeout.optional() {
        None => Wait::Forever,
        Some(timeout) => {
            let timeout = timeout.read()?;
            // Linux carries whole seconds over from the microseconds.
            let (seconds, rest) = (
                timeout.tv_usec.div_euclid(1_000_000),
                timeout.tv_usec % 1_000_000,
            );
            let whole = timeout.tv_sec.saturating_add(seconds);
            Wait::nanoseconds(length(whole, rest, 1_000_000)?)
        }
    };
    let result = select_until(count, [read, write, except], wait);
    if !timeout.is_null() {
        let left = wait.left() / 1000;
        let _ = timeout
            .cast::<[u64; 2]>()
            .write_pair(left / 1_000_000, left % 1_000_000);
    }
    result
}

/// pselect6(2). The sixth argument points to the signal mask's address and its size.
pub fn pselect6(
    count: i32,
    read: UserPtr<u8>,
    write: UserPtr<u8>,
    except: UserPtr<u8>,
    timeout: UserPtr<__kernel_timespec>,
    mask: UserPtr<[u64; 2]>,
) -> SysResult {
    let mask = match mask.optional() {
        Some(mask) => mask.read()?,
        None => [0, 0],
    };
    let wait = timespec(timeout)?;
    let [set, size] = mask.map(|word| word as usize);
    let select = || select_until(count, [read, write, except], wait);
    let result = under_mask(UserPtr::new(set), size, select)?;
    report_left(timeout, wait);
    result
}

fn select_until(count: i32, from: [UserPtr<u8>; 3], wait: Wait) -> SysResult {
    let count = usize::try_from(count)
        .map_err(|_| Errno::EINVAL)?
        .min(LIMIT);
    let [read, write, except] = from;
    let sets = [
        Set::read(read, count)?,
        Set::read(write, count)?,
        Set::read(except, count)?,
    ];
    let mut results = [[0; LIMIT / 8]; 3];
    let members = |add: &mut dyn FnMut(i32) -> Result<(), Errno>| {
        let mut all = (0..count).filter(|&fd| sets.iter().any(|set| set.contains(fd)));
        all.try_for_each(|fd| add(fd as i32))
    };
    let ready = wait.until_ready(|| scan_sets(&sets, count, &mut results), members)?;
    for (set, result) in sets.iter().zip(&results) {
        set.write(&result[..set_size(count)])?;
    }
    Ok(ready)
}

/// One look at all members of the sets; `EBADF` when one is not open.
fn scan_sets(sets: &Sets, count: usize, results: &mut [[u8; LIMIT / 8]; 3]) -> SysResult {
    let mut ready = 0;
    for fd in 0..count {
        if !sets.iter().any(|set| set.contains(fd)) {
            continue;
        }
        let file = fd::get(fd as i32)?;
        let chosen = sets
            .iter()
            .zip(SET_EVENTS)
            .filter(|(set, _)| set.contains(fd));
        let events = file.events(chosen.fold(0, |all, (_, events)| all | events));
        for (index, set) in sets.iter().enumerate() {
            if set.contains(fd) && events & SET_EVENTS[index] != 0 {
                results[index][fd / 8] |= 1 << (fd % 8);
                ready += 1;
            }
        }
    }
    Ok(ready)
}

#[cfg(test)]
mod tests;
