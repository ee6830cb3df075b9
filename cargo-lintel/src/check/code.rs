//! An object or executable as one flat space of addresses, with its relocations resolved.

use anyhow::{Context, Result, bail};
use iced_x86::{Decoder, DecoderOptions, Instruction};
use object::elf::{R_X86_64_64, R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_REX_GOTPCRELX};
use object::{
    Architecture, Object, ObjectKind, ObjectSection, ObjectSymbol, RelocationFlags,
    RelocationTarget, SectionIndex, SectionKind, SymbolKind,
};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Sections of a relocatable object have no addresses; each gets a range of this size.
const SPACING: u64 = 1 << 32;

/// Where a relocated field of an instruction points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// At this address.
    Address(u64),
    /// At a symbol that is not defined here.
    Undefined(String),
}

struct Section {
    start: u64,
    data: Vec<u8>,
}

struct Relocation {
    target: Target,
    addend: i64,
    kind: u32,
}

/// The code of a file.
pub struct Code {
    sections: Vec<Section>,
    /// Name and size of the symbols in sections, by address.
    symbols: BTreeMap<u64, (String, u64)>,
    relocations: HashMap<u64, Relocation>,
}

/// An instruction and what its relocated fields point at.
pub struct Decoded {
    /// The instruction; its address is in the flat space.
    pub instruction: Instruction,
    /// Where a direct branch or call goes, or the symbol that `call *f@GOTPCREL(%rip)` loads.
    pub branch: Option<Target>,
    /// What a relocated memory operand points at.
    pub memory: Option<Target>,
}

impl Code {
    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self> {
        let data =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let file = object::File::parse(&*data)
            .with_context(|| format!("{} is not an object file", path.display()))?;
        if file.architecture() != Architecture::X86_64 {
            bail!("{} is not for x86-64", path.display());
        }
        let bases = bases(&file);
        let mut code = Self {
            sections: Vec::new(),
            symbols: BTreeMap::new(),
            relocations: HashMap::new(),
        };
        for section in file.sections() {
            let Some(&start) = bases.get(&section.index()) else {
                continue;
            };
            code.add_section(&file, &section, start, &bases)?;
        }
        for symbol in file.symbols() {
            code.add_symbol(&symbol, &bases);
        }
        Ok(code)
    }

    fn add_section<'data, O: Object<'data>>(
        &mut self,
        file: &O,
        section: &impl ObjectSection<'data>,
        start: u64,
        bases: &HashMap<SectionIndex, u64>,
    ) -> Result<()> {
        for (offset, relocation) in section.relocations() {
            let RelocationFlags::Elf { r_type } = relocation.flags() else {
                continue;
            };
            let RelocationTarget::Symbol(index) = relocation.target() else {
                continue;
            };
            let symbol = file.symbol_by_index(index)?;
            let target = match symbol.section_index().and_then(|index| bases.get(&index)) {
                Some(base) => Target::Address(base + symbol.address()),
                None => Target::Undefined(symbol.name().unwrap_or_default().to_owned()),
            };
            let kind = r_type.0;
            let addend = relocation.addend();
            self.relocations.insert(
                start + offset,
                Relocation {
                    target,
                    addend,
                    kind,
                },
            );
        }
        if section.kind() == SectionKind::Text {
            self.sections.push(Section {
                start,
                data: section.data()?.to_vec(),
            });
        }
        Ok(())
    }

