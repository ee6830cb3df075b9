//! Names for the code addresses in a crash report.

use crate::elf::{self, CodeSymbol};
use std::fmt::Write;
use std::path::Path;

/// The symbols and line table of one ELF.
pub struct Symbols {
    loader: addr2line::Loader,
    names: Vec<CodeSymbol>,
}

/// A code address found in a line of text.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// Where the address ends in the line.
    end: usize,
    address: u64,
    /// It is where a call returns to, so the call is at the byte before.
    is_return: bool,
}

impl Symbols {
    /// Reads the symbols of `elf`; nothing if it has none that can be read.
    pub fn load(elf: &Path) -> Option<Self> {
        let names = elf::code_symbols(elf).ok()?;
        addr2line::Loader::new(elf)
            .ok()
            .map(|loader| Self { loader, names })
    }

    /// The line with a name after its code address; lines of inlined callers follow.
    pub fn annotate(&self, line: &str) -> String {
        let Some(found) = find_address(line) else {
            return line.to_owned();
        };
        let mut text = line[..found.end].to_owned();
        let probe = found.address.saturating_sub(u64::from(found.is_return));
        let mut callers = String::new();
        let name = self.symbol(found.address, probe);
        // Without a symbol the line table is not asked: code that the linker dropped is in it, at
        // address 0.
        let place = name.as_ref().and_then(|_| self.frames(probe, &mut callers));
        let _ = write!(text, " <{}>", name.as_deref().unwrap_or("unknown"));
        if let Some(place) = place {
            let _ = write!(text, " {place}");
        }
        text.push_str(&line[found.end..]);
        text + &callers
    }

    /// `function+0xoffset` of the symbol that holds `probe`.
    fn symbol(&self, address: u64, probe: u64) -> Option<String> {
        let end = self.names.partition_point(|symbol| symbol.address <= probe);
        let symbol = self.names[..end].last()?;
        if symbol.size > 0 && probe - symbol.address >= symbol.size {
            return None;
        }
        let name = rustc_demangle::demangle(&symbol.name);
        Some(format!("{name:#}+{:#x}", address - symbol.address))
    }

    /// The innermost `file:line`; the callers it was inlined into are appended to `callers`.
    fn frames(&self, probe: u64, callers: &mut String) -> Option<String> {
        let mut frames = self.loader.find_frames(probe).ok()?;
        let mut innermost = None;
        let mut inlined: Option<String> = None;
        while let Ok(Some(frame)) = frames.next() {
            let place = frame.location.as_ref().and_then(place);
            let function = frame.function.as_ref().and_then(|f| f.raw_name().ok());
            let function = function.map(|name| format!("{:#}", rustc_demangle::demangle(&name)));
            if let Some(callee) = inlined.take() {
                let place = place.as_deref().unwrap_or("?");
                let _ = write!(callers, "\nlintel:      {callee} inlined at {place}");
            } else {
                innermost = place;
            }
            inlined = function;
        }
        innermost
    }
}

fn place(location: &addr2line::Location<'_>) -> Option<String> {
    Some(format!("{}:{}", location.file?, location.line?))
}

/// Finds `rip 0x…` or `#N 0x…`.
fn find_address(line: &str) -> Option<Found> {
    let words: Vec<(usize, &str)> = words(line).collect();
    for pair in words.windows(2) {
        let [(_, label), (start, value)] = pair else {
            continue;
        };
        let frame = label.strip_prefix('#').and_then(|n| n.parse::<u32>().ok());
        if frame.is_none() && *label != "rip" {
            continue;
        }
        if let Some(address) = value
            .strip_prefix("0x")
            .and_then(|hex| u64::from_str_radix(hex, 16).ok())
        {
            let is_return = frame.is_some_and(|n| n > 0);
            return Some(Found {
                end: start + value.len(),
                address,
                is_return,
            });
        }
    }
    None
}

/// The words of a line and where they start.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    line.split_ascii_whitespace().map(|word| {
        let start = word.as_ptr() as usize - line.as_ptr() as usize;
        (start, word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_after_their_labels() {
        let line = "lintel:   rip 0x0000000000204a31 rsp 0x7000";
        let found = find_address(line).unwrap();
        assert_eq!((found.address, found.is_return), (0x20_4a31, false));
        assert_eq!(&line[found.end..], " rsp 0x7000");
        assert!(!find_address("lintel:   #0 0x1234").unwrap().is_return);
        assert!(find_address("lintel:   #12 0x1234").unwrap().is_return);
        for none in ["page fault cr2 0x0", "rip", "#x 0x10", "rip 12", "#1 0xzz"] {
            assert_eq!(find_address(none), None, "{none}");
        }
    }

    #[test]
    fn own_functions_get_their_names() {
        let address = own_functions_get_their_names as fn() as usize;
        let exe = std::env::current_exe().unwrap();
        let base = load_base(&exe);
        let symbols = Symbols::load(&exe).unwrap();
        let text = symbols.annotate(&format!("  rip {:#x} rest", address as u64 - base));
        assert!(
            text.contains("own_functions_get_their_names") && text.contains(" rest"),
            "{text}"
        );
        assert!(symbols.annotate("  #1 0x1").ends_with("0x1 <unknown>"));
        assert_eq!(symbols.annotate("no address"), "no address");
    }

    /// Where the running test program was loaded (it is position-independent).
    fn load_base(exe: &Path) -> u64 {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line = maps
            .lines()
            .find(|line| line.ends_with(exe.to_str().unwrap()))
            .unwrap();
        u64::from_str_radix(line.split('-').next().unwrap(), 16).unwrap()
    }
}
