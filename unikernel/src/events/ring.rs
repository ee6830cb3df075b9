//! The ring: fixed records, written from anywhere, read when nothing else runs.

use crate::time::tsc;
use core::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Bytes of text that a record keeps.
pub const TEXT: usize = 32;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Nothing: an unused record.
    None = 0,
    /// A system call: its number, arguments and result.
    Syscall = 1,
    /// An interrupt: its vector; the result is the [`crate::platform::Interrupt`].
    Irq = 2,
    /// An exception: its vector; rip, error code, cr2, rsp; whether the program went on.
    Fault = 3,
    /// An attempt to lower a site: its address; 0 or the negative errno.
    Lower = 4,
    /// A switch of threads: who gets the CPU, and who had it.
    Sched = 5,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::None,
        Self::Syscall,
        Self::Irq,
        Self::Fault,
        Self::Lower,
        Self::Sched,
    ];

    /// The name in the JSON lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Syscall => "syscall",
            Self::Irq => "irq",
            Self::Fault => "fault",
            Self::Lower => "lower",
            Self::Sched => "sched",
        }
    }
}

/// An event in the ring. Every field is an atomic of its own, so that the compiler can neither
/// merge the stores into vector registers nor assume that an upcall does not write meanwhile.
#[derive(Debug)]
pub struct Record {
    tsc: AtomicU64,
    kind: AtomicU8,
    text_len: AtomicU8,
    /// Whether there was more text than fits.
    cut: AtomicU8,
    number: AtomicU32,
    /// The argument registers of a call; what else [`Kind`] says.
    pub args: [AtomicU64; 6],
    result: AtomicI64,
    ticks: AtomicU64,
    text: [AtomicU64; TEXT / 8],
}

/// A record that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of `Record`")]
pub struct Event {
    pub kind: Kind,
    pub number: u32,
    pub tsc: u64,
    pub args: [u64; 6],
    pub result: i64,
    pub ticks: u64,
    pub text: [u8; TEXT],
    pub text_len: usize,
    pub cut: bool,
}

impl Record {
    /// An unused record.
    pub const fn new() -> Self {
        Self {
            tsc: AtomicU64::new(0),
            kind: AtomicU8::new(0),
            text_len: AtomicU8::new(0),
            cut: AtomicU8::new(0),
            number: AtomicU32::new(0),
            args: [const { AtomicU64::new(0) }; 6],
            result: AtomicI64::new(0),
            ticks: AtomicU64::new(0),
            text: [const { AtomicU64::new(0) }; TEXT / 8],
        }
    }

    /// A complete record without text of what began at `start` and ends now.
    pub fn of(kind: Kind, number: u32, start: u64, args: [u64; 4], result: i64) -> Self {
        let record = Self::new();
        record.set(kind, number, start);
        for (to, from) in record.args.iter().zip(args) {
            to.store(from, Relaxed);
        }
        record.complete(result, tsc());
        record
    }

    /// Begins a record: no text, no result.
    #[inline(always)]
    pub fn set(&self, kind: Kind, number: u32, tsc: u64) {
        self.text_len.store(0, Relaxed);
        self.cut.store(0, Relaxed);
        self.tsc.store(tsc, Relaxed);
        self.number.store(number, Relaxed);
        self.kind.store(kind as u8, Relaxed);
    }

    /// Ends a record.
    #[inline(always)]
    pub fn complete(&self, result: i64, now: u64) {
        self.result.store(result, Relaxed);
        let ticks = now.wrapping_sub(self.tsc.load(Relaxed));
        self.ticks.store(ticks, Relaxed);
    }

    /// Makes it unused.
    #[inline(always)]
    pub fn clear(&self) {
        self.kind.store(Kind::None as u8, Relaxed);
    }

    /// Attaches the first `len` bytes of `text`; `cut` says that there was more.
    pub fn attach(&self, text: &[u8; TEXT], len: usize, cut: bool) {
        for (to, from) in self.text.iter().zip(text.as_chunks::<8>().0) {
            to.store(u64::from_ne_bytes(*from), Relaxed);
        }
        self.text_len.store(len.min(TEXT) as u8, Relaxed);
        self.cut.store(cut.into(), Relaxed);
    }

    /// Becomes what `from` is.
    #[inline(always)]
    pub fn copy(&self, from: &Self) {
        self.tsc.store(from.tsc.load(Relaxed), Relaxed);
        self.kind.store(from.kind.load(Relaxed), Relaxed);
        self.text_len.store(from.text_len.load(Relaxed), Relaxed);
        self.cut.store(from.cut.load(Relaxed), Relaxed);
        self.number.store(from.number.load(Relaxed), Relaxed);
        for (to, from) in self.args.iter().zip(&from.args) {
            to.store(from.load(Relaxed), Relaxed);
        }
        self.result.store(from.result.load(Relaxed), Relaxed);
        self.ticks.store(from.ticks.load(Relaxed), Relaxed);
        for (to, from) in self.text.iter().zip(&from.text) {
            to.store(from.load(Relaxed), Relaxed);
        }
    }

