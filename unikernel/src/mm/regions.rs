//! The address space as a list of regions, as `/proc/self/maps` shows it.
//!
//! There is no such list: it is put together from where the image, the break, the mappings, the
//! arena of trampolines and the main stack are, and cut where the page tables say that the rights
//! change. Reading it costs a probe of the page tables for each page, or for each large one.

use super::area::{self, Area};
use super::frames::FRAMES;
use super::paging::{self, Access};
use super::{LARGE, PAGE, demand, page_down, page_up, space};
use crate::elf::Elf;
use crate::fs::dcache::DentryId;
use crate::lower;
use core::ops::Range;

/// What a region is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// Memory without a file or a name.
    Anonymous,
    /// The break.
    Heap,
    /// The main stack.
    Stack,
    /// The program's own file, from this byte on.
    Program(u64),
    /// Code that the library placed (for lowered system calls).
    Trampolines,
    /// A file that mmap(2) mapped.
    File(Mapped),
}

/// Which file, and from which byte on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Its name.
    pub dentry: DentryId,
    /// Minor number of its file system's device; the major one is 0.
    pub device: u32,
    /// Its inode number.
    pub inode: u64,
    /// Where the region begins in it.
    pub offset: u64,
}

impl Backing {
    /// The same, `by` bytes further on.
    const fn skip(self, by: usize) -> Self {
        match self {
            Self::Program(offset) => Self::Program(offset + by as u64),
            Self::File(mapped) => Self::File(Mapped {
                offset: mapped.offset + by as u64,
                ..mapped
            }),
            other => other,
        }
    }
}

/// A part of the address space: whole pages, all with the same rights and backing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its addresses.
    pub range: Range<usize>,
    /// May be read.
    pub read: bool,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub execute: bool,
    /// MAP_SHARED.
    pub shared: bool,
    /// What it is.
    pub backing: Backing,
    /// Bytes of it that have memory.
    pub resident: usize,
}

/// The first region with a page at or behind `from`, beginning at `from` if it began before. No lock
/// is held between two calls.
pub fn region(from: usize) -> Option<Region> {
    if paging::root() == 0 {
        // Without page tables, as in the unit tests, nothing is known of the address space.
        return None;
    }
    let mut from = page_down(from);
    loop {
        let area = demand::next(from);
        let Some((range, backing)) = lowest(from) else {
            return area.map(|area| of_area(&area, from));
        };
        if let Some(area) = area.filter(|area| area.range.start < range.start) {
            return Some(of_area(&area, from));
        }
        let (access, end) = prefix(range.clone(), permits);
        if access.is_none() && backing == Backing::Trampolines {
            // A page of the arena that nobody has needed yet.
            from = end;
            continue;
        }
        let access = access.filter(|access| access.user);
        return Some(Region {
            range: range.start..end,
            read: access.is_some(),
            write: access.is_some_and(|access| access.write),
            execute: access.is_some_and(|access| access.execute),
            shared: false,
            backing,
            // All memory is there from the start; the stack's region ends where it has been reached.
            resident: end - range.start,
        });
    }
}

/// An area, without what is before `from`.
fn of_area(area: &Area, from: usize) -> Region {
    let start = area.range.start.max(from);
    let access = area.access;
    let (shared, backing) = match &area.backing {
        area::Backing::Anonymous => (false, Backing::Anonymous),
        area::Backing::File(mapping, _) => {
            let inode = mapping.file.inode();
            let mapped = Mapped {
                dentry: mapping.file.dentry(),
                device: inode.sb.device,
                inode: inode.ino,
                offset: area.index(start) * PAGE as u64,
            };
            (mapping.shared, Backing::File(mapped))
        }
    };
    Region {
        range: start..area.range.end,
        read: access.is_some(),
        write: access.is_some_and(|access| access.write),
        execute: access.is_some_and(|access| access.execute),
        shared,
        backing,
        resident: demand::resident(start..area.range.end),
    }
}

