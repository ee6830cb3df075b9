//! The table: one row per system call, from which everything else is printed.
//!
//! A row names the call, its handler, the arity, the class (what the entry must save), how much of
//! the man page is covered, and what is missing. [`ENTRIES`] (the dispatch), [`CLASSES`], the
//! direct door and the compatibility page in `docs/` all come from it.

use super::arg::{Handler, ShortCut, arity};
use crate::errno::{Errno, encode};
use crate::profile::{self, Door};
use crate::{events, sched, sys};
use core::arch::global_asm;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use linux_raw_sys::general as nr;

/// Numbers below this are looked up; Linux 6.x ends at about 470.
pub const LIMIT: usize = 512;

/// What a handler needs from the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Kernel stack, vector registers saved.
    Full = 0,
    /// Caller's stack, no vector register touched (proved by the object check).
    Fast = 1,
    /// As `Fast` where a short cut ([`crate::sys::fast`]) can take the call, else as `Full`.
    Try = 2,
}

/// What a short cut returns, with the number of the call added, when it leaves the call to the
/// ordinary handler: less than every result, and the entry finds the number in its low bits.
pub const SLOW: isize = i32::MIN as isize;

/// Whether a result says that the call was left to the ordinary handler.
#[inline(always)]
pub const fn is_declined(result: isize) -> bool {
    result < -4096
}

/// How much of the man page a call covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// All of it, as far as a single process can tell.
    Complete,
    /// The part the note describes.
    Partial,
}

/// One row of the table, for documentation and tools.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// System call number (x86_64).
    pub nr: u32,
    /// Its name, as in syscalls(2).
    pub name: &'static str,
    /// Number of arguments.
    pub arity: u8,
    /// What the entry saves.
    pub class: Class,
    /// Coverage.
    pub level: Level,
    /// What is missing or particular.
    pub note: &'static str,
}

/// An entry of the dispatch table: six arguments in registers; the number on the stack.
type Entry = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize, usize) -> isize;

/// How often each unimplemented number was called; the last slot counts numbers out of range.
static UNKNOWN: [AtomicU32; LIMIT + 1] = [const { AtomicU32::new(0) }; LIMIT + 1];

/// Every number without a row: counted, and `ENOSYS`.
///
/// # Safety
/// Called by the shim's entry, with the number as the seventh argument.
#[cold]
pub unsafe extern "C" fn unknown(
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
    number: usize,
) -> isize {
    events::around(number as u32, [a, b, c, d, e, f], || {
        profile::around(number.min(LIMIT) as u32, None, || {
            UNKNOWN[number.min(LIMIT)].fetch_add(1, Relaxed);
            encode(Err(Errno::ENOSYS))
        })
    })
}

/// The unimplemented calls that were made, as (number, count).
pub fn unknown_calls() -> impl Iterator<Item = (usize, u32)> {
    UNKNOWN
        .iter()
        .enumerate()
        .map(|(n, count)| (n, count.load(Relaxed)))
        .filter(|c| c.1 != 0)
}

macro_rules! export_name {
    (Fast $name:ident $item:item) => {
        #[unsafe(export_name = concat!("lintel_fast_", stringify!($name)))]
        $item
    };
    (Full $name:ident $item:item) => {
        $item
    };
    (Try $name:ident $item:item) => {
        $item
    };
}

/// The entry of a row in the table of fast calls.
macro_rules! fast_entry {
    ($table:ident $number:ident Fast $name:ident) => {
        $table[nr::$number as usize] = Some(thunks::$name);
    };
    ($table:ident $number:ident Full $name:ident) => {};
    ($table:ident $number:ident Try $name:ident) => {
        $table[nr::$number as usize] = Some(short_cuts::$name);
    };
}

/// The thunk of a short cut.
macro_rules! short_cut {
    (Try $number:ident $name:ident $fast:path) => {
        #[unsafe(export_name = concat!("lintel_fast_", stringify!($name)))]
        pub(super) extern "C" fn $name(
            a: usize,
            b: usize,
            c: usize,
            d: usize,
            e: usize,
            f: usize,
        ) -> isize {
            // Events note strings, which takes more than a short cut has.
            const DECLINED: isize = SLOW + nr::$number as isize;
            if events::ENABLED {
                return DECLINED;
            }
            let args = [a, b, c, d, e, f];
            profile::around(nr::$number, None, || {
                ShortCut::call($fast, args).map_or(DECLINED, |value| value as isize)
            })
        }
    };
    ($class:ident $number:ident $name:ident) => {};
}