    /// What it says; `None` when it is unused.
    pub fn read(&self) -> Option<Event> {
        let kind = *Kind::ALL.get(usize::from(self.kind.load(Relaxed)))?;
        let mut text = [0; TEXT];
        for (to, from) in text.as_chunks_mut::<8>().0.iter_mut().zip(&self.text) {
            *to = from.load(Relaxed).to_ne_bytes();
        }
        (kind != Kind::None).then(|| Event {
            kind,
            number: self.number.load(Relaxed),
            tsc: self.tsc.load(Relaxed),
            args: self.args.each_ref().map(|arg| arg.load(Relaxed)),
            result: self.result.load(Relaxed),
            ticks: self.ticks.load(Relaxed),
            text,
            text_len: usize::from(self.text_len.load(Relaxed)).min(TEXT),
            cut: self.cut.load(Relaxed) != 0,
        })
    }
}

/// The last `N` records; older ones are overwritten.
pub struct Ring<const N: usize> {
    /// Records pushed so far. The newest is at `(pushed - 1) % N`.
    pushed: AtomicU64,
    /// How many of them were written out, or are lost.
    written: AtomicU64,
    lost: AtomicU64,
    records: [Record; N],
}

impl<const N: usize> Ring<N> {
    /// An empty ring.
    pub const fn new() -> Self {
        Self {
            pushed: AtomicU64::new(0),
            written: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            records: [const { Record::new() }; N],
        }
    }

    /// Appends a copy of `record`. An upcall in the middle of it takes the next place.
    #[inline(always)]
    pub fn push(&self, record: &Record) {
        let index = self.pushed.fetch_add(1, Relaxed);
        if let Some(place) = self.at(index) {
            place.copy(record);
        }
    }

    #[inline(always)]
    fn at(&self, index: u64) -> Option<&Record> {
        self.records.get((index as usize).checked_rem(N)?)
    }

    /// Records pushed so far.
    pub fn pushed(&self) -> u64 {
        self.pushed.load(Relaxed)
    }

    /// Records that were overwritten before they were written out.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// Records that wait to be written out, overwritten ones included.
    #[inline(always)]
    pub fn unwritten(&self) -> u64 {
        self.pushed.load(Relaxed) - self.written.load(Relaxed)
    }

    /// Takes the oldest record that was not written out yet, with its place in the order.
    pub fn take(&self) -> Option<(u64, Event)> {
        let pushed = self.pushed();
        let written = self.written.load(Relaxed);
        let index = written.max(pushed.saturating_sub(N as u64));
        self.lost.fetch_add(index - written, Relaxed);
        if index == pushed {
            self.written.store(pushed, Relaxed);
            return None;
        }
        self.written.store(index + 1, Relaxed);
        Some((index, self.at(index)?.read()?))
    }

    /// The last `count` records, oldest first, with their places in the order.
    pub fn last(&self, count: u64) -> impl Iterator<Item = (u64, Event)> {
        let pushed = self.pushed();
        let first = pushed.saturating_sub(count.min(N as u64));
        (first..pushed).filter_map(|index| Some((index, self.at(index)?.read()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(events: impl Iterator<Item = (u64, Event)>) -> Vec<(u64, u32)> {
        events.map(|(index, event)| (index, event.number)).collect()
    }

    fn push<const N: usize>(ring: &Ring<N>, numbers: core::ops::Range<u32>) {
        for number in numbers {
            ring.push(&Record::of(Kind::Irq, number, 5, [1, 2, 3, 4], -1));
        }
    }

    #[test]
    fn records_come_out_in_order_and_once() {
        let ring = Ring::<8>::new();
        push(&ring, 0..3);
        assert_eq!(ring.unwritten(), 3);
        let taken = numbers(core::iter::from_fn(|| ring.take()));
        assert_eq!(taken, [(0, 0), (1, 1), (2, 2)]);
        push(&ring, 3..4);
        assert_eq!(numbers(core::iter::from_fn(|| ring.take())), [(3, 3)]);
        assert_eq!((ring.unwritten(), ring.lost()), (0, 0));
    }

    #[test]
    fn the_oldest_are_overwritten_and_counted() {
        let ring = Ring::<4>::new();
        push(&ring, 0..11);
        assert_eq!(numbers(ring.last(2)), [(9, 9), (10, 10)]);
        let taken = numbers(core::iter::from_fn(|| ring.take()));
        assert_eq!(taken, [(7, 7), (8, 8), (9, 9), (10, 10)]);
        assert_eq!((ring.pushed(), ring.lost()), (11, 7));
        // What was written out is still there for a crash report.
        assert_eq!(ring.last(64).count(), 4);
    }

    #[test]
    fn a_ring_of_no_size_keeps_nothing() {
        let ring = Ring::<0>::new();
        push(&ring, 0..3);
        assert_eq!(ring.take(), None);
        assert_eq!((ring.last(64).count(), ring.lost()), (0, 3));
    }

    #[test]
    fn a_record_keeps_all_that_it_is_given() {
        let record = Record::new();
        assert_eq!(record.read(), None);
        record.set(Kind::Syscall, 257, 1000);
        record.args[5].store(6, Relaxed);
        let mut text = [b'x'; TEXT];
        text[0] = b'/';
        record.attach(&text, 40, true);
        record.complete(-2, 1500);
        let event = record.read().unwrap();
        assert_eq!((event.number, event.tsc, event.ticks), (257, 1000, 500));
        assert_eq!((event.args[5], event.result), (6, -2));
        assert_eq!(
            (event.text[0], event.text_len, event.cut),
            (b'/', TEXT, true)
        );
        record.set(Kind::Syscall, 1, 0);
        assert_eq!(record.read().unwrap().text_len, 0);
        record.clear();
        assert_eq!(record.read(), None);
    }
}
