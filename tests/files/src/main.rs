//! Files, directories, symbolic links and devices.
//!
//! Runs in its directory `root` (in the VM: with it as the root file system) and changes nothing
//! there. Errors that a writable and a read-only file system would report differently, and
//! numbers that belong to the host (inodes, times, owners, link counts), are not printed.
//!
//! Arguments name sections: `read seek directory paths links descriptors devices stat map`.
//! Without one, all are run.

mod descriptors;
mod devices;
mod directory;
mod map;
mod paths;
mod read;
mod stat;

use lintel as _;

use std::io;
use test_support::run_sections;

fn main() -> io::Result<()> {
    run_sections(&[
        ("read", read::read),
        ("seek", read::seek),
        ("directory", directory::run),
        ("paths", paths::paths),
        ("links", paths::links),
        ("descriptors", descriptors::run),
        ("devices", devices::run),
        ("stat", stat::run),
        ("map", map::run),
    ])
}
