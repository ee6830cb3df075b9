//! System calls by name: past the C library's wrappers, with paths as text.
//!
//! A descriptor is what the call that made it returned. Structures and buffers are passed as
//! addresses where a call fills them; the functions that take slices do it themselves.

use crate::{Outcome, call};
use std::ffi::{CStr, CString};

/// The working directory, as a descriptor.
pub const HERE: i64 = libc::AT_FDCWD as i64;

/// A value that can be an argument: kept until the call is over, then as a register.
pub trait Arg {
    /// What has to live as long as the call.
    type Held: Word;
    /// Makes it ready.
    fn hold(self) -> Self::Held;
}

/// What is ready to be an argument.
pub trait Word {
    /// The register.
    fn word(&self) -> u64;
}

macro_rules! numbers {
    ($($number:ty)*) => { $(
        impl Arg for $number {
            type Held = u64;
            fn hold(self) -> u64 {
                // A narrow number is extended by its sign, as a C caller would.
                self as u64
            }
        }
    )* };
}

numbers!(i32 u32 i64 u64 usize);

impl Word for u64 {
    fn word(&self) -> u64 {
        *self
    }
}

impl Arg for &str {
    type Held = CString;
    fn hold(self) -> CString {
        CString::new(self).expect("a path has no NUL")
    }
}

impl Word for CString {
    fn word(&self) -> u64 {
        self.as_ptr() as u64
    }
}

impl<'a> Arg for &'a CStr {
    type Held = &'a CStr;
    fn hold(self) -> &'a CStr {
        self
    }
}

impl Word for &CStr {
    fn word(&self) -> u64 {
        self.as_ptr() as u64
    }
}

impl<'a, T> Arg for &'a [T] {
    type Held = &'a [T];
    fn hold(self) -> &'a [T] {
        self
    }
}

impl<T> Word for &[T] {
    fn word(&self) -> u64 {
        self.as_ptr() as u64
    }
}

impl<'a, T> Arg for &'a mut [T] {
    type Held = &'a mut [T];
    fn hold(self) -> &'a mut [T] {
        self
    }
}

impl<T> Word for &mut [T] {
    fn word(&self) -> u64 {
        self.as_ptr() as u64
    }
}

macro_rules! calls {
    ($($number:ident $name:ident($($arg:ident: $kind:ty),*);)*) => { $(
        #[doc = concat!(stringify!($name), "(2).\n\n# Errors\nWhat the call reports.")]
        pub fn $name($($arg: $kind),*) -> Outcome {
            let ($($arg,)*) = ($(Arg::hold($arg),)*);
            call(libc::$number, &[$($arg.word()),*])
        }
    )* };
}

calls! {
    SYS_open open(path: &str, flags: i32, mode: u32);
    SYS_openat openat(dir: i64, path: &str, flags: i32, mode: u32);
    SYS_creat creat(path: &str, mode: u32);
    SYS_close close(fd: i64);
    SYS_close_range close_range(first: u32, last: u32, flags: u32);
    SYS_dup dup(fd: i64);
    SYS_dup2 dup2(old: i64, new: i64);
    SYS_dup3 dup3(old: i64, new: i64, flags: i32);
    SYS_fcntl fcntl(fd: i64, command: i32, argument: i64);
    SYS_flock flock(fd: i64, operation: i32);
    SYS_lseek lseek(fd: i64, offset: i64, whence: i32);
    SYS_truncate truncate(path: &str, size: i64);
    SYS_ftruncate ftruncate(fd: i64, size: i64);
    SYS_fallocate fallocate(fd: i64, mode: i32, at: i64, length: i64);
    SYS_fsync fsync(fd: i64);
    SYS_sendfile sendfile(to: i64, from: i64, offset: u64, count: usize);
    SYS_copy_file_range copy_file_range(from: i64, from_at: u64, to: i64, to_at: u64, count: usize, flags: u32);
    SYS_memfd_create memfd_create(name: &str, flags: u32);
    SYS_mkdir mkdir(path: &str, mode: u32);
    SYS_mkdirat mkdirat(dir: i64, path: &str, mode: u32);
    SYS_mknod mknod(path: &str, mode: u32, device: u64);
    SYS_mknodat mknodat(dir: i64, path: &str, mode: u32, device: u64);
    SYS_rmdir rmdir(path: &str);
    SYS_unlink unlink(path: &str);
    SYS_unlinkat unlinkat(dir: i64, path: &str, flags: i32);
    SYS_link link(old: &str, new: &str);
    SYS_linkat linkat(old_dir: i64, old: &str, new_dir: i64, new: &str, flags: i32);
    SYS_symlink symlink(target: &str, path: &str);
    SYS_symlinkat symlinkat(target: &str, dir: i64, path: &str);
    SYS_rename rename(old: &str, new: &str);
    SYS_renameat renameat(old_dir: i64, old: &str, new_dir: i64, new: &str);
    SYS_renameat2 renameat2(old_dir: i64, old: &str, new_dir: i64, new: &str, flags: u32);
    SYS_chdir chdir(path: &str);
    SYS_fchdir fchdir(fd: i64);
    SYS_chroot chroot(path: &str);
    SYS_mount mount(source: &str, target: &str, kind: &str, flags: u64, data: &str);
    SYS_umount2 umount2(target: &str, flags: i32);
    SYS_access access(path: &str, mode: i32);
    SYS_faccessat2 faccessat2(dir: i64, path: &str, mode: i32, flags: i32);
    SYS_chmod chmod(path: &str, mode: u32);
    SYS_fchmod fchmod(fd: i64, mode: u32);
    SYS_fchmodat fchmodat(dir: i64, path: &str, mode: u32);
    SYS_fchmodat2 fchmodat2(dir: i64, path: &str, mode: u32, flags: i32);
    SYS_chown chown(path: &str, uid: i64, gid: i64);
    SYS_lchown lchown(path: &str, uid: i64, gid: i64);
    SYS_fchown fchown(fd: i64, uid: i64, gid: i64);
    SYS_fchownat fchownat(dir: i64, path: &str, uid: i64, gid: i64, flags: i32);
    SYS_umask umask(mask: u32);
    SYS_setxattr setxattr(path: &str, name: &str, value: &[u8], length: usize, flags: i32);
    SYS_lsetxattr lsetxattr(path: &str, name: &str, value: &[u8], length: usize, flags: i32);
    SYS_fsetxattr fsetxattr(fd: i64, name: &str, value: &[u8], length: usize, flags: i32);
    SYS_getxattr getxattr(path: &str, name: &str, value: &mut [u8], room: usize);
    SYS_lgetxattr lgetxattr(path: &str, name: &str, value: &mut [u8], room: usize);
    SYS_fgetxattr fgetxattr(fd: i64, name: &str, value: &mut [u8], room: usize);
    SYS_listxattr listxattr(path: &str, list: &mut [u8], room: usize);
    SYS_llistxattr llistxattr(path: &str, list: &mut [u8], room: usize);
    SYS_flistxattr flistxattr(fd: i64, list: &mut [u8], room: usize);
    SYS_removexattr removexattr(path: &str, name: &str);
    SYS_lremovexattr lremovexattr(path: &str, name: &str);
    SYS_fremovexattr fremovexattr(fd: i64, name: &str);
    SYS_inotify_init1 inotify_init1(flags: i32);
    SYS_inotify_add_watch inotify_add_watch(fd: i64, path: &str, mask: u32);
    SYS_inotify_rm_watch inotify_rm_watch(fd: i64, watch: i64);
    SYS_setuid setuid(uid: i64);
    SYS_setgid setgid(gid: i64);
    SYS_setreuid setreuid(real: i64, effective: i64);
    SYS_setregid setregid(real: i64, effective: i64);
    SYS_setresuid setresuid(real: i64, effective: i64, saved: i64);
    SYS_setresgid setresgid(real: i64, effective: i64, saved: i64);
    SYS_setfsuid setfsuid(uid: i64);
    SYS_setfsgid setfsgid(gid: i64);
}

