//! The kernel command line.
//!
//! `lintel.KEY=VALUE …` words first, then the program's arguments, then optionally a bare `--` and
//! `NAME=VALUE` words for its environment. A word may contain `"…"`; inside, a backslash escapes
//! `"`, `\`, `n`, `t` and `xHH`. `\xHH` works outside quotes, too: GRUB takes quotes for itself. A
//! word with any of this in it is never special.

mod debug;
mod error;

pub use debug::Debug;
pub use error::Error;

use crate::platform::ClockChoice;
use crate::{events, profile};
use heapless::Vec;

/// The longest command line that QEMU and GRUB are expected to pass.
pub const MAX_LINE: usize = 16 << 10;

/// Most arguments, and most environment strings.
pub const MAX_WORDS: usize = 256;

/// What descriptor 0 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// The console as a terminal.
    Tty,
    /// The console as a byte stream with an end.
    Pipe,
    /// Nothing: end of file at once.
    Null,
    /// A file of the initrd.
    File,
}

/// The parsed command line. Strings are in the caller's buffer, unquoted.
#[derive(Debug)]
#[allow(missing_docs, reason = "each field is the `lintel.` key of its name")]
pub struct Options<'a> {
    pub argv0: &'a [u8],
    pub stdin: Stdin,
    pub ttys: u8,
    pub err_port: u16,
    pub ctl_port: u16,
    pub debug: Debug,
    pub tick: bool,
    pub clock: ClockChoice,
    pub lower: bool,
    pub aslr: bool,
    pub cwd: &'a [u8],
    pub mark: usize,
    pub profile_port: u16,
    pub events_port: u16,
    /// `PORT:LINE`: the 16550 that asks for a profile while the program runs, and its PIC line.
    pub doorbell: Option<(u16, u8)>,
    /// `virtio@ADDRESS:LINE`: the MMIO transport of a virtio console and its PIC line.
    pub console: Option<(usize, u8)>,
    pub args: Vec<&'a [u8], MAX_WORDS>,
    pub env: Vec<&'a [u8], MAX_WORDS>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            argv0: b"app",
            stdin: Stdin::Tty,
            ttys: 0b111,
            err_port: 0,
            ctl_port: 0,
            debug: Debug::default(),
            tick: false,
            clock: ClockChoice::Auto,
            lower: true,
            aslr: true,
            cwd: b"/",
            mark: 0,
            profile_port: 0,
            events_port: 0,
            doorbell: None,
            console: None,
            args: Vec::new(),
            env: Vec::new(),
        }
    }
}

/// A word, whether any of it was quoted, and whether it began with the quote (a `lintel.` key
/// keeps its meaning when only its value is quoted).
struct Word<'a> {
    text: &'a [u8],
    quoted: bool,
    opens: bool,
}

/// Takes words off a line, unquoting into `room`.
struct Words<'a> {
    line: &'a [u8],
    room: &'a mut [u8],
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Result<Option<Word<'a>>, Error<'a>> {
        while let [b' ' | b'\t' | b'\n', rest @ ..] = self.line {
            self.line = rest;
        }
        if self.line.is_empty() {
            return Ok(None);
        }
        let (mut len, mut inside, mut quoted) = (0, false, false);
        let opens = matches!(self.line, [b'"', ..] | [b'\\', b'x', ..]);
        while let [byte, rest @ ..] = self.line {
            let byte = match *byte {
                b' ' | b'\t' | b'\n' if !inside => break,
                b'"' => {
                    (inside, quoted, self.line) = (!inside, true, rest);
                    continue;
                }
                b'\\' if inside || self.line.get(1) == Some(&b'x') => {
                    quoted = true;
                    self.escape()?
                }
                byte => {
                    self.line = rest;
                    byte
                }
            };
            *self.room.get_mut(len).ok_or(Error::TooLong)? = byte;
            len += 1;
        }
        if inside {
            return Err(Error::Quote);
        }
        let (text, room) = core::mem::take(&mut self.room).split_at_mut(len);
        self.room = room;
        Ok(Some(Word {
            text,
            quoted,
            opens,
        }))
    }

    fn escape(&mut self) -> Result<u8, Error<'a>> {
        let (byte, used) = match self.line {
            [_, b'n', ..] => (b'\n', 2),
            [_, b't', ..] => (b'\t', 2),
            [_, c @ (b'"' | b'\\'), ..] => (*c, 2),
            [_, b'x', high, low, ..] => {
                let digit = |c: u8| (c as char).to_digit(16).ok_or(Error::Quote);
                ((digit(*high)? << 4 | digit(*low)?) as u8, 4)
            }
            _ => return Err(Error::Quote),
        };
        self.line = &self.line[used..];
        Ok(byte)
    }
}

