//! The frames, and the kernel heap on top of them, over memory that the host has mapped.

use criterion::{BenchmarkId, Criterion};
use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::ops::Range;
use unikernel::mm::PAGE;
use unikernel::mm::frames::{FRAMES, Frames};
use unikernel::mm::heap::Heap;

/// Where the memory is: low, because the maps have bits for everything below it.
const START: usize = 1 << 30;
/// How much there is: that of a usual machine, on which the limits of the file system depend.
const SIZE: usize = 256 << 20;
/// The part that small runs are taken from, as large as on a machine of that size.
const POOL: Range<usize> = START..START + (2 << 20);

pub fn benches(criterion: &mut Criterion) {
    map_memory();
    frames(criterion);
    heap(criterion);
}

/// Maps the memory and gives all of it to the frames.
fn map_memory() {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: MAP_FIXED_NOREPLACE maps nothing where something is.
    let got = unsafe { libc::mmap(START as *mut _, SIZE, protection, flags, -1, 0) };
    assert_eq!(got as usize, START, "there is no room at {START:#x}");
    let words = Frames::words_for(START + SIZE);
    let mut frames = FRAMES.lock();
    frames.init(START + SIZE, vec![0; words].leak(), POOL);
    frames.add(START..START + SIZE);
    assert_eq!(frames.counts(), (SIZE / PAGE, SIZE / PAGE));
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frames");
    for count in [1, 16, 256] {
        group.bench_function(BenchmarkId::new("alloc and free", count), |bencher| {
            bencher.iter(|| take_and_return(black_box(count)));
        });
    }
    // What the pool looks like after a while: everything taken but its last page.
    let taken = (0..POOL.len() / PAGE - 1).map(|_| alloc(1));
    let taken: Vec<_> = taken.collect();
    group.bench_function("alloc and free/1 behind a full pool", |bencher| {
        bencher.iter(|| take_and_return(black_box(1)));
    });
    taken.iter().for_each(|&start| FRAMES.lock().free(start, 1));
    group.finish();
    assert_eq!(FRAMES.lock().counts(), (SIZE / PAGE, SIZE / PAGE));
}

fn alloc(count: usize) -> usize {
    let start = FRAMES.lock().alloc(count);
    start.expect("there is memory enough for a bench")
}

fn take_and_return(count: usize) {
    let start = alloc(count);
    FRAMES.lock().free(black_box(start), count);
}

fn heap(criterion: &mut Criterion) {
    let heap = Heap::new();
    let mut group = criterion.benchmark_group("heap");
    for size in [16, 64, 256, 2048, 5000, 16 << 10, 64 << 10] {
        let layout = Layout::from_size_align(size, 16).expect("16 is a power of two");
        group.bench_function(BenchmarkId::new("alloc and free", size), |bencher| {
            bencher.iter(|| alloc_and_free(&heap, black_box(layout)));
        });
    }
    let layout = Layout::from_size_align(64, 16).expect("16 is a power of two");
    group.bench_function("64 blocks of 64, then all back", |bencher| {
        bencher.iter(|| many(&heap, black_box(layout)));
    });
    group.finish();
}

fn alloc_and_free(heap: &Heap, layout: Layout) {
    // SAFETY: the layout is not empty; the block goes back with the layout it came with.
    unsafe {
        let block = heap.alloc(layout);
        assert!(!block.is_null());
        heap.dealloc(black_box(block), layout);
    }
}

fn many(heap: &Heap, layout: Layout) {
    // SAFETY: as above; no block is touched.
    let blocks = [(); 64].map(|()| unsafe { heap.alloc(layout) });
    assert!(blocks.iter().all(|block| !block.is_null()));
    for block in blocks {
        // SAFETY: each goes back once, with the layout it came with.
        unsafe { heap.dealloc(black_box(block), layout) };
    }
}
