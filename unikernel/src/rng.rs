//! Random numbers: a ChaCha20 stream, seeded from everything the machine offers.
//!
//! The seed mixes RDSEED, RDRAND and the low bits of the time-stamp counter; no single source is
//! trusted alone, and the stream is reseeded from them after every MiB.

use crate::errno::SysResult;
use crate::platform::platform;
use crate::sync::SpinLock;
use crate::time::tsc;
use crate::uaccess::UserSlice;
use core::arch::x86_64::{_rdrand64_step, _rdseed64_step};
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Bytes after which the stream is reseeded.
const RESEED: usize = 1 << 20;

static STREAM: SpinLock<Option<(ChaCha20Rng, usize)>> = SpinLock::new(None);

const KNOWN: u8 = 1;
const RDRAND: u8 = 2;
const RDSEED: u8 = 4;
static HAVE: AtomicU8 = AtomicU8::new(0);

/// Which of the two instructions the CPU has (SDM vol. 2, CPUID.01H:ECX.30, CPUID.07H:EBX.18).
fn have() -> u8 {
    let known = HAVE.load(Relaxed);
    if known != 0 {
        return known;
    }
    let cpu = platform();
    let highest = cpu.cpuid(0, 0)[0];
    let mut have = KNOWN;
    if cpu.cpuid(1, 0)[2] >> 30 & 1 != 0 {
        have |= RDRAND;
    }
    // Above the highest leaf some emulators return garbage.
    if highest >= 7 && cpu.cpuid(7, 0)[1] >> 18 & 1 != 0 {
        have |= RDSEED;
    }
    HAVE.store(have, Relaxed);
    have
}

#[target_feature(enable = "rdrand")]
fn rdrand() -> u64 {
    let mut value = 0;
    // Ten tries, as the SDM (vol. 1, 7.3.17.1) advises; failure leaves 0, which mixes in nothing.
    for _ in 0..10 {
        if _rdrand64_step(&mut value) == 1 {
            break;
        }
    }
    value
}

#[target_feature(enable = "rdseed")]
fn rdseed() -> u64 {
    let mut value = 0;
    for _ in 0..100 {
        if _rdseed64_step(&mut value) == 1 {
            break;
        }
    }
    value
}

/// One word from all sources.
fn word() -> u64 {
    let mut mix = tsc().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    if have() & RDRAND != 0 {
        // SAFETY: CPUID says that the instruction exists.
        mix ^= unsafe { rdrand() }.rotate_left(17);
    }
    if have() & RDSEED != 0 {
        // SAFETY: as above.
        mix ^= unsafe { rdseed() }.rotate_left(43);
    }
    mix ^ mix >> 31
}

fn seed() -> ChaCha20Rng {
    let mut seed = [0; 32];
    for chunk in seed.chunks_exact_mut(8) {
        chunk.copy_from_slice(&word().to_le_bytes());
    }
    ChaCha20Rng::from_seed(seed)
}

/// Fills `buffer` with random bytes.
pub fn bytes(buffer: &mut [u8]) {
    let mut stream = STREAM.lock_no_irq();
    let (rng, used) = stream.get_or_insert_with(|| (seed(), 0));
    rng.fill_bytes(buffer);
    *used += buffer.len();
    if *used >= RESEED {
        *stream = None;
    }
}

/// Fills user memory; a short count when part of it is bad (getrandom(2), random(4)).
pub fn fill(target: UserSlice) -> SysResult {
    let mut done = 0;
    let mut block = [0; 256];
    while done < target.len() {
        let part = target.skip(done).take(block.len());
        bytes(&mut block[..part.len()]);
        match part.write(&block[..part.len()]) {
            Ok(n) if n == part.len() => done += n,
            Ok(n) => return Ok(done + n),
            Err(_) if done > 0 => return Ok(done),
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}
