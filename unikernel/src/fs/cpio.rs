//! The initial root as it arrives: cpio archives in the `newc` format.
//!
//! Source of the format: cpio(5) and the kernel's `buffer-format` page. Each entry is a header of
//! 110 bytes (a magic and thirteen fields of eight hex digits), the NUL-terminated name, and the
//! data; name and data are padded to four bytes. An archive ends with an entry named
//! `TRAILER!!!`; zero bytes and then another archive may follow. Nothing is copied: names and data
//! borrow from the image. The checksum of the `070702` variant is not verified, because that
//! would read every byte of every file at boot.

use core::fmt;

const HEADER: usize = 110;
const MAGIC: usize = 6;
const TRAILER: &[u8] = b"TRAILER!!!";
/// Longest name, with its NUL (`PATH_MAX`).
const NAME_LIMIT: usize = 4096;

const FIELDS: [&str; 12] = [
    "c_ino",
    "c_mode",
    "c_uid",
    "c_gid",
    "c_nlink",
    "c_mtime",
    "c_filesize",
    "c_devmajor",
    "c_devminor",
    "c_rdevmajor",
    "c_rdevminor",
    "c_namesize",
];
const NAMESIZE: usize = 11;

/// Why an image is not a usable archive, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Byte offset of the fault from the start of the image.
    pub offset: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What was found instead of what the format asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A compressed image, by its magic (the method's name).
    Compressed(&'static str),
    /// Fewer than the 110 bytes of a header are left (how many are).
    TruncatedHeader(usize),
    /// Neither `070701` nor `070702`.
    BadMagic,
    /// A byte of the named field is not a hex digit.
    BadDigit(&'static str, u8),
    /// The name does not end with NUL within the length that the header states.
    NameNotTerminated,
    /// A name of this many bytes: `PATH_MAX` is 4096.
    NameTooLong(usize),
    /// The named part needs so many bytes, but only so many are left.
    PastEnd(&'static str, usize, usize),
    /// The image ends without an entry named `TRAILER!!!`.
    MissingTrailer,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Fault::Compressed(method) = self.fault {
            return write!(
                f,
                "compressed initrd: decompress it, or use gzip ({method} at byte {:#x})",
                self.offset
            );
        }
        write!(f, "byte {:#x}: ", self.offset)?;
        match self.fault {
            Fault::Compressed(_) => Ok(()),
            Fault::TruncatedHeader(have) => write!(f, "110 bytes of header expected, {have} left"),
            Fault::BadMagic => f.write_str("magic 070701 or 070702 expected (cpio -H newc)"),
            Fault::BadDigit(field, byte) => {
                write!(f, "hex digit expected in {field}, found byte {byte:#04x}")
            }
            Fault::NameNotTerminated => f.write_str("NUL expected at the end of the name"),
            Fault::NameTooLong(len) => write!(f, "name of {len} bytes, 4096 at most"),
            Fault::PastEnd(what, need, have) => {
                write!(f, "{what} of {need} bytes expected, {have} left")
            }
            Fault::MissingTrailer => f.write_str("entry TRAILER!!! expected, the image ends"),
        }
    }
}

/// One file of an archive, as its header states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Where its header starts.
    pub offset: usize,
    /// Ordinal of the archive in the image; hard links do not reach across archives.
    pub archive: u32,
    /// Inode number; together with `dev` it identifies hard links.
    pub ino: u32,
    /// File type and permissions, as `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Number of names of this file.
    pub nlink: u32,
    /// Modification time, seconds since 1970.
    pub mtime: u32,
    /// Device that held the file: major, minor.
    pub dev: (u32, u32),
    /// Device that a device node stands for: major, minor.
    pub rdev: (u32, u32),
    /// Path without the NUL, as packed (perhaps with a leading `/` or `./`).
    pub name: &'a [u8],
    /// Content; the target of a symbolic link.
    pub data: &'a [u8],
}

/// Iterator over the entries of all archives of an image. It ends after the first error.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    image: &'a [u8],
    at: usize,
    archive: u32,
    inside: bool,
}

impl<'a> Entries<'a> {
    /// Starts at the first byte of `image`. An image that is empty or all zero has no entries.
    pub const fn new(image: &'a [u8]) -> Self {
        Self::from(image, 0, 0)
    }

    /// Starts at byte `at`, where archive `archive` begins, if one does.
    pub const fn from(image: &'a [u8], at: usize, archive: u32) -> Self {
        Self {
            image,
            at,
            archive,
            inside: false,
        }
    }

    /// Ordinal of the archive that comes next.
    pub const fn archive(&self) -> u32 {
        self.archive
    }

