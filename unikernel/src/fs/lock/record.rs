//! The record locks of one file: which owner holds which bytes.
//!
//! Each owner's locks are disjoint, in order, and as few as can be: what touches and has the same
//! mode is one. So a change replaces one stretch of a sorted list by at most three locks.

use super::Mode;
use crate::errno::Errno;
use alloc::vec::Vec;
use core::ops::Range;

/// Who holds a record lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The process: `F_SETLK`.
    Process,
    /// An open file description, by any number that no other has: `F_OFD_SETLK`.
    Description(u64),
}

/// Bytes of a file, from the first to the last; the largest offset means all that may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    first: u64,
    last: u64,
}

impl Span {
    /// The largest offset (`OFFSET_MAX`).
    pub const END: u64 = i64::MAX as u64;

    /// Everything.
    const ALL: Self = Self {
        first: 0,
        last: Self::END,
    };

    /// From `first` to `last`, both of them included. `None` when that is no span.
    pub const fn new(first: u64, last: u64) -> Option<Self> {
        if first <= last && last <= Self::END {
            Some(Self { first, last })
        } else {
            None
        }
    }

    /// The first byte.
    pub const fn first(self) -> u64 {
        self.first
    }

    /// The number of bytes, 0 for all up to the end of the file, wherever it will be (`l_len`).
    pub const fn length(self) -> u64 {
        if self.last == Self::END {
            0
        } else {
            self.last - self.first + 1
        }
    }
}

/// A lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose it is.
    pub owner: Owner,
    /// How it is held.
    pub mode: Mode,
    /// What is locked.
    pub span: Span,
}

/// What one owner holds: disjoint, in order, merged.
#[derive(Debug)]
struct Holder {
    owner: Owner,
    held: Vec<(Span, Mode)>,
}

impl Holder {
    /// The locks that overlap `span`.
    fn within(&self, span: Span) -> impl Iterator<Item = Record> + '_ {
        let start = self.held.partition_point(|held| held.0.last < span.first);
        self.held[start..]
            .iter()
            .take_while(move |held| held.0.first <= span.last)
            .map(|&(span, mode)| Record {
                owner: self.owner,
                mode,
                span,
            })
    }

    /// The locks that overlap or touch `span`, as a range of indices.
    fn near(&self, span: Span) -> Range<usize> {
        // Offsets end far below the end of u64.
        let before = |held: &(Span, Mode)| held.0.last + 1 < span.first;
        let not_after = |held: &(Span, Mode)| held.0.first <= span.last + 1;
        self.held.partition_point(before)..self.held.partition_point(not_after)
    }

    /// Makes `mode` what is held on `span`; `None` is nothing.
    fn set(&mut self, span: Span, mode: Option<Mode>) -> Result<(), Errno> {
        let near = self.near(span);
        let (mut whole, mut left, mut right) = (span, None, None);
        if let Some(&(old, old_mode)) = self.held[near.clone()].first()
            && old.first < span.first
        {
            if Some(old_mode) == mode {
                whole.first = old.first;
            } else {
                let last = old.last.min(span.first - 1);
                left = Some((Span { last, ..old }, old_mode));
            }
        }
        if let Some(&(old, old_mode)) = self.held[near.clone()].last()
            && old.last > span.last
        {
            if Some(old_mode) == mode {
                whole.last = old.last;
            } else {
                let first = old.first.max(span.last + 1);
                right = Some((Span { first, ..old }, old_mode));
            }
        }
        let middle = mode.map(|mode| (whole, mode));
        self.replace(near, [left, middle, right])
    }

    fn replace(&mut self, old: Range<usize>, new: [Option<(Span, Mode)>; 3]) -> Result<(), Errno> {
        self.held
            .try_reserve(new.len())
            .map_err(|_| Errno::ENOLCK)?;
        self.held.splice(old, new.into_iter().flatten());
        Ok(())
    }
}

/// The record locks of a file, by owner, in the order in which the owners came.
#[derive(Debug, Default)]
pub struct Records(Vec<Holder>);

