//! The largest size that a file may have: `RLIMIT_FSIZE`, and SIGXFSZ, which is ignored here.

use libc::{O_CREAT, O_RDWR, SEEK_SET, SIG_IGN, SIGXFSZ};
use std::io;
use test_support::files::{Scratch, fstat, make};
use test_support::sys::{self, close, copy_file_range, open, sendfile};
use test_support::{Outcome, report};

const LIMIT: i64 = 20;

/// Makes a call while the limit holds. What this program prints may go to a file, too.
fn limited(act: impl FnOnce() -> Outcome) -> Outcome {
    set(LIMIT as u64)?;
    let outcome = act();
    set(libc::RLIM_INFINITY)?;
    outcome
}

fn set(soft: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the call reads a structure that is there.
    match unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    // SAFETY: no handler, and nobody else cares for the signal.
    unsafe { libc::signal(SIGXFSZ, SIG_IGN) };
    make("from", b"0123456789")?;
    let from = open("from", O_RDWR, 0)?;
    let to = open("to", O_RDWR | O_CREAT, 0o644)?;
    for (what, at, bytes) in [
        ("inside", 0, &b"0123456789"[..]),
        ("across", 15, b"0123456789"),
        ("at", 20, b"x"),
        ("nothing at", 20, b""),
        ("behind", 100, b"x"),
    ] {
        report(
            format_args!("write {what} the limit"),
            limited(|| sys::pwrite(to, bytes, at)),
        );
    }
    for size in [LIMIT + 1, LIMIT, 5, LIMIT] {
        report(
            format_args!("truncate to {size}"),
            limited(|| sys::ftruncate(to, size)),
        );
        report(
            format_args!("allocate {size}"),
            limited(|| sys::fallocate(to, 0, 0, size)),
        );
        report(
            format_args!("allocate {size} and keep"),
            limited(|| sys::fallocate(to, 1, 0, size)),
        );
    }
    for at in [15, 20, 30] {
        sys::lseek(to, at, SEEK_SET)?;
        let mut start = 0_i64;
        let place = std::ptr::from_mut(&mut start) as u64;
        report(
            format_args!("send to {at}"),
            limited(|| sendfile(to, from, place, 10)),
        );
        for count in [10, 0] {
            let (mut start, mut goal) = (0_i64, at);
            let places = [&mut start, &mut goal].map(|place| std::ptr::from_mut(place) as u64);
            report(
                format_args!("copy {count} to {at}"),
                limited(|| copy_file_range(from, places[0], to, places[1], count, 0)),
            );
        }
    }
    // What is larger already stays so, and can be written inside the limit.
    sys::ftruncate(to, 100)?;
    report("write inside", limited(|| sys::pwrite(to, b"x", 3)));
    report(
        "write in what is there",
        limited(|| sys::pwrite(to, b"x", 50)),
    );
    report("shrink a little", limited(|| sys::ftruncate(to, 90)));
    report("the same size", limited(|| sys::ftruncate(to, 90)));
    report("a hole", limited(|| sys::fallocate(to, 3, 0, 50)));
    report("size", fstat(to).map(|stat| stat.st_size));
    close(from)?;
    close(to)?;
    Ok(())
}
