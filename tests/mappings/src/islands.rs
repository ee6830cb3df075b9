//! Mappings that the kernel places: they grow, shrink, move and go as a whole.

use super::PAGE;
use super::probe;
use super::random::Random;

/// The most of them at a time.
const MOST: usize = 48;

/// The most pages that all of them have together.
const PAGES: usize = 6000;

/// One mapping, readable and writable; the tag of every page.
struct Island {
    at: usize,
    tags: Vec<u64>,
}

impl Island {
    fn len(&self) -> usize {
        self.tags.len() * PAGE
    }

    fn end(&self) -> usize {
        self.at + self.len()
    }

    fn page(&self, number: usize) -> usize {
        self.at + number * PAGE
    }

    /// Compares some pages, all of them when `every` is 1.
    fn check(&self, every: usize) -> Result<(), String> {
        for (number, &tag) in self.tags.iter().enumerate().step_by(every) {
            if !probe::has(self.page(number), tag) {
                let got = probe::load(self.page(number));
                return Err(format!(
                    "page {number} of {} has {got:#x}, not {tag:#x}",
                    self.tags.len()
                ));
            }
        }
        Ok(())
    }
}

/// All of them.
pub struct Islands {
    list: Vec<Island>,
    pages: usize,
}

impl Islands {
    /// None yet.
    pub fn new() -> Self {
        Self {
            list: Vec::with_capacity(MOST),
            pages: 0,
        }
    }

    /// Makes a random operation.
    pub fn step(&mut self, random: &mut Random) -> Result<(), String> {
        if self.list.is_empty() || self.list.len() < MOST && random.below(4) == 0 {
            return self.map(random);
        }
        let which = random.below(self.list.len());
        match random.below(8) {
            0 | 1 => self.unmap(which),
            2 => self.resize(which, random, libc::MREMAP_MAYMOVE),
            3 => self.resize(which, random, 0),
            4 => self.discard(which, random),
            5 => self.list[which].check(1),
            _ => self.write(which, random),
        }
    }

    fn size(random: &mut Random) -> usize {
        let most = match random.below(32) {
            0 => 1200,
            1..=8 => 64,
            _ => 8,
        };
        random.below(most) + 1
    }

    fn map(&mut self, random: &mut Random) -> Result<(), String> {
        let pages = Self::size(random);
        if self.pages + pages > PAGES {
            return Ok(());
        }
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let at = probe::map(0, pages * PAGE, protection, 0)
            .map_err(|errno| format!("mmap of {pages} pages: errno {errno}"))?;
        let new = Island {
            at,
            tags: vec![0; pages],
        };
        self.check_apart(&new)?;
        new.check(1 + pages / 16)?;
        self.pages += pages;
        self.list.push(new);
        Ok(())
    }

    /// No two mappings may share an address.
    fn check_apart(&self, new: &Island) -> Result<(), String> {
        let meets = |old: &&Island| new.at < old.end() && old.at < new.end();
        match self.list.iter().find(meets) {
            Some(old) => Err(format!(
                "{:#x}..{:#x} was given twice: {:#x}..{:#x}",
                old.at,
                old.end(),
                new.at,
                new.end()
            )),
            None => Ok(()),
        }
    }

    fn unmap(&mut self, which: usize) -> Result<(), String> {
        let old = self.list.swap_remove(which);
        old.check(1)?;
        self.pages -= old.tags.len();
        probe::unmap(old.at, old.len())
            .map(|_| ())
            .map_err(|errno| format!("munmap of {} pages: errno {errno}", old.tags.len()))
    }

    /// mremap(2) to another size; without MREMAP_MAYMOVE growing may be refused with ENOMEM.
    fn resize(&mut self, which: usize, random: &mut Random, flags: i32) -> Result<(), String> {
        let pages = Self::size(random);
        let mut old = self.list.swap_remove(which);
        let had = old.tags.len();
        if self.pages - had + pages > PAGES {
            self.list.push(old);
            return Ok(());
        }
        match probe::remap(old.at, had * PAGE, pages * PAGE, flags) {
            Ok(at) if flags == 0 && at != old.at => {
                return Err(format!("mremap moved {had} pages without MREMAP_MAYMOVE"));
            }
            Ok(at) => {
                old.at = at;
                old.tags.resize(pages, 0);
                self.pages = self.pages - had + pages;
                self.check_apart(&old)?;
                old.check(1)?;
            }
            Err(libc::ENOMEM) if flags == 0 && pages > had => {}
            Err(errno) => return Err(format!("mremap {had} to {pages} pages: errno {errno}")),
        }
        self.list.push(old);
        Ok(())
    }

    fn discard(&mut self, which: usize, random: &mut Random) -> Result<(), String> {
        let island = &mut self.list[which];
        let first = random.below(island.tags.len());
        let count = random.below(island.tags.len() - first) + 1;
        let at = island.page(first);
        probe::advise(at, count * PAGE, libc::MADV_DONTNEED)
            .map_err(|errno| format!("MADV_DONTNEED of {count} pages: errno {errno}"))?;
        island.tags[first..first + count].fill(0);
        island.check(1 + count / 16)
    }

    fn write(&mut self, which: usize, random: &mut Random) -> Result<(), String> {
        let island = &mut self.list[which];
        for number in (random.below(4)..island.tags.len()).step_by(1 + random.below(8)) {
            let tag = random.tag();
            probe::store(island.page(number), tag);
            island.tags[number] = tag;
        }
        Ok(())
    }

    /// Unmaps all of them.
    pub fn clear(&mut self) -> Result<(), String> {
        while !self.list.is_empty() {
            self.unmap(0)?;
        }
        Ok(())
    }
}
