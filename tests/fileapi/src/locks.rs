//! Locks on files, as far as one process can see them: POSIX locks are the process's, those of an
//! open file description (OFD) are the description's, and flock(2) is apart from both.

use libc::{
    F_GETLK, F_OFD_GETLK, F_OFD_SETLK, F_RDLCK, F_SETLK, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_NB,
    LOCK_SH, LOCK_UN, O_RDONLY, O_RDWR, O_WRONLY, SEEK_CUR, SEEK_END, SEEK_SET,
};
use std::io;
use std::mem::zeroed;
use test_support::files::{Scratch, make};
use test_support::report;
use test_support::sys::{self, close, flock, open};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    make("file", &[b'x'; 100])?;
    posix()?;
    descriptions()?;
    splitting()?;
    refused()?;
    whole_files()
}

/// Locks or asks; the outcome of asking is what the structure says then.
fn lock(fd: i64, command: i32, kind: i32, range: (i32, i64, i64)) -> io::Result<String> {
    // SAFETY: a structure of integers, which may all be 0.
    let mut lock: libc::flock = unsafe { zeroed() };
    lock.l_type = kind as i16;
    (lock.l_whence, lock.l_start, lock.l_len) = (range.0 as i16, range.1, range.2);
    sys::fcntl(fd, command, (&raw mut lock) as i64)?;
    if command != F_GETLK && command != F_OFD_GETLK {
        return Ok("ok".to_owned());
    }
    let kind = match i32::from(lock.l_type) {
        F_RDLCK => "read",
        F_WRLCK => "write",
        _ => return Ok("free".to_owned()),
    };
    let own = i64::from(lock.l_pid) == i64::from(std::process::id());
    let owner = if own {
        "own".to_owned()
    } else {
        lock.l_pid.to_string()
    };
    Ok(format!(
        "{kind} lock of {owner} at {} for {} from {}",
        lock.l_start, lock.l_len, lock.l_whence
    ))
}

const ALL: (i32, i64, i64) = (SEEK_SET, 0, 0);

fn posix() -> io::Result<()> {
    let one = open("file", O_RDWR, 0)?;
    let two = open("file", O_RDWR, 0)?;
    report("read lock", lock(one, F_SETLK, F_RDLCK, ALL));
    report(
        "write lock, another descriptor",
        lock(two, F_SETLK, F_WRLCK, ALL),
    );
    report("one's own is no obstacle", lock(one, F_GETLK, F_WRLCK, ALL));
    report(
        "an OFD lock would meet",
        lock(two, F_OFD_GETLK, F_RDLCK, ALL),
    );
    report("an OFD lock", lock(two, F_OFD_SETLK, F_RDLCK, ALL));
    report("unlock", lock(one, F_SETLK, F_UNLCK, ALL));
    report(
        "an OFD lock now",
        lock(two, F_OFD_SETLK, F_WRLCK, (SEEK_SET, 10, 5)),
    );
    report("a POSIX lock meets", lock(one, F_GETLK, F_RDLCK, ALL));
    report(
        "a POSIX lock beside it",
        lock(one, F_SETLK, F_WRLCK, (SEEK_SET, 0, 10)),
    );
    report(
        "a POSIX lock across it",
        lock(one, F_SETLK, F_RDLCK, (SEEK_SET, 0, 11)),
    );
    // Closing any descriptor of the file drops the process's locks, OFD locks stay.
    let three = open("file", O_RDONLY, 0)?;
    close(three)?;
    report(
        "POSIX locks after a close",
        lock(two, F_OFD_GETLK, F_WRLCK, (SEEK_SET, 0, 10)),
    );
    report(
        "OFD locks after a close",
        lock(one, F_GETLK, F_WRLCK, (SEEK_SET, 0, 50)),
    );
    close(two)?;
    report(
        "OFD locks after their own",
        lock(one, F_GETLK, F_WRLCK, ALL),
    );
    close(one)?;
    Ok(())
}

