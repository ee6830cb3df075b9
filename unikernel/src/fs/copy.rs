//! Bytes from one open file to another, page by page and not by way of the application: for
//! sendfile(2) and copy_file_range(2).
//!
//! A page of a regular file is lent, not copied, until it is where it goes to. What a device or a
//! generated file gives comes in a page of its own.

use super::device::Device;
use super::file::{Description, MAX_OFFSET};
use super::guard::{self, Refused};
use super::inode::{Inode, Kind};
use super::page::Page;
use super::pipe::splice::{Chunk, Source};
use crate::errno::{Errno, SysResult};
use crate::mm::PAGE;
use crate::uaccess::UserSlice;
use core::iter::once;

/// Where a copy comes from.
pub struct Input<'a> {
    file: &'a Description,
    /// The next byte.
    at: u64,
    /// The console has given what there was: asked again, it would wait.
    over: bool,
}

impl<'a> Input<'a> {
    /// An open file from byte `at` on. `EINVAL` for what cannot be spliced from on Linux.
    pub fn new(file: &'a Description, at: u64) -> Result<Self, Errno> {
        match &file.inode().kind {
            Kind::File(_) => {}
            Kind::Proc(_) if !file.inode().is_dir() => {}
            Kind::Device(Device::Zero | Device::Full | Device::Random | Device::Urandom) => {}
            Kind::Device(device) if device.is_tty() => {}
            _ => return Err(Errno::EINVAL),
        }
        let over = false;
        Ok(Self { file, at, over })
    }

    /// The byte behind the last one taken. That of a device does not move.
    pub const fn position(&self) -> u64 {
        self.at
    }

    /// The next bytes of a device or of a generated file.
    fn read(&mut self, most: usize) -> Result<Option<Chunk>, Errno> {
        if self.over {
            return Ok(None);
        }
        let page = Page::dirty().ok_or(Errno::ENOMEM)?;
        let room = UserSlice::new(page.address() as usize, most);
        let len = self.file.read(&mut once(room), most, Some(self.at))?;
        match &self.file.inode().kind {
            Kind::Device(device) => self.over = device.is_console(),
            _ => self.at += len as u64,
        }
        let offset = 0;
        Ok((len > 0).then_some(Chunk { page, offset, len }))
    }
}

impl Source for Input<'_> {
    fn next(&mut self, most: usize) -> Result<Option<Chunk>, Errno> {
        let inode = self.file.inode();
        let Some(store) = inode.store() else {
            return self.read(most.min(PAGE));
        };
        let store = store.lock();
        let offset = self.at as usize % PAGE;
        let left = store.size().saturating_sub(self.at);
        let len = (left.min(PAGE as u64) as usize)
            .min(PAGE - offset)
            .min(most);
        if len == 0 {
            return Ok(None);
        }
        let page = store.page(self.at / PAGE as u64)?;
        drop(store);
        self.at += len as u64;
        self.file.accessed();
        Ok(Some(Chunk { page, offset, len }))
    }
}

/// Where a copy goes to.
pub struct Output<'a> {
    inode: &'a Inode,
    /// The next byte.
    at: u64,
}

impl<'a> Output<'a> {
    /// A file from byte `at` on.
    pub const fn new(inode: &'a Inode, at: u64) -> Self {
        Self { inode, at }
    }

    /// The byte behind the last one written. That of a device does not move.
    pub const fn position(&self) -> u64 {
        self.at
    }

    /// Writes a part of a page: how much of it, fewer bytes where the file system or a limit ends.
    /// `EINVAL` for what cannot be spliced to on Linux.
    fn write(&mut self, chunk: &Chunk) -> Result<usize, Refused> {
        match &self.inode.kind {
            Kind::File(_) => {
                let done = write_page(self.inode, self.at, chunk)?;
                self.at += done as u64;
                Ok(done)
            }
            Kind::Device(Device::Full | Device::Other(..)) => Err(Errno::EINVAL.into()),
            Kind::Device(device) => Ok(write_device(*device, chunk)?),
            _ => Err(Errno::EINVAL.into()),
        }
    }
}

/// Writes a part of a page to byte `at` of a regular file, as far as seals and limits let it.
/// Returns the bytes written; nobody holds the file then.
pub fn write_page(inode: &Inode, at: u64, chunk: &Chunk) -> Result<usize, Refused> {
    let mut store = inode.store().ok_or(Errno::EINVAL)?.lock();
    let len = guard::write(inode, at, chunk.len, store.size())?;
    let from = (&chunk.page, chunk.offset, len);
    let done = store.write_page(at, from, &inode.sb.quota)?;
    drop(store);
    inode.wrote();
    Ok(done)
}

fn write_device(device: Device, chunk: &Chunk) -> SysResult {
    let own = match chunk.page.is_zeros() {
        // That page is the library's, where no device may read.
        true => Some(Page::zeroed().ok_or(Errno::ENOMEM)?),
        false => None,
    };
    let start = own.as_ref().unwrap_or(&chunk.page).address() as usize;
    device.write(UserSlice::new(start + chunk.offset, chunk.len))
}

/// Copies up to `len` bytes; returns how many. An error counts only when nothing was copied.
pub fn copy(input: &mut Input<'_>, output: &mut Output<'_>, len: usize) -> SysResult {
    let (start, mut done) = (input.at, 0);
    while done < len {
        let chunk = match input.next(len - done) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        };
        match output.write(&chunk) {
            Ok(count) => {
                done += count;
                if count < chunk.len {
                    input.back(start, done);
                    break;
                }
            }
            Err(refused) => {
                input.back(start, done);
                if done == 0 {
                    return Err(refused.raise());
                }
                break;
            }
        }
    }
    Ok(done)
}

