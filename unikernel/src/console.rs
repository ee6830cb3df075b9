//! The console and the two side channels: standard error, and control messages to the runner.
//!
//! Output goes straight from the caller's memory to the device, one monitor call per write. Input
//! comes by interrupt into a ring and, when standard input is a terminal, passes a small line
//! discipline (termios(3): ICANON, ECHO, VERASE, VKILL, VEOF, VINTR).

use crate::errno::{Errno, SysResult};
use crate::options::{Options, Stdin};
use crate::platform::{Port, platform};
use crate::sync::SpinLock;
use crate::time;
use crate::uaccess::UserSlice;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering::Relaxed};
use heapless::Deque;

/// The two output streams of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Descriptor 1.
    Out,
    /// Descriptor 2.
    Err,
}

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const CTRL_U: u8 = 0x15;
const QUOTE: u8 = 0x16;
const DELETE: u8 = 0x7f;

static ERR_PORT: AtomicU16 = AtomicU16::new(0);
static CTL_PORT: AtomicU16 = AtomicU16::new(0);
static TTYS: AtomicU32 = AtomicU32::new(0b111);
static INPUT: SpinLock<Input> = SpinLock::new(Input::new());
/// SIGINT was typed; acted on when the reader wakes.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

struct Input {
    mode: Stdin,
    /// Bytes a read may take.
    ready: Deque<u8, 4096>,
    /// The line being edited (terminal mode).
    line: heapless::Vec<u8, 1024>,
    quoted: bool,
    /// Ends of file that wait behind the bytes of `ready`, each for one read.
    ends: usize,
    listening: bool,
}

/// Connects the streams as the command line says.
pub fn init(options: &Options) {
    ERR_PORT.store(options.err_port, Relaxed);
    CTL_PORT.store(options.ctl_port, Relaxed);
    TTYS.store(u32::from(options.ttys), Relaxed);
    INPUT.lock().mode = options.stdin;
}

/// Whether descriptor `fd` (0, 1 or 2) is a terminal at boot.
pub fn is_tty(fd: usize) -> bool {
    TTYS.load(Relaxed) >> fd & 1 != 0
}

fn port_or(port: &AtomicU16, otherwise: Port) -> Port {
    match port.load(Relaxed) {
        0 => otherwise,
        port => Port::Debugcon(port),
    }
}

fn err_port() -> Port {
    port_or(&ERR_PORT, Port::Console)
}

/// Writes user memory to a stream; short when part of it is bad.
pub fn write(stream: Stream, from: UserSlice) -> SysResult {
    let port = match stream {
        Stream::Out => Port::Console,
        Stream::Err => err_port(),
    };
    if from.is_empty() {
        return Ok(0);
    }
    if !crate::uaccess::access_ok(from.start(), from.len()) {
        return Err(Errno::EFAULT);
    }
    crate::report::first_write(stream);
    match platform().write(port, from.start(), from.len()) {
        0 => Err(Errno::EFAULT),
        written => Ok(written),
    }
}

/// The control channel (or standard error, without one) for kernel messages.
pub struct Control;

impl Write for Control {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let port = port_or(&CTL_PORT, err_port());
        platform().write(port, text.as_ptr() as usize, text.len());
        Ok(())
    }
}

/// Whether there is a control channel: events make sense only there.
pub fn has_control() -> bool {
    CTL_PORT.load(Relaxed) != 0
}

/// Writes a formatted line for a human to the control channel.
#[macro_export]
macro_rules! control {
    ($($arg:tt)*) => {
        $crate::console::line(format_args!($($arg)*))
    };
}

/// One line to the control channel, in one piece: buffered on the stack, so that a device that
/// takes a byte an exit is not also asked per fragment.
pub fn line(text: fmt::Arguments<'_>) {
    let mut buffer = heapless::String::<512>::new();
    if buffer
        .write_fmt(text)
        .and_then(|()| buffer.write_str("\n"))
        .is_ok()
    {
        let _ = Control.write_str(&buffer);
    } else {
        let _ = Control
            .write_fmt(text)
            .and_then(|()| Control.write_str("\n"));
    }
}

impl Input {
    const fn new() -> Self {
        Self {
            mode: Stdin::Tty,
            ready: Deque::new(),
            line: heapless::Vec::new(),
            quoted: false,
            ends: 0,
            listening: false,
        }
    }

