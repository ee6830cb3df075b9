use super::spare::KEPT;
use super::*;
use crate::errno::Errno;

fn bytes(page: &Page) -> Vec<u8> {
    let mut out = vec![0; PAGE];
    let to = UserSlice::new(out.as_mut_ptr() as usize, PAGE);
    assert_eq!(page.read(0, to), Ok(PAGE));
    out
}

#[test]
fn a_new_page_is_aligned_and_nobody_elses() {
    let page = Page::zeroed().unwrap();
    assert_eq!(page.address() as usize % PAGE, 0);
    assert!(!page.is_shared() && page.is_filled() && !page.is_zeros());
    assert_eq!(bytes(&page), [0; PAGE]);
}

#[test]
fn clones_share_the_frame_until_they_are_gone() {
    let page = Page::zeroed().unwrap();
    let other = page.clone();
    assert!(page.is_shared() && other.is_shared() && page.is(&other));
    assert_eq!(page.copy_from(5, b"abc"), 3);
    assert_eq!(bytes(&other)[4..9], *b"\0abc\0");
    drop(page);
    assert!(!other.is_shared());
    other.clear(6..7);
    assert_eq!(bytes(&other)[4..9], *b"\0a\0c\0");
}

#[test]
fn transfers_end_at_the_end_of_the_page() {
    let page = Page::zeroed().unwrap();
    let from = [7u8; 100];
    let user = UserSlice::new(from.as_ptr() as usize, 100);
    assert_eq!(page.write(PAGE - 60, user), Ok(60));
    assert_eq!(page.read(PAGE - 1, UserSlice::new(1, 0)), Ok(0));
    let nowhere = UserSlice::new(usize::MAX - 5, 3);
    assert_eq!(page.write(0, nowhere), Err(Errno::EFAULT));
    assert_eq!(page.read(0, nowhere), Err(Errno::EFAULT));
    let content = bytes(&page);
    assert!(content[..PAGE - 60].iter().all(|&b| b == 0));
    assert!(content[PAGE - 60..].iter().all(|&b| b == 7));
}

#[test]
fn there_is_one_page_of_zeros() {
    let zeros = Page::zeros();
    assert!(zeros.is_zeros() && zeros.clone().is(&Page::zeros()) && !zeros.is_filled());
    assert_eq!(bytes(&zeros), [0; PAGE]);
}

#[test]
#[should_panic(expected = "is_zeros")]
fn the_page_of_zeros_is_not_written_to() {
    Page::zeros().clear(0..1);
}

#[test]
fn more_pages_than_are_kept_come_and_go() {
    let pages: Vec<_> = (0..3 * KEPT).map(|_| Page::dirty().unwrap()).collect();
    let mut frames: Vec<_> = pages.iter().map(Page::address).collect();
    frames.sort();
    frames.dedup();
    assert_eq!(frames.len(), 3 * KEPT);
    drop(pages);
    assert!(Page::dirty().is_some());
}
