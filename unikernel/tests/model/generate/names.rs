//! Operations on names, descriptors and attributes.

use super::super::op::{Arg, Op, Take};
use super::super::random::Random;
use super::args::{Sort, dir, dir_slot, fd, flags, id, mode, number, path, path_to, slot, words};
use super::{call, on_fd};
use libc::{AT_EMPTY_PATH, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW};
use libc::{O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_NOATIME, O_NOFOLLOW};
use libc::{O_NONBLOCK, O_PATH, O_RDWR, O_SYNC, O_TMPFILE, O_TRUNC, O_WRONLY};

// ---- descriptors

fn into_slot(slot: usize, op: Op) -> Op {
    let take = Take::Descriptor(slot);
    Op { take, ..op }
}

fn openat(r: &mut Random, name: Arg, flags: i32) -> Op {
    let args = vec![dir(r), name, Arg::Bits(flags.into()), mode(r)];
    call("openat", libc::SYS_openat, args)
}

/// open(2) with any flags.
pub fn open(r: &mut Random) -> Op {
    let usual = [0, 0, 0, O_RDWR, O_RDWR, O_RDWR, O_WRONLY, O_WRONLY | O_RDWR];
    let mut flags = r.pick(&usual) | r.some_of(&[O_CREAT], 45);
    flags |= r.some_of(&[O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW], 9);
    flags |= r.some_of(&[O_PATH, O_CLOEXEC, O_NONBLOCK, O_SYNC, O_NOATIME], 5);
    let (slot, name) = (slot(r), path(r));
    into_slot(slot, openat(r, name, flags))
}

/// open(2) of a directory, for later use as one.
pub fn opendir(r: &mut Random) -> Op {
    let flags = O_DIRECTORY | r.pick(&[0, 0, 0, O_PATH, O_NOFOLLOW]);
    let (slot, name) = (dir_slot(r), path_to(r, Sort::Dir));
    into_slot(slot, openat(r, name, flags))
}

/// open(2) as it mostly is when a file is made.
pub fn creat(r: &mut Random) -> Op {
    let flags = O_RDWR | O_CREAT | r.some_of(&[O_APPEND], 15);
    let name = Arg::Path(words(r, Sort::File, 1));
    let args = vec![Arg::Here, name, Arg::Bits(flags.into()), Arg::Bits(0o666)];
    into_slot(slot(r), call("openat", libc::SYS_openat, args))
}

/// open(2) of a file without a name.
pub fn tmpfile(r: &mut Random) -> Op {
    let flags = O_TMPFILE | r.pick(&[O_RDWR, O_RDWR, O_RDWR, O_WRONLY, 0]);
    let flags = flags | r.some_of(&[O_EXCL, O_APPEND, O_CREAT], 8);
    let (slot, name) = (slot(r), path_to(r, Sort::Dir));
    into_slot(slot, openat(r, name, flags))
}

/// dup(2), or fcntl(2) doing the same.
pub fn dup(r: &mut Random) -> Op {
    let op = match r.below(3) {
        0 => on_fd(r, "dup", libc::SYS_dup, &[]),
        1 => on_fd(r, "F_DUPFD", libc::SYS_fcntl, &[libc::F_DUPFD.into(), 3]),
        _ => {
            let command = libc::F_DUPFD_CLOEXEC;
            on_fd(r, "F_DUPFD_CLOEXEC", libc::SYS_fcntl, &[command.into(), 3])
        }
    };
    into_slot(slot(r), op)
}

/// dup3(2) over an open descriptor.
pub fn dup3(r: &mut Random) -> Op {
    let flags = r.pick(&[0, 0, O_CLOEXEC, O_NONBLOCK]);
    let args = vec![fd(r), fd(r), Arg::Int(flags.into())];
    let take = Take::Success;
    Op {
        take,
        ..call("dup3", libc::SYS_dup3, args)
    }
}