impl Records {
    /// Whether nothing is locked.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A lock of another owner that is in the way of `mode` on `span`.
    pub fn conflict(&self, owner: Owner, mode: Mode, span: Span) -> Option<Record> {
        let others = self.0.iter().filter(|holder| holder.owner != owner);
        others
            .flat_map(|holder| holder.within(span))
            .find(|held| held.mode.excludes(mode))
    }

    /// All locks of `owner`, in order.
    pub fn of(&self, owner: Owner) -> impl Iterator<Item = Record> + '_ {
        let held = self.0.iter().filter(move |holder| holder.owner == owner);
        held.flat_map(|holder| holder.within(Span::ALL))
    }

    /// The first lock of `owner` that overlaps `span`.
    pub fn own(&self, owner: Owner, span: Span) -> Option<Record> {
        let holder = self.0.iter().find(|holder| holder.owner == owner)?;
        holder.within(span).next()
    }

    /// Locks `span` for `owner`: what it held there is replaced. Errors: `EAGAIN`, `ENOLCK`.
    pub fn lock(&mut self, owner: Owner, mode: Mode, span: Span) -> Result<(), Errno> {
        if self.conflict(owner, mode, span).is_some() {
            return Err(Errno::EAGAIN);
        }
        if let Some(holder) = self.0.iter_mut().find(|holder| holder.owner == owner) {
            return holder.set(span, Some(mode));
        }
        let mut held = Vec::new();
        held.try_reserve(1).map_err(|_| Errno::ENOLCK)?;
        self.0.try_reserve(1).map_err(|_| Errno::ENOLCK)?;
        held.push((span, mode));
        self.0.push(Holder { owner, held });
        Ok(())
    }

    /// Releases what `owner` holds of `span`. Errors: `ENOLCK`.
    pub fn unlock(&mut self, owner: Owner, span: Span) -> Result<(), Errno> {
        let Some(at) = self.0.iter().position(|holder| holder.owner == owner) else {
            return Ok(());
        };
        let held = &mut self.0[at];
        let result = held.set(span, None);
        if held.held.is_empty() {
            self.0.remove(at);
        }
        result
    }

    /// Releases everything that `owner` holds.
    pub fn drop_owner(&mut self, owner: Owner) {
        self.0.retain(|holder| holder.owner != owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Mode::{Exclusive, Shared};
    use Owner::{Description, Process};

    fn span(first: u64, last: u64) -> Span {
        Span::new(first, last).unwrap()
    }

    /// The locks of the process, as (first, last, mode).
    fn held(records: &Records) -> Vec<(u64, u64, Mode)> {
        let all = records.0.iter().flat_map(|holder| &holder.held);
        all.map(|&(span, mode)| (span.first, span.last, mode))
            .collect()
    }

    fn with(locks: &[(u64, u64, Mode)]) -> Records {
        let mut records = Records::default();
        for &(first, last, mode) in locks {
            assert_eq!(records.lock(Process, mode, span(first, last)), Ok(()));
        }
        records
    }

    #[test]
    fn touching_locks_of_one_mode_are_one() {
        let records = with(&[(0, 9, Shared), (20, 29, Shared), (10, 19, Shared)]);
        assert_eq!(held(&records), [(0, 29, Shared)]);
        let records = with(&[(10, 19, Shared), (0, 9, Exclusive), (20, 29, Exclusive)]);
        assert_eq!(
            held(&records),
            [(0, 9, Exclusive), (10, 19, Shared), (20, 29, Exclusive)]
        );
        let end = Span::END;
        let records = with(&[(5, end, Shared), (0, end, Shared)]);
        assert_eq!(held(&records), [(0, end, Shared)]);
    }

    #[test]
    fn another_mode_splits() {
        let records = with(&[(0, 99, Shared), (10, 19, Exclusive)]);
        assert_eq!(
            held(&records),
            [(0, 9, Shared), (10, 19, Exclusive), (20, 99, Shared)]
        );
        let records = with(&[(0, 9, Shared), (20, 29, Exclusive), (5, 24, Exclusive)]);
        assert_eq!(held(&records), [(0, 4, Shared), (5, 29, Exclusive)]);
    }

    #[test]
    fn holes_can_be_made() {
        let mut records = with(&[(0, 99, Exclusive)]);
        assert_eq!(records.unlock(Process, span(0, 0)), Ok(()));
        assert_eq!(records.unlock(Process, span(50, 59)), Ok(()));
        assert_eq!(records.unlock(Process, span(99, Span::END)), Ok(()));
        assert_eq!(held(&records), [(1, 49, Exclusive), (60, 98, Exclusive)]);
        assert_eq!(records.unlock(Process, span(0, Span::END)), Ok(()));
        assert!(records.is_empty());
        assert_eq!(records.unlock(Process, span(0, 1)), Ok(()));
    }

    #[test]
    fn owners_exclude_each_other() {
        let mut records = with(&[(0, 9, Shared), (10, 19, Exclusive)]);
        let other = Description(1);
        assert_eq!(records.lock(other, Shared, span(5, 9)), Ok(()));
        assert_eq!(records.lock(other, Shared, span(5, 10)), Err(Errno::EAGAIN));
        assert_eq!(
            records.lock(Process, Exclusive, span(0, 5)),
            Err(Errno::EAGAIN)
        );
        assert_eq!(records.lock(Process, Exclusive, span(0, 4)), Ok(()));
        let found = records.conflict(other, Shared, span(0, Span::END)).unwrap();
        assert_eq!((found.owner, found.span), (Process, span(0, 4)));
        assert_eq!(records.own(other, span(0, 6)).unwrap().span, span(5, 9));
        assert_eq!(records.own(other, span(0, 4)), None);
        records.drop_owner(Process);
        assert_eq!(records.lock(other, Exclusive, span(0, Span::END)), Ok(()));
    }

    /// Random locks and releases of three owners on 24 bytes, against one mode for each byte.
    #[test]
    fn random_changes_agree_with_a_map_of_bytes() {
        const SIZE: usize = 24;
        let owners = [Process, Description(1), Description(2)];
        let mut map = [[None; SIZE]; 3];
        let mut records = Records::default();
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut draw = |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 32) % below
        };
        for step in 0..crate::testing::rounds(50_000) {
            let who = draw(3) as usize;
            let (a, b) = (draw(SIZE as u64), draw(SIZE as u64));
            let range = span(a.min(b), a.max(b));
            let bytes = range.first as usize..=range.last as usize;
            let mode = [None, Some(Shared), Some(Exclusive)][draw(3) as usize];
            let free = mode.is_none_or(|mode: Mode| {
                let others = (0..3).filter(|&other| other != who);
                let mut theirs = others.flat_map(|other| &map[other][bytes.clone()]);
                !theirs.any(|held: &Option<Mode>| held.is_some_and(|held| held.excludes(mode)))
            });
            let result = match mode {
                Some(mode) => records.lock(owners[who], mode, range),
                None => records.unlock(owners[who], range),
            };
            assert_eq!(result.is_ok(), free, "step {step}");
            if free {
                map[who][bytes].fill(mode);
            }
            for (owner, map) in owners.iter().zip(&map) {
                check(&records, *owner, map, step);
            }
        }
    }

    /// Whether `owner` holds what `map` says, in as few locks as can be.
    fn check(records: &Records, owner: Owner, map: &[Option<Mode>], step: usize) {
        let mut wanted = Vec::<(Span, Mode)>::new();
        for (at, mode) in map.iter().enumerate() {
            let Some(mode) = *mode else { continue };
            match wanted.last_mut() {
                Some((span, last)) if span.last + 1 == at as u64 && *last == mode => {
                    span.last += 1;
                }
                _ => wanted.push((span(at as u64, at as u64), mode)),
            }
        }
        let holder = records.0.iter().find(|holder| holder.owner == owner);
        let held = holder.map_or(&[][..], |holder| &holder.held);
        assert_eq!(held, wanted, "step {step}");
        assert!(holder.is_none_or(|holder| !holder.held.is_empty()));
    }
}
