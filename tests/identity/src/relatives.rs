//! Relatives, of which there are none, and what has been used.

use std::hint::black_box;
use std::io;
use test_support::{call, report};

const WEXITED: u64 = libc::WEXITED as u64;

fn all_ones(value: i64) -> u64 {
    value as u64
}

/// Waiting for children, groups, sessions.
pub fn run() -> io::Result<()> {
    let mut room = [0_u64; 32];
    let at = room.as_mut_ptr() as u64;
    report("wait4", call(libc::SYS_wait4, &[all_ones(-1), 0, 0, 0]));
    report(
        "wait4 nohang",
        call(libc::SYS_wait4, &[all_ones(-1), at, 1, 0]),
    );
    report(
        "wait4 options",
        call(libc::SYS_wait4, &[all_ones(-1), 0, 0x100, 0]),
    );
    report(
        "wait4 group",
        call(libc::SYS_wait4, &[i32::MIN as u32 as u64, 0, 0, 0]),
    );
    report("waitid", call(libc::SYS_waitid, &[0, 0, at, WEXITED, 0]));
    report("waitid none", call(libc::SYS_waitid, &[0, 0, at, 0, 0]));
    report(
        "waitid kind",
        call(libc::SYS_waitid, &[9, 0, at, WEXITED, 0]),
    );
    report(
        "waitid pid",
        call(libc::SYS_waitid, &[1, 0, at, WEXITED, 0]),
    );
    report(
        "waitid descriptor",
        call(libc::SYS_waitid, &[3, 999, at, WEXITED, 0]),
    );
    report(
        "setpgid negative",
        call(libc::SYS_setpgid, &[0, all_ones(-1)]),
    );
    report(
        "setpgid stranger",
        call(libc::SYS_setpgid, &[0x3fff_ffff, 0]),
    );
    let before = call(libc::SYS_personality, &[0xffff_ffff])?;
    println!(
        "personality {}",
        call(libc::SYS_personality, &[before as u64])? == before
    );
    usage(&mut room)?;
    barriers();
    Ok(())
}

fn usage(room: &mut [u64; 32]) -> io::Result<()> {
    let at = room.as_mut_ptr() as u64;
    let mut sum = 0_u64;
    for number in 0..30_000_000_u64 {
        sum = black_box(sum ^ number);
    }
    report(
        "getrusage children",
        call(libc::SYS_getrusage, &[all_ones(-1), at]),
    );
    for who in [0, 1] {
        report("getrusage", call(libc::SYS_getrusage, &[who, at]));
        println!(
            "something was used {}",
            room[0] + room[1] + room[2] + room[3] > 0
        );
        println!(
            "microseconds {}",
            room[1] < 1_000_000 && room[3] < 1_000_000
        );
    }
    report("getrusage of nobody", call(libc::SYS_getrusage, &[7, at]));
    report("getrusage nowhere", call(libc::SYS_getrusage, &[0, 8]));
    println!("times {}", call(libc::SYS_times, &[at])? > 0);
    report("times nowhere", call(libc::SYS_times, &[8]));
    Ok(())
}

fn barriers() {
    const PRIVATE: u64 = 1 << 3;
    let known = call(libc::SYS_membarrier, &[0, 0, 0]).unwrap_or(0);
    println!("membarrier {}", known & 0x3ff == 0x3ff);
    report(
        "not registered",
        call(libc::SYS_membarrier, &[PRIVATE, 0, 0]),
    );
    report(
        "register",
        call(libc::SYS_membarrier, &[PRIVATE << 1, 0, 0]),
    );
    report("private", call(libc::SYS_membarrier, &[PRIVATE, 0, 0]));
    let rseq = PRIVATE << 4;
    report("rseq", call(libc::SYS_membarrier, &[rseq, 0, 0]));
    report("register", call(libc::SYS_membarrier, &[rseq << 1, 0, 0]));
    report("rseq", call(libc::SYS_membarrier, &[rseq, 0, 0]));
    report("of a CPU", call(libc::SYS_membarrier, &[rseq, 1, 0]));
    report("flags", call(libc::SYS_membarrier, &[rseq, 2, 0]));
    report("registered", call(libc::SYS_membarrier, &[1 << 9, 0, 0]));
    report("global", call(libc::SYS_membarrier, &[1, 0, 0]));
    report("flags", call(libc::SYS_membarrier, &[1, 2, 0]));
    report("command", call(libc::SYS_membarrier, &[1 << 20, 0, 0]));
}
