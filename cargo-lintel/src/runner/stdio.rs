//! The program's streams: from our standard input to the guest, from the guest to our outputs.

use crate::sys;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How the program sees its standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Keys of a terminal; the guest edits lines.
    Tty,
    /// A stream of bytes.
    Pipe,
    /// End of file at once.
    Null,
    /// The regular file that our standard input is, packed into the initrd.
    File,
}

impl Input {
    /// What our standard input is.
    pub fn of_stdin() -> Self {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Self::Tty;
        }
        let metadata = stdin
            .as_fd()
            .try_clone_to_owned()
            .map(File::from)
            .and_then(|f| f.metadata());
        let Ok(metadata) = metadata else {
            return Self::Null;
        };
        let kind = metadata.file_type();
        // Device 1:3 is /dev/null.
        if kind.is_char_device() && metadata.rdev() == 0x103 {
            return Self::Null;
        }
        if kind.is_file() {
            Self::File
        } else {
            Self::Pipe
        }
    }

    /// The value of `lintel.stdin`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tty => "tty",
            Self::Pipe => "pipe",
            Self::Null => "null",
            Self::File => "file",
        }
    }
}

/// Which of the descriptors 0, 1, 2 are terminals: the value of `lintel.tty`.
pub fn terminals() -> String {
    let are = [
        io::stdin().is_terminal(),
        io::stdout().is_terminal(),
        io::stderr().is_terminal(),
    ];
    let list = ["0", "1", "2"]
        .iter()
        .zip(are)
        .filter(|(_, is)| *is)
        .map(|(name, _)| *name);
    list.collect::<Vec<_>>().join(",")
}

/// Whether standard output and standard error end up in the same place. Then the guest writes both
/// to the console, which keeps their order.
pub fn outputs_are_one() -> bool {
    let identity = |fd: io::Result<OwnedFd>| {
        let metadata = File::from(fd.ok()?).metadata().ok()?;
        Some((metadata.dev(), metadata.ino(), metadata.rdev()))
    };
    let out = identity(io::stdout().as_fd().try_clone_to_owned());
    out.is_some() && out == identity(io::stderr().as_fd().try_clone_to_owned())
}

/// Our standard output without a buffer in between.
pub fn unbuffered_stdout() -> io::Result<Box<dyn Write + Send>> {
    Ok(Box::new(File::from(
        io::stdout().as_fd().try_clone_to_owned()?,
    )))
}

/// The byte that says "the next byte is data" in pipe mode.
const QUOTE: u8 = 0x16;
/// The byte that says "end of file" in pipe mode.
const END: u8 = 0x04;
/// What Ctrl-C sends.
const INTERRUPT: u8 = 0x03;
/// A second Ctrl-C within this time ends the machine.
const TWICE: Duration = Duration::from_secs(2);

/// Forwards bytes of a pipe; returns when either side is closed.
pub fn forward_pipe(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    let mut quoted = Vec::with_capacity(buffer.len());
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            to.write_all(&[END])?;
            return to.flush();
        }
        quoted.clear();
        for &byte in &buffer[..count] {
            if byte == QUOTE || byte == END {
                quoted.push(QUOTE);
            }
            quoted.push(byte);
        }
        to.write_all(&quoted)?;
        to.flush()?;
    }
}

/// Forwards keys; calls `twice` when Ctrl-C is pressed twice in a row.
pub fn forward_keys(mut from: impl Read, mut to: impl Write, twice: impl Fn()) -> io::Result<()> {
    let mut buffer = [0; 1024];
    let mut last: Option<Instant> = None;
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        for _ in buffer[..count].iter().filter(|&&byte| byte == INTERRUPT) {
            if last
                .replace(Instant::now())
                .is_some_and(|then| then.elapsed() < TWICE)
            {
                twice();
            }
        }
        to.write_all(&buffer[..count])?;
        to.flush()?;
    }
}

/// How the pump ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Pumped {
    /// Everything was written.
    All,
    /// The reader of our output has gone.
    Broken,
}

