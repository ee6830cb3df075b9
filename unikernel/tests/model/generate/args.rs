//! Arguments at random: chosen so that a good part of the operations succeeds.

use super::super::op::Arg;
use super::super::random::Random;
use super::super::world::SLOTS;

const PAGE: usize = 4096;

/// The first slots are for directories, the others for anything.
const DIRS: usize = 3;

/// What a name mostly belongs to. Each kind of thing turns up at the others' names, too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Dir,
    File,
    Link,
}

/// A slot for a directory.
pub fn dir_slot(r: &mut Random) -> usize {
    r.below(DIRS)
}

/// A slot for anything.
pub fn slot(r: &mut Random) -> usize {
    match r.below(25) {
        0 => dir_slot(r),
        _ => DIRS + r.below(SLOTS - DIRS),
    }
}

/// A descriptor.
pub fn fd(r: &mut Random) -> Arg {
    Arg::Fd(slot(r))
}

/// A descriptor that is mostly a directory's.
pub fn dir_fd(r: &mut Random) -> Arg {
    match r.below(10) {
        0 => fd(r),
        _ => Arg::Fd(dir_slot(r)),
    }
}

/// What a path is relative to.
pub fn dir(r: &mut Random) -> Arg {
    if r.chance(75) { Arg::Here } else { dir_fd(r) }
}

fn name(r: &mut Random, sort: Sort) -> Vec<u8> {
    let letters = match sort {
        _ if r.chance(6) => b"abcdeflm",
        Sort::Dir => b"aaaaabbc",
        Sort::File => b"dddddeef",
        Sort::Link => b"llllllmm",
    };
    match r.below(150) {
        0 => vec![b'n'; 255],
        1 => vec![b'n'; 256],
        2 => b"\xff\xc3".to_vec(),
        3 => b"...".to_vec(),
        _ => vec![r.pick(letters)],
    }
}

fn component(r: &mut Random, sort: Sort, ups: &mut usize) -> Vec<u8> {
    match r.below(25) {
        0 => b".".to_vec(),
        1 if *ups > 0 => {
            *ups -= 1;
            b"..".to_vec()
        }
        _ => name(r, sort),
    }
}

/// A path with at most `ups` times `..`.
pub fn words(r: &mut Random, sort: Sort, mut ups: usize) -> Vec<u8> {
    match r.below(200) {
        0 => return Vec::new(),
        1 => return b"a/".repeat(2047),
        2 => return b"./".repeat(2048),
        3 => return b"/".repeat(5000),
        _ => {}
    }
    let mut path = Vec::new();
    for _ in 1..r.pick(&[1, 1, 1, 1, 1, 2, 2, 2, 3, 4]) {
        let sort = if r.chance(15) { Sort::Link } else { Sort::Dir };
        path.extend(component(r, sort, &mut ups));
        path.extend_from_slice(if r.chance(5) { b"//" } else { b"/" });
    }
    path.extend(component(r, sort, &mut ups));
    match r.below(30) {
        0 => path.push(b'/'),
        1 => path.extend_from_slice(b"/."),
        _ => {}
    }
    path
}

/// A path that mostly leads to such a thing.
pub fn path_to(r: &mut Random, sort: Sort) -> Arg {
    match r.below(400) {
        0 => Arg::Bad,
        _ => Arg::Path(words(r, sort, 3)),
    }
}

/// A path.
pub fn path(r: &mut Random) -> Arg {
    let sort = r.pick(&[Sort::Dir, Sort::File, Sort::File, Sort::Link]);
    path_to(r, sort)
}

/// Mostly no flags, else one of `some`, or one that is unknown.
pub fn flags(r: &mut Random, some: &[i32]) -> Arg {
    Arg::Int(match r.below(20) {
        0 => 1,
        1..8 => r.pick(some).into(),
        _ => 0,
    })
}

/// Permissions.
pub fn mode(r: &mut Random) -> Arg {
    const USUAL: [i64; 8] = [0o755, 0o777, 0o755, 0o777, 0o1777, 0o2775, 0o700, 0o644];
    const ODD: [i64; 8] = [0o600, 0o4711, 0o2644, 0o400, 0o200, 0o070, 0o007, 0];
    Arg::Bits(match r.below(20) {
        0 => r.next() as i64 & 0o177_777,
        1..5 => r.pick(&ODD),
        _ => r.pick(&USUAL),
    })
}

/// Who may be given a file: root, two ordinary ids, and "leave it".
pub fn id(r: &mut Random) -> Arg {
    Arg::Int(r.pick(&[0, 1000, 1001, -1]))
}

/// How many bytes to transfer.
pub fn length(r: &mut Random) -> usize {
    match r.below(10) {
        0 => 0,
        1 => 1,
        2 => PAGE,
        3 => 2 * PAGE + 1,
        4..7 => r.below(3 * PAGE),
        _ => r.below(200),
    }
}

/// A place in a file: mostly near its start or an edge of a page, seldom far out or impossible. Not
/// in the last pages of all, in which Linux loses count when it looks for the end of data.
pub fn place(r: &mut Random) -> i64 {
    const FAR: [i64; 6] = [
        1 << 31,
        (1 << 32) - 1,
        1 << 40,
        (1 << 40) + 5,
        1 << 62,
        i64::MAX - (1 << 30),
    ];
    match r.below(80) {
        0 => r.pick(&[-1, -4096, i64::MIN]),
        1..3 => r.pick(&FAR),
        3..13 => 0,
        13..40 => (r.below(16) * PAGE) as i64 + r.pick(&[-1, 0, 0, 1]),
        _ => r.below(12 * PAGE) as i64,
    }
}

/// A place to read or write at: sometimes the very end, where nothing can be.
pub fn any_place(r: &mut Random) -> i64 {
    if r.chance(2) { i64::MAX } else { place(r) }
}

/// A size as an argument.
pub fn number(value: usize) -> Arg {
    Arg::Int(value as i64)
}
