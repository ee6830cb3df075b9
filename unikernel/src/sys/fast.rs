//! Short cuts for the common case of the most frequent calls.
//!
//! A short cut runs on the caller's stack and saves no vector register, which is half of the cost
//! of a small call. It does the whole call or nothing at all: on anything but plain success it
//! returns `None`, and the ordinary handler takes the call up from the start. So a short cut checks
//! less than it seems to, and no error has two sources.
//!
//! The build check of the kernel object proves for each that it and all it calls change no vector
//! register and need little stack. Hence nothing here may panic or allocate, copies are short, and
//! structures are written word by word.

use crate::cred::{self, caps};
use crate::fs::dcache::DentryId;
use crate::fs::device::Device;
use crate::fs::event::Event;
use crate::fs::file::Description;
use crate::fs::inode::{Inode, Kind};
use crate::fs::pages::PageStore;
use crate::fs::stat::encode;
use crate::fs::vfs::{self, Vfs, try_vfs};
use crate::fs::{fd, lock, name, notify};
use crate::mm::PAGE;
use crate::sync::Exclusive;
use crate::uaccess::{UserPtr, UserSlice, access_ok};
use core::mem::MaybeUninit;
use linux_raw_sys::general::{
    AT_FDCWD, F_GETFL, FUTEX_PRIVATE_FLAG, FUTEX_WAKE, O_NOATIME, R_OK, SEEK_CUR, SEEK_SET, W_OK,
    X_OK, iovec, stat as Stat,
};

/// Most bytes that a short cut copies: they lie in one page.
const LONGEST: usize = PAGE;
/// Room for a path, its NUL and what a walk wants behind it.
const PATH: usize = 120;

#[inline(always)]
fn open_file<'a>(fd: i32) -> Option<&'a Description> {
    fd::peek(fd).ok()
}

/// An open file that is to be read or written; none while anybody watches any file.
#[inline(always)]
fn unwatched_file<'a>(fd: i32) -> Option<&'a Description> {
    if notify::is_active() {
        return None;
    }
    open_file(fd)
}

/// read(2) from `/dev/null` and `/dev/zero`, from a regular file or a pipe a few bytes, and from an eventfd.
#[inline(always)]
pub fn read(fd: i32, buffer: UserPtr<u8>, count: usize) -> Option<usize> {
    let file = unwatched_file(fd)?;
    if !file.is_readable() {
        return None;
    }
    let into = UserSlice::new(buffer.address(), count);
    match &file.inode().kind {
        Kind::Device(Device::Null) => access_ok(buffer.address(), count).then_some(0),
        Kind::Device(Device::Zero) if count <= LONGEST => {
            into.zero_all()?;
            Some(count)
        }
        Kind::File(store) => {
            let at = file.position();
            let done = read_regular(file, store, at, buffer, count)?;
            file.set_position(at + done as u64);
            Some(done)
        }
        Kind::Fifo(_) => file.end()?.read_short(into),
        Kind::Event(Event::Counter(counter)) => counter.read_short(into),
        _ => None,
    }
}

/// pread(2) from a regular file.
#[inline(always)]
pub fn pread64(fd: i32, buffer: UserPtr<u8>, count: usize, offset: i64) -> Option<usize> {
    let at = u64::try_from(offset).ok()?;
    let file = unwatched_file(fd)?;
    match &file.inode().kind {
        Kind::File(store) if file.is_readable() => read_regular(file, store, at, buffer, count),
        _ => None,
    }
}

#[inline(always)]
fn read_regular(
    file: &Description,
    store: &Exclusive<PageStore>,
    at: u64,
    buffer: UserPtr<u8>,
    count: usize,
) -> Option<usize> {
    let quiet = file.flags() & O_NOATIME != 0 || file.inode().stays_accessed();
    if count > LONGEST || !quiet {
        return None;
    }
    let store = store.try_lock()?;
    let from = store.place(at, count)?;
    let into = UserSlice::new(buffer.address(), count);
    // SAFETY: `place` leads to `count` bytes of a page of the file, which stays while the store is
    // locked.
    unsafe { into.write_all(from) }?;
    Some(count)
}

/// write(2) to `/dev/null` and `/dev/zero`, a few bytes to a pipe, and to an eventfd.
#[inline(always)]
pub fn write(fd: i32, buffer: UserPtr<u8>, count: usize) -> Option<usize> {
    let file = unwatched_file(fd)?;
    if !file.is_writable() {
        return None;
    }
    let from = UserSlice::new(buffer.address(), count);
    match &file.inode().kind {
        Kind::Device(Device::Null | Device::Zero) => {
            let fits = count <= super::file::MAX_TRANSFER && access_ok(buffer.address(), count);
            fits.then_some(count)
        }
        Kind::Fifo(_) => file.end()?.write_short(from, file.flags()),
        Kind::Event(Event::Counter(counter)) => counter.write_short(from),
        _ => None,
    }
}

