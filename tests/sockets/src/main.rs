//! Sockets of unix(7).
//!
//! Arguments name sections; without one all are run.

mod control;
mod names;
mod options;
mod packets;
mod streams;
mod sys;

use lintel as _;

use std::io;
use test_support::run_sections;

fn main() -> io::Result<()> {
    run_sections(&[
        ("pair", streams::pair),
        ("waiting", streams::waiting),
        ("shutdown", streams::shut_down),
        ("closing", streams::closing),
        ("peek", streams::peek),
        ("readiness", streams::readiness),
        ("listen", names::listen_path),
        ("names", names::names),
        ("refused", names::refused),
        ("datagrams", packets::datagrams),
        ("packets", packets::packets),
        ("limits", packets::limits),
        ("several", packets::several),
        ("files", control::files),
        ("credentials", control::credentials),
        ("truncated", control::truncated),
        ("options", options::run),
        ("rules", options::rules),
    ])
}
