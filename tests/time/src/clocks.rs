//! Reading clocks, through the system call and through the C library (which may use a vDSO).

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use test_support::{call, checked, report, report_ok};

const MANY: usize = 100_000;
const SOME: usize = 10_000;
const YEAR_2024: u64 = 1_704_067_200;
const YEAR_2100: u64 = 4_102_444_800;

/// The clocks every program may expect.
const CLOCKS: [(&str, i32); 7] = [
    ("realtime", libc::CLOCK_REALTIME),
    ("monotonic", libc::CLOCK_MONOTONIC),
    ("process", libc::CLOCK_PROCESS_CPUTIME_ID),
    ("monotonic raw", libc::CLOCK_MONOTONIC_RAW),
    ("realtime coarse", libc::CLOCK_REALTIME_COARSE),
    ("monotonic coarse", libc::CLOCK_MONOTONIC_COARSE),
    ("boot", libc::CLOCK_BOOTTIME),
];

/// A clock read by the system call.
pub fn read(clock: i32) -> io::Result<Duration> {
    let mut time = [0_u64; 2];
    call(
        libc::SYS_clock_gettime,
        &[clock as u64, time.as_mut_ptr() as u64],
    )?;
    Ok(Duration::new(time[0], time[1] as u32))
}

fn read_by_library(clock: i32) -> io::Result<Duration> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the result goes to a live `timespec`.
    checked(unsafe { libc::clock_gettime(clock, &mut time) })?;
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// None goes backwards; nanoseconds stay below a second.
pub fn run() -> io::Result<()> {
    for (name, clock) in CLOCKS {
        report(
            format_args!("{name} backwards, call"),
            backwards(SOME, || read(clock)),
        );
        let library = backwards(SOME, || read_by_library(clock));
        report(format_args!("{name} backwards, library"), library);
    }
    let monotonic = backwards(MANY, || read(libc::CLOCK_MONOTONIC));
    report("monotonic backwards, many calls", monotonic);
    let mut last = Instant::now();
    let steady = (0..MANY).all(|_| {
        let now = Instant::now();
        now >= std::mem::replace(&mut last, now)
    });
    println!("Instant steady {steady}");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(io::Error::other)?;
    println!(
        "this century {}",
        (YEAR_2024..YEAR_2100).contains(&now.as_secs())
    );
    Ok(())
}

/// How often the clock went backwards.
fn backwards(readings: usize, clock: impl Fn() -> io::Result<Duration>) -> io::Result<usize> {
    let mut last = clock()?;
    let mut count = 0;
    for _ in 0..readings {
        let now = clock()?;
        count += usize::from(now < last);
        last = now;
    }
    Ok(count)
}

/// Different ways to ask for the same time.
pub fn agree() -> io::Result<()> {
    let near = |a: Duration, b: Duration| a.abs_diff(b) < Duration::from_secs(1);
    let real = read(libc::CLOCK_REALTIME)?;
    let mut day = [0_u64; 2];
    call(libc::SYS_gettimeofday, &[day.as_mut_ptr() as u64, 0])?;
    println!(
        "gettimeofday {}",
        near(real, Duration::new(day[0], day[1] as u32 * 1000))
    );
    println!("microseconds below a million {}", day[1] < 1_000_000);
    let mut seconds = [0_u64];
    let returned = call(libc::SYS_time, &[seconds.as_mut_ptr() as u64])? as u64;
    println!("time {}", near(real, Duration::from_secs(returned)));
    println!("time stores what it returns {}", seconds[0] == returned);
    for (name, clock, other) in [
        ("library", libc::CLOCK_REALTIME, None),
        (
            "realtime coarse",
            libc::CLOCK_REALTIME,
            Some(libc::CLOCK_REALTIME_COARSE),
        ),
        ("monotonic library", libc::CLOCK_MONOTONIC, None),
        (
            "monotonic coarse",
            libc::CLOCK_MONOTONIC,
            Some(libc::CLOCK_MONOTONIC_COARSE),
        ),
    ] {
        let second = other.map_or_else(|| read_by_library(clock), read)?;
        println!("{name} {}", near(read(clock)?, second));
    }
    let start = (read(libc::CLOCK_MONOTONIC)?, Instant::now());
    while start.1.elapsed() < Duration::from_millis(50) {}
    let passed = read(libc::CLOCK_MONOTONIC)? - start.0;
    println!(
        "50 ms pass on both {}",
        near(passed, start.1.elapsed()) && passed.as_millis() >= 50
    );
    let used = read(libc::CLOCK_PROCESS_CPUTIME_ID)?;
    println!("processor time passes {}", used > Duration::ZERO);
    Ok(())
}

