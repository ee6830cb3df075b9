//! The list of areas: what of the address space is mapped page by page, on demand.
//!
//! Small ordinary memory is not here: it is frames of the identity map, with a bit each
//! ([`frames`](super::frames)). An *area* has addresses of its own; a page of it gets a frame when it
//! is touched ([`demand`](super::demand)).
//!
//! The list is a sorted vector. A program has tens of areas, where a search is a few comparisons and
//! an insertion moves less than a tree's rebalancing touches; and a vector can refuse to grow, which
//! a tree of the standard library cannot: memory that is short is `ENOMEM`, as mmap(2) has it.

use super::PAGE;
use super::paging::Access;
use crate::errno::Errno;
use crate::fs::fd::File;
use crate::fs::pages::tree::Tree;
use crate::fs::rc::Ref;
use crate::sync::Exclusive;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Most areas that a process may have (`vm.max_map_count`).
pub const MOST: usize = 65_530;

/// A file that is mapped, by one call of mmap(2); the areas that it is cut into share it.
pub struct Mapping {
    /// What was mapped.
    pub file: File,
    /// Stores go to the file (MAP_SHARED).
    pub shared: bool,
    /// Pages of the file that are in the page tables, by their index in the file.
    pub pages: Exclusive<Tree>,
}

/// How many there are.
static MAPPINGS: AtomicUsize = AtomicUsize::new(0);

impl Mapping {
    /// A file that is about to be mapped.
    pub fn new(file: File, shared: bool) -> Self {
        MAPPINGS.fetch_add(1, Relaxed);
        Self {
            file,
            shared,
            pages: Exclusive::new(Tree::new()),
        }
    }

    /// Whether any file is mapped.
    #[inline(always)]
    pub fn exist() -> bool {
        MAPPINGS.load(Relaxed) != 0
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        MAPPINGS.fetch_sub(1, Relaxed);
    }
}

/// Where the content of an area is from.
#[derive(Clone)]
pub enum Backing {
    /// Zeros.
    Anonymous,
    /// A file, from the page with this index on.
    File(Ref<Mapping>, u64),
}

impl Backing {
    /// The same, `bytes` further on.
    pub fn skip(&self, bytes: usize) -> Self {
        match self {
            Self::Anonymous => Self::Anonymous,
            Self::File(mapping, first) => {
                Self::File(mapping.clone(), first + (bytes / PAGE) as u64)
            }
        }
    }

    /// Whether `next` goes on where an area with this backing and `len` bytes ends.
    fn continues(&self, len: usize, next: &Self) -> bool {
        match (self, next) {
            (Self::Anonymous, Self::Anonymous) => true,
            (Self::File(one, first), Self::File(other, second)) => {
                Ref::same(one, other) && first + (len / PAGE) as u64 == *second
            }
            _ => false,
        }
    }
}

/// A part of the address space: whole pages, all with the same rights and backing.
#[derive(Clone)]
pub struct Area {
    /// Its addresses.
    pub range: Range<usize>,
    /// What it permits; `None`: nothing at all.
    pub access: Option<Access>,
    /// Where its content is from.
    pub backing: Backing,
    /// It grows downwards when the page below it is touched (MAP_GROWSDOWN).
    pub grows_down: bool,
}

impl Area {
    fn takes(&self, next: &Self) -> bool {
        self.range.end == next.range.start
            && self.access == next.access
            && self.grows_down == next.grows_down
            && self.backing.continues(self.range.len(), &next.backing)
    }

    /// The index in its file of the page at `address`.
    pub fn index(&self, address: usize) -> u64 {
        match &self.backing {
            Backing::Anonymous => 0,
            Backing::File(_, first) => first + ((address - self.range.start) / PAGE) as u64,
        }
    }
}

/// All areas, by address; no two overlap, and none could be joined with the next.
pub struct Areas {
    list: Vec<Area>,
}

impl Areas {
    /// None.
    #[allow(clippy::new_without_default, reason = "const, for a static")]
    pub const fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// The number of the first area that ends behind `address`.
    fn position(&self, address: usize) -> usize {
        self.list.partition_point(|area| area.range.end <= address)
    }