fn descriptions() -> io::Result<()> {
    let one = open("file", O_RDWR, 0)?;
    let two = open("file", O_RDWR, 0)?;
    let copy = sys::dup(one)?;
    for (mine, theirs) in [
        (F_RDLCK, F_RDLCK),
        (F_RDLCK, F_WRLCK),
        (F_WRLCK, F_RDLCK),
        (F_WRLCK, F_WRLCK),
    ] {
        report(
            format_args!("one {mine}"),
            lock(one, F_OFD_SETLK, mine, ALL),
        );
        report(
            format_args!("two asks {theirs}"),
            lock(two, F_OFD_GETLK, theirs, ALL),
        );
        report(
            format_args!("two {theirs}"),
            lock(two, F_OFD_SETLK, theirs, ALL),
        );
        report(
            format_args!("the copy {theirs}"),
            lock(copy, F_OFD_SETLK, theirs, ALL),
        );
        report(
            "unlock one by the copy",
            lock(copy, F_OFD_SETLK, F_UNLCK, ALL),
        );
        report("unlock two", lock(two, F_OFD_SETLK, F_UNLCK, ALL));
    }
    report("lock by the copy", lock(copy, F_OFD_SETLK, F_WRLCK, ALL));
    close(copy)?;
    report(
        "it stays while one is open",
        lock(two, F_OFD_GETLK, F_WRLCK, ALL),
    );
    close(one)?;
    report(
        "and goes with the last",
        lock(two, F_OFD_GETLK, F_WRLCK, ALL),
    );
    close(two)?;
    Ok(())
}

/// Locks split, shrink and join.
fn splitting() -> io::Result<()> {
    let one = open("file", O_RDWR, 0)?;
    let two = open("file", O_RDWR, 0)?;
    let show = |what: &str| {
        let at = |from: i64| {
            let told = lock(two, F_OFD_GETLK, F_WRLCK, (SEEK_SET, from, 1));
            told.map_or('?', |text| match text.get(..1) {
                Some("w") => 'w',
                Some("r") => 'r',
                _ => '.',
            })
        };
        println!("{what}: {}", (0..60).map(at).collect::<String>());
    };
    let steps = [
        ("write 10 for 30", F_WRLCK, (SEEK_SET, 10, 30)),
        ("unlock 20 for 5", F_UNLCK, (SEEK_SET, 20, 5)),
        ("read 15 for 15", F_RDLCK, (SEEK_SET, 15, 15)),
        ("write 20 for 2", F_WRLCK, (SEEK_SET, 20, 2)),
        ("read 14 for 30", F_RDLCK, (SEEK_SET, 14, 30)),
        ("write back 30 for -10", F_WRLCK, (SEEK_SET, 30, -10)),
        ("unlock 12 on", F_UNLCK, (SEEK_SET, 12, 0)),
        ("read at the offset", F_RDLCK, (SEEK_CUR, 2, 3)),
        ("read before the end", F_RDLCK, (SEEK_END, -60, 5)),
        ("write on to the end of all", F_WRLCK, (SEEK_SET, 55, 0)),
        ("unlock all", F_UNLCK, ALL),
    ];
    sys::lseek(one, 25, SEEK_SET)?;
    for (name, kind, range) in steps {
        report(name, lock(one, F_OFD_SETLK, kind, range));
        show("    now");
    }
    close(one)?;
    close(two)?;
    Ok(())
}