/// Resolutions, and clocks there are not.
pub fn resolution() -> io::Result<()> {
    for (name, clock) in CLOCKS {
        let mut time = [u64::MAX; 2];
        call(
            libc::SYS_clock_getres,
            &[clock as u64, time.as_mut_ptr() as u64],
        )?;
        let fine = if name.ends_with("coarse") {
            10_000_000
        } else {
            1_000_000
        };
        println!("{name} {}", time[0] == 0 && (1..=fine).contains(&time[1]));
    }
    report("no place for it", call(libc::SYS_clock_getres, &[1, 0]));
    for clock in [10_u64, 99, u64::MAX] {
        let mut time = [0_u64; 2];
        let time = time.as_mut_ptr() as u64;
        report_ok(
            format_args!("clock {}", clock as i64),
            call(libc::SYS_clock_gettime, &[clock, time]),
        );
        report_ok(
            format_args!("its resolution {}", clock as i64),
            call(libc::SYS_clock_getres, &[clock, time]),
        );
    }
    Ok(())
}

/// What setting a clock is refused for. None is set: the host's is everybody's.
pub fn settable() -> io::Result<()> {
    let times = [
        ("a nanosecond", [0_u64, 1]),
        ("a billion nanoseconds", [1_700_000_000, 1_000_000_000]),
        ("negative", [u64::MAX, 0]),
        ("the end of time", [i64::MAX as u64, 0]),
    ];
    for clock in [
        0_i32,
        1,
        2,
        3,
        4,
        5,
        7,
        11,
        99,
        !0 << 3 | 2,
        !99_999_999 << 3 | 2,
    ] {
        for (name, time) in times {
            // That soon after the epoch is before the machine was booted.
            let outcome = call(
                libc::SYS_clock_settime,
                &[clock as u64, time.as_ptr() as u64],
            );
            report(format_args!("set {clock} to {name}"), outcome);
        }
        let outcome = call(libc::SYS_clock_settime, &[clock as u64, 16]);
        report(format_args!("set {clock} from nowhere"), outcome);
    }
    let day = |time: u64, zone: u64| call(libc::SYS_settimeofday, &[time, zone]);
    let micros = [1_700_000_000_u64, 1_000_000];
    report("a million microseconds", day(micros.as_ptr() as u64, 0));
    report("nowhere", day(16, 0));
    report("a zone nowhere", day(0, 16));
    let zone = [901_i32, 0];
    report("no such zone", day(0, zone.as_ptr() as u64));
    // SAFETY: the function has no preconditions.
    checked(unsafe { libc::setresuid(1000, 1000, 1000) })?;
    let now = timespec_now()?;
    report(
        "as a user",
        call(libc::SYS_clock_settime, &[0, now.as_ptr() as u64]),
    );
    Ok(())
}

fn timespec_now() -> io::Result<[u64; 2]> {
    let now = read(libc::CLOCK_REALTIME)?;
    Ok([now.as_secs(), u64::from(now.subsec_nanos())])
}

/// Sets the clock, and what goes by it goes with it. In the machine only.
pub fn set() -> io::Result<()> {
    let hour = Duration::from_secs(3600);
    let (before, start) = (read(libc::CLOCK_REALTIME)?, Instant::now());
    let step = |time: Duration| {
        let time = [time.as_secs(), u64::from(time.subsec_nanos())];
        call(libc::SYS_clock_settime, &[0, time.as_ptr() as u64])
    };
    std::thread::scope(|scope| {
        let until = before + hour;
        // A sleep until a time, a sleep for a time, and a timer of each kind.
        let sleeper = scope.spawn(move || {
            let time = [until.as_secs(), u64::from(until.subsec_nanos())];
            call(libc::SYS_clock_nanosleep, &[0, 1, time.as_ptr() as u64, 0])
        });
        let timer = |flags: u64, time: Duration| -> io::Result<u64> {
            let fd = call(libc::SYS_timerfd_create, &[0, libc::TFD_NONBLOCK as u64])?;
            let spec = [0, 0, time.as_secs(), u64::from(time.subsec_nanos())];
            call(
                libc::SYS_timerfd_settime,
                &[fd as u64, flags, spec.as_ptr() as u64, 0],
            )?;
            Ok(fd as u64)
        };
        let (absolute, relative) = (timer(1, until)?, timer(0, hour)?);
        std::thread::sleep(Duration::from_millis(20));
        report("set", step(before + hour + Duration::from_secs(5)));
        report("slept until", sleeper.join().expect("no panic"));
        println!("at once {}", start.elapsed() < Duration::from_secs(2));
        let mut count = 0_u64;
        for (name, fd) in [("absolute", absolute), ("relative", relative)] {
            report(name, call(libc::SYS_read, &[fd, &raw mut count as u64, 8]));
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(io::Error::other)?;
        println!(
            "an hour on {}",
            now - before >= hour && now - before < hour * 2
        );
        report("set back", step(before));
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(io::Error::other)?;
        println!("back {}", now - before < Duration::from_secs(60));
        Ok(())
    })
}
