//! Which allocator serves the program: decided by its first argument, before anything is allocated.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{CStr, c_char, c_int};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The allocators, in the order of their numbers.
pub const NAMES: [&str; 3] = ["glibc", "jemalloc", "mimalloc"];

static CHOICE: AtomicUsize = AtomicUsize::new(0);

/// glibc calls the functions of this section with the arguments of `main`, before Rust's runtime
/// starts and allocates for the first time.
#[used]
#[unsafe(link_section = ".init_array")]
static CHOOSE: extern "C" fn(c_int, *const *const c_char) = choose;

extern "C" fn choose(argc: c_int, argv: *const *const c_char) {
    if argc < 2 {
        return;
    }
    // SAFETY: the caller passes `main`'s arguments: `argc` pointers to strings that end in NUL.
    let word = unsafe { CStr::from_ptr(*argv.add(1)) };
    if let Some(number) = NAMES
        .iter()
        .position(|name| name.as_bytes() == word.to_bytes())
    {
        CHOICE.store(number, Relaxed);
    }
}

/// The name of the allocator in use.
pub fn name() -> &'static str {
    NAMES[CHOICE.load(Relaxed)]
}

struct Chosen;

#[global_allocator]
static CHOSEN: Chosen = Chosen;

/// Calls a method of the chosen allocator.
macro_rules! chosen {
    ($method:ident($($argument:expr),*)) => {
        match CHOICE.load(Relaxed) {
            // SAFETY: what the caller promised of the arguments is what the method asks. Blocks come
            // back to the allocator they are from, because the choice precedes the first of them.
            0 => unsafe { System.$method($($argument),*) },
            // SAFETY: as above.
            1 => unsafe { tikv_jemallocator::Jemalloc.$method($($argument),*) },
            // SAFETY: as above.
            _ => unsafe { mimalloc::MiMalloc.$method($($argument),*) },
        }
    };
}

// SAFETY: every method is that of one allocator, which keeps the contract.
unsafe impl GlobalAlloc for Chosen {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        chosen!(alloc(layout))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        chosen!(dealloc(block, layout))
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        chosen!(alloc_zeroed(layout))
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        chosen!(realloc(block, layout, size))
    }
}
