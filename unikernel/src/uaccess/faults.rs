//! Bad pointers on the host: memory with holes, and a signal handler that does what the exception
//! upcall does in the machine.

use super::fixup;
use core::ffi::c_void;
use core::ptr::null_mut;
use std::sync::Once;

/// Bytes in a page.
const PAGE: usize = 4096;

extern "C" fn on_fault(signal: i32, _: *mut libc::siginfo_t, context: *mut c_void) {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel passes the interrupted context, which is ours to change.
    let rip = unsafe { &mut (*context).uc_mcontext.gregs[libc::REG_RIP as usize] };
    match fixup(*rip as usize) {
        Some(landing) => *rip = landing as i64,
        // Not a copy: the default action, when the instruction is executed again.
        // SAFETY: as signal(2) has it.
        None => unsafe {
            libc::signal(signal, libc::SIG_DFL);
        },
    }
}

fn catch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: all zeros is a valid `sigaction`; the handler is async-signal-safe: it changes
        // the context and nothing else.
        unsafe {
            let mut action: libc::sigaction = core::mem::zeroed();
            action.sa_sigaction = on_fault as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            for signal in [libc::SIGSEGV, libc::SIGBUS] {
                assert_eq!(libc::sigaction(signal, &action, null_mut()), 0);
            }
        }
    });
}

/// Some pages of memory between two that are not mapped.
pub(crate) struct Fenced {
    start: *mut u8,
    len: usize,
}

impl Fenced {
    /// `pages` pages of zeros. From here on a fault in a copy of this process ends as in the
    /// machine.
    pub(crate) fn new(pages: usize) -> Self {
        catch();
        let len = pages * PAGE;
        // SAFETY: a new mapping, and a change of protection inside it.
        let start = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let all = libc::mmap(null_mut(), len + 2 * PAGE, libc::PROT_NONE, flags, -1, 0);
            assert_ne!(all, libc::MAP_FAILED);
            let start = all.cast::<u8>().add(PAGE);
            assert_eq!(
                libc::mprotect(start.cast(), len, libc::PROT_READ | libc::PROT_WRITE),
                0
            );
            start
        };
        Self { start, len }
    }

    /// The memory.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: mapped by `new`, and borrowed with `self`.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.len) }
    }

    /// Address of its first byte; the one before is not mapped.
    pub(crate) fn start(&self) -> usize {
        self.start as usize
    }

    /// Address of the first byte behind it that is not mapped.
    pub(crate) fn end(&self) -> usize {
        self.start() + self.len
    }

    /// Forbids writing.
    pub(crate) fn seal(&self) {
        // SAFETY: a change of protection inside our own mapping; `bytes` is not borrowed.
        let result = unsafe { libc::mprotect(self.start.cast(), self.len, libc::PROT_READ) };
        assert_eq!(result, 0);
    }
}

impl Drop for Fenced {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made, guards included.
        unsafe { libc::munmap(self.start.sub(PAGE).cast(), self.len + 2 * PAGE) };
    }
}
