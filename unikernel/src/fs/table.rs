//! An open-addressing hash table of indices: what a lookup probes.
//!
//! The table knows neither keys nor values. It maps a 32-bit hash to indices into a vector that the
//! caller keeps, and the caller says which index it means. A probe is one load and one call of
//! that predicate; entries are never removed (a dead index simply matches nothing). No vector
//! instruction is needed, unlike with a group-probing table, so a path walk leaves XMM alone.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

/// Hash to index. At most half full, so a failed lookup probes two slots on average.
#[derive(Debug, Default)]
pub struct Table {
    /// A power of two of slots (or none yet): 0 is free, else the index plus one.
    slots: Vec<u32>,
    used: usize,
}

impl Table {
    /// A table that holds `count` indices without growing.
    pub fn with_capacity(count: usize) -> Result<Self, TryReserveError> {
        let mut slots = Vec::new();
        let size = count.saturating_mul(2).max(16).checked_next_power_of_two();
        slots.try_reserve_exact(size.unwrap_or(usize::MAX))?;
        slots.resize(slots.capacity().min(size.unwrap_or_default()), 0);
        Ok(Self { slots, used: 0 })
    }

    /// The first index stored under `hash` for which `is_it` holds.
    #[inline]
    pub fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize;
        loop {
            // The mask keeps `at` inside; an empty table has no slot at all.
            let index = self.slots.get(at & mask)?.checked_sub(1)?;
            if is_it(index) {
                return Some(index);
            }
            at += 1;
        }
    }

    /// Stores `index` under `hash`. `hash_of` gives the hash of an index stored earlier, for the
    /// case that the table has to grow.
    pub fn insert(
        &mut self,
        hash: u32,
        index: u32,
        hash_of: impl Fn(u32) -> u32,
    ) -> Result<(), TryReserveError> {
        if self.used * 2 >= self.slots.len() {
            let mut bigger = Self::with_capacity(self.used * 2)?;
            for slot in self.slots.iter().filter(|&&slot| slot != 0) {
                bigger.place(hash_of(slot - 1), slot - 1);
            }
            *self = bigger;
        }
        self.place(hash, index);
        Ok(())
    }

    fn place(&mut self, hash: u32, index: u32) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = index + 1;
        self.used += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(index: u32) -> u32 {
        index.wrapping_mul(0x9e37_79b1)
    }

    #[test]
    fn finds_what_was_stored_and_nothing_else() {
        let mut table = Table::with_capacity(3).unwrap();
        for index in 0..1000 {
            table.insert(spread(index), index, spread).unwrap();
        }
        for index in 0..1000 {
            assert_eq!(table.find(spread(index), |it| it == index), Some(index));
            assert_eq!(table.find(spread(index), |_| false), None);
        }
        assert!(table.slots.len() >= 2000 && table.slots.len() <= 8192);
    }

    #[test]
    fn equal_hashes_are_told_apart_by_the_caller() {
        let mut table = Table::with_capacity(0).unwrap();
        for index in 0..40 {
            table.insert(7, index, |_| 7).unwrap();
        }
        assert_eq!(table.find(7, |it| it == 39), Some(39));
        assert_eq!(table.find(7, |it| it == 40), None);
        assert_eq!(table.find(8, |it| it == 40), None);
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        assert_eq!(Table::default().find(5, |_| true), None);
        assert!(Table::with_capacity(usize::MAX).is_err());
    }

    #[test]
    fn a_table_of_the_right_size_never_grows() {
        let mut table = Table::with_capacity(100).unwrap();
        let size = table.slots.len();
        for index in 0..100 {
            table
                .insert(spread(index), index, |_| unreachable!())
                .unwrap();
        }
        assert_eq!(table.slots.len(), size);
    }
}