    fn step(&mut self) -> Result<Option<Entry<'a>>, Error> {
        loop {
            if !self.inside && !self.find_archive()? {
                return Ok(None);
            }
            let entry = self.entry()?;
            if entry.name != TRAILER {
                return Ok(Some(entry));
            }
            self.inside = false;
            self.archive += 1;
        }
    }

    /// Skips the zero bytes between archives; false at the end of the image.
    fn find_archive(&mut self) -> Result<bool, Error> {
        let rest = self.image.get(self.at..).unwrap_or_default();
        let Some(zeros) = rest.iter().position(|&byte| byte != 0) else {
            return Ok(false);
        };
        self.at += zeros;
        if let Some(method) = compression(&rest[zeros..]) {
            let (offset, fault) = (self.at, Fault::Compressed(method));
            return Err(Error { offset, fault });
        }
        self.inside = true;
        Ok(true)
    }

    fn entry(&mut self) -> Result<Entry<'a>, Error> {
        let offset = self.at;
        let rest = self.image.get(offset..).unwrap_or_default();
        if rest.is_empty() {
            return Err(Error {
                offset,
                fault: Fault::MissingTrailer,
            });
        }
        let field = header(rest, offset)?;
        let [
            ino,
            mode,
            uid,
            gid,
            nlink,
            mtime,
            filesize,
            devmajor,
            devminor,
            rmajor,
            rminor,
            _,
        ] = field;
        let name_size = field[NAMESIZE] as usize;
        let name = self.name(offset + HEADER, name_size)?;
        let start = align(offset + HEADER + name_size);
        let data = self.part("data", start, filesize as usize)?;
        self.at = align(start + data.len());
        let (dev, rdev) = ((devmajor, devminor), (rmajor, rminor));
        let archive = self.archive;
        Ok(Entry {
            offset,
            archive,
            ino,
            mode,
            uid,
            gid,
            nlink,
            mtime,
            dev,
            rdev,
            name,
            data,
        })
    }

    /// The name of `size` bytes (its NUL included) at `start`.
    fn name(&self, start: usize, size: usize) -> Result<&'a [u8], Error> {
        if size > NAME_LIMIT {
            return Err(Error {
                offset: start,
                fault: Fault::NameTooLong(size),
            });
        }
        match self.part("name", start, size)?.split_last() {
            // Some packers align the data with further NULs; the first one ends the name.
            Some((0, name)) => Ok(until_nul(name)),
            _ => Err(Error {
                offset: start + size.max(1) - 1,
                fault: Fault::NameNotTerminated,
            }),
        }
    }

    fn part(&self, what: &'static str, start: usize, len: usize) -> Result<&'a [u8], Error> {
        let rest = self.image.get(start..).unwrap_or_default();
        let past = Fault::PastEnd(what, len, rest.len());
        rest.get(..len).ok_or(Error {
            offset: start,
            fault: past,
        })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.step();
        if item.is_err() {
            // Nothing behind a fault can be trusted.
            (self.at, self.inside) = (self.image.len(), false);
        }
        item.transpose()
    }
}

/// The bytes in front of the first NUL, as the kernel's C strings have it.
pub(super) fn until_nul(text: &[u8]) -> &[u8] {
    &text[..text
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(text.len())]
}

const fn align(offset: usize) -> usize {
    (offset + 3) & !3
}

/// Checks the magic and converts the fields of the header at the start of `rest`.
fn header(rest: &[u8], offset: usize) -> Result<[u32; FIELDS.len()], Error> {
    let magic = &rest[..rest.len().min(MAGIC)];
    if magic != b"070701" && magic != b"070702" {
        // A few bytes that could have been a magic are a cut, not a foreign format.
        if b"070701".starts_with(magic) {
            return Err(Error {
                offset,
                fault: Fault::TruncatedHeader(rest.len()),
            });
        }
        let fault = Fault::BadMagic;
        return Err(Error { offset, fault });
    }
    if rest.len() < HEADER {
        return Err(Error {
            offset,
            fault: Fault::TruncatedHeader(rest.len()),
        });
    }
    let (mut fields, mut wrong) = ([0; FIELDS.len()], 0);
    for (field, text) in fields.iter_mut().zip(texts(rest)) {
        let value = digits(text);
        (*field, wrong) = (value.0, wrong | value.1);
    }
    if wrong == 0 {
        Ok(fields)
    } else {
        Err(bad_digit(rest, offset))
    }
}

/// The texts of a header's fields, as far as they are there.
fn texts(header: &[u8]) -> &[[u8; 8]] {
    header.get(MAGIC..).unwrap_or_default().as_chunks().0
}

/// The method of a compressed image, by its first bytes.
fn compression(image: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 7] = [
        (b"\x1f\x8b", "gzip"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x02\x21\x4c\x18", "lz4"),
        (b"BZh", "bzip2"),
        (b"\x5d\0\0", "lzma"),
        (b"\x89LZO", "lzo"),
    ];
    known
        .iter()
        .find(|(magic, _)| image.starts_with(magic))
        .map(|&(_, method)| method)
}

/// The value of a field, and a word that is not 0 when a byte of it is no hex digit. All eight
/// digits are handled at once, a byte each.
#[inline]
fn digits(text: &[u8; 8]) -> (u32, u64) {
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    let text = u64::from_be_bytes(*text);
    let letters = text & each(0x40);
    let mut value = (text & each(0x0f)) + (letters >> 6) * 9;
    // Back to lower-case text: only a digit comes out as it went in.
    let above_nine = ((value + each(6)) >> 4) & each(1);
    let again = value + each(b'0') + above_nine * u64::from(b'a' - b'0' - 10);
    let wrong = (again ^ (text | letters >> 1)) | (value & each(0xf0));
    value = (value | value >> 4) & 0x00ff_00ff_00ff_00ff;
    value = (value | value >> 8) & 0x0000_ffff_0000_ffff;
    ((value | value >> 16) as u32, wrong)
}

#[cold]
fn bad_digit(rest: &[u8], offset: usize) -> Error {
    let digits = &rest[MAGIC..HEADER - 8];
    let at = digits
        .iter()
        .position(|byte| !byte.is_ascii_hexdigit())
        .unwrap_or_default();
    let fault = Fault::BadDigit(FIELDS[at / 8], digits[at]);
    Error {
        offset: offset + MAGIC + at,
        fault,
    }
}

#[cfg(test)]
mod tests;
