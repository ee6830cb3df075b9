//! What every boot protocol is reduced to.

use core::ops::Range;
use heapless::Vec;

/// The most memory-map entries kept; a PC has about ten.
pub const MAX_REGIONS: usize = 32;

/// One description of the machine for both PVH and Multiboot2. All addresses are physical, which
/// here is the same as virtual.
#[derive(Clone, Debug)]
pub struct BootInfo {
    /// Usable RAM, in the order the firmware gave.
    pub memory: Vec<Range<usize>, MAX_REGIONS>,
    /// The kernel command line, without its NUL.
    pub command_line: &'static [u8],
    /// The initial root file system, if there is one.
    pub initrd: Option<Range<usize>>,
    /// The boot protocol's own structures, to be left alone until they have been read.
    pub protocol: Range<usize>,
    /// TSC at the first instruction of the image.
    pub entry_tsc: u64,
    /// Where the parts of the image are.
    pub image: Image,
}

/// The image in memory: one ELF that holds the application and the library.
#[derive(Clone, Debug)]
pub struct Image {
    /// Address of the ELF header, which a static executable has in its first segment.
    pub header: usize,
    /// End of the last segment (the linker's `_end`).
    pub end: usize,
    /// Address of the root page table.
    pub root: usize,
    /// The library's text, for telling a kernel fault from an application's.
    pub text: Range<usize>,
    /// The library's data and bss; user pointers may not name them.
    pub own: [Range<usize>; 2],
    /// The monitor's text (executable in ring 0 only) and data (ring 0 only).
    pub monitor: [Range<usize>; 2],
    /// Stacks of the library with the page below each unmapped: kernel, interrupt, fault.
    pub stacks: [Stack; 3],
}

/// A stack and the guard page at its bottom.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    /// Address of the guard page.
    pub guard: usize,
    /// One past the highest byte.
    pub top: usize,
}
