//! Every call with descriptors that are none, addresses that are none, and lengths that are too
//! much.

use crate::fixture::build;
use libc::{O_DIRECTORY, O_RDONLY, O_RDWR};
use std::io;
use test_support::files::{Scratch, content};
use test_support::sys::{self, HERE, close, open};
use test_support::{call, report};

/// Unmapped, in the kernel's half, and in none of the halves.
const NOWHERE: [(&str, u64); 3] = [
    ("unmapped", 0x6000_0000_0000),
    ("kernel", 0xffff_8000_0000_0000),
    ("not canonical", 0x8000_0000_0000_0000),
];

/// An argument of a call: what it is, so that it can be made bad.
#[derive(Clone, Copy)]
enum Arg {
    /// A descriptor of a file that is open for both.
    Fd,
    /// A directory's descriptor.
    Dir,
    /// An inotify's descriptor.
    Events,
    /// A path that exists.
    Path,
    /// A path that does not.
    New,
    /// Memory of a page, zeroed.
    Memory,
    /// Memory, or NULL.
    Optional,
    /// A number.
    Is(u64),
}

use Arg::{Dir, Events, Fd, Is, Memory, New, Optional, Path};

const ROOM: Arg = Is(64);

const CALLS: [(&str, i64, &[Arg]); 66] = [
    ("read", libc::SYS_read, &[Fd, Memory, ROOM]),
    ("write", libc::SYS_write, &[Fd, Memory, ROOM]),
    ("pread64", libc::SYS_pread64, &[Fd, Memory, ROOM, Is(0)]),
    ("pwrite64", libc::SYS_pwrite64, &[Fd, Memory, ROOM, Is(0)]),
    ("readv", libc::SYS_readv, &[Fd, Memory, Is(2)]),
    ("writev", libc::SYS_writev, &[Fd, Memory, Is(2)]),
    (
        "preadv",
        libc::SYS_preadv,
        &[Fd, Memory, Is(2), Is(0), Is(0)],
    ),
    (
        "pwritev",
        libc::SYS_pwritev,
        &[Fd, Memory, Is(2), Is(0), Is(0)],
    ),
    (
        "preadv2",
        libc::SYS_preadv2,
        &[Fd, Memory, Is(2), Is(0), Is(0), Is(0)],
    ),
    (
        "pwritev2",
        libc::SYS_pwritev2,
        &[Fd, Memory, Is(2), Is(0), Is(0), Is(0)],
    ),
    ("lseek", libc::SYS_lseek, &[Fd, Is(0), Is(0)]),
    ("open", libc::SYS_open, &[Path, Is(0), Is(0)]),
    ("openat", libc::SYS_openat, &[Dir, Path, Is(0), Is(0)]),
    ("creat", libc::SYS_creat, &[New, Is(0o644)]),
    ("close", libc::SYS_close, &[Fd]),
    ("dup", libc::SYS_dup, &[Fd]),
    ("dup3", libc::SYS_dup3, &[Fd, Is(60), Is(0)]),
    (
        "fcntl",
        libc::SYS_fcntl,
        &[Fd, Is(libc::F_GETFL as u64), Is(0)],
    ),
    (
        "fcntl lock",
        libc::SYS_fcntl,
        &[Fd, Is(libc::F_GETLK as u64), Memory],
    ),
    (
        "fcntl OFD lock",
        libc::SYS_fcntl,
        &[Fd, Is(libc::F_OFD_GETLK as u64), Memory],
    ),
    ("flock", libc::SYS_flock, &[Fd, Is(libc::LOCK_SH as u64)]),
    ("fsync", libc::SYS_fsync, &[Fd]),
    ("fdatasync", libc::SYS_fdatasync, &[Fd]),
    ("syncfs", libc::SYS_syncfs, &[Fd]),
    ("ftruncate", libc::SYS_ftruncate, &[Fd, Is(5)]),
    ("truncate", libc::SYS_truncate, &[Path, Is(5)]),
    ("fallocate", libc::SYS_fallocate, &[Fd, Is(0), Is(0), Is(5)]),
    ("getdents64", libc::SYS_getdents64, &[Dir, Memory, Is(512)]),
    ("stat", libc::SYS_stat, &[Path, Memory]),
    ("lstat", libc::SYS_lstat, &[Path, Memory]),
    ("fstat", libc::SYS_fstat, &[Fd, Memory]),
    (
        "newfstatat",
        libc::SYS_newfstatat,
        &[Dir, Path, Memory, Is(0)],
    ),
    (
        "statx",
        libc::SYS_statx,
        &[Dir, Path, Is(0), Is(0x7ff), Memory],
    ),
    ("statfs", libc::SYS_statfs, &[Path, Memory]),
    ("fstatfs", libc::SYS_fstatfs, &[Fd, Memory]),
    ("access", libc::SYS_access, &[Path, Is(0)]),
    ("faccessat", libc::SYS_faccessat, &[Dir, Path, Is(0)]),
    (
        "faccessat2",
        libc::SYS_faccessat2,
        &[Dir, Path, Is(0), Is(0)],
    ),
    ("mkdir", libc::SYS_mkdir, &[New, Is(0o755)]),
    ("mkdirat", libc::SYS_mkdirat, &[Dir, New, Is(0o755)]),
    ("mknodat", libc::SYS_mknodat, &[Dir, New, Is(0o644), Is(0)]),
    ("rmdir", libc::SYS_rmdir, &[New]),
    ("unlink", libc::SYS_unlink, &[New]),
    ("unlinkat", libc::SYS_unlinkat, &[Dir, New, Is(0)]),
    ("link", libc::SYS_link, &[Path, New]),
    ("linkat", libc::SYS_linkat, &[Dir, Path, Dir, New, Is(0)]),
    ("symlink", libc::SYS_symlink, &[Path, New]),
    ("symlinkat", libc::SYS_symlinkat, &[Path, Dir, New]),
    ("readlink", libc::SYS_readlink, &[Path, Memory, ROOM]),
    (
        "readlinkat",
        libc::SYS_readlinkat,
        &[Dir, Path, Memory, ROOM],
    ),
    ("rename", libc::SYS_rename, &[New, Path]),
    (
        "renameat2",
        libc::SYS_renameat2,
        &[Dir, New, Dir, Path, Is(0)],
    ),
    ("chmod", libc::SYS_chmod, &[Path, Is(0o644)]),
    ("fchmod", libc::SYS_fchmod, &[Fd, Is(0o644)]),
    ("fchmodat", libc::SYS_fchmodat, &[Dir, Path, Is(0o644)]),
    (
        "chown",
        libc::SYS_chown,
        &[Path, Is(u64::MAX), Is(u64::MAX)],
    ),
    (
        "fchown",
        libc::SYS_fchown,
        &[Fd, Is(u64::MAX), Is(u64::MAX)],
    ),
    (
        "utimensat",
        libc::SYS_utimensat,
        &[Dir, Path, Optional, Is(0)],
    ),
    ("chdir", libc::SYS_chdir, &[New]),
    ("fchdir", libc::SYS_fchdir, &[Fd]),
    ("getcwd", libc::SYS_getcwd, &[Memory, Is(4096)]),
    ("memfd_create", libc::SYS_memfd_create, &[Path, Is(0)]),
    ("sendfile", libc::SYS_sendfile, &[Fd, Fd, Optional, Is(3)]),
    (
        "inotify_add_watch",
        libc::SYS_inotify_add_watch,
        &[Events, Path, Is(2)],
    ),
    ("pipe2", libc::SYS_pipe2, &[Memory, Is(0)]),
    ("getxattr", libc::SYS_getxattr, &[Path, Path, Memory, ROOM]),
];

