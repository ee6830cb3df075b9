//! Where the memory went.

use crate::mm::frames::{self, FRAMES};
use crate::mm::{PAGE, demand, heap, space};
use crate::{control, process};

/// Linux's exit code of a program that the out-of-memory killer ended: SIGKILL.
const KILLED: u8 = 128 + 9;

/// Ends the program, because a page that it touched cannot be had, and says who has the memory.
pub fn out_of_memory() -> ! {
    let (total, free, mapped) = {
        let frames = FRAMES.lock();
        let (total, free) = frames.counts();
        (total, free, frames.user_frames())
    };
    let touched = demand::resident(0..usize::MAX) / PAGE;
    let brk = space::parts().heap.len() / PAGE;
    let known = free + mapped + touched + brk + heap::frames() + frames::tables();
    let users = [
        ("mappings", mapped + touched),
        ("the break", brk),
        ("the kernel's heap", heap::frames()),
        ("page tables", frames::tables()),
        ("files, pipes and the rest", total.saturating_sub(known)),
    ];
    control!(
        "lintel: out of memory: {} KiB of RAM, {} KiB free; give the VM more (cargo lintel run \
         --mem MIB, qemu -m MIB)",
        total * PAGE / 1024,
        free * PAGE / 1024
    );
    let mut last = (usize::MAX, usize::MAX);
    // The next after the last one, the largest first: sorting would be more code than this report.
    while let Some((rank, &(name, frames))) = users
        .iter()
        .enumerate()
        .filter(|(rank, user)| (user.1, *rank) < last)
        .max_by_key(|(rank, user)| (user.1, *rank))
    {
        last = (frames, rank);
        control!("lintel:   {:>10} KiB {name}", frames * PAGE / 1024);
    }
    process::exit(KILLED)
}
