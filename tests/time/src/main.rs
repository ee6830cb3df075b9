//! Clocks and sleeps. What is measured is printed as `true` or `ok`, never as a number.
//!
//! Arguments name sections: `clocks agree resolution vdso sleep until pace errors interval posix cpu files
//! many`. Without one, all are run.

mod clocks;
mod cpu;
mod sleep;
mod timers;
mod vdso;

use lintel as _;

use std::io;
use test_support::run_sections;

fn main() -> io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        // Only by root, who is somebody else afterwards.
        Some("settable") => return clocks::settable(),
        // For a machine of one's own.
        Some("set the clock") => return clocks::set(),
        _ => {}
    }
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
        ("cpu", cpu::run),
        ("files", timers::files),
        ("many", timers::many),
    ])
}
