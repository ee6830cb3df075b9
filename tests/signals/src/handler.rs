//! Handlers, and what they note.

use libc::{c_int, c_void, siginfo_t, ucontext_t};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};

/// A handler with SA_SIGINFO.
pub type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

static NOTES: [AtomicI32; 64] = [const { AtomicI32::new(0) }; 64];
static NOTED: AtomicUsize = AtomicUsize::new(0);

/// Notes a number: async-signal-safe.
pub fn note(number: i32) {
    let at = NOTED.fetch_add(1, SeqCst);
    if let Some(place) = NOTES.get(at) {
        place.store(number, SeqCst);
    }
}

/// What was noted since the last time.
pub fn notes() -> Vec<i32> {
    let count = NOTED.swap(0, SeqCst).min(NOTES.len());
    NOTES[..count].iter().map(|n| n.load(SeqCst)).collect()
}

/// Notes the signal when it starts and its negative when it ends.
pub extern "C" fn noting(signal: c_int, _: *mut siginfo_t, _: *mut c_void) {
    note(signal);
    note(-signal);
}

/// Installs a handler; `flags` are added to SA_SIGINFO, and `mask` is blocked meanwhile.
pub fn install(signal: c_int, handler: Handler, flags: c_int, mask: &[c_int]) {
    // SAFETY: all fields of a sigaction may be zero; the handlers of this program are
    // async-signal-safe.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = flags | libc::SA_SIGINFO;
        for &other in mask {
            libc::sigaddset(&raw mut action.sa_mask, other);
        }
        assert_eq!(
            libc::sigaction(signal, &raw const action, std::ptr::null_mut()),
            0
        );
    }
}

/// SIG_DFL or SIG_IGN.
pub fn dispose(signal: c_int, how: usize) {
    // SAFETY: neither calls a function.
    unsafe { libc::signal(signal, how) };
}

/// Sends a signal to this thread, through the C library.
pub fn raise(signal: c_int) {
    // SAFETY: the program has arranged for what happens.
    unsafe { libc::raise(signal) };
}

/// Changes the mask; what it was, as the kernel's word.
pub fn mask(how: c_int, set: u64) -> u64 {
    let mut old = 0u64;
    let (new, to) = (&raw const set, &raw mut old);
    // SAFETY: the kernel's set is eight bytes.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, new, to, 8usize) };
    assert_eq!(result, 0);
    old
}

/// The place of a signal in a set.
pub fn bit(signal: c_int) -> u64 {
    1 << (signal - 1)
}

/// Runs `body` with signals blocked.
pub fn blocking(set: u64, body: impl FnOnce()) {
    let old = mask(libc::SIG_BLOCK, set);
    body();
    mask(libc::SIG_SETMASK, old);
}

/// The context that a handler got.
///
/// # Safety
/// `context` is a handler's third argument.
pub unsafe fn of<'a>(context: *mut c_void) -> &'a mut ucontext_t {
    // SAFETY: the caller's.
    unsafe { &mut *context.cast() }
}

/// A register of a context.
pub fn register(context: &mut ucontext_t, index: c_int) -> &mut i64 {
    &mut context.uc_mcontext.gregs[index as usize]
}

/// Queues a signal with a value.
pub fn queue(signal: c_int, value: usize) -> c_int {
    let value = libc::sigval {
        sival_ptr: value as *mut c_void,
    };
    // SAFETY: to oneself; the value is not used as a pointer.
    unsafe { libc::sigqueue(libc::getpid(), signal, value) }
}
