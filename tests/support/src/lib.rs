//! What the two-lives tests share: raw system calls, and a report whose every line is
//! `what -> result` or `what -> ERRNO`.
//!
//! ```
//! test_support::report("getpid", test_support::call(libc::SYS_getpid, &[]).map(|pid| pid > 0));
//! // getpid -> true
//! ```

mod errno;
pub mod files;
pub mod sys;

pub use errno::errno_name;

use std::fmt::Display;
use std::io;

/// What a system call returned.
pub type Outcome = io::Result<i64>;

/// Makes the system call `number` through the C library's `syscall`, past its wrappers, with up
/// to six arguments; the rest are 0. Arguments that are pointers may be bad: that is what many
/// tests are about.
///
/// # Errors
/// What the call reports.
///
/// # Panics
/// With more than six arguments.
pub fn call(number: i64, args: &[u64]) -> Outcome {
    let mut a = [0_u64; 6];
    a[..args.len()].copy_from_slice(args);
    // SAFETY: a test's own affair: pointers among the arguments lead to buffers of the test that
    // are large enough for the call, or nowhere.
    checked(unsafe { libc::syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]) })
}

/// The outcome of a function of the C library that returns -1 and sets `errno` when it fails.
///
/// # Errors
/// The error in `errno`.
pub fn checked(result: impl Into<i64>) -> Outcome {
    match result.into() {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}

/// Prints `what -> ` and the result or the name of the error.
pub fn report(what: impl Display, outcome: io::Result<impl Display>) {
    match outcome {
        Ok(result) => println!("{what} -> {result}"),
        Err(error) => println!("{what} -> {}", errno_name(&error)),
    }
}

/// The same, for a result that is not the same everywhere: `ok`, or the name of the error.
pub fn report_ok<T>(what: impl Display, outcome: io::Result<T>) {
    report(what, outcome.map(|_| "ok"));
}

/// An FNV-1a checksum of `bytes`.
pub fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// A part of a test that can be run alone: its name, and what it does.
pub type Section = (&'static str, fn() -> io::Result<()>);

/// Runs the sections named by the program's arguments, or all of them when there are none.
///
/// # Errors
/// The first error of a section, or an argument that names none.
pub fn run_sections(sections: &[Section]) -> io::Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted
        .iter()
        .find(|name| sections.iter().all(|s| s.0 != *name))
    {
        let known: Vec<&str> = sections.iter().map(|section| section.0).collect();
        let message = format!("no section {unknown:?}; there are {}", known.join(", "));
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    for (name, section) in sections {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            println!("[{name}]");
            section()?;
        }
    }
    Ok(())
}
