//! The calls under test, and looking at pages that may not be accessible without a signal.

use super::PAGE;
use std::io;

/// An error number, as the calls under test report it.
pub type Errno = i32;

fn checked(result: i64) -> Result<usize, Errno> {
    match result {
        -1 => Err(io::Error::last_os_error().raw_os_error().unwrap_or(0)),
        result => Ok(result as usize),
    }
}

/// mmap(2) of private anonymous memory with further `flags`.
pub fn map(address: usize, len: usize, protection: i32, flags: i32) -> Result<usize, Errno> {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: fixed addresses lie in the window or the islands, which nothing else uses.
    checked(unsafe { libc::mmap(address as *mut _, len, protection, flags, -1, 0) } as i64)
}

/// munmap(2).
pub fn unmap(address: usize, len: usize) -> Result<usize, Errno> {
    // SAFETY: the range lies in the window or the islands, to which there are no references.
    checked(unsafe { libc::munmap(address as *mut _, len) }.into())
}

/// mprotect(2).
pub fn protect(address: usize, len: usize, protection: i32) -> Result<usize, Errno> {
    // SAFETY: as for `unmap`.
    checked(unsafe { libc::mprotect(address as *mut _, len, protection) }.into())
}

/// madvise(2).
pub fn advise(address: usize, len: usize, advice: i32) -> Result<usize, Errno> {
    // SAFETY: as for `unmap`.
    checked(unsafe { libc::madvise(address as *mut _, len, advice) }.into())
}

/// mremap(2).
pub fn remap(address: usize, old: usize, new: usize, flags: i32) -> Result<usize, Errno> {
    // SAFETY: as for `unmap`.
    checked(unsafe { libc::mremap(address as *mut _, old, new, flags) } as i64)
}

/// A memory file through which words come from and go to pages that may be bad.
pub struct Probe(i32);

impl Probe {
    /// Makes the file.
    pub fn new() -> Result<Self, String> {
        // SAFETY: the name is a string that ends in NUL.
        match unsafe { libc::memfd_create(c"probe".as_ptr(), 0) } {
            -1 => Err(format!("memfd_create: {}", io::Error::last_os_error())),
            fd => Ok(Self(fd)),
        }
    }

    /// The word at `address`, if it may be read.
    pub fn read(&self, address: usize) -> Option<u64> {
        let mut word = 0_u64;
        // SAFETY: pwrite takes any address and reports what it cannot read; pread fills `word`.
        unsafe {
            let written = libc::pwrite(self.0, address as *const _, 8, 0);
            let read = written == 8 && libc::pread(self.0, (&raw mut word).cast(), 8, 0) == 8;
            read.then_some(word)
        }
    }

    /// Puts `word` at `address`, if that may be written.
    pub fn write(&self, address: usize, word: u64) -> bool {
        // SAFETY: pwrite reads `word`; pread reports what it cannot write.
        unsafe {
            libc::pwrite(self.0, (&raw const word).cast(), 8, 0) == 8
                && libc::pread(self.0, address as *mut _, 8, 0) == 8
        }
    }
}

/// Pages of the address space that are mapped, from `/proc/self/statm`.
pub fn mapped_pages() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let first = text.split(' ').next().unwrap_or_default();
    first.parse().unwrap_or_default()
}

/// Reads the first word of the page at `address`, which the model says may be read.
pub fn load(address: usize) -> u64 {
    // SAFETY: the page is mapped and readable by the model; if it were not, the test would have
    // found that by ending with a signal.
    unsafe { (address as *const u64).read_volatile() }
}

/// Writes the first and the last word of the page at `address`, which the model says is writable.
pub fn store(address: usize, tag: u64) {
    // SAFETY: as for `load`.
    unsafe {
        (address as *mut u64).write_volatile(tag);
        ((address + PAGE - 8) as *mut u64).write_volatile(tag);
    }
}

/// Whether the page at `address`, readable by the model, has `tag` in its first and last word.
pub fn has(address: usize, tag: u64) -> bool {
    load(address) == tag && load(address + PAGE - 8) == tag
}
