//! Ticks of the time-stamp counter to nanoseconds: `ns = ticks * mult >> 32`.

use criterion::Criterion;
use std::hint::black_box;
use unikernel::time::{NANOS, mult_for, scale, split, tsc};

/// A usual frequency of the counter.
const HZ: u64 = 2_445_403_000;
/// An hour of ticks.
const HOUR: u64 = 3600 * HZ;

pub fn benches(criterion: &mut Criterion) {
    let mult = mult_for(HZ);
    let hour = scale(HOUR, mult);
    // The multiplier is exact to 2^-32 of its value, an hour to less than 10 µs.
    assert!(hour.abs_diff(3600 * NANOS) < 10_000, "{hour}");
    let mut group = criterion.benchmark_group("clock");
    group.bench_function("ticks to ns", |bencher| {
        bencher.iter(|| scale(black_box(HOUR), black_box(mult)));
    });
    group.bench_function("ns to seconds and ns", |bencher| {
        bencher.iter(|| split(black_box(hour)));
    });
    group.bench_function("read the counter", |bencher| bencher.iter(tsc));
    group.bench_function("read the counter, to ns, to seconds and ns", |bencher| {
        let start = tsc();
        bencher.iter(|| split(scale(tsc().wrapping_sub(black_box(start)), black_box(mult))));
    });
    group.finish();
}
