//! A pipe as the tests use it: descriptors, raw calls, outcomes.

use std::io;
use test_support::{Outcome, call, checked, checksum};

/// Where nothing is mapped, in the kernel's half.
pub const NOWHERE: u64 = 0xffff_8000_0000_0000;

/// The two ends of a pipe, or any two descriptors; closed when dropped.
pub struct Pipe {
    /// To read from.
    pub input: u64,
    /// To write to.
    pub output: u64,
}

impl Pipe {
    /// A new pipe with these flags and `O_NONBLOCK`.
    pub fn new(flags: i32) -> io::Result<Self> {
        let mut fds = [0_i32; 2];
        let flags = (flags | libc::O_NONBLOCK) as u64;
        call(libc::SYS_pipe2, &[fds.as_mut_ptr() as u64, flags])?;
        Ok(Self {
            input: fds[0] as u64,
            output: fds[1] as u64,
        })
    }

    /// Writes all of it in one call.
    pub fn write(&self, bytes: &[u8]) -> Outcome {
        write(self.output, bytes)
    }

    /// Reads at most as many bytes in one call, and tells them.
    pub fn read(&self, most: usize) -> io::Result<String> {
        read(self.input, most).map(|bytes| told(&bytes))
    }

    /// FIONREAD.
    pub fn unread(&self) -> Outcome {
        let mut count = 0_i32;
        let request = libc::FIONREAD;
        let args = [self.input, request, &raw mut count as u64];
        call(libc::SYS_ioctl, &args).map(|_| i64::from(count))
    }

    /// What poll(2) says of both ends.
    pub fn ready(&self) -> io::Result<String> {
        Ok(format!(
            "reader {}, writer {}",
            events(self.input)?,
            events(self.output)?
        ))
    }

    /// Closes the end to read from.
    pub fn close_input(&mut self) {
        let _ = call(libc::SYS_close, &[self.input]);
        self.input = u64::MAX;
    }

    /// Closes the end to write to.
    pub fn close_output(&mut self) {
        let _ = call(libc::SYS_close, &[self.output]);
        self.output = u64::MAX;
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.close_input();
        self.close_output();
    }
}

/// write(2).
pub fn write(fd: u64, bytes: &[u8]) -> Outcome {
    let args = [fd, bytes.as_ptr() as u64, bytes.len() as u64];
    call(libc::SYS_write, &args)
}

/// read(2) into a buffer of `most` bytes; what came.
pub fn read(fd: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let args = [fd, bytes.as_mut_ptr() as u64, most as u64];
    let count = call(libc::SYS_read, &args)?;
    bytes.truncate(count as usize);
    Ok(bytes)
}

/// What poll(2) says of a descriptor, asked for everything, without waiting.
pub fn events(fd: u64) -> io::Result<String> {
    let mut poll = libc::pollfd {
        fd: fd as i32,
        events: !0,
        revents: 0,
    };
    // SAFETY: one element, as it says.
    checked(unsafe { libc::poll(&raw mut poll, 1, 0) })?;
    let names = [
        (libc::POLLIN, "in"),
        (libc::POLLOUT, "out"),
        (libc::POLLERR, "err"),
        (libc::POLLHUP, "hup"),
        (libc::POLLNVAL, "nval"),
        (libc::POLLRDNORM, "rdnorm"),
        (libc::POLLWRNORM, "wrnorm"),
    ];
    let set = names.iter().filter(|name| poll.revents & name.0 != 0);
    let set: Vec<&str> = set.map(|name| name.1).collect();
    Ok(if set.is_empty() {
        "-".to_owned()
    } else {
        set.join("+")
    })
}

/// Bytes for a line of the report: short ones as they are, long ones as length and checksum.
pub fn told(bytes: &[u8]) -> String {
    if bytes.len() <= 24 {
        return format!("{:?}", String::from_utf8_lossy(bytes));
    }
    format!("{} bytes, checksum {:016x}", bytes.len(), checksum(bytes))
}

/// `len` bytes that differ from place to place.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}
