//! Random operations on two pipes and a file, against queues of bytes.
//!
//! `LINTEL_SEED=n` repeats the run that a failure names.

use super::super::splice::{Chunk, Sink, Source, splice, tee};
use super::*;
use std::collections::VecDeque;
use std::sync::OnceLock;

/// Xorshift64*: the same numbers everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end` (not 0).
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % end
    }

    /// A length: mostly short, often about a page, sometimes more than the pipe.
    pub fn length(&mut self) -> usize {
        match self.below(6) {
            0 => self.below(3),
            1 | 2 => self.below(200),
            3 => 4090 + self.below(12),
            4 => self.below(3 * PAGE),
            _ => self.below(80_000),
        }
    }

    /// Some bytes, cheap to make: tests are not optimised.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
        let bytes = BYTES.get_or_init(|| pattern(100_000));
        let start = self.below(10_000);
        bytes[start..start + len].to_vec()
    }
}

/// The seeds of a test: the one asked for, or the first `count`.
pub fn seeds(count: u64) -> Vec<u64> {
    let one = std::env::var("LINTEL_SEED").ok();
    one.map_or_else(
        || (1..=count).collect(),
        |seed| vec![seed.parse().expect("LINTEL_SEED is a number")],
    )
}

/// The first `n` bytes, taken out of a queue.
fn take(queue: &mut VecDeque<u8>, n: usize) -> Vec<u8> {
    let bytes = queue.make_contiguous()[..n].to_vec();
    queue.drain(..n);
    bytes
}

/// Appends to a queue. (`extend` goes byte by byte, which takes its time in a test.)
fn give(queue: &mut VecDeque<u8>, bytes: &[u8]) {
    queue.append(&mut bytes.to_vec().into());
}

/// A file that is all there: read from `bytes`, with pages of its own.
struct Bytes<'a>(&'a mut VecDeque<u8>);

impl Source for Bytes<'_> {
    fn next(&mut self, most: usize) -> Result<Option<Chunk>, Errno> {
        let len = most.min(self.0.len());
        if len == 0 {
            return Ok(None);
        }
        let page = Page::zeroed().unwrap();
        let offset = PAGE - len;
        let bytes = take(self.0, len);
        // SAFETY: the page is new, and the bytes end where it ends.
        unsafe { page.address().add(offset).copy_from(bytes.as_ptr(), len) };
        Ok(Some(Chunk { page, offset, len }))
    }
}

impl Sink for Bytes<'_> {
    fn accept(&mut self, page: &Page, offset: usize, len: usize) -> SysResult {
        // SAFETY: the pipe says that these bytes are there.
        let bytes = unsafe { std::slice::from_raw_parts(page.address().add(offset), len) };
        give(self.0, bytes);
        Ok(len)
    }
}

/// A pipe and what must be in it.
struct Pair {
    reader: End,
    writer: End,
    content: VecDeque<u8>,
}

impl Pair {
    fn new() -> Self {
        let (reader, writer) = End::pair().unwrap();
        Self {
            reader,
            writer,
            content: VecDeque::new(),
        }
    }

    fn pipe(&self) -> &Pipe {
        self.reader.pipe()
    }

    fn is_full(&self) -> bool {
        self.pipe().lock().ring.is_full()
    }

