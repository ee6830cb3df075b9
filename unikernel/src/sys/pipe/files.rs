//! What pipes are spliced from and to: regular files, whose pages change hands, and devices, which
//! are read and written by the page.

use super::OpenFile;
use crate::errno::{Errno, SysResult};
use crate::fs::device::Device;
use crate::fs::file::Description;
use crate::fs::guard::{self, Refused};
use crate::fs::inode::Kind;
use crate::fs::page::Page;
use crate::fs::pipe::End;
use crate::fs::pipe::splice::{Chunk, Sink, Source};
use crate::mm::PAGE;
use crate::uaccess::UserSlice;
use core::iter::once;

/// A file from some byte on.
enum Place<'a> {
    Regular {
        file: &'a Description,
        at: u64,
    },
    Device {
        device: Device,
        nonblocking: bool,
        /// A read gave less than it could have: there is no more, or one would have to wait.
        ended: bool,
    },
    /// Of procfs: text that is made when it is looked at.
    Generated {
        file: &'a Description,
        at: u64,
    },
}

impl Source for Place<'_> {
    fn next(&mut self, most: usize) -> Result<Option<Chunk>, Errno> {
        match self {
            Self::Regular { file, at } => next_of_file(file, at, most),
            Self::Device { ended: true, .. } => Ok(None),
            Self::Device {
                device,
                nonblocking,
                ended,
            } => {
                let chunk = filled(|page| device.read(part(page, 0, most), *nonblocking))?;
                *ended = chunk.as_ref().is_none_or(|chunk| chunk.len < most);
                Ok(chunk)
            }
            Self::Generated { file, at } => {
                let chunk = filled(|page| {
                    let mut parts = once(part(page, 0, most));
                    file.read(&mut parts, most, Some(*at))
                })?;
                *at += chunk.as_ref().map_or(0, |chunk| chunk.len as u64);
                Ok(chunk)
            }
        }
    }
}

/// A new page with what `read` puts there; `None` when that is nothing.
fn filled(read: impl FnOnce(&Page) -> SysResult) -> Result<Option<Chunk>, Errno> {
    let page = Page::dirty().ok_or(Errno::ENOMEM)?;
    let len = read(&page)?;
    Ok((len > 0).then_some(Chunk {
        page,
        offset: 0,
        len,
    }))
}

/// A part of a page as a buffer that devices read to and write from.
fn part(page: &Page, offset: usize, len: usize) -> UserSlice {
    UserSlice::new(page.address().expose_provenance() + offset, len)
}

fn next_of_file(file: &Description, at: &mut u64, most: usize) -> Result<Option<Chunk>, Errno> {
    let store = file.inode().store().ok_or(Errno::EINVAL)?.lock();
    let left = store.size().saturating_sub(*at);
    if left == 0 {
        return Ok(None);
    }
    let offset = *at as usize % PAGE;
    let len = most.min(PAGE - offset).min(left as usize);
    let page = store.page(*at / PAGE as u64)?;
    *at += len as u64;
    file.accessed();
    Ok(Some(Chunk { page, offset, len }))
}

impl Sink for Place<'_> {
    fn accept(&mut self, page: &Page, offset: usize, len: usize) -> SysResult {
        let (inode, at) = match self {
            Self::Regular { file, at } => (file.inode(), at),
            Self::Device { device, .. } => return device.write(part(page, offset, len)),
            Self::Generated { .. } => return Err(Errno::EINVAL),
        };
        let quota = &inode.sb.quota;
        let size = inode.store().ok_or(Errno::EINVAL)?.lock().size();
        // Seals and RLIMIT_FSIZE hold here as for write(2).
        let len = guard::write(inode, *at, len, size).map_err(Refused::raise)?;
        let mut store = inode.store().ok_or(Errno::EINVAL)?.lock();
        let done = if len == PAGE && (*at as usize).is_multiple_of(PAGE) {
            store.install(*at / PAGE as u64, page.clone(), quota)?;
            PAGE
        } else {
            store.write_page(*at, (page, offset, len), quota)?
        };
        drop(store);
        *at += done as u64;
        inode.wrote();
        Ok(done)
    }
}

impl OpenFile for Description {
    fn end(&self) -> Option<&End> {
        Self::end(self)
    }

    fn status(&self) -> u32 {
        self.flags()
    }

    fn reads(&self) -> bool {
        self.is_readable()
    }

    fn writes(&self) -> bool {
        self.is_writable()
    }

    fn has_position(&self) -> bool {
        self.is_seekable()
    }

    fn position(&self) -> u64 {
        if self.is_seekable() {
            Self::position(self)
        } else {
            0
        }
    }

    fn move_to(&self, position: u64) {
        if self.is_seekable() {
            self.set_position(position);
        }
    }

    fn source(&self, at: u64) -> Option<impl Source> {
        match &self.inode().kind {
            // What Linux has no way to read by the page.
            Kind::Device(Device::Null | Device::Other(..)) => None,
            _ => self.place(at),
        }
    }

    fn sink(&self, at: u64) -> Option<impl Sink> {
        match &self.inode().kind {
            // What Linux has no way to write by the page.
            Kind::Device(Device::Full | Device::Other(..)) | Kind::Proc(_) => None,
            _ => self.place(at),
        }
    }
}

impl Description {
    /// The file from byte `at` on, if it can be spliced.
    fn place(&self, at: u64) -> Option<Place<'_>> {
        match &self.inode().kind {
            Kind::File(_) => Some(Place::Regular { file: self, at }),
            Kind::Device(device) => Some(Place::Device {
                device: *device,
                nonblocking: self.is_nonblocking(),
                ended: false,
            }),
            Kind::Proc(_) => Some(Place::Generated { file: self, at }),
            _ => None,
        }
    }
}
