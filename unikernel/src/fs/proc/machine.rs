//! Files about the machine: memory, time, what kinds of things there are.

use super::entry::At;
use super::maps::usage;
use super::source::{Source, Uts};
use super::text::Text;
use crate::errno::Errno;
use crate::mm::PAGE;
use crate::time::NANOS;

/// Nanoseconds in a tick of USER_HZ, the unit of processor time in procfs.
pub const TICK: u64 = NANOS / 100;

/// Character devices by their major numbers; there are no block devices.
pub const DEVICES: &str = "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  \
                           5 /dev/ptmx\n136 pts\n\nBlock devices:\n";

/// Kinds of file systems; all of them are in memory.
pub const FILE_SYSTEMS: &str = "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tcgroup2\n\
                                nodev\tdevtmpfs\nnodev\tpipefs\n";

/// Memory as meminfo divides it, in bytes.
struct Use {
    total: u64,
    free: u64,
    cached: u64,
    shared: u64,
    anonymous: u64,
    mapped: u64,
    heap: u64,
    tables: u64,
    stacks: u64,
    committed: u64,
}

impl Use {
    #[inline(never)]
    fn of(source: Source) -> Self {
        let page = PAGE as u64;
        let (memory, files) = (source.system.memory(), source.files.counts());
        let usage = usage(source.system);
        Self {
            total: memory.total * page,
            free: memory.free * page,
            cached: files.cached * page,
            shared: files.shared * page,
            anonymous: usage.anonymous,
            mapped: usage.file,
            heap: memory.heap * page,
            tables: memory.tables * page,
            stacks: memory.stacks * page,
            committed: usage.data + usage.stack,
        }
    }
}

/// `/proc/meminfo` (`fs/proc/meminfo.c`). All that is free is available: no cache could be dropped
/// to get more. No page is on a list of candidates for reclaim (Active, Inactive), nothing waits for
/// a disk, and there is no area for virtually contiguous memory. What an allocation could not get is
/// refused, so the limit of what can be committed is the memory there is.
pub fn meminfo(at: &At, text: &mut Text) -> Result<(), Errno> {
    let memory = Use::of(at.source);
    text.sizes(&[
        ("MemTotal:       ", memory.total),
        ("MemFree:        ", memory.free),
        ("MemAvailable:   ", memory.free),
        ("Buffers:        ", 0),
        ("Cached:         ", memory.cached),
        ("SwapCached:     ", 0),
        ("Active:         ", 0),
        ("Inactive:       ", 0),
        ("SwapTotal:      ", 0),
        ("SwapFree:       ", 0),
        ("Dirty:          ", 0),
        ("Writeback:      ", 0),
        ("AnonPages:      ", memory.anonymous),
        ("Mapped:         ", memory.mapped),
        ("Shmem:          ", memory.shared),
        ("Slab:           ", memory.heap),
        ("SUnreclaim:     ", memory.heap),
        ("KernelStack:    ", memory.stacks),
        ("PageTables:     ", memory.tables),
        ("CommitLimit:    ", memory.total),
        ("Committed_AS:   ", memory.committed),
        ("VmallocTotal:   ", 0),
        ("VmallocUsed:    ", 0),
        ("VmallocChunk:   ", 0),
    ]);
    text.str("HugePages_Total:       0\nHugePages_Free:        0\n")
        .str("HugePages_Rsvd:        0\nHugePages_Surp:        0\n")
        .kib("Hugepagesize:   ", crate::mm::LARGE as u64);
    Ok(())
}

/// `/sys/devices/system/node/node0/meminfo` (`drivers/base/node.c`): the one node has all of it.
pub fn node_meminfo(at: &At, text: &mut Text) -> Result<(), Errno> {
    let memory = Use::of(at.source);
    let sizes = [
        ("MemTotal:       ", memory.total),
        ("MemFree:        ", memory.free),
        ("MemUsed:        ", memory.total - memory.free),
        ("SwapCached:     ", 0),
        ("Active:         ", 0),
        ("Inactive:       ", 0),
        ("Dirty:          ", 0),
        ("Writeback:      ", 0),
        ("FilePages:      ", memory.cached),
        ("Mapped:         ", memory.mapped),
        ("AnonPages:      ", memory.anonymous),
        ("Shmem:          ", memory.shared),
        ("KernelStack:    ", memory.stacks),
        ("PageTables:     ", memory.tables),
        ("Slab:           ", memory.heap),
        ("SUnreclaim:     ", memory.heap),
    ];
    for (label, bytes) in sizes {
        text.str("Node 0 ").kib(label, bytes);
    }
    text.str("Node 0 HugePages_Total:     0\nNode 0 HugePages_Free:      0\n")
        .str("Node 0 HugePages_Surp:      0\n");
    Ok(())
}

/// `/proc/stat` (`fs/proc/stat.c`). The library runs in user mode, as a part of the process, so all
/// time that is not idle is the user's. Interrupts are not counted by line, hence no `intr`.
pub fn stat(at: &At, text: &mut Text) -> Result<(), Errno> {
    let system = at.source.system;
    let clock = system.clock();
    let idle = clock.idle.min(clock.uptime);
    for name in ["cpu  ", "cpu0 "] {
        text.str(name)
            .dec((clock.uptime - idle) / TICK)
            .str(" 0 0 ");
        text.dec(idle / TICK).str(" 0 0 0 0 0 0\n");
    }
    let threads = core::iter::successors(system.next_thread(0), |&tid| {
        system.next_thread(tid.checked_add(1)?)
    });
    text.field("ctxt ", clock.switches);
    text.field(
        "btime ",
        clock.realtime.saturating_sub(clock.uptime) / NANOS,
    );
    text.field("processes ", threads.last().unwrap_or(0).into());
    text.field("procs_running ", running(at.source).0);
    text.str("procs_blocked 0\n");
    Ok(())
}

/// Threads that run or could, and all.
#[inline(never)]
pub fn running(source: Source) -> (u64, u64) {
    let (mut ready, mut all, mut from) = (0, 0, 0);
    while let Some(tid) = source.system.next_thread(from) {
        let state = source.system.thread(tid).map(|thread| thread.state);
        ready += u64::from(state == Some(super::source::State::Running));
        (all, from) = (all + 1, tid.saturating_add(1));
    }
    (ready, all)
}

/// `/proc/uptime`: seconds since boot, and those of them in which nobody ran.
pub fn uptime(at: &At, text: &mut Text) -> Result<(), Errno> {
    let clock = at.source.system.clock();
    for (time, end) in [(clock.uptime, b' '), (clock.idle, b'\n')] {
        let hundredths = time / TICK;
        text.dec(hundredths / 100).byte(b'.');
        text.zeros(hundredths % 100, 2).byte(end);
    }
    Ok(())
}

/// `/proc/version`: the name, the release, who built it with what, the version.
pub fn version(at: &At, text: &mut Text) -> Result<(), Errno> {
    let system = at.source.system;
    system.name(Uts::System, text);
    text.str(" version ");
    system.name(Uts::Release, text);
    text.str(" (lintel@lintel) (rustc) ");
    system.name(Uts::Version, text);
    text.line();
    Ok(())
}

/// `/proc/cmdline`.
pub fn command_line(at: &At, text: &mut Text) -> Result<(), Errno> {
    at.source.system.command_line(text);
    text.line();
    Ok(())
}
