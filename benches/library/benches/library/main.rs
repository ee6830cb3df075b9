//! # Benches of the library kernel, on the host
//!
//! The hot paths that need no machine, as ordinary code of this process: dispatch, the conversion
//! of clock readings, the allocators, path walks. They show what a change of the code costs in
//! nanoseconds, within one computer; what a call costs an application, entry and exit included, is
//! measured by `cargo lintel bench`.
//!
//! ```text
//! cargo bench -p library-bench              measure, and compare with the last time
//! cargo bench -p library-bench -- walk      only what has this in its name
//! cargo bench -p library-bench -- --test    run each once, to see that it works
//! ```
//!
//! Every bench first checks that what it measures gives the right result: a call that fails is
//! not fast.

mod allocator;
mod clock;
mod dispatch;
mod walk;

use criterion::Criterion;
use std::time::Duration;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(50)
        .configure_from_args();
    dispatch::benches(&mut criterion);
    clock::benches(&mut criterion);
    allocator::benches(&mut criterion);
    walk::benches(&mut criterion);
    criterion.final_summary();
}