/// The flags of descriptors and open files, by fcntl(2).
pub fn fcntl(r: &mut Random) -> Op {
    let (name, command, value) = match r.below(6) {
        0..3 => ("F_GETFL", libc::F_GETFL, 0),
        3 => {
            let flags = r.some_of(&[O_APPEND, O_NONBLOCK, O_NOATIME, O_TRUNC], 30);
            ("F_SETFL", libc::F_SETFL, flags)
        }
        4 => ("F_GETFD", libc::F_GETFD, 0),
        _ => ("F_SETFD", libc::F_SETFD, r.pick(&[0, 1, 2])),
    };
    on_fd(r, name, libc::SYS_fcntl, &[command.into(), value.into()])
}

// ---- names

/// mkdirat(2).
pub fn mkdir(r: &mut Random) -> Op {
    let args = vec![dir(r), path_to(r, Sort::Dir), mode(r)];
    call("mkdirat", libc::SYS_mkdirat, args)
}

/// mknodat(2). No FIFO: opening one waits.
pub fn mknod(r: &mut Random) -> Op {
    let kinds = [
        0,
        libc::S_IFREG,
        libc::S_IFREG,
        libc::S_IFSOCK,
        libc::S_IFDIR,
    ];
    let kind = if r.chance(5) {
        0o030_000
    } else {
        r.pick(&kinds)
    };
    let mode = i64::from(kind) | r.pick(&[0o644, 0o600, 0o4755]);
    let args = vec![dir(r), path(r), Arg::Bits(mode), Arg::Int(0)];
    call("mknodat", libc::SYS_mknodat, args)
}

/// unlinkat(2).
pub fn unlink(r: &mut Random) -> Op {
    let sort = r.pick(&[Sort::Dir, Sort::File, Sort::File, Sort::Link]);
    let as_dir = (sort == Sort::Dir) != r.chance(10);
    let flags = if as_dir { AT_REMOVEDIR } else { 0 };
    let flags = flags | r.some_of(&[AT_SYMLINK_NOFOLLOW], 3);
    let args = vec![dir(r), path_to(r, sort), Arg::Int(flags.into())];
    call("unlinkat", libc::SYS_unlinkat, args)
}

/// linkat(2), of a path or of a descriptor.
pub fn link(r: &mut Random) -> Op {
    let args = if r.chance(25) {
        let flag = Arg::Int(AT_EMPTY_PATH.into());
        vec![fd(r), Arg::Path(Vec::new()), dir(r), path(r), flag]
    } else {
        let flags = flags(
            r,
            &[AT_SYMLINK_FOLLOW, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW],
        );
        let from = r.pick(&[Sort::File, Sort::File, Sort::File, Sort::Link, Sort::Dir]);
        vec![dir(r), path_to(r, from), dir(r), path(r), flags]
    };
    call("linkat", libc::SYS_linkat, args)
}

/// symlinkat(2).
pub fn symlink(r: &mut Random) -> Op {
    let sort = r.pick(&[Sort::Dir, Sort::Dir, Sort::File, Sort::Link]);
    let target = Arg::Path(words(r, sort, 2));
    let args = vec![target, dir(r), path_to(r, Sort::Link)];
    call("symlinkat", libc::SYS_symlinkat, args)
}

/// readlinkat(2).
pub fn readlink(r: &mut Random) -> Op {
    let room = r.pick(&[0, 1, 2, 64, 64, 4096]);
    let args = vec![
        dir(r),
        path_to(r, Sort::Link),
        Arg::Room(room),
        number(room),
    ];
    call("readlinkat", libc::SYS_readlinkat, args)
}

