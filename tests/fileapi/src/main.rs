//! The whole file API on a tmpfs: what every call does, and what it refuses.
//!
//! Works in a directory of its own on the first tmpfs it finds. Every line says what was done and
//! what came of it; times are compared, never printed.
//!
//! Arguments name sections; without one, all are run. The sections of [`AS_ROOT`] need root's
//! powers, and natively change nothing outside of the directory.

mod advice;
mod at;
mod bad;
mod copy;
mod create;
mod descriptors;
mod expire;
mod fixture;
mod identity;
mod inotify;
mod io_calls;
mod limits;
mod links;
mod listing;
mod locks;
mod memfd;
mod modes;
mod mounts;
mod names;
mod open;
mod owners;
mod paths;
mod permissions;
mod rename;
mod roots;
mod sizes;
mod space;
mod sparse;
mod status;
mod times;
mod unlinked;
mod xattrs;

use lintel as _;

use std::io;
use test_support::sys::close_range;
use test_support::{Section, run_sections};

/// What any user can do.
const SECTIONS: [Section; 26] = [
    ("open", open::matrix),
    ("open-more", open::more),
    ("path-only", open::path_only),
    ("create", create::run),
    ("names", names::run),
    ("rename", rename::matrix),
    ("rename-more", rename::more),
    ("paths", paths::run),
    ("links", links::run),
    ("unlinked", unlinked::run),
    ("at", at::run),
    ("sparse", sparse::run),
    ("space", space::run),
    ("io", io_calls::run),
    ("copy", copy::run),
    ("advice", advice::run),
    ("sizes", sizes::run),
    ("times", times::run),
    ("modes", modes::run),
    ("status", status::run),
    ("listing", listing::run),
    ("descriptors", descriptors::run),
    ("locks", locks::run),
    ("memfd", memfd::run),
    ("inotify", inotify::run),
    ("xattrs", xattrs::run),
];

/// More of that: what is refused.
const REFUSED: [Section; 2] = [("limits", limits::run), ("bad", bad::run)];

/// What root can do.
const AS_ROOT: [Section; 8] = [
    ("tmpfile", create::without_names),
    ("permissions", permissions::run),
    ("owners", owners::run),
    ("identity", identity::changes),
    ("dropped", identity::for_good),
    ("chroot", roots::run),
    ("mount", mounts::run),
    ("expire", expire::run),
];

fn main() -> io::Result<()> {
    let sections = [&SECTIONS[..], &REFUSED, &AS_ROOT].concat();
    // What a parent left open would take numbers.
    close_range(3, u32::MAX, 0)?;
    run_sections(&sections)
}
