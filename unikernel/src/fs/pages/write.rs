//! Writing.

use super::{MAX_SIZE, PAGE, PageStore, Quota, SHIFT, index_of, new_page, offset_in};
use crate::errno::{Errno, SysResult};
use crate::fs::page::Page;
use crate::uaccess::{UserSlice, access_ok};

/// Where the bytes come from.
#[derive(Clone, Copy)]
enum Source<'a> {
    User(UserSlice),
    Bytes(&'a [u8]),
    /// Bytes of a page from an offset on.
    Page(&'a Page, usize, usize),
}

impl Source<'_> {
    const fn len(&self) -> usize {
        match self {
            Self::User(part) => part.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Page(_, _, len) => *len,
        }
    }

    /// The `len` bytes behind the first `skip`; they are there.
    fn part(self, skip: usize, len: usize) -> Self {
        match self {
            Self::User(part) => Self::User(part.skip(skip).take(len)),
            Self::Bytes(bytes) => Self::Bytes(&bytes[skip..skip + len]),
            Self::Page(page, offset, _) => Self::Page(page, offset + skip, len),
        }
    }

    /// Copies all of it to `page` from `offset` on; returns the bytes copied, short at a bad
    /// pointer, `EFAULT` when none.
    fn copy_to(self, page: &Page, offset: usize) -> SysResult {
        match self {
            Self::User(part) => page.write(offset, part),
            Self::Bytes(bytes) => Ok(page.copy_from(offset, bytes)),
            Self::Page(from, at, len) => Ok(page.copy_page(offset, from, at, len)),
        }
    }

    /// Why nothing can be written: a bad pointer counts before a full file system, because Linux
    /// looks at the source first.
    fn fault_or(self, errno: Errno) -> Errno {
        match self {
            Self::User(part) if part.read(&mut [0]).is_err() => Errno::EFAULT,
            _ => errno,
        }
    }
}

impl PageStore {
    /// Writes `from` to byte `at` on. The file grows as needed; a gap between its end and `at` is a
    /// hole. Returns the bytes written: fewer when `from` is bad behind them, or when the quota or
    /// memory ends. Errors, when nothing was written: `EFAULT`, `ENOSPC`, `ENOMEM`, and `EFBIG`
    /// from [`MAX_SIZE`] on.
    #[inline]
    pub fn write_at(&mut self, at: u64, from: UserSlice, quota: &Quota) -> SysResult {
        let offset = offset_in(at);
        // Without a length of 0, which changes nothing.
        if from.len().wrapping_sub(1) < PAGE - offset
            && at <= self.size
            && at + from.len() as u64 <= MAX_SIZE
            && let Some(page) = self.own(index_of(at))
        {
            let done = page.write(offset, from)?;
            page.set_filled(true);
            self.size = self.size.max(at + done as u64);
            return Ok(done);
        }
        self.write_source(at, Source::User(from), quota)
    }

    /// Writes one part after the other, as [`write_at`](Self::write_at).
    pub fn write(
        &mut self,
        at: u64,
        parts: impl IntoIterator<Item = UserSlice>,
        quota: &Quota,
    ) -> SysResult {
        let mut done = 0;
        for part in parts {
            match self.write_at(at + done as u64, part, quota) {
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

    /// Writes bytes of the library's own, as [`write_at`](Self::write_at).
    pub fn write_bytes(&mut self, at: u64, from: &[u8], quota: &Quota) -> SysResult {
        self.write_source(at, Source::Bytes(from), quota)
    }

    /// Writes `len` bytes of a page, from `offset` on, as [`write_at`](Self::write_at).
    ///
    /// # Panics
    /// When they are not inside the page.
    pub fn write_page(
        &mut self,
        at: u64,
        (page, offset, len): (&Page, usize, usize),
        quota: &Quota,
    ) -> SysResult {
        assert!(offset <= PAGE && len <= PAGE - offset);
        self.write_source(at, Source::Page(page, offset, len), quota)
    }

    #[inline(never)]
    fn write_source(&mut self, at: u64, from: Source<'_>, quota: &Quota) -> SysResult {
        let most = MAX_SIZE.saturating_sub(at);
        let len = from.len().min(most as usize);
        if from.len() == 0 {
            return Ok(0);
        }
        if len == 0 {
            return Err(Errno::EFBIG);
        }
        // Page by page, the range could prove bad after something was copied.
        if let Source::User(part) = from
            && !access_ok(part.start(), part.len())
        {
            return Err(Errno::EFAULT);
        }
        self.clear_gap(at);
        let mut done = 0;
        while done < len {
            let at = at + done as u64;
            let count = (PAGE - offset_in(at)).min(len - done);
            match self.write_in_page(at, from.part(done, count), quota) {
                Ok(copied) => {
                    done += copied;
                    self.size = self.size.max(at + copied as u64);
                    if copied < count {
                        break;
                    }
                }
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Writes to one page; it is made only if something comes.
    fn write_in_page(&mut self, at: u64, from: Source<'_>, quota: &Quota) -> SysResult {
        let (index, offset) = (index_of(at), offset_in(at));
        if let Some(page) = self.own(index) {
            let copied = from.copy_to(page, offset)?;
            page.set_filled(true);
            return Ok(copied);
        }
        let page = new_page(quota).map_err(|errno| from.fault_or(errno))?;
        let copied = from
            .copy_to(&page, offset)
            .inspect_err(|_| quota.release(1))?;
        self.fill_up(&page, index, 0..offset);
        self.fill_up(&page, index, offset + copied..PAGE);
        self.insert(index, page, quota)?;
        Ok(copied)
    }

    /// Makes `page` the file's page at `index`, whole, by reference if nobody else has it and by
    /// copy otherwise. The file then ends behind it at the earliest. `ENOSPC`, `ENOMEM`, `EFBIG`.
    pub fn install(&mut self, index: u64, page: Page, quota: &Quota) -> Result<(), Errno> {
        let at = index << SHIFT;
        let own = self.own(index);
        // Who has the file's page by a mapping expects it to stay the file's.
        if page.is_shared() || own.is_some_and(Page::is_shared) || at > MAX_SIZE - PAGE as u64 {
            return self.write_page(at, (&page, 0, PAGE), quota).map(|_| ());
        }
        self.clear_gap(at);
        page.set_filled(true);
        if self.own(index).is_some() {
            self.tree.insert(index, page)?;
        } else {
            quota.charge(1)?;
            self.insert(index, page, quota)?;
        }
        self.size = self.size.max(at + PAGE as u64);
        Ok(())
    }
}
