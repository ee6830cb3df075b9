//! What a page should be.

use std::ops::Range;

/// A page of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// What it permits (PROT_*); `None` when it is not mapped.
    pub protection: Option<i32>,
    /// What was written to it; 0 when nothing was since it was fresh.
    pub tag: u64,
}

impl Page {
    /// Not mapped.
    pub const HOLE: Self = Self {
        protection: None,
        tag: 0,
    };

    /// Fresh.
    pub const fn fresh(protection: i32) -> Self {
        Self {
            protection: Some(protection),
            tag: 0,
        }
    }

    /// Whether it may be read.
    pub fn is_readable(&self) -> bool {
        self.protection.is_some_and(|p| p & libc::PROT_READ != 0)
    }

    /// Whether it may be written.
    pub fn is_writable(&self) -> bool {
        self.protection.is_some_and(|p| p & libc::PROT_WRITE != 0)
    }
}

/// The pages of the window.
pub struct Model(Vec<Page>);

impl Model {
    /// `count` pages that are not mapped.
    pub fn new(count: usize) -> Self {
        Self(vec![Page::HOLE; count])
    }

    /// A page.
    pub fn page(&mut self, at: usize) -> &mut Page {
        &mut self.0[at]
    }

    /// Whether any page of `range` is mapped.
    pub fn any_mapped(&self, range: Range<usize>) -> bool {
        self.0[range].iter().any(|page| page.protection.is_some())
    }

    /// Makes all of `range` the same.
    pub fn set(&mut self, range: Range<usize>, page: Page) {
        self.0[range].fill(page);
    }

    /// mprotect(2): up to the first hole; whether there was none.
    pub fn protect(&mut self, range: Range<usize>, protection: i32) -> bool {
        for page in &mut self.0[range] {
            match &mut page.protection {
                Some(old) => *old = protection,
                None => return false,
            }
        }
        true
    }

    /// MADV_DONTNEED: every mapped page is fresh again; whether there was no hole.
    pub fn discard(&mut self, range: Range<usize>) -> bool {
        let pages = &mut self.0[range];
        pages.iter_mut().for_each(|page| page.tag = 0);
        pages.iter().all(|page| page.protection.is_some())
    }
}
