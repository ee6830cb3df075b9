//! The address space of the process: `maps`, `smaps`, `smaps_rollup`, and the sums that other files
//! show (`fs/proc/task_mmu.c`).

use super::entry::At;
use super::source::{Backing, Region, System};
use super::text::Text;
use crate::errno::Errno;
use crate::mm::PAGE;

/// Column in which the name of a region starts.
const NAME_COLUMN: usize = 73;

/// Device number and inode number shown for the program's file. It has no name in any file system,
/// as if it had been started from a memfd: device 0:1 is where Linux keeps those.
const PROGRAM_FILE: ((u32, u32), u64) = ((0, 1), 1);

/// All parts of the address space, by address.
pub(super) fn regions(system: &dyn System) -> impl Iterator<Item = Region> {
    let mut from = 0;
    core::iter::from_fn(move || {
        let region = system.region(from)?;
        // Whatever a source says, the walk goes on upwards.
        from = region.range.end.max(from + PAGE);
        Some(region)
    })
}

/// Sums over the address space, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// All addresses in use.
    pub size: u64,
    /// Resident memory that is the process's alone.
    pub anonymous: u64,
    /// Resident memory with the unchanged content of a file.
    pub file: u64,
    /// Writable private memory but the stack.
    pub data: u64,
    /// The stack.
    pub stack: u64,
    /// Executable parts of the program.
    pub code: u64,
    /// Executable parts that are not the program's.
    pub library: u64,
}

/// Adds everything up.
#[inline(never)]
pub(super) fn usage(system: &dyn System) -> Usage {
    let mut sum = Usage::default();
    for region in regions(system) {
        let (size, resident) = (region.range.len() as u64, region.resident as u64);
        sum.size += size;
        if is_file_content(&region) {
            sum.file += resident;
        } else {
            sum.anonymous += resident;
        }
        match region.backing {
            Backing::Stack => sum.stack += size,
            Backing::Program(_) if region.execute => sum.code += size,
            _ if region.execute && !region.write => sum.library += size,
            _ if region.write && !region.shared => sum.data += size,
            _ => {}
        }
    }
    sum
}

/// Whether its memory is as the file has it. Where the program may write, it is taken to have done
/// so: nobody tracks it, and in the only copy that there is it makes no difference.
fn is_file_content(region: &Region) -> bool {
    let is_shared_file = matches!(region.backing, Backing::File(_)) && region.shared;
    matches!(region.backing, Backing::Program(_) | Backing::File(_)) && !region.write
        || is_shared_file
}

/// `ADDRESS-ADDRESS rwxp OFFSET MAJOR:MINOR INODE ` (`show_vma_header_prefix`).
fn header(region: &Region, text: &mut Text) {
    let ((major, minor), inode, offset) = match region.backing {
        Backing::Program(offset) => (PROGRAM_FILE.0, PROGRAM_FILE.1, offset),
        Backing::File(file) => ((0, file.device), file.inode, file.offset),
        _ => ((0, 0), 0, 0),
    };
    text.hex(region.range.start as u64, 8).byte(b'-');
    text.hex(region.range.end as u64, 8).byte(b' ');
    let flag = |on, letter| if on { letter } else { b'-' };
    text.bytes(&[
        flag(region.read, b'r'),
        flag(region.write, b'w'),
        flag(region.execute, b'x'),
        if region.shared { b's' } else { b'p' },
        b' ',
    ]);
    text.hex(offset, 8).byte(b' ');
    text.hex(major.into(), 2).byte(b':').hex(minor.into(), 2);
    text.byte(b' ').dec(inode).byte(b' ');
}

/// A line of `maps`.
#[inline(never)]
fn map_line(at: &At, region: &Region, text: &mut Text) {
    let start = text.len();
    header(region, text);
    let name = match region.backing {
        Backing::Anonymous => {
            text.line();
            return;
        }
        Backing::Heap => "[heap]",
        Backing::Stack => "[stack]",
        Backing::Trampolines => "[trampolines]",
        Backing::Program(_) | Backing::File(_) => "",
    };
    text.spaces((start + NAME_COLUMN).saturating_sub(text.len()));
    text.str(name);
    if name.is_empty() {
        let mut path = Text::new();
        match region.backing {
            Backing::File(file) => at.source.files.path(file.dentry, &mut path),
            _ => at.source.system.program(&mut path),
        }
        text.escaped(path.as_bytes(), b"\n");
    }
    text.line();
}

