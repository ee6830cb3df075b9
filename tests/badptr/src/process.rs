//! What a process asks about itself and its machine.

use crate::each::each;
use crate::places::Places;
use libc::{
    SYS_arch_prctl, SYS_capget, SYS_capset, SYS_getcpu, SYS_getgroups, SYS_getrandom,
    SYS_getresgid, SYS_getresuid, SYS_getrlimit, SYS_mincore, SYS_prctl, SYS_prlimit64,
    SYS_sched_getaffinity, SYS_set_robust_list, SYS_sysinfo, SYS_uname,
};
use std::io;
use test_support::{Outcome, call, report, report_ok};

const GET_FS: u64 = 0x1003;
const NOFILE: u64 = libc::RLIMIT_NOFILE as u64;
const CORE: u64 = libc::RLIMIT_CORE as u64;
const NO_LIMIT: u64 = 99;
/// The third version of the header of capget(2).
const CAPABILITY_VERSION: u32 = 0x2008_0522;
const PR_GET_NAME: u64 = libc::PR_GET_NAME as u64;

/// Reports on everything here.
pub fn run(places: &Places) {
    each(places, "uname", 8, |p| call(SYS_uname, &[p]));
    each(places, "sysinfo", 8, |p| call(SYS_sysinfo, &[p]));
    each(places, "arch_prctl GET_FS", 4, |p| {
        call(SYS_arch_prctl, &[GET_FS, p])
    });
    random(places);
    limits(places);
    processors(places);
    identity(places);
    memory(places);
}

fn random(places: &Places) {
    each(places, "getrandom 16", 8, |p| {
        call(SYS_getrandom, &[p, 16, 0])
    });
    each(places, "getrandom 256", 8, |p| {
        call(SYS_getrandom, &[p, 256, 0])
    });
    each(places, "getrandom unknown flags", 8, |p| {
        call(SYS_getrandom, &[p, 16, 1 << 20])
    });
    report("getrandom nothing at null", call(SYS_getrandom, &[0, 0, 0]));
}

fn limits(places: &Places) {
    each(places, "getrlimit", 8, |p| {
        call(SYS_getrlimit, &[NOFILE, p])
    });
    each(places, "getrlimit no limit", 8, |p| {
        call(SYS_getrlimit, &[NO_LIMIT, p])
    });
    each(places, "prlimit64 old", 8, |p| {
        call(SYS_prlimit64, &[0, NOFILE, 0, p])
    });
    each(places, "prlimit64 new", 8, |p| {
        call(SYS_prlimit64, &[0, CORE, p, 0])
    });
    each(places, "prlimit64 no limit", 8, |p| {
        call(SYS_prlimit64, &[0, NO_LIMIT, 0, p])
    });
}

fn processors(places: &Places) {
    for place in places.bad(4) {
        // The result is the size of the kernel's set.
        let outcome = call(SYS_sched_getaffinity, &[0, 128, place.address]);
        report_ok(format_args!("sched_getaffinity {}", place.name), outcome);
    }
    each(places, "sched_getaffinity odd size", 4, |p| {
        call(SYS_sched_getaffinity, &[0, 7, p])
    });
    each(places, "getcpu", 2, |p| call(SYS_getcpu, &[p, 0, 0]));
    each(places, "getcpu node", 2, |p| call(SYS_getcpu, &[0, p, 0]));
    each(places, "getcpu cache", 2, |p| call(SYS_getcpu, &[0, 0, p]));
}

fn identity(places: &Places) {
    let mut good = [0_u32; 2];
    let good = good.as_mut_ptr() as u64;
    each(places, "getresuid real", 2, |p| {
        call(SYS_getresuid, &[p, good, good])
    });
    each(places, "getresuid effective", 2, |p| {
        call(SYS_getresuid, &[good, p, good])
    });
    each(places, "getresuid saved", 2, |p| {
        call(SYS_getresuid, &[good, good, p])
    });
    each(places, "getresgid", 2, |p| {
        call(SYS_getresgid, &[good, p, good])
    });
    each(places, "capget header", 2, |p| call(SYS_capget, &[p, good]));
    each(places, "capset header", 2, |p| call(SYS_capset, &[p, good]));
    let header = [CAPABILITY_VERSION, 0];
    each(places, "capset sets", 20, |p| {
        call(SYS_capset, &[header.as_ptr() as u64, p])
    });
    each(places, "prctl name", 8, |p| {
        call(SYS_prctl, &[PR_GET_NAME, p])
    });
    each(places, "getgroups", 2, groups);
    each(places, "getgroups negative", 2, |p| {
        call(SYS_getgroups, &[u64::MAX, p])
    });
    report_ok("getgroups count at null", call(SYS_getgroups, &[0, 0]));
}

/// Who is in no group is told about none, wherever the pointer leads: that is the host's affair.
fn groups(address: u64) -> Outcome {
    match call(SYS_getgroups, &[0, 0])? {
        0 => Err(io::Error::from_raw_os_error(libc::EFAULT)),
        _ => call(SYS_getgroups, &[65536, address]),
    }
}

fn memory(places: &Places) {
    let page = places.bad(0)[3].address;
    each(places, "mincore", 0, |p| {
        call(SYS_mincore, &[page, 4096, p])
    });
    each(places, "mincore odd address", 0, |p| {
        call(SYS_mincore, &[page + 1, 4096, p])
    });
    each(places, "set_robust_list wrong size", 8, |p| {
        call(SYS_set_robust_list, &[p, 25])
    });
}
