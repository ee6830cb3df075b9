//! Which page is where in a file: a radix tree with 64 places a node.
//!
//! A file of one page has no node, one of up to 256 KiB has one, one of 16 MiB two levels. What
//! was never written takes nothing, wherever it is.

use crate::errno::Errno;
use crate::fs::page::Page;
use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

const BITS: u32 = 6;
const FAN: usize = 1 << BITS;

/// A place in a node or the root: empty (the same bits in both views), or, at the lowest level, a
/// page, and else a node.
union Slot {
    page: ManuallyDrop<Option<Page>>,
    node: Option<NonNull<Node>>,
}

impl Slot {
    const EMPTY: Self = Self { node: None };

    #[inline]
    fn is_empty(&self) -> bool {
        // SAFETY: both views are a pointer that is null when the place is empty.
        unsafe { self.node.is_none() }
    }
}

/// 512 bytes, all zeros when new.
struct Node {
    slots: [Slot; FAN],
}

const NODE: Layout = Layout::new::<Node>();

impl Node {
    fn allocate() -> Result<NonNull<Self>, Errno> {
        // SAFETY: the layout is not of size 0.
        let node = unsafe { alloc_zeroed(NODE) };
        NonNull::new(node.cast()).ok_or(Errno::ENOMEM)
    }
}

/// Pages by index.
pub struct Tree {
    root: Slot,
    /// Bits of an index that the nodes decide about: 0 when the root is the page with index 0.
    shift: u32,
}

// SAFETY: a tree owns its nodes, and pages may be sent.
unsafe impl Send for Tree {}
// SAFETY: nothing changes through a shared reference.
unsafe impl Sync for Tree {}

/// What was taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Places that are empty now and were not.
    pub places: u64,
    /// Those of them that held a page of the file's own, not the page of zeros.
    pub frames: u64,
}

impl Tree {
    /// No pages.
    pub const fn new() -> Self {
        Self {
            root: Slot::EMPTY,
            shift: 0,
        }
    }

    /// The page at `index`.
    #[inline]
    pub fn get(&self, index: u64) -> Option<&Page> {
        if index >> self.shift != 0 {
            return None;
        }
        let (mut slot, mut shift) = (&self.root, self.shift);
        while shift != 0 {
            // SAFETY: above the lowest level a place holds a node or nothing.
            let node = unsafe { slot.node?.as_ref() };
            shift -= BITS;
            slot = &node.slots[(index >> shift) as usize % FAN];
        }
        // SAFETY: at the lowest level it holds a page or nothing.
        unsafe { slot.page.as_ref() }
    }

    /// Puts `page` at `index` (below 2^52); what was there before. `ENOMEM`.
    pub fn insert(&mut self, index: u64, page: Page) -> Result<Option<Page>, Errno> {
        while index >> self.shift != 0 {
            self.grow()?;
        }
        let (mut slot, mut shift) = (&mut self.root, self.shift);
        while shift != 0 {
            if slot.is_empty() {
                slot.node = Some(Node::allocate()?);
            }
            // SAFETY: above the lowest level a place holds a node or nothing, and not nothing; the
            // tree is ours to change.
            let node = unsafe { slot.node.ok_or(Errno::ENOMEM)?.as_mut() };
            shift -= BITS;
            slot = &mut node.slots[(index >> shift) as usize % FAN];
        }
        // SAFETY: at the lowest level it holds a page or nothing.
        Ok(unsafe { slot.page.replace(page) })
    }

    /// Adds a level above the root.
    fn grow(&mut self) -> Result<(), Errno> {
        if !self.root.is_empty() {
            let mut node = Node::allocate()?;
            let below = core::mem::replace(&mut self.root, Slot::EMPTY);
            // SAFETY: the node is new, and what it takes was the root's.
            unsafe { node.as_mut().slots[0] = below };
            self.root.node = Some(node);
        }
        self.shift += BITS;
        Ok(())
    }

    /// Takes out the pages with the indices `first` to `last`.
    pub fn remove(&mut self, first: u64, last: u64) -> Removed {
        let mut removed = Removed::default();
        let last = last.min((1 << self.shift) - 1);
        if first > last || self.root.is_empty() {
            return removed;
        }
        prune(&mut self.root, self.shift, first, last, &mut removed);
        self.shrink();
        removed
    }

    /// Takes levels away that only lead to the first place of the next.
    fn shrink(&mut self) {
        while self.shift != 0 {
            // SAFETY: above the lowest level a place holds a node or nothing.
            let Some(mut node) = (unsafe { self.root.node }) else {
                self.shift = 0;
                return;
            };
            // SAFETY: the tree is ours to change.
            let slots = unsafe { &mut node.as_mut().slots };
            if slots[1..].iter().any(|slot| !slot.is_empty()) {
                return;
            }
            self.root = core::mem::replace(&mut slots[0], Slot::EMPTY);
            self.shift -= BITS;
            // SAFETY: `Node::allocate` allocated it, and nothing leads to it any more.
            unsafe { dealloc(node.as_ptr().cast(), NODE) };
        }
    }

    /// The first page with an index of at least `index`, and its index.
    pub fn next(&self, index: u64) -> Option<(u64, &Page)> {
        if index >> self.shift != 0 {
            return None;
        }
        next_below(&self.root, self.shift, index)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.remove(0, u64::MAX);
    }
}

