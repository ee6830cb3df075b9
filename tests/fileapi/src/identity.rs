//! Being somebody: the setuid family.

use libc::O_RDONLY;
use std::io;
use test_support::files::{Scratch, make, stat};
use test_support::sys::{self, open};
use test_support::{Outcome, call, report};

/// The ordinary user.
pub const USER: i64 = 1000;
/// Its group.
pub const GROUP: i64 = 1000;
/// A group that it is in besides.
pub const EXTRA: i64 = 2000;
/// Somebody else.
pub const OTHER: i64 = 1001;

/// Takes on an identity for files and everything else; the saved user stays root.
fn become_user(uid: i64, gid: i64, groups: &[u32]) -> io::Result<()> {
    call(
        libc::SYS_setgroups,
        &[groups.len() as u64, groups.as_ptr() as u64],
    )?;
    sys::setresgid(-1, gid, -1)?;
    sys::setresuid(-1, uid, -1)?;
    Ok(())
}

fn become_root() -> io::Result<()> {
    sys::setresuid(-1, 0, -1)?;
    sys::setresgid(-1, 0, -1)?;
    call(libc::SYS_setgroups, &[0, 0])?;
    Ok(())
}

/// Does something as the ordinary user.
pub fn as_user<T>(what: impl FnOnce() -> T) -> io::Result<T> {
    become_user(USER, GROUP, &[EXTRA as u32])?;
    let result = what();
    become_root()?;
    Ok(result)
}

/// `ok`, or the name of the error.
pub fn mark(outcome: Outcome) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(error) => test_support::errno_name(&error),
    }
}

fn ids() -> String {
    let three = |number: i64| {
        let mut ids = [0_u32; 3];
        let first = ids.as_mut_ptr() as u64;
        let _ = call(number, &[first, first + 4, first + 8]);
        format!("{} {} {}", ids[0], ids[1], ids[2])
    };
    format!(
        "users {} groups {}",
        three(libc::SYS_getresuid),
        three(libc::SYS_getresgid)
    )
}

/// The calls of the setuid family, from root to somebody who cannot go back.
pub fn changes() -> io::Result<()> {
    let scratch = Scratch::enter()?;
    // Whoever we will be has to remove it.
    sys::chown(scratch.path(), OTHER, OTHER)?;
    sys::chmod(scratch.path(), 0o777)?;
    println!("{}", ids());
    let step = |what: &str, outcome: Outcome| {
        println!("{what} {}: {}", mark(outcome), ids());
    };
    for uid in [USER, -1, 0] {
        println!("setfsuid {uid} was {:?}", sys::setfsuid(uid)?);
    }
    sys::setfsuid(USER)?;
    make("by-fsuid", b"x")?;
    sys::setfsuid(0)?;
    report("made by", stat("by-fsuid").map(|stat| stat.st_uid));
    println!("setfsgid was {:?}", sys::setfsgid(0)?);
    step("setresgid -1 1000 -1", sys::setresgid(-1, 1000, -1));
    step("setresuid -1 1000 -1", sys::setresuid(-1, 1000, -1));
    step("setresuid -1 1001 -1", sys::setresuid(-1, 1001, -1));
    step("setresgid -1 1001 -1", sys::setresgid(-1, 1001, -1));
    step("setuid 1001", sys::setuid(1001));
    step("setuid 1000", sys::setuid(1000));
    println!("setfsuid 0 was {:?}", sys::setfsuid(0)?);
    println!("setfsuid 1001 was {:?}", sys::setfsuid(1001)?);
    println!("setfsuid 1000 was {:?}", sys::setfsuid(1000)?);
    step("setuid 0", sys::setuid(0));
    step("setgid 0", sys::setgid(0));
    step("setreuid -1 1000", sys::setreuid(-1, 1000));
    step("setreuid -1 0", sys::setreuid(-1, 0));
    step("setregid -1 1000", sys::setregid(-1, 1000));
    step("setresgid 0 0 0", sys::setresgid(0, 0, 0));
    step(
        "setresuid of a wide number",
        sys::setresuid(1 << 32, -1, -1),
    );
    // With a real user that is set, setreuid(2) sets the saved one, too.
    step("setreuid 1000 -1", sys::setreuid(1000, -1));
    step("setreuid -1 1000", sys::setreuid(-1, 1000));
    step("setreuid 0 1000", sys::setreuid(0, 1000));
    step("setresuid -1 0 -1", sys::setresuid(-1, 0, -1));
    step("setuid 0", sys::setuid(0));
    step("setuid 1001", sys::setuid(1001));
    step("setregid -1 1000", sys::setregid(-1, 1000));
    step("setregid 0 0", sys::setregid(0, 0));
    Ok(())
}

/// Root gives everything up and cannot get it back.
pub fn for_good() -> io::Result<()> {
    let scratch = Scratch::enter()?;
    // Whoever we will be has to remove it.
    sys::chown(scratch.path(), USER, GROUP)?;
    make("secret", b"for root")?;
    sys::chmod("secret", 0o600)?;
    let groups = [EXTRA as u32, 3000];
    call(libc::SYS_setgroups, &[2, groups.as_ptr() as u64])?;
    let step = |what: &str, outcome: Outcome| {
        println!("{what} {}: {}", mark(outcome), ids());
    };
    step("setgid 1000", sys::setgid(GROUP));
    step("setuid 1000", sys::setuid(USER));
    for (what, outcome) in [
        ("setuid 0", sys::setuid(0)),
        ("setgid 0", sys::setgid(0)),
        ("setreuid 0 0", sys::setreuid(0, 0)),
        ("setreuid -1 -1", sys::setreuid(-1, -1)),
        ("setresuid 1000 1000 1000", sys::setresuid(USER, USER, USER)),
        ("setresuid -1 -1 0", sys::setresuid(-1, -1, 0)),
        ("setresgid 0 -1 -1", sys::setresgid(0, -1, -1)),
        ("setgroups", call(libc::SYS_setgroups, &[0, 0])),
        ("setuid -1", sys::setuid(-1)),
    ] {
        step(what, outcome);
    }
    let mut room = [0_u32; 4];
    report(
        "groups",
        call(libc::SYS_getgroups, &[4, room.as_mut_ptr() as u64]),
    );
    println!("    {room:?}");
    report(
        "groups, too little room",
        call(libc::SYS_getgroups, &[1, room.as_mut_ptr() as u64]),
    );
    report("the secret", open("secret", O_RDONLY, 0));
    report("access", sys::access("secret", libc::R_OK));
    report("remove it", sys::unlink("secret"));
    report("a file of one's own", make("own", b"mine").map(|()| "made"));
    report(
        "    is",
        stat("own").map(|stat| format!("{}:{}", stat.st_uid, stat.st_gid)),
    );
    Ok(())
}
