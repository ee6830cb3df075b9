//! Compressed parts of an initrd: gzip members (RFC 1952), inflated once into memory of their own.
//!
//! The last four bytes of a member say how long its content is, so that usually everything is
//! inflated where it stays. If they are not at the end of the image, or are wrong, a first pass
//! finds out.

mod checksum;

use super::mount::memory_free;
use alloc::vec::Vec;
use core::fmt;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, TINFL_LZ_DICT_SIZE, decompress};

/// Bytes of a header without its optional parts.
const HEADER: usize = 10;
/// The checksum and the length.
const TRAILER: usize = 8;
/// Deflate makes at most 258 bytes of two bits.
const MOST_RATIO: u64 = 1032;

/// Bits of the header's flags.
mod flag {
    pub const HEADER_CHECKSUM: u8 = 2;
    pub const EXTRA: u8 = 4;
    pub const NAME: u8 = 8;
    pub const COMMENT: u8 = 16;
    pub const UNKNOWN: u8 = 0xe0;
}

/// Why a member is not usable, and where.
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
    /// The header names a method or an option that nobody knows.
    Header,
    /// The image ends inside the member.
    Truncated,
    /// The compressed data is no such data.
    Data,
    /// The content has another checksum than the trailer says: stated, found.
    Checksum(u32, u32),
    /// The content has another length than the trailer says (modulo 4 GiB): stated, found.
    Length(u32, u32),
    /// The content needs so many bytes, but only so many are free.
    Memory(u64, u64),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {:#x}: ", self.offset)?;
        match self.fault {
            Fault::Header => f.write_str("unknown kind of gzip data"),
            Fault::Truncated => f.write_str("the gzip data is cut off here"),
            Fault::Data => f.write_str("gzip data expected, found something else"),
            Fault::Checksum(stated, found) => {
                write!(
                    f,
                    "gzip checksum {stated:#010x}, the content has {found:#010x}"
                )
            }
            Fault::Length(stated, found) => {
                write!(f, "gzip length {stated}, the content has {found} bytes")
            }
            Fault::Memory(need, free) => write!(
                f,
                "the gzip data needs {} KiB, {} are free: give the VM more memory (--mem MIB)",
                need.div_ceil(1024),
                free / 1024
            ),
        }
    }
}

/// A member, inflated.
#[derive(Debug)]
pub struct Member {
    /// Its content, for good.
    pub content: &'static [u8],
    /// Offset of the first byte behind it in the image.
    pub end: usize,
}

/// Inflates the member that starts at byte `start` of `image`.
pub fn inflate(image: &[u8], start: usize) -> Result<Member, Error> {
    let data = header(image, start)?;
    let mut inflater = Inflater::new(image, data)?;
    let stated = match image.last_chunk() {
        Some(last) => u64::from(u32::from_le_bytes(*last)),
        None => 0,
    };
    let guessed = match inflater.fill(stated) {
        Ok(content) => content.filter(|content| content.len() as u64 == stated),
        Err(error) if matches!(error.fault, Fault::Memory(..)) => None,
        Err(error) => return Err(error),
    };
    let content = match guessed {
        Some(content) => content,
        None => {
            // Those bytes say something else, or something wrong.
            let len = inflater.measure()?;
            inflater.fill(len)?.ok_or(inflater.error(Fault::Data))?
        }
    };
    let (trailer, end) = (inflater.end, inflater.end + TRAILER);
    let fields = image
        .get(trailer..end)
        .and_then(|bytes| bytes.as_chunks::<4>().0.first_chunk());
    let [checksum, len] = fields.ok_or(cut(image))?.map(u32::from_le_bytes);
    let fault = |offset, fault| Err(Error { offset, fault });
    if len != content.len() as u32 {
        return fault(trailer + 4, Fault::Length(len, content.len() as u32));
    }
    let found = checksum::of(&content);
    if checksum != found {
        return fault(trailer, Fault::Checksum(checksum, found));
    }
    let content = content.leak();
    Ok(Member { content, end })
}

fn cut(image: &[u8]) -> Error {
    Error {
        offset: image.len(),
        fault: Fault::Truncated,
    }
}

