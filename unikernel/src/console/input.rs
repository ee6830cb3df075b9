//! The line discipline: from received bytes to what a read returns.
//!
//! A terminal's input is edited by lines (termios(3): ICANON, ECHO, ISIG; VERASE, VKILL, VEOF,
//! VINTR, VQUIT and VSUSP are at their usual keys); a pipe's is binary, with 0x16 as a quote and 0x04 as its end.

use crate::options::Stdin;
use crate::signal::{self, SIGINT, SIGQUIT, SIGTSTP, SigInfo};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use heapless::Deque;

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const CTRL_U: u8 = 0x15;
const CTRL_Z: u8 = 0x1a;
const CTRL_BACKSLASH: u8 = 0x1c;
const QUOTE: u8 = 0x16;
const DELETE: u8 = 0x7f;

/// What a read finds in the input: bytes, and marks between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Byte(u8),
    /// A line ends here without a newline (^D behind text): a read stops.
    Stop,
    /// End of file (^D on an empty line): a read finds nothing, once.
    End,
}

/// Received bytes on their way to a reader.
pub struct Input {
    /// What standard input is.
    pub mode: Stdin,
    /// What a read may take, in order.
    ready: Deque<Item, 8192>,
    /// The line being edited (terminal mode); the last place is for its newline.
    line: heapless::Vec<u8, 4096>,
    /// Pipe mode: the next byte is data.
    quoted: bool,
    /// Pipe mode: the other end is closed.
    ended: bool,
    /// The receive interrupt is on.
    pub listening: bool,
}

/// Local modes of termios(3) that the line discipline knows.
mod mode {
    pub const ISIG: u32 = 1;
    pub const ICANON: u32 = 2;
    pub const ECHO: u32 = 8;
}

/// The terminal's local modes (`c_lflag`).
static MODES: AtomicU32 = AtomicU32::new(mode::ISIG | mode::ICANON | mode::ECHO);

/// Takes `c_lflag` over from TCSETS; ISIG, ICANON and ECHO have an effect.
pub fn set_modes(local: u32) {
    MODES.store(local, Relaxed);
}

fn has(bit: u32) -> bool {
    MODES.load(Relaxed) & bit != 0
}

impl Input {
    /// A terminal with nothing typed.
    pub const fn new() -> Self {
        Self {
            mode: Stdin::Tty,
            ready: Deque::new(),
            line: heapless::Vec::new(),
            quoted: false,
            ended: false,
            listening: false,
        }
    }

