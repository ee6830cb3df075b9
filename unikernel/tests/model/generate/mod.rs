//! Operations at random.

mod args;
mod contents;
mod names;

use super::op::{Arg, Call, Op, Take};
use super::random::Random;
use args::{Sort, dir_fd, fd, path_to};
use contents::{copy_range, fallocate, ftruncate, lseek, sendfile, transfer, truncate, vector};
use names::{
    access, chmod, chown, creat, dup, dup3, fchmod, fchmodat2, fcntl, link, mkdir, mknod, open,
    opendir, readlink, rename, stat, statx, symlink, tmpfile, umask, unlink, utimens,
};
use std::iter;

type Make = fn(&mut Random) -> Op;

/// The operations, each with its weight.
const KINDS: [(usize, Make); 46] = [
    (14, open),
    (10, creat),
    (8, opendir),
    (3, tmpfile),
    (2, |r| on_fd(r, "close", libc::SYS_close, &[])),
    (3, dup),
    (1, dup3),
    (4, |r| transfer(r, "read", libc::SYS_read)),
    (6, |r| transfer(r, "write", libc::SYS_write)),
    (4, |r| transfer(r, "pread64", libc::SYS_pread64)),
    (6, |r| transfer(r, "pwrite64", libc::SYS_pwrite64)),
    (2, |r| vector(r, "readv", libc::SYS_readv)),
    (2, |r| vector(r, "writev", libc::SYS_writev)),
    (2, |r| vector(r, "preadv2", libc::SYS_preadv2)),
    (3, |r| vector(r, "pwritev2", libc::SYS_pwritev2)),
    (8, lseek),
    (4, ftruncate),
    (2, truncate),
    (5, fallocate),
    (11, mkdir),
    (2, mknod),
    (8, unlink),
    (6, link),
    (6, symlink),
    (3, readlink),
    (9, rename),
    (4, chmod),
    (1, fchmod),
    (1, fchmodat2),
    (3, chown),
    (4, utimens),
    (4, stat),
    (3, statx),
    (3, |r| {
        call("fstat", libc::SYS_fstat, vec![fd(r), Arg::Stat])
    }),
    (4, |r| op("list", Call::List, vec![dir_fd(r)])),
    (3, access),
    (3, |r| {
        call("chdir", libc::SYS_chdir, vec![path_to(r, Sort::Dir)])
    }),
    (1, |r| call("fchdir", libc::SYS_fchdir, vec![dir_fd(r)])),
    (3, |_| call("fchdir", libc::SYS_fchdir, vec![Arg::Scene])),
    (4, |_| {
        let open = vec![Arg::Scene, Arg::Bits(0o777)];
        call("fchmod", libc::SYS_fchmod, open)
    }),
    (1, |_| op("getcwd", Call::Cwd, Vec::new())),
    (1, umask),
    (3, fcntl),
    (2, copy_range),
    (1, sendfile),
    (1, |r| on_fd(r, "fsync", libc::SYS_fsync, &[])),
];

/// An operation.
pub fn operation(random: &mut Random) -> Op {
    let total: usize = KINDS.iter().map(|kind| kind.0).sum();
    let mut left = random.below(total);
    for (weight, make) in KINDS {
        match left.checked_sub(weight) {
            Some(rest) => left = rest,
            None => return make(random),
        }
    }
    unreachable!("the weights sum up to {total}")
}

fn op(name: &'static str, call: Call, args: Vec<Arg>) -> Op {
    let take = Take::Value;
    Op {
        name,
        call,
        args,
        take,
    }
}

fn call(name: &'static str, number: i64, args: Vec<Arg>) -> Op {
    op(name, Call::Number(number), args)
}

/// A call whose first argument is a descriptor, the others numbers.
fn on_fd(r: &mut Random, name: &'static str, number: i64, values: &[i64]) -> Op {
    let values = values.iter().map(|&value| Arg::Int(value));
    call(name, number, iter::once(fd(r)).chain(values).collect())
}