macro_rules! syscalls {
    ($($number:ident $name:ident($arity:literal) => $handler:path, $class:ident $(($fast:path))?, $level:ident, $note:literal;)*) => {
        /// The rows, in the order of this file.
        pub const ROWS: &[Row] = &[$(Row {
            nr: nr::$number,
            name: stringify!($name),
            arity: $arity,
            class: Class::$class,
            level: Level::$level,
            note: $note,
        }),*];

        mod thunks {
            use super::*;
            $(export_name! { $class $name
                pub(super) extern "C" fn $name(
                    a: usize, b: usize, c: usize, d: usize, e: usize, f: usize,
                ) -> isize {
                    let args = [a, b, c, d, e, f];
                    events::around(nr::$number, args, || {
                        profile::around(nr::$number, None, || encode($handler.call(args)))
                    })
                }
            })*
        }

        mod short_cuts {
            use super::*;
            $(short_cut! { $class $number $name $($fast)? })*
        }

        /// The calls that have a fast way in, by number.
        pub static FAST: [Option<SixArgs>; LIMIT] = {
            let mut table: [Option<SixArgs>; LIMIT] = [None; LIMIT];
            $(fast_entry! { table $number $class $name })*
            table
        };

        const _: () = { $(assert!(arity(&$handler) == $arity, stringify!($name));)* };

        const fn entries() -> [Entry; LIMIT] {
            let mut table: [Entry; LIMIT] = [unknown; LIMIT];
            $(
                // SAFETY: a function of six register arguments may be called with a seventh on
                // the stack; the caller of the C ABI owns and removes it.
                table[nr::$number as usize] = unsafe { core::mem::transmute::<SixArgs, Entry>(thunks::$name) };
            )*
            table
        }

        /// Calls `number` through the table at compile time when it is a constant: the direct door.
        #[inline(always)]
        pub fn direct(number: u32, args: [usize; 6]) -> isize {
            match number {
                $(nr::$number => {
                    if !matches!(Class::$class, Class::Fast) {
                        crate::mm::space::prepare_stack();
                    }
                    events::around(number, args, || {
                        profile::around(number, Some(Door::Direct), || {
                            encode($handler.call(args).map_err(Errno::without_restart))
                        })
                    })
                })*
                _ => encode(Err(Errno::ENOSYS)),
            }
        }
    };
}

type SixArgs = extern "C" fn(usize, usize, usize, usize, usize, usize) -> isize;

