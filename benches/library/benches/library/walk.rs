//! Path walks, by way of the calls that do little else: access(2) and stat(2).

use crate::dispatch::through_table;
use criterion::Criterion;
use linux_raw_sys::general::{__NR_access, __NR_stat};
use std::ffi::CStr;
use std::hint::black_box;
use std::mem::MaybeUninit;
use unikernel::fs::{self, Stdin};

/// Files in the large directory.
const MANY: usize = 10_000;

pub fn benches(criterion: &mut Criterion) {
    fs::init(Some(archive()), Stdin::Null).unwrap_or_else(|error| panic!("{error}"));
    let paths: [(&str, &CStr, isize); 8] = [
        ("1 component", c"/f", 0),
        ("3 components", c"/a/b/c", 0),
        ("8 components", c"/1/2/3/4/5/6/7/8", 0),
        ("dots", c"/a/./b/../b/c", 0),
        ("a link", c"/link", 0),
        ("1 of 10,000 names", c"/many/05000", 0),
        ("a missing name", c"/many/none", -2),
        ("a file as a directory", c"/f/x", -20),
    ];
    let mut group = criterion.benchmark_group("walk");
    for (name, path, expected) in paths {
        assert_eq!(access(path), expected, "{name}");
        group.bench_function(format!("access: {name}"), |bencher| {
            bencher.iter(|| access(black_box(path)));
        });
    }
    assert_eq!(stat(c"/a/b/c"), 0);
    group.bench_function("stat: 3 components", |bencher| {
        bencher.iter(|| stat(black_box(c"/a/b/c")));
    });
    group.finish();
}

fn access(path: &CStr) -> isize {
    // SAFETY: the call reads a path that ends with a zero, and writes nothing.
    unsafe { through_table(__NR_access, [path.as_ptr() as usize, 0, 0, 0, 0, 0]) }
}

fn stat(path: &CStr) -> isize {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    let to = status.as_mut_ptr() as usize;
    // SAFETY: the call reads a path that ends with a zero, and writes one `stat`.
    unsafe { through_table(__NR_stat, [path.as_ptr() as usize, to, 0, 0, 0, 0]) }
}

/// The root: an archive in the format newc (Linux, Documentation/driver-api/early-userspace/
/// buffer-format.rst). Missing parents appear by themselves.
fn archive() -> &'static [u8] {
    const FILE: u32 = 0o100_644;
    let mut bytes = Vec::new();
    for path in ["f", "a/b/c", "1/2/3/4/5/6/7/8"] {
        entry(&mut bytes, FILE, path, b"");
    }
    entry(&mut bytes, 0o120_777, "link", b"a/b/c");
    for number in 0..MANY {
        entry(&mut bytes, FILE, &format!("many/{number:05}"), b"");
    }
    entry(&mut bytes, 0, "TRAILER!!!", b"");
    bytes.leak()
}

fn entry(bytes: &mut Vec<u8>, mode: u32, name: &str, data: &[u8]) {
    let (size, name_size) = (data.len() as u32, name.len() as u32 + 1);
    // Inode, mode, uid, gid, links, mtime, size, device (2), special device (2), name size, check.
    // Number 1 for every inode is fine: without a second link nobody looks at it.
    let fields = [1, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
    bytes.extend(b"070701");
    bytes.extend(
        fields
            .iter()
            .flat_map(|field| format!("{field:08x}").into_bytes()),
    );
    for part in [&[name.as_bytes(), b"\0"].concat(), data] {
        bytes.extend(part);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
}
