//! Changing who one is: user ids, group ids, supplementary groups. It takes root.

use std::io;
use test_support::{Outcome, call, report};

/// Leave it as it is.
const SAME: u64 = u32::MAX as u64;

/// Sets three ids, then prints all four: setfsuid(2) of no id says what the last one is.
struct Kind {
    name: &'static str,
    get_all: i64,
    set: i64,
    set_two: i64,
    set_three: i64,
    set_fs: i64,
}

const USER: Kind = Kind {
    name: "uid",
    get_all: libc::SYS_getresuid,
    set: libc::SYS_setuid,
    set_two: libc::SYS_setreuid,
    set_three: libc::SYS_setresuid,
    set_fs: libc::SYS_setfsuid,
};

const GROUP: Kind = Kind {
    name: "gid",
    get_all: libc::SYS_getresgid,
    set: libc::SYS_setgid,
    set_two: libc::SYS_setregid,
    set_three: libc::SYS_setresgid,
    set_fs: libc::SYS_setfsgid,
};

impl Kind {
    fn show(&self) {
        let mut ids = [SAME as u32; 3];
        let all = [0, 1, 2].map(|index| &raw mut ids[index] as u64);
        let outcome = call(self.get_all, &all);
        let fs = call(self.set_fs, &[SAME]).unwrap_or(-1);
        let Self { name, .. } = self;
        report(
            format_args!("   {name}s"),
            outcome.map(|_| format!("{ids:?} {fs}")),
        );
    }

    fn report(&self, what: &str, ids: &[u64], outcome: Outcome) {
        let ids: Vec<_> = ids.iter().map(|&id| id as u32 as i32).collect();
        report(format_args!("{what}{} {ids:?}", self.name), outcome);
        self.show();
    }

    fn one(&self, id: u64) {
        self.report("set", &[id], call(self.set, &[id]));
    }

    fn two(&self, real: u64, effective: u64) {
        let ids = [real, effective];
        self.report("setre", &ids, call(self.set_two, &ids));
    }

    fn three(&self, real: u64, effective: u64, saved: u64) {
        let ids = [real, effective, saved];
        self.report("setres", &ids, call(self.set_three, &ids));
    }

    fn fs(&self, id: u64) {
        self.report("setfs", &[id], call(self.set_fs, &[id]));
    }
}

/// Every way to change ids from which there is a way back, for users and then for groups.
pub fn ids() -> io::Result<()> {
    for kind in [&USER, &GROUP] {
        kind.three(0, 0, 0);
        kind.one(SAME);
        kind.two(SAME, SAME);
        kind.three(SAME, SAME, SAME);
        kind.three(1, 2, 0);
        kind.one(0);
        kind.two(1, SAME);
        kind.two(SAME, 1);
        kind.two(SAME, 0);
        kind.two(0, 3);
        kind.two(3, 0);
        kind.three(0, SAME, 9);
        kind.three(SAME, 0, 7);
        // A call that changes nothing leaves the last one alone, and another one does not.
        kind.fs(5);
        kind.three(SAME, SAME, SAME);
        kind.fs(SAME);
        kind.three(SAME, SAME, 8);
        kind.fs(8);
        kind.two(SAME, SAME);
        kind.three(SAME, 9, SAME);
        kind.three(SAME, SAME, 7);
        kind.three(0, 0, 0);
    }
    without_privilege();
    Ok(())
}

/// An effective user that is not root, while the saved one is.
fn without_privilege() {
    GROUP.three(1, 2, 3);
    USER.three(4, 5, 0);
    for kind in [&USER, &GROUP] {
        kind.one(9);
        kind.two(9, SAME);
        kind.two(SAME, 9);
        kind.three(9, SAME, SAME);
        kind.three(SAME, 9, SAME);
        kind.three(SAME, SAME, 9);
        kind.fs(9);
    }
    GROUP.fs(1);
    GROUP.fs(3);
    GROUP.two(3, SAME);
    GROUP.two(2, 1);
    GROUP.one(1);
    GROUP.one(2);
    GROUP.three(2, 2, 1);
    report("setgroups", call(libc::SYS_setgroups, &[0, 0]));
    USER.fs(4);
    USER.one(4);
    USER.two(SAME, 0);
    GROUP.three(0, 0, 0);
    USER.three(0, 0, 0);
}

fn show_groups() {
    let mut list = [SAME as u32; 8];
    let outcome = call(libc::SYS_getgroups, &[8, list.as_mut_ptr() as u64]);
    report(
        "   groups",
        outcome.map(|count| format!("{count} {list:?}")),
    );
}

fn set_groups(list: &[u32]) {
    let args = [list.len() as u64, list.as_ptr() as u64];
    report(
        format_args!("setgroups {list:?}"),
        call(libc::SYS_setgroups, &args),
    );
    show_groups();
}

/// Supplementary groups: in which order, how many, which.
pub fn groups() -> io::Result<()> {
    set_groups(&[]);
    set_groups(&[30, 10, 20, 10]);
    set_groups(&[1, u32::MAX, 2]);
    let mut list = [0_u32; 8];
    let place = list.as_mut_ptr() as u64;
    for size in [0, 1, 3, 4, -1_i32, i32::MIN] {
        let outcome = call(libc::SYS_getgroups, &[size as u64, place]);
        report(format_args!("getgroups of {size}"), outcome);
    }
    let many: Vec<u32> = (0..65_537).rev().collect();
    for size in [65_537, 65_536, -1_i32, 0] {
        let args = [size as u64, many.as_ptr() as u64];
        report(
            format_args!("setgroups of {size}"),
            call(libc::SYS_setgroups, &args),
        );
        let count = call(libc::SYS_getgroups, &[0, 0]);
        report("   groups", count);
    }
    for address in [0, 8, u64::MAX] {
        let outcome = call(libc::SYS_setgroups, &[1, address]);
        report(format_args!("setgroups at {address:#x}"), outcome);
    }
    show_groups();
    Ok(())
}

/// What a server does after it has opened its port: afterwards nothing is as it was.
pub fn give_up() -> io::Result<()> {
    set_groups(&[7, 5]);
    GROUP.one(100);
    USER.one(1000);
    USER.one(0);
    USER.two(0, 0);
    USER.three(SAME, SAME, 0);
    USER.fs(0);
    GROUP.one(0);
    GROUP.fs(5);
    set_groups(&[]);
    USER.one(1000);
    USER.three(1000, 1000, 1000);
    let priority = |user: u64| call(libc::SYS_getpriority, &[2, user]);
    report("priority of the user", priority(1000));
    report("priority of oneself", priority(0));
    let mut limit = [0_u64; 2];
    let files = u64::from(libc::RLIMIT_NOFILE);
    call(libc::SYS_getrlimit, &[files, limit.as_mut_ptr() as u64])?;
    limit[0] -= 1;
    limit[1] -= 1;
    let set = |limit: &[u64; 2]| call(libc::SYS_setrlimit, &[files, limit.as_ptr() as u64]);
    report("lower the limit", set(&limit));
    limit[1] += 1;
    report("raise the limit", set(&limit));
    Ok(())
}
