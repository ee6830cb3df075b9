//! Room and holes: truncate(2), fallocate(2), `SEEK_DATA` and `SEEK_HOLE`.

use super::{Errno, MAX_SIZE, PAGE, PageStore, Quota, Range, SHIFT, index_of, new_page, offset_in};
use crate::fs::page::Page;

impl PageStore {
    /// Sets the size (at most [`MAX_SIZE`]). What is cut off is gone; what is added is a hole. To
    /// the present size, it takes away what fallocate(2) put behind the end.
    pub fn truncate(&mut self, size: u64, quota: &Quota) {
        debug_assert!(size <= MAX_SIZE);
        if size > self.size {
            self.clear_gap(size);
        } else {
            self.cut_image(size, quota);
            self.drop_pages(size.div_ceil(PAGE as u64), u64::MAX, quota);
        }
        self.size = size;
        self.clear_tail();
    }

    /// Before the file grows so that byte `at` is in it: clears what a mapping may have written
    /// behind its end.
    #[inline]
    pub(super) fn clear_gap(&self, at: u64) {
        if at > self.size {
            self.clear_tail();
        }
    }

    /// Clears the bytes of the last page behind the end.
    fn clear_tail(&self) {
        let offset = offset_in(self.size);
        if offset != 0
            && let Some(page) = self.own(index_of(self.size))
        {
            page.clear(offset..PAGE);
        }
    }

    /// Gives the image's bytes from `len` on up, and what replaced pages wholly behind.
    fn cut_image(&mut self, len: u64, quota: &Quota) {
        if len >= self.image.len() as u64 {
            return;
        }
        let old = self.image_pages();
        self.image = &self.image[..len as usize];
        let new = self.image_pages();
        if new < old {
            let replaced = self.drop_pages(new, old - 1, quota);
            self.borrowed -= old - new - replaced;
        }
    }

    /// Empties the places `first` to `last`; how many were not empty.
    fn drop_pages(&mut self, first: u64, last: u64, quota: &Quota) -> u64 {
        let removed = self.tree.remove(first, last);
        self.frames -= removed.frames;
        quota.release(removed.frames);
        removed.places
    }

    /// Makes a hole of `len` bytes from `at` on (`FALLOC_FL_PUNCH_HOLE`): whole pages are given
    /// back, parts of pages cleared. The size stays. `ENOSPC`, `ENOMEM`: only where a part of a
    /// borrowed page is cleared, which makes it the file's own; then nothing has changed but
    /// perhaps the part at `at`.
    pub fn punch(&mut self, at: u64, len: u64, quota: &Quota) -> Result<(), Errno> {
        let end = at.saturating_add(len);
        let (first, last) = (at.div_ceil(PAGE as u64), index_of(end));
        if first > last {
            return self.clear_part(last, offset_in(at)..offset_in(end), quota);
        }
        if offset_in(at) != 0 {
            self.clear_part(index_of(at), offset_in(at)..PAGE, quota)?;
        }
        self.clear_part(last, 0..offset_in(end), quota)?;
        self.punch_pages(first..last, quota)
    }

    /// Clears `range` of the page at `index`.
    fn clear_part(&mut self, index: u64, range: Range<usize>, quota: &Quota) -> Result<(), Errno> {
        let start = (index << SHIFT).saturating_add(range.start as u64);
        let end = (index << SHIFT).saturating_add(range.end as u64);
        if let Some(page) = self.own(index) {
            page.clear(range);
        } else if range.is_empty() || start >= self.image.len() as u64 {
            // A hole already.
        } else if end >= self.image.len() as u64 {
            self.cut_image(start, quota);
        } else if self.tree.get(index).is_none() {
            self.page_mut(index, quota)?.clear(range);
        }
        Ok(())
    }

