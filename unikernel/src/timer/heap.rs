//! A binary heap of armed timers, each of which knows its place.

use super::Timer;
use crate::errno::Errno;
use alloc::vec::Vec;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

/// The place of a timer that is not armed.
pub const NOWHERE: usize = usize::MAX;

/// The heap.
pub struct Heap {
    slots: Vec<NonNull<Timer>>,
    /// Timers there are, armed or not: so much room is reserved.
    pub count: usize,
}

// SAFETY: timers are shared, and leave the heap before they go.
unsafe impl Send for Heap {}

impl Heap {
    pub const fn new() -> Self {
        Self {
            slots: Vec::new(),
            count: 0,
        }
    }

    /// Reserves room for one more timer. `ENOMEM`.
    pub fn admit(&mut self) -> Result<(), Errno> {
        let more = self.count + 1 - self.slots.len();
        self.slots.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
        self.count += 1;
        Ok(())
    }

    fn at(&self, place: usize) -> &Timer {
        // SAFETY: timers leave the heap before they go.
        unsafe { self.slots[place].as_ref() }
    }

    fn due(&self, place: usize) -> u64 {
        self.at(place).due.load(Relaxed)
    }

    /// When the first is due; `u64::MAX` when there is none.
    pub fn first(&self) -> u64 {
        match self.slots.is_empty() {
            true => u64::MAX,
            false => self.due(0),
        }
    }

    /// Lets `change` decide anew when each is due. Takes as many steps as there are timers.
    pub fn reorder(&mut self, change: impl Fn(&Timer)) {
        (0..self.slots.len()).for_each(|place| change(self.at(place)));
        for place in (0..self.slots.len() / 2).rev() {
            self.sink(place);
        }
    }

    pub fn contains(&self, timer: &Timer) -> bool {
        timer.place.load(Relaxed) != NOWHERE
    }

    /// Adds a timer, for which there is room.
    pub fn insert(&mut self, timer: &Timer) {
        let place = self.slots.len();
        self.slots.push(NonNull::from(timer));
        timer.place.store(place, Relaxed);
        self.rise(place);
    }

    /// Takes out a timer, if it is there.
    pub fn remove(&mut self, timer: &Timer) {
        let place = timer.place.swap(NOWHERE, Relaxed);
        if place == NOWHERE {
            return;
        }
        self.slots.swap_remove(place);
        if place < self.slots.len() {
            self.at(place).place.store(place, Relaxed);
            self.rise(place);
            self.sink(place);
        }
    }

    /// Takes out the first.
    pub fn pop<'a>(&mut self) -> Option<&'a Timer> {
        // SAFETY: as in `at`; who takes one out uses it before it may go.
        let first = unsafe { self.slots.first()?.as_ref() };
        self.remove(first);
        Some(first)
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.slots.swap(one, other);
        self.at(one).place.store(one, Relaxed);
        self.at(other).place.store(other, Relaxed);
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let above = (place - 1) / 2;
            if self.due(above) <= self.due(place) {
                return;
            }
            self.swap(above, place);
            place = above;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let below = 2 * place + 1;
            let both = [below, below + 1];
            let inside = both.into_iter().filter(|&place| place < self.slots.len());
            let Some(least) = inside.min_by_key(|&place| self.due(place)) else {
                return;
            };
            if self.due(place) <= self.due(least) {
                return;
            }
            self.swap(place, least);
            place = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Action, Clock};
    use super::*;
    use crate::fs::rc::Ref;

    #[test]
    fn timers_come_out_by_deadline_and_can_leave() {
        let mut heap = Heap::new();
        let timers: Vec<Ref<Timer>> = (0..200)
            .map(|_| Timer::new(Action::Nothing, Clock::Monotonic).unwrap())
            .collect();
        let mut random = 12345_u64;
        for timer in &timers {
            heap.admit().unwrap();
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            timer.due.store(random >> 50, Relaxed);
            heap.insert(timer);
        }
        heap.reorder(|timer| timer.due.store(0x3fff - timer.due.load(Relaxed), Relaxed));
        for timer in timers.iter().step_by(3) {
            heap.remove(timer);
            heap.remove(timer);
        }
        let mut last = (0, 0);
        while heap.first() != u64::MAX {
            let first = heap.first();
            let timer = heap.pop().unwrap();
            assert_eq!(timer.due.load(Relaxed), first);
            assert!(last.0 <= first);
            last = (first, last.1 + 1);
        }
        assert_eq!(last.1, 133);
        assert!(timers.iter().all(|timer| !heap.contains(timer)));
    }
}
