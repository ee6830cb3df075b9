//! The register contract of a system call.
//!
//! Linux changes `rax`, `rcx` and `r11`, and nothing else: every other register, the flags, the
//! x87, SSE, AVX and AVX-512 state, and the 128 bytes below the stack pointer survive. In the VM
//! call sites are rewritten while the program runs, so each is visited again and again, in random
//! order, at every one of its instructions: from the start, by a jump onto `syscall`, onto the
//! comparison behind it, onto the conditional jump behind that. The visits go on for long enough
//! that timer interrupts arrive in their midst.
//!
//! With the argument `in-use` no part of the vector state is ever in its initial state.
//!
//! Prints the same text in both lives and exits with 0, or reports what was corrupted on standard
//! error and exits with 1.

mod calls;
mod pattern;
mod sites;
mod state;
mod visit;
mod xstate;

use lintel as _;

use calls::Call;
use pattern::Pattern;
use sites::{ENTRIES, Entry, Site};
use state::SHARED;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use visit::Visit;
use xstate::Layout;

const MIN_TIME: Duration = Duration::from_millis(700);
const MIN_ROUNDS: u32 = 50;
/// Faulty visits to describe.
const MAX_REPORTS: usize = 10;

fn main() -> ExitCode {
    let in_use = std::env::args().nth(1).is_some_and(|word| word == "in-use");
    let calls = calls::all();
    let sites = sites::all();
    // SAFETY: one thread, and the borrow ends before the assembly runs.
    let layout = Layout::detect(unsafe { &mut *SHARED.get() }, in_use);
    let mut plan: Vec<(&Site, Entry)> = sites
        .iter()
        .flat_map(|site| ENTRIES.map(|entry| (site, entry)))
        .filter(|(site, entry)| site.address(*entry).is_some())
        .collect();
    println!(
        "calls {}, call sites {}, entries {}",
        calls.len(),
        sites.len(),
        plan.len()
    );

    let mut pattern = Pattern::new();
    let start = Instant::now();
    let mut faulty = 0;
    let mut round = 0;
    while round < MIN_ROUNDS || start.elapsed() < MIN_TIME {
        pattern.shuffle(&mut plan);
        for &(site, entry) in &plan {
            let visit = Visit {
                site,
                entry,
                call: choose(&calls, site, entry, &mut pattern),
            };
            let faults = visit.run(&layout, &mut pattern);
            if !faults.is_empty() {
                faulty += 1;
                if faulty <= MAX_REPORTS {
                    report(&visit, round, &faults);
                }
            }
        }
        if faulty > 0 {
            println!("corrupted");
            return ExitCode::FAILURE;
        }
        round += 1;
    }
    println!("registers, flags, vectors, red zone and stack survive");
    ExitCode::SUCCESS
}

/// From its start a site makes the call whose number it sets; entered later, any.
fn choose<'a>(calls: &'a [Call], site: &Site, entry: Entry, pattern: &mut Pattern) -> &'a Call {
    let own = calls
        .iter()
        .find(|call| entry == Entry::First && call.number == site.number as u64);
    own.unwrap_or_else(|| &calls[pattern.below(calls.len())])
}

fn report(visit: &Visit, round: u32, faults: &[String]) {
    let Visit { site, entry, call } = visit;
    eprintln!(
        "round {round}: {} at {:?} site of number {}, entered at {entry:?} ({:#x})",
        call.name,
        site.form,
        site.number,
        site.address(*entry).unwrap_or_default()
    );
    for fault in faults {
        eprintln!("  {fault}");
    }
}
