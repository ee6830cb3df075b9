//! Options of a file system as mount(2) gives them: a text of `key` and `key=value`, separated by
//! commas (tmpfs(5)).

use crate::errno::Errno;
use crate::fs::proc::Text;
use crate::fs::super_block::{FsType, SuperBlock};
use crate::mm::PAGE;
use linux_raw_sys::general::MS_RDONLY;

/// Permissions of the root of a tmpfs for which none are given.
pub const DEFAULT_MODE: u32 = 0o1777;

/// What a text asks for. `None`: it says nothing of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The most pages; 0 is no limit (`size`, `nr_blocks`).
    pub pages: Option<u64>,
    /// The most inodes; 0 is no limit (`nr_inodes`).
    pub inodes: Option<u64>,
    /// Permissions of the root.
    pub mode: Option<u32>,
    /// Owner of the root.
    pub uid: Option<u32>,
    /// Group of the root.
    pub gid: Option<u32>,
    /// `ro` or `rw`, whichever came last.
    pub read_only: Option<bool>,
}

impl Options {
    /// Reads a text for a file system of this type; `memory` is the machine's, in pages, for sizes
    /// in percent. `EINVAL`.
    pub fn parse(text: &[u8], fs_type: FsType, memory: u64) -> Result<Self, Errno> {
        let mut options = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (option, next) = cut(rest);
            rest = next;
            let (key, value) = match option.iter().position(|&byte| byte == b'=') {
                Some(equals) => (&option[..equals], Some(&option[equals + 1..])),
                None => (option, None),
            };
            if value == Some(b"") && !key.is_empty() {
                return Err(Errno::EINVAL);
            }
            // Linux skips what has no key.
            if !key.is_empty() && !options.common(key) {
                if !fs_type.is_tmpfs() {
                    return Err(Errno::EINVAL);
                }
                options.tmpfs(key, value, memory).ok_or(Errno::EINVAL)?;
            }
        }
        Ok(options)
    }

    /// The options of every file system, with a value or without; the others change nothing here.
    fn common(&mut self, key: &[u8]) -> bool {
        match key {
            b"ro" => self.read_only = Some(true),
            b"rw" => self.read_only = Some(false),
            b"sync" | b"async" | b"dirsync" | b"lazytime" | b"nolazytime" | b"mand" | b"nomand" => {
            }
            _ => return false,
        }
        true
    }

    fn tmpfs(&mut self, key: &[u8], value: Option<&[u8]>, memory: u64) -> Option<()> {
        match (key, value) {
            (b"size", Some(value)) => self.pages = Some(size(value, memory)?),
            (b"nr_blocks", Some(value)) => {
                let count = whole(value)?;
                self.pages = Some(count).filter(|&count| count <= i64::MAX as u64);
                self.pages?;
            }
            (b"nr_inodes", Some(value)) => {
                // Linux counts a KiB for each.
                let count = whole(value)?;
                self.inodes = Some(count).filter(|&count| count <= u64::MAX / 1024);
                self.inodes?;
            }
            (b"mode", Some(value)) => self.mode = Some(integer(value, 8)? & 0o7777),
            (b"uid", Some(value)) => self.uid = Some(id(value)?),
            (b"gid", Some(value)) => self.gid = Some(id(value)?),
            // There is no swap, no inode number is large, and no page huge.
            (b"noswap" | b"inode32" | b"inode64", None) | (b"huge", Some(b"never")) => {}
            _ => return None,
        }
        Some(())
    }

    /// The flags of mount(2) with what the text says about read-only added.
    pub fn flags(&self, flags: u32) -> u32 {
        match self.read_only {
            Some(true) => flags | MS_RDONLY,
            // The mount's own flag holds, whatever its file system is.
            _ => flags,
        }
    }

    /// Writes what /proc/self/mounts says of a tmpfs, each option behind a comma.
    pub fn show(&self, sb: &SuperBlock, default: Option<u64>, into: &mut Text) {
        if !sb.fs_type.is_tmpfs() {
            return;
        }
        let (pages, inodes) = (sb.quota.pages().limit, sb.quota.inodes().limit);
        if pages != default {
            let kib = pages.unwrap_or(0) * (PAGE as u64 / 1024);
            into.str(",size=").dec(kib).byte(b'k');
        }
        if inodes != default {
            into.str(",nr_inodes=").dec(inodes.unwrap_or(0));
        }
        let mode = self.mode.unwrap_or(DEFAULT_MODE);
        if mode != DEFAULT_MODE {
            into.str(",mode=").oct(mode.into(), 3);
        }
        for (name, id) in [(",uid=", self.uid), (",gid=", self.gid)] {
            if let Some(id @ 1..) = id {
                into.str(name).dec(id.into());
            }
        }
    }
}

/// The first option, and what is behind its comma. A comma in front of a digit is none: lists of
/// memory nodes have such (Linux, `shmem_next_opt`).
fn cut(text: &[u8]) -> (&[u8], &[u8]) {
    let is_end =
        |at: &usize| text[*at] == b',' && !text.get(at + 1).is_some_and(u8::is_ascii_digit);
    match (0..text.len()).find(is_end) {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, &[]),
    }
}

/// `size`: pages, rounded up, of a number of bytes or of percent of the memory.
fn size(text: &[u8], memory: u64) -> Option<u64> {
    let (number, rest) = number(text);
    let bytes = match rest {
        [] => number,
        b"%" => (u128::from(number) * u128::from(memory) * PAGE as u128 / 100) as u64,
        _ => return None,
    };
    Some(bytes.div_ceil(PAGE as u64))
}

/// A number with nothing behind it.
fn whole(text: &[u8]) -> Option<u64> {
    let (number, rest) = number(text);
    rest.is_empty().then_some(number)
}