    /// Takes one received byte. Returns what to echo.
    fn receive(&mut self, byte: u8) -> &'static [u8] {
        if self.mode == Stdin::Tty {
            self.edit(byte)
        } else {
            self.stream(byte)
        }
    }

    /// Pipe mode: 0x16 quotes, an unquoted 0x04 ends the stream.
    fn stream(&mut self, byte: u8) -> &'static [u8] {
        match byte {
            QUOTE if !self.quoted => self.quoted = true,
            CTRL_D if !self.quoted => self.ends = 1,
            _ => {
                self.quoted = false;
                // Room is kept by the poller: it takes bytes from the UART only while there is.
                let _ = self.ready.push_back(byte);
            }
        }
        b""
    }

    /// Terminal mode: canonical input with echo.
    fn edit(&mut self, byte: u8) -> &'static [u8] {
        match byte {
            CTRL_C => {
                INTERRUPTED.store(true, Relaxed);
                b"^C\n"
            }
            CTRL_D => {
                self.flush_line();
                if self.ready.is_empty() {
                    self.ends += 1;
                }
                b""
            }
            CTRL_U => {
                self.line.clear();
                b"\r\x1b[K"
            }
            DELETE | 0x08 => self.erase(),
            b'\r' | b'\n' => {
                let _ = self.line.push(b'\n');
                self.flush_line();
                b"\n"
            }
            _ if self.line.push(byte).is_ok() => one(byte),
            _ => b"\x07",
        }
    }

    /// Removes the last character, which in UTF-8 may be several bytes.
    fn erase(&mut self) -> &'static [u8] {
        let mut erased = false;
        while let Some(byte) = self.line.pop() {
            erased = true;
            if byte & 0xc0 != 0x80 {
                break;
            }
        }
        if erased { b"\x08 \x08" } else { b"" }
    }

    fn flush_line(&mut self) {
        for &byte in &self.line {
            let _ = self.ready.push_back(byte);
        }
        self.line.clear();
    }

    fn room(&self) -> usize {
        self.ready.capacity() - self.ready.len() - self.line.len()
    }
}

/// The echo of a byte, as a slice that lives.
fn one(byte: u8) -> &'static [u8] {
    static BYTES: [u8; 256] = {
        let mut bytes = [0; 256];
        let mut i = 0;
        while i < 256 {
            bytes[i] = i as u8;
            i += 1;
        }
        bytes
    };
    &BYTES[usize::from(byte)..=usize::from(byte)]
}

/// Moves what the UART has received through the line discipline.
pub fn on_input() {
    let mut input = INPUT.lock();
    loop {
        let mut buffer = [0; 64];
        let room = input.room().min(buffer.len());
        let n = platform().console_read(&mut buffer[..room]);
        if n == 0 {
            break;
        }
        for &byte in &buffer[..n] {
            let echo = input.receive(byte);
            if !echo.is_empty() {
                platform().write(Port::Console, echo.as_ptr() as usize, echo.len());
            }
        }
    }
}

fn listen() {
    let mut input = INPUT.lock();
    if !input.listening {
        input.listening = true;
        platform().console_interrupt(true);
    }
}

/// Whether a read would return at once.
pub fn read_ready() -> bool {
    if INPUT.lock().mode == Stdin::Null {
        return true;
    }
    listen();
    on_input();
    if INTERRUPTED.load(Relaxed) {
        crate::process::exit(128 + 2);
    }
    let input = INPUT.lock();
    !input.ready.is_empty() || input.ends > 0
}

/// Reads from the console, waiting for the first byte; 0 is the end of file.
pub fn read(into: UserSlice) -> SysResult {
    if into.is_empty() {
        return Ok(0);
    }
    time::sleep_until(None, read_ready);
    let mut block = [0; 256];
    let mut done = 0;
    while done < into.len() {
        let n = take(&mut block[..(into.len() - done).min(256)]);
        if n == 0 {
            break;
        }
        done += into.skip(done).write(&block[..n])?;
        if block[n - 1] == b'\n' && is_tty(0) {
            break;
        }
    }
    if done == 0 {
        let mut input = INPUT.lock();
        // A pipe stays at its end; a terminal's end is for one read.
        if input.mode == Stdin::Tty && input.ends > 0 {
            input.ends -= 1;
        }
    }
    Ok(done)
}

fn take(block: &mut [u8]) -> usize {
    let mut input = INPUT.lock();
    let line_mode = input.mode == Stdin::Tty;
    let mut n = 0;
    while n < block.len()
        && let Some(byte) = input.ready.pop_front()
    {
        block[n] = byte;
        n += 1;
        if line_mode && byte == b'\n' {
            break;
        }
    }
    n
}

/// Bytes that a read would get at once (FIONREAD).
pub fn available() -> usize {
    INPUT.lock().ready.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(input: &mut Input) -> Vec<u8> {
        core::iter::from_fn(|| input.ready.pop_front()).collect()
    }

    #[test]
    fn a_line_is_edited_before_it_is_ready() {
        let mut input = Input::new();
        for byte in "ab\u{e9}\x7fc".bytes() {
            input.receive(byte);
            assert!(input.ready.is_empty());
        }
        assert_eq!(input.receive(b'\r'), b"\n");
        assert_eq!(drain(&mut input), b"abc\n");
    }

    #[test]
    fn control_d_ends_an_empty_line_and_flushes_another() {
        let mut input = Input::new();
        input.receive(b'x');
        input.receive(CTRL_D);
        assert_eq!((drain(&mut input), input.ends), (b"x".to_vec(), 0));
        input.receive(CTRL_D);
        assert_eq!(input.ends, 1);
    }

    #[test]
    fn a_pipe_is_binary_safe() {
        let mut input = Input {
            mode: Stdin::Pipe,
            ..Input::new()
        };
        for byte in [0, QUOTE, CTRL_D, QUOTE, QUOTE, CTRL_C, 0xff, CTRL_D] {
            assert!(input.receive(byte).is_empty());
        }
        assert_eq!(
            (drain(&mut input), input.ends),
            (vec![0, 4, 0x16, 3, 0xff], 1)
        );
    }
}
