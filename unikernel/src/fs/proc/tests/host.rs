//! The same strict parser reads the host's files and ours: the same keys in the same order, and the
//! same columns.

#![cfg(not(miri))]

use crate::fs::proc::testing::Fake;

fn host(path: &str) -> String {
    std::fs::read_to_string(format!("/proc/{path}")).expect(path)
}

/// Checks that `ours` is a part of `theirs` in the same order.
fn assert_part(path: &str, ours: &[String], theirs: &[String]) {
    let mut rest = theirs.iter();
    for key in ours {
        assert!(
            rest.any(|other| other == key),
            "{path}: {key:?} is not there, or at another place"
        );
    }
}

/// What is the same whatever the values are: digits that are padded to a column give the column,
/// others `#`.
fn shape(line: &str) -> String {
    let bytes = line.as_bytes();
    let (mut shape, mut at) = (String::new(), 0);
    while at < bytes.len() {
        let start = at;
        while at < bytes.len() && bytes[at] == b' ' {
            at += 1;
        }
        let digits = at;
        while at < bytes.len() && bytes[at].is_ascii_digit() {
            at += 1;
        }
        match (digits - start, at - digits) {
            (0, 0) => {
                shape.push(bytes[at] as char);
                at += 1;
            }
            (spaces, 0) => shape.push_str(&" ".repeat(spaces)),
            (0, _) => shape.push('#'),
            // A space and a number: separated, not padded.
            (1, _) => shape.push_str(" #"),
            _ => shape.push_str(&format!("<{}>", at - start)),
        }
    }
    shape
}

fn shapes(text: &str) -> Vec<String> {
    text.lines().map(shape).collect()
}

#[test]
fn meminfo_has_the_columns_of_the_host() {
    // The size of Linux's vmalloc area does not fit its columns.
    let read = |text: String| -> Vec<_> {
        let mut shapes = shapes(&text);
        shapes.retain(|line| !line.starts_with("VmallocTotal:"));
        shapes
    };
    let ours = read(Fake::default().read("meminfo"));
    assert_part("meminfo", &ours, &read(host("meminfo")));
}

#[test]
fn node_meminfo_has_the_columns_of_the_host() {
    let path = "/sys/devices/system/node/node0/meminfo";
    let Ok(theirs) = std::fs::read_to_string(path) else {
        return;
    };
    let fake = Fake::default();
    let node = fake
        .find(crate::fs::proc::Node::SYS, &path["/sys/".len()..])
        .unwrap();
    let mut ours = crate::fs::proc::Text::new();
    node.read(fake.source(), &mut ours).unwrap();
    let ours = std::str::from_utf8(ours.as_bytes()).unwrap();
    // The order is another one; the host's own differs from version to version.
    let theirs = shapes(&theirs);
    for line in shapes(ours) {
        assert!(theirs.contains(&line), "{line:?}");
    }
}

/// Numbers in `status` stand for themselves, so the shape of a value is its kind.
fn status_shape(line: &str) -> String {
    let (key, value) = line.split_once(":\t").expect(line);
    let is = |base| !value.is_empty() && value.chars().all(|c: char| c.is_digit(base));
    let kind = match key {
        "Name" | "State" | "Cpus_allowed" | "Cpus_allowed_list" | "Mems_allowed"
        | "Mems_allowed_list" => "text".to_owned(),
        "Umask" => format!("octal {}", value.len()),
        "Groups" => {
            let ok = value.ends_with(' ');
            assert!(ok, "{line}");
            "list".to_owned()
        }
        _ if value.len() == 16 && is(16) => "set".to_owned(),
        _ if is(10) => "number".to_owned(),
        _ => shape(value),
    };
    format!("{key}: {kind}")
}

#[test]
fn status_has_the_fields_of_the_host() {
    let fake = Fake::default();
    for (ours, theirs) in [
        ("1/status", "self/status".to_owned()),
        (
            "1/task/1/status",
            format!("self/task/{}/status", std::process::id()),
        ),
    ] {
        let read = |text: String| text.lines().map(status_shape).collect::<Vec<_>>();
        let (ours, theirs) = (read(fake.read(ours)), read(host(&theirs)));
        assert_part("status", &ours, &theirs);
        assert!(ours.len() > 45);
    }
}

