//! The console and the two side channels: standard error, and control messages to the runner.
//!
//! Output goes straight from the caller's memory to the device, one monitor call per write. Input
//! comes by interrupt into a ring and, when standard input is a terminal, passes a small line
//! discipline (termios(3): ICANON, ECHO, VERASE, VKILL, VEOF, VINTR).

mod input;

pub use input::set_modes;

use crate::errno::{Errno, SysResult};
use crate::options::{Options, Stdin};
use crate::platform::{Port, platform};
use crate::sync::SpinLock;
use crate::uaccess::UserSlice;
use crate::wait::Queue;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};
use input::Input;

/// The two output streams of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Descriptor 1.
    Out,
    /// Descriptor 2.
    Err,
}

static ERR_PORT: AtomicU16 = AtomicU16::new(0);
static CTL_PORT: AtomicU16 = AtomicU16::new(0);
static TTYS: AtomicU32 = AtomicU32::new(0b111);
static INPUT: SpinLock<Input> = SpinLock::new(Input::new());

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
    // A device, and ring 0 on its behalf, reads past the page tables: only what is the
    // application's to read.
    let readable = crate::mm::space::each_run(from.start(), from.len(), |_, _| true);
    match platform().write(port, from.start(), readable) {
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

/// Woken when there may be something to read.
pub static ARRIVED: Queue = Queue::new();

/// Moves what the UART has received through the line discipline.
pub fn on_input() {
    take_input();
    if INPUT.lock().is_ready() {
        ARRIVED.wake();
    }
}

fn take_input() {
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

/// Takes what is typed from now on, so that ^C has its effect whatever the program does. Bytes of a
/// pipe wait until somebody reads.
pub fn watch() {
    if INPUT.lock().mode == Stdin::Tty {
        listen();
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
    take_input();
    INPUT.lock().is_ready()
}

/// Whether all has been read from a pipe whose other end is closed.
pub fn has_ended() -> bool {
    INPUT.lock().mode == Stdin::Pipe && read_ready() && INPUT.lock().has_ended()
}

/// Reads from the console, waiting for the first byte; 0 is the end of file.
pub fn read(into: UserSlice) -> SysResult {
    if into.is_empty() {
        return Ok(0);
    }
    ARRIVED.wait(read_ready)?;
    let mut block = [0; 256];
    let mut done = 0;
    while done < into.len() {
        let room = (into.len() - done).min(block.len());
        let n = INPUT.lock().peek(&mut block[..room]);
        if n == 0 {
            // A mark ends this read: at once it is the end of file, behind bytes a line's end.
            INPUT.lock().take_mark();
            break;
        }
        match into.skip(done).write(&block[..n]) {
            Ok(written) => {
                INPUT.lock().take(written);
                done += written;
                if written < n {
                    break;
                }
            }
            // What could not be delivered stays for the next read.
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
        if is_tty(0) && block[n - 1] == b'\n' {
            break;
        }
    }
    Ok(done)
}

/// Bytes that a read would get at once (FIONREAD).
pub fn available() -> usize {
    INPUT.lock().available()
}
