//! Names of values and flags; the numbers are those of the crate `libc`.

use std::fmt::Write;

/// A number with a name.
type Named = (u32, &'static str);

/// What the bits of an argument mean: the ones under `mask` are one of `values`, the others `flags`.
#[derive(Debug)]
pub struct Set {
    mask: u32,
    values: &'static [Named],
    flags: &'static [Named],
}

macro_rules! named {
    ($($name:ident)*) => { &[$((libc::$name as u32, stringify!($name))),*] };
}

macro_rules! sets {
    ($($name:ident: $mask:expr; $($value:ident)*; $($flag:ident)*;)*) => { $(
        pub static $name: Set = Set {
            mask: $mask,
            values: named!($($value)*),
            flags: named!($($flag)*),
        };
    )* };
}

/// All bits are the value.
const VALUE: u32 = u32::MAX;

// Flags of several bits stand before those of one.
sets! {
    OPEN: libc::O_ACCMODE as u32; O_RDONLY O_WRONLY O_RDWR;
        O_TMPFILE O_SYNC O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_DSYNC O_ASYNC
        O_DIRECT O_DIRECTORY O_NOFOLLOW O_NOATIME O_CLOEXEC O_PATH;
    OPEN_EXTRA: 0; ; O_CLOEXEC;
    WHENCE: VALUE; SEEK_SET SEEK_CUR SEEK_END SEEK_DATA SEEK_HOLE; ;
    CLOSE_RANGE: 0; ; CLOSE_RANGE_UNSHARE CLOSE_RANGE_CLOEXEC;
    FCNTL: VALUE; F_DUPFD F_GETFD F_SETFD F_GETFL F_SETFL F_GETLK F_SETLK F_SETLKW F_SETOWN
        F_GETOWN F_DUPFD_CLOEXEC F_SETPIPE_SZ F_GETPIPE_SZ; ;
    IOCTL: VALUE; TCGETS TCSETS TCSETSW TCSETSF TIOCGWINSZ TIOCSWINSZ FIONREAD FIONBIO FIOCLEX
        FIONCLEX; ;
    AT: 0; ; AT_SYMLINK_NOFOLLOW AT_NO_AUTOMOUNT AT_EMPTY_PATH;
    AT_ACCESS: 0; ; AT_SYMLINK_NOFOLLOW AT_EACCESS AT_EMPTY_PATH;
    AT_LINK: 0; ; AT_SYMLINK_FOLLOW AT_EMPTY_PATH;
    AT_REMOVE: 0; ; AT_REMOVEDIR;
    ACCESS: libc::R_OK as u32 | libc::W_OK as u32 | libc::X_OK as u32; F_OK; R_OK W_OK X_OK;
    PROT: 7; PROT_NONE; PROT_READ PROT_WRITE PROT_EXEC;
    MAP: libc::MAP_TYPE as u32; MAP_SHARED MAP_PRIVATE MAP_SHARED_VALIDATE;
        MAP_FIXED_NOREPLACE MAP_FIXED MAP_ANONYMOUS MAP_GROWSDOWN MAP_LOCKED MAP_NORESERVE
        MAP_POPULATE MAP_NONBLOCK MAP_STACK MAP_HUGETLB;
    MREMAP: 0; ; MREMAP_MAYMOVE MREMAP_FIXED MREMAP_DONTUNMAP;
    ADVICE: VALUE; MADV_NORMAL MADV_RANDOM MADV_SEQUENTIAL MADV_WILLNEED MADV_DONTNEED MADV_FREE
        MADV_HUGEPAGE MADV_NOHUGEPAGE MADV_DONTFORK MADV_DOFORK; ;
    MASK: VALUE; SIG_BLOCK SIG_UNBLOCK SIG_SETMASK; ;
    CLOCK: VALUE; CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_PROCESS_CPUTIME_ID CLOCK_THREAD_CPUTIME_ID
        CLOCK_MONOTONIC_RAW CLOCK_REALTIME_COARSE CLOCK_MONOTONIC_COARSE CLOCK_BOOTTIME CLOCK_TAI; ;
    TIMER: 0; ; TIMER_ABSTIME;
    FUTEX: 0x7f; FUTEX_WAIT FUTEX_WAKE FUTEX_REQUEUE FUTEX_CMP_REQUEUE FUTEX_WAKE_OP
        FUTEX_WAIT_BITSET FUTEX_WAKE_BITSET; FUTEX_PRIVATE_FLAG FUTEX_CLOCK_REALTIME;
    LIMIT: VALUE; RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS
        RLIMIT_NPROC RLIMIT_NOFILE RLIMIT_MEMLOCK RLIMIT_AS; ;
    RANDOM: 0; ; GRND_NONBLOCK GRND_RANDOM GRND_INSECURE;
}

/// `arch_prctl(2)`; the numbers are of `asm/prctl.h`.
pub static ARCH: Set = Set {
    mask: VALUE,
    values: &[
        (0x1001, "ARCH_SET_GS"),
        (0x1002, "ARCH_SET_FS"),
        (0x1003, "ARCH_GET_FS"),
        (0x1004, "ARCH_GET_GS"),
    ],
    flags: &[],
};

const SIGNALS: &[Named] = named!(
    SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2
    SIGPIPE SIGALRM SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG
    SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS
);

/// The name of a signal, or its number.
pub fn signal(number: u32) -> String {
    find(SIGNALS, number).map_or_else(|| number.to_string(), str::to_owned)
}

fn find(list: &[Named], number: u32) -> Option<&'static str> {
    list.iter().find(|named| named.0 == number).map(|n| n.1)
}

