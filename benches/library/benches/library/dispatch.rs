//! From a number and six arguments to the handler: the direct door and the table behind the other
//! two.

use criterion::Criterion;
use linux_raw_sys::general::{__NR_getpid, __NR_getuid};
use std::hint::black_box;
use unikernel::shim::LIMIT;
use unikernel::shim::dispatch::ENTRIES;
use unikernel::shim::table::direct;

/// A number below [`LIMIT`] that no call of Linux has.
const UNUSED: u32 = LIMIT as u32 - 1;
/// What a call without a handler returns: `-ENOSYS`.
const MISSING: isize = -38;

const NONE: [usize; 6] = [0; 6];

/// Calls `number` through the dispatch table, as doors 2 and 3 do behind their entries.
///
/// # Safety
/// As for [`unikernel::sys::syscall`].
#[inline(always)]
pub unsafe fn through_table(number: u32, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let number = number as usize;
    // SAFETY: the entries take any six words and the number; the effect is the caller's.
    unsafe { ENTRIES[number](a, b, c, d, e, f, number) }
}

/// The same for calls without an argument that change nothing.
fn harmless(number: u32) -> isize {
    // SAFETY: the callers name calls that take no argument and touch no memory.
    unsafe { through_table(number, NONE) }
}

pub fn benches(criterion: &mut Criterion) {
    assert!(direct(__NR_getpid, NONE) > 0 && harmless(__NR_getpid) > 0);
    assert_eq!((direct(UNUSED, NONE), harmless(UNUSED)), (MISSING, MISSING));
    let mut group = criterion.benchmark_group("dispatch");
    group.bench_function("direct, constant number: getpid", |bencher| {
        bencher.iter(|| direct(__NR_getpid, black_box(NONE)));
    });
    group.bench_function("direct, any number: getpid", |bencher| {
        bencher.iter(|| direct(black_box(__NR_getpid), black_box(NONE)));
    });
    group.bench_function("direct, any number: unknown", |bencher| {
        bencher.iter(|| direct(black_box(UNUSED), black_box(NONE)));
    });
    for (name, number) in [
        ("getpid", __NR_getpid),
        ("getuid", __NR_getuid),
        ("unknown", UNUSED),
    ] {
        group.bench_function(format!("table: {name}"), |bencher| {
            bencher.iter(|| harmless(black_box(number)));
        });
    }
    group.finish();
}
