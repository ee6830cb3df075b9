//! The parsers of the crate `procfs-core` read our files.

use crate::fs::proc::testing::Fake;
use procfs_core::prelude::{FromRead, FromReadSI};
use procfs_core::process::{
    LimitValue, Limits, MMPermissions, MMapPath, MemoryMaps, MountInfos, SmapsRollup, Stat,
    StatFlags, StatM, Status,
};
use procfs_core::{
    CpuInfo, Devices, ExplicitSystemInfo, KernelStats, LoadAverage, Meminfo, MountEntry,
    PartitionEntry, ProcessCGroups, Uptime,
};

fn parse<T: FromRead>(path: &str) -> T {
    T::from_read(Fake::default().read(path).as_bytes()).expect(path)
}

#[test]
fn memory() {
    let memory: Meminfo = parse("meminfo");
    assert_eq!(
        (memory.mem_total, memory.mem_free),
        (256 << 20, 40000 << 12)
    );
    assert_eq!(memory.mem_available, Some(memory.mem_free));
    assert_eq!(
        (memory.cached, memory.shmem),
        (2000 << 12, Some(1500 << 12))
    );
    assert_eq!(
        (memory.slab, memory.page_tables),
        (123 << 12, Some(9 << 12))
    );
    assert_eq!(memory.hugepagesize, Some(2 << 20));
    let pages: StatM = parse("1/statm");
    assert_eq!((pages.size, pages.text, pages.lib), (229, 98, 0));
}

#[test]
fn process() {
    let status: Status = parse("1/status");
    assert_eq!((status.name.as_str(), status.umask), ("prog", Some(0o022)));
    assert_eq!((status.euid, status.fgid, status.threads), (2, 8, 1));
    assert_eq!(status.capbnd, Some(0x1ff_ffff_ffff));
    assert_eq!((status.sigign, status.sigcgt), (1 << 12, 1 << 10));
    assert_eq!(status.cpus_allowed_list, Some(vec![(0, 0)]));
    assert_eq!(status.nonvoluntary_ctxt_switches, Some(6));
    assert_eq!((status.vmsize, status.nonewprivs), (Some(916), Some(1)));
    let stat: Stat = parse("1/stat");
    assert_eq!((stat.pid, stat.comm.as_str(), stat.state), (1, "prog", 'R'));
    assert_eq!((stat.utime, stat.starttime, stat.num_threads), (300, 25, 1));
    assert_eq!((stat.tpgid, stat.minflt, stat.priority), (-1, 77, 20));
    assert_eq!((stat.vsize, stat.rss), (229 << 12, 229));
    assert_eq!(stat.rsslim, u64::MAX);
    assert_eq!(
        (stat.startcode, stat.startstack),
        (0x24_0000, 0x7fff_ffff_e000)
    );
    assert_eq!(
        (stat.exit_signal, stat.start_brk),
        (Some(17), Some(0x30_0000))
    );
    assert_eq!(stat.env_end, Some(0x7fff_ffff_ef00 + 27));
    assert_eq!(stat.exit_code, Some(0));
    assert_eq!(stat.flags().unwrap(), StatFlags::empty());
    let groups: ProcessCGroups = parse("1/cgroup");
    assert_eq!(groups.0[0].pathname, "/");
}

#[test]
fn limits() {
    let limits: Limits = parse("1/limits");
    assert!(matches!(limits.max_stack_size.soft_limit, LimitValue::Value(n) if n == 8 << 20));
    assert!(matches!(
        limits.max_stack_size.hard_limit,
        LimitValue::Unlimited
    ));
    assert!(matches!(
        limits.max_open_files.hard_limit,
        LimitValue::Value(4096)
    ));
}

#[test]
fn maps() {
    for path in ["1/maps", "1/smaps"] {
        let maps: MemoryMaps = parse(path);
        let maps = maps.0;
        assert_eq!(maps.len(), 8);
        assert_eq!(maps[1].address, (0x24_0000, 0x2a_2000));
        assert_eq!(maps[1].offset, 0x4_0000);
        let code = MMPermissions::READ | MMPermissions::EXECUTE | MMPermissions::PRIVATE;
        assert_eq!(maps[1].perms, code);
        assert_eq!(maps[1].pathname, MMapPath::Path("/prog (deleted)".into()));
        assert_eq!(maps[3].pathname, MMapPath::Anonymous);
        assert_eq!(maps[4].pathname, MMapPath::Heap);
        assert_eq!(maps[5].perms, MMPermissions::PRIVATE);
        assert_eq!(maps[7].pathname, MMapPath::Stack);
        let rss = maps[7].extension.map.get("Rss");
        assert_eq!(rss.copied(), (path == "1/smaps").then_some(64 << 10));
    }
    let rollup: SmapsRollup = parse("1/smaps_rollup");
    let sum = &rollup.memory_map_rollup.0[0].extension.map;
    assert_eq!((sum["Rss"], sum["Anonymous"]), (916 << 10, 268 << 10));
    assert_eq!(sum["Private_Clean"] + sum["Private_Dirty"], sum["Rss"]);
}

#[test]
fn mounts() {
    let mounts: Vec<MountEntry> = parse("1/mounts");
    assert_eq!(mounts[0].fs_mntops["size"], Some("1024k".into()));
    assert!(mounts[2].fs_file.starts_with("/a") && mounts[2].fs_spec == "none");
    let infos: MountInfos = parse("1/mountinfo");
    assert_eq!((infos.0[1].mnt_id, infos.0[1].pid), (22, 21));
    assert_eq!(
        (infos.0[1].majmin.as_str(), infos.0[1].fs_type.as_str()),
        ("0:18", "proc")
    );
    assert!(infos.0[2].mount_options.contains_key("ro"));
}

#[test]
fn machine() {
    let uptime: Uptime = parse("uptime");
    assert_eq!((uptime.uptime, uptime.idle), (75.25, 30.0));
    let load: LoadAverage = parse("loadavg");
    assert_eq!((load.cur, load.max, load.latest_pid), (1, 1, 1));
    assert!((0.0..=1.0).contains(&load.one));
    let info = ExplicitSystemInfo {
        boot_time_secs: 0,
        ticks_per_second: 100,
        page_size: 4096,
        is_little_endian: true,
    };
    let stat = KernelStats::from_read(Fake::default().read("stat").as_bytes(), &info).unwrap();
    assert_eq!(
        (stat.ctxt, stat.btime, stat.cpu_time.len()),
        (42, 1_799_999_924, 1)
    );
    assert_eq!((stat.total.user, stat.total.idle), (4525, 3000));
    let devices: Devices = parse("devices");
    assert!(devices.block_devices.is_empty());
    assert!(
        devices
            .char_devices
            .iter()
            .any(|device| device.major == 1 && device.name == "mem")
    );
    assert!(parse::<Vec<PartitionEntry>>("partitions").is_empty());
}

#[test]
#[cfg_attr(miri, ignore)]
fn processor() {
    let info: CpuInfo = parse("cpuinfo");
    assert_eq!((info.num_cores(), info.physical_id(0)), (1, Some(0)));
    assert!(info.flags(0).unwrap().contains(&"sse2"));
    assert_eq!(info.get_field(0, "cpu MHz"), Some("2596.148"));
    assert!(info.model_name(0).is_some() && info.vendor_id(0).is_some());
}
