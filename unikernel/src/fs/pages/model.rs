//! Random operations on a store, against bytes in a row and a state for each page.
//!
//! `LINTEL_SEED=n` runs the one that a failure names.

use super::random::Random;
use super::*;

/// What a page of the model is. Its content is in the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Hole,
    /// Allocated by fallocate(2), without content.
    Reserved,
    /// Still the initrd's.
    Borrowed,
    Own,
}

/// How many pages the model has: more than a node of the tree.
const PAGES: usize = if cfg!(miri) { 12 } else { 150 };
/// Of them, those that a file may have to begin with.
const IMAGE: usize = PAGES * 4 / 15;
const SPAN: usize = PAGES * PAGE;

struct Model {
    /// Where the model begins in the file: before it there is a hole.
    base: u64,
    /// `SPAN` bytes; those behind the end are zero.
    bytes: Vec<u8>,
    states: Vec<State>,
    /// Relative to `base`.
    size: usize,
}

impl Model {
    fn new(base: u64, image: &[u8]) -> Self {
        let mut bytes = image.to_vec();
        bytes.resize(SPAN, 0);
        let mut states = vec![State::Hole; PAGES];
        states[..image.len().div_ceil(PAGE)].fill(State::Borrowed);
        Self {
            base,
            bytes,
            states,
            size: image.len(),
        }
    }

    fn used(&self) -> u64 {
        let used = |state: &&State| matches!(state, State::Own | State::Reserved);
        self.states.iter().filter(used).count() as u64
    }

    fn pages(&self) -> u64 {
        self.states
            .iter()
            .filter(|&&state| state != State::Hole)
            .count() as u64
    }

    fn is_data(&self, page: usize) -> bool {
        matches!(self.states[page], State::Own | State::Borrowed)
    }

    /// Writes what the limit of pages allows; how much that is.
    fn write(&mut self, at: usize, from: &[u8], limit: u64) -> usize {
        let mut done = 0;
        while done < from.len() {
            let (page, offset) = ((at + done) / PAGE, (at + done) % PAGE);
            let count = (PAGE - offset).min(from.len() - done);
            if matches!(self.states[page], State::Hole | State::Borrowed) && self.used() >= limit {
                break;
            }
            self.states[page] = State::Own;
            self.bytes[at + done..at + done + count].copy_from_slice(&from[done..done + count]);
            done += count;
            self.size = self.size.max(at + done);
        }
        done
    }

    fn truncate(&mut self, size: usize) {
        if size <= self.size {
            self.bytes[size..].fill(0);
            self.states[size.div_ceil(PAGE)..].fill(State::Hole);
        }
        self.size = size;
    }

    /// The store may take a page of its own for a part of a borrowed one, which this cannot tell:
    /// `store` says.
    fn punch(&mut self, at: usize, end: usize, store: &PageStore) {
        self.bytes[at..end].fill(0);
        for page in at / PAGE..end.div_ceil(PAGE) {
            let start = page * PAGE;
            let own = store.own(index_of(self.base + start as u64)).is_some();
            if at <= start && start + PAGE <= end {
                self.states[page] = State::Hole;
            } else if self.states[page] == State::Borrowed && own {
                self.states[page] = State::Own;
            } else if self.states[page] == State::Borrowed && at <= start {
                // The image ended inside the hole, and it begins at the page.
                self.states[page] = match store.pages() < self.pages() {
                    true => State::Hole,
                    false => State::Borrowed,
                };
            }
        }
    }

    fn allocate(&mut self, at: usize, end: usize, keep: bool, limit: u64) -> Result<(), Errno> {
        let pages = at / PAGE..end.div_ceil(PAGE);
        if pages.len() as u64 > limit {
            return Err(Errno::ENOSPC);
        }
        let before = pages.start;
        for page in pages {
            match self.states[page] {
                State::Hole => {}
                // Reserved twice is as good as written.
                State::Reserved => {
                    self.states[page] = State::Own;
                    continue;
                }
                State::Borrowed | State::Own => continue,
            }
            if self.used() >= limit {
                for state in &mut self.states[before..page] {
                    if *state == State::Reserved {
                        *state = State::Hole;
                    }
                }
                return Err(Errno::ENOSPC);
            }
            self.states[page] = State::Reserved;
        }
        if !keep {
            self.size = self.size.max(end);
        }
        Ok(())
    }

    fn seek(&self, at: usize, data: bool) -> usize {
        let pages = at / PAGE..self.size.div_ceil(PAGE);
        let mut found = pages.clone().filter(|&page| self.is_data(page) == data);
        found.next().map_or(self.size, |page| at.max(page * PAGE))
    }

    fn check(&self, store: &PageStore, quota: &Quota) {
        assert_eq!(
            store.size(),
            self.base * u64::from(self.size > 0) + self.size as u64
        );
        assert_eq!(
            (store.pages(), quota.pages().used),
            (self.pages(), self.used())
        );
        assert_eq!(store.frames(), self.used());
        let mut out = vec![0xcc; self.size];
        let to = UserSlice::new(out.as_mut_ptr() as usize, out.len());
        assert_eq!(store.read_at(self.base, to), Ok(self.size));
        assert!(out == self.bytes[..self.size], "the content differs");
    }
}

