//! `/proc/sys`.

use crate::{check, text};
use std::ffi::CStr;
use std::fs::OpenOptions;
use std::io;
use std::mem::MaybeUninit;
use test_support::{checked, report_ok};

fn read(name: &str) -> String {
    text(&format!("/proc/sys/{name}"))
        .trim_end_matches('\n')
        .to_owned()
}

fn field(field: &[libc::c_char]) -> String {
    // SAFETY: the kernel ends every field of `utsname` with a NUL.
    unsafe { CStr::from_ptr(field.as_ptr()) }
        .to_string_lossy()
        .into_owned()
}

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let mut names = MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: the result goes to a buffer of its size.
    checked(unsafe { libc::uname(names.as_mut_ptr()) })?;
    // SAFETY: zero is valid for every field, and the call has filled them.
    let names = unsafe { names.assume_init() };
    println!("ostype {}", read("kernel/ostype"));
    check(
        "osrelease",
        read("kernel/osrelease") == field(&names.release),
    );
    check("version", read("kernel/version") == field(&names.version));
    check(
        "hostname",
        read("kernel/hostname") == field(&names.nodename),
    );
    check(
        "domainname",
        read("kernel/domainname") == field(&names.domainname),
    );
    let version = text("/proc/version");
    let begin = format!("Linux version {} (", field(&names.release));
    check(
        "the version file",
        version.starts_with(&begin) && version.ends_with(&format!(" {}\n", field(&names.version))),
    );
    for name in [
        "fs/file-max",
        "fs/nr_open",
        "fs/pipe-max-size",
        "kernel/pid_max",
        "kernel/ngroups_max",
        "kernel/threads-max",
        "kernel/random/entropy_avail",
        "vm/max_map_count",
        "vm/mmap_min_addr",
        "net/core/somaxconn",
    ] {
        check(name, read(name).parse::<u64>().is_ok_and(|value| value > 0));
    }
    check(
        "overcommit_memory",
        ["0", "1", "2"].contains(&&read("vm/overcommit_memory")[..]),
    );
    for name in [
        "kernel/overflowuid",
        "kernel/overflowgid",
        "kernel/random/poolsize",
    ] {
        println!("{name} {}", read(name));
    }
    for (name, count) in [
        ("fs/file-nr", 3),
        ("fs/dentry-state", 6),
        ("fs/inode-nr", 2),
    ] {
        let numbers = read(name)
            .split('\t')
            .filter(|n| n.parse::<u64>().is_ok())
            .count();
        check(name, numbers == count);
    }
    random();
    for name in ["kernel/osrelease", "kernel/ngroups_max", "fs/file-nr"] {
        let path = format!("/proc/sys/{name}");
        report_ok(
            format_args!("{name} for writing"),
            OpenOptions::new().write(true).open(path),
        );
    }
    Ok(())
}

fn random() {
    let [one, other] = [0, 1].map(|_| read("kernel/random/uuid"));
    check("another uuid each time", one != other);
    check(
        "one boot_id",
        read("kernel/random/boot_id") == read("kernel/random/boot_id"),
    );
    for (what, id) in [("uuid", one), ("boot_id", read("kernel/random/boot_id"))] {
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        let digits = id
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
        println!(
            "{what} {parts:?} {digits} version {:?}",
            id.as_bytes().get(14).map(|&b| b as char)
        );
    }
}