/// What good arguments are.
struct Good {
    file: i64,
    dir: i64,
    events: i64,
    memory: [u64; 512],
}

impl Good {
    fn register(&mut self, arg: Arg) -> u64 {
        match arg {
            Fd => self.file as u64,
            Dir => self.dir as u64,
            Events => self.events as u64,
            Path => c"file".as_ptr() as u64,
            New => c"none".as_ptr() as u64,
            Memory | Optional => {
                self.memory.fill(0);
                self.memory.as_mut_ptr() as u64
            }
            Is(value) => value,
        }
    }
}

/// Reports on everything here: each argument bad in turn, the others good.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    build()?;
    let mut good = Good {
        file: open("file", O_RDWR, 0)?,
        dir: open(".", O_RDONLY | O_DIRECTORY, 0)?,
        events: sys::inotify_init1(libc::IN_NONBLOCK)?,
        memory: [0; 512],
    };
    for (name, number, args) in CALLS {
        for (index, arg) in args.iter().enumerate() {
            let mut registers: Vec<u64> = args.iter().map(|&arg| good.register(arg)).collect();
            for (what, value) in bad_values(*arg) {
                registers[index] = value;
                report(
                    format_args!("{name}, argument {} {what}", index + 1),
                    call(number, &registers),
                );
            }
        }
    }
    report("content", content("file").map(|text| text.len()));
    vectors(&good)?;
    long_transfers(&good)?;
    at_the_edge(&good)?;
    for fd in [good.file, good.dir, good.events] {
        close(fd)?;
    }
    Ok(())
}

fn bad_values(arg: Arg) -> Vec<(&'static str, u64)> {
    let closed = [
        ("closed", 987),
        ("-1", u64::MAX),
        ("large", 1 << 30),
        ("wide", 987 | 1 << 32),
    ];
    match arg {
        Fd | Events => closed.to_vec(),
        // AT_FDCWD is -100, so -1 is as bad as any.
        Dir => closed.to_vec(),
        Path | New | Memory => [&[("null", 0)], &NOWHERE[..]].concat(),
        Optional => NOWHERE.to_vec(),
        Is(_) => Vec::new(),
    }
}

