//! `mounts` and `mountinfo` agree with each other.

use crate::{check, text};
use std::collections::BTreeMap;
use std::io;

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let mounts = text("/proc/self/mounts");
    let mut points = BTreeMap::new();
    for line in mounts.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        if let [_, point, kind, options, "0", "0"] = fields[..] {
            points.insert(point, (kind, options));
        } else {
            println!("not a mount: {line}");
        }
    }
    check("a root", points.contains_key("/"));
    println!("/proc {:?}", points.get("/proc").map(|mount| mount.0));
    println!("/sys {:?}", points.get("/sys").map(|mount| mount.0));
    let access = |options: &str| ["rw", "ro"].contains(&options.split(',').next().unwrap_or(""));
    check("options", points.values().all(|mount| access(mount.1)));
    check("the same by the old name", text("/proc/mounts") == mounts);

    let info = text("/proc/self/mountinfo");
    check(
        "as many lines",
        info.lines().count() == mounts.lines().count(),
    );
    let mut ids = Vec::new();
    for (line, mount) in info.lines().zip(mounts.lines()) {
        let (left, right) = line.split_once(" - ").unwrap_or_default();
        let left: Vec<&str> = left.split(' ').collect();
        let right: Vec<&str> = right.split(' ').collect();
        let mount: Vec<&str> = mount.split(' ').collect();
        let [id, parent, device, root, point, ..] = left[..] else {
            println!("not a mount: {line}");
            continue;
        };
        let numbers = [id, parent].map(|id| id.parse::<u32>().is_ok()) == [true; 2];
        let paths = point == mount[1] && !root.is_empty();
        let kinds = right.len() == 3 && (right[0], right[1]) == (mount[2], mount[0]);
        if !(numbers && paths && kinds && device.contains(':')) {
            println!("differs: {line}");
        }
        ids.push(id);
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    check("different ids", ids.len() == count);
    Ok(())
}
