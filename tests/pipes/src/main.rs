//! Pipes and FIFOs, and splice(2) through them.
//!
//! Runs in its directory `root` (in the VM: with it as the root file system), where it makes files.
//! There is one thread, so nothing here waits: every pipe is asked without waiting, or when the
//! answer is there.
//!
//! Arguments name sections: `stream atomic packets sizes ready ends fifo splice sendfile tee vmsplice
//! faults errors random`. Without one, all are run. `sigpipe` alone writes to a pipe without readers,
//! and does not come back.

mod ends;
mod errors;
mod fifo;
mod pipe;
mod random;
mod sizes;
mod splice;
mod stream;
mod vmsplice;

use lintel as _;

use std::io;
use test_support::run_sections;

fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("sigpipe") {
        return ends::sigpipe();
    }
    run_sections(&[
        ("stream", stream::stream),
        ("atomic", stream::atomic),
        ("packets", stream::packets),
        ("sizes", sizes::sizes),
        ("ready", sizes::ready),
        ("ends", ends::ends),
        ("fifo", fifo::run),
        ("splice", splice::splice),
        ("sendfile", splice::sendfile),
        ("tee", splice::tee),
        ("vmsplice", vmsplice::vmsplice_both),
        ("faults", errors::faults),
        ("errors", errors::errors),
        ("random", random::run),
    ])
}