/// One run of `operations` random operations on a file whose content begins at `base`.
fn run(random: &mut Random, base: u64, operations: usize) {
    let image = &*vec![0x5au8; random.below((IMAGE * PAGE) as u64) as usize].leak();
    let image = if base == 0 { image } else { &[] };
    let (mut store, mut model) = (PageStore::from_image(image), Model::new(base, image));
    let limit = 20 + random.below(120);
    let quota = Quota::new(Some(limit), None);
    for _ in 0..operations {
        step(random, &mut store, &mut model, &quota);
    }
    model.check(&store, &quota);
    store.truncate(0, &quota);
    assert_eq!((store.pages(), quota.pages().used), (0, 0));
    assert!(store.tree.next(0).is_none());
}

/// A place: anywhere, near the end, or at the boundary of a page.
fn place(random: &mut Random, model: &Model) -> usize {
    let any = random.below(SPAN as u64) as usize;
    match random.below(4) {
        0 => any & !(PAGE - 1),
        1 => (model.size + any % 20).saturating_sub(10).min(SPAN - 1),
        _ => any,
    }
}

fn length(random: &mut Random) -> usize {
    let most = [
        10,
        600,
        PAGE as u64,
        PAGE as u64 + 1,
        9000,
        40 * PAGE as u64,
    ];
    let most = most[random.below(6) as usize];
    random.below(most) as usize + 1
}

fn step(random: &mut Random, store: &mut PageStore, model: &mut Model, quota: &Quota) {
    let limit = quota.pages().limit.unwrap_or(0);
    let at = place(random, model);
    let end = (at + length(random)).min(SPAN);
    let file = model.base + at as u64;
    let len = (end - at) as u64;
    match random.below(16) {
        0..=4 => {
            let from = vec![random.next() as u8; end - at];
            let parts = from.chunks((len / 20 + 1 + random.below(len)) as usize);
            let parts = parts.map(|part| UserSlice::new(part.as_ptr() as usize, part.len()));
            let written = store.write(file, parts, quota);
            match model.write(at, &from, limit) {
                0 => assert_eq!(written, Err(Errno::ENOSPC)),
                count => assert_eq!(written, Ok(count)),
            }
        }
        5 | 6 => {
            let from = vec![random.next() as u8; end - at];
            let written = store.write_bytes(file, &from, quota).unwrap_or(0);
            assert_eq!(written, model.write(at, &from, limit));
        }
        7 | 8 => {
            let mut out = vec![0xcc; end - at];
            let count = store.read_bytes(file, &mut out);
            let expected = &model.bytes[at.min(model.size)..end.min(model.size)];
            assert!(out[..count] == *expected, "{at} to {end}");
        }
        9 => {
            let size = if random.below(8) == 0 { 0 } else { at };
            store.truncate(
                if size == 0 {
                    0
                } else {
                    model.base + size as u64
                },
                quota,
            );
            model.truncate(size);
        }
        10 | 11 => {
            // What cannot fail for want of a page to clear a part of a borrowed one in.
            if model.used() + 2 <= limit || !model.states.contains(&State::Borrowed) {
                store.punch(file, len, quota).unwrap();
                model.punch(at, end, store);
            }
        }
        12 => {
            let keep = random.below(2) == 0;
            let result = store.allocate(file, len, keep, quota);
            assert_eq!(result, model.allocate(at, end, keep, limit));
        }
        13 => {
            let page = Page::dirty().unwrap();
            page.copy_from(0, &[0x77; PAGE]);
            let index = index_of(model.base) + (at / PAGE) as u64;
            let result = store.install(index, page, quota);
            let written = model.write(at & !(PAGE - 1), &[0x77; PAGE], limit);
            assert_eq!(result.is_ok(), written == PAGE);
        }
        14 if at < model.size => {
            let data = store.next_data(file);
            let expected = model.seek(at, true);
            assert_eq!(
                data,
                (expected < model.size).then_some(model.base + expected as u64)
            );
            assert_eq!(
                store.next_hole(file),
                model.base + model.seek(at, false) as u64
            );
        }
        _ => model.check(store, quota),
    }
}

/// `runs` seeds, each at some distance from the start of the file.
#[test]
fn the_store_behaves_like_its_model() {
    let asked = std::env::var("LINTEL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = match (asked, cfg!(miri)) {
        (Some(seed), _) => seed..seed + 1,
        (None, true) => 1..4,
        (None, false) => 1..200,
    };
    for seed in seeds {
        println!("LINTEL_SEED={seed}");
        let mut random = Random::new(seed);
        let bases = [0, 0, 0, 3 << 24, 1 << 40, MAX_SIZE - 2 * SPAN as u64];
        let base = bases[seed as usize % bases.len()] & !(PAGE as u64 - 1);
        run(&mut random, base, if cfg!(miri) { 15 } else { 250 });
    }
}