/// writev(2) to `/dev/null` and `/dev/zero`, of a few parts.
#[inline(always)]
pub fn writev(fd: i32, vector: UserPtr<iovec>, count: u32) -> Option<usize> {
    const MOST: usize = 8;
    let file = unwatched_file(fd)?;
    let swallows = matches!(file.inode().kind, Kind::Device(Device::Null | Device::Zero));
    let count = count as usize;
    if !swallows || !file.is_writable() || count > MOST {
        return None;
    }
    let mut parts = MaybeUninit::<[usize; 2 * MOST]>::uninit();
    let size = count * size_of::<iovec>();
    let vector = UserSlice::new(vector.address(), size);
    // SAFETY: `count` is at most `MOST`: there is room for as many pairs, of which each is an iovec.
    unsafe { vector.read_all(parts.as_mut_ptr().cast()) }?;
    let mut total = 0usize;
    for index in 0..count {
        let part = parts.as_ptr().cast::<[usize; 2]>().wrapping_add(index);
        // SAFETY: `read_all` wrote `count` pairs.
        let [base, len] = unsafe { part.read() };
        if len > super::file::MAX_TRANSFER || !access_ok(base, len) {
            return None;
        }
        total += len;
    }
    (total <= super::file::MAX_TRANSFER).then_some(total)
}

/// lseek(2) to a place counted from the start or from here, in a regular file.
#[inline(always)]
pub fn lseek(fd: i32, offset: i64, whence: u32) -> Option<usize> {
    let file = open_file(fd)?;
    if !matches!(file.inode().kind, Kind::File(_)) || file.is_path() {
        return None;
    }
    let from = match whence {
        SEEK_SET => 0,
        SEEK_CUR => file.position(),
        _ => return None,
    };
    let target = u64::try_from(offset.checked_add_unsigned(from)?).ok()?;
    file.set_position(target);
    Some(target as usize)
}

/// fcntl(2): the status flags.
#[inline(always)]
pub fn fcntl(fd: i32, command: u32, _argument: usize) -> Option<usize> {
    let file = open_file(fd)?;
    (command == F_GETFL).then(|| file.flags() as usize)
}

/// dup(2).
#[inline(always)]
pub fn dup(fd: i32) -> Option<usize> {
    fd::share(fd)
}

/// close(2) of one of several descriptors of a file, while no file is locked.
#[inline(always)]
pub fn close(fd: i32) -> Option<usize> {
    if lock::is_active() {
        return None;
    }
    fd::unshare(fd)?;
    Some(0)
}

/// fstat(2).
#[inline(always)]
pub fn fstat(fd: i32, buffer: UserPtr<Stat>) -> Option<usize> {
    put_stat(open_file(fd)?.inode(), buffer)
}

/// stat(2) of a short path without links, as root.
#[inline(always)]
pub fn stat(path: UserPtr<u8>, buffer: UserPtr<Stat>) -> Option<usize> {
    newfstatat(AT_FDCWD, path, buffer, 0)
}

/// newfstatat(2), likewise, from the working directory.
#[inline(always)]
pub fn newfstatat(
    dirfd: i32,
    path: UserPtr<u8>,
    buffer: UserPtr<Stat>,
    flags: u32,
) -> Option<usize> {
    if dirfd != AT_FDCWD || flags != 0 {
        return None;
    }
    let mut room = [const { MaybeUninit::<u8>::uninit() }; PATH];
    let text = read_path(path, &mut room)?;
    let mut vfs = try_vfs()?;
    put_stat(find(&mut vfs, text)?, buffer)
}

/// access(2), likewise, when the real user is root, too.
#[inline(always)]
pub fn access(path: UserPtr<u8>, mode: u32) -> Option<usize> {
    let mut room = [const { MaybeUninit::<u8>::uninit() }; PATH];
    let text = read_path(path, &mut room)?;
    let mut vfs = try_vfs()?;
    let inode = find(&mut vfs, text)?;
    let executable = inode.mode() & 0o111 != 0 || matches!(inode.kind, Kind::Dir);
    let permitted = mode & !(R_OK | W_OK | X_OK) == 0
        && (mode & X_OK == 0 || executable && !inode.sb.is_noexec())
        && (mode & W_OK == 0 || !inode.sb.is_read_only());
    (permitted && cred::current().uid() == 0).then_some(0)
}

/// getcwd(2) in the root directory.
#[inline(always)]
pub fn getcwd(buffer: UserPtr<u8>, size: usize) -> Option<usize> {
    const ROOT: [u8; 2] = *b"/\0";
    if !vfs::is_at_root() || size < ROOT.len() {
        return None;
    }
    buffer.cast::<[u8; 2]>().write_short(ROOT)?;
    Some(ROOT.len())
}