/// Pieces that are partly bad.
fn vectors(good: &Good) -> io::Result<()> {
    let text = *b"text";
    let fine = [text.as_ptr() as u64, 4];
    for (what, address) in NOWHERE {
        for (order, pieces) in [
            ("first", [[address, 4], fine]),
            ("second", [fine, [address, 4]]),
            ("first, empty", [[address, 0], fine]),
        ] {
            let args = [good.file as u64, pieces.as_ptr() as u64, 2];
            sys::lseek(good.file, 0, 0)?;
            report(
                format_args!("writev {order} {what}"),
                call(libc::SYS_writev, &args),
            );
            println!("    at {}", sys::lseek(good.file, 0, libc::SEEK_CUR)?);
        }
    }
    report("content", content("file"));
    Ok(())
}

/// Lengths beyond what memory there is.
fn long_transfers(good: &Good) -> io::Result<()> {
    let mut buffer = [0_u8; 64];
    let address = buffer.as_mut_ptr() as u64;
    for length in [i64::MAX as u64, 1 << 63, u64::MAX] {
        let fd = good.file as u64;
        report(
            format_args!("read {length:#x}"),
            call(libc::SYS_read, &[fd, address, length]),
        );
        report(
            format_args!("write {length:#x}"),
            call(libc::SYS_write, &[fd, address, length]),
        );
        report(
            format_args!("pread {length:#x}"),
            call(libc::SYS_pread64, &[fd, address, length, 0]),
        );
        report(
            format_args!("pwrite {length:#x}"),
            call(libc::SYS_pwrite64, &[fd, address, length, 0]),
        );
        let random = call(
            libc::SYS_getdents64,
            &[good.dir as u64, 0, length & 0xffff_ffff],
        );
        report(format_args!("getdents into nothing {length:#x}"), random);
    }
    report(
        "readlink into no room",
        call(libc::SYS_readlink, &[c"link".as_ptr() as u64, address, 0]),
    );
    report(
        "readlink into less",
        call(
            libc::SYS_readlink,
            &[c"link".as_ptr() as u64, address, u64::MAX],
        ),
    );
    report("getcwd into no room", call(libc::SYS_getcwd, &[address, 0]));
    report(
        "getcwd into little room",
        call(libc::SYS_getcwd, &[address, 2]),
    );
    report("getcwd of a bad length", call(libc::SYS_getcwd, &[0, 4096]));
    Ok(())
}

/// A buffer whose end is not there: what fits is transferred.
fn at_the_edge(good: &Good) -> io::Result<()> {
    const PAGE: u64 = 4096;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let access = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    let pages = call(libc::SYS_mmap, &[0, 2 * PAGE, access, flags, u64::MAX, 0])? as u64;
    call(libc::SYS_mprotect, &[pages + PAGE, PAGE, 0])?;
    let large = sys::open("large", O_RDWR | libc::O_CREAT, 0o644)?;
    sys::ftruncate(large, 20_000)?;
    let fd = large as u64;
    for good_bytes in [0, 1, 10, 4095, 4096] {
        let address = pages + PAGE - good_bytes;
        sys::lseek(large, 0, 0)?;
        report(
            format_args!("read {good_bytes} and more"),
            call(libc::SYS_read, &[fd, address, 8192]),
        );
        report(
            format_args!("write {good_bytes} and more"),
            call(libc::SYS_write, &[fd, address, 8192]),
        );
        report(
            format_args!("pread {good_bytes} and more"),
            call(libc::SYS_pread64, &[fd, address, 6000, 100]),
        );
        report(
            format_args!("pwrite {good_bytes} and more"),
            call(libc::SYS_pwrite64, &[fd, address, 6000, 100]),
        );
        report("    at", sys::lseek(large, 0, libc::SEEK_CUR));
        report("    size", sys::lseek(large, 0, libc::SEEK_END));
        let listed = call(libc::SYS_getdents64, &[good.dir as u64, address, 4096]);
        report("    getdents", listed.map(|_| "some"));
        sys::lseek(good.dir, 0, 0)?;
    }
    // A path that touches the edge is whole when its NUL is before it.
    for (name, path) in [("whole", &b"file\0"[..]), ("cut", &b"file"[..])] {
        let address = pages + PAGE - path.len() as u64;
        // SAFETY: the last bytes of our writable page.
        unsafe { std::ptr::copy_nonoverlapping(path.as_ptr(), address as *mut u8, path.len()) };
        report(
            format_args!("a {name} path"),
            call(libc::SYS_access, &[address, 0]),
        );
        let opened = call(libc::SYS_openat, &[HERE as u64, address, 0, 0]);
        report(format_args!("a {name} path opened"), opened.and_then(close));
    }
    close(large)?;
    Ok(())
}
