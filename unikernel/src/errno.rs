//! Error numbers as a type.
//!
//! A handler returns `Result<usize, Errno>`; the dispatcher negates once, in one place
//! ([`encode`]), which is the convention of syscall(2): values in `-4095..=-1` are errors.

use linux_raw_sys::errno as raw;

/// A Linux error number (errno(3)), always in `1..=4095`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(u16);

/// What a system call handler returns: the value for `rax`, or an error number.
pub type SysResult = Result<usize, Errno>;

macro_rules! errnos {
    ($($name:ident)*) => {
        #[allow(missing_docs, reason = "the names are errno(3)'s own")]
        impl Errno {
            $(pub const $name: Errno = Errno(raw::$name as u16);)*

            /// The symbolic name, or `None` for a number this library never returns.
            pub fn name(self) -> Option<&'static str> {
                $(if self == Self::$name { return Some(stringify!($name)); })*
                None
            }
        }
    };
}

errnos! {
    E2BIG EACCES EAGAIN EBADF EBUSY ECHILD EDOM EEXIST EFAULT EFBIG EINTR EINVAL EIO EISDIR
    ELOOP EMFILE EMLINK ENAMETOOLONG ENFILE ENODEV ENOENT ENOEXEC ENOMEM ENOSPC ENOSYS ENOTDIR
    ENOLCK ENOTEMPTY ENOTTY ENXIO EOVERFLOW EPERM EPIPE ERANGE EROFS ESPIPE ESRCH ETIMEDOUT EXDEV
    EOPNOTSUPP ENODATA EDEADLK ENOTSOCK EISCONN ENOTCONN EPROTOTYPE EAFNOSUPPORT EPROTONOSUPPORT
    ESOCKTNOSUPPORT ECONNREFUSED ECONNRESET EADDRINUSE EMSGSIZE ENOPROTOOPT ETOOMANYREFS
}

/// Results that no program sees: a signal ended the call's wait, and what becomes of the call is
/// decided where the signal is delivered (include/linux/errno.h).
#[allow(missing_docs, reason = "the names are Linux's own")]
impl Errno {
    /// `EINTR` if a handler without SA_RESTART runs, else the call is made again.
    pub const ERESTARTSYS: Errno = Errno(512);
    /// The call is made again, whatever runs in between.
    pub const ERESTARTNOINTR: Errno = Errno(513);
    /// `EINTR` if a handler runs, else the call is made again.
    pub const ERESTARTNOHAND: Errno = Errno(514);
    /// `EINTR` if a handler runs, else restart_syscall(2) goes on with it.
    pub const ERESTART_RESTARTBLOCK: Errno = Errno(516);

    /// As who calls without a `syscall` instruction sees it: nobody makes the call again.
    pub const fn without_restart(self) -> Self {
        match self.0 {
            512..=516 => Self::EINTR,
            _ => self,
        }
    }
}

impl Errno {
    /// The error with a number, if it can be one (1 to 4095).
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            1..=4095 => Some(Self(number)),
            _ => None,
        }
    }

    /// The positive number, as `errno` would hold it.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl core::fmt::Debug for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

/// A handler's result as the value of `rax` (syscall(2)): the value itself, or `-errno`.
#[inline(always)]
pub const fn encode(result: SysResult) -> isize {
    match result {
        Ok(value) => value as isize,
        Err(errno) => -(errno.0 as isize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_negated_once() {
        assert_eq!(encode(Ok(7)), 7);
        assert_eq!(encode(Err(Errno::ENOSYS)), -38);
        assert_eq!(Errno::EFAULT.number(), 14);
        assert_eq!(format!("{:?}", Errno::EFAULT), "EFAULT");
    }
}
