//! Addresses that are bad in one way or another.

use std::io;
use std::ptr;

const PAGE: usize = 4096;
/// What the writable page is filled with: no NUL byte, so that a path in it never ends.
const FILLER: u8 = b'x';

/// An address, with a name for the report.
#[derive(Clone, Copy)]
pub struct Place {
    /// What is wrong with the address.
    pub name: &'static str,
    /// The address.
    pub address: u64,
}

/// Four pages: writable, inaccessible, readable (zero), inaccessible.
pub struct Places {
    base: *mut u8,
}

impl Places {
    /// Maps the pages.
    ///
    /// # Errors
    /// What `mmap` and `mprotect` report.
    pub fn map() -> io::Result<Self> {
        // SAFETY: a new anonymous mapping where the system likes it.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                4 * PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let places = Self { base: base.cast() };
        places.protect(1, libc::PROT_NONE)?;
        places.protect(2, libc::PROT_READ)?;
        places.protect(3, libc::PROT_NONE)?;
        Ok(places)
    }

    fn protect(&self, page: usize, protection: i32) -> io::Result<()> {
        // SAFETY: one of our four pages; nothing borrows them.
        let result = unsafe { libc::mprotect(self.base.add(page * PAGE).cast(), PAGE, protection) };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// All bad addresses. The straddling one has `keep` good bytes, then an inaccessible page.
    pub fn bad(&self, keep: u64) -> [Place; 7] {
        let base = self.base as u64;
        let page = PAGE as u64;
        [
            Place {
                name: "null",
                address: 0,
            },
            Place {
                name: "unmapped",
                address: 0x6000_0000_0000,
            },
            Place {
                name: "inaccessible",
                address: base + page,
            },
            Place {
                name: "read-only",
                address: base + 2 * page,
            },
            Place {
                name: "straddling",
                address: base + page - keep,
            },
            Place {
                name: "kernel",
                address: 0xffff_8000_0000_0000,
            },
            Place {
                name: "not canonical",
                address: 0x8000_0000_0000_0000,
            },
        ]
    }

    /// The last `length` bytes of the writable page, filled with a filler.
    pub fn end(&self, length: u64) -> u64 {
        // SAFETY: the page is ours and writable; nothing borrows it.
        unsafe { ptr::write_bytes(self.base, FILLER, PAGE) };
        self.base as u64 + PAGE as u64 - length
    }

    /// The bytes at the end of the writable page.
    pub fn tail(&self, length: usize) -> Vec<u8> {
        // SAFETY: the page is ours and readable; the borrow ends with the copy.
        unsafe { std::slice::from_raw_parts(self.base.add(PAGE - length), length) }.to_vec()
    }

    /// Puts `bytes` at the very end of the writable page and returns their address.
    pub fn put(&self, bytes: &[u8]) -> u64 {
        let address = self.end(bytes.len() as u64);
        // SAFETY: the destination is the end of our writable page.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
        address
    }
}
