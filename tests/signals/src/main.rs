//! Signals: dispositions, masks, queues, alternate stacks, frames, exceptions, ends.
//!
//! Every signal comes from the program itself, by a call or by an instruction that faults, so that
//! when it comes is certain.
//!
//! Arguments name sections; without one, all are run. `die NAME` alone ends by a signal, and does
//! not come back; `typed` wants somebody to type ^C thirteen times.

mod actions;
mod altstack;
mod context;
mod die;
mod errors;
mod faults;
mod forged;
mod frame;
mod handler;
mod masks;
mod queue;
mod threads;
mod typed;
mod vector;
mod waits;

use lintel as _;

use std::io;
use test_support::run_sections;

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("die") => return die::die(&args.next().unwrap_or_default()),
        Some("typed") => return typed::typed(),
        _ => {}
    }
    run_sections(&[
        ("actions", actions::actions),
        ("nesting", masks::nesting),
        ("masks", masks::masks),
        ("pending", masks::pending),
        ("info", queue::info),
        ("queue", queue::queue),
        ("waits", waits::waits),
        ("stopped", waits::stopped),
        ("altstack", altstack::altstack),
        ("frame", frame::frame),
        ("context", context::context),
        ("vector", vector::vector),
        ("faults", faults::faults),
        ("steps", faults::steps),
        ("forged", forged::forged),
        ("errors", errors::errors),
        ("sse", faults::sse),
        ("waiting", threads::waiting),
        ("polling", threads::polling),
        ("targets", threads::targets),
        ("storm", threads::storm),
    ])
}