/// Where the compressed data begins: behind a header of known kind.
fn header(image: &[u8], start: usize) -> Result<usize, Error> {
    let fixed = image.get(start..start + HEADER).ok_or(cut(image))?;
    let (method, flags) = (fixed[2], fixed[3]);
    if method != 8 || flags & flag::UNKNOWN != 0 {
        return Err(Error {
            offset: start + 2,
            fault: Fault::Header,
        });
    }
    let mut at = start + HEADER;
    if flags & flag::EXTRA != 0 {
        let len = image.get(at..at + 2).ok_or(cut(image))?;
        at += 2 + usize::from(u16::from_le_bytes([len[0], len[1]]));
    }
    for text in [flag::NAME, flag::COMMENT] {
        if flags & text != 0 {
            let rest = image.get(at..).unwrap_or_default();
            let end = rest.iter().position(|&byte| byte == 0);
            at += end.ok_or(cut(image))? + 1;
        }
    }
    if flags & flag::HEADER_CHECKSUM != 0 {
        at += 2;
    }
    match at <= image.len() {
        true => Ok(at),
        false => Err(cut(image)),
    }
}

struct Inflater<'a> {
    image: &'a [u8],
    /// Where the data begins.
    start: usize,
    /// Where it ended, or the fault is.
    end: usize,
    /// One: too large for the stack.
    state: Vec<DecompressorOxide>,
}

impl<'a> Inflater<'a> {
    fn new(image: &'a [u8], start: usize) -> Result<Self, Error> {
        let mut inflater = Self {
            image,
            start,
            end: start,
            state: Vec::new(),
        };
        let size = size_of::<DecompressorOxide>() as u64;
        let room = inflater.state.try_reserve_exact(1);
        room.map_err(|_| inflater.no_room(size))?;
        inflater.state.push(DecompressorOxide::new());
        Ok(inflater)
    }

    fn error(&self, fault: Fault) -> Error {
        let offset = self.end;
        Error { offset, fault }
    }

    fn no_room(&self, need: u64) -> Error {
        self.error(Fault::Memory(need, memory_free()))
    }

    /// Goes on inflating to byte `at` of `room` and behind; the bytes that came, and whether that
    /// was all.
    fn step(&mut self, room: &mut [u8], at: usize, flags: u32) -> Result<(usize, bool), Error> {
        let input = &self.image[self.end..];
        let Some(state) = self.state.first_mut() else {
            return Err(self.error(Fault::Data));
        };
        let (status, taken, came) = decompress(state, input, room, at, flags);
        self.end += taken;
        match status {
            TINFLStatus::Done => Ok((came, true)),
            TINFLStatus::HasMoreOutput => Ok((came, false)),
            TINFLStatus::FailedCannotMakeProgress => Err(cut(self.image)),
            _ => Err(self.error(Fault::Data)),
        }
    }

    /// The whole content, if it fits `len` bytes.
    fn fill(&mut self, len: u64) -> Result<Option<Vec<u8>>, Error> {
        self.restart();
        if len > (self.image.len() - self.start) as u64 * MOST_RATIO {
            return Ok(None);
        }
        let mut room = Vec::new();
        let reserved = room.try_reserve_exact(len as usize);
        reserved.map_err(|_| self.no_room(len))?;
        room.resize(len as usize, 0);
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (came, is_all) = self.step(&mut room, 0, flags)?;
        room.truncate(came);
        Ok(is_all.then_some(room))
    }

    /// How long the content is.
    fn measure(&mut self) -> Result<u64, Error> {
        self.restart();
        let mut window = Vec::new();
        let reserved = window.try_reserve_exact(TINFL_LZ_DICT_SIZE);
        reserved.map_err(|_| self.no_room(TINFL_LZ_DICT_SIZE as u64))?;
        window.resize(TINFL_LZ_DICT_SIZE, 0);
        let mut len = 0;
        loop {
            let at = len as usize % TINFL_LZ_DICT_SIZE;
            let (came, is_all) = self.step(&mut window, at, 0)?;
            len += came as u64;
            if is_all {
                return Ok(len);
            }
        }
    }

    fn restart(&mut self) {
        self.end = self.start;
        if let Some(state) = self.state.first_mut() {
            state.init();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
