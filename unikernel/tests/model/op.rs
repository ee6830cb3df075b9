//! An operation: a system call with its arguments, which can be made in any world.

use super::view::{Detail, Seen, Stat, Time, list, stat_of};
use super::world::World;
use std::fmt;
use std::mem::zeroed;

/// An argument.
#[derive(Clone, PartialEq, Eq)]
pub enum Arg {
    /// The working directory, `AT_FDCWD`.
    Here,
    /// The directory that everything happens in.
    Scene,
    /// The descriptor in a slot, or -1.
    Fd(usize),
    /// A path, given without its NUL.
    Path(Vec<u8>),
    /// A number.
    Int(i64),
    /// A set of bits, which people write in octal.
    Bits(i64),
    /// So many bytes of this value to be read by the kernel.
    Data(usize, u8),
    /// Room for so many bytes.
    Room(usize),
    /// An array of buffers, of bytes to be read or room for them.
    Pieces(Vec<usize>, Option<u8>),
    /// Room for a `struct stat`.
    Stat,
    /// Room for a `struct statx`, of which these fields were asked for.
    Statx(u32),
    /// Two points in time, or NULL.
    Times(Option<[(i64, i64); 2]>),
    /// A pointer to a file offset, or NULL.
    Offset(Option<i64>),
    /// An address that no application has.
    Bad,
}

/// What is called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A system call, by its number.
    Number(i64),
    /// Several: everything in a directory.
    List,
    /// getcwd(2), of which only the part inside the run's directory is compared.
    Cwd,
}

/// What becomes of the result.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// It is compared.
    Value,
    /// It is a descriptor, for this slot; what was there is closed.
    Descriptor(usize),
    /// It is a number of the world's own; only success is compared.
    Success,
}

/// The operation.
#[derive(Clone, PartialEq, Eq)]
pub struct Op {
    /// The name of the call.
    pub name: &'static str,
    /// The call.
    pub call: Call,
    /// Its arguments.
    pub args: Vec<Arg>,
    /// What becomes of its result.
    pub take: Take,
}

/// What buffers are filled with before the kernel sees them.
const UNTOUCHED: u8 = 0xee;

/// An argument as a register, and what that may point to.
struct Register {
    value: usize,
    memory: Memory,
}

/// Memory of the application, which the kernel may read, or write if the flag says so.
enum Memory {
    None,
    Bytes(Vec<u8>, bool),
    Pieces(Vec<libc::iovec>, Vec<Vec<u8>>, bool),
    Stat(Box<libc::stat>),
    Statx(Box<libc::statx>, u32),
    Times(Box<[libc::timespec; 2]>),
    Offset(Box<i64>),
}

impl Register {
    fn new(arg: &Arg, world: &World) -> Self {
        let plain = |value| Self {
            value,
            memory: Memory::None,
        };
        match arg {
            Arg::Here => plain(libc::AT_FDCWD as usize),
            Arg::Scene => plain(world.scene as usize),
            Arg::Fd(slot) => plain(world.slots[*slot] as usize),
            Arg::Int(value) | Arg::Bits(value) => plain(*value as usize),
            Arg::Bad => plain(usize::MAX << 47),
            Arg::Times(None) | Arg::Offset(None) => plain(0),
            Arg::Path(path) => Self::bytes([path, &b"\0"[..]].concat(), false),
            Arg::Data(len, fill) => Self::bytes(vec![*fill; *len], false),
            Arg::Room(len) => Self::bytes(vec![UNTOUCHED; *len], true),
            Arg::Pieces(lengths, fill) => Self::pieces(lengths, *fill),
            // SAFETY: a structure of integers, which may all be 0.
            Arg::Stat => Self::boxed(unsafe { zeroed() }, Memory::Stat),
            // SAFETY: a structure of integers, which may all be 0.
            Arg::Statx(mask) => Self::boxed(unsafe { zeroed() }, |room| Memory::Statx(room, *mask)),
            Arg::Times(Some(times)) => {
                let time = |&(tv_sec, tv_nsec): &_| libc::timespec { tv_sec, tv_nsec };
                Self::boxed([time(&times[0]), time(&times[1])], Memory::Times)
            }
            Arg::Offset(Some(offset)) => Self::boxed(*offset, Memory::Offset),
        }
    }

