//! Waiting for several things at once: poll, epoll, and the files that are events.
//!
//! Arguments name sections; without one all are run.

mod counter;
mod epoll;
mod rules;
mod signals;
mod sys;
mod wait;

use lintel as _;

use std::io;
use test_support::run_sections;

fn main() -> io::Result<()> {
    run_sections(&[
        ("counter", counter::run),
        ("levels", epoll::levels),
        ("edges", epoll::edges),
        ("once", epoll::once),
        ("closing", epoll::closing),
        ("nested", epoll::nested),
        ("many", epoll::many),
        ("rules", rules::run),
        ("signalfd", signals::run),
        ("poll", wait::poll),
        ("wakes", wait::wakes),
        ("timeouts", wait::timeouts),
        ("exclusive", wait::exclusive),
        ("crowd", wait::crowd),
    ])
}
