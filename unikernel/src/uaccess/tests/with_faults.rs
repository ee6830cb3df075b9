//! The copies at the edge of what is mapped, byte by byte, with and without AVX.

use crate::errno::Errno;
use crate::uaccess::faults::Fenced;
use crate::uaccess::{UserPtr, UserSlice, fixup, init, read_path, wide};
use std::arch::asm;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which copies are used is one flag of the process: the tests that set it take turns. The rest of
/// the process does not mind.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `test` with the copies through general registers, and with AVX if this CPU has it.
fn each_kind(test: impl Fn()) {
    let _turn = turn();
    init(|_, _| [0; 4]);
    assert!(!wide::is_wide());
    test();
    if is_x86_feature_detected!("avx") {
        init(|leaf, subleaf| {
            let found = std::arch::x86_64::__cpuid_count(leaf, subleaf);
            [found.eax, found.ebx, found.ecx, found.edx]
        });
        test();
    }
}

/// Lengths at which the routines change what they do, and their neighbours.
fn lengths() -> impl Iterator<Item = usize> {
    let edges = [64, 128, 256, 512, 544, 576, 1024, 1536, 4096];
    (0..=70)
        .chain(edges.into_iter().flat_map(|n| n - 1..=n + 1))
        .chain([703, 3333])
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 256) as u8).collect()
}

#[test]
fn a_copy_out_stops_at_the_first_bad_byte() {
    each_kind(|| {
        let mut user = Fenced::new(2);
        for len in lengths() {
            let from = pattern(len);
            for good in bounds(len) {
                user.bytes().fill(0xaa);
                let to = UserSlice::new(user.end() - good, len);
                let expected = if good == 0 && len > 0 {
                    Err(Errno::EFAULT)
                } else {
                    Ok(good)
                };
                assert_eq!(to.write(&from), expected, "{good} of {len}");
                let (before, part) = user.bytes().split_at(2 * 4096 - good);
                assert_eq!(part, &from[..good], "{good} of {len}");
                assert!(before.iter().all(|&b| b == 0xaa), "{good} of {len}");
            }
        }
    });
}

#[test]
fn a_copy_in_stops_at_the_first_bad_byte() {
    each_kind(|| {
        let mut user = Fenced::new(2);
        user.bytes().copy_from_slice(&pattern(8192));
        for len in lengths() {
            for good in bounds(len) {
                // Some alignments of the destination, too.
                let mut into = vec![0xaa; len + 64];
                let shift = (len + good) % 33;
                let from = UserSlice::new(user.end() - good, len);
                let expected = if good == 0 && len > 0 {
                    Err(Errno::EFAULT)
                } else {
                    Ok(good)
                };
                assert_eq!(
                    from.read(&mut into[shift..shift + len]),
                    expected,
                    "{good} of {len}"
                );
                assert_eq!(into[shift..shift + good], user.bytes()[8192 - good..]);
                assert!(into[..shift].iter().all(|&b| b == 0xaa));
                assert!(
                    into[shift + good..].iter().all(|&b| b == 0xaa),
                    "{good} of {len}"
                );
            }
        }
    });
}

#[test]
fn clearing_stops_at_the_first_bad_byte() {
    each_kind(|| {
        let mut user = Fenced::new(2);
        for len in lengths() {
            for good in bounds(len) {
                user.bytes().fill(0xaa);
                let to = UserSlice::new(user.end() - good, len);
                let expected = if good == 0 && len > 0 {
                    Err(Errno::EFAULT)
                } else {
                    Ok(good)
                };
                assert_eq!(to.zero(), expected, "{good} of {len}");
                let (before, part) = user.bytes().split_at(8192 - good);
                assert!(part.iter().all(|&b| b == 0) && before.iter().all(|&b| b == 0xaa));
            }
        }
    });
}

/// How much of `len` bytes is mapped: everything up to 70, some of more, and all.
fn bounds(len: usize) -> impl Iterator<Item = usize> {
    let step = (len / 61).max(1);
    (0..len.min(70)).chain((70..len).step_by(step)).chain([len])
}

#[test]
fn every_alignment_is_copied_and_cleared_exactly() {
    each_kind(|| {
        let from = pattern(2048 + 64);
        for (shift, at) in (0..40).flat_map(|shift| (0..40).map(move |at| (shift, at))) {
            let len = 513 + (shift * 41 + at) % 1500;
            let mut out = vec![0xaa; 2048 + 64];
            let to = UserSlice::new(out.as_mut_ptr() as usize + at, len);
            assert_eq!(to.write(&from[shift..]), Ok(len));
            assert_eq!(out[at..at + len], from[shift..shift + len]);
            assert!(out[..at].iter().chain(&out[at + len..]).all(|&b| b == 0xaa));
            assert_eq!(to.zero(), Ok(len));
            assert!(out[at..at + len].iter().all(|&b| b == 0));
            assert!(out[..at].iter().chain(&out[at + len..]).all(|&b| b == 0xaa));
        }
    });
}

