//! The buffer that the content of a procfs or sysfs file is written to.
//!
//! Formatting is done here and not by `core::fmt`, whose machinery would be the largest part of
//! this module's code. Nothing of it is inlined: generators are many and seldom run, and a call is
//! smaller than what it calls. A write that finds no memory is remembered, so that generators are plain
//! sequences of writes; who reads the result is told `ENOMEM`.

use crate::errno::Errno;
use alloc::vec::Vec;

/// A growing text.
#[derive(Debug, Default)]
pub struct Text {
    bytes: Vec<u8>,
    failed: bool,
}

/// The most digits of a number: 64 bits in octal.
const DIGITS: usize = 22;

impl Text {
    /// An empty text, without memory yet.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            failed: false,
        }
    }

    /// What was written; `ENOMEM` if any of it found no memory.
    pub fn finish(&self) -> Result<&[u8], Errno> {
        if self.failed {
            Err(Errno::ENOMEM)
        } else {
            Ok(&self.bytes)
        }
    }

    /// What was written so far, whole or not.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Drops everything behind the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Appends bytes as they are.
    #[inline(never)]
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        if self.bytes.try_reserve(bytes.len()).is_ok() {
            self.bytes.extend_from_slice(bytes);
        } else {
            self.failed = true;
        }
        self
    }

    /// Appends a string as it is.
    #[inline(never)]
    pub fn str(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Appends one byte.
    #[inline(never)]
    pub fn byte(&mut self, byte: u8) -> &mut Self {
        self.bytes(&[byte])
    }

    /// Appends a line feed.
    pub fn line(&mut self) -> &mut Self {
        self.byte(b'\n')
    }

    /// Appends `count` bytes that `fill` writes; it returns how many it wrote.
    pub fn fill(&mut self, count: usize, fill: impl FnOnce(&mut [u8]) -> usize) -> usize {
        let start = self.bytes.len();
        if self.bytes.try_reserve(count).is_err() {
            self.failed = true;
            return 0;
        }
        self.bytes.resize(start + count, 0);
        let done = fill(&mut self.bytes[start..]).min(count);
        self.bytes.truncate(start + done);
        done
    }

    /// Appends `value` in `base` (at most 16, small letters), with at least `width` digits: `pad`
    /// comes before them.
    #[inline(never)]
    fn number(&mut self, mut value: u64, base: u64, width: usize, pad: u8) -> &mut Self {
        let mut digits = [0; DIGITS];
        let mut first = DIGITS;
        loop {
            first -= 1;
            digits[first] = b"0123456789abcdef"[(value % base) as usize];
            value /= base;
            if value == 0 {
                break;
            }
        }
        for _ in DIGITS - first..width {
            self.byte(pad);
        }
        self.bytes(&digits[first..])
    }

    /// Appends a decimal number (`%lu`).
    #[inline(never)]
    pub fn dec(&mut self, value: u64) -> &mut Self {
        self.number(value, 10, 0, b' ')
    }

    /// Appends a decimal number that may be negative (`%ld`).
    #[inline(never)]
    pub fn int(&mut self, value: i64) -> &mut Self {
        if value < 0 {
            self.byte(b'-');
        }
        self.dec(value.unsigned_abs())
    }

    /// Appends a decimal number at the right of `width` columns (`%*lu`).
    pub fn right(&mut self, value: u64, width: usize) -> &mut Self {
        self.number(value, 10, width, b' ')
    }

    /// Appends a decimal number of at least `width` digits (`%0*lu`).
    pub fn zeros(&mut self, value: u64, width: usize) -> &mut Self {
        self.number(value, 10, width, b'0')
    }

    /// Appends a hexadecimal number of at least `width` digits (`%0*lx`).
    pub fn hex(&mut self, value: u64, width: usize) -> &mut Self {
        self.number(value, 16, width, b'0')
    }

    /// Appends an octal number of at least `width` digits (`%0*lo`).
    pub fn oct(&mut self, value: u64, width: usize) -> &mut Self {
        self.number(value, 8, width, b'0')
    }

    /// Appends a string at the left of `width` columns (`%-*s`).
    #[inline(never)]
    pub fn left(&mut self, text: &str, width: usize) -> &mut Self {
        self.str(text).spaces(width.saturating_sub(text.len()))
    }

    /// Appends `count` spaces.
    #[inline(never)]
    pub fn spaces(&mut self, count: usize) -> &mut Self {
        (0..count).for_each(|_| {
            self.byte(b' ');
        });
        self
    }

    /// Appends a size in KiB as a line of meminfo, status or smaps: a label that ends where the
    /// value's eight columns begin, then the unit.
    #[inline(never)]
    pub fn kib(&mut self, label: &str, bytes: u64) -> &mut Self {
        self.str(label).right(bytes / 1024, 8).str(" kB\n")
    }

    /// Appends `label`, a decimal number and a line feed.
    #[inline(never)]
    pub fn field(&mut self, label: &str, value: u64) -> &mut Self {
        self.str(label).dec(value).line()
    }

    /// Appends a line with [`field`](Self::field) for each row.
    #[inline(never)]
    pub fn fields(&mut self, rows: &[(&str, u64)]) -> &mut Self {
        rows.iter().for_each(|&(label, value)| {
            self.field(label, value);
        });
        self
    }

    /// Appends a line with [`kib`](Self::kib) for each row.
    #[inline(never)]
    pub fn sizes(&mut self, rows: &[(&str, u64)]) -> &mut Self {
        rows.iter().for_each(|&(label, bytes)| {
            self.kib(label, bytes);
        });
        self
    }

    /// Appends `name` with the bytes of `special` as three octal digits behind a backslash, as
    /// `seq_escape` of Linux does.
    #[inline(never)]
    pub fn escaped(&mut self, name: &[u8], special: &[u8]) -> &mut Self {
        for &byte in name {
            if special.contains(&byte) {
                self.byte(b'\\').oct(byte.into(), 3);
            } else {
                self.byte(byte);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Text)) -> String {
        let mut text = Text::new();
        write(&mut text);
        String::from_utf8(text.finish().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn numbers_are_formatted_as_by_printf() {
        for value in [0, 1, 7, 8, 9, 10, 4095, 1 << 40, u64::MAX] {
            assert_eq!(
                written(|t| {
                    t.dec(value);
                }),
                format!("{value}")
            );
            assert_eq!(
                written(|t| {
                    t.right(value, 8);
                }),
                format!("{value:8}")
            );
            assert_eq!(
                written(|t| {
                    t.zeros(value, 3);
                }),
                format!("{value:03}")
            );
            assert_eq!(
                written(|t| {
                    t.hex(value, 8);
                }),
                format!("{value:08x}")
            );
            assert_eq!(
                written(|t| {
                    t.oct(value, 4);
                }),
                format!("{value:04o}")
            );
        }
        for value in [0, -1, 5, i64::MIN, i64::MAX] {
            assert_eq!(
                written(|t| {
                    t.int(value);
                }),
                format!("{value}")
            );
        }
    }

    #[test]
    fn strings_are_padded_and_escaped() {
        assert_eq!(
            written(|t| {
                t.left("ab", 4).str("|");
            }),
            "ab  |"
        );
        assert_eq!(
            written(|t| {
                t.left("abcde", 4).str("|");
            }),
            "abcde|"
        );
        assert_eq!(
            written(|t| {
                t.escaped(b"a b\\c\n", b" \\\n");
            }),
            "a\\040b\\134c\\012"
        );
        assert_eq!(
            written(|t| {
                t.kib("MemFree:        ", 3 << 20);
            }),
            "MemFree:            3072 kB\n"
        );
    }

    #[test]
    fn what_is_filled_counts_and_no_more() {
        let mut text = Text::new();
        text.str("ab");
        assert_eq!(
            text.fill(10, |room| {
                room[..3].fill(b'x');
                3
            }),
            3
        );
        assert_eq!(text.finish(), Ok(&b"abxxx"[..]));
    }

    #[test]
    fn missing_memory_is_an_error_and_no_panic() {
        let mut text = Text::new();
        text.str("ab");
        assert_eq!(text.fill(isize::MAX as usize, |_| 0), 0);
        assert_eq!(text.str("cd").finish(), Err(Errno::ENOMEM));
    }
}