    /// The first area that ends behind `address`.
    pub fn next(&self, address: usize) -> Option<&Area> {
        self.list.get(self.position(address))
    }

    /// The area with `address` in it.
    pub fn find(&self, address: usize) -> Option<&Area> {
        self.next(address)
            .filter(|area| area.range.contains(&address))
    }

    /// The areas that have a part in `range`.
    pub fn inside(&self, range: Range<usize>) -> impl Iterator<Item = &Area> {
        let first = self.position(range.start);
        self.list[first..]
            .iter()
            .take_while(move |area| area.range.start < range.end)
    }

    /// Whether no area has a part in `range`.
    pub fn is_free(&self, range: Range<usize>) -> bool {
        self.inside(range).next().is_none()
    }

    /// How far from its start `range` is covered without a hole.
    pub fn covered(&self, range: Range<usize>) -> usize {
        let mut end = range.start;
        for area in self.inside(range.clone()) {
            if area.range.start > end {
                break;
            }
            end = area.range.end;
        }
        end.min(range.end)
    }

    /// Room for `more` areas: `ENOMEM`. Whoever changes the list asks first, so that no change ends
    /// halfway.
    pub fn make_room(&mut self, more: usize) -> Result<(), Errno> {
        if self.list.len() + more > MOST || self.list.try_reserve(more).is_err() {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    /// Adds an area where there is none, joined with its neighbours if they are alike. There is room.
    pub fn insert(&mut self, area: Area) {
        let at = self.position(area.range.start);
        debug_assert!(self.is_free(area.range.clone()));
        self.list.insert(at, area);
        self.join(at);
        if let Some(before) = at.checked_sub(1) {
            self.join(before);
        }
    }

    /// Joins the area `at` with the next if they are alike.
    fn join(&mut self, at: usize) {
        if let [one, other, ..] = &self.list[at..]
            && one.takes(other)
        {
            self.list[at].range.end = self.list[at + 1].range.end;
            self.list.remove(at + 1);
        }
    }

    /// Makes `at` a boundary, if it is inside an area. There is room for one more.
    fn split(&mut self, at: usize) {
        let position = self.position(at);
        let Some(area) = self.list.get_mut(position) else {
            return;
        };
        if area.range.start >= at {
            return;
        }
        let mut upper = area.clone();
        upper.backing = area.backing.skip(at - area.range.start);
        upper.range.start = at;
        area.range.end = at;
        self.list.insert(position + 1, upper);
    }

    /// Takes away what of the areas is in `range`. There is room for two more.
    pub fn remove(&mut self, range: Range<usize>) {
        self.split(range.start);
        self.split(range.end);
        let (first, last) = (self.position(range.start), self.position(range.end - 1));
        let partly = self
            .list
            .get(last)
            .is_some_and(|area| area.range.start < range.end);
        self.list.drain(first..last + usize::from(partly));
    }

    /// Gives what of the areas is in `range` other rights. There is room for two more.
    pub fn protect(&mut self, range: Range<usize>, access: Option<Access>) {
        self.split(range.start);
        self.split(range.end);
        let mut at = self.position(range.start);
        let first = at;
        while let Some(area) = self.list.get_mut(at)
            && area.range.start < range.end
        {
            area.access = access;
            at += 1;
        }
        // From behind, so that numbers in front stay what they are.
        for at in (first.saturating_sub(1)..at).rev() {
            self.join(at);
        }
    }

    /// Lets the area that begins at `start` begin at `lower`, where there is none.
    pub fn grow_down(&mut self, start: usize, lower: usize) {
        let at = self.position(start);
        self.list[at].range.start = lower;
    }

    /// The highest free range of `len` bytes inside `within`; its start.
    pub fn gap(&self, len: usize, within: Range<usize>) -> Option<usize> {
        let mut end = within.end;
        let last = self.position(within.end);
        let below = self.list[..self.list.len().min(last + 1)].iter().rev();
        for area in below {
            if area.range.start >= end {
                continue;
            }
            if area.range.end < end && end - area.range.end >= len {
                break;
            }
            end = area.range.start;
        }
        let start = end.checked_sub(len)?;
        (start >= within.start).then_some(start)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

#[cfg(test)]
mod tests;
