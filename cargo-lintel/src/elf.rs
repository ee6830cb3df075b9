//! What must be true of an ELF file before it can have a second life, and where its `main` is.

use crate::failure;
use anyhow::{Context, Result};
use object::elf::{EM_X86_64, ET_DYN, ET_EXEC, NoteType, PT_DYNAMIC, PT_INTERP, PT_LOAD, PT_NOTE};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{
    Endianness, Object, ObjectSection, ObjectSegment, ObjectSymbol, SectionKind, SymbolKind,
};
use std::path::Path;

/// Owner and type of the note that tells where a virtual machine enters.
/// Source: Xen's `public/elfnote.h`, `XEN_ELFNOTE_PHYS32_ENTRY`.
const PVH_NOTE: (&[u8], NoteType) = (b"Xen", NoteType(18));

/// Checks that `path` can be booted: a static, non-PIE x86-64 executable that contains Lintel.
pub fn check(path: &Path) -> Result<()> {
    inspect(path, |_| ()).map(|_| ())
}

/// The address behind the last segment: the least RAM that can hold the image.
pub fn memory_end(path: &Path) -> Result<u64> {
    let end = |file: &ElfFile64| {
        let ends = file
            .segments()
            .map(|segment| segment.address() + segment.size());
        ends.max().unwrap_or(0)
    };
    inspect(path, end)
}

/// The address of the C symbol `main`, if the symbol table names it.
pub fn main_address(path: &Path) -> Result<Option<u64>> {
    let find = |file: &ElfFile64| {
        file.symbols()
            .find(|symbol| symbol.name() == Ok("main"))
            .map(|symbol| symbol.address())
    };
    inspect(path, find)
}

/// A name in the code of an ELF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeSymbol {
    /// Where it starts.
    pub address: u64,
    /// How many bytes it covers; 0 for a label of assembly code.
    pub size: u64,
    /// Its name, as the linker knows it.
    pub name: String,
}

/// The functions and labels in the code of an ELF, by address; of several names for one address
/// the one that covers more comes last.
pub fn code_symbols(path: &Path) -> Result<Vec<CodeSymbol>> {
    let data = std::fs::read(path)?;
    let file = ElfFile64::<Endianness>::parse(&*data)?;
    let is_code = |index| {
        file.section_by_index(index)
            .is_ok_and(|section| section.kind() == SectionKind::Text)
    };
    let mut symbols: Vec<CodeSymbol> = Vec::new();
    for symbol in file.symbols() {
        let kind = matches!(
            symbol.kind(),
            SymbolKind::Text | SymbolKind::Unknown | SymbolKind::Label
        );
        let name = symbol.name().unwrap_or_default().to_owned();
        if kind && !name.is_empty() && symbol.section_index().is_some_and(is_code) {
            symbols.push(CodeSymbol {
                address: symbol.address(),
                size: symbol.size(),
                name,
            });
        }
    }
    symbols.sort_by_key(|symbol| (symbol.address, symbol.size));
    Ok(symbols)
}

fn inspect<T>(path: &Path, then: impl FnOnce(&ElfFile64) -> T) -> Result<T> {
    let data = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let complain = |what: &str| failure::user(format!("{} {what}", path.display()));
    if !data.starts_with(b"\x7fELF") {
        return Err(complain(
            "is not an ELF file: give a program, not a script or a source file",
        ));
    }
    let file = ElfFile64::<Endianness>::parse(&*data)
        .map_err(|error| complain(&format!("is not a sound 64-bit ELF file: {error}")))?;
    match problem(&file) {
        Some(what) => Err(complain(&what)),
        None => Ok(then(&file)),
    }
}

