//! An event as a line for people.

use super::calls::{self, Arg};
use super::record::{Kind, Record};
use super::tables;
use std::fmt::Write;
use syscalls::{Errno, Sysno};

/// The line, without its newline. `khz` is the frequency of the time-stamp counter; 0: unknown.
pub fn of(event: &Record, khz: u64) -> String {
    let mut line = match event.kind {
        Kind::Syscall => call(event),
        Kind::Irq => irq(event),
        Kind::Fault => fault(event),
        Kind::Lower => lower(event),
        Kind::Sched => switch(event),
        Kind::Other => format!("--- unknown event {} ---", event.nr),
    };
    if let Some(ticks) = event.ticks.filter(|_| khz != 0) {
        let _ = write!(line, " <{}>", duration(ticks, khz));
    }
    line
}

/// The name of a system call.
fn name(nr: u32) -> Option<&'static str> {
    Some(Sysno::new(usize::try_from(nr).ok()?)?.name())
}

fn call(event: &Record) -> String {
    let mut line = match name(event.nr) {
        Some(name) => name.to_owned(),
        None => format!("syscall_{}", event.nr),
    };
    let kinds = calls::arguments(&line);
    let pointer_result = matches!(line.as_str(), "mmap" | "mremap" | "brk");
    let ends = matches!(line.as_str(), "exit" | "exit_group");
    let shown = shown(&line, &event.args);
    line.push('(');
    for (at, &value) in event.args[..shown].iter().enumerate() {
        let kind = kinds.get(at).copied().unwrap_or(Arg::Pointer);
        let comma = if at == 0 { "" } else { ", " };
        let _ = write!(line, "{comma}{}", argument(kind, value, event));
    }
    match event.result {
        None if ends => line + ") = ?",
        None => line + " <unfinished ...>",
        Some(result) => {
            let _ = write!(line, ") = {}", outcome(result, pointer_result));
            line
        }
    }
}

/// How many of the arguments count: a mode only where a file may be made, a value only for commands
/// that take one.
fn shown(name: &str, args: &[u64]) -> usize {
    let flag = |at: usize, flags: i32| args.get(at).is_some_and(|&arg| arg as i32 & flags != 0);
    let creates = libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY;
    let gets = [libc::F_GETFD, libc::F_GETFL, libc::F_GETPIPE_SZ];
    match name {
        "open" if !flag(1, creates) => 2,
        "openat" if !flag(2, creates) => 3,
        "fcntl" if args.get(1).is_some_and(|&arg| gets.contains(&(arg as i32))) => 2,
        _ => args.len(),
    }
    .min(args.len())
}

fn outcome(result: i64, pointer: bool) -> String {
    match result {
        -4095..=-1 => {
            let errno = Errno::new(-result as i32);
            let name = errno.name().map_or(format!("E{}", -result), str::to_owned);
            match errno.description() {
                Some(text) => format!("-1 {name} ({text})"),
                None => format!("-1 {name}"),
            }
        }
        _ if pointer => format!("{result:#x}"),
        _ => result.to_string(),
    }
}

fn argument(kind: Arg, value: u64, event: &Record) -> String {
    match kind {
        Arg::Int => (value as i32).to_string(),
        Arg::Long => (value as i64).to_string(),
        Arg::Size => value.to_string(),
        Arg::Hex => format!("{:#x}", value as u32),
        Arg::Octal if value == 0 => "0".into(),
        Arg::Octal => format!("0{:o}", value as u32),
        Arg::Directory if value as i32 == libc::AT_FDCWD => "AT_FDCWD".into(),
        Arg::Directory => (value as i32).to_string(),
        Arg::Signal => tables::signal(value as u32),
        Arg::Set(set) => set.decode(value as u32),
        Arg::Text | Arg::Name => match event.bytes() {
            Some(bytes) => quoted(&bytes, event.cut, matches!(kind, Arg::Name)),
            None => pointer(value),
        },
        Arg::Pointer => pointer(value),
    }
}

fn pointer(value: u64) -> String {
    match value {
        0 => "NULL".into(),
        _ => format!("{value:#x}"),
    }
}

/// Bytes as a C string literal, with `...` behind it when there are more; `terminated` ones
/// without their NUL.
fn quoted(bytes: &[u8], cut: bool, terminated: bool) -> String {
    let bytes = bytes
        .strip_suffix(b"\0")
        .filter(|_| terminated)
        .unwrap_or(bytes);
    let mut text = String::from('"');
    for &byte in bytes {
        match byte {
            b'\'' => text.push('\''),
            _ => text.extend(byte.escape_ascii().map(char::from)),
        }
    }
    text + if cut { "\"..." } else { "\"" }
}

fn irq(event: &Record) -> String {
    let source = match event.result {
        Some(0) => "timer",
        Some(1) => "console",
        Some(3) => "doorbell",
        _ => "spurious",
    };
    format!("--- irq {} ({source}) ---", event.nr)
}

fn fault(event: &Record) -> String {
    let arg = |at: usize| event.args.get(at).copied().unwrap_or_default();
    let (rip, error, cr2) = (arg(0), arg(1), arg(2));
    let what = match event.nr {
        14 => format!("page fault at {}", pointer(cr2)),
        13 => "general protection fault".into(),
        6 => "invalid opcode".into(),
        3 => "breakpoint".into(),
        0 => "divide error".into(),
        vector => format!("exception {vector}"),
    };
    let end = match event.result {
        Some(0) => "fatal",
        _ => "resolved",
    };
    format!("--- {what}, error {error:#x}, rip {rip:#x}: {end} ---")
}

