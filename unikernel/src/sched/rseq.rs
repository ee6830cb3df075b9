//! Restartable sequences (rseq(2) as described in Linux's include/uapi/linux/rseq.h): a thread that is
//! interrupted in a critical section of its own declaration goes on at the section's abort handler,
//! when another thread has had the CPU or a signal handler runs.
//!
//! There is one CPU, so the ids in the area of a thread are written when it is registered and never
//! again.

use super::current;
use crate::control;
use crate::errno::{Errno, SysResult};
use crate::irq::Frame;
use crate::lower;
use crate::uaccess::UserPtr;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

/// What a thread has registered.
pub struct Registration {
    /// Address of its `struct rseq`; 0: none.
    area: AtomicUsize,
    len: AtomicU32,
    signature: AtomicU32,
}

/// The size of `struct rseq` that every kernel takes, and its alignment.
const ORIGINAL_SIZE: u32 = 32;

/// AT_RSEQ_FEATURE_SIZE: the end of its last field.
pub const FEATURES: usize = 28;
/// AT_RSEQ_ALIGN.
pub const ALIGN: usize = 32;

/// Offsets of fields: `cpu_id_start` and `cpu_id` are at 0.
const CS: usize = 8;
const FLAGS: usize = 16;
const NODE_ID: usize = 20;
const MM_CID: usize = 24;

const UNREGISTER: u32 = 1;
/// `cpu_id` of an area that is not registered.
const UNINITIALIZED: u64 = 0xffff_ffff << 32;

impl Registration {
    pub(super) const fn new() -> Self {
        Self {
            area: AtomicUsize::new(0),
            len: AtomicU32::new(0),
            signature: AtomicU32::new(0),
        }
    }

    fn set(&self, area: usize, len: u32, signature: u32) {
        self.area.store(area, Relaxed);
        self.len.store(len, Relaxed);
        self.signature.store(signature, Relaxed);
    }
}

fn write_ids(area: usize, ids: u64) -> Result<(), Errno> {
    UserPtr::<u64>::new(area).write(&ids)?;
    UserPtr::<u32>::new(area + NODE_ID).write(&0)?;
    UserPtr::<u32>::new(area + MM_CID).write(&0)?;
    Ok(())
}

/// rseq(2). Errors: `EINVAL` (flags, length, alignment, another area than the registered one), `EPERM`
/// (another signature), `EBUSY` (registered already), `EFAULT`.
pub fn rseq(area: usize, len: u32, flags: u32, signature: u32) -> SysResult {
    let mine = &current().rseq;
    let registered = mine.area.load(Relaxed);
    let same = registered == area && mine.len.load(Relaxed) == len;
    let signed = mine.signature.load(Relaxed) == signature;
    match flags {
        UNREGISTER if registered == 0 || !same => Err(Errno::EINVAL),
        UNREGISTER if !signed => Err(Errno::EPERM),
        UNREGISTER => {
            write_ids(area, UNINITIALIZED)?;
            mine.set(0, 0, 0);
            Ok(0)
        }
        0 if registered != 0 && !same => Err(Errno::EINVAL),
        0 if registered != 0 && !signed => Err(Errno::EPERM),
        0 if registered != 0 => Err(Errno::EBUSY),
        0 if len < ORIGINAL_SIZE || !area.is_multiple_of(ALIGN) => Err(Errno::EINVAL),
        0 => {
            UserPtr::<u64>::new(area + CS).write(&0)?;
            write_ids(area, 0)?;
            mine.set(area, len, signature);
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// The running thread was interrupted where `frame` says, and will not go on as if nothing had
/// happened: out of its critical section, if it is in one. `Err`: what it declared is wrong, for which it
/// gets SIGSEGV.
#[inline(always)]
pub fn interrupt(frame: &mut Frame) -> Result<(), Errno> {
    match current().rseq.area.load(Relaxed) {
        0 => Ok(()),
        area => leave_section(frame, area).inspect_err(|_| {
            let rip = frame.rip;
            control!(
                "lintel: rseq: what {area:#x} declares of a critical section is wrong: rip {rip:#x}"
            );
        }),
    }
}

fn leave_section(frame: &mut Frame, area: usize) -> Result<(), Errno> {
    let declared = UserPtr::<u64>::new(area + CS);
    let section = declared.read()?;
    if section == 0 {
        return Ok(());
    }
    // Version and flags, start, length, abort handler.
    let [head, start, length, abort] = UserPtr::<[u64; 4]>::new(section as usize).read()?;
    let end = start.checked_add(length).ok_or(Errno::EINVAL)?;
    if head as u32 != 0 || (start..end).contains(&abort) {
        return Err(Errno::EINVAL);
    }
    let before = UserPtr::<u32>::new((abort as usize).wrapping_sub(4));
    if before.read()? != current().rseq.signature.load(Relaxed) {
        return Err(Errno::EINVAL);
    }
    // An instruction that was moved to make room for a call counts where it was.
    let place = (frame.rip as usize, frame.rsp as usize);
    let (rip, rsp) = lower::original_state(place.0, place.1).unwrap_or(place);
    if (start..end).contains(&(rip as u64)) {
        let flags = UserPtr::<u32>::new(area + FLAGS).read()?;
        if head >> 32 != 0 || flags != 0 {
            return Err(Errno::EINVAL);
        }
        (frame.rip, frame.rsp) = (abort, rsp as u64);
    }
    declared.write(&0)
}
