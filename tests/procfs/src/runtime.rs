//! What runtimes look for when they start: processors, nodes, limits of a container, large pages.

use crate::{check, text};
use std::fs;
use std::io;
use std::thread::available_parallelism;
use test_support::report;

/// The numbers in a list like `0-3,8`.
fn list(text: &str) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    for part in text.trim_end().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        numbers.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    Some(numbers)
}

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    const CPU: &str = "/sys/devices/system/cpu";
    let online = list(&text(&format!("{CPU}/online"))).unwrap_or_default();
    let count = available_parallelism()?.get();
    check(
        "as many as std finds, or more",
        (1..=online.len()).contains(&count),
    );
    // SAFETY: a plain query.
    let configured = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    check(
        "as many as sysconf finds",
        online.len() as i64 == configured,
    );
    for name in ["possible", "present", "offline"] {
        check(name, list(&text(&format!("{CPU}/{name}"))).is_some());
    }
    let directories = fs::read_dir(CPU)?.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.strip_prefix("cpu")
            .is_some_and(|number| number.parse::<u32>().is_ok())
    });
    check("a directory for each", directories.count() >= online.len());
    for name in ["core_id", "physical_package_id"] {
        let id = text(&format!("{CPU}/cpu0/topology/{name}"));
        check(name, id.trim_end().parse::<i32>().is_ok());
    }
    let siblings = list(&text(&format!("{CPU}/cpu0/topology/thread_siblings_list")));
    check(
        "a sibling of itself",
        siblings.is_some_and(|list| list.contains(&0)),
    );
    nodes();
    control_groups();
    let pages = text("/sys/kernel/mm/transparent_hugepage/enabled");
    check(
        "one choice",
        pages.matches('[').count() == 1
            && pages.ends_with("never\n") | pages.ends_with("[never]\n"),
    );
    println!(
        "hpage_pmd_size {}",
        text("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size").trim_end()
    );
    for path in ["/sys/class", "/sys/block", "/sys/fs/cgroup"] {
        report(path, fs::metadata(path).map(|found| found.is_dir()));
    }
    Ok(())
}

fn nodes() {
    const NODE: &str = "/sys/devices/system/node";
    let online = list(&text(&format!("{NODE}/online"))).unwrap_or_default();
    check("a node", online.contains(&0));
    let processors = list(&text(&format!("{NODE}/node0/cpulist"))).unwrap_or_default();
    check("with a processor", processors.contains(&0));
    let map = text(&format!("{NODE}/node0/cpumap"));
    let last = map
        .trim_end()
        .rsplit(',')
        .next()
        .and_then(|word| u32::from_str_radix(word, 16).ok());
    check("and its bit", last.is_some_and(|bits| bits & 1 != 0));
    let memory = text(&format!("{NODE}/node0/meminfo"));
    let total = memory
        .lines()
        .find_map(|line| line.strip_prefix("Node 0 MemTotal:"));
    let total = total.and_then(|total| total.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    check("and memory", total.is_some_and(|total| total > 1024));
}

/// The group of the process is there, in one of the two hierarchies.
fn control_groups() {
    let groups = text("/proc/self/cgroup");
    let parsed = groups.lines().all(|line| {
        let fields: Vec<&str> = line.splitn(3, ':').collect();
        matches!(fields[..], [number, _, path] if number.parse::<u32>().is_ok() && path.starts_with('/'))
    });
    check("groups", parsed && !groups.is_empty());
}