#[test]
fn stat_has_as_many_fields_as_the_host() {
    let fields = |text: String| {
        let (head, rest) = text.rsplit_once(") ").expect("a name");
        assert!(head.contains(" (") && rest.ends_with('\n'));
        let numbers = rest[2..].trim_end().split(' ');
        let numbers: Result<Vec<i128>, _> = numbers.map(str::parse).collect();
        (rest.as_bytes()[1], numbers.expect("numbers").len())
    };
    let ours = fields(Fake::default().read("1/stat"));
    assert_eq!(ours, fields(host("self/stat")));
    assert_eq!(fields(Fake::default().read("1/task/1/stat")), ours);
}

#[test]
fn small_files_have_the_shape_of_the_host() {
    let fake = Fake::default();
    for path in [
        "self/statm",
        "uptime",
        "loadavg",
        "self/personality",
        "swaps",
        "self/oom_score_adj",
    ] {
        let ours = fake.read(&path.replace("self", "1"));
        assert_eq!(shapes(&ours), shapes(&host(path))[..1], "{path}");
    }
    let head = |text: String| {
        text.split(' ')
            .take(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(head(fake.read("version")), head(host("version")));
    let cgroup = host("self/cgroup");
    let unified = cgroup.lines().find(|line| line.starts_with("0::/"));
    assert!(unified.is_none() || fake.read("1/cgroup").starts_with("0::/"));
}

#[test]
fn limits_have_the_columns_of_the_host() {
    let columns = |text: String| -> Vec<_> {
        let cut = |line: &str| {
            let part = |range| {
                line.get::<std::ops::Range<usize>>(range)
                    .expect(line)
                    .to_owned()
            };
            for value in [part(26..46), part(47..67)] {
                let value = value.trim_end();
                let known = ["Soft Limit", "Hard Limit", "unlimited"].contains(&value);
                assert!(known || value.parse::<u64>().is_ok(), "{line}");
            }
            (part(0..26), line[68..].to_owned())
        };
        text.lines().map(cut).collect()
    };
    assert_eq!(
        columns(Fake::default().read("1/limits")),
        columns(host("self/limits"))
    );
}

#[test]
fn maps_have_the_columns_of_the_host() {
    let fake = Fake::default();
    for text in [host("self/maps"), fake.read("1/maps")] {
        for line in text.lines() {
            let (range, rest) = line.split_once(' ').expect(line);
            let (start, end) = range.split_once('-').expect(line);
            assert!(start.len() >= 8 && end.len() >= 8, "{line}");
            let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
            assert!(start < end && start % 4096 == 0 && end % 4096 == 0);
            let fields: Vec<_> = rest.splitn(5, ' ').collect();
            let rights = fields[0].as_bytes();
            let fits = rights.iter().zip([b"r-", b"w-", b"x-", b"ps"]);
            assert!(
                rights.len() == 4 && fits.into_iter().all(|(c, of)| of.contains(c)),
                "{line}"
            );
            assert!(fields[1].len() >= 8 && u64::from_str_radix(fields[1], 16).is_ok());
            let (major, minor) = fields[2].split_once(':').expect(line);
            assert!(major.len() >= 2 && minor.len() >= 2, "{line}");
            assert!(fields[3].parse::<u64>().is_ok(), "{line}");
            let name = fields[4];
            if !name.is_empty() {
                let column = line.len() - name.trim_start().len();
                assert_eq!(column, 73, "{line}");
            }
        }
    }
}

/// The lines of each region of `smaps` but the first.
fn blocks(text: &str) -> Vec<Vec<String>> {
    let mut blocks = Vec::new();
    for line in text.lines() {
        let is_head = line
            .split(' ')
            .next()
            .is_some_and(|word| word.contains('-'));
        if is_head {
            blocks.push(Vec::new());
        } else if !line.starts_with("VmFlags: ") {
            blocks.last_mut().expect("a head").push(shape(line));
        }
    }
    blocks
}

#[test]
fn smaps_have_the_lines_of_the_host() {
    let fake = Fake::default();
    for file in ["smaps", "smaps_rollup"] {
        let theirs = blocks(&host(&format!("self/{file}")));
        let ours = blocks(&fake.read(&format!("1/{file}")));
        for block in &ours {
            assert_part(file, block, &theirs[0]);
            assert!(block.len() >= 20);
        }
        assert_eq!(ours.len(), if file == "smaps" { 8 } else { 1 });
    }
}

#[test]
fn mounts_have_the_fields_of_the_host() {
    let fake = Fake::default();
    for text in [host("self/mounts"), fake.read("1/mounts")] {
        for line in text.lines() {
            let fields: Vec<_> = line.split(' ').collect();
            assert_eq!(
                (fields.len(), fields[4], fields[5]),
                (6, "0", "0"),
                "{line}"
            );
            assert!(fields[1].starts_with('/'));
            assert!(["rw", "ro"].contains(&fields[3].split(',').next().unwrap()));
        }
    }
    for text in [host("self/mountinfo"), fake.read("1/mountinfo")] {
        for line in text.lines() {
            let (left, right) = line.split_once(" - ").expect(line);
            let left: Vec<_> = left.split(' ').collect();
            assert!(left.len() >= 6 && left[2].contains(':'), "{line}");
            assert!(left[3].starts_with('/') || left[3].contains(":["), "{line}");
            assert_eq!(right.split(' ').count(), 3, "{line}");
        }
    }
}

#[test]
fn cpuinfo_has_the_fields_of_the_host() {
    let field = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    let first = |text: &str| text.split("\n\n").next().unwrap().to_owned();
    let (ours, theirs) = (Fake::default().read("cpuinfo"), host("cpuinfo"));
    assert!(ours.ends_with("power management:\n\n"));
    let keys = |text: &str| first(text).lines().map(field).collect::<Vec<_>>();
    assert_part("cpuinfo", &keys(&ours), &keys(&theirs));
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| field(line).trim_end() == key);
        line.and_then(|line| line.split_once(':'))
            .expect(key)
            .1
            .trim()
            .to_owned()
    };
    for key in [
        "vendor_id",
        "cpu family",
        "model",
        "model name",
        "stepping",
        "cpuid level",
        "clflush size",
        "address sizes",
    ] {
        assert_eq!(value(&ours, key), value(&theirs, key), "{key}");
    }
    // The host hides some features and invents others; those that both have are in one order.
    let (ours, theirs) = (value(&ours, "flags"), value(&theirs, "flags"));
    let theirs: Vec<_> = theirs.split(' ').map(str::to_owned).collect();
    let ours: Vec<_> = ours
        .split(' ')
        .map(str::to_owned)
        .filter(|flag| theirs.contains(flag))
        .collect();
    assert_part("flags", &ours, &theirs);
    assert!(ours.len() > 30, "{ours:?}");
}