    fn boxed<T>(value: T, keep: impl FnOnce(Box<T>) -> Memory) -> Self {
        let mut value = Box::new(value);
        Self {
            value: (&raw mut *value) as usize,
            memory: keep(value),
        }
    }

    fn bytes(mut bytes: Vec<u8>, room: bool) -> Self {
        Self {
            value: bytes.as_mut_ptr() as usize,
            memory: Memory::Bytes(bytes, room),
        }
    }

    fn pieces(lengths: &[usize], fill: Option<u8>) -> Self {
        let fill_of = |index: usize| fill.map_or(UNTOUCHED, |fill| fill.wrapping_add(index as u8));
        let buffers = lengths.iter().enumerate();
        let mut buffers: Vec<Vec<u8>> = buffers.map(|(i, &len)| vec![fill_of(i); len]).collect();
        let pieces = buffers.iter_mut().map(|buffer| libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        });
        let mut pieces: Vec<libc::iovec> = pieces.collect();
        Self {
            value: pieces.as_mut_ptr() as usize,
            memory: Memory::Pieces(pieces, buffers, fill.is_none()),
        }
    }

    /// What the kernel left in this argument's memory.
    fn detail(self, succeeded: bool) -> Option<Detail> {
        match self.memory {
            Memory::Bytes(bytes, true) => Some(Detail::Bytes(bytes)),
            Memory::Pieces(pieces, buffers, true) => {
                assert_eq!(pieces.len(), buffers.len());
                Some(Detail::Bytes(buffers.concat()))
            }
            Memory::Stat(stat) if succeeded => Some(Detail::Stat(Stat::new(&stat))),
            Memory::Statx(statx, mask) if succeeded => Some(statx_detail(*statx, mask)),
            Memory::Offset(offset) => Some(Detail::Offset(*offset)),
            Memory::Times(times) => {
                assert_eq!(times.len(), 2);
                None
            }
            Memory::None
            | Memory::Bytes(..)
            | Memory::Pieces(..)
            | Memory::Stat(_)
            | Memory::Statx(..) => None,
        }
    }
}

/// The fields of statx(2) that stat(2) has, too, and were asked for: kernels differ in what they tell
/// besides (since Linux 6.13 no times, for example).
fn statx_detail(mut statx: libc::statx, mask: u32) -> Detail {
    for (bit, time) in [
        (libc::STATX_ATIME, &mut statx.stx_atime),
        (libc::STATX_MTIME, &mut statx.stx_mtime),
        (libc::STATX_CTIME, &mut statx.stx_ctime),
        (libc::STATX_BTIME, &mut statx.stx_btime),
    ] {
        if mask & bit == 0 {
            (time.tv_sec, time.tv_nsec) = (0, 0);
        }
    }
    // SAFETY: a structure of integers, which may all be 0.
    let mut stat: libc::stat = unsafe { zeroed() };
    stat.st_mode = statx.stx_mode.into();
    stat.st_nlink = statx.stx_nlink.into();
    (stat.st_uid, stat.st_gid) = (statx.stx_uid, statx.stx_gid);
    stat.st_rdev = libc::makedev(statx.stx_rdev_major, statx.stx_rdev_minor);
    stat.st_size = statx.stx_size as i64;
    stat.st_blocks = statx.stx_blocks as i64;
    stat.st_blksize = statx.stx_blksize.into();
    let [atime, mtime, ctime] = [statx.stx_atime, statx.stx_mtime, statx.stx_ctime]
        .map(|time| (time.tv_sec, i64::from(time.tv_nsec)));
    (stat.st_atime, stat.st_atime_nsec) = atime;
    (stat.st_mtime, stat.st_mtime_nsec) = mtime;
    (stat.st_ctime, stat.st_ctime_nsec) = ctime;
    let born = Time::new(statx.stx_btime.tv_sec, 0) == Time::Now;
    Detail::Statx(statx.stx_mask & mask, Stat::new(&stat), born)
}

impl Op {
    /// Performs the operation.
    pub fn run(&self, world: &mut World) -> Seen {
        match self.call {
            Call::Number(number) => self.call(number, world),
            Call::List => self.list(world),
            Call::Cwd => Self::cwd(world),
        }
    }

