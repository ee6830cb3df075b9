//! Clocks and sleeps. What is measured is printed as `true` or `ok`, never as a number.
//!
//! Arguments name sections: `clocks agree resolution vdso sleep until pace errors interval posix files
//! many`. Without one, all are run.

mod clocks;
mod sleep;
mod timers;
mod vdso;

use lintel as _;

use std::io;
use test_support::run_sections;

fn main() -> io::Result<()> {
    run_sections(&[
        ("clocks", clocks::run),
        ("agree", clocks::agree),
        ("resolution", clocks::resolution),
        ("vdso", vdso::run),
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
