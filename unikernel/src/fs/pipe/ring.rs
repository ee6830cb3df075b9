//! The ring of page buffers inside a pipe: what is in it, in order, and nothing about users,
//! waiting or ends.

use crate::errno::Errno;
use crate::fs::page::Page;
use crate::mm::PAGE;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

/// Bytes in a pipe: a part of one page.
#[derive(Clone)]
pub struct Buffer {
    page: Page,
    offset: u16,
    len: u16,
    /// Writes may go on behind the end: the page is the pipe's own.
    mergeable: bool,
    /// A packet (`O_DIRECT`): one read takes it, and drops what it has no room for.
    packet: bool,
}

impl Buffer {
    /// The first `len` bytes of a page that nobody else has, written by write(2).
    pub const fn written(page: Page, len: usize, packet: bool) -> Self {
        Self {
            page,
            offset: 0,
            len: len as u16,
            mergeable: !packet,
            packet,
        }
    }

    /// `len` bytes at `offset` of a page that others may have, too: it is never written to.
    ///
    /// # Panics
    /// When they are not inside the page, or none.
    pub fn shared(page: Page, offset: usize, len: usize) -> Self {
        assert!(len > 0 && offset < PAGE && len <= PAGE - offset);
        Self {
            page,
            offset: offset as u16,
            len: len as u16,
            mergeable: false,
            packet: false,
        }
    }

    /// The page it is in.
    #[inline]
    pub const fn page(&self) -> &Page {
        &self.page
    }

    /// Where in the page it begins.
    #[inline]
    pub fn offset(&self) -> usize {
        usize::from(self.offset)
    }

    /// Bytes in it: never 0 in a ring.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether one read takes it all.
    #[inline]
    pub const fn is_packet(&self) -> bool {
        self.packet
    }

    /// Where in the page `more` bytes can be appended, if writes may and there is room. They count
    /// only after [`extend`](Self::extend).
    #[inline]
    pub fn room_for(&self, more: usize) -> Option<usize> {
        let end = self.offset() + self.len();
        (self.mergeable && end + more <= PAGE).then_some(end)
    }

    /// Counts `more` bytes that were appended where [`room_for`](Self::room_for) said.
    #[inline]
    pub fn extend(&mut self, more: usize) {
        debug_assert!(self.offset() + self.len() + more <= PAGE);
        self.len += more as u16;
    }

    /// Drops the first `n` bytes (at most the length). Returns whether nothing is left.
    #[inline]
    pub fn consume(&mut self, n: usize) -> bool {
        debug_assert!(n <= self.len());
        self.offset += n as u16;
        self.len -= n as u16;
        self.len == 0
    }

    /// A second buffer with the first `most` bytes of this one, by reference.
    pub fn duplicate(&self, most: usize) -> Self {
        Self {
            len: self.len.min(most.min(PAGE) as u16),
            mergeable: false,
            ..self.clone()
        }
    }
}

/// Buffers in order. Their number is a power of two, and `head` and `tail` wrap naturally: the
/// places of the buffers are `tail..head`, masked.
pub struct Ring {
    slots: Box<[Option<Buffer>]>,
    head: u32,
    tail: u32,
}

impl Ring {
    /// An empty ring of `slots` buffers, a power of two. `ENOMEM`.
    pub fn new(slots: usize) -> Result<Self, Errno> {
        debug_assert!(slots.is_power_of_two());
        let mut empty = Vec::new();
        empty.try_reserve_exact(slots).map_err(|_| Errno::ENOMEM)?;
        empty.resize_with(slots, || None);
        Ok(Self {
            slots: empty.into_boxed_slice(),
            head: 0,
            tail: 0,
        })
    }

    #[inline]
    fn place(&self, index: u32) -> usize {
        index as usize & (self.slots.len() - 1)
    }

    /// Buffers that fit.
    #[inline]
    pub const fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Buffers in it.
    #[inline]
    pub const fn len(&self) -> usize {
        self.head.wrapping_sub(self.tail) as usize
    }

