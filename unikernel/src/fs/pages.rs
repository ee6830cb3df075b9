//! The content of a regular file, as tmpfs has it (Linux, mm/shmem.c).
//!
//! A [`PageStore`] holds a page for each 4 KiB that were written; what was not is a *hole*, reads as
//! zeros and takes nothing. A file of the initrd borrows its bytes from there, and gets a page of
//! its own where it is written to.
//!
//! - here: reading, and the pages themselves, for mappings and splice(2);
//! - `write`: writing;
//! - `space`: making room and holes (truncate, fallocate) and finding them (`SEEK_DATA`);
//! - `tree`: which page is where; `quota`: how many there may be.
//!
//! The bytes of a file's pages behind its end are zero, unless a mapping wrote them; they are
//! cleared again before the file grows over them.
//!
//! User memory is copied from and to under whatever lock the caller holds around the store. A fault
//! then is a bad pointer: it must not be resolved by taking that lock.

mod quota;
mod space;
pub(crate) mod tree;
mod write;

#[cfg(test)]
mod model;
#[cfg(test)]
pub(crate) mod random;
#[cfg(test)]
mod tests;

pub use quota::{Quota, Usage};

use super::page::Page;
use crate::errno::{Errno, SysResult};
use crate::mm::PAGE;
use crate::uaccess::{UserSlice, access_ok};
use core::ops::Range;
use tree::Tree;

/// The largest file, and the largest offset (Linux's `MAX_LFS_FILESIZE`). Callers see to it that a
/// range ends here at the latest.
pub const MAX_SIZE: u64 = i64::MAX as u64;

const SHIFT: u32 = PAGE.trailing_zeros();

/// The page that byte `at` is in.
#[inline]
const fn index_of(at: u64) -> u64 {
    at >> SHIFT
}

/// Where in its page byte `at` is.
#[inline]
const fn offset_in(at: u64) -> usize {
    at as usize & (PAGE - 1)
}

/// The content of a regular file.
pub struct PageStore {
    size: u64,
    /// What the pages that are not in `tree` hold, from the first on: never longer than the file.
    image: &'static [u8],
    /// Pages of the file's own, and over the image the page of zeros where there is a hole.
    tree: Tree,
    /// Pages in `tree`, without those of zeros.
    frames: u64,
    /// Pages of `image` for which there is nothing in `tree`.
    borrowed: u64,
}

