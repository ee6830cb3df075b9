//! Clocks and sleeps.

use crate::each::each;
use crate::places::Places;
use libc::{
    SYS_clock_getres, SYS_clock_gettime, SYS_clock_nanosleep, SYS_gettimeofday, SYS_nanosleep,
    SYS_time,
};
use test_support::{call, report, report_ok};

const MONOTONIC: u64 = libc::CLOCK_MONOTONIC as u64;
const NO_CLOCK: u64 = 99;
const KEEP: u64 = 8;

/// Reports on everything here.
pub fn run(places: &Places) {
    each(places, "clock_gettime", KEEP, |p| {
        call(SYS_clock_gettime, &[MONOTONIC, p])
    });
    each(places, "clock_gettime no clock", KEEP, |p| {
        call(SYS_clock_gettime, &[NO_CLOCK, p])
    });
    each(places, "clock_getres", KEEP, |p| {
        call(SYS_clock_getres, &[MONOTONIC, p])
    });
    each(places, "clock_getres no clock", KEEP, |p| {
        call(SYS_clock_getres, &[NO_CLOCK, p])
    });
    each(places, "gettimeofday", KEEP, |p| {
        call(SYS_gettimeofday, &[p, 0])
    });
    each(places, "gettimeofday zone", 4, |p| {
        call(SYS_gettimeofday, &[0, p])
    });
    for place in places.bad(4) {
        report_ok(
            format_args!("time {}", place.name),
            call(SYS_time, &[place.address]),
        );
    }
    sleeps(places);
}

fn sleeps(places: &Places) {
    let nothing = [0_u64; 2];
    let nothing = nothing.as_ptr() as u64;
    each(places, "nanosleep", KEEP, |p| call(SYS_nanosleep, &[p, 0]));
    each(places, "nanosleep rest", KEEP, |p| {
        call(SYS_nanosleep, &[nothing, p])
    });
    each(places, "clock_nanosleep", KEEP, |p| {
        call(SYS_clock_nanosleep, &[MONOTONIC, 0, p, 0])
    });
    each(places, "clock_nanosleep no clock", KEEP, |p| {
        call(SYS_clock_nanosleep, &[NO_CLOCK, 0, p, 0])
    });
    let wrong = [0_u64, 1_000_000_000];
    let wrong = wrong.as_ptr() as u64;
    report(
        "nanosleep too many nanoseconds",
        call(SYS_nanosleep, &[wrong, 0]),
    );
}