    /// Takes one received byte. Returns what to echo.
    pub fn receive(&mut self, byte: u8) -> &'static [u8] {
        if self.mode != Stdin::Tty {
            self.stream(byte);
            return b"";
        }
        let echo = match byte {
            CTRL_C if has(mode::ISIG) => self.signal(SIGINT, b"^C\n"),
            CTRL_BACKSLASH if has(mode::ISIG) => self.signal(SIGQUIT, b"^\\\n"),
            CTRL_Z if has(mode::ISIG) => self.signal(SIGTSTP, b"^Z\n"),
            _ if has(mode::ICANON) => self.edit(byte),
            b'\r' => {
                self.push(Item::Byte(b'\n'));
                b"\n"
            }
            _ => {
                self.push(Item::Byte(byte));
                one(byte)
            }
        };
        if has(mode::ECHO) { echo } else { b"" }
    }

    /// Sends what a character stands for, and forgets what was typed before it.
    fn signal(&mut self, number: u32, echo: &'static [u8]) -> &'static [u8] {
        self.ready.clear();
        self.line.clear();
        // A standard signal is always sent.
        let _ = signal::send_process(SigInfo::kernel(number as i32));
        echo
    }

    /// Makes an item ready. There is room: the poller takes bytes only while there is.
    fn push(&mut self, item: Item) {
        let _ = self.ready.push_back(item);
    }

    /// Pipe mode: 0x16 quotes, an unquoted 0x04 ends the stream.
    fn stream(&mut self, byte: u8) {
        match byte {
            QUOTE if !self.quoted => self.quoted = true,
            CTRL_D if !self.quoted => self.ended = true,
            _ => {
                self.quoted = false;
                self.push(Item::Byte(byte));
            }
        }
    }

    /// Canonical input.
    fn edit(&mut self, byte: u8) -> &'static [u8] {
        match byte {
            CTRL_D => {
                let mark = if self.line.is_empty() {
                    Item::End
                } else {
                    Item::Stop
                };
                self.flush_line();
                self.push(mark);
                b""
            }
            CTRL_U => {
                self.line.clear();
                b"\r\x1b[K"
            }
            DELETE | 0x08 => self.erase(),
            b'\r' | b'\n' => {
                self.flush_line();
                self.push(Item::Byte(b'\n'));
                b"\n"
            }
            _ if self.line.len() < self.line.capacity() - 1 => {
                let _ = self.line.push(byte);
                one(byte)
            }
            // Linux drops what does not fit a line, and rings.
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
        for index in 0..self.line.len() {
            self.push(Item::Byte(self.line[index]));
        }
        self.line.clear();
    }

    /// Bytes that can be received: each may become an item, and so may the line before it.
    pub fn room(&self) -> usize {
        (self.ready.capacity() - self.ready.len()).saturating_sub(self.line.len() + 1)
    }

    /// Whether a read would return at once.
    pub fn is_ready(&self) -> bool {
        self.ended || !self.ready.is_empty()
    }

    /// Whether this is the end of a pipe.
    pub fn has_ended(&self) -> bool {
        self.ended && self.ready.is_empty()
    }

    /// Copies what one read may have into `block`, without taking it.
    pub fn peek(&self, block: &mut [u8]) -> usize {
        let mut n = 0;
        for item in self.ready.iter().take(block.len()) {
            let Item::Byte(byte) = *item else { break };
            block[n] = byte;
            n += 1;
            if self.mode == Stdin::Tty && byte == b'\n' {
                break;
            }
        }
        n
    }

    /// Takes `n` bytes that were peeked at.
    pub fn take(&mut self, n: usize) {
        (0..n).for_each(|_| {
            self.ready.pop_front();
        });
    }

    /// Bytes that one read would get.
    pub fn available(&self) -> usize {
        let bytes = |item: &&Item| matches!(item, Item::Byte(_));
        self.ready.iter().take_while(bytes).count()
    }

    /// Takes a mark that stands first; `true` if there was one.
    pub fn take_mark(&mut self) -> bool {
        let marked = matches!(self.ready.front(), Some(Item::Stop | Item::End));
        if marked {
            self.ready.pop_front();
        }
        marked
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the next read would return.
    fn read(input: &mut Input) -> Vec<u8> {
        let mut block = [0; 8192];
        let n = input.peek(&mut block);
        input.take(n);
        if n == 0 || block[n - 1] != b'\n' {
            input.take_mark();
        }
        block[..n].to_vec()
    }

    fn type_in(input: &mut Input, keys: &[u8]) {
        keys.iter().for_each(|&key| {
            input.receive(key);
        });
    }

    #[test]
    fn a_line_is_edited_before_it_is_ready() {
        let mut input = Input::new();
        for byte in "ab\u{e9}\x7fc".bytes() {
            input.receive(byte);
            assert!(!input.is_ready());
        }
        assert_eq!(input.receive(b'\r'), b"\n");
        assert_eq!(read(&mut input), b"abc\n");
    }

    #[test]
    fn control_d_ends_an_empty_line_and_flushes_another() {
        let mut input = Input::new();
        type_in(
            &mut input,
            &[b'x', CTRL_D, b'y', b'\n', CTRL_D, b'z', b'\n'],
        );
        assert_eq!(read(&mut input), b"x");
        assert_eq!(read(&mut input), b"y\n");
        assert_eq!(read(&mut input), b"");
        assert_eq!(read(&mut input), b"z\n");
        assert!(!input.is_ready());
    }

    #[test]
    fn a_long_line_keeps_its_newline() {
        let mut input = Input::new();
        type_in(&mut input, &[b'a'; 5000]);
        type_in(&mut input, b"\n");
        let line = read(&mut input);
        assert_eq!((line.len(), line.last()), (4096, Some(&b'\n')));
    }

    #[test]
    fn a_pipe_is_binary_safe() {
        let mut input = Input {
            mode: Stdin::Pipe,
            ..Input::new()
        };
        type_in(
            &mut input,
            &[0, QUOTE, CTRL_D, QUOTE, QUOTE, CTRL_C, b'\n', 0xff, CTRL_D],
        );
        assert_eq!(read(&mut input), [0, 4, 0x16, 3, b'\n', 0xff]);
        assert!(input.is_ready() && read(&mut input).is_empty());
    }
}
