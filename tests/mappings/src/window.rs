//! A window of the address space in which pages are mapped at fixed places, protected, discarded
//! and unmapped, all by ranges that begin and end anywhere.

use super::PAGE;
use super::model::{Model, Page};
use super::probe::{self, Probe};
use super::random::Random;
use std::ops::Range;

/// Where the window is: far from where the kernel puts mappings, so that none comes to lie in a hole.
const BASE: usize = 0x5000_0000_0000;

/// Pages in the window.
const PAGES: usize = 600;

/// The window, and what it should be.
pub struct Window {
    base: usize,
    model: Model,
    probe: Probe,
}

/// Compares a call with the model.
fn same(
    what: &str,
    range: &Range<usize>,
    got: Result<usize, i32>,
    expected: Result<usize, i32>,
) -> Result<(), String> {
    if got == expected {
        return Ok(());
    }
    Err(format!(
        "{what} of pages {range:?}: {got:?}, not {expected:?}"
    ))
}

impl Window {
    /// Finds room for the window.
    pub fn new() -> Result<Self, String> {
        let flags = libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
        let base = probe::map(BASE, PAGES * PAGE, libc::PROT_NONE, flags)
            .map_err(|errno| format!("no room for the window: errno {errno}"))?;
        let mut model = Model::new(PAGES);
        model.set(0..PAGES, Page::fresh(libc::PROT_NONE));
        let probe = Probe::new()?;
        Ok(Self { base, model, probe })
    }

    /// Makes a random operation.
    pub fn step(&mut self, random: &mut Random) -> Result<(), String> {
        let range = pages(random);
        match random.below(16) {
            0 | 1 => self.map(range, protection(random)),
            2 => self.map_new(range, protection(random)),
            3 => self.unmap(range),
            4 | 5 => self.protect(range, protection(random)),
            6 => self.discard(range),
            7 => self.inspect(range.start, random),
            8..=11 => self.write(range, random),
            _ => self.read(range),
        }
    }

    fn address(&self, page: usize) -> usize {
        self.base + page * PAGE
    }

    fn map(&mut self, range: Range<usize>, protection: i32) -> Result<(), String> {
        let at = self.address(range.start);
        let got = probe::map(at, range.len() * PAGE, protection, libc::MAP_FIXED);
        self.model.set(range.clone(), Page::fresh(protection));
        same("MAP_FIXED", &range, got, Ok(at))
    }

    fn map_new(&mut self, range: Range<usize>, protection: i32) -> Result<(), String> {
        let at = self.address(range.start);
        let flags = libc::MAP_FIXED_NOREPLACE;
        let got = probe::map(at, range.len() * PAGE, protection, flags);
        if self.model.any_mapped(range.clone()) {
            return same("MAP_FIXED_NOREPLACE", &range, got, Err(libc::EEXIST));
        }
        self.model.set(range.clone(), Page::fresh(protection));
        same("MAP_FIXED_NOREPLACE", &range, got, Ok(at))
    }

    fn unmap(&mut self, range: Range<usize>) -> Result<(), String> {
        let got = probe::unmap(self.address(range.start), range.len() * PAGE);
        self.model.set(range.clone(), Page::HOLE);
        same("munmap", &range, got, Ok(0))
    }

    fn protect(&mut self, range: Range<usize>, protection: i32) -> Result<(), String> {
        let got = probe::protect(self.address(range.start), range.len() * PAGE, protection);
        let whole = self.model.protect(range.clone(), protection);
        let expected = if whole { Ok(0) } else { Err(libc::ENOMEM) };
        same("mprotect", &range, got, expected)
    }

    fn discard(&mut self, range: Range<usize>) -> Result<(), String> {
        let len = range.len() * PAGE;
        let got = probe::advise(self.address(range.start), len, libc::MADV_DONTNEED);
        let whole = self.model.discard(range.clone());
        let expected = if whole { Ok(0) } else { Err(libc::ENOMEM) };
        same("MADV_DONTNEED", &range, got, expected)
    }

    /// Asks the kernel whether a page may be read and written; neither changes it.
    fn inspect(&mut self, page: usize, random: &mut Random) -> Result<(), String> {
        let (at, wanted) = (self.address(page), *self.model.page(page));
        let expected = wanted.is_readable().then_some(wanted.tag);
        let got = self.probe.read(at);
        if got != expected {
            return Err(format!("page {page} reads {got:?}, not {expected:?}"));
        }
        let tag = random.tag();
        let got = self.probe.write(at, tag);
        if got != wanted.is_writable() {
            return Err(format!("page {page} can be written: {got}"));
        }
        if got {
            // The kernel wrote the first word; the last one must agree.
            probe::store(at, tag);
            self.model.page(page).tag = tag;
        }
        Ok(())
    }

    fn write(&mut self, range: Range<usize>, random: &mut Random) -> Result<(), String> {
        for page in range {
            if self.model.page(page).is_writable() {
                let tag = random.tag();
                probe::store(self.address(page), tag);
                self.model.page(page).tag = tag;
            }
        }
        Ok(())
    }

    fn read(&mut self, range: Range<usize>) -> Result<(), String> {
        for page in range {
            let at = self.address(page);
            let wanted = *self.model.page(page);
            if wanted.is_readable() && !probe::has(at, wanted.tag) {
                let got = probe::load(at);
                return Err(format!("page {page} has {got:#x}, not {:#x}", wanted.tag));
            }
        }
        Ok(())
    }

    /// Looks at every page.
    pub fn check_all(&mut self) -> Result<(), String> {
        self.read(0..PAGES)?;
        for page in 0..PAGES {
            let wanted = *self.model.page(page);
            let expected = wanted.is_readable().then_some(wanted.tag);
            let got = self.probe.read(self.address(page));
            if got != expected {
                return Err(format!(
                    "at the end page {page} reads {got:?}, not {expected:?}"
                ));
            }
        }
        Ok(())
    }

    /// Maps all of it as it was at the start.
    pub fn clear(&mut self) -> Result<(), String> {
        self.map(0..PAGES, libc::PROT_NONE)
    }
}

/// A range of pages, most of them short.
fn pages(random: &mut Random) -> Range<usize> {
    let most = match random.below(8) {
        0 => 256,
        1 | 2 => 40,
        _ => 6,
    };
    let start = random.below(PAGES);
    let len = random.below(most) + 1;
    start..(start + len).min(PAGES)
}

/// What a range permits, most often everything that data needs. On x86 writable implies readable,
/// and so does executable but where the CPU has protection keys.
fn protection(random: &mut Random) -> i32 {
    match random.below(8) {
        0 => libc::PROT_NONE,
        1 | 2 => libc::PROT_READ,
        3 => libc::PROT_READ | libc::PROT_EXEC,
        _ => libc::PROT_READ | libc::PROT_WRITE,
    }
}
