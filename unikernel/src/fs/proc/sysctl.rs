//! `/proc/sys` (proc_sys(5)): limits and names. A variable can be written where its value is kept;
//! the others are what they are.

use super::entry::{At, Entry, What};
use super::root::{constant, file, variable};
use super::source::Uts;
use super::text::Text;
use crate::errno::{Errno, SysResult};
use crate::sync::SpinLock;

const fn directory(name: &'static str, entries: &'static [Entry]) -> Entry {
    Entry {
        name,
        mode: 0o555,
        what: What::Directory(entries),
    }
}

/// `/proc/sys`.
pub static ROOT: [Entry; 4] = [
    directory("fs", &FILES),
    directory("kernel", &KERNEL),
    directory("net", &NETWORK),
    directory("vm", &MEMORY),
];

static FILES: [Entry; 7] = [
    file("dentry-state", dentry_state),
    // Open files cost memory; nothing else limits them.
    constant("file-max", "9223372036854775807\n"),
    file("file-nr", file_number),
    file("inode-nr", inode_number),
    directory("inotify", &INOTIFY),
    file("nr_open", most_descriptors),
    constant("pipe-max-size", "1048576\n"),
];

static INOTIFY: [Entry; 3] = [
    constant("max_queued_events", "16384\n"),
    constant("max_user_instances", "128\n"),
    constant("max_user_watches", "65536\n"),
];

static KERNEL: [Entry; 12] = [
    constant("cap_last_cap", "40\n"),
    variable("domainname", domain, set_domain),
    variable("hostname", host, set_host),
    constant("ngroups_max", "65536\n"),
    file("osrelease", |at, text| uts(at, Uts::Release, text)),
    file("ostype", |at, text| uts(at, Uts::System, text)),
    constant("overflowgid", "65534\n"),
    constant("overflowuid", "65534\n"),
    constant("pid_max", "32768\n"),
    directory("random", &RANDOM),
    constant("threads-max", "32768\n"),
    file("version", |at, text| uts(at, Uts::Version, text)),
];

static RANDOM: [Entry; 4] = [
    file("boot_id", boot_id),
    // The generator is seeded when it is first used, and full from then on.
    constant("entropy_avail", "256\n"),
    constant("poolsize", "256\n"),
    file("uuid", uuid),
];

static NETWORK: [Entry; 1] = [directory("core", &NETWORK_CORE)];

static NETWORK_CORE: [Entry; 1] = [constant("somaxconn", "4096\n")];

static MEMORY: [Entry; 3] = [
    constant("max_map_count", "65530\n"),
    constant("mmap_min_addr", "4096\n"),
    // Only what is more than all of RAM is refused.
    constant("overcommit_memory", "0\n"),
];

/// Entries, unused ones, age limit, wanted pages, negative ones, and a zero (`struct
/// dentry_stat_t`).
fn dentry_state(at: &At, text: &mut Text) -> Result<(), Errno> {
    let [all, unused, negative] = at.source.files.counts().dentries;
    text.dec(all).byte(b'\t').dec(unused).str("\t45\t0\t");
    text.dec(negative).str("\t0\n");
    Ok(())
}

fn file_number(at: &At, text: &mut Text) -> Result<(), Errno> {
    text.dec(at.source.files.counts().open);
    text.str("\t0\t9223372036854775807\n");
    Ok(())
}

fn inode_number(at: &At, text: &mut Text) -> Result<(), Errno> {
    text.dec(at.source.files.counts().inodes).str("\t0\n");
    Ok(())
}

fn most_descriptors(at: &At, text: &mut Text) -> Result<(), Errno> {
    text.dec(at.source.files.counts().most).line();
    Ok(())
}

fn uts(at: &At, which: Uts, text: &mut Text) -> Result<(), Errno> {
    at.source.system.name(which, text);
    text.line();
    Ok(())
}

fn host(at: &At, text: &mut Text) -> Result<(), Errno> {
    uts(at, Uts::Node, text)
}

fn domain(at: &At, text: &mut Text) -> Result<(), Errno> {
    uts(at, Uts::Domain, text)
}

fn set_host(at: &At, position: u64, bytes: &[u8]) -> SysResult {
    set_uts(at, Uts::Node, position, bytes)
}

fn set_domain(at: &At, position: u64, bytes: &[u8]) -> SysResult {
    set_uts(at, Uts::Domain, position, bytes)
}

/// Longest name of uname(2).
const NAME: usize = 64;

/// A write to a string (`_proc_do_string`): it ends at a line feed or NUL, and is cut to what fits.
/// At a position behind the start it goes on there; behind the end it changes nothing.
fn set_uts(at: &At, which: Uts, position: u64, bytes: &[u8]) -> SysResult {
    let mut name = Text::new();
    at.source.system.name(which, &mut name);
    let old = name.finish()?.len();
    let Some(kept) = usize::try_from(position).ok().filter(|&kept| kept <= old) else {
        return Ok(0);
    };
    name.truncate(kept);
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | 0));
    let new = &bytes[..end.unwrap_or(bytes.len())];
    name.bytes(&new[..new.len().min(NAME - kept.min(NAME))]);
    at.source.system.set_uts(which, name.finish()?)?;
    Ok(bytes.len())
}

/// Sixteen random bytes as a UUID of version 4 (RFC 4122).
fn random_uuid(at: &At) -> [u8; 16] {
    let mut bytes = [0; 16];
    at.source.system.random(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

fn write_uuid(bytes: [u8; 16], text: &mut Text) {
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.byte(b'-');
        }
        text.hex(byte.into(), 2);
    }
    text.line();
}

fn uuid(at: &At, text: &mut Text) -> Result<(), Errno> {
    write_uuid(random_uuid(at), text);
    Ok(())
}

/// The UUID of this run of the machine, made when it is first asked for.
static BOOT_ID: SpinLock<Option<[u8; 16]>> = SpinLock::new(None);

fn boot_id(at: &At, text: &mut Text) -> Result<(), Errno> {
    let known = *BOOT_ID.lock_no_irq();
    let id = known.unwrap_or_else(|| random_uuid(at));
    *BOOT_ID.lock_no_irq() = Some(id);
    write_uuid(id, text);
    Ok(())
}