#[test]
fn memory_that_is_only_readable_is_a_bad_destination() {
    each_kind(|| {
        let user = Fenced::new(2);
        user.seal();
        for len in [1, 8, 100, 4096] {
            let to = UserSlice::new(user.start(), len);
            assert_eq!(to.write(&pattern(len)), Err(Errno::EFAULT));
            assert_eq!(to.zero(), Err(Errno::EFAULT));
            assert_eq!(to.read(&mut vec![1; len]), Ok(len));
        }
        let pair = UserPtr::<[u64; 2]>::new(user.start());
        assert_eq!(pair.write_pair(1, 2), Err(Errno::EFAULT));
    });
}

#[test]
fn addresses_that_are_not_canonical_fault_like_others() {
    // Beyond what `access_ok` admits, for reports of crashes.
    assert_eq!(UserPtr::<usize>::peek(1 << 62), Err(Errno::EFAULT));
    let _catching = Fenced::new(1);
    assert_eq!(UserPtr::<usize>::peek(8), Err(Errno::EFAULT));
}

#[test]
fn a_pair_that_is_half_mapped_is_refused() {
    let user = Fenced::new(1);
    let pair = |address| UserPtr::<[u64; 2]>::new(address).write_pair(1, 2);
    assert_eq!(pair(user.end() - 16), Ok(()));
    assert_eq!(pair(user.end() - 8), Err(Errno::EFAULT));
    assert_eq!(pair(user.start() - 8), Err(Errno::EFAULT));
    let short = |address| UserPtr::<[u8; 2]>::new(address).write_short(*b"ab");
    assert_eq!(short(user.end() - 2), Some(()));
    assert_eq!(short(user.end() - 1), None);
    assert_eq!(short(user.start() - 1), None);
    assert_eq!(short(usize::MAX), None);
}

/// The answer of a byte loop: `mapped` bytes of text and NULs, then nothing.
fn expected(mapped: &[u8], room: usize) -> Result<&[u8], Errno> {
    for at in 0..room {
        match mapped.get(at) {
            None => return Err(Errno::EFAULT),
            Some(0) => return Ok(&mapped[..at]),
            Some(_) => {}
        }
    }
    Err(Errno::ENAMETOOLONG)
}

#[test]
fn strings_near_the_end_of_what_is_mapped() {
    let mut user = Fenced::new(1);
    let end = user.end();
    for start in 1..=40 {
        for nul in 0..=start {
            user.bytes().fill(0);
            let text = user.bytes().len() - start;
            // 0x80 and 0x01 are what tests for zero bytes get wrong.
            for (n, byte) in user.bytes()[text..].iter_mut().enumerate() {
                *byte = [0x80, 0x01, 0xff, b'a'][n % 4];
            }
            if nul < start {
                user.bytes()[text + nul] = 0;
            }
            for room in (0..=start + 9).chain([64, 4096]) {
                let mut into = vec![0xaa; room + 8];
                let mapped = user.bytes()[text..].to_vec();
                let found = read_path(UserPtr::new(end - start), &mut into[..room]);
                assert_eq!(found, expected(&mapped, room), "{start} {nul} {room}");
                assert!(into[room..].iter().all(|&b| b == 0xaa), "beyond the room");
            }
        }
    }
}

#[test]
fn strings_at_every_alignment() {
    let mut user = Fenced::new(1);
    for (start, len) in (0..16).flat_map(|start| (0..70).map(move |len| (start, len))) {
        user.bytes().fill(b'/');
        // A zero just before the string is not its end.
        if start > 0 {
            user.bytes()[start - 1] = 0;
        }
        user.bytes()[start + len] = 0;
        let text = vec![b'/'; len];
        let mut room = [0; 4096];
        let path = UserPtr::new(user.start() + start);
        assert_eq!(read_path(path, &mut room), Ok(&text[..]));
        assert_eq!(read_path(path, &mut room[..len]), Err(Errno::ENAMETOOLONG));
        assert_eq!(read_path(path, &mut room[..=len]), Ok(&text[..]));
    }
}

