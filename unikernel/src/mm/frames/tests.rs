use super::*;

fn frames(top: usize, pool: Range<usize>) -> Frames {
    let mut frames = Frames::empty();
    frames.init(top, vec![1; Frames::words_for(top)].leak(), pool);
    frames
}

#[test]
fn small_runs_come_from_the_pool_and_large_ones_from_the_top() {
    let mut f = frames(1 << 20, 0x10000..0x20000);
    f.add(0x10000..0x100000);
    assert_eq!(f.counts(), (0xf0, 0xf0));
    assert_eq!(f.alloc(2), Some(0x10000));
    assert_eq!(f.alloc(64), Some(0x100000 - 64 * PAGE));
    assert_eq!(f.alloc(32), Some(0x100000 - 96 * PAGE));
    f.free(0x10000, 2);
    assert_eq!(f.alloc(1), Some(0x10000));
}

#[test]
fn reserved_and_claimed_frames_are_not_handed_out() {
    let mut f = frames(1 << 20, 0..0);
    f.add(0..1 << 20);
    f.reserve(0xff800..0x100000);
    assert!(f.claim(0x80000..0x90000));
    assert!(!f.claim(0x8f000..0x91000));
    assert!(!f.is_free(0x8f000) && f.is_free(0x90000) && !f.is_free(0xff000));
    assert_eq!(f.alloc(1), Some(0xfe000));
    assert_eq!(f.alloc(0x1000), None);
}

#[test]
fn everything_comes_back() {
    let mut f = frames(4 << 20, 0..0x40000);
    f.add(0x1000..4 << 20);
    let before = f.counts();
    let runs: Vec<_> = (1..35).map(|n| (f.alloc(n).unwrap(), n)).collect();
    runs.iter().for_each(|&(a, n)| f.set_user(a, n, true));
    assert!(f.is_user(runs[3].0));
    assert_eq!(f.user_frames(), (1..35).sum::<usize>());
    let mut user = 0;
    let mut from = 0;
    while let Some(run) = f.user_run(from..usize::MAX) {
        assert!(run.clone().step_by(PAGE).all(|page| f.is_user(page)));
        assert!(run.start >= from && !f.is_user(run.end));
        (user, from) = (user + run.len() / PAGE, run.end);
    }
    assert_eq!(user, (1..35).sum::<usize>());
    let part = f.user_run(runs[30].0 + PAGE..usize::MAX).unwrap();
    assert_eq!(part.start, runs[30].0 + PAGE);
    for &(a, n) in &runs {
        f.set_user(a, n, false);
        f.free(a, n);
    }
    assert_eq!(f.counts(), before);
    assert!(!f.is_user(runs[3].0));
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn runs_cross_parts_whose_bits_were_never_cleared() {
    const MIB: usize = 1 << 20;
    let mut f = frames(1200 * MIB, 0..0);
    f.add(0..1200 * MIB);
    let before = f.counts();
    // Every bit of the maps was set: what nobody has used must not be looked at.
    assert!(!f.is_user(700 * MIB) && f.user_run(0..usize::MAX).is_none());
    assert!(f.is_free(700 * MIB) && f.user_frames() == 0);
    let (start, count) = (100 * MIB, 300 * MIB / PAGE);
    assert!(f.claim(start..start + count * PAGE));
    f.set_user(start, count, true);
    assert_eq!(f.user_run(0..usize::MAX), Some(start..start + count * PAGE));
    assert_eq!(f.user_frames(), count);
    assert!(!f.is_user(start - PAGE) && !f.is_user(start + count * PAGE));
    assert!(!f.is_user(900 * MIB) && !f.is_free(start + 200 * MIB));
    f.set_user(start, count, false);
    f.free(start, count);
    assert_eq!(f.counts(), before);
    assert_eq!(f.alloc(1 << 18), Some(0));
    f.free(0, 1 << 18);
    assert_eq!(f.alloc(1), Some(1200 * MIB - PAGE));
}

#[test]
fn what_is_held_back_is_taken_last() {
    let mut f = frames(1 << 20, 0..0);
    f.add(0..1 << 20);
    f.hold_back(5);
    assert_eq!(f.counts(), (256, 256));
    assert!(f.is_free(0xff000) && f.alloc(1) == Some(0xfa000));
    assert!((0..255).all(|_| f.alloc(1).is_some()) && f.alloc(1).is_none());
    (0..256).for_each(|frame| f.free(frame * PAGE, 1));
    f.hold_back(3);
    assert!(f.claim(0..1 << 20) && f.counts().1 == 0);
}

/// Takes and gives back at random, with every frame's owner remembered.
#[test]
fn no_frame_is_handed_out_twice_and_all_are_joined_again() {
    const FRAMES: usize = 5000;
    let mut random = crate::fs::pages::random::Random::new(11);
    let mut f = frames(FRAMES * PAGE, 16 * PAGE..80 * PAGE);
    f.add(3 * PAGE..FRAMES * PAGE);
    let whole: Vec<_> = (0..ORDERS).map(|order| f.blocks[order].highest()).collect();
    let (mut taken, mut runs) = (vec![false; FRAMES], Vec::new());
    for _ in 0..crate::testing::rounds(30_000) {
        if random.below(2) == 0 {
            let most = 1 << random.below(8);
            let count = 1 + random.below(most) as usize;
            let Some(start) = f.alloc(count) else {
                continue;
            };
            let run = start / PAGE..start / PAGE + count;
            assert!(run.start >= 3 && run.end <= FRAMES);
            assert!(!taken[run.clone()].contains(&true));
            taken[run.clone()].fill(true);
            runs.push(run);
        } else if !runs.is_empty() {
            let run = runs.swap_remove(random.below(runs.len() as u64) as usize);
            taken[run.clone()].fill(false);
            f.free(run.start * PAGE, run.len());
        }
        let free = taken[3..].iter().filter(|&&taken| !taken).count();
        assert_eq!(f.counts(), (FRAMES - 3, free));
    }
    for run in runs {
        f.free(run.start * PAGE, run.len());
    }
    f.put_down();
    let again: Vec<_> = (0..ORDERS).map(|order| f.blocks[order].highest()).collect();
    assert_eq!(again, whole);
}