/// renameat2(2).
pub fn rename(r: &mut Random) -> Op {
    use libc::{RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT};
    let some = [
        RENAME_NOREPLACE,
        RENAME_EXCHANGE,
        RENAME_EXCHANGE,
        RENAME_WHITEOUT,
    ];
    let flags = match r.below(20) {
        0 => r.below(16) as u32,
        1..10 => r.pick(&some),
        _ => 0,
    };
    let sort = r.pick(&[Sort::Dir, Sort::Dir, Sort::File, Sort::File, Sort::Link]);
    let (from, to) = (path_to(r, sort), path_to(r, sort));
    let args = vec![dir(r), from, dir(r), to, Arg::Int(flags.into())];
    call("renameat2", libc::SYS_renameat2, args)
}

// ---- attributes

/// umask(2).
pub fn umask(r: &mut Random) -> Op {
    let mask = r.pick(&[0o022, 0o022, 0o002, 0, 0o027, 0o077, 0o700]);
    call("umask", libc::SYS_umask, vec![Arg::Bits(mask)])
}

/// fchmodat(2), the call without flags.
pub fn chmod(r: &mut Random) -> Op {
    call(
        "fchmodat",
        libc::SYS_fchmodat,
        vec![dir(r), path(r), mode(r)],
    )
}

/// fchmod(2).
pub fn fchmod(r: &mut Random) -> Op {
    call("fchmod", libc::SYS_fchmod, vec![fd(r), mode(r)])
}

/// fchmodat2(2).
pub fn fchmodat2(r: &mut Random) -> Op {
    let flags = flags(r, &[AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH]);
    let args = vec![dir(r), path(r), mode(r), flags];
    call("fchmodat2", libc::SYS_fchmodat2, args)
}

/// fchownat(2), fchown(2).
pub fn chown(r: &mut Random) -> Op {
    if r.chance(25) {
        return call("fchown", libc::SYS_fchown, vec![fd(r), id(r), id(r)]);
    }
    let flags = flags(r, &[AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH]);
    let args = vec![dir(r), path(r), id(r), id(r), flags];
    call("fchownat", libc::SYS_fchownat, args)
}

fn time(r: &mut Random) -> (i64, i64) {
    match r.below(12) {
        0..3 => (7, libc::UTIME_NOW),
        3..6 => (7, libc::UTIME_OMIT),
        6 => (1, r.pick(&[-1, 1_000_000_000])),
        7 => (-(r.below(1000) as i64), 999_999_999),
        _ => (r.below(1_000_000_000) as i64, r.below(1_000_000_000) as i64),
    }
}

/// utimensat(2), of a path or of a descriptor.
pub fn utimens(r: &mut Random) -> Op {
    let times = Arg::Times(r.chance(90).then(|| [time(r), time(r)]));
    let flags = flags(r, &[AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH]);
    let args = match r.below(4) {
        0 => vec![fd(r), Arg::Int(0), times, Arg::Int(0)],
        _ => vec![dir(r), path(r), times, flags],
    };
    call("utimensat", libc::SYS_utimensat, args)
}

/// newfstatat(2).
pub fn stat(r: &mut Random) -> Op {
    let flags = flags(
        r,
        &[AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, libc::AT_NO_AUTOMOUNT],
    );
    let args = vec![dir(r), path(r), Arg::Stat, flags];
    call("newfstatat", libc::SYS_newfstatat, args)
}

/// statx(2).
pub fn statx(r: &mut Random) -> Op {
    let flags = flags(
        r,
        &[AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, 0x2000, 0x4000, 0x6000],
    );
    let mask = r.pick(&[0, 0x7ff, 0x7ff, 0xfff, 0xfff, 0x240, 0x800, 1 << 31]);
    let args = vec![
        dir(r),
        path(r),
        flags,
        Arg::Bits(mask.into()),
        Arg::Statx(mask),
    ];
    call("statx", libc::SYS_statx, args)
}

/// faccessat2(2).
pub fn access(r: &mut Random) -> Op {
    let flags = flags(r, &[libc::AT_EACCESS, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH]);
    let mode = r.pick(&[0, 1, 2, 4, 6, 7, 8]);
    let args = vec![dir(r), path(r), Arg::Bits(mode), flags];
    call("faccessat2", libc::SYS_faccessat2, args)
}
