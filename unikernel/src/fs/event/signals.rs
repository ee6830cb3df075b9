//! signalfd(2).

use crate::errno::{Errno, SysResult};
use crate::signal::info::code;
use crate::signal::{self, ARRIVED, SigInfo};
use crate::uaccess::{UserPtr, UserSlice};
use crate::wait::Queue;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use linux_raw_sys::general::POLLIN;

/// `struct signalfd_siginfo`.
type Record = [u64; 16];
const SIZE: usize = size_of::<Record>();

/// A set of signals that are read instead of handled.
#[derive(Debug)]
pub struct Signals(AtomicU64);

impl Signals {
    /// Signals of `set`.
    pub const fn new(set: u64) -> Self {
        Self(AtomicU64::new(set))
    }

    /// Other signals from now on. Those that wait for them look again.
    pub fn set(&self, set: u64) {
        self.0.store(set, Relaxed);
        ARRIVED.wake();
    }

    fn wanted(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Reads as many records as there are signals and room; waits for the first. Errors: `EINVAL`
    /// (no room for one), `EAGAIN`, `EINTR`, `EFAULT`.
    pub fn read(&self, to: UserSlice, nonblocking: bool) -> SysResult {
        let room = to.len() / SIZE;
        if room == 0 {
            return Err(Errno::EINVAL);
        }
        let mut next = signal::take(self.wanted());
        while next.is_none() {
            if nonblocking {
                return Err(Errno::EAGAIN);
            }
            ARRIVED.wait(|| self.is_ready())?;
            next = signal::take(self.wanted());
        }
        let mut done = 0;
        while let Some(info) = next {
            let at = UserPtr::<Record>::new(to.start() + done * SIZE);
            if let Err(error) = at.write(&record(&info)) {
                return if done > 0 {
                    Ok(done * SIZE)
                } else {
                    Err(error)
                };
            }
            done += 1;
            next = match done < room {
                true => signal::take(self.wanted()),
                false => None,
            };
        }
        Ok(done * SIZE)
    }

    fn is_ready(&self) -> bool {
        signal::pending() & self.wanted() != 0
    }

    /// `POLLIN` when one of the signals waits for the calling thread.
    pub fn events(&self) -> u32 {
        if self.is_ready() { POLLIN } else { 0 }
    }

    /// Who waits for signals.
    pub const fn queue(&self) -> &Queue {
        &ARRIVED
    }
}

/// What a record says of a signal; which words of `siginfo_t` those are depends on its cause
/// (fs/signalfd.c, signalfd_copyinfo).
fn record(info: &SigInfo) -> Record {
    let words = info.words();
    let low = |word: u64| word & 0xffff_ffff;
    let mut record: Record = [0; 16];
    let number = info.signo as u32;
    // ssi_signo, ssi_errno; ssi_code, ssi_pid; ssi_uid, ssi_fd.
    record[0] = words[0];
    record[1] = low(words[1]);
    // After `si_code` and its padding come pid and uid, or timer id and overrun, or an address.
    let (first, second) = (low(words[2]), words[2] >> 32);
    let is_fault = (1..code::SI_KERNEL).contains(&info.code);
    if is_fault && matches!(number, 4 | 5 | 7 | 8 | 11) {
        // ssi_addr.
        record[9] = words[2];
    } else if info.code == code::SI_TIMER {
        // ssi_tid and ssi_band, ssi_overrun and ssi_trapno.
        record[3] = first;
        record[4] = second;
        (record[5], record[6]) = (low(words[3]) << 32, words[3]);
    } else {
        record[1] |= first << 32;
        record[2] = second;
        if info.code < 0 {
            // ssi_status and ssi_int; ssi_ptr.
            record[5] = low(words[3]) << 32;
            record[6] = words[3];
        }
    }
    record
}
