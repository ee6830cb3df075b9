//! From a path in application memory to the file it names.

use super::fd;
use super::tree::{EntryId, Inode};
use super::walk::{Goal, Last, Target, walk, walk_parent};
use super::{current_dir, tree};
use crate::errno::Errno;
use crate::uaccess::{self, UserPtr};
use core::mem::MaybeUninit;
use linux_raw_sys::general::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, PATH_MAX};

/// Room for a path of the application: `PATH_MAX` bytes of stack, not cleared.
pub struct PathBuf([MaybeUninit<u8>; PATH_MAX as usize]);

impl Default for PathBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl PathBuf {
    /// An empty buffer.
    #[inline(always)]
    pub const fn new() -> Self {
        Self([MaybeUninit::uninit(); PATH_MAX as usize])
    }

    /// Copies a path in. Errors: `EFAULT`, `ENAMETOOLONG`.
    pub fn read(&mut self, path: UserPtr<u8>) -> Result<&[u8], Errno> {
        let start = self.0.as_mut_ptr().cast::<u8>();
        // SAFETY: the pointer and the length are those of a buffer that is borrowed mutably for as
        // long as the slice lives. Its bytes may be uninitialised, but `read_path` only passes the
        // slice's address and length to a copy routine and returns no more than that wrote.
        let room = unsafe { core::slice::from_raw_parts_mut(start, self.0.len()) };
        uaccess::read_path(path, room)
    }
}

/// A file that exists.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// One of its names, the one it was found by.
    pub entry: EntryId,
    /// The file.
    pub inode: &'static Inode,
}

impl Found {
    fn entry(entry: EntryId) -> Self {
        Self {
            entry,
            inode: tree().inode(entry),
        }
    }

    /// What descriptor `fd` refers to (`AT_FDCWD`: the working directory), or `EBADF`.
    pub fn descriptor(fd: i32) -> Result<Self, Errno> {
        if fd == AT_FDCWD {
            return Ok(Self::entry(current_dir()));
        }
        let file = fd::get_any(fd)?;
        Ok(Self {
            entry: file.entry(),
            inode: file.inode(),
        })
    }

    /// What a walk found. A link to a closed descriptor leads nowhere.
    pub fn target(target: Target) -> Result<Self, Errno> {
        match target {
            Target::Entry(entry) => Ok(Self::entry(entry)),
            Target::Descriptor(number) => {
                Self::descriptor(number.into()).map_err(|_| Errno::ENOENT)
            }
        }
    }
}

/// The directory that `path` starts from: the root, the working directory, or that of `dirfd`.
/// `EBADF`, or `ENOTDIR` when the descriptor is something else.
pub fn start(dirfd: i32, path: &[u8]) -> Result<EntryId, Errno> {
    match path.first() {
        None => return Err(Errno::ENOENT),
        Some(b'/') => return Ok(EntryId::ROOT),
        Some(_) => {}
    }
    let found = Found::descriptor(dirfd)?;
    if found.inode.is_dir() {
        Ok(found.entry)
    } else {
        Err(Errno::ENOTDIR)
    }
}

/// Finds what `path` names, relative to `dirfd`.
pub fn lookup(dirfd: i32, path: &[u8], goal: Goal) -> Result<Found, Errno> {
    let start = start(dirfd, path)?;
    Found::target(walk(tree(), start, path, goal)?.found()?)
}

/// The same for a path in application memory, with the `AT_` flags that concern the walk:
/// `AT_SYMLINK_NOFOLLOW` and `AT_EMPTY_PATH` (others are ignored here).
#[inline(never)]
pub fn lookup_at(dirfd: i32, path: UserPtr<u8>, flags: u32) -> Result<Found, Errno> {
    let goal = if flags & AT_SYMLINK_NOFOLLOW != 0 {
        Goal::NoFollow
    } else {
        Goal::Follow
    };
    let mut buffer = PathBuf::new();
    match buffer.read(path)? {
        b"" if flags & AT_EMPTY_PATH != 0 => Found::descriptor(dirfd),
        path => lookup(dirfd, path, goal),
    }
}

/// [`lookup_at`] for the calls that take NULL for an empty path (since Linux 6.11).
pub fn lookup_or_null_at(dirfd: i32, path: UserPtr<u8>, flags: u32) -> Result<Found, Errno> {
    if flags & AT_EMPTY_PATH != 0 && path.is_null() {
        return Found::descriptor(dirfd);
    }
    lookup_at(dirfd, path, flags)
}

/// A name that is to be created: `EEXIST` if it is there, `EROFS` if it is not. A slash behind the
/// name of a file to be is `ENOENT`.
#[inline(never)]
pub fn create_at(dirfd: i32, path: UserPtr<u8>, is_dir: bool) -> Errno {
    let mut buffer = PathBuf::new();
    buffer
        .read(path)
        .and_then(|path| creation(dirfd, path, is_dir))
        .unwrap_or_else(|errno| errno)
}

