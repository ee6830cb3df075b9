//! One of everything that a path can lead to.

use std::io;
use test_support::files::{clear, make};
use test_support::sys;

/// What the paths of [`PATHS`] lead to, from nothing.
pub fn build() -> io::Result<()> {
    clear()?;
    make("file", b"content")?;
    make("other", b"second")?;
    sys::mkdir("dir", 0o755)?;
    sys::mkdir("full", 0o755)?;
    make("full/inner", b"inner")?;
    sys::symlink("file", "link")?;
    sys::symlink("dir", "link-dir")?;
    sys::symlink("nowhere", "dangling")?;
    sys::symlink("loop", "loop")?;
    Ok(())
}

/// Paths of all kinds. A name that is too long is `long`, see [`real`].
pub const PATHS: [&str; 27] = [
    "",
    "missing",
    "missing/",
    "missing/x",
    "file",
    "file/",
    "file/x",
    "file/.",
    "file/..",
    "dir",
    "dir/",
    "dir/.",
    "dir/..",
    "dir/x",
    "full",
    "full/inner",
    ".",
    "..",
    "link",
    "link/",
    "link-dir",
    "link-dir/",
    "link-dir/x",
    "dangling",
    "dangling/",
    "loop",
    "long",
];

/// The path that is meant: `long` stands for one with a name of 256 bytes.
pub fn real(path: &str) -> String {
    match path {
        "long" => "n".repeat(256),
        _ => path.to_owned(),
    }
}
