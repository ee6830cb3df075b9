//! Sleeping for a time, and until a time.

use crate::clocks::read;
use std::io;
use std::thread;
use std::time::{Duration, Instant};
use test_support::{call, report};

const NAP: Duration = Duration::from_millis(20);
/// A busy machine may let us sleep much longer than we asked for.
const LATE: Duration = Duration::from_millis(400);

fn timespec(time: Duration) -> [u64; 2] {
    [time.as_secs(), u64::from(time.subsec_nanos())]
}

/// Prints whether the nap took as long as it should.
fn judge(name: &str, start: Instant) {
    let passed = start.elapsed();
    let verdict = match passed {
        passed if passed < NAP => "too short",
        passed if passed > LATE => "too long",
        _ => "ok",
    };
    println!("{name} {verdict}");
}

/// Sleeping for 20 ms, and for no time.
pub fn relative() -> io::Result<()> {
    let nap = timespec(NAP);
    let nap = nap.as_ptr() as u64;
    let start = Instant::now();
    call(libc::SYS_nanosleep, &[nap, 0])?;
    judge("nanosleep", start);
    for (name, clock) in [("realtime", 0), ("monotonic", 1), ("boot", 7)] {
        let start = Instant::now();
        call(libc::SYS_clock_nanosleep, &[clock, 0, nap, 0])?;
        judge(name, start);
    }
    let start = Instant::now();
    thread::sleep(NAP);
    judge("thread::sleep", start);
    let start = Instant::now();
    report(
        "poll of nothing",
        call(libc::SYS_poll, &[0, 0, NAP.as_millis() as u64]),
    );
    judge("poll", start);

    let start = Instant::now();
    let nothing = [0_u64; 2];
    for _ in 0..20 {
        call(libc::SYS_nanosleep, &[nothing.as_ptr() as u64, 0])?;
    }
    println!("twenty times nothing {}", start.elapsed() < LATE);
    let start = Instant::now();
    for _ in 0..10 {
        thread::sleep(Duration::from_millis(2));
    }
    judge("ten times 2 ms", start);
    Ok(())
}

/// Sleeping until a time that comes, and until one that has passed.
pub fn until() -> io::Result<()> {
    let absolute = libc::TIMER_ABSTIME as u64;
    for (name, clock) in [
        ("monotonic", libc::CLOCK_MONOTONIC),
        ("realtime", libc::CLOCK_REALTIME),
    ] {
        let start = Instant::now();
        let alarm = timespec(read(clock)? + NAP);
        let args = [clock as u64, absolute, alarm.as_ptr() as u64, 0];
        call(libc::SYS_clock_nanosleep, &args)?;
        judge(name, start);
        println!("{name} has reached it {}", timespec(read(clock)?) >= alarm);
        let start = Instant::now();
        call(libc::SYS_clock_nanosleep, &args)?;
        println!("{name} again at once {}", start.elapsed() < NAP);
    }
    let past = [0_u64, 1];
    report(
        "long ago",
        call(
            libc::SYS_clock_nanosleep,
            &[1, absolute, past.as_ptr() as u64, 0],
        ),
    );
    Ok(())
}

/// Ten thousand naps of 100 µs, and ten thousand times 250 µs apart to wake up at. Their lateness is
/// told on standard error.
pub fn pace() -> io::Result<()> {
    const TIMES: usize = 10_000;
    let short = Duration::from_micros(100);
    let nap = timespec(short);
    let mut over = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let start = read(libc::CLOCK_MONOTONIC)?;
        call(libc::SYS_nanosleep, &[nap.as_ptr() as u64, 0])?;
        over.push((read(libc::CLOCK_MONOTONIC)? - start).checked_sub(short));
    }
    println!("none too short {}", over.iter().all(Option::is_some));
    let thousand = |range: std::ops::Range<usize>| {
        let mut part: Vec<_> = over[range].iter().flatten().copied().collect();
        part.sort();
        part[part.len() / 2]
    };
    let (first, last) = (thousand(0..1000), thousand(TIMES - 1000..TIMES));
    eprintln!("median lateness {first:?} at first, {last:?} in the end");
    println!(
        "as good as a millisecond {}",
        last < Duration::from_millis(1)
    );

    let apart = Duration::from_micros(250);
    let start = read(libc::CLOCK_MONOTONIC)?;
    let mut early = 0;
    for turn in 1..=TIMES as u32 {
        let alarm = start + apart * turn;
        let time = timespec(alarm);
        let args = [1, libc::TIMER_ABSTIME as u64, time.as_ptr() as u64, 0];
        call(libc::SYS_clock_nanosleep, &args)?;
        early += usize::from(read(libc::CLOCK_MONOTONIC)? < alarm);
    }
    let late = read(libc::CLOCK_MONOTONIC)? - (start + apart * TIMES as u32);
    eprintln!("the last of {TIMES}: {late:?} late");
    println!("woken early {early}, no drift {}", late < LATE);
    Ok(())
}

/// Times that are none, clocks that cannot wake anybody.
pub fn errors() -> io::Result<()> {
    for (name, time) in [
        ("a billion nanoseconds", [0, 1_000_000_000]),
        ("negative nanoseconds", [0, u64::MAX]),
        ("negative seconds", [u64::MAX, 0]),
    ] {
        let time = time.as_ptr() as u64;
        report(
            format_args!("nanosleep {name}"),
            call(libc::SYS_nanosleep, &[time, 0]),
        );
        let outcome = call(libc::SYS_clock_nanosleep, &[1, 0, time, 0]);
        report(format_args!("clock_nanosleep {name}"), outcome);
    }
    let nothing = [0_u64; 2];
    let nothing = nothing.as_ptr() as u64;
    for clock in [3_u64, 10, 99] {
        let outcome = call(libc::SYS_clock_nanosleep, &[clock, 0, nothing, 0]);
        report(format_args!("clock_nanosleep clock {clock}"), outcome);
    }
    Ok(())
}
