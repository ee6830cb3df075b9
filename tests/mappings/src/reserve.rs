//! A reservation far larger than memory, used here and there, as Go's and Java's runtimes do.

use super::PAGE;
use super::probe;

/// 512 GiB.
const SIZE: usize = 512 << 30;

/// How much is used at a time: 4 MiB.
const CHUNK: usize = 4 << 20;

/// How far apart the chunks are: 16 GiB and a bit, so that no two share a page table.
const STRIDE: usize = (16 << 30) + CHUNK;

const DATA: i32 = libc::PROT_READ | libc::PROT_WRITE;

fn said<T>(what: &str, result: Result<T, i32>) -> Result<T, String> {
    result.map_err(|errno| format!("{what}: errno {errno}"))
}

/// Reserves, commits chunks by mprotect(2) and by mmap(2), uses and discards them, gives all back.
pub fn run() -> Result<(), String> {
    let before = probe::mapped_pages();
    let reserved = probe::map(0, SIZE, libc::PROT_NONE, libc::MAP_NORESERVE);
    let base = said("the reservation", reserved)?;
    println!(
        "512 GiB reserved: {}",
        probe::mapped_pages() - before == SIZE / PAGE
    );
    for number in 0..16 {
        commit(base + number * STRIDE, number)?;
    }
    let mut kept = 0;
    for number in 0..16 {
        let at = base + number * STRIDE;
        kept += (0..CHUNK)
            .step_by(PAGE)
            .filter(|&o| probe::has(at + o, tag(number, o)))
            .count();
        said(
            "MADV_DONTNEED",
            probe::advise(at, CHUNK, libc::MADV_DONTNEED),
        )?;
    }
    println!("pages kept: {kept} of {}", 16 * CHUNK / PAGE);
    let zero = (0..16).all(|number| probe::has(base + number * STRIDE + PAGE, 0));
    println!("zero after MADV_DONTNEED: {zero}");
    said("decommitting", probe::protect(base, CHUNK, libc::PROT_NONE))?;
    said("munmap", probe::unmap(base, SIZE))?;
    println!("all given back: {}", probe::mapped_pages() == before);
    Ok(())
}

fn tag(number: usize, offset: usize) -> u64 {
    (number << 32 | offset) as u64 + 1
}

fn commit(at: usize, number: usize) -> Result<(), String> {
    if number.is_multiple_of(2) {
        said("mprotect", probe::protect(at, CHUNK, DATA))?;
    } else {
        said("mmap", probe::map(at, CHUNK, DATA, libc::MAP_FIXED))?;
    }
    (0..CHUNK)
        .step_by(PAGE)
        .for_each(|offset| probe::store(at + offset, tag(number, offset)));
    Ok(())
}
