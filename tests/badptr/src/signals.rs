//! Signal actions, masks and stacks.

use crate::each::each;
use crate::places::Places;
use libc::{SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_sigaltstack};
use test_support::{call, report};

const USR1: u64 = libc::SIGUSR1 as u64;
const KILL: u64 = libc::SIGKILL as u64;
const BLOCK: u64 = libc::SIG_BLOCK as u64;
const NO_SIGNAL: u64 = 65;
/// The size of the kernel's signal set.
const SET: u64 = 8;

/// Reports on everything here.
pub fn run(places: &Places) {
    each(places, "rt_sigaction", 16, |p| {
        call(SYS_rt_sigaction, &[USR1, p, 0, SET])
    });
    each(places, "rt_sigaction old", 16, |p| {
        call(SYS_rt_sigaction, &[USR1, 0, p, SET])
    });
    each(places, "rt_sigaction KILL", 16, |p| {
        call(SYS_rt_sigaction, &[KILL, p, 0, SET])
    });
    each(places, "rt_sigaction no signal", 16, |p| {
        call(SYS_rt_sigaction, &[NO_SIGNAL, p, 0, SET])
    });
    each(places, "rt_sigaction set size", 16, |p| {
        call(SYS_rt_sigaction, &[USR1, p, 0, 16])
    });

    let mask = |how, set, old, size| call(SYS_rt_sigprocmask, &[how, set, old, size]);
    each(places, "rt_sigprocmask", 4, |p| mask(BLOCK, p, 0, SET));
    each(places, "rt_sigprocmask old", 4, |p| mask(BLOCK, 0, p, SET));
    each(places, "rt_sigprocmask no such way", 4, |p| {
        mask(77, p, 0, SET)
    });
    each(places, "rt_sigprocmask set size", 4, |p| {
        mask(BLOCK, p, 0, 4)
    });

    each(places, "sigaltstack", 8, |p| call(SYS_sigaltstack, &[p, 0]));
    each(places, "sigaltstack old", 8, |p| {
        call(SYS_sigaltstack, &[0, p])
    });
    let flags = [0_u64, 64, 1 << 20];
    let flags = flags.as_ptr() as u64;
    report(
        "sigaltstack unknown flags",
        call(SYS_sigaltstack, &[flags, 0]),
    );
}
