//! Bad pointers on the host: memory with holes, and a signal handler that does what the exception
//! upcall does in the machine.

use super::{USER_END, fixup};
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

/// From here on a bad pointer in a copy of this process ends as in the machine.
pub(crate) fn catch() {
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
    /// The whole mapping, as start and length.
    mapping: (*mut u8, usize),
}

impl Fenced {
    /// `pages` pages of zeros. From here on a fault in a copy of this process ends as in the
    /// machine.
    pub(crate) fn new(pages: usize) -> Self {
        let len = pages * PAGE;
        let mapping = (map(null_mut(), len + 2 * PAGE, 0), len + 2 * PAGE);
        Self::open(mapping.0.wrapping_add(PAGE), len, mapping)
    }

    /// The last page of the address space; no page behind it can be mapped.
    pub(crate) fn last() -> Self {
        let start = (USER_END - PAGE) as *mut u8;
        let mapping = (map(start, PAGE, libc::MAP_FIXED_NOREPLACE), PAGE);
        Self::open(start, PAGE, mapping)
    }

    fn open(start: *mut u8, len: usize, mapping: (*mut u8, usize)) -> Self {
        catch();
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a change of protection inside a mapping that nobody knows yet.
        assert_eq!(unsafe { libc::mprotect(start.cast(), len, access) }, 0);
        Self {
            start,
            len,
            mapping,
        }
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
        // SAFETY: the mapping that `map` made.
        unsafe { libc::munmap(self.mapping.0.cast(), self.mapping.1) };
    }
}

/// Reserves `len` bytes without access.
fn map(address: *mut u8, len: usize, flags: i32) -> *mut u8 {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, which replaces none.
    let start = unsafe { libc::mmap(address.cast(), len, libc::PROT_NONE, flags, -1, 0) };
    assert_ne!(
        start,
        libc::MAP_FAILED,
        "{}",
        std::io::Error::last_os_error()
    );
    start.cast()
}