/// futex(2): FUTEX_WAKE of a private word, when nobody waits, or one is woken.
#[inline(always)]
pub fn futex(word: usize, operation: u32, value: u32, _: usize, _: usize, _: u32) -> Option<usize> {
    if operation != FUTEX_WAKE | FUTEX_PRIVATE_FLAG {
        return None;
    }
    super::futex::wake_quickly(word, value as i32)
}

/// Copies a short path in, with the padding that [`name::scan`] asks for.
#[inline(always)]
fn read_path(path: UserPtr<u8>, room: &mut [MaybeUninit<u8>; PATH]) -> Option<&[u8]> {
    let start = room.as_mut_ptr().cast::<u8>();
    // SAFETY: the routine writes to at most this many bytes of the buffer, and reads none.
    let len = unsafe { path.read_string(start, PATH - name::PADDING) }?;
    // SAFETY: there is room for the padding behind, and all bytes up to there are written then.
    unsafe {
        start.add(len).cast::<u64>().write_unaligned(0);
        Some(core::slice::from_raw_parts(start, len + name::PADDING))
    }
}

/// Finds what a padded path names: one that was found lately, or through directories that root may
/// search, without `.`, `..`, links and generated names.
#[inline(always)]
fn find<'v>(vfs: &'v mut Vfs, text: &[u8]) -> Option<&'v Inode> {
    if !cred::current().has(caps::DAC_OVERRIDE) || vfs.expiring {
        return None;
    }
    let start = match text.first()? {
        b'/' => vfs.root,
        _ => vfs.cwd,
    };
    let kept = vfs.cache.paths.get(start, text);
    let found = match kept {
        Some((_, Some(found))) => found,
        _ => walk(vfs, start, text)?,
    };
    if let Some((place, None)) = kept {
        vfs.cache.paths.keep(place, start, text, found);
    }
    vfs.cache.peek(found)
}

/// The walk of [`find`].
fn walk(vfs: &Vfs, start: DentryId, text: &[u8]) -> Option<DentryId> {
    let (mut here, mut rest) = match text {
        [b'/', rest @ ..] => (start, rest),
        _ => (start, text),
    };
    loop {
        let key = name::scan(here.number(), rest);
        let (part, behind) = rest.split_at_checked(key.len as usize)?;
        // A name that begins with a dot may be `.` or `..`; without one there are two slashes, or
        // none at all and the end.
        if matches!(part.first(), None | Some(b'.')) {
            return None;
        }
        let (found, inode) = vfs.cache.probe(here, &key, part)?;
        match (behind, &inode.kind) {
            ([b'/', next @ ..], Kind::Dir) => (here, rest) = (found, next),
            ([0, ..], Kind::File(_) | Kind::Dir | Kind::Device(_) | Kind::Fifo(_)) => {
                return Some(found);
            }
            _ => return None,
        }
    }
}

/// Writes `struct stat` of a file.
#[inline(always)]
fn put_stat(inode: &Inode, buffer: UserPtr<Stat>) -> Option<usize> {
    let (mut size, mut blocks, mut special) = (0, 0, 0);
    if let Kind::File(store) = &inode.kind {
        let store = store.try_lock()?;
        (size, blocks) = (store.size(), store.pages() * 8);
    } else {
        special = match inode.kind {
            Kind::Device(device) => encode(device.fixed_numbers()?),
            Kind::Dir => {
                size = inode.directory_size();
                0
            }
            Kind::Fifo(_) => 0,
            _ => return None,
        };
    }
    let (uid, gid) = inode.owner();
    let [atime, mtime, ctime] = [
        inode.atime.known()?,
        inode.mtime.known()?,
        inode.ctime.known()?,
    ];
    let words = [
        inode.sb.encoded_device,
        inode.ino,
        inode.nlink().into(),
        u64::from(inode.mode()) | u64::from(uid) << 32,
        gid.into(),
        special,
        size,
        4096,
        blocks,
        atime.0 as u64,
        atime.1.into(),
        mtime.0 as u64,
        mtime.1.into(),
        ctime.0 as u64,
        ctime.1.into(),
        0,
        0,
        0,
    ];
    let mut described = MaybeUninit::<[u64; 18]>::uninit();
    let start = described.as_mut_ptr().cast::<u64>();
    // Written out: a loop would read the words back from where they were gathered.
    macro_rules! put {
        ($($index:literal)*) => { $(
            // SAFETY: the index is inside the array. Volatile, so that no two words are put into
            // one vector register.
            unsafe { start.add($index).write_volatile(words[$index]) };
        )* };
    }
    put!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17);
    let into = UserSlice::new(buffer.address(), size_of::<Stat>());
    // SAFETY: 18 words were written, and a `Stat` has their size: asserted below.
    unsafe { into.write_all(start.cast()) }?;
    Some(0)
}

const _: () = assert!(size_of::<Stat>() == 18 * 8);

#[cfg(test)]
mod tests;
