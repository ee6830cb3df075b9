//! What the files of procfs and sysfs are made from: two traits that the rest of the library
//! implements, and the records that pass. The generators ask for nothing else, so they run on any
//! host, with any values.

use super::text::Text;
use crate::errno::Errno;
use crate::fs::dcache::DentryId;
pub use crate::mm::regions::{Backing, Region};
use core::ops::Range;

/// Where everything comes from while one file is generated.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The process and the machine.
    pub system: &'a dyn System,
    /// Descriptors, mounts and caches.
    pub files: &'a dyn Files,
}

/// The process, its threads, and the machine. There is one process.
pub trait System {
    /// Ids, times and addresses of the process.
    fn process(&self) -> Process;

    /// CLOCK_BOOTTIME at the start of the process, ns. It is apart because it asks a clock.
    fn started(&self) -> u64;

    /// The `index`-th pair of the auxiliary vector as the program was given it; `AT_NULL` is the last.
    fn auxiliary(&self, index: usize) -> Option<(usize, usize)>;

    /// The thread `tid`, if it lives.
    fn thread(&self, tid: u32) -> Option<Thread>;

    /// The living thread with the lowest id from `from` on.
    fn next_thread(&self, from: u32) -> Option<u32>;

    /// The id of the thread that is asking.
    fn current(&self) -> u32;

    /// Names thread `tid`, as prctl(2) `PR_SET_NAME` does. `ESRCH` when it does not live.
    fn set_name(&self, tid: u32, name: Name) -> Result<(), Errno>;

    /// Users, groups and capabilities.
    fn credentials(&self) -> Credentials;

    /// The `index`-th supplementary group.
    fn group(&self, index: usize) -> Option<u32>;

    /// The limit `resource` (`RLIMIT_…`), soft and hard.
    fn limit(&self, resource: u32) -> (u64, u64);

    /// The first part of the address space that ends behind `from`.
    fn region(&self, from: usize) -> Option<Region>;

    /// Writes the path of the program's file, as readlink(2) of `/proc/self/exe` gives it.
    fn program(&self, into: &mut Text);

    /// Copies from the application's memory at `address`; returns the bytes copied, fewer where
    /// the memory ends.
    fn peek(&self, address: usize, into: &mut [u8]) -> usize;

    /// Page frames of the machine.
    fn memory(&self) -> Memory;

    /// Times since boot.
    fn clock(&self) -> Clock;

    /// CPUID as ring 0 sees it.
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4];

    /// XCR0: the register state that XSAVE manages, 0 without XSAVE.
    fn xcr0(&self) -> u64;

    /// Ticks of the time-stamp counter in a millisecond.
    fn tsc_khz(&self) -> u64;

    /// Writes a name of the system, as uname(2) gives it.
    fn name(&self, which: Uts, into: &mut Text);

    /// Sets [`Uts::Node`] or [`Uts::Domain`], as sethostname(2) does. `EPERM` without the right.
    fn set_uts(&self, which: Uts, name: &[u8]) -> Result<(), Errno>;

    /// Writes the command line the machine was booted with.
    fn command_line(&self, into: &mut Text);

    /// Fills `into` with random bytes.
    fn random(&self, into: &mut [u8]);
}

/// The file layer.
pub trait Files {
    /// The lowest open descriptor from `from` on.
    fn next_descriptor(&self, from: u32) -> Option<u32>;

    /// What descriptor `fd` refers to.
    fn descriptor(&self, fd: u32) -> Option<Descriptor>;

    /// Writes what readlink(2) says of descriptor `fd`: a path, or `pipe:[NUMBER]` and the like.
    /// `ENOENT` when it is not open.
    fn descriptor_path(&self, fd: u32, into: &mut Text) -> Result<(), Errno>;

    /// Writes the path of a file that is mapped.
    fn path(&self, dentry: DentryId, into: &mut Text);

    /// Writes the lines of `fdinfo` that only its kind of file has (proc(5): locks, eventfd,
    /// inotify, …).
    fn descriptor_extra(&self, fd: u32, into: &mut Text);

    /// Writes the path of the working directory, or of the process's root.
    fn directory_path(&self, which: Place, into: &mut Text) -> Result<(), Errno>;

    /// The `index`-th mount, in the order in which they were made.
    fn mount(&self, index: usize) -> Result<Option<Mount>, Errno>;

    /// Sizes and limits of the tables.
    fn counts(&self) -> FileCounts;
}

/// A thread's name: at most 15 bytes, the rest NUL.
pub type Name = [u8; 16];