#[test]
fn a_path_of_the_maximum_is_read_and_one_more_is_too_long() {
    let mut user = Fenced::new(2);
    user.bytes().fill(b'x');
    let mut room = [0; 4096];
    let path = UserPtr::new(user.start());
    user.bytes()[4095] = 0;
    assert_eq!(read_path(path, &mut room).map(<[u8]>::len), Ok(4095));
    user.bytes()[4095] = b'x';
    assert_eq!(read_path(path, &mut room), Err(Errno::ENAMETOOLONG));
}

/// The registers that wide copies use and one that they do not, all 32 bytes of each.
type Registers = [[u8; 32]; 3];

/// Loads the registers, copies `len` bytes, and returns the registers. With `lower` it loads the
/// lower halves alone, and leaves all upper halves in their initial state.
fn copy_between(
    [dst, src, len]: [usize; 3],
    before: &Registers,
    lower: bool,
) -> (usize, Registers) {
    let mut after = [[0u8; 32]; 3];
    let left: usize;
    // SAFETY: the caller has asked for AVX; both ranges are memory of the test's, faults end in a
    // landing pad, and all registers that a C function may change are declared changed.
    unsafe {
        asm!(
            "test r14, r14",
            "jnz 2f",
            "vmovdqu ymm0, [r12]",
            "vmovdqu ymm1, [r12 + 32]",
            "vmovdqu ymm15, [r12 + 64]",
            "jmp 3f",
            "2: vzeroupper",
            "movups xmm0, [r12]",
            "movups xmm1, [r12 + 32]",
            "movups xmm15, [r12 + 64]",
            "3: call {copy}",
            "vmovdqu [r13], ymm0",
            "vmovdqu [r13 + 32], ymm1",
            "vmovdqu [r13 + 64], ymm15",
            "vzeroupper",
            copy = sym wide::lintel_ua_wide_copy,
            in("r12") before,
            in("r13") &mut after,
            in("r14") usize::from(lower),
            in("rdi") dst,
            in("rsi") src,
            in("rdx") len,
            lateout("rax") left,
            clobber_abi("C"),
        );
    }
    (left, after)
}

#[test]
fn wide_copies_leave_every_vector_register_as_it_was() {
    if !is_x86_feature_detected!("avx") {
        return;
    }
    let mut user = Fenced::new(1);
    let from = pattern(4096);
    let dirty: Registers = core::array::from_fn(|n| [n as u8 + 1; 32]);
    let clean: Registers = dirty.map(|mut register| {
        register[16..].fill(0);
        register
    });
    // Upper halves that are zero, but as far as anybody knows in use, are the third kind.
    for (registers, lower) in [(dirty, false), (clean, true), (clean, false)] {
        for good in [4096, 4095, 600, 37, 0] {
            let to = user.end() - good;
            let what = [to, from.as_ptr() as usize, 4096];
            let (left, after) = copy_between(what, &registers, lower);
            assert_eq!(left, 4096 - good);
            assert!(after == registers, "{good} {lower}");
            assert_eq!(user.bytes()[4096 - good..], from[..good]);
        }
    }
}

#[test]
fn upper_halves_of_zmm_registers_survive_a_wide_copy() {
    if !is_x86_feature_detected!("avx512f") {
        return;
    }
    let (from, mut to) = (pattern(4096), vec![0u8; 4096]);
    let (before, mut after) = ([0x3bu8; 128], [0u8; 128]);
    let left: usize;
    // SAFETY: the CPU has AVX-512; otherwise as in `copy_between`.
    unsafe {
        asm!(
            "vmovdqu64 zmm0, [r12]",
            "vmovdqu64 zmm1, [r12 + 64]",
            "call {copy}",
            "vmovdqu64 [r13], zmm0",
            "vmovdqu64 [r13 + 64], zmm1",
            "vzeroupper",
            copy = sym wide::lintel_ua_wide_copy,
            in("r12") &before,
            in("r13") &mut after,
            in("rdi") to.as_mut_ptr(),
            in("rsi") from.as_ptr(),
            in("rdx") 4096,
            lateout("rax") left,
            clobber_abi("C"),
        );
    }
    assert!(left == 0 && to == from && after == before);
}

#[test]
fn fixups_cover_the_copies_and_nothing_around_them() {
    let start = wide::lintel_ua_wide_copy as *const () as usize;
    assert_eq!(fixup(start), None, "XGETBV does not touch memory");
    assert_eq!(fixup(read_path as *const () as usize), None);
    assert_eq!(fixup(0), None);
    assert_eq!(fixup(usize::MAX), None);
}
