//! What root's power is made of, and giving it up piece by piece. It takes root.

use std::io;
use test_support::{Outcome, call, report};

/// Sets in two halves: effective, permitted, inheritable.
type Sets = [[u32; 3]; 2];

const VERSIONS: [(&str, u32); 4] = [
    ("first", 0x1998_0330),
    ("second", 0x2007_1026),
    ("third", 0x2008_0522),
    ("no", 0x1234_5678),
];

/// Capabilities that even a modest root has, and what they are called.
const SOME: [(&str, u32); 7] = [
    ("chown", 0),
    ("dac_override", 1),
    ("fowner", 3),
    ("fsetid", 4),
    ("setgid", 6),
    ("setuid", 7),
    ("mknod", 27),
];

fn get_as(version: u32, pid: i32, sets: Option<&mut Sets>) -> (Outcome, u32) {
    let mut header = [version, pid as u32];
    let place = sets.map_or(0, |sets| sets.as_mut_ptr() as u64);
    let outcome = call(libc::SYS_capget, &[header.as_mut_ptr() as u64, place]);
    (outcome, header[0])
}

fn get() -> io::Result<Sets> {
    let mut sets = [[0; 3]; 2];
    get_as(VERSIONS[2].1, 0, Some(&mut sets)).0?;
    Ok(sets)
}

fn set_as(version: u32, pid: i32, sets: &Sets) -> Outcome {
    let header = [version, pid as u32];
    let args = [header.as_ptr() as u64, sets.as_ptr() as u64];
    call(libc::SYS_capset, &args)
}

fn set(sets: &Sets) -> Outcome {
    set_as(VERSIONS[2].1, 0, sets)
}

fn setuid(id: u64) -> Outcome {
    call(libc::SYS_setuid, &[id])
}

fn prctl(option: i32, args: &[u64]) -> Outcome {
    let mut all = vec![option as u64];
    all.extend_from_slice(args);
    call(libc::SYS_prctl, &all)
}

/// Which of [`SOME`] are effective.
fn show() -> io::Result<()> {
    let sets = get()?;
    let has = |number: u32| sets[number as usize / 32][0] >> (number % 32) & 1 == 1;
    let names: Vec<_> = SOME.iter().filter(|row| has(row.1)).collect();
    let names: Vec<_> = names.iter().map(|row| row.0).collect();
    let permitted = sets[0][1] | sets[1][1];
    println!("   effective {names:?}, permitted {}", permitted != 0);
    Ok(())
}

/// Everything here.
pub fn run() -> io::Result<()> {
    headers();
    show()?;
    pieces()?;
    println!("file system user");
    for id in [5, 6, 0] {
        report("setfsuid", call(libc::SYS_setfsuid, &[id]));
        show()?;
    }
    println!("effective user");
    for id in [5, 0] {
        let same = u64::from(u32::MAX);
        report("seteuid", call(libc::SYS_setresuid, &[same, id, same]));
        show()?;
    }
    bounding();
    kept()
}

fn headers() {
    for (name, version) in VERSIONS {
        let mut sets = [[7; 3]; 2];
        let (outcome, said) = get_as(version, 0, None);
        report(format_args!("capget, {name} version, nowhere"), outcome);
        println!("   version {said:#x}");
        let (outcome, said) = get_as(version, 0, Some(&mut sets));
        report(format_args!("capget, {name} version"), outcome);
        println!("   version {said:#x}, second half {}", sets[1] != [7; 3]);
        // Nobody has this many processes.
        for pid in [-1, i32::MAX] {
            let outcome = get_as(version, pid, Some(&mut sets)).0;
            report(format_args!("capget of {pid}"), outcome);
            let outcome = set_as(version, pid, &sets);
            report(format_args!("capset of {pid}"), outcome);
        }
    }
}

/// One capability less at a time.
fn pieces() -> io::Result<()> {
    let all = get()?;
    let mut sets = all;
    sets[0][0] &= !(1 << 7);
    report("without setuid", set(&sets));
    report("setuid", setuid(5));
    show()?;
    report("with it again", set(&all));
    show()?;
    sets = all;
    sets[0][1] &= !(1 << 4);
    report("effective, not permitted", set(&sets));
    sets[0][0] &= !(1 << 4);
    report("fsetid gone", set(&sets));
    report("fsetid back", set(&all));
    sets[0][2] = 1;
    report("inheritable", set(&sets));
    println!("   inheritable {}", get()?[0][2]);
    sets[0][2] = 0;
    sets[1][1] |= 1 << 31;
    report("one that does not exist", set(&sets));
    show()
}

fn bounding() {
    const CHOWN: u64 = 0;
    report("bounding chown", prctl(libc::PR_CAPBSET_READ, &[CHOWN]));
    report("drop it", prctl(libc::PR_CAPBSET_DROP, &[CHOWN]));
    report("bounding chown", prctl(libc::PR_CAPBSET_READ, &[CHOWN]));
    for number in [63, 64, u64::MAX] {
        report("no such", prctl(libc::PR_CAPBSET_READ, &[number]));
        report("no such", prctl(libc::PR_CAPBSET_DROP, &[number]));
    }
}

/// Leaving root, but not its power.
fn kept() -> io::Result<()> {
    let options = [libc::PR_GET_KEEPCAPS, libc::PR_GET_NO_NEW_PRIVS];
    for option in options {
        report(format_args!("prctl {option}"), prctl(option, &[]));
    }
    report("keep 2", prctl(libc::PR_SET_KEEPCAPS, &[2]));
    report("keep", prctl(libc::PR_SET_KEEPCAPS, &[1]));
    report("no new 0", prctl(libc::PR_SET_NO_NEW_PRIVS, &[0]));
    report("no new", prctl(libc::PR_SET_NO_NEW_PRIVS, &[1]));
    for option in options {
        report(format_args!("prctl {option}"), prctl(option, &[]));
    }
    report("setuid", setuid(1000));
    show()?;
    report("setuid", setuid(1001));
    let mut sets = get()?;
    sets[0][0] = 1 << 7;
    report("setuid effective", set(&sets));
    report("setuid", setuid(1001));
    show()?;
    report("keep no more", prctl(libc::PR_SET_KEEPCAPS, &[0]));
    // Only leaving root takes them away.
    report("setuid", setuid(1002));
    show()?;
    report("setuid", setuid(0));
    show()?;
    report("setuid", setuid(1002));
    show()?;
    report("setuid", setuid(0));
    Ok(())
}

/// The name that `ps` shows.
pub fn name() -> io::Result<()> {
    let get = || {
        let mut name = [b'?'; 16];
        let outcome = prctl(libc::PR_GET_NAME, &[name.as_mut_ptr() as u64]);
        outcome.map(|_| name.escape_ascii().to_string())
    };
    let set = |name: &[u8]| {
        let outcome = prctl(libc::PR_SET_NAME, &[name.as_ptr() as u64]);
        report(name.escape_ascii(), outcome);
        report("   name", get());
    };
    report("name", get());
    for name in [
        &b"short\0"[..],
        b"\0",
        b"fifteen letters\0",
        b"sixteen letters!\0",
    ] {
        set(name);
    }
    report("nowhere", prctl(libc::PR_SET_NAME, &[8]));
    report("to nowhere", prctl(libc::PR_GET_NAME, &[8]));
    report("   name", get());
    report("no such option", prctl(0x7777, &[]));
    Ok(())
}