/// The process. Addresses are those of the application's address space.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Process, parent, process group and session.
    pub pid: u32,
    /// The parent's id.
    pub parent: u32,
    /// The process group.
    pub group: u32,
    /// The session.
    pub session: u32,
    /// Device number of the controlling terminal, major and minor; 0, 0 without one.
    pub terminal: (u32, u32),
    /// File mode creation mask.
    pub umask: u32,
    /// The program's code, first address to end (`mm->start_code`, `end_code`).
    pub code: Range<usize>,
    /// The program's data.
    pub data: Range<usize>,
    /// Where the break started.
    pub break_start: usize,
    /// The first stack pointer.
    pub stack: usize,
    /// The argument strings, each with its NUL.
    pub args: Range<usize>,
    /// The environment strings.
    pub environment: Range<usize>,
    /// Pending signals of the process, bit `n - 1` for signal `n`.
    pub pending: u64,
    /// Ignored signals.
    pub ignored: u64,
    /// Signals with a handler.
    pub caught: u64,
    /// Signals queued, for the limit.
    pub queued: u64,
}

/// What a thread is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// On the CPU or ready for it.
    #[default]
    Running,
    /// Waiting, and a signal would wake it.
    Sleeping,
    /// Ended, while other threads live.
    Zombie,
}

/// A thread.
#[derive(Clone, Debug, Default)]
pub struct Thread {
    /// Its name.
    pub name: Name,
    /// What it does.
    pub state: State,
    /// Pending signals of its own.
    pub pending: u64,
    /// Blocked signals.
    pub blocked: u64,
    /// Time on the CPU, ns.
    pub time: u64,
    /// Page faults met.
    pub faults: u64,
    /// Switches away that it asked for by waiting, and that it did not.
    pub switches: (u64, u64),
}

/// Who runs the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials {
    /// Real, effective, saved and file system user.
    pub users: [u32; 4],
    /// Real, effective, saved and file system group.
    pub groups: [u32; 4],
    /// Capabilities: inheritable, permitted, effective, bounding, ambient.
    pub capabilities: [u64; 5],
    /// prctl(2) `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privileges: bool,
}

/// Memory, in pages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// Not in use.
    pub free: u64,
    /// In use by the library's heap.
    pub heap: u64,
    /// In use by page tables.
    pub tables: u64,
    /// In use by what threads have in the library.
    pub stacks: u64,
}

/// Times since boot, ns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// CLOCK_BOOTTIME.
    pub uptime: u64,
    /// Time in which nobody ran.
    pub idle: u64,
    /// CLOCK_REALTIME now.
    pub realtime: u64,
    /// Switches between threads.
    pub switches: u64,
}

/// A name that uname(2) gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uts {
    /// `sysname`.
    System,
    /// `nodename`.
    Node,
    /// `release`.
    Release,
    /// `version`.
    Version,
    /// `domainname`.
    Domain,
}

/// A directory that a process has beside its open ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The working directory.
    Current,
    /// The root.
    Root,
}

/// An open descriptor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Descriptor {
    /// `F_GETFL`, and `O_CLOEXEC` if the descriptor has `FD_CLOEXEC`.
    pub flags: u32,
    /// Position.
    pub position: u64,
    /// Id of the mount that the file is on.
    pub mount: u32,
    /// Inode number.
    pub inode: u64,
    /// May be read.
    pub read: bool,
    /// May be written.
    pub write: bool,
}

/// A mount.
#[derive(Debug, Default)]
pub struct Mount {
    /// Its id, and that of the mount it is on.
    pub id: u32,
    /// Id of the mount it is on.
    pub parent: u32,
    /// Device number of the file system, major and minor.
    pub device: (u32, u32),
    /// The directory of the file system that it shows.
    pub root: Text,
    /// Where, seen from the process's root.
    pub point: Text,
    /// `MS_…` of the mount: RDONLY, NOSUID, NODEV, NOEXEC, NOATIME, NODIRATIME, RELATIME.
    pub flags: u32,
    /// `MS_…` of the file system: RDONLY, SYNCHRONOUS, DIRSYNC, LAZYTIME.
    pub super_flags: u32,
    /// Name of the file system type.
    pub kind: &'static str,
    /// What was mounted; `none` is shown when empty.
    pub source: Text,
    /// Options of the file system, each behind a comma (`,size=1024k`).
    pub options: Text,
}

/// The file layer's tables.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileCounts {
    /// Open files; one with several descriptors may count for each.
    pub open: u64,
    /// Descriptors that the table has room for without growing.
    pub table: u64,
    /// The most descriptors a process can be allowed (`nr_open`).
    pub most: u64,
    /// Entries of the dentry cache, those that nobody uses, and those for names that do not exist.
    pub dentries: [u64; 3],
    /// Inodes.
    pub inodes: u64,
    /// Pages of file content in memory.
    pub cached: u64,
    /// Those of them that are tmpfs's and other memory files'.
    pub shared: u64,
}
