//! The files that rows use: those that are there, or made for the row and removed after it.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A file of [`FILE_SIZE`] bytes.
pub const FILE: &CStr = c"f";
/// An empty file, three components away.
pub const DEEP: &CStr = c"a/b/c";
/// A symbolic link to `f`.
pub const LINK: &CStr = c"link";
/// A directory with [`ENTRIES`] empty files.
pub const DIRECTORY: &CStr = c"d";
/// A static x86-64 ELF: a header, one program header and nine bytes of code at 0x400078,
/// `mov eax, 231; xor edi, edi; syscall`, which is `exit_group(0)`.
pub const PROGRAM: &CStr = c"exit";

/// The size of `f` in bytes.
pub const FILE_SIZE: usize = FILE_BYTES.len();
/// What stands in `f`.
pub const FILE_BYTES: &[u8] = include_bytes!("../root/f");
/// Entries of `d`, without `.` and `..`.
pub const ENTRIES: usize = 16;

const PROGRAM_BYTES: &[u8] = include_bytes!("../root/exit");

/// What was made, to be removed in reverse order when the row is done. What cannot be made is left
/// out: the row's own call then reports that it is not there.
#[derive(Debug, Default)]
pub struct Fixture {
    made: Vec<PathBuf>,
}

impl Fixture {
    /// `f`.
    pub fn file() -> Self {
        Self::new(|made| made.regular("f", FILE_BYTES, 0o644))
    }

    /// `a/b/c`.
    pub fn deep() -> Self {
        Self::new(|made| {
            made.directory("a")?;
            made.directory("a/b")?;
            made.regular("a/b/c", b"", 0o644)
        })
    }

    /// `link`.
    pub fn link() -> Self {
        Self::new(|made| made.make("link", |path| symlink("f", path)))
    }

    /// `d` and its entries.
    pub fn entries() -> Self {
        Self::new(|made| {
            made.directory("d")?;
            (0..ENTRIES).try_for_each(|i| made.regular(&format!("d/entry-{i:02}"), b"", 0o644))
        })
    }

    /// `exit`.
    pub fn program() -> Self {
        Self::new(|made| made.regular("exit", PROGRAM_BYTES, 0o755))
    }

    fn new(make: impl FnOnce(&mut Self) -> io::Result<()>) -> Self {
        let mut fixture = Self::default();
        // The error comes again, with its name, from the call that is to be measured.
        let _ = make(&mut fixture);
        fixture
    }

    fn regular(&mut self, path: &str, contents: &[u8], mode: u32) -> io::Result<()> {
        self.make(path, |path| {
            fs::write(path, contents)?;
            fs::set_permissions(path, fs::Permissions::from_mode(mode))
        })
    }

    fn directory(&mut self, path: &str) -> io::Result<()> {
        self.make(path, |path| fs::create_dir(path))
    }

    fn make(&mut self, path: &str, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        let path = PathBuf::from(path);
        if path.symlink_metadata().is_err() {
            make(&path)?;
            self.made.push(path);
        }
        Ok(())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        for path in self.made.iter().rev() {
            // Nobody can be told, and a file that is left over does no harm to the next run.
            let _ = if path.is_dir() {
                fs::remove_dir(path)
            } else {
                fs::remove_file(path)
            };
        }
    }
}
