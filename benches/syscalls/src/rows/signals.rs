//! Signals: actions, the mask, delivery to a handler.

use super::{Row, row};
use crate::errno::Stop;
use crate::meter::{Meter, Outcome};
use crate::sys::call;
use std::mem::zeroed;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI64, Ordering};

pub const ROWS: &[Row] = &[
    row(
        "sigaction",
        "rt_sigaction(SIGUSR2, &ignored, &old)",
        sigaction,
    ),
    row(
        "sigprocmask",
        "rt_sigprocmask(SIG_SETMASK, &mask, &old) to what it is",
        sigprocmask,
    ),
    row(
        "signal_delivery",
        "tgkill(own process, own thread, SIGUSR1); its handler runs and returns",
        signal_delivery,
    ),
];

/// The size of the kernel's `sigset_t` in bytes.
const SET_SIZE: usize = size_of::<u64>();

/// The kernel's `struct sigaction` (arch/x86/include/uapi/asm/signal.h). The C library's has
/// another layout.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct KernelAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

fn sigaction(meter: &mut Meter) -> Outcome {
    let ignored = KernelAction {
        handler: libc::SIG_IGN,
        ..KernelAction::default()
    };
    let mut old = KernelAction::default();
    let (new, to) = (&raw const ignored, &raw mut old);
    // SAFETY: SIG_IGN calls nothing; both pointers lead to the kernel's structure.
    let set = move || unsafe { call!(SYS_rt_sigaction, libc::SIGUSR2, new, to, SET_SIZE) };
    set().is(0)?;
    let before = old;
    let sample = meter.measure(move || set().is(0));
    // SAFETY: this is the action that the kernel said was there before.
    let restored = unsafe {
        let (before, nowhere) = (&raw const before, null_mut::<KernelAction>());
        call!(SYS_rt_sigaction, libc::SIGUSR2, before, nowhere, SET_SIZE)
    };
    restored.is(0)?;
    sample
}

fn sigprocmask(meter: &mut Meter) -> Outcome {
    let (mut mask, mut old) = (0_u64, 0_u64);
    let (now, to) = (&raw mut mask, &raw mut old);
    let how = libc::SIG_SETMASK;
    // SAFETY: without a new mask the call only writes the present one, of SET_SIZE bytes.
    unsafe { call!(SYS_rt_sigprocmask, how, null::<u64>(), now, SET_SIZE) }.is(0)?;
    // SAFETY: it reads and writes one mask each; the mask stays what it is.
    meter.measure(move || unsafe { call!(SYS_rt_sigprocmask, how, now, to, SET_SIZE) }.is(0))
}

/// How often the handler ran.
static DELIVERED: AtomicI64 = AtomicI64::new(0);

extern "C" fn delivered(_: libc::c_int) {
    DELIVERED.fetch_add(1, Ordering::Relaxed);
}

fn signal_delivery(meter: &mut Meter) -> Outcome {
    let _handler = Handler::install()?;
    // SAFETY: neither has arguments, and they change nothing.
    let (process, thread) = unsafe { (call!(SYS_getpid).ok()?, call!(SYS_gettid).ok()?) };
    let mut expected = DELIVERED.load(Ordering::Relaxed);
    meter.measure(move || {
        // SAFETY: the signal goes to this thread, which has a handler for it that touches nothing
        // but an atomic.
        unsafe { call!(SYS_tgkill, process, thread, libc::SIGUSR1) }.is(0)?;
        expected += 1;
        // A signal to oneself that is not blocked has arrived when the call returns.
        if DELIVERED.load(Ordering::Relaxed) == expected {
            Ok(())
        } else {
            Err(Stop::new("SYS_tgkill", 0))
        }
    })
}

/// [`delivered`] as the handler of SIGUSR1.
struct Handler(libc::sigaction);

impl Handler {
    fn install() -> Result<Self, Stop> {
        // SAFETY: a `sigaction` is integers and an optional function, for all of which 0 is a value.
        let (mut new, mut old): (libc::sigaction, libc::sigaction) = unsafe { zeroed() };
        new.sa_sigaction = delivered as *const () as libc::sighandler_t;
        // SAFETY: the handler is async-signal-safe and takes the one argument that a handler
        // without SA_SIGINFO gets.
        match unsafe { libc::sigaction(libc::SIGUSR1, &raw const new, &raw mut old) } {
            0 => Ok(Self(old)),
            _ => Err(Stop::from_io(
                "rt_sigaction",
                &std::io::Error::last_os_error(),
            )),
        }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        // SAFETY: this is the action that the C library said was there before.
        unsafe { libc::sigaction(libc::SIGUSR1, &raw const self.0, null_mut()) };
    }
}
