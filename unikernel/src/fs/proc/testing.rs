//! A process and a machine that the tests made up.

use super::source::{
    Backing, Clock, Credentials, Descriptor, FileCounts, Files, Memory, Mount, Name, Place,
    Process, Region, Source, State, System, Thread, Uts,
};
use super::{Node, Text};
use crate::errno::Errno;
use crate::fs::dcache::DentryId;
use core::ops::Range;
use std::cell::RefCell;
use std::collections::BTreeMap;

const SECOND: u64 = 1_000_000_000;

/// Everything; what a test does not care for has values that no other field has.
pub(crate) struct Fake {
    pub process: Process,
    pub threads: RefCell<BTreeMap<u32, Thread>>,
    pub current: u32,
    pub regions: Vec<Region>,
    /// Memory of the application: its address and bytes.
    pub memory: (usize, Vec<u8>),
    pub groups: Vec<u32>,
    pub host: RefCell<Vec<u8>>,
    pub files: BTreeMap<u32, (Descriptor, &'static str)>,
    pub mounts: usize,
    /// What one CPUID leaf says, instead of the host's answer.
    pub leaves: BTreeMap<(u32, u32), [u32; 4]>,
    pub xcr0: u64,
}

fn region(range: Range<usize>, rights: &str, backing: Backing) -> Region {
    Region {
        resident: range.len(),
        range,
        read: rights.contains('r'),
        write: rights.contains('w'),
        execute: rights.contains('x'),
        shared: false,
        backing,
    }
}

pub(crate) fn name(text: &[u8]) -> Name {
    let mut name = Name::default();
    name[..text.len()].copy_from_slice(text);
    name
}

impl Default for Fake {
    fn default() -> Self {
        let memory = b"prog\0one\0two words\0A=1\0B=2\0".to_vec();
        let process = Process {
            pid: 1,
            group: 1,
            session: 1,
            umask: 0o022,
            code: 0x24_0000..0x2a_1234,
            data: 0x2b_0e00..0x2b_8000,
            break_start: 0x30_0000,
            stack: 0x7fff_ffff_e000,
            args: 0x7fff_ffff_ef00..0x7fff_ffff_ef00 + 19,
            environment: 0x7fff_ffff_ef00 + 19..0x7fff_ffff_ef00 + 27,
            ignored: 1 << 12,
            caught: 1 << 10,
            ..Process::default()
        };
        let main = Thread {
            name: name(b"prog"),
            state: State::Running,
            blocked: 1 << 14,
            time: 3 * SECOND,
            faults: 77,
            switches: (5, 6),
            ..Thread::default()
        };
        Self {
            process,
            threads: RefCell::new(BTreeMap::from([(1, main)])),
            current: 1,
            regions: vec![
                region(0x20_0000..0x24_0000, "r", Backing::Program(0)),
                region(0x24_0000..0x2a_2000, "rx", Backing::Program(0x4_0000)),
                region(0x2b_0000..0x2b_8000, "rw", Backing::Program(0xb_0000)),
                region(0x2b_8000..0x2c_0000, "rw", Backing::Anonymous),
                region(0x30_0000..0x32_1000, "rw", Backing::Heap),
                region(0xf00_0000..0xf00_1000, "", Backing::Anonymous),
                region(0x6f10_0000..0x6f10_1000, "rx", Backing::Trampolines),
                region(0x7fff_fffe_f000..0x7fff_ffff_f000, "rw", Backing::Stack),
            ],
            memory: (0x7fff_ffff_ef00, memory),
            groups: vec![],
            host: RefCell::new(b"lintel".to_vec()),
            files: BTreeMap::new(),
            mounts: 3,
            leaves: BTreeMap::new(),
            xcr0: 7,
        }
        .open(0, "/dev/console", 0o100_002)
        .open(1, "pipe:[4026]", 0o1)
        .open(7, "/tmp/a file", 0o2_100_000)
    }
}

impl Fake {
    pub fn open(mut self, fd: u32, path: &'static str, flags: u32) -> Self {
        let open = Descriptor {
            flags,
            position: u64::from(fd) * 100,
            mount: 21,
            inode: 1000 + u64::from(fd),
            read: flags & 3 != 1,
            write: flags & 3 != 0,
        };
        self.files.insert(fd, (open, path));
        self
    }