/// The part of the address space that begins at `from` or first behind it.
fn lowest(from: usize) -> Option<(Range<usize>, Backing)> {
    let space::Parts {
        image,
        heap,
        stack_low,
    } = space::parts();
    let mut lowest = Lowest { from, found: None };
    if !image.is_empty() {
        // SAFETY: `image` begins with the ELF header, which boot found there.
        for segment in unsafe { Elf::at(image.start) }.segments() {
            let memory = segment.memory();
            let start = page_down(memory.start);
            let offset = segment.offset() - (memory.start - start) as u64;
            let file_end = memory.start + segment.file_size();
            let [file, cleared] = pieces(start..memory.end, file_end);
            lowest.offer(file, Backing::Program(offset));
            lowest.offer(cleared, Backing::Anonymous);
        }
    }
    lowest.offer(heap, Backing::Heap);
    lowest.offer(lower::arena(image.start), Backing::Trampolines);
    lowest.offer(stack_low..space::stack_top(), Backing::Stack);
    if let Some(mapped) = FRAMES.lock().user_run(from..usize::MAX) {
        lowest.offer(mapped, Backing::Anonymous);
    }
    lowest.found
}

/// The whole pages of a segment: those with bytes of the file up to `file_end`, and the cleared ones
/// behind.
fn pieces(memory: Range<usize>, file_end: usize) -> [Range<usize>; 2] {
    let end = page_up(memory.end).unwrap_or(memory.start);
    let middle = page_up(file_end).unwrap_or(end).min(end);
    [memory.start..middle, middle..end]
}

/// Looks for the lowest part that ends behind an address.
struct Lowest {
    from: usize,
    found: Option<(Range<usize>, Backing)>,
}

impl Lowest {
    /// Takes a part, without what is before the address, if it is lower than what there was.
    #[inline(never)]
    fn offer(&mut self, range: Range<usize>, backing: Backing) {
        if range.end <= self.from || range.is_empty() {
            return;
        }
        let start = range.start.max(self.from);
        if self
            .found
            .as_ref()
            .is_none_or(|found| start < found.0.start)
        {
            self.found = Some((start..range.end, backing.skip(start - range.start)));
        }
    }
}

/// What the page of `address` permits, and the end of the page.
fn permits(address: usize) -> (Option<Access>, usize) {
    let size = match paging::lookup(address) {
        Some((_, true)) => LARGE,
        _ => PAGE,
    };
    (paging::access(address), (address & !(size - 1)) + size)
}

/// How far from its start the rights of `range` are the same, and which they are.
fn prefix(
    range: Range<usize>,
    permits: impl Fn(usize) -> (Option<Access>, usize),
) -> (Option<Access>, usize) {
    let (wanted, mut end) = permits(range.start);
    while end < range.end {
        let (access, next) = permits(end);
        if access != wanted {
            break;
        }
        end = next;
    }
    (wanted, end.min(range.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_pages_of_the_file_and_cleared_ones() {
        let pieces = pieces(0x3000..0x7001, 0x4800);
        assert_eq!(pieces, [0x3000..0x5000, 0x5000..0x8000]);
    }

    fn lowest(from: usize) -> Option<(Range<usize>, Backing)> {
        let mut lowest = Lowest { from, found: None };
        lowest.offer(0x9000..0xa000, Backing::Stack);
        lowest.offer(0x1000..0x4000, Backing::Program(0x1000));
        lowest.offer(0x4000..0x4000, Backing::Heap);
        lowest.offer(0x6000..0x8000, Backing::Anonymous);
        lowest.found
    }

    #[test]
    fn the_lowest_part_comes_first() {
        let mut found = Vec::new();
        let mut from = 0;
        while let Some((range, _)) = lowest(from) {
            from = range.end;
            found.push(range.start);
        }
        assert_eq!(found, [0x1000, 0x6000, 0x9000]);
        assert_eq!(
            lowest(0x3000),
            Some((0x3000..0x4000, Backing::Program(0x3000)))
        );
    }

    #[test]
    fn rights_end_a_region() {
        let permits = |address: usize| {
            let access = (address < 2 * LARGE).then_some(Access::DATA);
            let size = if address < LARGE { LARGE } else { PAGE };
            (access, (address & !(size - 1)) + size)
        };
        assert_eq!(
            prefix(PAGE..4 * LARGE, permits),
            (Some(Access::DATA), 2 * LARGE)
        );
        assert_eq!(
            prefix(PAGE..3 * PAGE, permits),
            (Some(Access::DATA), 3 * PAGE)
        );
        assert_eq!(prefix(2 * LARGE..3 * LARGE, permits), (None, 3 * LARGE));
    }
}
