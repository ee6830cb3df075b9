//! The root directory of procfs.

use super::entry::{At, Entry, Make, Number, Series, Take, What};
use super::text::Text;
use super::{cpuinfo, load, machine, process, sysctl};
use crate::errno::Errno;

/// A file that everybody may read.
pub(crate) const fn file(name: &'static str, make: Make) -> Entry {
    Entry {
        name,
        mode: 0o444,
        what: What::File(make),
    }
}

/// A file that everybody may read and that never changes.
pub(crate) const fn constant(name: &'static str, text: &'static str) -> Entry {
    Entry {
        name,
        mode: 0o444,
        what: What::Constant(text),
    }
}

/// A file that everybody may read and the owner may write.
pub(crate) const fn variable(name: &'static str, make: Make, take: Take) -> Entry {
    Entry {
        name,
        mode: 0o644,
        what: What::Variable(make, take),
    }
}

/// A symbolic link.
pub(crate) const fn link(name: &'static str, make: Make) -> Entry {
    Entry {
        name,
        mode: 0o777,
        what: What::Link(make),
    }
}

/// A directory of procfs.
const fn directory(name: &'static str, what: What) -> Entry {
    Entry {
        name,
        mode: 0o555,
        what,
    }
}

/// The root.
pub static ROOT: Entry = directory("", What::Series(&FILES, &PROCESSES));

static FILES: [Entry; 15] = [
    file("cmdline", machine::command_line),
    file("cpuinfo", cpuinfo::cpuinfo),
    constant("devices", machine::DEVICES),
    constant("filesystems", machine::FILE_SYSTEMS),
    file("loadavg", load::loadavg),
    file("meminfo", machine::meminfo),
    link("mounts", mounts),
    // Linux prints the table's head with the first disk.
    constant("partitions", ""),
    link("self", this),
    file("stat", machine::stat),
    constant(
        "swaps",
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
    ),
    directory("sys", What::Variables(&sysctl::ROOT)),
    link("thread-self", thread_self),
    file("uptime", machine::uptime),
    file("version", machine::version),
];

static PROCESSES: Series = Series {
    member: directory("", What::Directory(&process::FILES)),
    next: |at, from| Some(at.source.system.process().pid).filter(|&pid| pid >= from),
    is: Number::Process,
};

fn mounts(_: &At, text: &mut Text) -> Result<(), Errno> {
    text.str("self/mounts");
    Ok(())
}

fn this(at: &At, text: &mut Text) -> Result<(), Errno> {
    text.dec(at.source.system.process().pid.into());
    Ok(())
}

fn thread_self(at: &At, text: &mut Text) -> Result<(), Errno> {
    let system = at.source.system;
    text.dec(system.process().pid.into())
        .str("/task/")
        .dec(system.current().into());
    Ok(())
}