    pub fn spawn(self, tid: u32, text: &[u8]) -> Self {
        let thread = Thread {
            name: name(text),
            state: State::Sleeping,
            time: SECOND,
            ..Thread::default()
        };
        self.threads.borrow_mut().insert(tid, thread);
        self
    }

    pub fn source(&self) -> Source<'_> {
        Source {
            system: self,
            files: self,
        }
    }

    /// The node at a path without a leading slash, below `root`.
    pub fn find(&self, root: Node, path: &str) -> Result<Node, Errno> {
        let names = path.split('/').filter(|name| !name.is_empty());
        names.into_iter().try_fold(root, |node, name| {
            node.lookup(self.source(), name.as_bytes())
        })
    }

    /// The content of a file of procfs.
    pub fn bytes(&self, path: &str) -> Vec<u8> {
        let node = self.find(Node::PROC, path).expect(path);
        let mut text = Text::new();
        node.read(self.source(), &mut text).expect(path);
        text.as_bytes().to_vec()
    }

    /// The same as a string.
    pub fn read(&self, path: &str) -> String {
        String::from_utf8(self.bytes(path)).expect(path)
    }

    /// The target of a link of procfs.
    pub fn link(&self, path: &str) -> String {
        let node = self.find(Node::PROC, path).expect(path);
        let mut text = Text::new();
        node.target(self.source(), &mut text).expect(path);
        String::from_utf8(text.as_bytes().to_vec()).unwrap()
    }
}

impl System for Fake {
    fn process(&self) -> Process {
        self.process.clone()
    }

    fn started(&self) -> u64 {
        SECOND / 4
    }

    fn auxiliary(&self, index: usize) -> Option<(usize, usize)> {
        [(6, 4096), (25, 0x7fff_0000), (0, 0)].get(index).copied()
    }

    fn thread(&self, tid: u32) -> Option<Thread> {
        self.threads.borrow().get(&tid).cloned()
    }

    fn next_thread(&self, from: u32) -> Option<u32> {
        self.threads
            .borrow()
            .range(from..)
            .next()
            .map(|(&tid, _)| tid)
    }

    fn current(&self) -> u32 {
        self.current
    }

    fn set_name(&self, tid: u32, name: Name) -> Result<(), Errno> {
        let mut threads = self.threads.borrow_mut();
        threads.get_mut(&tid).ok_or(Errno::ESRCH)?.name = name;
        Ok(())
    }

    fn credentials(&self) -> Credentials {
        Credentials {
            users: [1, 2, 3, 4],
            groups: [5, 6, 7, 8],
            capabilities: [0, 0xff, 0xf, 0x1ff_ffff_ffff, 0],
            no_new_privileges: true,
        }
    }

    fn group(&self, index: usize) -> Option<u32> {
        self.groups.get(index).copied()
    }

    fn limit(&self, resource: u32) -> (u64, u64) {
        match resource {
            3 => (8 << 20, u64::MAX),
            7 => (1024, 4096),
            _ => (u64::MAX, u64::MAX),
        }
    }

    fn region(&self, from: usize) -> Option<Region> {
        self.regions.iter().find(|r| r.range.end > from).cloned()
    }

    fn program(&self, into: &mut Text) {
        into.str("/prog (deleted)");
    }

    fn peek(&self, address: usize, into: &mut [u8]) -> usize {
        let start = address.wrapping_sub(self.memory.0);
        let bytes = self.memory.1.get(start..).unwrap_or(&[]);
        let count = bytes.len().min(into.len());
        into[..count].copy_from_slice(&bytes[..count]);
        count
    }