/// A number as `memparse` reads it, with an optional suffix for its magnitude, and what is behind;
/// 0 without a digit.
fn number(text: &[u8]) -> (u64, &[u8]) {
    let (base, digits) = base_of(text);
    let len = digits
        .iter()
        .take_while(|&&digit| (digit as char).is_digit(base))
        .count();
    let value = digits[..len].iter().fold(0u64, |value, &digit| {
        let digit = (digit as char).to_digit(base).unwrap_or(0);
        value.wrapping_mul(base.into()).wrapping_add(digit.into())
    });
    let (shift, rest) = match digits[len..].split_first() {
        Some((suffix, rest)) => match suffix.to_ascii_lowercase() {
            b'k' => (10, rest),
            b'm' => (20, rest),
            b'g' => (30, rest),
            b't' => (40, rest),
            b'p' => (50, rest),
            b'e' => (60, rest),
            _ => (0, &digits[len..]),
        },
        None => (0, &[][..]),
    };
    (value << shift, rest)
}

/// The base that a number's beginning says, and the digits.
fn base_of(text: &[u8]) -> (u32, &[u8]) {
    match text {
        [b'0', b'x' | b'X', digits @ ..] if digits.first().is_some_and(u8::is_ascii_hexdigit) => {
            (16, digits)
        }
        [b'0', ..] => (8, text),
        _ => (10, text),
    }
}

/// A whole number of 32 bits (`kstrtouint`).
fn integer(text: &[u8], base: u32) -> Option<u32> {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    let text = core::str::from_utf8(digits).ok()?;
    if text.starts_with(['+', '-']) {
        return None;
    }
    u32::from_str_radix(text, base).ok()
}

/// A user or group: -1 is none.
fn id(text: &[u8]) -> Option<u32> {
    let (base, digits) = base_of(text);
    integer(digits, base).filter(|&id| id != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::pages::Quota;

    fn parse(text: &str) -> Result<Options, Errno> {
        Options::parse(text.as_bytes(), FsType::Tmpfs, 1000)
    }

    #[test]
    fn sizes_have_suffixes_and_are_rounded_up() {
        for (text, pages) in [
            ("size=0", 0),
            ("size=1", 1),
            ("size=4096", 1),
            ("size=5000", 2),
            ("size=64k", 16),
            ("size=64K", 16),
            ("size=2m", 512),
            ("size=1g", 1 << 18),
            ("size=0x2000", 2),
            ("size=020000", 2),
            ("size=k", 0),
            ("size=50%", 500),
            ("size=150%", 1500),
            ("size=1%,size=8k", 2),
            ("nr_blocks=7", 7),
            ("nr_blocks=1k", 1024),
            ("size=1m,nr_blocks=3", 3),
        ] {
            assert_eq!(parse(text).map(|o| o.pages), Ok(Some(pages)), "{text}");
        }
        assert_eq!(parse("nr_inodes=2k").unwrap().inodes, Some(2048));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "size",
            "size=",
            "size=x",
            "size=-1",
            "size=64kk",
            "size=5%%",
            "size=5k%x",
            "nr_blocks=50%",
            "nr_blocks=0xffffffffffffffff",
            "nr_inodes=x",
            "nr_inodes=0x8000000000000000",
            "mode",
            "mode=9",
            "mode=",
            "mode=-1",
            "uid=x",
            "uid=4294967295",
            "gid=4294967296",
            "unknown",
            "unknown=1",
            "huge=always",
            "inode64=1",
            "source=x",
            "mpol=default",
        ] {
            assert_eq!(parse(text), Err(Errno::EINVAL), "{text}");
        }
    }

    #[test]
    fn owners_and_permissions_are_taken() {
        let options = parse("mode=0750,uid=1000,gid=0x10,").unwrap();
        assert_eq!(options.mode, Some(0o750));
        assert_eq!((options.uid, options.gid), (Some(1000), Some(16)));
        assert_eq!(parse("mode=177777").unwrap().mode, Some(0o7777));
        assert_eq!(parse(",,=5,huge=never,noswap"), Ok(Options::default()));
        // A comma in front of a digit separates nothing.
        assert_eq!(parse("size=4k,7"), Err(Errno::EINVAL));
    }

    #[test]
    fn other_file_systems_take_what_all_take() {
        let parse = |text: &str| Options::parse(text.as_bytes(), FsType::Proc, 0);
        assert_eq!(parse("rw,sync,ro").unwrap().read_only, Some(true));
        assert_eq!(parse("size=4k"), Err(Errno::EINVAL));
        assert_eq!(parse("hidepid=2"), Err(Errno::EINVAL));
        assert_eq!(parse(""), Ok(Options::default()));
    }

    #[test]
    fn the_options_are_shown_where_they_are_special() {
        let show = |text: &str| {
            let options = parse(text).unwrap();
            let limit = |given: Option<u64>| given.map_or(Some(500), |n| (n != 0).then_some(n));
            let quota = Quota::new(limit(options.pages), limit(options.inodes));
            let sb = SuperBlock::new(FsType::Tmpfs, 0, quota);
            let mut text = Text::new();
            options.show(&sb, Some(500), &mut text);
            String::from_utf8(text.as_bytes().to_vec()).unwrap()
        };
        assert_eq!(show(""), "");
        assert_eq!(show("mode=1777,uid=0"), "");
        assert_eq!(show("size=64k,mode=0"), ",size=64k,mode=000");
        assert_eq!(
            show("size=0,nr_inodes=10,uid=5,gid=6"),
            ",size=0k,nr_inodes=10,uid=5,gid=6"
        );
    }
}