fn refused() -> io::Result<()> {
    let read = open("file", O_RDONLY, 0)?;
    let write = open("file", O_WRONLY, 0)?;
    let both = open("file", O_RDWR, 0)?;
    let place = open("file", libc::O_PATH, 0)?;
    for (name, command) in [("POSIX", F_SETLK), ("OFD", F_OFD_SETLK)] {
        report(
            format_args!("{name} write lock, read-only"),
            lock(read, command, F_WRLCK, ALL),
        );
        report(
            format_args!("{name} read lock, write-only"),
            lock(write, command, F_RDLCK, ALL),
        );
        report(
            format_args!("{name} place"),
            lock(place, command, F_RDLCK, ALL),
        );
        report(
            format_args!("{name} closed"),
            lock(987, command, F_RDLCK, ALL),
        );
        report(
            format_args!("{name} unknown kind"),
            lock(both, command, 7, ALL),
        );
        report(
            format_args!("{name} unknown whence"),
            lock(both, command, F_RDLCK, (3, 0, 0)),
        );
        report(
            format_args!("{name} before the start"),
            lock(both, command, F_RDLCK, (SEEK_SET, -1, 1)),
        );
        report(
            format_args!("{name} back too far"),
            lock(both, command, F_RDLCK, (SEEK_SET, 5, -6)),
        );
        report(
            format_args!("{name} back just so far"),
            lock(both, command, F_RDLCK, (SEEK_SET, 5, -5)),
        );
        report(
            format_args!("{name} too far"),
            lock(both, command, F_RDLCK, (SEEK_SET, i64::MAX, 2)),
        );
        report(
            format_args!("{name} just so far"),
            lock(both, command, F_RDLCK, (SEEK_SET, i64::MAX, 1)),
        );
        report(
            format_args!("{name} unlock"),
            lock(both, command, F_UNLCK, ALL),
        );
    }
    report("asking to unlock", lock(both, F_GETLK, F_UNLCK, ALL));
    for command in [F_SETLK, F_GETLK, F_OFD_SETLK] {
        report(
            format_args!("command {command}, no structure"),
            sys::fcntl(both, command, 0),
        );
    }
    // SAFETY: a structure of integers, which may all be 0.
    let mut owned: libc::flock = unsafe { zeroed() };
    owned.l_pid = 1;
    report(
        "an OFD lock with an owner",
        sys::fcntl(both, F_OFD_SETLK, (&raw mut owned) as i64),
    );
    let [reader, writer] = sys::pipe2(0)?;
    report("a pipe", lock(reader, F_SETLK, F_RDLCK, ALL));
    for fd in [read, write, both, place, reader, writer] {
        close(fd)?;
    }
    Ok(())
}

/// flock(2).
fn whole_files() -> io::Result<()> {
    let one = open("file", O_RDONLY, 0)?;
    let two = open("file", O_RDWR, 0)?;
    let copy = sys::dup(one)?;
    report("one shared", flock(one, LOCK_SH));
    report("two shared", flock(two, LOCK_SH | LOCK_NB));
    report("two exclusive", flock(two, LOCK_EX | LOCK_NB));
    report("one unlocks", flock(one, LOCK_UN));
    report("two exclusive", flock(two, LOCK_EX | LOCK_NB));
    report("one shared", flock(one, LOCK_SH | LOCK_NB));
    report("a POSIX lock is apart", lock(one, F_SETLK, F_RDLCK, ALL));
    report("an OFD lock is apart", lock(one, F_OFD_GETLK, F_RDLCK, ALL));
    report("two unlocks", flock(two, LOCK_UN));
    report("two unlocks again", flock(two, LOCK_UN));
    report("copy exclusive", flock(copy, LOCK_EX | LOCK_NB));
    report("one again", flock(one, LOCK_EX | LOCK_NB));
    report("two", flock(two, LOCK_EX | LOCK_NB));
    close(copy)?;
    report("two, the copy closed", flock(two, LOCK_EX | LOCK_NB));
    close(one)?;
    report("two, both closed", flock(two, LOCK_EX | LOCK_NB));
    for operation in [0, LOCK_NB, 3, 16, LOCK_SH | LOCK_EX, LOCK_UN | LOCK_EX] {
        report(format_args!("operation {operation}"), flock(two, operation));
    }
    report("closed", flock(987, LOCK_SH));
    sys::mkdir("dir", 0o755)?;
    let dir = open("dir", O_RDONLY, 0)?;
    report("a directory", flock(dir, LOCK_EX | LOCK_NB));
    let [reader, writer] = sys::pipe2(0)?;
    report("a pipe", flock(reader, LOCK_EX | LOCK_NB));
    for fd in [two, dir, reader, writer] {
        close(fd)?;
    }
    Ok(())
}