/// Empties places `first` to `last`, counted from the first one below `slot`, which is not empty,
/// and frees nodes that are empty then. At most nine levels deep.
fn prune(slot: &mut Slot, shift: u32, first: u64, last: u64, removed: &mut Removed) {
    if shift == 0 {
        // SAFETY: at the lowest level a place holds a page or nothing.
        if let Some(page) = unsafe { slot.page.take() } {
            removed.places += 1;
            removed.frames += u64::from(!page.is_zeros());
        }
        return;
    }
    // SAFETY: above the lowest level a place holds a node or nothing; the tree is the caller's.
    let Some(node) = (unsafe { slot.node.map(|mut node| node.as_mut()) }) else {
        return;
    };
    let below = shift - BITS;
    let (from, to) = (first >> below, last >> below);
    for place in from..=to {
        let slot = &mut node.slots[place as usize % FAN];
        if slot.is_empty() {
            continue;
        }
        let first = if place == from {
            first & mask(below)
        } else {
            0
        };
        let last = if place == to {
            last & mask(below)
        } else {
            mask(below)
        };
        prune(slot, below, first, last, removed);
    }
    let whole = first == 0 && last == mask(shift);
    if whole || node.slots.iter().all(Slot::is_empty) {
        // SAFETY: `Node::allocate` allocated it, and the one place that leads to it is emptied.
        unsafe { dealloc(core::ptr::from_mut(node).cast(), NODE) };
        *slot = Slot::EMPTY;
    }
}

/// The first page at place `index` or later, counted from the first one below `slot`.
fn next_below(slot: &Slot, shift: u32, index: u64) -> Option<(u64, &Page)> {
    if shift == 0 {
        // SAFETY: at the lowest level a place holds a page or nothing.
        return unsafe { slot.page.as_ref() }.map(|page| (0, page));
    }
    // SAFETY: above the lowest level a place holds a node or nothing.
    let node = unsafe { slot.node?.as_ref() };
    let below = shift - BITS;
    let start = index >> below;
    (start..FAN as u64).find_map(|place| {
        let index = if place == start {
            index & mask(below)
        } else {
            0
        };
        let (found, page) = next_below(&node.slots[place as usize % FAN], below, index)?;
        Some((place << below | found, page))
    })
}

/// The indices below a place that `shift` bits decide about.
fn mask(shift: u32) -> u64 {
    (1 << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn page() -> Page {
        Page::dirty().unwrap()
    }

    #[test]
    fn the_first_page_needs_no_node() {
        let mut tree = Tree::new();
        assert!(tree.insert(0, page()).unwrap().is_none());
        assert_eq!(tree.shift, 0);
        assert!(tree.get(0).is_some() && tree.get(1).is_none());
        assert!(tree.insert(63, page()).unwrap().is_none());
        assert_eq!(tree.shift, 6);
        let all = Removed {
            places: 1,
            frames: 1,
        };
        assert_eq!(tree.remove(1, 63), all);
        assert_eq!(tree.shift, 0);
        assert!(tree.insert(0, Page::zeros()).unwrap().is_some());
        assert_eq!(
            tree.remove(0, 0),
            Removed {
                places: 1,
                frames: 0
            }
        );
        assert!(tree.root.is_empty());
    }

    #[test]
    fn the_last_possible_index_works() {
        let mut tree = Tree::new();
        let last = i64::MAX as u64 >> 12;
        tree.insert(last, page()).unwrap();
        assert!(tree.get(last).is_some() && tree.get(u64::MAX).is_none());
        assert_eq!(tree.next(0).map(|(index, _)| index), Some(last));
        assert_eq!(tree.next(last).map(|(index, _)| index), Some(last));
        assert!(tree.next(last + 1).is_none());
        tree.insert(5, page()).unwrap();
        assert_eq!(tree.remove(6, u64::MAX).frames, 1);
        assert_eq!(
            (tree.shift, tree.next(0).map(|(index, _)| index)),
            (6, Some(5))
        );
    }

    /// Random insertions and removals against a map; sparse, and dense around some places.
    #[test]
    fn it_is_a_map() {
        let mut random = crate::fs::pages::random::Random::new(0x7ee5);
        let (rounds, steps) = if cfg!(miri) { (2, 60) } else { (40, 300) };
        for _ in 0..rounds {
            let (mut tree, mut map) = (Tree::new(), BTreeMap::new());
            for _ in 0..steps {
                let bits = random.below(52);
                let index = random.next() & ((1 << bits) - 1);
                match random.below(4) {
                    0 => {
                        let last = index.saturating_add(random.next() >> random.below(64));
                        let gone = map.range(index..=last).map(|(&n, _)| n).collect::<Vec<_>>();
                        gone.iter().for_each(|n| drop(map.remove(n)));
                        assert_eq!(tree.remove(index, last).places, gone.len() as u64);
                    }
                    _ => {
                        let new = page();
                        let old = map.insert(index, new.clone());
                        let replaced = tree.insert(index, new).unwrap();
                        assert_eq!(replaced.is_some(), old.is_some());
                    }
                }
                let at = random.next() & ((1 << bits) - 1);
                let next = map.range(at..).next().map(|(&n, page)| (n, page.address()));
                assert_eq!(tree.next(at).map(|(n, page)| (n, page.address())), next);
                assert_eq!(
                    tree.get(index).map(Page::address),
                    map.get(&index).map(Page::address)
                );
            }
            drop(tree);
            assert!(
                map.values().all(|page| !page.is_shared()),
                "the tree let all pages go"
            );
        }
    }
}
