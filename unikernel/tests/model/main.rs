//! The file layer against the tmpfs of the host: the same random operations in both worlds, and
//! every answer, every description, every content and every directory must be the same.
//!
//! An operation is a system call. It goes to the host through `syscall(2)` and to the library
//! through its table of calls, as an application's would. Each round starts with an empty
//! directory; the whole tree is compared now and then, each answer at once.
//!
//! Environment:
//! - `LINTEL_MODEL_SEED`: the seed of the first round; a failure prints the seed of its round;
//! - `LINTEL_MODEL_OPS`: how many operations there are in all (default: 100,000);
//! - `LINTEL_MODEL_WITHOUT`: names of calls that are left out, with commas between them;
//! - `LINTEL_MODEL_SHRINK=0`: do not look for a shorter sequence that fails, too.

mod generate;
mod mirror;
mod op;
mod pair;
mod platform;
mod random;
mod shrink;
mod tree;
mod view;
mod world;

use libc::{SYS_setgroups, SYS_setresgid, SYS_setresuid};
use op::Op;
use pair::{Difference, Pair};
use random::Random;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use world::{Kernel, World, library};

const OPS: usize = 100_000;
const ROUND: usize = 5000;
/// As many of the last operations are shown when a sequence was not shortened.
const SHOWN: usize = 30;
/// The seed when none is given: any number will do.
const SEED: u64 = 0x11e7_e100;

/// As whom operations are made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum User {
    Root,
    Ordinary,
}

/// An ordinary user and group.
const ID: usize = 1000;

#[test]
fn as_root() {
    if effective_user() == 0 {
        rounds(User::Root);
    } else {
        println!("left out: root's powers cannot be compared without them");
    }
}

#[test]
fn as_an_ordinary_user() {
    rounds(User::Ordinary);
}

fn effective_user() -> u32 {
    // SAFETY: takes nothing, touches nothing.
    unsafe { libc::geteuid() }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    Some(parsed.unwrap_or_else(|_| panic!("{name}={text}: not a number")))
}

/// Waits until no other test is at work: the file layer and the mirror exist once in a process.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All the rounds.
fn rounds(user: User) {
    static BOOT: Once = Once::new();
    let _turn = turn();
    BOOT.call_once(|| {
        platform::install();
        unikernel::fs::init(None, unikernel::fs::Stdin::Null).expect("nothing to unpack");
    });
    let mut seed = number("LINTEL_MODEL_SEED").unwrap_or(SEED);
    let mut left = number("LINTEL_MODEL_OPS").map_or(OPS, |ops| ops as usize);
    let free = free_space();
    while left > 0 {
        let count = left.min(ROUND);
        round(user, library, seed, count);
        left -= count;
        seed = Random::new(seed).next();
    }
    assert_eq!(
        free_space(),
        free,
        "free blocks and inodes of the library's tmpfs"
    );
}

/// One round, from an empty directory.
fn round(user: User, kernel: Kernel, seed: u64, count: usize) {
    let ops = operations(seed, count);
    let Some(difference) = attempt(user, kernel, &ops) else {
        return;
    };
    let tried = &ops[..=difference.index()];
    let mut text = format!("LINTEL_MODEL_SEED={seed:#x}, operation {}", tried.len());
    if number("LINTEL_MODEL_SHRINK") == Some(0) {
        let first = tried.len().saturating_sub(SHOWN);
        describe(&mut text, &tried[first..], &difference);
    } else {
        let fails = |ops: &[Op]| attempt(user, kernel, ops).map(|difference| difference.index());
        let short = shrink::shrink(tried.to_vec(), fails);
        let difference = attempt(user, kernel, &short).unwrap_or(difference);
        describe(&mut text, &short, &difference);
    }
    panic!("{text}");
}

fn describe(text: &mut String, ops: &[Op], difference: &Difference) {
    for op in ops {
        let _ = write!(text, "\n  {op:?}");
    }
    let _ = write!(text, "\n{difference}");
}