/// `/proc/self/maps`.
pub fn maps(at: &At, text: &mut Text) -> Result<(), Errno> {
    regions(at.source.system).for_each(|region| map_line(at, &region, text));
    Ok(())
}

/// What `smaps` shows of memory, in bytes. Nothing is shared with another process.
#[derive(Default)]
struct Pages {
    resident: u64,
    anonymous: u64,
}

impl Pages {
    fn of(region: &Region) -> Self {
        let resident = region.resident as u64;
        Self {
            resident,
            anonymous: if is_file_content(region) { 0 } else { resident },
        }
    }

    /// The lines from `Rss` to `Locked` (`__show_smap`).
    #[inline(never)]
    fn show(&self, rollup: bool, text: &mut Text) {
        let file = self.resident - self.anonymous;
        text.sizes(&[
            ("Rss:            ", self.resident),
            ("Pss:            ", self.resident),
            ("Pss_Dirty:      ", self.anonymous),
        ]);
        if rollup {
            text.sizes(&[
                ("Pss_Anon:       ", self.anonymous),
                ("Pss_File:       ", file),
                ("Pss_Shmem:      ", 0),
            ]);
        }
        text.sizes(&[
            ("Shared_Clean:   ", 0),
            ("Shared_Dirty:   ", 0),
            ("Private_Clean:  ", file),
            ("Private_Dirty:  ", self.anonymous),
            ("Referenced:     ", self.resident),
            ("Anonymous:      ", self.anonymous),
        ]);
        for label in [
            "LazyFree:       ",
            "AnonHugePages:  ",
            "ShmemPmdMapped: ",
            "FilePmdMapped:  ",
            "Shared_Hugetlb: ",
            "Private_Hugetlb: ",
            "Swap:           ",
            "SwapPss:        ",
            "Locked:         ",
        ] {
            // One label is a column longer, and the value's columns are one fewer.
            text.str(label).right(0, 24 - label.len()).str(" kB\n");
        }
    }
}

/// `/proc/self/smaps`.
pub fn smaps(at: &At, text: &mut Text) -> Result<(), Errno> {
    for region in regions(at.source.system) {
        map_line(at, &region, text);
        text.kib("Size:           ", region.range.len() as u64)
            .kib("KernelPageSize: ", PAGE as u64)
            .kib("MMUPageSize:    ", PAGE as u64);
        Pages::of(&region).show(false, text);
        text.str("THPeligible:           0\nVmFlags: ");
        let flags = [
            (region.read, "rd "),
            (region.write, "wr "),
            (region.execute, "ex "),
            (region.shared, "sh "),
            (true, "mr mw me "),
            (region.backing == Backing::Stack, "gd "),
            (region.write && !region.shared, "ac "),
        ];
        flags.iter().filter(|flag| flag.0).for_each(|flag| {
            text.str(flag.1);
        });
        text.line();
    }
    Ok(())
}

/// `/proc/self/smaps_rollup`: the sums, under the addresses of the first and the last region.
pub fn smaps_rollup(at: &At, text: &mut Text) -> Result<(), Errno> {
    let (mut sum, mut range) = (Pages::default(), None);
    for region in regions(at.source.system) {
        let pages = Pages::of(&region);
        sum.resident += pages.resident;
        sum.anonymous += pages.anonymous;
        let start = range.map_or(region.range.start, |(start, _)| start);
        range = Some((start, region.range.end));
    }
    let (from, to) = range.unwrap_or((0, 0));
    let start = text.len();
    text.hex(from as u64, 8).byte(b'-').hex(to as u64, 8);
    text.str(" ---p 00000000 00:00 0 ");
    text.spaces((start + NAME_COLUMN).saturating_sub(text.len()));
    text.str("[rollup]\n");
    sum.show(true, text);
    Ok(())
}