/// Takes only the output ports from a line that is otherwise wrong: where to complain.
pub fn channels<'a>(line: &'a [u8], options: &mut Options<'a>) {
    for word in line.split(|&c| c == b' ') {
        if word.starts_with(b"lintel.err=") || word.starts_with(b"lintel.ctl=") {
            // A bad value leaves the default, the console.
            let _ = options.set(word);
        }
    }
}

/// Parses `line` into `options`; the unquoted text goes to `room`, which must be as long as the
/// line. In place, because the lists of words are kilobytes.
pub fn parse<'a>(
    line: &'a [u8],
    room: &'a mut [u8],
    options: &mut Options<'a>,
) -> Result<(), Error<'a>> {
    let mut words = Words { line, room };
    let (mut keys, mut env) = (true, false);
    while let Some(word) = words.next()? {
        let text = word.text;
        if keys && !word.opens && text.starts_with(b"lintel.") {
            options.set(text)?;
            continue;
        }
        if !word.quoted && text.starts_with(b"virtio_mmio.device=") {
            // QEMU's microvm appends these on its own account.
            continue;
        }
        keys = false;
        if !env && !word.quoted && text == b"--" {
            env = true;
            continue;
        }
        let list = if env {
            &mut options.env
        } else {
            &mut options.args
        };
        list.push(text).map_err(|_| Error::TooLong)?;
    }
    Ok(())
}

