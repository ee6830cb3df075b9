//! A slab: values of one type under small numbers, which stay while the slab grows.
//!
//! Values live in chunks of 64, so that growing never moves one and never needs much contiguous
//! memory. A number that was freed is given out again, last freed first.

use crate::errno::Errno;
use alloc::boxed::Box;
use alloc::vec::Vec;

const CHUNK: usize = 64;
const END: u32 = u32::MAX;

#[derive(Debug)]
enum Slot<T> {
    /// Free, and the free slot behind it.
    Free(u32),
    Used(T),
}

/// Values by number.
#[derive(Debug)]
pub struct Slab<T> {
    chunks: Vec<Box<[Slot<T>; CHUNK]>>,
    free: u32,
    used: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slab<T> {
    /// An empty slab.
    pub const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            free: END,
            used: 0,
        }
    }

    /// How many values there are.
    pub const fn used(&self) -> usize {
        self.used
    }

    /// Adds a value; returns its number, or `ENOMEM`.
    pub fn insert(&mut self, value: T) -> Result<u32, Errno> {
        if self.free == END {
            self.grow()?;
        }
        let number = self.free;
        let slot = self.slot(number);
        let Slot::Free(next) = *slot else {
            unreachable!("the free list holds free slots")
        };
        *slot = Slot::Used(value);
        self.free = next;
        self.used += 1;
        Ok(number)
    }

    #[cold]
    fn grow(&mut self) -> Result<(), Errno> {
        let first = self.chunks.len() * CHUNK;
        if first + CHUNK >= END as usize {
            return Err(Errno::ENOMEM);
        }
        let mut chunk = Vec::new();
        let no_room = |_| Errno::ENOMEM;
        chunk.try_reserve_exact(CHUNK).map_err(no_room)?;
        self.chunks.try_reserve(1).map_err(no_room)?;
        let numbers = first as u32 + 1..first as u32 + CHUNK as u32;
        chunk.extend(numbers.map(Slot::Free));
        chunk.push(Slot::Free(END));
        let chunk = chunk.into_boxed_slice().try_into();
        self.chunks.push(chunk.map_err(|_| Errno::ENOMEM)?);
        self.free = first as u32;
        Ok(())
    }

    fn slot(&mut self, number: u32) -> &mut Slot<T> {
        &mut self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    /// Takes a value out.
    ///
    /// # Panics
    /// When the number is free.
    pub fn remove(&mut self, number: u32) -> T {
        let next = self.free;
        match core::mem::replace(self.slot(number), Slot::Free(next)) {
            Slot::Used(value) => {
                self.free = number;
                self.used -= 1;
                value
            }
            Slot::Free(_) => stale(number),
        }
    }

    /// The value under a number.
    ///
    /// # Panics
    /// When the number is free.
    #[inline(always)]
    pub fn get(&self, number: u32) -> &T {
        match &self.chunks[number as usize / CHUNK][number as usize % CHUNK] {
            Slot::Used(value) => value,
            Slot::Free(_) => stale(number),
        }
    }

    /// The value under a number that may be free by now.
    #[inline(always)]
    pub fn peek(&self, number: u32) -> Option<&T> {
        let chunk = self.chunks.get(number as usize / CHUNK)?;
        match &chunk[number as usize % CHUNK] {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    /// The same, to change it.
    ///
    /// # Panics
    /// When the number is free.
    #[inline(always)]
    pub fn get_mut(&mut self, number: u32) -> &mut T {
        match self.slot(number) {
            Slot::Used(value) => value,
            Slot::Free(_) => stale(number),
        }
    }
}

#[cold]
#[inline(never)]
fn stale(number: u32) -> ! {
    panic!("slab: number {number} refers to nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_and_are_used_again() {
        let mut slab = Slab::new();
        let numbers: Vec<u32> = (0..200).map(|n| slab.insert(n).unwrap()).collect();
        assert_eq!(numbers, (0..200).collect::<Vec<u32>>());
        assert_eq!((slab.remove(70), slab.remove(3), slab.used()), (70, 3, 198));
        assert_eq!((slab.insert(1000), slab.insert(1001)), (Ok(3), Ok(70)));
        *slab.get_mut(3) += 1;
        assert_eq!(
            (*slab.get(3), *slab.get(70), *slab.get(199)),
            (1001, 1001, 199)
        );
        assert_eq!(slab.insert(0), Ok(200));
    }

    #[test]
    #[should_panic(expected = "number 5 refers to nothing")]
    fn a_stale_number_is_a_bug() {
        let mut slab = Slab::new();
        slab.insert(()).unwrap();
        slab.get(5);
    }
}