    /// What a result promises: bytes, `EAGAIN` only if `waits`.
    fn count(result: SysResult, waits: bool) -> usize {
        match result {
            Ok(n) => n,
            Err(error) => {
                assert_eq!(error, Errno::EAGAIN);
                assert!(waits, "there was no reason to wait");
                0
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let was_full = self.is_full();
        // As a system call does it: the short cut first.
        let short = self.writer.write_short(from(bytes), O_NONBLOCK);
        let result = short.map_or_else(|| write(&self.writer, bytes), Ok);
        let n = Self::count(result, was_full);
        give(&mut self.content, &bytes[..n]);
        assert!(n == bytes.len() || bytes.len() > PAGE || (n == 0 && was_full));
        assert!(n == bytes.len() || self.is_full());
    }

    fn read(&mut self, most: usize) {
        let empty = self.content.is_empty() && most > 0;
        let mut bytes = vec![0; most];
        let short = self.reader.read_short(into(&mut bytes));
        let got = match short {
            Some(n) => Ok(bytes[..n].to_vec()),
            None => read(&self.reader, most),
        };
        let n = Self::count(got.as_ref().map(Vec::len).map_err(|error| *error), empty);
        assert_eq!(n, most.min(self.content.len()));
        let wanted = take(&mut self.content, n);
        assert!(got.is_err() || got == Ok(wanted));
    }

    fn vmsplice(&mut self, random: &mut Random) {
        let len = 1 + random.length();
        let bytes = random.bytes(len);
        let was_full = self.is_full();
        let result = self.pipe().vmsplice_from(once(from(&bytes)), true);
        let n = Self::count(result, was_full);
        assert!(n == bytes.len() || self.is_full());
        give(&mut self.content, &bytes[..n]);
    }

    fn resize(&self, bytes: usize) {
        let fits = self.pipe().lock().ring.len() * PAGE <= rounded(bytes).unwrap();
        let result = self.pipe().set_size(bytes as u32, false);
        assert_eq!(result.is_ok(), fits);
        assert_eq!(result.err(), (!fits).then_some(Errno::EBUSY));
    }

    fn check(&self) {
        assert_eq!(self.pipe().unread(), self.content.len());
        let state = self.pipe().lock();
        assert!(state.ring.iter().all(|buffer| buffer.len() > 0));
        assert!(state.spare.iter().all(|page| !page.is_shared()));
    }
}

fn between(from: &mut Pair, to: &mut Pair, len: usize, copies: bool) {
    let waits = from.content.is_empty() || to.is_full();
    let move_or_copy = if copies { tee } else { splice };
    let n = Pair::count(move_or_copy(from.pipe(), to.pipe(), len, true), waits);
    assert!(n == len.min(from.content.len()) || to.is_full());
    if copies {
        give(&mut to.content, &from.content.make_contiguous()[..n]);
    } else {
        give(&mut to.content, &take(&mut from.content, n));
    }
}

fn with_file(pair: &mut Pair, file: &mut VecDeque<u8>, len: usize, out: bool) {
    let size = file.len();
    if out {
        let empty = pair.content.is_empty();
        let n = Pair::count(pair.pipe().splice_to(&mut Bytes(file), len, true), empty);
        assert_eq!(n, len.min(pair.content.len()));
        let wanted = take(&mut pair.content, n);
        assert!(file.make_contiguous()[size..] == wanted);
    } else {
        let was_full = pair.is_full();
        let start = file.make_contiguous()[..len.min(size)].to_vec();
        let result = pair.pipe().splice_from(&mut Bytes(file), len, true);
        let n = Pair::count(result, was_full);
        assert!(n == len.min(size) || pair.is_full());
        assert_eq!(file.len(), size - n);
        give(&mut pair.content, &start[..n]);
    }
}

/// One operation, chosen at random.
fn step(random: &mut Random, a: &mut Pair, b: &mut Pair, file: &mut VecDeque<u8>) {
    let len = random.length();
    let at_least_one = len.max(1);
    match random.below(12) {
        0..=3 => a.write(&random.bytes(len)),
        4..=6 => a.read(len),
        7 => between(a, b, at_least_one, false),
        8 => between(a, b, at_least_one, true),
        9 => with_file(a, file, at_least_one, random.below(2) == 0),
        10 => a.vmsplice(random),
        _ => a.resize(1 + random.below(200_000)),
    }
}

#[test]
fn random_operations_agree_with_queues_of_bytes() {
    let (runs, steps) = if cfg!(miri) { (2, 120) } else { (20, 2500) };
    for seed in seeds(runs) {
        let mut random = Random::new(seed);
        let (mut a, mut b) = (Pair::new(), Pair::new());
        let mut file = VecDeque::new();
        for number in 0..steps {
            let shown = Shown(seed, number);
            std::mem::swap(&mut a, &mut b);
            step(&mut random, &mut a, &mut b, &mut file);
            a.check();
            b.check();
            std::mem::forget(shown);
        }
    }
}

/// Says on the way out of a panic which operation it was.
pub struct Shown(pub u64, pub usize);

impl Drop for Shown {
    fn drop(&mut self) {
        eprintln!("LINTEL_SEED={}, operation {}", self.0, self.1);
    }
}
