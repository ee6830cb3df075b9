//! Character devices and the three standard streams: files that are read and written by code.
//!
//! Numbers are those of Linux's `admin-guide/devices.txt`.

use crate::console;
use crate::errno::{Errno, SysResult};
use crate::rng;
use crate::uaccess::UserSlice;
use linux_raw_sys::general::O_ACCMODE;

/// A device, or a standard stream as it was at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// `/dev/null`: reads nothing, swallows everything.
    Null,
    /// `/dev/zero`: reads zeros.
    Zero,
    /// `/dev/full`: reads zeros, and no write fits.
    Full,
    /// `/dev/random`; it never blocks, as on Linux once the generator is seeded.
    Random,
    /// `/dev/urandom`.
    Urandom,
    /// `/dev/tty`, the controlling terminal, if any standard stream is one.
    Tty,
    /// `/dev/console`.
    Console,
    /// Standard input, output or error: a terminal or, when the console says it is none, a pipe.
    Stream(u8),
    /// A node of an archive that nothing here drives: major and minor number.
    Other(u32, u32),
}

/// The devices that exist without an archive: name in `/dev`, device, permissions.
pub const NODES: [(&[u8], Device, u32); 7] = [
    (b"null", Device::Null, 0o666),
    (b"zero", Device::Zero, 0o666),
    (b"full", Device::Full, 0o666),
    (b"random", Device::Random, 0o666),
    (b"urandom", Device::Urandom, 0o666),
    (b"tty", Device::Tty, 0o666),
    (b"console", Device::Console, 0o620),
];

impl Device {
    /// The device with these numbers.
    pub fn from_numbers(major: u32, minor: u32) -> Self {
        let known = NODES.iter().map(|node| node.1);
        known
            .into_iter()
            .find(|device| device.numbers() == (major, minor))
            .unwrap_or(Self::Other(major, minor))
    }

    /// Major and minor number, for `st_rdev`. A pipe has none.
    pub fn numbers(self) -> (u32, u32) {
        match self {
            Self::Null => (1, 3),
            Self::Zero => (1, 5),
            Self::Full => (1, 7),
            Self::Random => (1, 8),
            Self::Urandom => (1, 9),
            Self::Tty => (5, 0),
            Self::Console => (5, 1),
            Self::Stream(_) => {
                if self.is_tty() {
                    (5, 1)
                } else {
                    (0, 0)
                }
            }
            Self::Other(major, minor) => (major, minor),
        }
    }

    /// [`Device::numbers`] of a device whose numbers do not depend on what the console is.
    #[inline(always)]
    pub const fn fixed_numbers(self) -> Option<(u32, u32)> {
        Some(match self {
            Self::Null => (1, 3),
            Self::Zero => (1, 5),
            Self::Full => (1, 7),
            Self::Random => (1, 8),
            Self::Urandom => (1, 9),
            _ => return None,
        })
    }

