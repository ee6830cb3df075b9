//! The text of a call: the beginning of a path or of a buffer, copied with care.

use super::ring::{Record, TEXT};
use crate::errno::Errno;
use crate::uaccess::{UserPtr, UserSlice, read_path};
use linux_raw_sys::general as nr;

/// Which argument of a call is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// None of them.
    None,
    /// A path, NUL-terminated, read before the call.
    Path(usize),
    /// A buffer and its length, read before the call.
    In(usize, usize),
    /// A buffer that the call fills with as many bytes as its result says.
    Out(usize),
}

/// Which argument of call `number` is text; of two paths the first one.
#[inline(always)]
pub const fn of(number: u32) -> Text {
    match number {
        nr::__NR_open
        | nr::__NR_creat
        | nr::__NR_stat
        | nr::__NR_lstat
        | nr::__NR_access
        | nr::__NR_truncate
        | nr::__NR_chdir
        | nr::__NR_rename
        | nr::__NR_mkdir
        | nr::__NR_rmdir
        | nr::__NR_link
        | nr::__NR_unlink
        | nr::__NR_symlink
        | nr::__NR_readlink
        | nr::__NR_chmod
        | nr::__NR_chown
        | nr::__NR_lchown
        | nr::__NR_mknod
        | nr::__NR_execve
        | nr::__NR_symlinkat => Text::Path(0),
        nr::__NR_openat
        | nr::__NR_newfstatat
        | nr::__NR_statx
        | nr::__NR_faccessat
        | nr::__NR_faccessat2
        | nr::__NR_mkdirat
        | nr::__NR_mknodat
        | nr::__NR_unlinkat
        | nr::__NR_renameat
        | nr::__NR_renameat2
        | nr::__NR_linkat
        | nr::__NR_readlinkat
        | nr::__NR_fchmodat
        | nr::__NR_fchmodat2
        | nr::__NR_fchownat
        | nr::__NR_utimensat => Text::Path(1),
        nr::__NR_write | nr::__NR_pwrite64 => Text::In(1, 2),
        nr::__NR_read | nr::__NR_pread64 => Text::Out(1),
        nr::__NR_getcwd | nr::__NR_getrandom => Text::Out(0),
        _ => Text::None,
    }
}

/// Attaches the beginning of the path at `address`; nothing when it cannot be read.
#[inline(never)]
pub fn path(record: &Record, address: usize) {
    let mut room = [0; TEXT];
    match read_path(UserPtr::new(address), &mut room).map(<[u8]>::len) {
        Ok(len) => record.attach(&room, len, false),
        Err(Errno::ENAMETOOLONG) => record.attach(&room, TEXT, true),
        Err(_) => {}
    }
}

/// Attaches the beginning of the `len` bytes at `address`; nothing when they cannot be read.
#[inline(never)]
pub fn bytes(record: &Record, address: usize, len: usize) {
    let mut room = [0; TEXT];
    if let Ok(read @ 1..) = UserSlice::new(address, len.min(TEXT)).read(&mut room) {
        record.attach(&room, read, read < len);
    }
}

#[cfg(test)]
mod tests {
    use super::super::ring::Kind;
    use super::*;

    fn attached(attach: impl FnOnce(&Record)) -> (Vec<u8>, bool) {
        let record = Record::new();
        record.set(Kind::Syscall, 0, 0);
        attach(&record);
        let event = record.read().unwrap();
        (event.text[..event.text_len].to_vec(), event.cut)
    }

    #[test]
    fn text_is_cut_at_32_bytes_and_says_so() {
        let long = [b'a'; 40];
        let at = long.as_ptr() as usize;
        assert_eq!(attached(|r| bytes(r, at, 40)), (vec![b'a'; 32], true));
        assert_eq!(attached(|r| bytes(r, at, 32)), (vec![b'a'; 32], false));
        assert_eq!(attached(|r| bytes(r, at, 0)), (vec![], false));
        assert_eq!(attached(|r| path(r, at)), (vec![b'a'; 32], true));
        let short = b"/etc/hosts\0rest".as_ptr() as usize;
        assert_eq!(
            attached(|r| path(r, short)),
            (b"/etc/hosts".to_vec(), false)
        );
    }

    #[test]
    fn bad_pointers_leave_no_text() {
        for bad in [usize::MAX, 1 << 63] {
            assert_eq!(attached(|r| path(r, bad)), (vec![], false));
            assert_eq!(attached(|r| bytes(r, bad, 8)), (vec![], false));
        }
    }

    #[test]
    fn fast_handlers_have_no_text() {
        use crate::shim::{Class, ROWS};
        // Copying text may use vector registers, which these do not save.
        let fast = ROWS.iter().filter(|row| row.class == Class::Fast);
        assert!(fast.clone().count() > 0);
        assert!(fast.clone().all(|row| of(row.nr) == Text::None));
    }
}