    fn call(&self, number: i64, world: &mut World) -> Seen {
        let registers: Vec<Register> = self.args.iter().map(|a| Register::new(a, world)).collect();
        let values: Vec<usize> = registers.iter().map(|register| register.value).collect();
        // A directory's offsets mean something to its own world only.
        let opaque = number == libc::SYS_lseek && is_directory(world, values[0] as i32);
        let mut code = world.call(number, &values);
        if number == libc::SYS_close {
            self.forget(world);
        }
        match self.take {
            Take::Descriptor(slot) if code >= 0 => {
                world.close(slot);
                world.slots[slot] = code as i32;
                code = 0;
            }
            Take::Success if code >= 0 => code = 0,
            // What is before the start is its own affair, too, where it does not start from 0.
            _ if opaque && (code >= 0 || values[2] == libc::SEEK_CUR as usize) => code = 0,
            _ => {}
        }
        let details = registers
            .into_iter()
            .filter_map(|register| register.detail(code >= 0));
        Seen {
            code,
            details: details.collect(),
        }
    }

    /// Empties a slot whose descriptor was closed: its number may be another file's soon.
    fn forget(&self, world: &mut World) {
        if let [Arg::Fd(slot)] = self.args[..] {
            world.slots[slot] = -1;
        }
    }

    fn list(&self, world: &World) -> Seen {
        let Some(Arg::Fd(slot)) = self.args.first() else {
            unreachable!("a listing is one of a slot");
        };
        match list(world, world.slots[*slot]) {
            Ok(entries) => Seen {
                code: 0,
                details: vec![Detail::List(entries)],
            },
            Err(code) => Seen {
                code,
                details: Vec::new(),
            },
        }
    }

    fn cwd(world: &World) -> Seen {
        let mut room = [0_u8; libc::PATH_MAX as usize];
        let code = world.call(libc::SYS_getcwd, &[room.as_mut_ptr() as usize, room.len()]);
        let end = usize::try_from(code).map_or(0, |length| length.saturating_sub(1));
        let path = String::from_utf8_lossy(&room[..end]).into_owned();
        let inside = path.strip_prefix(&world.top).unwrap_or(&path).to_owned();
        Seen {
            code: code.min(0),
            details: vec![Detail::Path(inside)],
        }
    }
}

fn is_directory(world: &World, fd: i32) -> bool {
    stat_of(world, fd).is_ok_and(|(stat, _)| stat.kind() == libc::S_IFDIR)
}

impl fmt::Debug for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("AT_FDCWD"),
            Self::Scene => f.write_str("scene"),
            Self::Fd(slot) => write!(f, "fd{slot}"),
            Self::Path(path) if path.len() > 80 => {
                let (head, tail) = (
                    path[..12].escape_ascii(),
                    path[path.len() - 12..].escape_ascii(),
                );
                write!(f, "\"{head}…{tail}\" of {}", path.len())
            }
            Self::Path(path) => write!(f, "\"{}\"", path.escape_ascii()),
            Self::Int(value) if (-9999..=9999).contains(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value:#x}"),
            Self::Bits(value) => write!(f, "{value:#o}"),
            Self::Data(len, fill) => write!(f, "{len} × {fill:02x}"),
            Self::Room(len) => write!(f, "room of {len}"),
            Self::Pieces(lengths, Some(fill)) => write!(f, "{lengths:?} from {fill:02x}"),
            Self::Pieces(lengths, None) => write!(f, "room of {lengths:?}"),
            Self::Stat => f.write_str("&stat"),
            Self::Statx(mask) => write!(f, "&statx for {mask:#x}"),
            Self::Times(times) => write!(f, "{times:?}"),
            Self::Offset(Some(offset)) => write!(f, "&{offset}"),
            Self::Offset(None) => f.write_str("NULL"),
            Self::Bad => f.write_str("a bad address"),
        }
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (index, arg) in self.args.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{arg:?}")?;
        }
        match self.take {
            Take::Descriptor(slot) => write!(f, ") = fd{slot}"),
            _ => f.write_str(")"),
        }
    }
}