    /// Where it would be found, as readlink(2) says of a descriptor that was not opened by a name.
    pub fn path(self) -> &'static str {
        match self {
            Self::Stream(_) => "/dev/console",
            Self::Null => "/dev/null",
            _ => "/dev",
        }
    }

    /// Whether isatty(3) holds for it.
    pub fn is_tty(self) -> bool {
        match self {
            Self::Stream(number) => console::is_tty(number.into()),
            Self::Tty | Self::Console => (0..=2).any(console::is_tty),
            _ => false,
        }
    }

    /// Whether bytes come from or go to the console: it has no position and its reads block.
    pub const fn is_console(self) -> bool {
        matches!(self, Self::Stream(_) | Self::Console | Self::Tty)
    }

    /// Whether open(2) succeeds with this access mode: `ENXIO` without a driver or without a
    /// controlling terminal, `EINVAL` for a pipe in the mode that neither reads nor writes.
    pub fn open(self, access: u32) -> Result<(), Errno> {
        match self {
            Self::Stream(_) if access == O_ACCMODE && !self.is_tty() => Err(Errno::EINVAL),
            Self::Other(..) => Err(Errno::ENXIO),
            Self::Tty if !self.is_tty() => Err(Errno::ENXIO),
            _ => Ok(()),
        }
    }

    /// Reads into `to`. With `nonblock`, `EAGAIN` instead of waiting for the console.
    pub fn read(self, to: UserSlice, nonblock: bool) -> SysResult {
        match self {
            Self::Null => Ok(0),
            Self::Zero | Self::Full => to.zero(),
            Self::Random | Self::Urandom => rng::fill(to),
            Self::Tty | Self::Console | Self::Stream(_) => {
                if nonblock && !console::read_ready() {
                    return Err(Errno::EAGAIN);
                }
                console::read(to)
            }
            Self::Other(..) => Err(Errno::ENXIO),
        }
    }

    /// Bytes that a read would give at once, of devices that can say.
    pub fn available(self) -> Option<u64> {
        self.is_console().then(|| {
            // The console moves what has arrived into its buffer only when it is asked.
            console::read_ready();
            console::available() as u64
        })
    }

    /// Writes `from`.
    pub fn write(self, from: UserSlice) -> SysResult {
        match self {
            Self::Null | Self::Zero => Ok(from.len()),
            Self::Full => Err(Errno::ENOSPC),
            Self::Random | Self::Urandom => stir(from),
            Self::Tty | Self::Console | Self::Stream(0 | 1) => {
                console::write(console::Stream::Out, from)
            }
            Self::Stream(_) => console::write(console::Stream::Err, from),
            Self::Other(..) => Err(Errno::ENXIO),
        }
    }
}

/// A write to the random devices is read, so that bad pointers are found, and forgotten: the
/// generator does not need it, and Linux credits no entropy for it either.
fn stir(from: UserSlice) -> SysResult {
    let mut block = [0; 64];
    let mut done = 0;
    while done < from.len() {
        match from.skip(done).read(&mut block) {
            Ok(count) => done += count,
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(bytes: &mut [u8]) -> UserSlice {
        UserSlice::new(bytes.as_mut_ptr() as usize, bytes.len())
    }

    #[test]
    fn numbers_lead_back_to_the_device() {
        for (_, device, _) in NODES {
            let (major, minor) = device.numbers();
            assert_eq!(Device::from_numbers(major, minor), device);
        }
        assert_eq!(Device::from_numbers(8, 1), Device::Other(8, 1));
    }

    #[test]
    fn memory_devices_read_and_write_as_on_linux() {
        let mut bytes = [7; 100];
        let all = slice(&mut bytes);
        assert_eq!((Device::Null.read(all, false), bytes[0]), (Ok(0), 7));
        assert_eq!(Device::Null.write(all), Ok(100));
        assert_eq!(Device::Zero.write(all), Ok(100));
        assert_eq!(Device::Full.write(all), Err(Errno::ENOSPC));
        assert_eq!(Device::Urandom.write(all), Ok(100));
        assert_eq!(Device::Zero.read(all.take(60), false), Ok(60));
        assert!(bytes[..60] == [0; 60] && bytes[60..] == [7; 40]);
        assert_eq!(Device::Full.read(all, true), Ok(100));
        assert_eq!(bytes, [0; 100]);
    }

    #[test]
    fn bad_pointers_are_refused() {
        let bad = UserSlice::new(usize::MAX - 4095, 10);
        assert_eq!(Device::Zero.read(bad, false), Err(Errno::EFAULT));
        assert_eq!(Device::Random.write(bad), Err(Errno::EFAULT));
    }

    #[test]
    fn foreign_devices_cannot_be_used() {
        let mut bytes = [0; 4];
        let other = Device::Other(8, 0);
        assert_eq!(other.open(0), Err(Errno::ENXIO));
        assert_eq!(other.read(slice(&mut bytes), false), Err(Errno::ENXIO));
        assert_eq!(Device::Console.open(0), Ok(()));
        assert!(!Device::Null.is_tty() && !other.is_console());
    }
}
