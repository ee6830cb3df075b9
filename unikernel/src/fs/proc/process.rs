//! The directory of a process, and of a thread: what execve(2) passed, limits, links, and the
//! tables of names.

use super::entry::{At, Entry, Jump, Make, Number, Series, What};
use super::root::{constant, file, variable};
use super::source::{Name, Place, Process};
use super::text::Text;
use super::{maps, mounts, status};
use crate::errno::{Errno, SysResult};
use core::ops::Range;
use core::sync::atomic::{AtomicI32, Ordering::Relaxed};

/// A file that only the owner may read.
const fn private(name: &'static str, make: Make) -> Entry {
    Entry {
        name,
        mode: 0o400,
        what: What::File(make),
    }
}

const fn jump(name: &'static str, jump: Jump, make: Make) -> Entry {
    Entry {
        name,
        mode: 0o777,
        what: What::Jump(jump, make),
    }
}

const fn series(name: &'static str, mode: u16, series: &'static Series) -> Entry {
    Entry {
        name,
        mode,
        what: What::Series(&[], series),
    }
}

/// The names that a process and a thread have in common, and one more.
macro_rules! names {
    ($last:expr) => {
        [
            private("auxv", auxiliary),
            constant("cgroup", "0::/\n"),
            file("cmdline", arguments),
            variable("comm", name, set_name),
            jump("cwd", Jump::Current, |at, text| {
                at.source.files.directory_path(Place::Current, text)
            }),
            private("environ", environment),
            jump("exe", Jump::Program, program),
            series("fd", 0o500, &DESCRIPTORS),
            series("fdinfo", 0o555, &DESCRIPTOR_INFOS),
            file("limits", limits),
            file("maps", maps::maps),
            file("mountinfo", mounts::mountinfo),
            file("mounts", mounts::mounts),
            variable("oom_score_adj", score, set_score),
            private("personality", |_, text| {
                text.str("00000000\n");
                Ok(())
            }),
            jump("root", Jump::Root, |at, text| {
                at.source.files.directory_path(Place::Root, text)
            }),
            file("smaps", maps::smaps),
            file("smaps_rollup", maps::smaps_rollup),
            file("stat", status::stat),
            file("statm", status::statm),
            file("status", status::status),
            $last,
        ]
    };
}

/// The directory of the process.
pub static FILES: [Entry; 22] = names!(series("task", 0o555, &THREADS));

/// The directory of a thread. No process has children.
static THREAD: [Entry; 22] = names!(constant("children", ""));

static THREADS: Series = Series {
    member: Entry {
        name: "",
        mode: 0o555,
        what: What::Directory(&THREAD),
    },
    next: |at, from| at.source.system.next_thread(from),
    is: Number::Thread,
};

static DESCRIPTORS: Series = Series {
    member: jump("", Jump::Descriptor, |at, text| {
        at.source.files.descriptor_path(at.number, text)
    }),
    next: |at, from| at.source.files.next_descriptor(from),
    is: Number::Other,
};

static DESCRIPTOR_INFOS: Series = Series {
    member: file("", descriptor),
    next: |at, from| at.source.files.next_descriptor(from),
    is: Number::Other,
};

/// Appends a range of the application's memory, as far as it is there.
#[inline(never)]
fn memory(at: &At, range: Range<usize>, text: &mut Text) {
    text.fill(range.len(), |room| at.source.system.peek(range.start, room));
}

/// `cmdline` (`get_mm_cmdline`): the strings as they are now. A program that has written over the
/// last NUL wants another title, which may go on in the environment and ends at its first NUL.
fn arguments(at: &At, text: &mut Text) -> Result<(), Errno> {
    let Process {
        args, environment, ..
    } = at.source.system.process();
    let start = text.len();
    memory(at, args.clone(), text);
    if matches!(text.as_bytes()[start..], [.., last] if last != 0) {
        if environment.start == args.end {
            memory(at, environment, text);
        }
        let title = &text.as_bytes()[start..];
        let end = title.iter().position(|&byte| byte == 0);
        text.truncate(start + end.map_or(title.len(), |end| end + 1));
    }
    Ok(())
}

fn environment(at: &At, text: &mut Text) -> Result<(), Errno> {
    memory(at, at.source.system.process().environment, text);
    Ok(())
}

