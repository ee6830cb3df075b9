//! fcntl(2) and ioctl(2).

use super::lock;
use super::open::duplicate;
use crate::console;
use crate::errno::{Errno, SysResult};
use crate::fs::device::Device;
use crate::fs::fd::{self, File};
use crate::fs::inode::file_type;
use crate::fs::{file, permission};
use crate::sync::SpinLock;
use crate::sys;
use crate::uaccess::UserPtr;
use linux_raw_sys::general::{
    F_ADD_SEALS, F_DUPFD, F_DUPFD_CLOEXEC, F_GET_SEALS, F_GETFD, F_GETFL, F_SETFD, F_SETFL,
    FD_CLOEXEC, O_DIRECT, O_NOATIME, O_NONBLOCK, S_IFIFO, termios, winsize,
};
use linux_raw_sys::ioctl::{
    FIOCLEX, FIONBIO, FIONCLEX, FIONREAD, TCGETS, TCSETS, TCSETSF, TCSETSW, TIOCGWINSZ, TIOCSWINSZ,
};

/// fcntl(2): descriptors, status flags, locks, pipes, seals; no leases.
pub fn fcntl(fd: i32, command: u32, argument: usize) -> SysResult {
    let file = fd::get_any(fd)?;
    match command {
        F_DUPFD | F_DUPFD_CLOEXEC => {
            // The argument is an `int`, and a negative one is too large like any other.
            let from = u32::try_from(argument & 0xffff_ffff).unwrap_or(u32::MAX);
            duplicate(fd, from as i32, command == F_DUPFD_CLOEXEC)
        }
        F_GETFD => Ok(usize::from(fd::close_on_exec(fd)?)),
        F_SETFD => {
            let cloexec = argument & FD_CLOEXEC as usize != 0;
            fd::set_close_on_exec(fd, cloexec)?;
            Ok(0)
        }
        F_GETFL => Ok(file.flags() as usize),
        _ if file.is_path() => Err(Errno::EBADF),
        F_SETFL => set_flags(&file, argument as u32),
        F_GET_SEALS => sys::memfd::get_seals(&file),
        // The argument is an `unsigned int`.
        F_ADD_SEALS => sys::memfd::add_seals(&file, argument as u32),
        _ => lock::control(&file, command, argument)
            .or_else(|| sys::pipe::calls::control(&file, command, argument))
            .unwrap_or(Err(Errno::EINVAL)),
    }
}

/// `F_SETFL`: only who owns a file may begin to hide that it is read (`EPERM`), and `O_DIRECT` is for
/// regular files of a tmpfs and pipes (`EINVAL`).
fn set_flags(file: &File, flags: u32) -> SysResult {
    let inode = file.inode();
    if flags & !file.flags() & O_NOATIME != 0 {
        permission::own(inode)?;
    }
    let is_pipe = file_type(inode.mode()) == S_IFIFO;
    if flags & O_DIRECT != 0 && !is_pipe && inode.store().is_none() {
        return Err(Errno::EINVAL);
    }
    file.set_flags(flags);
    Ok(0)
}

/// ioctl(2): what every file has, and the terminal's settings.
pub fn ioctl(fd: i32, request: u32, argument: UserPtr<u8>) -> SysResult {
    let file = fd::get(fd)?;
    match request {
        FIOCLEX | FIONCLEX => {
            fd::set_close_on_exec(fd, request == FIOCLEX)?;
        }
        FIONBIO => {
            let on = argument.cast::<i32>().read()? != 0;
            let flags = file.flags();
            file.set_flags(if on {
                flags | O_NONBLOCK
            } else {
                flags & !O_NONBLOCK
            });
        }
        FIONREAD => match file.available() {
            Some(count) => argument.cast::<i32>().write(&(count as i32))?,
            None => return terminal(&file, request, argument),
        },
        _ => return terminal(&file, request, argument),
    }
    Ok(0)
}

/// The settings of a terminal as Linux sets up a new one (`tty_std_termios`).
const FRESH: termios = termios {
    c_iflag: 0o2400,
    c_oflag: 0o5,
    c_cflag: 0o277,
    c_lflag: 0o105_073,
    c_line: 0,
    c_cc: [
        3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0,
    ],
};

/// What the application last asked for. It is handed back as it came; of it ISIG, ICANON and ECHO
/// have an effect.
static SETTINGS: SpinLock<termios> = SpinLock::new(FRESH);

/// Rows, columns and the two sizes in pixels. 0 is unknown, as on every serial line of Linux.
static WINDOW: SpinLock<winsize> = SpinLock::new(winsize {
    ws_row: 0,
    ws_col: 0,
    ws_xpixel: 0,
    ws_ypixel: 0,
});

