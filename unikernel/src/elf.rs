//! The program headers of the running image (elf(5)): just what boot needs.

use core::ops::Range;

/// `PT_LOAD`.
const LOAD: u32 = 1;

/// The ELF64 file header.
#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    ident: [u8; 16],
    kind: u16,
    machine: u16,
    version: u32,
    entry: u64,
    phoff: u64,
    shoff: u64,
    flags: u32,
    ehsize: u16,
    phentsize: u16,
    phnum: u16,
    shentsize: u16,
    shnum: u16,
    shstrndx: u16,
}

/// An ELF64 program header.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Program {
    /// `PT_…`.
    pub kind: u32,
    /// `PF_X` 1, `PF_W` 2, `PF_R` 4.
    pub flags: u32,
    offset: u64,
    vaddr: u64,
    paddr: u64,
    filesz: u64,
    memsz: u64,
    align: u64,
}

impl Program {
    /// The addresses it occupies in memory.
    pub fn memory(&self) -> Range<usize> {
        self.vaddr as usize..(self.vaddr + self.memsz) as usize
    }

    /// Where its bytes are in the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many of its bytes are in the file.
    pub fn file_size(&self) -> usize {
        self.filesz as usize
    }
}

/// The running image's headers.
#[derive(Clone, Copy)]
pub struct Elf {
    header: &'static Header,
}

impl Elf {
    /// Reads the header at `address`.
    ///
    /// # Safety
    /// A complete ELF64 header and its program headers are mapped there for good; the linker's
    /// `__ehdr_start` is such an address in a static executable.
    pub unsafe fn at(address: usize) -> Self {
        // SAFETY: the caller's promise.
        let header = unsafe { &*(address as *const Header) };
        Self { header }
    }

    /// `e_entry`: libc's `_start`.
    pub fn entry(&self) -> usize {
        self.header.entry as usize
    }

    /// Address, entry size and count of the program headers, for the auxiliary vector.
    pub fn phdr(&self) -> (usize, usize, usize) {
        let address = core::ptr::from_ref(self.header) as usize + self.header.phoff as usize;
        (
            address,
            self.header.phentsize as usize,
            self.header.phnum as usize,
        )
    }

    /// The loadable segments.
    pub fn segments(self) -> impl Iterator<Item = Program> {
        let (address, size, count) = self.phdr();
        (0..count)
            // SAFETY: `at`'s caller promised the program headers.
            .map(move |i| unsafe { ((address + i * size) as *const Program).read_unaligned() })
            .filter(|program| program.kind == LOAD && program.memsz != 0)
    }
}
