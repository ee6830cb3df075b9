//! Names of error numbers.

use std::io;

/// The symbolic name of an error number (`ENOENT`), or its text when it has no number or one
/// that is not listed here.
pub fn errno_name(error: &io::Error) -> String {
    let Some(number) = error.raw_os_error() else {
        return error.to_string();
    };
    let name = NAMES.iter().find(|(known, _)| *known == number);
    name.map_or_else(|| format!("errno {number}"), |(_, name)| (*name).to_owned())
}

macro_rules! names {
    ($($name:ident)*) => { [$((libc::$name, stringify!($name))),*] };
}

const NAMES: [(i32, &str); 48] = names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT
    ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG
    ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY
    ELOOP ENODATA EOVERFLOW EOPNOTSUPP ENOTSOCK EADDRINUSE ETIMEDOUT ESTALE EDQUOT
};
