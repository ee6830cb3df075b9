//! Which frames the application mapped.

use super::*;

impl Frames {
    /// Marks frames, which have been taken, as the application's, or not.
    pub fn set_user(&mut self, start: usize, count: usize, value: bool) {
        (start / PAGE..start / PAGE + count).for_each(|frame| match value {
            true => self.user.add(frame),
            false => self.user.remove(frame),
        });
    }

    /// Whether the page at `address` was mapped by the application.
    pub fn is_user(&self, address: usize) -> bool {
        let frame = address / PAGE;
        self.open.has(frame >> PART) && self.user.has(frame)
    }

    /// How many frames are the application's mappings.
    pub fn user_frames(&self) -> usize {
        let (mut count, mut from) = (0, 0);
        while let Some(part) = self.open.next(from) {
            count += self.user.count(part << PART..(part + 1) << PART);
            from = part + 1;
        }
        count
    }

    /// The first run of the application's pages in `range`.
    pub fn user_run(&self, range: Range<usize>) -> Option<Range<usize>> {
        let end = (range.end / PAGE).min(self.limit());
        let first = self.user.next(range.start / PAGE)?;
        let mut last = first;
        while last < end && self.is_user(last * PAGE) {
            let skips = last.is_multiple_of(64) && self.user.has_word(last);
            last += if skips { 64 } else { 1 };
        }
        let last = last.min(end);
        (first < last).then_some(first * PAGE..last * PAGE)
    }
}