/// Why this ELF cannot be booted, and what to do; nothing if it can.
fn problem(file: &ElfFile64) -> Option<String> {
    let endian = file.endian();
    let header = file.elf_header();
    let has = |kind| {
        file.elf_program_headers()
            .iter()
            .any(|p| p.p_type(endian) == kind)
    };
    let remedy = "build it with `cargo lintel build`, or with -Ctarget-feature=+crt-static \
                  -Crelocation-model=static (gcc: -static -no-pie)";
    let kind = header.e_type(endian);
    if header.e_machine(endian) != EM_X86_64 {
        return Some("is not for x86-64: build it for x86_64-unknown-linux-gnu".into());
    }
    if has(PT_INTERP) || (kind == ET_EXEC && has(PT_DYNAMIC)) {
        return Some(format!("is dynamically linked: {remedy}"));
    }
    if kind == ET_DYN {
        return Some(format!("is position-independent (PIE): {remedy}"));
    }
    if kind != ET_EXEC {
        return Some("is not an executable: link it first".into());
    }
    if !has_pvh_note(file) {
        return Some(
            "does not contain Lintel: add the dependency `lintel` and `use lintel as _;` to the \
             program, or for C put \"$(cargo lintel object)\" on the gcc line"
                .into(),
        );
    }
    None
}

fn has_pvh_note(file: &ElfFile64) -> bool {
    let endian = file.endian();
    let data = file.data();
    file.elf_program_headers().iter().any(|segment| {
        let Ok(Some(mut notes)) = segment.notes(endian, data) else {
            return false;
        };
        let mut found = false;
        while let Ok(Some(note)) = notes.next() {
            found |= (note.name(), note.n_type(endian)) == PVH_NOTE;
        }
        found
    })
}

/// The smallest ELF that QEMU boots: `code` (32-bit, entered in protected mode) at 1 MiB.
pub fn pvh_image(code: &[u8]) -> Vec<u8> {
    const BASE: u64 = 0x10_0000;
    const NOTE_AT: u64 = 64 + 2 * 56;
    const NOTE_SIZE: u64 = 20;
    const CODE_AT: u64 = 0x1000;
    let mut image = b"\x7fELF\x02\x01\x01".to_vec();
    image.resize(16, 0);
    image.extend(ET_EXEC.0.to_le_bytes());
    image.extend(EM_X86_64.0.to_le_bytes());
    image.extend(1u32.to_le_bytes());
    [BASE, 64, 0]
        .iter()
        .for_each(|value: &u64| image.extend(value.to_le_bytes()));
    image.extend(0u32.to_le_bytes());
    [64u16, 56, 2, 0, 0, 0]
        .iter()
        .for_each(|value| image.extend(value.to_le_bytes()));
    let mut segment = |kind: u32, offset: u64, size: u64| {
        image.extend(kind.to_le_bytes());
        image.extend(5u32.to_le_bytes());
        let fields = [offset, BASE, BASE, size, size, 4];
        fields
            .iter()
            .for_each(|value| image.extend(value.to_le_bytes()));
    };
    segment(PT_LOAD.0, CODE_AT, code.len() as u64);
    segment(PT_NOTE.0, NOTE_AT, NOTE_SIZE);
    [4u32, 4, PVH_NOTE.1.0]
        .iter()
        .for_each(|value| image.extend(value.to_le_bytes()));
    image.extend(b"Xen\0");
    image.extend(0x10_0000u32.to_le_bytes());
    image.resize(0x1000, 0);
    image.extend(code);
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(bytes: &[u8]) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        check(file.path()).err().map(|error| error.to_string())
    }

    /// A bootable image with one 16-bit field of its header replaced.
    fn with_field(at: usize, value: u16) -> Vec<u8> {
        let mut image = pvh_image(&[0xf4]);
        image[at..at + 2].copy_from_slice(&value.to_le_bytes());
        image
    }

    #[test]
    fn a_bootable_elf_is_accepted() {
        assert_eq!(verdict(&pvh_image(&[0xf4])), None);
    }

    #[test]
    fn every_other_file_gets_its_own_message() {
        let says = |bytes: &[u8], what: &str| {
            let message = verdict(bytes).unwrap_or_default();
            assert!(message.contains(what), "{message}");
        };
        const TYPE: usize = 16;
        const MACHINE: usize = 18;
        const SECOND_SEGMENT_TYPE: usize = 64 + 56;
        says(b"#!/bin/sh\n", "not an ELF");
        says(b"\x7fELF garbage", "not a sound");
        says(&with_field(MACHINE, 183), "not for x86-64");
        says(&with_field(TYPE, 3), "position-independent");
        says(&with_field(TYPE, 1), "not an executable");
        says(&with_field(SECOND_SEGMENT_TYPE, 3), "dynamically linked");
        says(
            &with_field(SECOND_SEGMENT_TYPE, 0),
            "does not contain Lintel",
        );
    }
}
