//! The generators on made-up values: in the format of the host's own files, and readable by the
//! parsers of the crate `procfs-core`.

mod content;
mod host;
mod parsers;
mod tree;
