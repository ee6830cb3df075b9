//! Exact content for known values.

use crate::fs::proc::testing::{Fake, name};

#[test]
fn arguments_are_the_bytes_of_the_process() {
    let fake = Fake::default();
    assert_eq!(fake.read("1/cmdline"), "prog\0one\0two words\0");
    assert_eq!(fake.read("1/environ"), "A=1\0B=2\0");
}

#[test]
fn a_title_replaces_the_arguments() {
    let mut fake = Fake::default();
    fake.memory.1 = b"a title, longer than that\0.".to_vec();
    assert_eq!(fake.read("1/cmdline"), "a title, longer than that\0");
    // Without its own NUL it ends where the environment does.
    fake.memory.1 = vec![b'x'; 27];
    assert_eq!(fake.read("1/cmdline").len(), 27);
    fake.memory.1 = b"short\0\0".to_vec();
    assert_eq!(fake.read("1/cmdline"), "short\0\0");
    fake.memory.1.clear();
    assert_eq!(fake.read("1/cmdline"), "");
}

#[test]
fn the_auxiliary_vector_is_words() {
    let words = |bytes: &[u8]| -> Vec<u64> {
        let words = bytes.chunks_exact(8);
        words
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
            .collect()
    };
    let text = Fake::default().bytes("1/auxv");
    assert_eq!(words(&text), [6, 4096, 25, 0x7fff_0000, 0, 0]);
}

#[test]
fn descriptors_are_described() {
    let fake = Fake::default();
    assert_eq!(
        fake.read("1/fdinfo/0"),
        "pos:\t0\nflags:\t0100002\nmnt_id:\t21\nino:\t1000\n"
    );
    let other = fake.read("1/fdinfo/7");
    assert!(
        other.starts_with("pos:\t700\nflags:\t02100000\n"),
        "{other}"
    );
    assert!(other.ends_with("ino:\t1007\nlock:\t1: POSIX  ADVISORY  READ 1 00:01:5 0 EOF\n"));
}

#[test]
fn mounts_have_their_options_and_escapes() {
    let fake = Fake::default();
    assert_eq!(
        fake.read("1/mounts"),
        "rootfs / tmpfs rw,sync,relatime,size=1024k 0 0\n\
         proc /proc proc rw,sync,nosuid,nodev,noexec,relatime 0 0\n\
         none /a\\040b\\134 sysfs ro,sync,noatime,relatime 0 0\n"
    );
    assert_eq!(
        fake.read("1/mountinfo"),
        "21 1 0:17 / / rw,relatime - tmpfs rootfs rw,sync,size=1024k\n\
         22 21 0:18 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw,sync\n\
         23 21 0:19 / /a\\040b\\134 ro,noatime,relatime - sysfs none rw,sync\n"
    );
}

#[test]
fn times_are_in_hundredths() {
    let fake = Fake::default();
    assert_eq!(fake.read("uptime"), "75.25 30.00\n");
    let stat = fake.read("stat");
    assert!(stat.starts_with("cpu  4525 0 0 3000 0 0 0 0 0 0\ncpu0 4525 0 0 3000 "));
    assert!(stat.contains("\nctxt 42\nbtime 1799999924\nprocesses 1\nprocs_running 1\n"));
    let load = fake.read("loadavg");
    assert!(load.ends_with(" 1/1 1\n"), "{load}");
}

#[test]
fn threads_are_counted() {
    let fake = Fake::default().spawn(5, b"helper").spawn(9, b"a\\b\nc");
    assert!(fake.read("loadavg").ends_with(" 1/3 9\n"));
    assert!(fake.read("1/status").contains("\nThreads:\t3\n"));
    let status = fake.read("1/task/9/status");
    assert!(
        status.starts_with("Name:\ta\\\\b\\nc\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t1\n")
    );
    assert!(status.contains("\nPid:\t9\n") && status.contains("\nNSpid:\t9\n"));
    assert_eq!(fake.read("1/task/5/comm"), "helper\n");
    // Time of all, and of one.
    let time = |path| {
        fake.read(path)
            .rsplit(") ")
            .next()
            .unwrap()
            .split(' ')
            .nth(11)
            .map(String::from)
    };
    assert_eq!(
        (time("1/stat"), time("1/task/5/stat")),
        (Some("500".into()), Some("100".into()))
    );
}

#[test]
fn groups_and_ids_are_listed() {
    let fake = Fake {
        groups: vec![10, 20, 30],
        ..Fake::default()
    };
    let status = fake.read("1/status");
    assert!(
        status.contains("\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nFDSize:\t64\nGroups:\t10 20 30 \n")
    );
    assert!(status.contains("\nCapEff:\t000000000000000f\n"));
    assert!(status.contains("\nSigBlk:\t0000000000004000\n"));
    assert!(Fake::default().read("1/status").contains("\nGroups:\t \n"));
}