fn creation(dirfd: i32, path: &[u8], is_dir: bool) -> Result<Errno, Errno> {
    let start = start(dirfd, path)?;
    if walk_parent(tree(), start, path)? != Last::Name {
        return Ok(Errno::EEXIST);
    }
    let end = path
        .iter()
        .rposition(|&byte| byte != b'/')
        .map_or(0, |last| last + 1);
    Ok(
        match walk(tree(), start, &path[..end], Goal::NoFollow)?.target {
            Some(_) => Errno::EEXIST,
            None if end < path.len() && !is_dir => Errno::ENOENT,
            None => Errno::EROFS,
        },
    )
}

/// Finds the directory in which `path` has its last component and says what kind of name that is.
#[inline(never)]
pub fn parent_at(dirfd: i32, path: UserPtr<u8>) -> Result<Last, Errno> {
    let mut buffer = PathBuf::new();
    let path = buffer.read(path)?;
    walk_parent(tree(), start(dirfd, path)?, path)
}

#[cfg(test)]
mod tests {
    use super::super::Stdin;
    use super::super::testing::{Packer, boot_with, cstr};
    use super::*;

    fn boot() -> impl Sized {
        let packer = Packer::default().file("d/f", b"abc").link("l", "d/f");
        boot_with(Some(packer), Stdin::Null)
    }

    #[test]
    fn paths_are_copied_in() {
        let mut buffer = PathBuf::new();
        assert_eq!(buffer.read(cstr("d/f\0")), Ok(&b"d/f"[..]));
        let long = format!("{}\0", "x".repeat(4095));
        assert_eq!(buffer.read(cstr(&long)).map(<[u8]>::len), Ok(4095));
        let longer = format!("{}\0", "x".repeat(4096));
        assert_eq!(buffer.read(cstr(&longer)), Err(Errno::ENAMETOOLONG));
        assert_eq!(buffer.read(UserPtr::new(usize::MAX)), Err(Errno::EFAULT));
    }

    #[test]
    fn lookups_honour_the_flags() {
        let _fs = boot();
        let size =
            |path: &str, flags| lookup_at(AT_FDCWD, cstr(path), flags).map(|f| f.inode.size());
        assert_eq!(size("d/f\0", 0), Ok(3));
        assert_eq!(size("l\0", 0), Ok(3));
        assert_eq!(
            lookup_at(AT_FDCWD, cstr("l\0"), AT_SYMLINK_NOFOLLOW)
                .unwrap()
                .inode
                .mode,
            0o120_777
        );
        assert_eq!(size("\0", 0), Err(Errno::ENOENT));
        assert_eq!(size("\0", AT_EMPTY_PATH), Ok(0));
        let null = UserPtr::new(0);
        assert!(
            lookup_or_null_at(AT_FDCWD, null, AT_EMPTY_PATH)
                .unwrap()
                .inode
                .is_dir()
        );
    }

    #[test]
    fn directories_are_those_of_the_descriptor() {
        let _fs = boot();
        assert_eq!(start(7, b"/x"), Ok(EntryId::ROOT));
        assert_eq!(start(AT_FDCWD, b"x"), Ok(EntryId::ROOT));
        assert_eq!(start(7, b"x"), Err(Errno::EBADF));
        assert_eq!(start(0, b"x"), Err(Errno::ENOTDIR));
        assert_eq!(start(7, b""), Err(Errno::ENOENT));
    }

    #[test]
    fn descriptor_links_lead_to_what_is_open_now() {
        let _fs = boot();
        let found = lookup(AT_FDCWD, b"/dev/stdin", Goal::Follow).unwrap();
        assert_eq!(found.entry, fd::get(0).unwrap().entry());
        drop(fd::with_table(|table| table.remove(0)));
        assert_eq!(
            lookup(AT_FDCWD, b"/dev/stdin", Goal::Follow).err(),
            Some(Errno::ENOENT)
        );
        assert!(lookup(AT_FDCWD, b"/dev/stdin", Goal::NoFollow).is_ok());
    }

    #[test]
    fn nothing_is_created() {
        let _fs = boot();
        let rows = [
            ("d/new\0", Errno::EROFS, Errno::EROFS),
            ("d/new/\0", Errno::ENOENT, Errno::EROFS),
            ("l\0", Errno::EEXIST, Errno::EEXIST),
            ("l/\0", Errno::EEXIST, Errno::EEXIST),
            ("d/..\0", Errno::EEXIST, Errno::EEXIST),
            ("l/x\0", Errno::ENOTDIR, Errno::ENOTDIR),
            ("\0", Errno::ENOENT, Errno::ENOENT),
        ];
        for (path, file, dir) in rows {
            assert_eq!(create_at(AT_FDCWD, cstr(path), false), file, "{path:?}");
            assert_eq!(create_at(AT_FDCWD, cstr(path), true), dir, "{path:?}");
        }
    }

    #[test]
    fn parents_are_found_from_the_descriptor() {
        let _fs = boot();
        assert_eq!(parent_at(AT_FDCWD, cstr("d/new\0")), Ok(Last::Name));
        assert_eq!(parent_at(AT_FDCWD, cstr("l/new\0")), Err(Errno::ENOTDIR));
        assert_eq!(parent_at(0, cstr("new\0")), Err(Errno::ENOTDIR));
        assert_eq!(parent_at(9, cstr("\0")), Err(Errno::ENOENT));
    }
}
