//! Operations on what is in files.

use super::super::op::{Arg, Op};
use super::super::random::Random;
use super::args::{any_place, fd, length, number, path, place};
use super::{call, on_fd};

/// read(2), write(2), pread(2), pwrite(2).
pub fn transfer(r: &mut Random, name: &'static str, call_number: i64) -> Op {
    let len = length(r);
    let writes = [libc::SYS_write, libc::SYS_pwrite64].contains(&call_number);
    let buffer = match r.below(200) {
        0 => Arg::Bad,
        _ if writes => Arg::Data(len, r.next() as u8),
        _ => Arg::Room(len),
    };
    let mut args = vec![fd(r), buffer, number(len)];
    if [libc::SYS_pread64, libc::SYS_pwrite64].contains(&call_number) {
        args.push(Arg::Int(any_place(r)));
    }
    call(name, call_number, args)
}

/// readv(2), writev(2), preadv2(2), pwritev2(2).
pub fn vector(r: &mut Random, name: &'static str, call_number: i64) -> Op {
    let lengths: Vec<usize> = (0..r.below(4)).map(|_| length(r)).collect();
    let count = lengths.len();
    let writes = [libc::SYS_writev, libc::SYS_pwritev2].contains(&call_number);
    let fill = writes.then(|| r.next() as u8);
    let mut args = vec![fd(r), Arg::Pieces(lengths, fill), number(count)];
    if [libc::SYS_preadv2, libc::SYS_pwritev2].contains(&call_number) {
        let at = if r.chance(20) { -1 } else { any_place(r) };
        let flags = r.some_of(&[libc::RWF_APPEND, libc::RWF_SYNC], 15);
        let flags = flags | if r.chance(3) { 1 << 20 } else { 0 };
        args.extend([Arg::Int(at), Arg::Int(0), Arg::Bits(flags.into())]);
    }
    call(name, call_number, args)
}

/// lseek(2).
pub fn lseek(r: &mut Random) -> Op {
    let whence = r.pick(&[0, 0, 0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5]);
    let offset = match r.below(5) {
        0 => -(r.below(5000) as i64),
        _ => place(r),
    };
    on_fd(r, "lseek", libc::SYS_lseek, &[offset, whence])
}

/// ftruncate(2).
pub fn ftruncate(r: &mut Random) -> Op {
    let size = place(r);
    on_fd(r, "ftruncate", libc::SYS_ftruncate, &[size])
}

/// truncate(2).
pub fn truncate(r: &mut Random) -> Op {
    let args = vec![path(r), Arg::Int(place(r))];
    call("truncate", libc::SYS_truncate, args)
}

/// fallocate(2).
pub fn fallocate(r: &mut Random) -> Op {
    const KEEP: i64 = 1;
    const PUNCH: i64 = 2;
    let usual = [
        0,
        0,
        0,
        KEEP,
        KEEP,
        KEEP | PUNCH,
        KEEP | PUNCH,
        KEEP | PUNCH,
    ];
    let mode = match r.below(10) {
        0 => r.pick(&[PUNCH, 8, 16, 64]),
        _ => r.pick(&usual),
    };
    // Without a hole to punch this takes memory, so it stays small.
    let len = match r.below(20) {
        0 => r.pick(&[0, -1, i64::MAX]),
        1 if mode & PUNCH != 0 => 1 << 40,
        _ => length(r) as i64 * 3,
    };
    let at = place(r);
    on_fd(r, "fallocate", libc::SYS_fallocate, &[mode, at, len])
}

fn offset(r: &mut Random) -> Arg {
    Arg::Offset(r.chance(60).then(|| any_place(r)))
}

/// copy_file_range(2).
pub fn copy_range(r: &mut Random) -> Op {
    let flags = Arg::Int(r.chance(5).into());
    let args = vec![fd(r), offset(r), fd(r), offset(r), number(length(r)), flags];
    call("copy_file_range", libc::SYS_copy_file_range, args)
}

/// sendfile(2).
pub fn sendfile(r: &mut Random) -> Op {
    let args = vec![fd(r), fd(r), offset(r), number(length(r))];
    call("sendfile", libc::SYS_sendfile, args)
}