syscalls! {
    // Files.
    __NR_read read(3) => sys::file::read, Try(sys::fast::read), Complete, "";
    __NR_write write(3) => sys::file::write, Try(sys::fast::write), Complete, "";
    __NR_open open(3) => sys::file::open, Full, Complete, "";
    __NR_close close(1) => sys::file::close, Try(sys::fast::close), Complete, "";
    __NR_lseek lseek(3) => sys::file::lseek, Try(sys::fast::lseek), Complete, "";
    __NR_pread64 pread64(4) => sys::file::pread64, Try(sys::fast::pread64), Complete, "";
    __NR_pwrite64 pwrite64(4) => sys::file::pwrite64, Full, Complete, "";
    __NR_readv readv(3) => sys::file::readv, Full, Complete, "";
    __NR_writev writev(3) => sys::file::writev, Try(sys::fast::writev), Complete, "";
    __NR_openat openat(4) => sys::file::openat, Full, Complete, "";
    __NR_fsync fsync(1) => sys::file::fsync, Full, Complete, "";
    __NR_sendfile sendfile(4) => sys::copy::sendfile, Full, Partial, "files of processes in /proc can be sent, too";
    __NR_copy_file_range copy_file_range(6) => sys::copy::copy_file_range, Full, Complete, "";
    __NR_fallocate fallocate(4) => sys::space::fallocate, Full, Complete, "";
    __NR_fadvise64 fadvise64(4) => sys::space::fadvise64, Full, Complete, "";
    __NR_readahead readahead(3) => sys::space::readahead, Full, Complete, "";
    __NR_sync_file_range sync_file_range(4) => sys::space::sync_file_range, Full, Complete, "";
    __NR_memfd_create memfd_create(2) => sys::memfd::memfd_create, Full, Partial, "no huge pages (ENOSYS)";
    __NR_mount mount(5) => sys::mount::mount, Full, Partial, "tmpfs, devtmpfs, proc, sysfs, cgroup2; no MS_BIND, MS_MOVE, MS_SHARED, MS_UNBINDABLE, MS_STRICTATIME, MS_NOSYMFOLLOW (EINVAL)";
    __NR_umount2 umount2(2) => sys::mount::umount2, Full, Complete, "";
    __NR_fdatasync fdatasync(1) => sys::file::fdatasync, Full, Complete, "";
    __NR_ftruncate ftruncate(2) => sys::dir::ftruncate, Full, Complete, "";
    __NR_truncate truncate(2) => sys::dir::truncate, Full, Complete, "";
    __NR_preadv preadv(4) => sys::file::preadv, Full, Complete, "";
    __NR_pwritev pwritev(4) => sys::file::pwritev, Full, Complete, "";
    __NR_creat creat(2) => sys::file::creat, Full, Complete, "";
    __NR_close_range close_range(3) => sys::file::close_range, Full, Complete, "";
    __NR_dup dup(1) => sys::file::dup, Try(sys::fast::dup), Complete, "";
    __NR_dup2 dup2(2) => sys::file::dup2, Full, Complete, "";
    __NR_dup3 dup3(3) => sys::file::dup3, Full, Complete, "";
    __NR_fcntl fcntl(3) => sys::file::fcntl, Try(sys::fast::fcntl), Partial, "F_DUPFD(_CLOEXEC), F_GETFD, F_SETFD, F_GETFL, F_SETFL, locks, pipe sizes, seals; no owners, leases, notification";
    __NR_ioctl ioctl(3) => sys::file::ioctl, Full, Partial, "TCGETS, TCSETS(W,F), TIOCGWINSZ, TIOCSWINSZ, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX; termios kept, only what the console honours acts";
    __NR_flock flock(2) => sys::file::flock, Full, Complete, "";
    __NR_eventfd eventfd(1) => sys::event::eventfd, Full, Complete, "";
    __NR_eventfd2 eventfd2(2) => sys::event::eventfd2, Full, Complete, "";
    __NR_signalfd signalfd(3) => sys::event::signalfd, Full, Complete, "";
    __NR_signalfd4 signalfd4(4) => sys::event::signalfd4, Full, Complete, "";
    __NR_epoll_create epoll_create(1) => sys::event::epoll_create, Full, Complete, "";
    __NR_epoll_create1 epoll_create1(1) => sys::event::epoll_create1, Full, Complete, "";
    __NR_epoll_ctl epoll_ctl(4) => sys::event::epoll_ctl, Full, Complete, "";
    __NR_epoll_wait epoll_wait(4) => sys::event::epoll_wait, Full, Complete, "";
    __NR_epoll_pwait epoll_pwait(6) => sys::event::epoll_pwait, Full, Complete, "";
    __NR_epoll_pwait2 epoll_pwait2(6) => sys::event::epoll_pwait2, Full, Complete, "";
    __NR_socket socket(3) => sys::socket::socket, Full, Partial, "AF_UNIX only (EAFNOSUPPORT)";
    __NR_socketpair socketpair(4) => sys::socket::socketpair, Full, Partial, "AF_UNIX only (EAFNOSUPPORT)";
    __NR_bind bind(3) => sys::socket::bind, Full, Complete, "";
    __NR_listen listen(2) => sys::socket::listen, Full, Complete, "";
    __NR_accept accept(3) => sys::socket::accept, Full, Complete, "";
    __NR_accept4 accept4(4) => sys::socket::accept4, Full, Complete, "";
    __NR_connect connect(3) => sys::socket::connect, Full, Complete, "";
    __NR_getsockname getsockname(3) => sys::socket::getsockname, Full, Complete, "";
    __NR_getpeername getpeername(3) => sys::socket::getpeername, Full, Complete, "";
    __NR_sendto sendto(6) => sys::socket::sendto, Full, Partial, "no MSG_OOB (EOPNOTSUPP)";
    __NR_recvfrom recvfrom(6) => sys::socket::recvfrom, Full, Partial, "no MSG_OOB (EOPNOTSUPP)";
    __NR_sendmsg sendmsg(3) => sys::socket::sendmsg, Full, Partial, "SCM_RIGHTS, SCM_CREDENTIALS; no MSG_OOB";
    __NR_recvmsg recvmsg(3) => sys::socket::recvmsg, Full, Partial, "SCM_RIGHTS, SCM_CREDENTIALS; no MSG_OOB";
    __NR_sendmmsg sendmmsg(4) => sys::socket::sendmmsg, Full, Partial, "as sendmsg";
    __NR_recvmmsg recvmmsg(5) => sys::socket::recvmmsg, Full, Partial, "as recvmsg; an error after the first message is not kept";
    __NR_shutdown shutdown(2) => sys::socket::shutdown, Full, Complete, "";
    __NR_setsockopt setsockopt(5) => sys::socket::setsockopt, Full, Partial, "SO_RCVBUF, SO_SNDBUF, SO_RCVTIMEO, SO_SNDTIMEO, SO_PASSCRED; SO_REUSEADDR, SO_REUSEPORT, SO_KEEPALIVE, SO_BROADCAST, which do nothing on AF_UNIX";
    __NR_getsockopt getsockopt(5) => sys::socket::getsockopt, Full, Partial, "as setsockopt, and SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ERROR, SO_ACCEPTCONN, SO_PEERCRED";
    __NR_timerfd_create timerfd_create(2) => sys::timer::timerfd_create, Full, Partial, "no alarm clocks (EINVAL)";
    __NR_timerfd_settime timerfd_settime(4) => sys::timer::timerfd_settime, Full, Complete, "";
    __NR_timerfd_gettime timerfd_gettime(2) => sys::timer::timerfd_gettime, Full, Complete, "";
    __NR_inotify_init inotify_init(0) => sys::file::inotify_init, Full, Complete, "";
    __NR_inotify_init1 inotify_init1(1) => sys::file::inotify_init1, Full, Complete, "";
    __NR_inotify_add_watch inotify_add_watch(3) => sys::file::inotify_add_watch, Full, Complete, "";
    __NR_inotify_rm_watch inotify_rm_watch(2) => sys::file::inotify_rm_watch, Full, Complete, "";
    __NR_setxattr setxattr(5) => sys::xattr::setxattr::<sys::xattr::Files>, Full, Complete, "";
    __NR_lsetxattr lsetxattr(5) => sys::xattr::lsetxattr::<sys::xattr::Files>, Full, Complete, "";
    __NR_fsetxattr fsetxattr(5) => sys::xattr::fsetxattr::<sys::xattr::Files>, Full, Complete, "";
    __NR_getxattr getxattr(4) => sys::xattr::getxattr::<sys::xattr::Files>, Full, Complete, "";
    __NR_lgetxattr lgetxattr(4) => sys::xattr::lgetxattr::<sys::xattr::Files>, Full, Complete, "";
    __NR_fgetxattr fgetxattr(4) => sys::xattr::fgetxattr::<sys::xattr::Files>, Full, Complete, "";
    __NR_listxattr listxattr(3) => sys::xattr::listxattr::<sys::xattr::Files>, Full, Complete, "";
    __NR_llistxattr llistxattr(3) => sys::xattr::llistxattr::<sys::xattr::Files>, Full, Complete, "";
    __NR_flistxattr flistxattr(3) => sys::xattr::flistxattr::<sys::xattr::Files>, Full, Complete, "";
    __NR_removexattr removexattr(2) => sys::xattr::removexattr::<sys::xattr::Files>, Full, Complete, "";
    __NR_lremovexattr lremovexattr(2) => sys::xattr::lremovexattr::<sys::xattr::Files>, Full, Complete, "";
    __NR_fremovexattr fremovexattr(2) => sys::xattr::fremovexattr::<sys::xattr::Files>, Full, Complete, "";
    __NR_umask umask(1) => sys::file::umask, Full, Complete, "";
    __NR_chdir chdir(1) => sys::dir::chdir, Full, Complete, "";
    __NR_fchdir fchdir(1) => sys::dir::fchdir, Full, Complete, "";
    __NR_getcwd getcwd(2) => sys::dir::getcwd, Try(sys::fast::getcwd), Complete, "";
    __NR_readlink readlink(3) => sys::dir::readlink, Full, Complete, "";
    __NR_readlinkat readlinkat(4) => sys::dir::readlinkat, Full, Complete, "";
    __NR_getdents64 getdents64(3) => sys::dir::getdents64, Full, Complete, "";
    __NR_stat stat(2) => sys::dir::stat, Try(sys::fast::stat), Complete, "";
    __NR_lstat lstat(2) => sys::dir::lstat, Full, Complete, "";
    __NR_fstat fstat(2) => sys::dir::fstat, Try(sys::fast::fstat), Complete, "";
    __NR_newfstatat newfstatat(4) => sys::dir::newfstatat, Try(sys::fast::newfstatat), Complete, "";
    __NR_statx statx(5) => sys::dir::statx, Full, Complete, "";
    __NR_access access(2) => sys::dir::access, Try(sys::fast::access), Complete, "";
    __NR_faccessat faccessat(3) => sys::dir::faccessat, Full, Complete, "";
    __NR_faccessat2 faccessat2(4) => sys::dir::faccessat2, Full, Complete, "";
    __NR_mkdir mkdir(2) => sys::dir::mkdir, Full, Complete, "";
    __NR_mkdirat mkdirat(3) => sys::dir::mkdirat, Full, Complete, "";
    __NR_mknod mknod(3) => sys::dir::mknod, Full, Complete, "";
    __NR_mknodat mknodat(4) => sys::dir::mknodat, Full, Complete, "";
    __NR_symlink symlink(2) => sys::dir::symlink, Full, Complete, "";
    __NR_symlinkat symlinkat(3) => sys::dir::symlinkat, Full, Complete, "";
    __NR_link link(2) => sys::dir::link, Full, Complete, "";
    __NR_linkat linkat(5) => sys::dir::linkat, Full, Complete, "";
    __NR_unlink unlink(1) => sys::dir::unlink, Full, Complete, "";
    __NR_rmdir rmdir(1) => sys::dir::rmdir, Full, Complete, "";
    __NR_unlinkat unlinkat(3) => sys::dir::unlinkat, Full, Complete, "";
    __NR_rename rename(2) => sys::dir::rename, Full, Complete, "";
    __NR_renameat renameat(4) => sys::dir::renameat, Full, Complete, "";
    __NR_renameat2 renameat2(5) => sys::dir::renameat2, Full, Complete, "";
    __NR_chmod chmod(2) => sys::dir::chmod, Full, Complete, "";
    __NR_fchmod fchmod(2) => sys::dir::fchmod, Full, Complete, "";
    __NR_fchmodat fchmodat(3) => sys::dir::fchmodat, Full, Complete, "";
    __NR_fchmodat2 fchmodat2(4) => sys::dir::fchmodat2, Full, Complete, "";
    __NR_chown chown(3) => sys::dir::chown, Full, Complete, "";
    __NR_lchown lchown(3) => sys::dir::lchown, Full, Complete, "";
    __NR_fchown fchown(3) => sys::dir::fchown, Full, Complete, "";
    __NR_fchownat fchownat(5) => sys::dir::fchownat, Full, Complete, "";
    __NR_utimensat utimensat(4) => sys::dir::utimensat, Full, Complete, "";
    __NR_utime utime(2) => sys::dir::utime, Full, Complete, "";
    __NR_utimes utimes(2) => sys::dir::utimes, Full, Complete, "";
    __NR_futimesat futimesat(3) => sys::dir::futimesat, Full, Complete, "";
    __NR_chroot chroot(1) => sys::dir::chroot, Full, Complete, "";
    __NR_statfs statfs(2) => sys::dir::statfs, Full, Complete, "";
    __NR_fstatfs fstatfs(2) => sys::dir::fstatfs, Full, Complete, "";
    __NR_sync sync(0) => sys::dir::sync, Full, Complete, "";
    __NR_syncfs syncfs(1) => sys::dir::syncfs, Full, Complete, "";
    __NR_preadv2 preadv2(6) => sys::file::preadv2, Full, Complete, "";
    __NR_pwritev2 pwritev2(6) => sys::file::pwritev2, Full, Complete, "";
    __NR_pipe pipe(1) => sys::pipe::pipe, Full, Complete, "";
    __NR_pipe2 pipe2(2) => sys::pipe::pipe2, Full, Complete, "";
    __NR_splice splice(6) => sys::pipe::splice, Full, Partial, "pipes, files, devices; a file's pages in a pipe stay as they were when it is written to";
    __NR_tee tee(4) => sys::pipe::tee, Full, Complete, "";
    __NR_vmsplice vmsplice(4) => sys::pipe::vmsplice, Full, Partial, "copies: later changes of the memory are not seen in the pipe";
    __NR_poll poll(3) => sys::poll::poll, Full, Complete, "";
    __NR_ppoll ppoll(5) => sys::poll::ppoll, Full, Complete, "";
    __NR_select select(5) => sys::poll::select, Full, Complete, "";
    __NR_pselect6 pselect6(6) => sys::poll::pselect6, Full, Complete, "";
    // Memory.
    __NR_mmap mmap(6) => sys::memory::mmap, Full, Partial, "MAP_FIXED in RAM only over own mappings or free RAM; no huge pages; regular files and /dev/zero";
    __NR_mprotect mprotect(3) => sys::memory::mprotect, Full, Partial, "not on the main stack; no PROT_GROWSDOWN";
    __NR_munmap munmap(2) => sys::memory::munmap, Full, Partial, "freed RAM stays mapped until it is used again";
    __NR_mremap mremap(5) => sys::memory::remap::mremap, Full, Partial, "an old size of 0 is EINVAL";
    __NR_madvise madvise(3) => sys::memory::advice::madvise, Full, Partial, "MADV_DONTNEED, MADV_POPULATE_*; plain advice is accepted; MADV_REMOVE and what is about other processes or bad hardware is EINVAL";
    __NR_mincore mincore(3) => sys::memory::advice::mincore, Full, Partial, "not for the main stack";
    __NR_mlock mlock(2) => sys::memory::advice::mlock, Full, Partial, "no limit; there is no swap";
    __NR_mlock2 mlock2(3) => sys::memory::advice::mlock2, Full, Partial, "as mlock";
    __NR_munlock munlock(2) => sys::memory::advice::munlock, Full, Complete, "";
    __NR_mlockall mlockall(1) => sys::memory::advice::mlockall, Full, Partial, "as mlock";
    __NR_munlockall munlockall(0) => sys::memory::advice::munlockall, Full, Complete, "";
    __NR_msync msync(3) => sys::memory::advice::msync, Full, Complete, "";
    __NR_process_vm_readv process_vm_readv(6) => sys::memory::process::process_vm_readv, Full, Partial, "of the process itself";
    __NR_process_vm_writev process_vm_writev(6) => sys::memory::process::process_vm_writev, Full, Partial, "of the process itself";
    __NR_brk brk(1) => sys::memory::brk, Full, Complete, "";
    // Signals.
    __NR_rt_sigaction rt_sigaction(4) => sys::signal::rt_sigaction, Full, Complete, "";
    __NR_rt_sigprocmask rt_sigprocmask(4) => sys::signal::rt_sigprocmask, Full, Complete, "";
    __NR_sigaltstack sigaltstack(2) => sys::signal::sigaltstack, Full, Complete, "";
    __NR_kill kill(2) => sys::signal::kill, Full, Complete, "";
    __NR_tkill tkill(2) => sys::signal::tkill, Full, Complete, "";
    __NR_tgkill tgkill(3) => sys::signal::tgkill, Full, Complete, "";
    __NR_rt_sigreturn rt_sigreturn(0) => sys::signal::rt_sigreturn, Full, Complete, "";
    __NR_rt_sigpending rt_sigpending(2) => sys::signal::rt_sigpending, Full, Complete, "";
    __NR_rt_sigsuspend rt_sigsuspend(2) => sys::signal::rt_sigsuspend, Full, Complete, "";
    __NR_rt_sigtimedwait rt_sigtimedwait(4) => sys::signal::rt_sigtimedwait, Full, Complete, "";
    __NR_rt_sigqueueinfo rt_sigqueueinfo(3) => sys::signal::rt_sigqueueinfo, Full, Complete, "";
    __NR_rt_tgsigqueueinfo rt_tgsigqueueinfo(4) => sys::signal::rt_tgsigqueueinfo, Full, Complete, "";
    __NR_pause pause(0) => sys::signal::pause, Full, Complete, "";
    __NR_restart_syscall restart_syscall(0) => sys::signal::restart_syscall, Full, Complete, "";
    // Time.
    __NR_clock_gettime clock_gettime(2) => sys::clock::clock_gettime, Try(sys::clock::clock_gettime_fast), Partial, "no clocks of devices, no alarm clocks";
    __NR_clock_getres clock_getres(2) => sys::clock::clock_getres, Full, Partial, "as clock_gettime";
    __NR_clock_settime clock_settime(2) => sys::clock::clock_settime, Full, Partial, "futex timeouts are not moved with the clock";
    __NR_settimeofday settimeofday(2) => sys::clock::settimeofday, Full, Partial, "a time zone has no effect";
    __NR_gettimeofday gettimeofday(2) => sys::clock::gettimeofday, Full, Complete, "";
    __NR_time time(1) => sys::clock::time, Full, Complete, "";
    __NR_nanosleep nanosleep(2) => sys::clock::nanosleep, Full, Complete, "";
    __NR_clock_nanosleep clock_nanosleep(4) => sys::clock::clock_nanosleep, Full, Complete, "";
    // The process.
    __NR_getpid getpid(0) => sys::process::getpid, Fast, Complete, "";
    __NR_gettid gettid(0) => sys::thread::gettid, Fast, Complete, "";
    __NR_getppid getppid(0) => sys::process::getppid, Fast, Complete, "";
    __NR_getpgrp getpgrp(0) => sys::process::getpid, Fast, Complete, "";
    __NR_timer_create timer_create(3) => sys::timer::timer_create, Full, Partial, "no alarm clocks (EOPNOTSUPP)";
    __NR_timer_settime timer_settime(4) => sys::timer::timer_settime, Full, Complete, "";
    __NR_timer_gettime timer_gettime(2) => sys::timer::timer_gettime, Full, Complete, "";
    __NR_timer_getoverrun timer_getoverrun(1) => sys::timer::timer_getoverrun, Full, Complete, "";
    __NR_timer_delete timer_delete(1) => sys::timer::timer_delete, Full, Complete, "";
    __NR_setitimer setitimer(3) => sys::timer::setitimer, Full, Complete, "all CPU time is the user\'s";
    __NR_getitimer getitimer(2) => sys::timer::getitimer, Full, Complete, "";
    __NR_alarm alarm(1) => sys::timer::alarm, Full, Complete, "";
    __NR_wait4 wait4(4) => sys::family::wait4, Full, Complete, "there are no children";
    __NR_waitid waitid(5) => sys::family::waitid, Full, Partial, "there are no children; no pidfds";
    __NR_setpgid setpgid(2) => sys::family::setpgid, Full, Complete, "";
    __NR_setsid setsid(0) => sys::family::setsid, Full, Complete, "";
    __NR_personality personality(1) => sys::family::personality, Full, Partial, "kept, without effect";
    __NR_getrusage getrusage(2) => sys::family::getrusage, Full, Partial, "CPU time, all as the user's; the counts are 0";
    __NR_times times(1) => sys::family::times, Full, Partial, "all CPU time is the user's";
    __NR_membarrier membarrier(3) => sys::family::membarrier, Full, Complete, "";
    __NR_getpgid getpgid(1) => sys::process::getpgid, Full, Complete, "";
    __NR_getsid getsid(1) => sys::process::getpgid, Full, Complete, "";
    __NR_exit exit(1) => sys::thread::exit, Full, Complete, "";
    __NR_exit_group exit_group(1) => sys::process::exit_group, Full, Complete, "";
    __NR_arch_prctl arch_prctl(2) => sys::process::arch_prctl, Full, Partial, "the FS and GS bases";
    __NR_set_tid_address set_tid_address(1) => sys::thread::set_tid_address, Full, Complete, "";
    __NR_rseq rseq(4) => sched::rseq::rseq, Full, Complete, "";
    __NR_set_robust_list set_robust_list(2) => sys::thread::set_robust_list, Full, Complete, "";
    __NR_get_robust_list get_robust_list(3) => sys::thread::get_robust_list, Full, Complete, "";
    __NR_clone clone(5) => sys::thread::clone, Full, Partial, "threads, that share everything; a new process is ENOSYS";
    __NR_clone3 clone3(2) => sys::thread::clone3, Full, Partial, "as clone; no set_tid, no cgroup";
    __NR_futex futex(6) => sys::futex::futex, Try(sys::fast::futex), Complete, "";
    __NR_futex_waitv futex_waitv(5) => sys::futex::futex_waitv, Full, Complete, "";
    __NR_sched_yield sched_yield(0) => sys::thread::sched_yield, Fast, Complete, "";
    __NR_sched_getaffinity sched_getaffinity(3) => sys::sched::sched_getaffinity, Full, Complete, "";
    __NR_sched_setaffinity sched_setaffinity(3) => sys::sched::sched_setaffinity, Full, Complete, "";
    __NR_sched_setscheduler sched_setscheduler(3) => sys::sched::sched_setscheduler, Full, Partial, "no SCHED_DEADLINE";
    __NR_sched_getscheduler sched_getscheduler(1) => sys::sched::sched_getscheduler, Full, Complete, "";
    __NR_sched_setattr sched_setattr(3) => sys::sched::sched_setattr, Full, Partial, "no SCHED_DEADLINE, no utilisation clamps (EOPNOTSUPP)";
    __NR_sched_getattr sched_getattr(4) => sys::sched::sched_getattr, Full, Complete, "";
    __NR_sched_setparam sched_setparam(2) => sys::sched::sched_setparam, Full, Complete, "";
    __NR_sched_getparam sched_getparam(2) => sys::sched::sched_getparam, Full, Complete, "";
    __NR_sched_get_priority_max sched_get_priority_max(1) => sys::sched::sched_get_priority_max, Full, Complete, "";
    __NR_sched_get_priority_min sched_get_priority_min(1) => sys::sched::sched_get_priority_min, Full, Complete, "";
    __NR_sched_rr_get_interval sched_rr_get_interval(2) => sys::sched::sched_rr_get_interval, Full, Complete, "";
    __NR_getcpu getcpu(3) => sys::process::getcpu, Full, Complete, "";
    // Identity and limits.
    __NR_getuid getuid(0) => sys::identity::getuid, Fast, Complete, "";
    __NR_geteuid geteuid(0) => sys::identity::geteuid, Fast, Complete, "";
    __NR_getgid getgid(0) => sys::identity::getgid, Fast, Complete, "";
    __NR_getegid getegid(0) => sys::identity::getegid, Fast, Complete, "";
    __NR_getresuid getresuid(3) => sys::identity::getresuid, Full, Complete, "";
    __NR_getresgid getresgid(3) => sys::identity::getresgid, Full, Complete, "";
    __NR_setuid setuid(1) => sys::identity::setuid, Full, Complete, "";
    __NR_setgid setgid(1) => sys::identity::setgid, Full, Complete, "";
    __NR_setreuid setreuid(2) => sys::identity::setreuid, Full, Complete, "";
    __NR_setregid setregid(2) => sys::identity::setregid, Full, Complete, "";
    __NR_setresuid setresuid(3) => sys::identity::setresuid, Full, Complete, "";
    __NR_setresgid setresgid(3) => sys::identity::setresgid, Full, Complete, "";
    __NR_setfsuid setfsuid(1) => sys::identity::setfsuid, Full, Complete, "";
    __NR_setfsgid setfsgid(1) => sys::identity::setfsgid, Full, Complete, "";
    __NR_getgroups getgroups(2) => sys::identity::getgroups, Full, Complete, "";
    __NR_setgroups setgroups(2) => sys::identity::setgroups, Full, Complete, "";
    __NR_capget capget(2) => sys::identity::capget, Full, Complete, "";
    __NR_capset capset(2) => sys::identity::capset, Full, Complete, "";
    __NR_prctl prctl(5) => sys::prctl::prctl, Full, Partial, "the name, PR_SET_KEEPCAPS, PR_CAPBSET_READ and _DROP, PR_SET_NO_NEW_PRIVS, and their getters; the rest is EINVAL";
    __NR_uname uname(1) => sys::identity::uname, Try(sys::identity::uname_fast), Complete, "";
    __NR_sethostname sethostname(2) => sys::identity::sethostname, Full, Complete, "";
    __NR_setdomainname setdomainname(2) => sys::identity::setdomainname, Full, Complete, "";
    __NR_sysinfo sysinfo(1) => sys::identity::sysinfo, Full, Partial, "load averages are 0";
    __NR_prlimit64 prlimit64(4) => sys::identity::prlimit64, Full, Partial, "RLIMIT_NOFILE, RLIMIT_FSIZE and RLIMIT_CORE can be set; changing another is EPERM";
    __NR_getrlimit getrlimit(2) => sys::identity::getrlimit, Full, Complete, "";
    __NR_setrlimit setrlimit(2) => sys::identity::setrlimit, Full, Partial, "as prlimit64";
    __NR_getpriority getpriority(2) => sys::sched::getpriority, Full, Complete, "";
    __NR_setpriority setpriority(3) => sys::sched::setpriority, Full, Complete, "";
    __NR_getrandom getrandom(3) => sys::random::getrandom, Full, Complete, "";
}