/// Copies QEMU's output. Reading never waits for writing, because the guest does not look whether
/// the serial port is ready; when too much is pending, QEMU is stopped until it has been written.
pub fn pump(from: impl Read + Send + 'static, to: Box<dyn Write + Send>, qemu: u32) -> Pumped {
    let backlog = Arc::new(Backlog {
        qemu,
        state: Mutex::default(),
    });
    let (sender, receiver) = channel();
    std::thread::spawn({
        let backlog = Arc::clone(&backlog);
        move || read_all(from, &sender, &backlog)
    });
    let pumped = write_all(&receiver, to, &backlog);
    backlog.release();
    pumped
}

fn read_all(mut from: impl Read, sender: &Sender<Vec<u8>>, backlog: &Backlog) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 {
            return;
        }
        backlog.add(count);
        // When the writer has gone, go on reading: QEMU must not wait until it is killed.
        let _ = sender.send(buffer[..count].to_vec());
    }
}

fn write_all(receiver: &Receiver<Vec<u8>>, mut to: Box<dyn Write + Send>, log: &Backlog) -> Pumped {
    for chunk in receiver {
        if to.write_all(&chunk).and_then(|()| to.flush()).is_err() {
            return Pumped::Broken;
        }
        log.remove(chunk.len());
    }
    Pumped::All
}

/// Bytes read and not yet written.
struct Backlog {
    qemu: u32,
    state: Mutex<BacklogState>,
}

#[derive(Default)]
struct BacklogState {
    bytes: usize,
    stopped: bool,
    released: bool,
}

impl Backlog {
    const HIGH: usize = 16 << 20;
    const LOW: usize = 1 << 20;

    fn lock(&self) -> MutexGuard<'_, BacklogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, count: usize) {
        let mut state = self.lock();
        state.bytes += count;
        if state.bytes > Self::HIGH && !state.stopped && !state.released {
            state.stopped = true;
            sys::kill(self.qemu, libc::SIGSTOP);
        }
    }

    fn remove(&self, count: usize) {
        let mut state = self.lock();
        state.bytes -= count;
        if state.bytes < Self::LOW && state.stopped {
            state.stopped = false;
            sys::kill(self.qemu, libc::SIGCONT);
        }
    }

    /// Never stop QEMU again.
    fn release(&self) {
        let mut state = self.lock();
        state.released = true;
        if state.stopped {
            state.stopped = false;
            sys::kill(self.qemu, libc::SIGCONT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipe_bytes_are_quoted_and_ended() {
        let mut out = Vec::new();
        forward_pipe(&b"a\x04\x16\x03\n"[..], &mut out).unwrap();
        assert_eq!(out, b"a\x16\x04\x16\x16\x03\n\x04");
    }

    #[test]
    fn second_interrupt_is_noticed() {
        let count = std::cell::Cell::new(0);
        let mut out = Vec::new();
        forward_keys(&b"x\x03y\x03"[..], &mut out, || count.set(count.get() + 1)).unwrap();
        assert_eq!((out.as_slice(), count.get()), (&b"x\x03y\x03"[..], 1));
    }

    #[test]
    fn pump_copies_everything() {
        #[derive(Clone, Default)]
        struct Shared(Arc<Mutex<Vec<u8>>>);
        impl Write for Shared {
            fn write(&mut self, data: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().extend(data);
                Ok(data.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let data: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
        let out = Shared::default();
        // A process id that cannot exist: nothing is stopped for so few bytes anyway.
        let result = pump(
            io::Cursor::new(data.clone()),
            Box::new(out.clone()),
            u32::MAX,
        );
        assert_eq!(result, Pumped::All);
        assert_eq!(*out.0.lock().unwrap(), data);
    }

    #[test]
    fn pump_reports_a_broken_output() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert_eq!(pump(&b"x"[..], Box::new(Closed), u32::MAX), Pumped::Broken);
    }
}
