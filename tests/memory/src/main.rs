//! Memory: mappings, protection, the break, the stack, and the allocator on top of them.
//!
//! Arguments name sections: `sizes fixed hole protect advise remap places moves advice shared private
//! refused errors brk stack limits process churn clear`. Without one, all are run.

mod areas;
mod brk;
mod churn;
mod clear;
mod errors;
mod files;
mod limits;
mod mapping;
mod process;
mod region;
mod stack;

use lintel as _;

use std::io;
use test_support::run_sections;

fn main() -> io::Result<()> {
    run_sections(&[
        ("sizes", mapping::sizes),
        ("fixed", mapping::fixed),
        ("hole", mapping::hole),
        ("protect", mapping::protect),
        ("advise", mapping::advise),
        ("remap", mapping::remap),
        ("places", areas::places),
        ("moves", areas::moves),
        ("advice", areas::advice),
        ("shared", files::shared),
        ("private", files::private),
        ("refused", files::refused),
        ("errors", errors::run),
        ("brk", brk::run),
        ("stack", stack::run),
        ("limits", limits::run),
        ("process", process::run),
        ("churn", churn::run),
        ("clear", clear::run),
    ])
}