#[test]
fn fdinfo_has_the_lines_of_the_host() {
    let keys = |text: String| {
        text.lines()
            .map(|line| line.split('\t').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_part(
        "fdinfo",
        &keys(Fake::default().read("1/fdinfo/0")),
        &keys(host("self/fdinfo/0")),
    );
    let flags = host("self/fdinfo/0")
        .lines()
        .find_map(|line| Some(line.strip_prefix("flags:\t0")?.to_owned()));
    assert!(flags.is_some_and(|flags| u32::from_str_radix(&flags, 8).is_ok()));
}

#[test]
fn variables_have_the_shape_of_the_host() {
    let fake = Fake::default();
    for path in [
        "sys/fs/dentry-state",
        "sys/fs/file-nr",
        "sys/fs/file-max",
        "sys/fs/inode-nr",
        "sys/fs/nr_open",
        "sys/fs/pipe-max-size",
        "sys/fs/inotify/max_user_watches",
        "sys/kernel/cap_last_cap",
        "sys/kernel/ngroups_max",
        "sys/kernel/overflowuid",
        "sys/kernel/pid_max",
        "sys/kernel/threads-max",
        "sys/kernel/random/entropy_avail",
        "sys/kernel/random/poolsize",
        "sys/net/core/somaxconn",
        "sys/vm/max_map_count",
        "sys/vm/mmap_min_addr",
        "sys/vm/overcommit_memory",
    ] {
        // Some hosts are containers without all of them.
        if let Ok(theirs) = std::fs::read_to_string(format!("/proc/{path}")) {
            assert_eq!(shapes(&fake.read(path)), shapes(&theirs), "{path}");
        }
    }
    for path in [
        "sys/kernel/overflowuid",
        "sys/kernel/random/poolsize",
        "sys/kernel/ostype",
    ] {
        assert_eq!(fake.read(path), host(path), "{path}");
    }
    for path in ["sys/kernel/random/uuid", "sys/kernel/random/boot_id"] {
        let dashes = |text: String| {
            text.chars()
                .map(|c| if c.is_ascii_hexdigit() { 'x' } else { c })
                .collect::<String>()
        };
        assert_eq!(dashes(fake.read(path)), dashes(host(path)), "{path}");
    }
}