fn operations(seed: u64, count: usize) -> Vec<Op> {
    let without = std::env::var("LINTEL_MODEL_WITHOUT").unwrap_or_default();
    let without: Vec<&str> = without.split(',').collect();
    let mut random = Random::new(seed);
    let all = std::iter::repeat_with(|| generate::operation(&mut random));
    all.filter(|op| !without.contains(&op.name))
        .take(count)
        .collect()
}

/// Performs the operations in two new worlds, on the host and with this kernel.
fn attempt(user: User, kernel: Kernel, ops: &[Op]) -> Option<Difference> {
    // The working directory and the umask are this thread's own from here on.
    // SAFETY: changes nothing that memory safety depends on.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_FS) }, 0, "unshare");
    let identity = (user == User::Ordinary).then(Identity::ordinary);
    let mut pair = Pair::new(kernel);
    for world in pair.each() {
        if let Some(identity) = &identity {
            identity.assume(world);
        }
    }
    let difference = pair.run(ops);
    for world in pair.each() {
        // Only who was root can be it again.
        world.call(SYS_setresuid, &[0, 0, 0]);
        world.call(SYS_setresgid, &[0, 0, 0]);
        world.tear_down();
    }
    difference
}

/// Whom an ordinary user's operations are made as.
struct Identity {
    uid: usize,
    gid: usize,
    groups: Vec<u32>,
    /// This process is not root, so the host's side has this identity already.
    own: bool,
}

impl Identity {
    /// An ordinary user who is in one more group, or where this process is not root, its own.
    fn ordinary() -> Self {
        if effective_user() == 0 {
            let (uid, gid, groups) = (ID, ID, vec![ID as u32 + 1]);
            return Self {
                uid,
                gid,
                groups,
                own: false,
            };
        }
        let mut groups = vec![0; 1024];
        // SAFETY: room for as many groups as it says.
        let count = unsafe { libc::getgroups(groups.len() as i32, groups.as_mut_ptr()) };
        groups.truncate(usize::try_from(count).expect("getgroups"));
        // SAFETY: takes nothing, touches nothing.
        let (uid, gid) = unsafe { (libc::getuid() as usize, libc::getgid() as usize) };
        Self {
            uid,
            gid,
            groups,
            own: true,
        }
    }

    /// Gives a world's directories to this user and becomes it. The saved id stays root's.
    fn assume(&self, world: &World) {
        if self.own && !world.is_library() {
            return;
        }
        let (uid, gid) = (self.uid, self.gid);
        world.give_to(uid, gid);
        let list = [self.groups.len(), self.groups.as_ptr() as usize];
        world.must("setgroups", world.call(SYS_setgroups, &list));
        world.must("setresgid", world.call(SYS_setresgid, &[gid, gid, 0]));
        world.must("setresuid", world.call(SYS_setresuid, &[uid, uid, 0]));
    }
}

/// Free blocks and free inodes of the library's root.
fn free_space() -> (u64, u64) {
    // SAFETY: a structure of integers, which may all be 0.
    let mut info: libc::statfs = unsafe { std::mem::zeroed() };
    let args = [c"/".as_ptr() as usize, (&raw mut info) as usize, 0, 0, 0, 0];
    let result = library(libc::SYS_statfs as u32, args);
    assert_eq!(world::name_of(result), "0", "statfs");
    (info.f_bfree, info.f_ffree)
}

/// Operations for the tests of this test.
const FEW: usize = 4000;

#[test]
fn the_host_agrees_with_itself() {
    let _turn = turn();
    for user in [User::Root, User::Ordinary] {
        if user == User::Ordinary || effective_user() == 0 {
            round(user, mirror::mirror, SEED, FEW);
        }
    }
}

#[test]
fn a_defect_is_found_and_the_sequence_shortened() {
    let _turn = turn();
    let fails = |ops: &[Op]| {
        let difference = attempt(User::Ordinary, mirror::cracked_mirror, ops);
        difference.map(|difference| difference.index())
    };
    let mut ops = operations(SEED, FEW);
    let at = fails(&ops).expect("the defect shows");
    ops.truncate(at + 1);
    let short = shrink::shrink(ops, fails);
    let last = format!("{:?}", short.last().expect("it still fails"));
    assert!(
        short.len() <= 4 && last.starts_with("renameat2("),
        "{short:?}"
    );
}
