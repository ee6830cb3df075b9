use super::*;

const NONE: Option<Access> = None;
const DATA: Option<Access> = Some(Access::DATA);

fn area(range: Range<usize>, access: Option<Access>) -> Area {
    Area {
        range: range.start * PAGE..range.end * PAGE,
        access,
        backing: Backing::Anonymous,
        grows_down: false,
    }
}

fn add(areas: &mut Areas, range: Range<usize>, access: Option<Access>) {
    areas.make_room(1).unwrap();
    areas.insert(area(range, access));
}

fn list(areas: &Areas) -> Vec<(Range<usize>, bool)> {
    let page = |area: &Area| area.range.start / PAGE..area.range.end / PAGE;
    areas
        .list
        .iter()
        .map(|area| (page(area), area.access.is_some()))
        .collect()
}

fn pages(range: Range<usize>) -> Range<usize> {
    range.start * PAGE..range.end * PAGE
}

#[test]
fn neighbours_that_are_alike_are_one() {
    let mut areas = Areas::new();
    for range in [10..12, 14..16, 12..14] {
        add(&mut areas, range, DATA);
    }
    add(&mut areas, 16..18, NONE);
    assert_eq!(list(&areas), [(10..16, true), (16..18, false)]);
    assert!(areas.find(pages(9..10).start).is_none());
    assert_eq!(
        areas.find(pages(15..16).start).unwrap().range,
        pages(10..16)
    );
    assert_eq!(areas.covered(pages(11..30)), 18 * PAGE);
    assert_eq!(areas.covered(pages(2..30)), 2 * PAGE);
}

#[test]
fn a_part_can_be_taken_from_the_middle() {
    let mut areas = Areas::new();
    add(&mut areas, 10..20, DATA);
    areas.make_room(1).unwrap();
    areas.remove(pages(12..14));
    assert_eq!(list(&areas), [(10..12, true), (14..20, true)]);
    areas.remove(pages(0..15));
    areas.remove(pages(30..40));
    assert_eq!(list(&areas), [(15..20, true)]);
    areas.remove(pages(1..50));
    assert!(areas.is_empty());
}

#[test]
fn rights_cut_and_join() {
    let mut areas = Areas::new();
    add(&mut areas, 10..20, NONE);
    areas.make_room(2).unwrap();
    areas.protect(pages(12..18), DATA);
    assert_eq!(
        list(&areas),
        [(10..12, false), (12..18, true), (18..20, false)]
    );
    areas.make_room(2).unwrap();
    areas.protect(pages(9..13), DATA);
    assert_eq!(list(&areas), [(10..18, true), (18..20, false)]);
    areas.make_room(2).unwrap();
    areas.protect(pages(0..30), NONE);
    assert_eq!(list(&areas), [(10..20, false)]);
}

#[test]
fn the_highest_gap_is_found() {
    let mut areas = Areas::new();
    let within = pages(10..100);
    assert_eq!(areas.gap(5 * PAGE, within.clone()), Some(95 * PAGE));
    add(&mut areas, 90..100, DATA);
    add(&mut areas, 80..86, NONE);
    add(&mut areas, 120..130, NONE);
    let gap = |count: usize| areas.gap(count * PAGE, within.clone()).map(|at| at / PAGE);
    assert_eq!(
        [gap(4), gap(5), gap(70), gap(71)],
        [Some(86), Some(75), Some(10), None]
    );
    assert_eq!(areas.gap(3 * PAGE, pages(70..85)), Some(77 * PAGE));
}

/// Random changes, compared with a list of single pages.
#[test]
fn the_list_is_what_its_pages_say() {
    const PAGES: usize = 64;
    let mut random = crate::fs::pages::random::Random::new(7);
    let (mut areas, mut model) = (Areas::new(), [None::<bool>; PAGES]);
    for _ in 0..crate::testing::rounds(20_000) {
        let start = random.below(PAGES as u64 - 1) as usize;
        let end = start + 1 + random.below((PAGES - start) as u64 - 1) as usize;
        let (range, kind) = (pages(start..end), random.below(2) == 0);
        let access = kind.then_some(Access::DATA);
        areas.make_room(3).unwrap();
        match random.below(3) {
            0 => {
                areas.remove(range.clone());
                areas.insert(area(start..end, access));
                model[start..end].fill(Some(kind));
            }
            1 => {
                areas.remove(range.clone());
                model[start..end].fill(None);
            }
            _ => {
                areas.protect(range.clone(), access);
                let pages = model[start..end].iter_mut().flatten();
                pages.for_each(|page| *page = kind);
            }
        }
        for (number, page) in model.iter().enumerate() {
            let found = areas.find(number * PAGE).map(|area| area.access.is_some());
            assert_eq!(found, *page, "page {number}");
        }
        let joined = areas.list.windows(2).all(|pair| !pair[0].takes(&pair[1]));
        assert!(joined && areas.list.iter().all(|area| !area.range.is_empty()));
    }
}
