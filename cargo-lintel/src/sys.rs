//! The operating-system calls that the standard library does not offer: the only `unsafe` room.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Sends `signal` to process `pid`; a process that is already gone is not an error.
pub fn kill(pid: u32, signal: i32) {
    let Ok(pid) = libc::pid_t::try_from(pid) else {
        return;
    };
    // SAFETY: kill(2) takes two integers and touches no memory of ours. The callers pass the id
    // of a child that has not been waited for, so it cannot name somebody else's process.
    unsafe { libc::kill(pid, signal) };
}

/// Asks for a pipe buffer of `bytes`; a refusal leaves the pipe as it is.
pub fn enlarge_pipe(pipe: &impl AsFd, bytes: i32) {
    // SAFETY: F_SETPIPE_SZ takes an integer; the descriptor is borrowed and therefore open.
    unsafe { libc::fcntl(pipe.as_fd().as_raw_fd(), libc::F_SETPIPE_SZ, bytes) };
}

/// Whether this process runs as the superuser.
pub fn is_root() -> bool {
    // SAFETY: geteuid(2) has no arguments and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Makes the child die with us and inherit the descriptors `keep` under their present numbers.
///
/// The caller keeps the descriptors open until the child has been spawned.
pub fn tie_to_parent(command: &mut Command, keep: &[RawFd]) {
    let keep = keep.to_vec();
    let parent = std::process::id();
    // SAFETY: the closure runs between fork and exec, where only async-signal-safe functions may
    // be called: prctl, getppid, fcntl and _exit are. It allocates nothing (`keep` is moved in
    // and only read), and errno is read without formatting.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            if u32::try_from(libc::getppid()) != Ok(parent) {
                libc::_exit(125);
            }
            for &fd in &keep {
                if libc::fcntl(fd, libc::F_SETFD, 0) != 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
}

/// Makes the child run without address-space layout randomisation (personality(2)).
pub fn fix_addresses(command: &mut Command) {
    const CURRENT: libc::c_ulong = 0xffff_ffff;
    // SAFETY: as above: personality is async-signal-safe, and nothing is allocated.
    unsafe {
        command.pre_exec(|| {
            let now = libc::personality(CURRENT);
            let wanted = now as libc::c_ulong | libc::ADDR_NO_RANDOMIZE as libc::c_ulong;
            match now < 0 || libc::personality(wanted) < 0 {
                true => Err(io::Error::last_os_error()),
                false => Ok(()),
            }
        });
    }
}

/// Waits until a read of `stream` would not block: there are bytes, or its end.
pub fn wait_readable(stream: &impl AsFd) {
    let fd = stream.as_fd().as_raw_fd();
    let mut entry = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: poll(2) is given one valid entry and its count; the descriptor is borrowed and
    // therefore open.
    unsafe { libc::poll(&mut entry, 1, -1) };
}

/// A terminal in raw input mode; dropping it restores what was there before.
///
/// Output processing stays on, so that a newline still returns the carriage.
pub struct RawTerminal {
    saved: libc::termios,
}

impl RawTerminal {
    /// Puts the terminal at descriptor 0 into raw input mode.
    pub fn enter() -> io::Result<Self> {
        let mut saved = std::mem::MaybeUninit::<libc::termios>::uninit();
        // SAFETY: tcgetattr fills the structure it is given, which has the right type and size.
        if unsafe { libc::tcgetattr(0, saved.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: tcgetattr returned 0, so the structure is initialised.
        let saved = unsafe { saved.assume_init() };
        let mut raw = saved;
        raw.c_iflag &= !(libc::ICRNL | libc::INLCR | libc::IGNCR | libc::IXON | libc::ISTRIP);
        raw.c_lflag &= !(libc::ICANON | libc::ECHO | libc::ISIG | libc::IEXTEN);
        raw.c_cc[libc::VMIN] = 1;
        raw.c_cc[libc::VTIME] = 0;
        set_terminal(&raw)?;
        Ok(Self { saved })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let _ = set_terminal(&self.saved);
    }
}

fn set_terminal(attributes: &libc::termios) -> io::Result<()> {
    // SAFETY: tcsetattr only reads the structure, which the reference keeps valid.
    match unsafe { libc::tcsetattr(0, libc::TCSANOW, attributes) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Calls an ioctl whose argument is an integer and returns its result.
///
/// Only for requests that take no pointer (here: the KVM system requests).
pub fn ioctl_int(device: BorrowedFd<'_>, request: IntRequest) -> io::Result<i32> {
    // SAFETY: every `IntRequest` takes an integer argument, so the kernel follows no pointer; the
    // descriptor is borrowed and therefore open.
    match unsafe { libc::ioctl(device.as_raw_fd(), request as libc::c_ulong, 0) } {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

/// The ioctl requests of [`ioctl_int`]. Source: `linux/kvm.h`.
#[derive(Clone, Copy)]
#[repr(u64)]
pub enum IntRequest {
    /// `KVM_GET_API_VERSION`: 12 on every kernel of this age.
    KvmApiVersion = 0xAE00,
    /// `KVM_CREATE_VM` with machine type 0: a descriptor of a new machine.
    KvmCreateVm = 0xAE01,
}

/// Closes a descriptor that an ioctl has just created.
pub fn close_new(fd: RawFd) {
    // SAFETY: the caller got `fd` from the kernel a moment ago and nobody else knows it.
    unsafe { libc::close(fd) };
}