    /// Whether there is nothing in it.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.head == self.tail
    }

    /// Whether no buffer fits.
    #[inline]
    pub const fn is_full(&self) -> bool {
        self.len() >= self.capacity()
    }

    /// The oldest buffer.
    #[inline]
    pub fn front(&mut self) -> Option<&mut Buffer> {
        let place = self.place(self.tail);
        self.slots.get_mut(place)?.as_mut()
    }

    /// The newest buffer.
    #[inline]
    pub fn back(&mut self) -> Option<&mut Buffer> {
        let place = self.place(self.head.wrapping_sub(1));
        self.slots.get_mut(place)?.as_mut()
    }

    /// The buffers from the oldest on.
    pub fn iter(&self) -> impl Iterator<Item = &Buffer> {
        (0..self.len() as u32)
            .filter_map(|n| self.slots[self.place(self.tail.wrapping_add(n))].as_ref())
    }

    /// Appends a buffer; gives it back when the ring is full.
    #[inline]
    pub fn push(&mut self, buffer: Buffer) -> Result<(), Buffer> {
        match self.vacant() {
            Some(vacant) => {
                vacant.fill(buffer);
                Ok(())
            }
            None => Err(buffer),
        }
    }

    /// The place for the next buffer; `None` when the ring is full.
    #[inline]
    pub fn vacant(&mut self) -> Option<Vacant<'_>> {
        if self.is_full() {
            return None;
        }
        let place = self.place(self.head);
        Some(Vacant {
            slot: self.slots.get_mut(place)?,
            head: &mut self.head,
        })
    }

    /// Takes the oldest buffer out.
    #[inline]
    pub fn pop(&mut self) -> Option<Buffer> {
        let place = self.place(self.tail);
        let buffer = self.slots.get_mut(place)?.take()?;
        self.tail = self.tail.wrapping_add(1);
        Some(buffer)
    }

    /// Takes the oldest buffer out, for its page. Always inlined, so that no more than the page is
    /// moved, and that in a general register.
    #[inline(always)]
    pub fn pop_page(&mut self) -> Option<Page> {
        let place = self.place(self.tail);
        let page = self.slots.get_mut(place)?.take()?.page;
        self.tail = self.tail.wrapping_add(1);
        Some(page)
    }

    /// Changes the capacity to `slots` buffers, a power of two. `EBUSY` when more are in it,
    /// `ENOMEM`; then nothing has changed.
    pub fn resize(&mut self, slots: usize) -> Result<(), Errno> {
        if slots < self.len() {
            return Err(Errno::EBUSY);
        }
        let mut other = Self::new(slots)?;
        while let Some(buffer) = self.pop() {
            // It fits: there are at least as many places as buffers.
            let _ = other.push(buffer);
        }
        *self = other;
        Ok(())
    }
}

/// A free place behind the newest buffer.
pub struct Vacant<'a> {
    slot: &'a mut Option<Buffer>,
    head: &'a mut u32,
}

impl Vacant<'_> {
    /// Puts a buffer there.
    #[inline]
    pub fn fill(self, buffer: Buffer) {
        // There is nothing in it that would have to be dropped, which the compiler cannot know.
        mem::forget(self.slot.replace(buffer));
        *self.head = self.head.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(len: usize) -> Buffer {
        Buffer::written(Page::zeroed().unwrap(), len, false)
    }

    fn lens(ring: &Ring) -> Vec<usize> {
        ring.iter().map(Buffer::len).collect()
    }

    #[test]
    fn buffers_come_out_in_order_however_often_it_wraps() {
        let mut ring = Ring::new(4).unwrap();
        (ring.head, ring.tail) = (u32::MAX - 1, u32::MAX - 1);
        for len in 1..40 {
            assert!(ring.push(buffer(len)).is_ok());
            assert_eq!(ring.back().unwrap().len(), len);
            if len > 2 {
                assert_eq!(ring.front().unwrap().len(), len - 2);
                assert_eq!(ring.pop().unwrap().len(), len - 2);
            }
        }
        assert_eq!(lens(&ring), [38, 39]);
    }

    #[test]
    fn a_full_ring_gives_the_buffer_back() {
        let mut ring = Ring::new(2).unwrap();
        assert!(ring.back().is_none() && ring.front().is_none() && ring.pop().is_none());
        for len in [1, 2] {
            assert!(ring.push(buffer(len)).is_ok());
        }
        assert!(ring.is_full());
        assert_eq!(ring.push(buffer(3)).err().map(|b| b.len()), Some(3));
        assert_eq!(lens(&ring), [1, 2]);
    }

    #[test]
    fn resizing_keeps_content_or_refuses() {
        let mut ring = Ring::new(4).unwrap();
        for len in 1..4 {
            let _ = ring.push(buffer(len));
        }
        ring.pop();
        assert_eq!(ring.resize(1), Err(Errno::EBUSY));
        assert_eq!((ring.resize(2), ring.capacity()), (Ok(()), 2));
        assert!(ring.is_full());
        assert_eq!(ring.resize(16), Ok(()));
        assert_eq!(lens(&ring), [2, 3]);
    }

    #[test]
    fn only_the_pipes_own_pages_are_appended_to() {
        let mut own = buffer(4000);
        assert!(own.room_for(96).is_some() && own.room_for(97).is_none());
        assert_eq!(own.room_for(1), Some(4000));
        own.extend(96);
        assert!(!own.consume(4095) && own.consume(1));
        let own = buffer(10);
        let copy = own.duplicate(4);
        assert!(copy.len() == 4 && copy.page().is(own.page()));
        assert!(copy.room_for(1).is_none() && own.page().is_shared());
        let packet = Buffer::written(Page::zeroed().unwrap(), 1, true);
        assert!(packet.room_for(1).is_none());
    }
}
