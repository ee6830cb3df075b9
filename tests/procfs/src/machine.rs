//! The machine: memory, processor, time.

use crate::{check, field, number, text};
use std::io;
use std::thread::sleep;
use std::time::Duration;

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    memory();
    processor();
    time();
    let uptime = || -> f64 {
        let text = text("/proc/uptime");
        text.split(' ')
            .next()
            .and_then(|time| time.parse().ok())
            .unwrap_or(-1.0)
    };
    let before = uptime();
    sleep(Duration::from_millis(50));
    let passed = uptime() - before;
    check("uptime goes on", (0.04..10.0).contains(&passed));
    for path in ["filesystems", "devices"] {
        let text = text(&format!("/proc/{path}"));
        for word in [
            "\tproc\n",
            "\ttmpfs\n",
            "Character devices:\n  1 mem\n",
            "\nBlock devices:\n",
        ] {
            if text.contains(word) {
                println!("{path} {word:?}");
            }
        }
    }
    println!("swaps {:?}", text("/proc/swaps").lines().next());
    check("a command line", text("/proc/cmdline").ends_with('\n'));
    Ok(())
}

fn memory() {
    let text = text("/proc/meminfo");
    let size = |key| number(&text, key);
    for key in [
        "MemTotal",
        "MemFree",
        "MemAvailable",
        "Buffers",
        "Cached",
        "SwapCached",
        "Active",
        "Inactive",
        "SwapTotal",
        "SwapFree",
        "Dirty",
        "Writeback",
        "AnonPages",
        "Mapped",
        "Shmem",
        "Slab",
        "KernelStack",
        "PageTables",
        "CommitLimit",
        "Committed_AS",
        "VmallocTotal",
        "HugePages_Total",
    ] {
        check(key, size(key).is_some());
    }
    let [total, free, available] =
        ["MemTotal", "MemFree", "MemAvailable"].map(|key| size(key).unwrap_or(0));
    check(
        "free memory",
        0 < free && free < total && 0 < available && available < total,
    );
    println!("Hugepagesize {:?}", field(&text, "Hugepagesize"));
    // SAFETY: plain queries.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    check("as much as sysconf says", pages as u64 * 4 == total);
}

fn processor() {
    let text = text("/proc/cpuinfo");
    let first = text.split("\n\n").next().unwrap_or_default();
    println!("processor {:?}", field(first, "processor"));
    for key in [
        "vendor_id",
        "model name",
        "cpu MHz",
        "bogomips",
        "address sizes",
    ] {
        check(
            key,
            field(first, key).is_some_and(|value| !value.is_empty()),
        );
    }
    println!("clflush size {:?}", field(first, "clflush size"));
    let flags: Vec<&str> = field(first, "flags")
        .unwrap_or_default()
        .split(' ')
        .collect();
    for flag in [
        "fpu", "cx8", "cmov", "sse2", "syscall", "nx", "lm", "fsgsbase",
    ] {
        check(flag, flags.contains(&flag));
    }
    // What the library finds out by itself, with the state that is enabled, must be the same.
    let usable = [
        ("ssse3", is_x86_feature_detected!("ssse3")),
        ("sse4_2", is_x86_feature_detected!("sse4.2")),
        ("popcnt", is_x86_feature_detected!("popcnt")),
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("aes", is_x86_feature_detected!("aes")),
    ];
    for (flag, detected) in usable {
        check(
            format_args!("{flag} as detected"),
            flags.contains(&flag) == detected,
        );
    }
}

fn time() {
    let stat = text("/proc/stat");
    let mut lines = stat.lines();
    let numbers = |line: &str| {
        line.split_whitespace()
            .skip(1)
            .filter_map(|n| n.parse::<u64>().ok())
            .count()
    };
    let line = lines.next().unwrap_or_default();
    println!("cpu {} {}", line.starts_with("cpu  "), numbers(line));
    let line = lines.next().unwrap_or_default();
    println!("cpu0 {} {}", line.starts_with("cpu0 "), numbers(line));
    let value = |key: &str| {
        let line = stat
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<u64>().ok())
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs());
    check(
        "booted in the past",
        value("btime").is_some_and(|boot| boot > 0 && boot <= now + 1),
    );
    for key in ["ctxt", "processes", "procs_running", "procs_blocked"] {
        check(key, value(key).is_some());
    }
    let load = text("/proc/loadavg");
    let words: Vec<&str> = load.split_whitespace().collect();
    println!("words in loadavg {}", words.len());
    let averages = words
        .iter()
        .take(3)
        .all(|word| word.parse::<f32>().is_ok_and(|load| load >= 0.0));
    check(
        "averages",
        averages
            && words
                .iter()
                .take(3)
                .all(|w| w.split('.').nth(1).is_some_and(|f| f.len() == 2)),
    );
    let running = words.get(3).and_then(|word| word.split_once('/'));
    let running = running.map(|(some, all)| (some.parse::<u32>(), all.parse::<u32>()));
    check(
        "threads",
        matches!(running, Some((Ok(some), Ok(all))) if some <= all && all > 0),
    );
}