#[test]
fn maps_show_each_region() {
    let maps = Fake::default().read("1/maps");
    let lines: Vec<_> = maps.lines().collect();
    assert_eq!(
        lines[1],
        "00240000-002a2000 r-xp 00040000 00:01 1                                  /prog (deleted)"
    );
    assert_eq!(lines[3], "002b8000-002c0000 rw-p 00000000 00:00 0 ");
    assert_eq!(lines[5], "0f000000-0f001000 ---p 00000000 00:00 0 ");
    assert_eq!(
        lines[7],
        "7ffffffef000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]"
    );
}

#[test]
fn sums_agree_with_each_other() {
    let fake = Fake::default();
    let statm: Vec<u64> = fake
        .read("1/statm")
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    // 64 + 98 + 8 + 8 + 33 + 1 + 1 + 16 pages, all resident.
    assert_eq!(statm, [229, 229, 162, 98, 0, 65, 0]);
    let status = fake.read("1/status");
    for line in [
        "VmSize:\t     916 kB",
        "VmRSS:\t     916 kB",
        "RssFile:\t     648 kB",
        "VmData:\t     196 kB",
        "VmStk:\t      64 kB",
        "VmExe:\t     392 kB",
        "VmLib:\t       4 kB",
    ] {
        assert!(status.contains(&format!("\n{line}\n")), "{line}\n{status}");
    }
    let rollup = fake.read("1/smaps_rollup");
    assert!(rollup.starts_with("00200000-7ffffffff000 ---p 00000000 00:00 0 "));
    assert!(
        rollup.contains("\nRss:                 916 kB\n"),
        "{rollup}"
    );
}

#[test]
fn a_name_can_be_anything() {
    let fake = Fake::default();
    fake.threads.borrow_mut().get_mut(&1).unwrap().name = name(b") R 1 (\n");
    assert!(
        fake.read("1/stat")
            .starts_with("1 () R 1 (\n) R 0 1 1 0 -1 ")
    );
}

#[test]
fn identifiers_are_uuids() {
    let fake = Fake::default();
    for path in ["sys/kernel/random/uuid", "sys/kernel/random/boot_id"] {
        assert_eq!(fake.read(path), "ffffffff-ffff-4fff-bfff-ffffffffffff\n");
    }
}

#[test]
fn features_need_the_state_they_work_on() {
    let mut fake = Fake::default();
    fake.leaves.insert(
        (0, 0),
        [
            7,
            u32::from_le_bytes(*b"Genu"),
            u32::from_le_bytes(*b"ntel"),
            u32::from_le_bytes(*b"ineI"),
        ],
    );
    fake.leaves.insert((0x8000_0000, 0), [0x8000_0001, 0, 0, 0]);
    fake.leaves
        .insert((0x8000_0001, 0), [0, 0, 1, 1 << 29 | 1 << 11]);
    fake.leaves.insert((6, 0), [0; 4]);
    fake.leaves.insert(
        (1, 0),
        [0x0005_0657, 0x0800, 1 << 28 | 1 << 20, 1 << 26 | 1],
    );
    fake.leaves
        .insert((7, 0), [0, 1 << 16 | 1 << 5 | 1 << 8, 1 << 3, 0]);
    let flags = |fake: &Fake| {
        let text = fake.read("cpuinfo");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("flags\t\t: "));
        line.unwrap().to_owned()
    };
    fake.xcr0 = 0xe7;
    assert_eq!(
        flags(&fake),
        "fpu sse2 syscall lm nopl cpuid sse4_2 avx lahf_lm avx2 bmi2 avx512f"
    );
    fake.xcr0 = 7;
    assert_eq!(
        flags(&fake),
        "fpu sse2 syscall lm nopl cpuid sse4_2 avx lahf_lm avx2 bmi2"
    );
    fake.xcr0 = 3;
    assert_eq!(
        flags(&fake),
        "fpu sse2 syscall lm nopl cpuid sse4_2 lahf_lm bmi2"
    );
    let text = fake.read("cpuinfo");
    assert!(text.starts_with("processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: unknown\nstepping\t: 7\ncpu MHz\t\t: 2596.148\n"), "{text}");
    assert!(text.contains("\nphysical id\t: 0\nsiblings"), "{text}");
    assert!(text.contains("\nbogomips\t: 5192.29\nclflush size\t: 64\n"));
}