impl Input<'_> {
    /// What was taken and found no room was not taken.
    fn back(&mut self, start: u64, done: usize) {
        if self.at != start {
            self.at = start + done as u64;
        }
    }
}

/// The largest offset of a file: that of generated ones is Linux's default (`MAX_NON_LFS`).
pub const fn largest(inode: &Inode) -> u64 {
    match inode.kind {
        Kind::Proc(_) => i32::MAX as u64,
        _ => MAX_OFFSET,
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::Description;
    use super::super::pages::PageStore;
    use super::super::rc::Ref;
    use super::super::testing::{boot_with, inode};
    use super::super::{Stdin, vfs};
    use super::*;
    use crate::sync::Exclusive;
    use linux_raw_sys::general::{F_SEAL_GROW, O_RDWR};

    fn file(content: &'static [u8]) -> Ref<Inode> {
        let store = Exclusive::new(PageStore::from_image(content));
        inode(Kind::File(store), 0o100_644)
    }

    fn open(inode: &Ref<Inode>) -> Description {
        let mut vfs = vfs();
        let root = vfs.root;
        vfs.cache.get(root);
        Description::new(root, inode.clone(), O_RDWR)
    }

    fn content(inode: &Inode) -> Vec<u8> {
        let mut bytes = vec![0xcc; inode.size() as usize];
        inode.store().unwrap().lock().read_bytes(0, &mut bytes);
        bytes
    }

    #[test]
    fn any_range_goes_anywhere() {
        let _fs = boot_with(None, Stdin::Null);
        let bytes: Vec<u8> = (0..30_000u32).map(|i| (i % 251) as u8).collect();
        let from = open(&file(bytes.clone().leak()));
        for (at, to, len) in [
            (0, 0, 30_000),
            (1, 4095, 4098),
            (4095, 1, 8193),
            (8192, 4096, 4096),
            (29_999, 70_000, 10),
            (29_000, 5, 5000),
        ] {
            let target = file(b"");
            let mut input = Input::new(&from, at as u64).unwrap();
            let mut output = Output::new(&target, to as u64);
            let wanted = &bytes[at..(at + len).min(bytes.len())];
            assert_eq!(copy(&mut input, &mut output, len), Ok(wanted.len()));
            assert_eq!(input.position(), (at + wanted.len()) as u64);
            assert_eq!(output.position(), (to + wanted.len()) as u64);
            let copied = content(&target);
            assert!(copied[..to].iter().all(|&byte| byte == 0));
            assert!(copied[to..] == *wanted, "{at} {to} {len}");
        }
    }

    #[test]
    fn a_hole_is_copied_as_zeros() {
        let _fs = boot_with(None, Stdin::Null);
        let (from, to) = (file(b"head"), file(b""));
        let quota = &from.sb.quota;
        from.store().unwrap().lock().truncate(10_000, quota);
        let from = open(&from);
        let mut input = Input::new(&from, 0).unwrap();
        assert_eq!(
            copy(&mut input, &mut Output::new(&to, 0), 20_000),
            Ok(10_000)
        );
        let copied = content(&to);
        assert_eq!((&copied[..4], copied.len()), (&b"head"[..], 10_000));
        assert!(copied[4..].iter().all(|&byte| byte == 0));
        let urandom = inode(Kind::Device(Device::Urandom), 0);
        let mut input = Input::new(&from, 0).unwrap();
        assert_eq!(
            copy(&mut input, &mut Output::new(&urandom, 0), 9000),
            Ok(9000)
        );
    }

    #[test]
    fn what_finds_no_room_is_not_taken() {
        let _fs = boot_with(None, Stdin::Null);
        let from = open(&file(vec![7; 9000].leak()));
        let sealed = file(b"");
        sealed.seals.set(F_SEAL_GROW);
        let mut input = Input::new(&from, 10).unwrap();
        let mut output = Output::new(&sealed, 0);
        assert_eq!(copy(&mut input, &mut output, 9), Err(Errno::EPERM));
        assert_eq!((input.position(), output.position()), (10, 0));
        sealed.seals.set(0);
        sealed
            .store()
            .unwrap()
            .lock()
            .truncate(5000, &sealed.sb.quota);
        sealed.seals.set(F_SEAL_GROW);
        assert_eq!(copy(&mut input, &mut output, 8000), Ok(4096));
        assert_eq!((input.position(), output.position()), (4106, 4096));
        let full = inode(Kind::Device(Device::Full), 0);
        let mut output = Output::new(&full, 0);
        assert_eq!(copy(&mut input, &mut output, 9), Err(Errno::EINVAL));
        assert_eq!(input.position(), 4106);
    }

    #[test]
    fn devices_give_what_they_have_without_end() {
        let _fs = boot_with(None, Stdin::Null);
        let zero = open(&inode(Kind::Device(Device::Zero), 0));
        let to = file(b"");
        let mut input = Input::new(&zero, 0).unwrap();
        assert_eq!(
            copy(&mut input, &mut Output::new(&to, 3), 10_000),
            Ok(10_000)
        );
        assert_eq!(input.position(), 0);
        assert_eq!(content(&to), [0; 10_003]);
        let null = open(&inode(Kind::Device(Device::Null), 0));
        assert_eq!(Input::new(&null, 0).err(), Some(Errno::EINVAL));
    }
}