fn lower(event: &Record) -> String {
    let site = event.args.first().copied().unwrap_or_default();
    match event.result {
        Some(0) => format!("--- syscall at {site:#x}: lowered ---"),
        result => {
            let errno = Errno::new(-result.unwrap_or_default() as i32);
            let why = errno.name().unwrap_or("unknown reason");
            format!("--- syscall at {site:#x}: still traps ({why}) ---")
        }
    }
}

fn switch(event: &Record) -> String {
    let before = event.args.first().copied().unwrap_or_default();
    format!("--- thread {} after {before} ---", event.nr)
}

/// Ticks in the unit that suits them.
fn duration(ticks: u64, khz: u64) -> String {
    let ns = u128::from(ticks) * 1_000_000 / u128::from(khz);
    let (divisor, unit) = match ns {
        0..1_000 => return format!("{ns}ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let tenths = ns * 10 / divisor;
    format!("{}.{}{unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: Kind, nr: u32, args: &[u64], result: Option<i64>, text: Option<&str>) -> Record {
        Record {
            kind,
            nr,
            args: args.to_vec(),
            result,
            ticks: result.map(|_| 2400),
            text: text.map(str::to_owned),
            cut: false,
        }
    }

    fn line(nr: u32, args: &[u64], result: i64, text: Option<&str>) -> String {
        of(&event(Kind::Syscall, nr, args, Some(result), text), 0)
    }

    const AT_FDCWD: u64 = -100i64 as u64;

    #[test]
    fn calls_read_as_strace_writes_them() {
        let hosts = event(
            Kind::Syscall,
            257,
            &[AT_FDCWD, 4096, 0, 0],
            Some(3),
            Some("/etc/hosts"),
        );
        assert_eq!(
            of(&hosts, 2_000_000),
            "openat(AT_FDCWD, \"/etc/hosts\", O_RDONLY) = 3 <1.2us>"
        );
        assert_eq!(
            line(
                9,
                &[0, 8192, 3, 0x22, u64::from(u32::MAX), 0],
                0x7f00_0000,
                None
            ),
            "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f000000"
        );
        assert_eq!(
            line(8, &[3, -5i64 as u64, 2], -29, None),
            "lseek(3, -5, SEEK_END) = -1 ESPIPE (Illegal seek)"
        );
        assert_eq!(
            line(228, &[1, 64], 0, None),
            "clock_gettime(CLOCK_MONOTONIC, 0x40) = 0"
        );
        assert_eq!(line(234, &[1, 1, 6], 0, None), "tgkill(1, 1, SIGABRT) = 0");
        assert_eq!(
            line(72, &[3, 1030, 0], 4, None),
            "fcntl(3, F_DUPFD_CLOEXEC, 0x0) = 4"
        );
        assert_eq!(line(79, &[64, 99], 2, Some("/\0")), "getcwd(\"/\", 99) = 2");
    }

    #[test]
    fn what_is_not_known_is_shown_as_it_is() {
        assert_eq!(
            line(9999, &[1, 0, 3], -38, None),
            "syscall_9999(0x1, NULL, 0x3) = -1 ENOSYS (Invalid system call number)"
        );
        assert_eq!(
            line(0, &[0, 4096, 8], -14, None),
            "read(0, 0x1000, 8) = -1 EFAULT (Bad address)"
        );
        assert_eq!(
            line(228, &[77, 0], 0, None),
            "clock_gettime(0x4d, NULL) = 0"
        );
        assert_eq!(
            line(2, &[0, 0x4000_0001, 0], -14, None).split('=').next(),
            Some("open(NULL, O_WRONLY|0x40000000) ")
        );
    }

    #[test]
    fn calls_that_have_not_returned_are_open() {
        let open = |nr, args: &[u64]| of(&event(Kind::Syscall, nr, args, None, None), 1000);
        assert_eq!(open(231, &[7]), "exit_group(7) = ?");
        assert_eq!(open(0, &[0, 4096, 8]), "read(0, 0x1000, 8 <unfinished ...>");
    }

    #[test]
    fn text_is_a_string_literal() {
        assert_eq!(
            quoted(b"it's\t\"\x1b\xc3", true, false),
            r#""it's\t\"\x1b\xc3"..."#
        );
        assert_eq!(quoted(b"a\0", false, false), r#""a\x00""#);
    }

    #[test]
    fn other_events_have_their_own_form() {
        let of = |kind, nr, args: &[u64], result| of(&event(kind, nr, args, Some(result), None), 0);
        assert_eq!(of(Kind::Irq, 32, &[], 0), "--- irq 32 (timer) ---");
        assert_eq!(
            of(Kind::Fault, 14, &[0x20_0000, 6, 0x10, 0], 1),
            "--- page fault at 0x10, error 0x6, rip 0x200000: resolved ---"
        );
        assert_eq!(
            of(Kind::Lower, 0, &[0x20_1000], -22),
            "--- syscall at 0x201000: still traps (EINVAL) ---"
        );
    }

    #[test]
    fn durations_have_two_or_more_digits() {
        let ns = |ns| duration(ns, 1_000_000);
        assert_eq!(
            (ns(0), ns(999), ns(1_250)),
            ("0ns".into(), "999ns".into(), "1.2us".into())
        );
        assert_eq!(
            (ns(12_340_000), ns(2_000_000_000)),
            ("12.3ms".into(), "2.0s".into())
        );
    }
}
