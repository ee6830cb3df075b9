//! Threads as the kernel has them: how they begin and end, what they share, who runs when, futex.
//!
//! Arguments name sections; without one all are run, but for `end WAY`, which ends the process in
//! one of several ways while other threads run or sleep, for `returned`, which looks at
//! what the library has, and for `rseq` and `rseq-unsigned`, which want a C
//! library that uses no restartable sequences.

mod begin;
mod end;
mod futex;
mod locks;
mod order;
mod preempt;
mod rseq;
mod usage;

use lintel as _;

use std::io;
use test_support::run_sections;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [end, way] = arguments.as_slice()
        && end == "end"
    {
        return end::run(way);
    }
    match arguments.first().map(String::as_str) {
        Some("returned") => return begin::returned(),
        Some("rseq") => return rseq::run(),
        Some("rseq-unsigned") => return rseq::unsigned(),
        _ => {}
    }
    run_sections(&[
        ("ids", begin::ids),
        ("names", begin::names),
        ("flags", begin::flags),
        ("raw", begin::raw),
        ("many", begin::many),
        ("cycles", begin::cycles),
        ("preempt", preempt::shares),
        ("registers", preempt::registers),
        ("sleepers", preempt::sleepers),
        ("policies", order::policies),
        ("priorities", order::priorities),
        ("yield", order::yields),
        ("wait", futex::wait),
        ("wake", futex::wake),
        ("requeue", futex::requeue),
        ("operation", futex::operation),
        ("vector", futex::vector),
        ("shared", futex::shared),
        ("errors", futex::errors),
        ("lending", locks::lending),
        ("robust", locks::robust),
        ("requeue-lock", locks::requeue),
        ("usage", usage::counts),
    ])
}
