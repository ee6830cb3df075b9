//! A range of mapped pages, some of which may be missing or inaccessible.

use std::io;
use std::ops::Range;
use test_support::call;

/// Bytes of a page.
pub const PAGE: usize = 4096;
/// Readable and writable.
pub const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;
const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

/// A mapping of this program's own.
pub struct Region {
    start: u64,
    length: usize,
}

impl Region {
    /// Maps `pages` private anonymous pages, readable and writable.
    ///
    /// # Errors
    /// What `mmap` reports.
    pub fn new(pages: usize) -> io::Result<Self> {
        Self::with_flags(pages, PRIVATE)
    }

    /// The same with other flags.
    ///
    /// # Errors
    /// What `mmap` reports.
    pub fn with_flags(pages: usize, flags: i32) -> io::Result<Self> {
        let length = pages * PAGE;
        let start = map(0, length, READ_WRITE, flags)?;
        Ok(Self { start, length })
    }

    /// The address of a page.
    pub fn page(&self, index: usize) -> u64 {
        self.start + (index * PAGE) as u64
    }

    /// Number of pages.
    pub fn pages(&self) -> usize {
        self.length / PAGE
    }

    /// Fills pages, each with its own number and `salt`. The pages are mapped and writable.
    pub fn fill(&self, pages: Range<usize>, salt: u8) {
        for index in pages {
            let page = self.page(index) as *mut u8;
            // SAFETY: the caller's promise; nothing borrows the pages.
            unsafe { page.write_bytes(pattern(index, salt), PAGE) };
        }
    }

    /// One character a page: `0` all zero, `=` as [`Region::fill`] left it, `?` something else,
    /// `-` not readable (which the kernel is asked first).
    pub fn show(&self, salt: u8) -> String {
        (0..self.pages())
            .map(|index| self.show_page(index, salt))
            .collect()
    }

    fn show_page(&self, index: usize, salt: u8) -> char {
        let page = self.page(index);
        if !is_readable(page) {
            return '-';
        }
        // SAFETY: the page is readable, and nobody writes to it while it is borrowed.
        let bytes = unsafe { std::slice::from_raw_parts(page as *const u8, PAGE) };
        match bytes {
            bytes if bytes.iter().all(|&byte| byte == 0) => '0',
            bytes if bytes.iter().all(|&byte| byte == pattern(index, salt)) => '=',
            _ => '?',
        }
    }

    /// Replaces pages by fresh ones at the same place.
    ///
    /// # Errors
    /// What `mmap` reports.
    pub fn replace(&self, pages: Range<usize>) -> io::Result<u64> {
        let length = pages.len() * PAGE;
        map(
            self.page(pages.start),
            length,
            READ_WRITE,
            PRIVATE | libc::MAP_FIXED,
        )
    }

    /// Unmaps pages.
    ///
    /// # Errors
    /// What `munmap` reports.
    pub fn unmap(&self, pages: Range<usize>) -> io::Result<i64> {
        call(
            libc::SYS_munmap,
            &[self.page(pages.start), (pages.len() * PAGE) as u64],
        )
    }

    /// Changes the protection of pages.
    ///
    /// # Errors
    /// What `mprotect` reports.
    pub fn protect(&self, pages: Range<usize>, protection: i32) -> io::Result<i64> {
        let length = (pages.len() * PAGE) as u64;
        call(
            libc::SYS_mprotect,
            &[self.page(pages.start), length, protection as u64],
        )
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // Holes do not matter to `munmap`.
        let _ = self.unmap(0..self.pages());
    }
}

/// What a page is filled with; never 0, if `salt` is between 1 and 100.
fn pattern(index: usize, salt: u8) -> u8 {
    (index % 100) as u8 + salt
}

/// Maps anonymous memory.
///
/// # Errors
/// What `mmap` reports.
pub fn map(address: u64, length: usize, protection: i32, flags: i32) -> io::Result<u64> {
    let args = [
        address,
        length as u64,
        protection as u64,
        flags as u64,
        u64::MAX,
        0,
    ];
    call(libc::SYS_mmap, &args).map(|start| start as u64)
}

/// Whether the kernel can read a word at the address.
pub fn is_readable(address: u64) -> bool {
    const NO_SUCH_WAY: u64 = 77;
    const SET_SIZE: u64 = 8;
    // The set is read before the call finds that there is no such way to change the mask.
    let outcome = call(
        libc::SYS_rt_sigprocmask,
        &[NO_SUCH_WAY, address, 0, SET_SIZE],
    );
    outcome.err().and_then(|error| error.raw_os_error()) == Some(libc::EINVAL)
}

/// Whether the kernel can write a word at the address; writes the time there.
pub fn is_writable(address: u64) -> bool {
    call(libc::SYS_time, &[address]).is_ok()
}