impl<'a> Options<'a> {
    fn set(&mut self, word: &'a [u8]) -> Result<(), Error<'a>> {
        let body = &word[b"lintel.".len()..];
        let equals = body
            .iter()
            .position(|&c| c == b'=')
            .ok_or(Error::Unknown(word))?;
        let (key, value) = (&body[..equals], &body[equals + 1..]);
        let bad = Error::Value(word);
        match key {
            b"argv0" => self.argv0 = value,
            b"cwd" => self.cwd = value,
            b"stdin" => self.stdin = stdin(value).ok_or(bad)?,
            b"tty" => self.ttys = ttys(value).ok_or(bad)?,
            b"err" => self.err_port = port(value).ok_or(bad)?,
            b"ctl" => self.ctl_port = port(value).ok_or(bad)?,
            b"debug" => {
                self.debug = Debug::parse(value)
                    .ok_or(bad)?
                    .built()
                    .ok_or(Error::NoEvents)?
            }
            b"events" if events::ENABLED => self.events_port = port(value).ok_or(bad)?,
            b"events" => return Err(Error::NoEvents),
            b"tick" => self.tick = switch(value).ok_or(bad)?,
            b"console" => self.console = Some(virtio(value).ok_or(bad)?),
            b"aslr" => self.aslr = switch(value).ok_or(bad)?,
            b"lower" => self.lower = switch(value).ok_or(bad)?,
            b"clock" => self.clock = clock(value).ok_or(bad)?,
            // Without the profiler there is nothing to write: say so instead of writing nothing.
            b"profile" if profile::ENABLED => self.profile_port = port(value).ok_or(bad)?,
            b"doorbell" if profile::ENABLED => {
                self.doorbell = Some(doorbell(value).ok_or(bad)?);
            }
            b"profile" | b"doorbell" => return Err(Error::NoProfiler),
            b"mark" => self.mark = number(value).ok_or(bad)?,
            _ => return Err(Error::Unknown(word)),
        }
        Ok(())
    }
}

fn stdin(value: &[u8]) -> Option<Stdin> {
    Some(match value {
        b"tty" => Stdin::Tty,
        b"pipe" => Stdin::Pipe,
        b"null" => Stdin::Null,
        b"file" => Stdin::File,
        _ => return None,
    })
}

fn clock(value: &[u8]) -> Option<ClockChoice> {
    Some(match value {
        b"auto" => ClockChoice::Auto,
        b"pvclock" => ClockChoice::Pvclock,
        b"cpuid" => ClockChoice::Cpuid,
        b"pit" => ClockChoice::Pit,
        _ => return None,
    })
}

fn virtio(value: &[u8]) -> Option<(usize, u8)> {
    place(value.strip_prefix(b"virtio@")?)
}

fn doorbell(value: &[u8]) -> Option<(u16, u8)> {
    let (port, line) = place(value)?;
    Some((port.try_into().ok()?, line))
}

/// `ADDRESS:LINE`, the line one of the PIC's sixteen.
fn place(value: &[u8]) -> Option<(usize, u8)> {
    let colon = value.iter().position(|&c| c == b':')?;
    let line = number(&value[colon + 1..]).filter(|&line| line < 16)?;
    Some((number(&value[..colon])?, line as u8))
}

fn switch(value: &[u8]) -> Option<bool> {
    match value {
        b"1" => Some(true),
        b"0" => Some(false),
        _ => None,
    }
}

fn ttys(value: &[u8]) -> Option<u8> {
    let parts = value.split(|&c| c == b',').filter(|part| !part.is_empty());
    parts
        .map(|part| number(part).filter(|&n| n < 3))
        .try_fold(0, |set, n| Some(set | 1 << n?))
}

fn port(value: &[u8]) -> Option<u16> {
    number(value)?.try_into().ok()
}

fn number(value: &[u8]) -> Option<usize> {
    let text = core::str::from_utf8(value).ok()?;
    match text.strip_prefix("0x") {
        Some(hex) => usize::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options<'static>, Error<'static>> {
        let line: &'static str = line.to_string().leak();
        let mut options = Options::default();
        parse(line.as_bytes(), vec![0; line.len()].leak(), &mut options)?;
        Ok(options)
    }

    #[test]
    fn options_then_arguments_then_environment() {
        let o = parsed("lintel.argv0=/bin/x lintel.tty=0,2 a b -- K=V -- X=").unwrap();
        assert_eq!((o.argv0, o.ttys), (&b"/bin/x"[..], 0b101));
        assert_eq!(o.args[..], [b"a", b"b"]);
        assert_eq!(o.env[..], [&b"K=V"[..], b"--", b"X="]);
    }

    #[test]
    fn quotes_keep_blanks_and_take_away_meaning() {
        let o = parsed(r"a\x20b \x2d- \x6cintel.x=1").unwrap();
        assert_eq!(o.args[..], [&b"a b"[..], b"--", b"lintel.x=1"]);
        let o = parsed(r#""lintel.x=1""#).unwrap();
        assert_eq!(o.args[..], [b"lintel.x=1"]);
        let o = parsed(r#"lintel.argv0="/a b" "a b" "" x"\n\x41\""y "--" lintel.cwd=/ -- "E=1 2""#);
        let o = o.unwrap();
        assert_eq!(o.argv0, b"/a b");
        assert_eq!(
            o.args[..],
            [&b"a b"[..], b"", b"x\nA\"y", b"--", b"lintel.cwd=/"]
        );
        assert_eq!(o.env[..], [b"E=1 2"]);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(matches!(
            parsed("lintel.colour=red"),
            Err(Error::Unknown(b"lintel.colour=red"))
        ));
        assert!(matches!(parsed("lintel.stdin=maybe"), Err(Error::Value(_))));
        assert!(matches!(parsed("lintel.tty=3"), Err(Error::Value(_))));
        assert_eq!(parsed("lintel.debug=irqs").is_ok(), events::ENABLED);
        assert_eq!(parsed("lintel.events=1507").is_ok(), events::ENABLED);
        assert!(matches!(parsed("a \"b"), Err(Error::Quote)));
        assert!(matches!(parsed(r#""\q""#), Err(Error::Quote)));
        assert!(matches!(parsed(&"x ".repeat(300)), Err(Error::TooLong)));
        let virtio = parsed("lintel.console=virtio@0xfeb00e00:12").unwrap();
        assert_eq!(virtio.console, Some((0xfeb0_0e00, 12)));
        assert!(matches!(
            parsed("lintel.console=virtio@0:16"),
            Err(Error::Value(_))
        ));
        assert!(parsed("lintel.err=0x5e0").is_ok_and(|o| o.err_port == 0x5e0));
    }

    #[test]
    fn what_the_machine_appends_is_not_an_argument() {
        let o = parsed("a virtio_mmio.device=512@0xfeb00e00:12").unwrap();
        assert_eq!(o.args[..], [b"a"]);
    }
}
