//! What can be wrong with a command line, and what to do about it.

use super::{MAX_LINE, MAX_WORDS};
use core::fmt;

/// What is wrong with a command line.
#[derive(Debug, PartialEq, Eq)]
pub enum Error<'a> {
    /// A `lintel.` word that is not known.
    Unknown(&'a [u8]),
    /// A known key with a value it cannot have.
    Value(&'a [u8]),
    /// A quote without its partner, or a bad escape.
    Quote,
    /// A profile is asked of a kernel without the profiler.
    NoProfiler,
    /// Events are asked of a kernel that keeps none.
    NoEvents,
    /// Too many words or bytes.
    TooLong,
}

impl fmt::Display for Error<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes| core::str::from_utf8(bytes).unwrap_or("(not UTF-8)");
        match self {
            Error::Unknown(word) => write!(
                f,
                "unknown option `{}` on the kernel command line; known: lintel.argv0 stdin tty err \
                 ctl debug tick clock lower cwd mark profile events doorbell console; put a program argument that looks like this \
                 in double quotes",
                text(word)
            ),
            Error::Value(word) => write!(
                f,
                "bad value in `{}` on the kernel command line",
                text(word)
            ),
            Error::Quote => f.write_str(
                "the kernel command line has an unclosed quote or an unknown escape; use \\\" \\\\ \
                 \\n \\t \\xHH inside double quotes",
            ),
            Error::NoProfiler => f.write_str(
                "this program was built without the profiler; use cargo lintel run --profile FILE, \
                 or the feature `profile` of the crate `lintel`",
            ),
            Error::NoEvents => f.write_str(
                "this program was built without the debug events; use cargo lintel run --debug \
                 strace, or the feature `events` of the crate `lintel`",
            ),
            Error::TooLong => write!(
                f,
                "the kernel command line is too long; at most {MAX_LINE} bytes and {MAX_WORDS} words"
            ),
        }
    }
}
