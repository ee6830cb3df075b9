//! Why a row stops.

use linux_names::Errno;
use std::fmt;
use std::io;

/// A system call that did not do what it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The call's constant: `SYS_read`, or `read`.
    call: &'static str,
    /// What it returned: a negated error number, or a wrong result.
    result: i64,
}

impl Stop {
    /// The call returned `result` and should not have. Never inlined: this is the way out of the
    /// measured loops, and not a part of them.
    #[cold]
    #[inline(never)]
    pub const fn new(call: &'static str, result: i64) -> Self {
        Self { call, result }
    }

    /// The call failed with this error number.
    pub fn with_errno(call: &'static str, errno: i32) -> Self {
        Self::new(call, -i64::from(errno))
    }

    /// A function of `std` that makes this call has failed.
    pub fn from_io(call: &'static str, error: &io::Error) -> Self {
        Self::with_errno(call, error.raw_os_error().unwrap_or(libc::EIO))
    }

    /// Whether the kernel does not have the call.
    pub fn is_missing(&self) -> bool {
        self.errno() == Some(libc::ENOSYS)
    }

    /// The call's name, as in the manual.
    pub fn call(&self) -> &'static str {
        self.call.strip_prefix("SYS_").unwrap_or(self.call)
    }

    /// The error's symbolic name, or `RESULT=N` for a call that succeeded with a wrong result.
    pub fn error(&self) -> String {
        let Some(number) = self.errno() else {
            return format!("RESULT={}", self.result);
        };
        let name = Errno::new(number).name();
        name.map_or_else(|| format!("E{number}"), str::to_owned)
    }

    /// The error number, if the result is one: those are -4095 to -1.
    fn errno(&self) -> Option<i32> {
        let number = i32::try_from(self.result.checked_neg()?).ok()?;
        (1..=4095).contains(&number).then_some(number)
    }
}

/// The status column: `missing CALL ENOSYS` or `failed ERROR CALL`.
impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (call, error) = (self.call(), self.error());
        if self.is_missing() {
            write!(f, "missing {call} {error}")
        } else {
            write!(f, "failed {error} {call}")
        }
    }
}

/// Stops the row with `call`'s name unless what the call left behind is right.
///
/// # Errors
/// `RESULT=0` when it is not.
pub fn verify(right: bool, call: &'static str) -> Result<(), Stop> {
    if right {
        Ok(())
    } else {
        Err(Stop::new(call, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_call_is_told_from_a_failed_one() {
        let text = |call, result| Stop::new(call, result).to_string();
        assert_eq!(text("SYS_pipe2", -38), "missing pipe2 ENOSYS");
        assert_eq!(text("SYS_read", -9), "failed EBADF read");
        assert_eq!(text("clone3", -11), "failed EAGAIN clone3");
        assert_eq!(text("SYS_read", 7), "failed RESULT=7 read");
        assert_eq!(text("SYS_read", -4000), "failed E4000 read");
        assert_eq!(text("SYS_brk", -4096), "failed RESULT=-4096 brk");
        assert_eq!(text("SYS_brk", i64::MIN).split('=').count(), 2);
    }
}