    /// Makes holes of whole pages.
    fn punch_pages(&mut self, pages: Range<u64>, quota: &Quota) -> Result<(), Errno> {
        if pages.end >= self.image_pages() {
            self.cut_image(pages.start << SHIFT, quota);
        }
        let over_image = pages.start..pages.end.min(self.image_pages());
        for index in over_image.clone() {
            match self.tree.insert(index, Page::zeros())? {
                None => self.borrowed -= 1,
                Some(old) if !old.is_zeros() => {
                    self.frames -= 1;
                    quota.release(1);
                }
                Some(_) => {}
            }
        }
        let rest = over_image.end.max(pages.start)..pages.end;
        if !rest.is_empty() {
            self.drop_pages(rest.start, rest.end - 1, quota);
        }
        Ok(())
    }

    /// Makes room for `len` bytes from `at` on (fallocate(2) with no flag or with
    /// `FALLOC_FL_KEEP_SIZE`): later writes there cannot fail for want of space. The file grows
    /// over it unless `keep_size`. `ENOSPC`, `ENOMEM`: then the room in the range that was never
    /// written to is given back, as Linux does; `EFBIG`.
    pub fn allocate(
        &mut self,
        at: u64,
        len: u64,
        keep_size: bool,
        quota: &Quota,
    ) -> Result<(), Errno> {
        let end = at.checked_add(len).filter(|&end| end <= MAX_SIZE);
        let end = end.ok_or(Errno::EFBIG)?;
        let pages = index_of(at)..end.div_ceil(PAGE as u64);
        if quota
            .pages()
            .limit
            .is_some_and(|limit| pages.end - pages.start > limit)
        {
            return Err(Errno::ENOSPC);
        }
        for index in pages.clone() {
            if let Err(errno) = self.reserve(index, quota) {
                self.take_back(pages.start..index, quota);
                return Err(errno);
            }
        }
        if end > self.size && !keep_size {
            self.clear_gap(end);
            self.size = end;
        }
        Ok(())
    }

    /// Puts an empty page where there is a hole.
    fn reserve(&mut self, index: u64, quota: &Quota) -> Result<(), Errno> {
        let borrowed = || index < self.image_pages() && self.tree.get(index).is_none();
        if let Some(page) = self.own(index) {
            // Linux takes a page that is reserved twice for one that was written.
            page.set_filled(true);
            return Ok(());
        }
        if borrowed() {
            return Ok(());
        }
        let page = new_page(quota)?;
        page.clear(0..PAGE);
        page.set_filled(false);
        self.insert(index, page, quota)
    }

    /// Takes pages away that were reserved and never written to.
    fn take_back(&mut self, pages: Range<u64>, quota: &Quota) {
        let mut from = pages.start;
        while let Some((index, page)) = self.tree.next(from).filter(|found| found.0 < pages.end) {
            from = index + 1;
            if page.is_filled() || page.is_zeros() {
                continue;
            }
            // There is a node for this place, so nothing has to be allocated.
            let result = self.punch_pages(index..index + 1, quota);
            debug_assert_eq!(result, Ok(()));
        }
    }

    /// The first byte from `at` on that is in a page with content (`SEEK_DATA`), if there is one
    /// before the end (`ENXIO`).
    pub fn next_data(&self, at: u64) -> Option<u64> {
        Some(self.seek(at, true)).filter(|&found| found < self.size)
    }

    /// The first byte from `at` on that is in a hole (`SEEK_HOLE`); there is one at the end. `at` is
    /// before the end (otherwise `ENXIO`).
    pub fn next_hole(&self, at: u64) -> u64 {
        self.seek(at, false)
    }

    fn seek(&self, at: u64, data: bool) -> u64 {
        let end = self.size.div_ceil(PAGE as u64);
        let mut index = index_of(at);
        while index < end {
            let (is_data, next) = self.run(index);
            if is_data == data {
                return at.max(index << SHIFT);
            }
            index = next;
        }
        self.size
    }

    /// Whether the page at `index` has content, and the index up to which that is known to hold.
    fn run(&self, index: u64) -> (bool, u64) {
        let next = match self.tree.next(index) {
            Some((found, page)) if found == index => return (page.is_filled(), index + 1),
            other => other.map_or(u64::MAX, |(found, _)| found),
        };
        if index < self.image_pages() {
            (true, next.min(self.image_pages()))
        } else {
            (false, next)
        }
    }
}