    fn add_symbol<'data>(
        &mut self,
        symbol: &impl ObjectSymbol<'data>,
        bases: &HashMap<SectionIndex, u64>,
    ) {
        let Some(base) = symbol.section_index().and_then(|index| bases.get(&index)) else {
            return;
        };
        let name = symbol.name().unwrap_or_default();
        if name.is_empty() || matches!(symbol.kind(), SymbolKind::Section | SymbolKind::File) {
            return;
        }
        // In an executable symbol addresses are absolute and the bases are zero.
        let entry = self.symbols.entry(base + symbol.address()).or_default();
        let better = entry.0.is_empty() || (entry.1 == 0 && symbol.size() > 0);
        if better {
            *entry = (name.to_owned(), symbol.size());
        }
    }

    /// The symbols whose names begin with `prefix`: name and address.
    pub fn symbols_with_prefix(&self, prefix: &str) -> Vec<(String, u64)> {
        let wanted = self
            .symbols
            .iter()
            .filter(|(_, (name, _))| name.starts_with(prefix));
        let mut list: Vec<_> = wanted
            .map(|(&address, (name, _))| (name.clone(), address))
            .collect();
        list.sort();
        list
    }

    /// The symbol at or before `address`: its name and the addresses it covers.
    pub fn function_at(&self, address: u64) -> Option<(&str, std::ops::Range<u64>)> {
        let (&start, (name, size)) = self.symbols.range(..=address).next_back()?;
        let next = self
            .symbols
            .range(address + 1..)
            .next()
            .map_or(u64::MAX, |(&start, _)| start);
        let end = if *size == 0 { next } else { start + size };
        (address < end).then_some((name.as_str(), start..end))
    }

    /// Decodes the instruction at `address`.
    pub fn decode(&self, address: u64) -> Option<Decoded> {
        let section = self.sections.iter().find(|section| {
            (section.start..section.start + section.data.len() as u64).contains(&address)
        })?;
        let offset = usize::try_from(address - section.start).ok()?;
        let mut decoder =
            Decoder::with_ip(64, &section.data[offset..], address, DecoderOptions::NONE);
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            return None;
        }
        let fields = decoder.get_constant_offsets(&instruction);
        let field = |present: bool, at: usize| present.then_some(address + at as u64);
        let immediate = field(fields.has_immediate(), fields.immediate_offset());
        let displacement = field(fields.has_displacement(), fields.displacement_offset());
        let mut branch = immediate
            .filter(|_| is_near_branch(&instruction))
            .and_then(|at| self.resolve(at, instruction.next_ip() - at));
        if branch.is_none() && is_near_branch(&instruction) {
            branch = Some(Target::Address(instruction.near_branch_target()));
        }
        let mut memory = displacement.and_then(|at| {
            let relative = instruction.is_ip_rel_memory_operand();
            self.resolve(
                at,
                if relative {
                    instruction.next_ip() - at
                } else {
                    0
                },
            )
        });
        if displacement.is_some_and(|at| self.goes_through_got(at)) {
            branch = memory.take();
        }
        Some(Decoded {
            instruction,
            branch,
            memory,
        })
    }

    /// The address stored at `address` by a relocation, as in a jump table.
    pub fn pointer_at(&self, address: u64) -> Option<u64> {
        let relocation = self.relocations.get(&address)?;
        match (relocation.kind == R_X86_64_64.0, self.resolve(address, 0)) {
            (true, Some(Target::Address(target))) => Some(target),
            _ => None,
        }
    }

    /// What the relocated field at `at` points at; `distance` is from the field to the place it is
    /// relative to (0 if it is absolute).
    fn resolve(&self, at: u64, distance: u64) -> Option<Target> {
        let relocation = self.relocations.get(&at)?;
        Some(match &relocation.target {
            Target::Address(base) => Target::Address(
                base.wrapping_add_signed(relocation.addend)
                    .wrapping_add(distance),
            ),
            undefined @ Target::Undefined(_) => undefined.clone(),
        })
    }

    fn goes_through_got(&self, at: u64) -> bool {
        let kinds = [
            R_X86_64_GOTPCREL.0,
            R_X86_64_GOTPCRELX.0,
            R_X86_64_REX_GOTPCRELX.0,
        ];
        self.relocations
            .get(&at)
            .is_some_and(|relocation| kinds.contains(&relocation.kind))
    }
}

fn is_near_branch(instruction: &Instruction) -> bool {
    use iced_x86::OpKind;
    matches!(
        instruction.op0_kind(),
        OpKind::NearBranch64 | OpKind::NearBranch32
    )
}

/// The address that stands for the start of each loaded section.
fn bases<'data>(file: &impl Object<'data>) -> HashMap<SectionIndex, u64> {
    let relocatable = file.kind() == ObjectKind::Relocatable;
    let base = |section: SectionIndex| {
        if relocatable {
            section.0 as u64 * SPACING
        } else {
            0
        }
    };
    file.sections()
        .map(|section| (section.index(), base(section.index())))
        .collect()
}