    fn memory(&self) -> Memory {
        Memory {
            total: 65536,
            free: 40000,
            heap: 123,
            tables: 9,
            stacks: 18,
        }
    }

    fn clock(&self) -> Clock {
        Clock {
            uptime: 75 * SECOND + SECOND / 4,
            idle: 30 * SECOND,
            realtime: 1_800_000_000 * SECOND,
            switches: 42,
        }
    }

    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        if let Some(&words) = self.leaves.get(&(leaf, subleaf)) {
            return words;
        }
        if cfg!(miri) {
            return [0; 4];
        }
        let words = core::arch::x86_64::__cpuid_count(leaf, subleaf);
        [words.eax, words.ebx, words.ecx, words.edx]
    }

    fn xcr0(&self) -> u64 {
        self.xcr0
    }

    fn tsc_khz(&self) -> u64 {
        2_596_148
    }

    fn name(&self, which: Uts, into: &mut Text) {
        match which {
            Uts::System => into.str("Linux"),
            Uts::Node => into.bytes(&self.host.borrow()),
            Uts::Release => into.str("6.1.0-lintel"),
            Uts::Version => into.str("Lintel 0.1.0"),
            Uts::Domain => into.str("(none)"),
        };
    }

    fn set_uts(&self, which: Uts, name: &[u8]) -> Result<(), Errno> {
        assert_eq!(which, Uts::Node);
        *self.host.borrow_mut() = name.to_vec();
        Ok(())
    }

    fn command_line(&self, into: &mut Text) {
        into.str("lintel.clock=auto one");
    }

    fn random(&self, into: &mut [u8]) {
        into.fill(0xff);
    }
}

impl Files for Fake {
    fn next_descriptor(&self, from: u32) -> Option<u32> {
        self.files.range(from..).next().map(|(&fd, _)| fd)
    }

    fn descriptor(&self, fd: u32) -> Option<Descriptor> {
        self.files.get(&fd).map(|file| file.0)
    }

    fn descriptor_path(&self, fd: u32, into: &mut Text) -> Result<(), Errno> {
        into.str(self.files.get(&fd).ok_or(Errno::ENOENT)?.1);
        Ok(())
    }

    fn path(&self, _dentry: DentryId, into: &mut Text) {
        into.str("/mapped");
    }

    fn descriptor_extra(&self, fd: u32, into: &mut Text) {
        if fd == 7 {
            into.str("lock:\t1: POSIX  ADVISORY  READ 1 00:01:5 0 EOF\n");
        }
    }

    fn directory_path(&self, which: Place, into: &mut Text) -> Result<(), Errno> {
        into.str(match which {
            Place::Current => "/work",
            Place::Root => "/",
        });
        Ok(())
    }

    fn mount(&self, index: usize) -> Result<Option<Mount>, Errno> {
        let text = |content: &str| {
            let mut text = Text::new();
            text.str(content);
            text
        };
        let (point, kind, source, options, flags) = [
            ("/", "tmpfs", "rootfs", ",size=1024k", 0x20_0000),
            ("/proc", "proc", "proc", "", 0x20_000e),
            ("/a b\\", "sysfs", "", "", 0x20_0401),
        ][index.min(2)];
        Ok((index < self.mounts).then(|| Mount {
            id: 21 + index as u32,
            parent: if index == 0 { 1 } else { 21 },
            device: (0, 17 + index as u32),
            root: text("/"),
            point: text(point),
            flags,
            super_flags: 0x10,
            kind,
            source: text(source),
            options: text(options),
        }))
    }

    fn counts(&self) -> FileCounts {
        FileCounts {
            open: 3,
            table: 64,
            most: 1 << 20,
            dentries: [100, 40, 10],
            inodes: 90,
            cached: 2000,
            shared: 1500,
        }
    }
}