fn terminal(file: &File, request: u32, argument: UserPtr<u8>) -> SysResult {
    match file::device(file.inode()) {
        Some(device) if device.is_tty() => {}
        // Their driver has an answer of its own for requests that it does not know.
        Some(Device::Random | Device::Urandom) => return Err(Errno::EINVAL),
        _ => return Err(Errno::ENOTTY),
    }
    // The locks guard one copy each; the application's memory is touched outside.
    match request {
        TCGETS => {
            let settings = *SETTINGS.lock();
            argument.cast().write(&settings)?;
        }
        TCSETS | TCSETSW | TCSETSF => {
            let settings = argument.cast().read()?;
            *SETTINGS.lock() = settings;
            console::set_modes(settings.c_lflag);
        }
        TIOCGWINSZ => {
            let window = *WINDOW.lock();
            argument.cast().write(&window)?;
        }
        TIOCSWINSZ => {
            let window = argument.cast().read()?;
            *WINDOW.lock() = window;
        }
        _ => return Err(Errno::ENOTTY),
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Stdin;
    use crate::fs::testing::{Packer, boot_with, cstr};
    use crate::sys::file::{lseek, open};
    use linux_raw_sys::general::{O_APPEND, O_CLOEXEC, O_LARGEFILE, O_PATH};

    fn boot() -> (impl Sized, i32) {
        let fs = boot_with(Some(Packer::default().file("f", b"hello")), Stdin::Null);
        (fs, open(cstr("f\0"), 0, 0).unwrap() as i32)
    }

    fn ptr<T>(value: &mut T) -> UserPtr<u8> {
        UserPtr::new(core::ptr::from_mut(value) as usize)
    }

    #[test]
    fn descriptors_are_duplicated_from_a_number_on() {
        let (_fs, fd) = boot();
        assert_eq!(fcntl(fd, F_DUPFD, 10), Ok(10));
        assert_eq!(fcntl(fd, F_DUPFD_CLOEXEC, 10), Ok(11));
        assert_eq!(
            (fcntl(10, F_GETFD, 0), fcntl(11, F_GETFD, 0)),
            (Ok(0), Ok(1))
        );
        assert_eq!(fcntl(fd, F_DUPFD, 1024), Err(Errno::EINVAL));
        assert_eq!(fcntl(fd, F_DUPFD, usize::MAX), Err(Errno::EINVAL));
        assert_eq!(fcntl(99, F_DUPFD, 1024), Err(Errno::EBADF));
    }

    #[test]
    fn flags_are_kept_per_descriptor_and_per_file() {
        let (_fs, fd) = boot();
        assert_eq!(fcntl(fd, F_SETFD, 0xff), Ok(0));
        assert_eq!(fcntl(fd, F_GETFD, 0), Ok(1));
        assert_eq!(fcntl(fd, F_SETFL, (O_APPEND | O_CLOEXEC) as usize), Ok(0));
        assert_eq!(fcntl(fd, F_GETFL, 0), Ok((O_APPEND | O_LARGEFILE) as usize));
        assert_eq!(fcntl(fd, 999, 0), Err(Errno::EINVAL));
        assert_eq!(fcntl(fd, F_SETFL, O_DIRECT as usize), Ok(0));
        assert_eq!(fcntl(0, F_SETFL, O_DIRECT as usize), Err(Errno::EINVAL));
    }

    #[test]
    fn path_only_descriptors_allow_a_few_commands() {
        let (_fs, _) = boot();
        let fd = open(cstr("f\0"), O_PATH, 0).unwrap() as i32;
        assert_eq!(fcntl(fd, F_GETFL, 0), Ok(O_PATH as usize));
        assert_eq!(fcntl(fd, F_SETFL, 0), Err(Errno::EBADF));
        assert_eq!(ioctl(fd, FIONREAD, UserPtr::new(0)), Err(Errno::EBADF));
    }

    #[test]
    fn files_say_how_much_is_left() {
        let (_fs, fd) = boot();
        let mut left = 0i32;
        assert_eq!((ioctl(fd, FIONREAD, ptr(&mut left)), left), (Ok(0), 5));
        lseek(fd, 7, 0).unwrap();
        assert_eq!((ioctl(fd, FIONREAD, ptr(&mut left)), left), (Ok(0), -2));
        assert_eq!(
            ioctl(fd, FIONREAD, UserPtr::new(usize::MAX - 3)),
            Err(Errno::EFAULT)
        );
        assert_eq!(ioctl(0, FIONREAD, ptr(&mut left)), Err(Errno::ENOTTY));
    }

    #[test]
    fn common_requests_work_on_any_file() {
        let (_fs, fd) = boot();
        let mut on = 1i32;
        assert_eq!(ioctl(fd, FIONBIO, ptr(&mut on)), Ok(0));
        assert!(fd::get(fd).unwrap().is_nonblocking());
        on = 0;
        assert_eq!(ioctl(fd, FIONBIO, ptr(&mut on)), Ok(0));
        assert!(!fd::get(fd).unwrap().is_nonblocking());
        assert_eq!(
            (ioctl(fd, FIOCLEX, UserPtr::new(0)), fcntl(fd, F_GETFD, 0)),
            (Ok(0), Ok(1))
        );
        assert_eq!(
            (ioctl(fd, FIONCLEX, UserPtr::new(0)), fcntl(fd, F_GETFD, 0)),
            (Ok(0), Ok(0))
        );
        assert_eq!(ioctl(99, FIOCLEX, UserPtr::new(0)), Err(Errno::EBADF));
    }

    #[test]
    fn only_terminals_have_settings() {
        let (_fs, fd) = boot();
        let mut settings = FRESH;
        for request in [TCGETS, TCSETS, TIOCGWINSZ, 0x1234] {
            assert_eq!(ioctl(fd, request, ptr(&mut settings)), Err(Errno::ENOTTY));
            assert_eq!(ioctl(0, request, ptr(&mut settings)), Err(Errno::ENOTTY));
        }
        settings.c_lflag = 0;
        let wanted = if Device::Stream(1).is_tty() {
            Ok(0)
        } else {
            Err(Errno::ENOTTY)
        };
        assert_eq!(ioctl(1, TCSETS, ptr(&mut settings)), wanted);
        settings.c_lflag = 1;
        assert_eq!(ioctl(1, TCGETS, ptr(&mut settings)), wanted);
        assert_eq!(settings.c_lflag, u32::from(wanted.is_err()));
        *SETTINGS.lock() = FRESH;
    }
}
