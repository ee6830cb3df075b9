//! The files that rows use: those that are there, or made for the row and removed after it.

use crate::errno::Stop;
use crate::sys::{call, open};
use std::env;
use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process;

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

/// Where [`Crowd`] makes its directory, the first that can be written to: on Linux the first is in
/// memory, whatever the working directory is on.
const PLACES: [&str; 3] = ["/dev/shm", "/tmp", "."];

/// A directory of many names, which is the working directory as long as this lives. They are names of
/// one empty file, as far as the file system allows that: it is the names that a lookup depends on,
/// and files take several times as long to make and to remove.
#[derive(Debug)]
pub struct Crowd {
    /// The working directory before.
    before: OwnedFd,
    path: PathBuf,
    names: usize,
}

impl Crowd {
    /// With so many names: `0`, `1`, and so on.
    ///
    /// # Errors
    /// That of the call that cannot be made: `mkdir` where nothing can be written.
    pub fn new(names: usize) -> Result<Self, Stop> {
        let before = open(c".", libc::O_RDONLY | libc::O_DIRECTORY)?;
        let path = make_directory().map_err(|error| Stop::from_io("mkdir", &error))?;
        let mut crowd = Self {
            before,
            path,
            names: 0,
        };
        env::set_current_dir(&crowd.path).map_err(|error| Stop::from_io("chdir", &error))?;
        while crowd.names < names {
            let name = crowd.names.to_string();
            fs::hard_link("0", &name)
                .or_else(|_| fs::File::create_new(&name).map(drop))
                .map_err(|error| Stop::from_io("openat", &error))?;
            crowd.names += 1;
        }
        Ok(crowd)
    }
}

/// Makes an empty directory; the error is that of the last place.
fn make_directory() -> io::Result<PathBuf> {
    let mut error = io::ErrorKind::NotFound.into();
    for place in PLACES {
        let path = Path::new(place).join(format!("syscalls-{}", process::id()));
        match fs::create_dir(&path).and_then(|()| path.canonicalize()) {
            Ok(path) => return Ok(path),
            Err(new) => error = new,
        }
    }
    Err(error)
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // As above: nobody can be told.
        for name in 0..self.names {
            let _ = fs::remove_file(name.to_string());
        }
        // SAFETY: the descriptor is open; the row is done, so nobody relies on where it was.
        let _ = unsafe { call!(SYS_fchdir, self.before.as_raw_fd()) };
        let _ = fs::remove_dir(&self.path);
    }
}