/// What a range begins with.
enum Piece<'a> {
    /// A page; the range begins inside it.
    Page(&'a Page),
    /// These bytes.
    Image(&'static [u8]),
    /// A hole of at least this many bytes.
    Hole(u64),
}

impl PageStore {
    /// An empty file.
    #[allow(clippy::new_without_default, reason = "const, for statics")]
    pub const fn new() -> Self {
        Self::from_image(&[])
    }

    /// A file with this content, which is borrowed: no byte is copied before its page is written
    /// to.
    pub const fn from_image(image: &'static [u8]) -> Self {
        Self {
            size: image.len() as u64,
            image,
            tree: Tree::new(),
            frames: 0,
            borrowed: (image.len() as u64).div_ceil(PAGE as u64),
        }
    }

    /// Its size in bytes.
    #[inline]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Pages that are not holes, for `st_blocks` (eight a page).
    pub const fn pages(&self) -> u64 {
        self.frames + self.borrowed
    }

    /// Pages that it was charged for.
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// The pages of the image.
    const fn image_pages(&self) -> u64 {
        (self.image.len() as u64).div_ceil(PAGE as u64)
    }

    /// The page at `index` that can be written to.
    #[inline]
    fn own(&self, index: u64) -> Option<&Page> {
        self.tree.get(index).filter(|page| !page.is_zeros())
    }

    /// What there is from byte `at` on.
    fn piece(&self, at: u64) -> Piece<'_> {
        let next = match self.tree.next(index_of(at)) {
            Some((index, page)) if index == index_of(at) => return Piece::Page(page),
            other => other.map_or(u64::MAX, |(index, _)| index << SHIFT),
        };
        if at < self.image.len() as u64 {
            let end = next.min(self.image.len() as u64);
            return Piece::Image(&self.image[at as usize..end as usize]);
        }
        Piece::Hole(next - at)
    }

    /// Reads from byte `at` on into `to`. Returns the bytes read: fewer at the end of the file or
    /// when `to` is bad behind them; `EFAULT` when it is bad from the start.
    #[inline]
    pub fn read_at(&self, at: u64, to: UserSlice) -> SysResult {
        let Some(left) = self.size.checked_sub(at) else {
            return Ok(0);
        };
        let to = to.take(left as usize);
        if to.len() <= PAGE - offset_in(at)
            && let Some(page) = self.tree.get(index_of(at))
        {
            return page.read(offset_in(at), to);
        }
        self.read_pieces(at, to)
    }

    /// Where `len` bytes from `at` on are, when they are inside the file and in one piece, in a page
    /// of its own or in the image. To be copied from, as long as the store is locked.
    #[inline(always)]
    pub fn place(&self, at: u64, len: usize) -> Option<*const u8> {
        let offset = offset_in(at);
        if at.checked_add(len as u64)? > self.size || offset + len > PAGE {
            return None;
        }
        if let Some(page) = self.tree.get(index_of(at)) {
            return Some(page.address().wrapping_add(offset));
        }
        let rest = self.image.get(at as usize..)?;
        (rest.len() >= len).then_some(rest.as_ptr())
    }

    /// As [`read_at`](Self::read_at), anywhere, for a range inside the file.
    #[inline(never)]
    fn read_pieces(&self, at: u64, to: UserSlice) -> SysResult {
        // Piece by piece, the range could prove bad after something was copied.
        if !to.is_empty() && !access_ok(to.start(), to.len()) {
            return Err(Errno::EFAULT);
        }
        let mut done = 0;
        while done < to.len() {
            let (at, rest) = (at + done as u64, to.skip(done));
            let (part, copied) = match self.piece(at) {
                Piece::Page(page) => {
                    let part = rest.take(PAGE - offset_in(at));
                    (part, page.read(offset_in(at), part))
                }
                Piece::Image(bytes) => (rest.take(bytes.len()), rest.write(bytes)),
                Piece::Hole(len) => {
                    let part = rest.take(len.min(usize::MAX as u64) as usize);
                    (part, part.zero())
                }
            };
            match copied {
                Ok(count) if count == part.len() => done += count,
                Ok(count) => return Ok(done + count),
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Reads from byte `at` on into one part after the other, as [`read_at`](Self::read_at).
    pub fn read(&self, at: u64, parts: impl IntoIterator<Item = UserSlice>) -> SysResult {
        let mut done = 0;
        for part in parts {
            match self.read_at(at + done as u64, part) {
                Ok(count) => {
                    done += count;
                    if count < part.len() {
                        break;
                    }
                }
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Reads from byte `at` on into memory of the library's. Returns the bytes read: fewer at the
    /// end of the file.
    pub fn read_bytes(&self, at: u64, to: &mut [u8]) -> usize {
        let left = self.size.saturating_sub(at);
        let len = to.len().min(left as usize);
        let mut done = 0;
        while done < len {
            let rest = &mut to[done..len];
            let at = at + done as u64;
            done += match self.piece(at) {
                Piece::Page(page) => page.copy_to(offset_in(at), rest),
                Piece::Image(bytes) => {
                    let count = rest.len().min(bytes.len());
                    rest[..count].copy_from_slice(&bytes[..count]);
                    count
                }
                Piece::Hole(hole) => {
                    let count = rest.len().min(hole.min(usize::MAX as u64) as usize);
                    rest[..count].fill(0);
                    count
                }
            };
        }
        len
    }

    /// The page at `index`, to be read: of the file's own if it has one, else a copy of the image's
    /// or the page of zeros, which do not follow the file when it changes. What is behind the
    /// file's end is no part of it. `ENOMEM`.
    pub fn page(&self, index: u64) -> Result<Page, Errno> {
        if let Some(page) = self.tree.get(index) {
            return Ok(page.clone());
        }
        if index >= self.image_pages() {
            return Ok(Page::zeros());
        }
        let page = Page::dirty().ok_or(Errno::ENOMEM)?;
        self.fill_up(&page, index, 0..PAGE);
        Ok(page)
    }

    /// The page at `index`, to be written to by others, too: a mapping, or splice(2). It is in the
    /// file from now on. `ENOSPC`, `ENOMEM`.
    pub fn page_mut(&mut self, index: u64, quota: &Quota) -> Result<Page, Errno> {
        if let Some(page) = self.own(index) {
            page.set_filled(true);
            return Ok(page.clone());
        }
        let page = new_page(quota)?;
        self.fill_up(&page, index, 0..PAGE);
        self.insert(index, page.clone(), quota)?;
        Ok(page)
    }

    /// Writes to `range` of a new page what the file has at `index` as long as it has no page there.
    fn fill_up(&self, page: &Page, index: u64, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let mut cleared = range.start;
        if index < self.image_pages() && self.tree.get(index).is_none() {
            let start = (index << SHIFT) as usize + range.start;
            let bytes = self.image.get(start..).unwrap_or(&[]);
            cleared += page.copy_from(range.start, &bytes[..bytes.len().min(range.len())]);
        }
        page.clear(cleared..range.end);
    }

    /// Puts a page that was charged for where there is none of the file's own. `ENOMEM`: it is
    /// released again.
    fn insert(&mut self, index: u64, page: Page, quota: &Quota) -> Result<(), Errno> {
        match self.tree.insert(index, page) {
            Ok(old) => {
                debug_assert!(old.as_ref().is_none_or(Page::is_zeros));
                self.frames += 1;
                self.borrowed -= u64::from(old.is_none() && index < self.image_pages());
                Ok(())
            }
            Err(errno) => {
                quota.release(1);
                Err(errno)
            }
        }
    }
}

/// A page with any content, charged for. `ENOSPC`, `ENOMEM`.
fn new_page(quota: &Quota) -> Result<Page, Errno> {
    quota.charge(1)?;
    Page::dirty().ok_or_else(|| {
        quota.release(1);
        Errno::ENOMEM
    })
}