/// `auxv`: the vector as the kernel made it, whatever the program has done to its copy.
fn auxiliary(at: &At, text: &mut Text) -> Result<(), Errno> {
    for (key, value) in (0..).map_while(|index| at.source.system.auxiliary(index)) {
        text.bytes(&key.to_ne_bytes()).bytes(&value.to_ne_bytes());
    }
    Ok(())
}

fn program(at: &At, text: &mut Text) -> Result<(), Errno> {
    at.source.system.program(text);
    Ok(())
}

/// The thread that a file in the directory of the process or of a thread is about.
pub(super) fn thread_id(at: &At) -> u32 {
    match at.thread {
        0 => at.source.system.process().pid,
        thread => thread,
    }
}

/// A thread's name without the NULs behind it.
pub(super) fn name_of(name: &Name) -> &[u8] {
    let end = name.iter().position(|&byte| byte == 0);
    &name[..end.unwrap_or(name.len())]
}

fn name(at: &At, text: &mut Text) -> Result<(), Errno> {
    let thread = at.source.system.thread(thread_id(at)).ok_or(Errno::ESRCH)?;
    text.bytes(name_of(&thread.name)).line();
    Ok(())
}

/// A write to `comm` (`comm_write`): the first 15 bytes, a line feed like any other.
fn set_name(at: &At, _: u64, bytes: &[u8]) -> SysResult {
    let mut name = Name::default();
    let kept = bytes.len().min(name.len() - 1);
    name[..kept].copy_from_slice(&bytes[..kept]);
    at.source.system.set_name(thread_id(at), name)?;
    Ok(bytes.len())
}

/// The wish of the process to be spared or not when memory runs out. Nobody asks for it, since
/// nothing is killed then, but it is kept.
static SCORE: AtomicI32 = AtomicI32::new(0);

fn score(_: &At, text: &mut Text) -> Result<(), Errno> {
    text.int(SCORE.load(Relaxed).into()).line();
    Ok(())
}

/// A write to `oom_score_adj` (`oom_score_adj_write`): a number from -1000 to 1000.
fn set_score(_: &At, _: u64, bytes: &[u8]) -> SysResult {
    let text = bytes.trim_ascii();
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    let digit = |&digit: &u8| digit.is_ascii_digit().then(|| i32::from(digit - b'0'));
    if !(1..=4).contains(&digits.len()) {
        return Err(Errno::EINVAL);
    }
    let value = digits
        .iter()
        .map(digit)
        .try_fold(0, |sum, digit| Some(sum * 10 + digit?));
    let score = sign * value.ok_or(Errno::EINVAL)?;
    if !(-1000..=1000).contains(&score) {
        return Err(Errno::EINVAL);
    }
    SCORE.store(score, Relaxed);
    Ok(bytes.len())
}

/// `fdinfo/N` (`fs/proc/fd.c`).
fn descriptor(at: &At, text: &mut Text) -> Result<(), Errno> {
    let open = at.source.files.descriptor(at.number).ok_or(Errno::ENOENT)?;
    text.field("pos:\t", open.position);
    text.str("flags:\t0").oct(open.flags.into(), 0).line();
    text.field("mnt_id:\t", open.mount.into());
    text.field("ino:\t", open.inode);
    at.source.files.descriptor_extra(at.number, text);
    Ok(())
}

/// What `limits` calls the limits, in the order of their numbers, and their units
/// (`fs/proc/base.c`).
const LIMITS: [(&str, &str); 16] = [
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
];

/// `limits`: left-aligned columns of 25, 20, 20 and 10 bytes.
fn limits(at: &At, text: &mut Text) -> Result<(), Errno> {
    text.left("Limit", 26).left("Soft Limit", 21);
    text.left("Hard Limit", 21).left("Units", 10).line();
    for (resource, (name, unit)) in LIMITS.iter().enumerate() {
        text.left(name, 26);
        let (soft, hard) = at.source.system.limit(resource as u32);
        for limit in [soft, hard] {
            let start = text.len();
            match limit {
                u64::MAX => text.str("unlimited"),
                limit => text.dec(limit),
            };
            text.spaces((start + 21).saturating_sub(text.len()));
        }
        if !unit.is_empty() {
            text.left(unit, 10);
        }
        text.line();
    }
    Ok(())
}
