//! Crates that use threads, unmodified: rayon, crossbeam, parking_lot, and `std` itself.
//!
//! Arguments name sections: `std panics locals rayon crossbeam parking_lot`. Without one, all are run.

mod channels;
mod locks;
mod parallel;
mod standard;

use lintel as _;

use std::io;
use test_support::run_sections;

fn main() -> io::Result<()> {
    run_sections(&[
        ("std", standard::threads),
        ("panics", standard::panics),
        ("locals", standard::locals),
        ("rayon", parallel::run),
        ("crossbeam", channels::run),
        ("parking_lot", locks::run),
    ])
}