/// read(2).
///
/// # Errors
/// What the call reports.
pub fn read(fd: i64, buffer: &mut [u8]) -> Outcome {
    let address = buffer.as_mut_ptr() as u64;
    call(libc::SYS_read, &[fd as u64, address, buffer.len() as u64])
}

/// write(2).
///
/// # Errors
/// What the call reports.
pub fn write(fd: i64, bytes: &[u8]) -> Outcome {
    let address = bytes.as_ptr() as u64;
    call(libc::SYS_write, &[fd as u64, address, bytes.len() as u64])
}

/// pread(2).
///
/// # Errors
/// What the call reports.
pub fn pread(fd: i64, buffer: &mut [u8], at: i64) -> Outcome {
    let (address, length) = (buffer.as_mut_ptr() as u64, buffer.len() as u64);
    call(libc::SYS_pread64, &[fd as u64, address, length, at as u64])
}

/// pwrite(2).
///
/// # Errors
/// What the call reports.
pub fn pwrite(fd: i64, bytes: &[u8], at: i64) -> Outcome {
    let (address, length) = (bytes.as_ptr() as u64, bytes.len() as u64);
    call(libc::SYS_pwrite64, &[fd as u64, address, length, at as u64])
}

/// readlink(2), as text.
///
/// # Errors
/// What the call reports.
pub fn readlink(path: &str) -> std::io::Result<String> {
    readlinkat(HERE, path)
}

/// readlinkat(2), as text.
///
/// # Errors
/// What the call reports.
pub fn readlinkat(dir: i64, path: &str) -> std::io::Result<String> {
    let path = path.hold();
    let mut room = [0_u8; libc::PATH_MAX as usize];
    let args = [
        dir as u64,
        path.word(),
        room.as_mut_ptr() as u64,
        room.len() as u64,
    ];
    let length = call(libc::SYS_readlinkat, &args)? as usize;
    Ok(room[..length].escape_ascii().to_string())
}

/// getcwd(2): the path.
///
/// # Errors
/// What the call reports.
pub fn getcwd() -> std::io::Result<String> {
    let mut room = [0_u8; 8192];
    let args = [room.as_mut_ptr() as u64, room.len() as u64];
    let length = call(libc::SYS_getcwd, &args)? as usize;
    Ok(room[..length.saturating_sub(1)].escape_ascii().to_string())
}

/// pipe2(2): the end to read from and the one to write to.
///
/// # Errors
/// What the call reports.
pub fn pipe2(flags: i32) -> std::io::Result<[i64; 2]> {
    let mut ends = [0_i32; 2];
    call(libc::SYS_pipe2, &[ends.as_mut_ptr() as u64, flags as u64])?;
    Ok(ends.map(i64::from))
}