/// The dispatch table.
pub static ENTRIES: [Entry; LIMIT] = {
    let mut table = entries();
    table[nr::__NR_clone as usize] = lintel_clone;
    table[nr::__NR_clone3 as usize] = lintel_clone3;
    table
};

unsafe extern "C" {
    fn lintel_clone(a: usize, b: usize, c: usize, d: usize, e: usize, f: usize, n: usize) -> isize;
    fn lintel_clone3(a: usize, b: usize, c: usize, d: usize, e: usize, f: usize, n: usize)
    -> isize;
}

// A new thread begins with the caller's registers; those that the C ABI keeps are kept for it here,
// before a handler uses them.
global_asm!(
    ".pushsection .text.lintel_clone,\"ax\",@progbits",
    ".globl lintel_clone, lintel_clone3",
    ".hidden lintel_clone, lintel_clone3",
    "lintel_clone:",
    "    lea rax, [rip + {clone}]",
    "    jmp 1f",
    "lintel_clone3:",
    "    lea rax, [rip + {clone3}]",
    "1:  mov [rip + {kept}], rbx",
    "    mov [rip + {kept} + 8], rbp",
    "    mov [rip + {kept} + 16], r12",
    "    mov [rip + {kept} + 24], r13",
    "    mov [rip + {kept} + 32], r14",
    "    mov [rip + {kept} + 40], r15",
    "    jmp rax",
    ".popsection",
    clone = sym thunks::clone,
    clone3 = sym thunks::clone3,
    kept = sym sched::KEPT,
);

