//! procfs and sysfs: what they say agrees with what the process knows otherwise. Values differ from
//! machine to machine, so each is printed as the result of a check.
//!
//! Arguments name sections: `process space descriptors limits mounts machine variables runtime
//! files`. Without one, all are run. The environment has `PROCFS_TEST=value`.

mod descriptors;
mod files;
mod machine;
mod mounts;
mod process;
mod runtime;
mod space;
mod variables;

use lintel as _;

use std::fmt::Display;
use std::io;
use test_support::{report, run_sections};

fn main() -> io::Result<()> {
    run_sections(&[
        ("process", process::run),
        ("space", space::run),
        ("descriptors", descriptors::run),
        ("limits", process::limits),
        ("mounts", mounts::run),
        ("machine", machine::run),
        ("variables", variables::run),
        ("runtime", runtime::run),
        ("files", files::run),
    ])
}

/// Prints the result of a check.
fn check(what: impl Display, holds: bool) {
    println!("{what} {holds}");
}

/// The text of a file; if it cannot be read, that is reported and there is none.
fn text(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| {
        report(path, Err::<&str, _>(error));
        String::new()
    })
}

/// The value behind `key` and a colon on a line of its own, without the white space around.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = |line: &'a str| line.strip_prefix(key)?.trim_start().strip_prefix(':');
    text.lines().find_map(line).map(str::trim)
}

/// The number at the start of the value behind `key`.
fn number(text: &str, key: &str) -> Option<u64> {
    field(text, key)?.split_whitespace().next()?.parse().ok()
}
