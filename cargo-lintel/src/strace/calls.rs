//! What the arguments of system calls are.

use super::tables::{self as t, Set};

/// How an argument reads.
#[derive(Debug, Clone, Copy)]
pub enum Arg {
    /// An `int`: a descriptor, an id, a count.
    Int,
    /// A signed word: an offset.
    Long,
    /// An unsigned word: a length.
    Size,
    /// Bits without names, 32 of them.
    Hex,
    /// Permission bits.
    Octal,
    /// A descriptor of a directory, or `AT_FDCWD`.
    Directory,
    /// A signal.
    Signal,
    /// A value or flags with names.
    Set(&'static Set),
    /// The pointer to the text of the event.
    Text,
    /// The same when its NUL is counted.
    Name,
    /// Any other pointer.
    Pointer,
}

use Arg::{Directory, Hex, Int, Long, Name, Octal, Pointer, Signal, Size, Text};

const fn set(set: &'static Set) -> Arg {
    Arg::Set(set)
}

/// The arguments of the call `name`; those that are not listed are pointers.
#[rustfmt::skip]
pub fn arguments(name: &str) -> &'static [Arg] {
    match name {
        "read" | "write" => &[Int, Text, Size],
        "pread64" | "pwrite64" => &[Int, Text, Size, Long],
        "readv" | "writev" => &[Int, Pointer, Int],
        "preadv" | "pwritev" => &[Int, Pointer, Int, Long],
        "open" => &[Text, const { set(&t::OPEN) }, Octal],
        "openat" => &[Directory, Text, const { set(&t::OPEN) }, Octal],
        "creat" | "chmod" | "mkdir" => &[Text, Octal],
        "close" | "dup" | "fsync" | "fdatasync" | "fchdir" | "umask" | "exit" | "exit_group"
            | "getpgid" | "getsid" => &[Int],
        "lseek" => &[Int, Long, const { set(&t::WHENCE) }],
        "truncate" => &[Text, Long],
        "ftruncate" => &[Int, Long],
        "close_range" => &[Int, Int, const { set(&t::CLOSE_RANGE) }],
        "dup2" => &[Int, Int],
        "dup3" => &[Int, Int, const { set(&t::OPEN_EXTRA) }],
        "fcntl" => &[Int, const { set(&t::FCNTL) }, Hex],
        "ioctl" => &[Int, const { set(&t::IOCTL) }, Pointer],
        "chdir" | "unlink" | "rmdir" | "stat" | "lstat" | "rename" | "link" | "symlink" => &[Text],
        "fstat" | "getdents64" => &[Int, Pointer, Size],
        "getcwd" => &[Name, Size],
        "readlink" => &[Text, Pointer, Size],
        "readlinkat" => &[Directory, Text, Pointer, Size],
        "newfstatat" => &[Directory, Text, Pointer, const { set(&t::AT) }],
        "statx" => &[Directory, Text, const { set(&t::AT) }, Hex, Pointer],
        "access" => &[Text, const { set(&t::ACCESS) }],
        "faccessat" | "faccessat2" =>
            &[Directory, Text, const { set(&t::ACCESS) }, const { set(&t::AT_ACCESS) }],
        "mkdirat" => &[Directory, Text, Octal],
        "mknod" => &[Text, Octal, Hex],
        "mknodat" => &[Directory, Text, Octal, Hex],
        "symlinkat" => &[Text, Directory],
        "linkat" => &[Directory, Text, Directory, Pointer, const { set(&t::AT_LINK) }],
        "unlinkat" => &[Directory, Text, const { set(&t::AT_REMOVE) }],
        "renameat" | "renameat2" => &[Directory, Text, Directory, Pointer, Hex],
        "fchmod" => &[Int, Octal],
        "fchmodat" => &[Directory, Text, Octal],
        "fchmodat2" => &[Directory, Text, Octal, const { set(&t::AT) }],
        "chown" | "lchown" => &[Text, Int, Int],
        "fchown" => &[Int, Int, Int],
        "fchownat" => &[Directory, Text, Int, Int, const { set(&t::AT) }],
        "utimensat" => &[Directory, Text, Pointer, const { set(&t::AT) }],
        "poll" => &[Pointer, Size, Int],
        "ppoll" => &[Pointer, Size, Pointer, Pointer, Size],
        "select" | "pselect6" => &[Int],
        "mmap" => &[Pointer, Size, const { set(&t::PROT) }, const { set(&t::MAP) }, Int, Long],
        "mprotect" => &[Pointer, Size, const { set(&t::PROT) }],
        "munmap" | "mincore" => &[Pointer, Size, Pointer],
        "mremap" => &[Pointer, Size, Size, const { set(&t::MREMAP) }, Pointer],
        "madvise" => &[Pointer, Size, const { set(&t::ADVICE) }],
        "rt_sigaction" => &[Signal, Pointer, Pointer, Size],
        "rt_sigprocmask" => &[const { set(&t::MASK) }, Pointer, Pointer, Size],
        "kill" | "tkill" => &[Int, Signal],
        "tgkill" => &[Int, Int, Signal],
        "clock_gettime" | "clock_getres" => &[const { set(&t::CLOCK) }, Pointer],
        "clock_nanosleep" =>
            &[const { set(&t::CLOCK) }, const { set(&t::TIMER) }, Pointer, Pointer],
        "arch_prctl" => &[const { set(&t::ARCH) }, Pointer],
        "set_robust_list" => &[Pointer, Size],
        "futex" => &[Pointer, const { set(&t::FUTEX) }, Int],
        "sched_getaffinity" => &[Int, Size, Pointer],
        "getgroups" => &[Int, Pointer],
        "prlimit64" => &[Int, const { set(&t::LIMIT) }, Pointer, Pointer],
        "getrlimit" | "setrlimit" => &[const { set(&t::LIMIT) }, Pointer],
        "getrandom" => &[Text, Size, const { set(&t::RANDOM) }],
        _ => &[],
    }
}
