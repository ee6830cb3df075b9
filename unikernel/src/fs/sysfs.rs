//! sysfs: the processor, the memory node, huge pages, and the control groups, as far as runtimes
//! look at them; see [`proc`](super::proc) for how the tree is made.
//!
//! `/sys/fs/cgroup` shows what Linux has in the *root* group of version 2 when no controller is
//! enabled: the list of controllers is empty, and there is no `cpu.max` and no `memory.max`, which
//! only groups below the root have. Runtimes that look for a limit (Rust's
//! `available_parallelism`, Go, the JVM, Node, .NET) find a control group without one, as outside any
//! container, and go on with the affinity mask and the size of memory.

use super::proc::cpuinfo::Cache;
use super::proc::entry::{At, Entry, Number, Series, What};
use super::proc::machine;
use super::proc::root::{constant, file, link};
use super::proc::text::Text;
use crate::errno::Errno;

const fn directory(name: &'static str, entries: &'static [Entry]) -> Entry {
    Entry {
        name,
        mode: 0o755,
        what: What::Directory(entries),
    }
}

/// The root.
pub static ROOT: Entry = Entry {
    name: "",
    mode: 0o555,
    what: What::Directory(&[
        directory("block", &[]),
        directory("bus", &[]),
        directory("class", &[]),
        directory("devices", &[directory("system", &SYSTEM)]),
        directory("firmware", &[]),
        directory("fs", &[directory("cgroup", &[])]),
        directory("kernel", &KERNEL),
        directory("module", &[]),
    ]),
};

static SYSTEM: [Entry; 2] = [directory("cpu", &PROCESSORS), directory("node", &NODES)];

static PROCESSORS: [Entry; 6] = [
    directory("cpu0", &PROCESSOR),
    constant("kernel_max", "0\n"),
    constant("offline", "\n"),
    constant("online", "0\n"),
    constant("possible", "0\n"),
    constant("present", "0\n"),
];

static PROCESSOR: [Entry; 3] = [
    Entry {
        name: "cache",
        mode: 0o755,
        what: What::Series(&[], &CACHES),
    },
    link("node0", |_, text| {
        text.str("../../node/node0");
        Ok(())
    }),
    directory("topology", &TOPOLOGY),
];

static TOPOLOGY: [Entry; 13] = [
    constant("core_cpus", "1\n"),
    constant("core_cpus_list", "0\n"),
    constant("core_id", "0\n"),
    constant("core_siblings", "1\n"),
    constant("core_siblings_list", "0\n"),
    constant("die_cpus", "1\n"),
    constant("die_cpus_list", "0\n"),
    constant("die_id", "0\n"),
    constant("package_cpus", "1\n"),
    constant("package_cpus_list", "0\n"),
    constant("physical_package_id", "0\n"),
    constant("thread_siblings", "1\n"),
    constant("thread_siblings_list", "0\n"),
];

static CACHES: Series = Series {
    member: directory("index", &CACHE),
    next: |at, from| Cache::of(at.source.system, from).map(|_| from),
    is: Number::Other,
};

/// Reads from the cache that the directory's number says.
macro_rules! cache {
    ($name:literal, $show:expr) => {
        file($name, |at, text| {
            let show: fn(&Cache, &mut Text) = $show;
            show(&cache(at)?, text);
            text.line();
            Ok(())
        })
    };
}

static CACHE: [Entry; 9] = [
    cache!("coherency_line_size", |c, t| number(t, c.line)),
    cache!("level", |c, t| number(t, c.level)),
    cache!("number_of_sets", |c, t| number(t, c.sets)),
    cache!("physical_line_partition", |c, t| number(t, c.partitions)),
    constant("shared_cpu_list", "0\n"),
    constant("shared_cpu_map", "1\n"),
    cache!("size", |c, t| {
        t.dec(c.size() / 1024).byte(b'K');
    }),
    cache!("type", |c, t| {
        t.str(["Data", "Instruction", "Unified"][c.kind as usize - 1]);
    }),
    cache!("ways_of_associativity", |c, t| number(t, c.ways)),
];

fn cache(at: &At) -> Result<Cache, Errno> {
    Cache::of(at.source.system, at.number).ok_or(Errno::ENOENT)
}

fn number(text: &mut Text, value: u32) {
    text.dec(value.into());
}

static NODES: [Entry; 6] = [
    constant("has_cpu", "0\n"),
    constant("has_memory", "0\n"),
    constant("has_normal_memory", "0\n"),
    directory("node0", &NODE),
    constant("online", "0\n"),
    constant("possible", "0\n"),
];

static NODE: [Entry; 5] = [
    link("cpu0", |_, text| {
        text.str("../../cpu/cpu0");
        Ok(())
    }),
    constant("cpulist", "0\n"),
    constant("cpumap", "1\n"),
    constant("distance", "10\n"),
    file("meminfo", machine::node_meminfo),
];

/// All RAM is mapped by pages of 2 MiB wherever it can be.
static KERNEL: [Entry; 1] = [directory(
    "mm",
    &[directory(
        "transparent_hugepage",
        &[
            constant("enabled", "[always] madvise never\n"),
            constant("hpage_pmd_size", "2097152\n"),
        ],
    )],
)];

/// The root of the control groups.
pub static CGROUP: Entry = Entry {
    name: "",
    mode: 0o555,
    what: What::Directory(&[
        constant("cgroup.controllers", ""),
        constant("cgroup.max.depth", "max\n"),
        constant("cgroup.max.descendants", "max\n"),
        file("cgroup.procs", |at, text| {
            text.dec(at.source.system.process().pid.into()).line();
            Ok(())
        }),
        constant("cgroup.stat", "nr_descendants 0\nnr_dying_descendants 0\n"),
        constant("cgroup.subtree_control", ""),
        file("cgroup.threads", threads),
        file("cpu.stat", processor_time),
    ]),
};

fn threads(at: &At, text: &mut Text) -> Result<(), Errno> {
    let mut from = 0;
    while let Some(thread) = at.source.system.next_thread(from) {
        text.dec(thread.into()).line();
        from = thread.saturating_add(1);
    }
    Ok(())
}

/// `cpu.stat`: the library's time is the user's (as in `/proc/stat`).
fn processor_time(at: &At, text: &mut Text) -> Result<(), Errno> {
    let clock = at.source.system.clock();
    let busy = clock.uptime.saturating_sub(clock.idle) / 1000;
    text.field("usage_usec ", busy).field("user_usec ", busy);
    text.str("system_usec 0\n");
    Ok(())
}
