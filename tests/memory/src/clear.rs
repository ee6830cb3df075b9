//! Memory that is mapped is zeros, whatever was in it: mapped and not touched, touched, the pages of areas
//! and of files, the stacks of threads.

use std::io::{self, Write};
use std::ptr::null_mut;

const MIB: usize = 1 << 20;

/// Anonymous memory of `len` bytes.
fn map(len: usize, flags: i32) -> *mut u8 {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | flags;
    // SAFETY: a new mapping is nobody else's.
    let at = unsafe {
        libc::mmap(
            null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            flags,
            -1,
            0,
        )
    };
    assert_ne!(at, libc::MAP_FAILED);
    at.cast()
}

fn unmap(at: *mut u8, len: usize) {
    // SAFETY: the mapping is this program's, and not used any more.
    assert_eq!(unsafe { libc::munmap(at.cast(), len) }, 0);
}

fn bytes(at: *mut u8, len: usize) -> &'static mut [u64] {
    // SAFETY: the mapping is there until it is unmapped, when this is not used any more.
    unsafe { std::slice::from_raw_parts_mut(at.cast(), len / 8) }
}

/// Rounds of everything that uses memory, in random order, which `SEED` in the environment varies.
pub fn run() -> io::Result<()> {
    const ROUNDS: usize = 3000;
    let seed = std::env::var("SEED").ok();
    let mut random = seed.and_then(|seed| seed.parse().ok()).unwrap_or(7_u64);
    let mut next = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) as usize % below
    };
    let mut live: Vec<(*mut u8, usize)> = Vec::new();
    let (mut mapped, mut dirty) = (0, 0);
    for round in 0..ROUNDS {
        match next(16) {
            // Mapped and given back, not touched.
            0..=5 => {
                let len = [MIB, MIB, MIB / 4, MIB / 2, MIB + 4096][next(5)];
                let times = 1 + next(4);
                (0..times).for_each(|_| unmap(map(len, 0), len));
            }
            // Looked at, and a little or all of it used.
            6..=11 => {
                let len = [MIB, MIB, MIB / 4, MIB / 2, MIB + 4096][next(5)];
                let at = map(len, 0);
                let words = bytes(at, len);
                dirty += usize::from(words.iter().any(|&word| word != 0));
                mapped += 1;
                match next(3) {
                    0 => words.fill(round as u64 | 1 << 63),
                    1 => words[next(len / 8)] = 1,
                    _ => {}
                }
                live.push((at, len));
            }
            // An area, whose frames have other addresses.
            12 => {
                let len = 3 * MIB;
                let flags = if next(2) == 0 { 0 } else { libc::MAP_NORESERVE };
                let at = map(len, flags);
                bytes(at, len).fill(u64::MAX);
                unmap(at, len);
            }
            // Pages of a file.
            13 => {
                std::fs::write("clear.tmp", vec![0xaa; MIB + next(MIB)])?;
                std::fs::remove_file("clear.tmp")?;
            }
            14 => {
                let thread = std::thread::spawn(|| std::hint::black_box([0xbb_u8; 65536])[9]);
                assert_eq!(thread.join().ok(), Some(0xbb));
            }
            _ => {
                let mut heap = vec![0xcc_u8; 64 << 10];
                heap.write_all(&[0xdd])?;
                std::hint::black_box(&heap);
            }
        }
        while live.len() > 6 {
            let (at, len) = live.swap_remove(next(live.len()));
            unmap(at, len);
        }
    }
    for (at, len) in live {
        unmap(at, len);
    }
    println!("mapped {mapped}, not clear {dirty}");
    Ok(())
}
