//! Threads that come and go, take turns, and lock.

use super::{Row, row};
use crate::errno::{Stop, verify};
use crate::meter::{Meter, Outcome};
use crate::sys::call;
use libc::c_void;
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};

pub const ROWS: &[Row] = &[
    row(
        "yield_two",
        "sched_yield() with another thread that does nothing else, both on the first CPU",
        yield_two,
    ),
    row(
        "thread_create",
        "pthread_create and pthread_join",
        thread_create,
    ),
    row(
        "mutex",
        "pthread_mutex_lock and _unlock, nobody else wants it",
        mutex,
    ),
];

/// Starts a thread, as `ipc` does.
fn thread(body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Stop> {
    let started = Builder::new().stack_size(64 << 10).spawn(body);
    started.map_err(|error| Stop::from_io("clone3", &error))
}

/// Puts the running thread on the CPUs in a set; the set it had.
fn move_to(set: &[u64; 16]) -> Result<[u64; 16], Stop> {
    let mut before = [0_u64; 16];
    let size = size_of_val(set);
    // SAFETY: `sched_getaffinity` writes, `sched_setaffinity` reads at most that many bytes.
    unsafe {
        call!(SYS_sched_getaffinity, 0, size, before.as_mut_ptr()).ok()?;
        call!(SYS_sched_setaffinity, 0, size, set.as_ptr()).is(0)?;
    }
    Ok(before)
}

#[inline(always)]
fn give_way() -> Result<(), Stop> {
    // SAFETY: the call takes no argument and touches no memory.
    unsafe { call!(SYS_sched_yield) }.is(0)
}

fn yield_two(meter: &mut Meter) -> Outcome {
    let mut first = [0_u64; 16];
    first[0] = 1;
    let before = move_to(&first)?;
    let stop = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&stop);
    // The other one begins where this one is.
    let peer = thread(move || while !theirs.load(Ordering::Relaxed) && give_way().is_ok() {});
    let sample = peer.and_then(|peer| {
        let sample = meter.measure(give_way);
        stop.store(true, Ordering::Relaxed);
        let _ = peer.join();
        sample
    });
    move_to(&before)?;
    sample
}

extern "C" fn nothing(argument: *mut c_void) -> *mut c_void {
    argument
}

fn thread_create(meter: &mut Meter) -> Outcome {
    meter.measure(|| {
        let mut thread: libc::pthread_t = 0;
        // SAFETY: the thread needs nothing, and is joined.
        let results = unsafe {
            let made = libc::pthread_create(&raw mut thread, null(), nothing, null_mut());
            if made != 0 {
                return Err(Stop::new("clone3", made.into()));
            }
            libc::pthread_join(thread, null_mut())
        };
        verify(results == 0, "pthread_join")
    })
}

fn mutex(meter: &mut Meter) -> Outcome {
    let mut mutex = libc::PTHREAD_MUTEX_INITIALIZER;
    let at = &raw mut mutex;
    meter.measure(move || {
        // SAFETY: the mutex is initialised and stays where it is until the measurement is over.
        let results = unsafe { (libc::pthread_mutex_lock(at), libc::pthread_mutex_unlock(at)) };
        match results {
            (0, 0) => Ok(()),
            (locked, _) => Err(Stop::new("pthread_mutex_lock", locked.into())),
        }
    })
}