/// [`Class`] of each number, as a byte.
pub static CLASSES: [u8; LIMIT] = {
    let mut classes = [Class::Full as u8; LIMIT];
    let mut i = 0;
    while i < ROWS.len() {
        classes[ROWS[i].nr as usize] = ROWS[i].class as u8;
        i += 1;
    }
    classes
};

/// The name of a number that has a row.
pub fn name_of(number: usize) -> Option<&'static str> {
    ROWS.iter()
        .find(|row| row.nr as usize == number)
        .map(|row| row.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_unique_and_in_range() {
        for (i, row) in ROWS.iter().enumerate() {
            assert!((row.nr as usize) < LIMIT, "{}", row.name);
            assert!(
                ROWS[..i].iter().all(|r| r.nr != row.nr),
                "{} twice",
                row.name
            );
            if row.level == Level::Partial {
                assert!(!row.note.is_empty(), "{}: partial needs a note", row.name);
            }
        }
    }

    #[test]
    fn unknown_numbers_are_counted() {
        // SAFETY: the function touches nothing but its counter.
        let result = unsafe { unknown(0, 0, 0, 0, 0, 0, 511) };
        assert_eq!(result, -38);
        assert!(unknown_calls().any(|c| c.0 == 511 && c.1 >= 1));
    }
}