impl Set {
    /// The names, joined by `|`; what has none as a number.
    pub fn decode(&self, bits: u32) -> String {
        let mut text = String::new();
        let mut add = |name: &str| {
            let bar = if text.is_empty() { "" } else { "|" };
            let _ = write!(text, "{bar}{name}");
        };
        let mut rest = bits;
        if self.mask != 0
            && let Some(name) = find(self.values, bits & self.mask)
        {
            add(name);
            rest &= !self.mask;
        }
        for &(flag, name) in self.flags {
            if rest & flag == flag {
                add(name);
                rest &= !flag;
            }
        }
        if rest != 0 {
            add(&format!("{rest:#x}"));
        }
        if text.is_empty() { "0".into() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_flags_are_named() {
        assert_eq!(OPEN.decode(0o2000101), "O_WRONLY|O_CREAT|O_CLOEXEC");
        assert_eq!(OPEN.decode(0), "O_RDONLY");
        assert_eq!(PROT.decode(0), "PROT_NONE");
        assert_eq!(PROT.decode(5), "PROT_READ|PROT_EXEC");
        assert_eq!(ACCESS.decode(0), "F_OK");
        assert_eq!(ACCESS.decode(6), "R_OK|W_OK");
        assert_eq!(AT.decode(0), "0");
        assert_eq!(FUTEX.decode(0x81), "FUTEX_WAKE|FUTEX_PRIVATE_FLAG");
        assert_eq!(IOCTL.decode(0x5401), "TCGETS");
        assert_eq!(ARCH.decode(0x1002), "ARCH_SET_FS");
        assert_eq!(MAP.decode(0x22), "MAP_PRIVATE|MAP_ANONYMOUS");
    }

    #[test]
    fn what_has_no_name_is_a_number() {
        assert_eq!(WHENCE.decode(9), "0x9");
        assert_eq!(AT_REMOVE.decode(0x1200), "AT_REMOVEDIR|0x1000");
        assert_eq!(signal(0), "0");
        assert_eq!(signal(11), "SIGSEGV");
        assert_eq!(signal(64), "64");
    }

    #[test]
    fn every_flag_can_be_reached() {
        for set in [&OPEN, &MAP, &AT, &FUTEX, &PROT, &ACCESS] {
            for &(bits, name) in set.flags {
                let text = set.decode(bits);
                assert!(text.split('|').any(|part| part == name), "{name}: {text}");
            }
        }
    }
}
