//! The allocators that programs bring: glibc's, jemalloc and mimalloc, unmodified, each as the
//! program's global allocator.
//!
//! The first argument names the allocator (`glibc`, `jemalloc`, `mimalloc`), the others sections:
//! `tree blocks growth aligned`. Without sections all are run. How long each took goes to standard
//! error, where it may differ between the lives.

mod choice;
mod work;

use lintel as _;

use std::process::ExitCode;
use std::time::Instant;

/// A part of the test: its name, and what it does.
const SECTIONS: [(&str, fn()); 4] = [
    ("tree", work::tree),
    ("blocks", work::blocks),
    ("growth", work::growth),
    ("aligned", work::aligned),
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    if !choice::NAMES.contains(&name.as_str()) {
        eprintln!("usage: test-allocators glibc|jemalloc|mimalloc [SECTION …]");
        return ExitCode::from(2);
    }
    let wanted: Vec<String> = words.collect();
    println!("{} allocates: {}", name, choice::name() == name);
    for (section, run) in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|word| word == section) {
            println!("[{section}]");
            let start = Instant::now();
            run();
            eprintln!("{name} {section}: {} us", start.elapsed().as_micros());
        }
    }
    ExitCode::SUCCESS
}
