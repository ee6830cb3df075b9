//! Clocks and sleeps. What is measured is printed as `true` or `ok`, never as a number.
//!
//! Arguments name sections: `clocks agree resolution sleep until pace errors interval posix files
//! many`. Without one, all are run.

mod clocks;
mod sleep;
mod timers;

use lintel as _;

use std::io;
use test_support::run_sections;

fn main() -> io::Result<()> {
    run_sections(&[
        ("clocks", clocks::run),
        ("agree", clocks::agree),
        ("resolution", clocks::resolution),
        ("sleep", sleep::relative),
        ("until", sleep::until),
        ("pace", sleep::pace),
        ("errors", sleep::errors),
        ("interval", timers::interval),
        ("posix", timers::posix),
        ("files", timers::files),
        ("many", timers::many),
    ])
}
