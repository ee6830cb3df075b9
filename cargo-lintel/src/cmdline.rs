//! The kernel command line: `lintel.` words, arguments, environment; and how words are quoted.
//!
//! The line is `lintel.KEY=VALUE … ARGS … -- KEY=VALUE …`. A word may hold `"…"` parts; inside,
//! backslash escapes `\"`, `\\`, `\n`, `\t` and `\xHH`. A word that begins with a quote is never
//! special: `"--"` and `"lintel.x=1"` are arguments.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Everything the kernel is told on its command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// The `lintel.` settings, in order: key without the prefix, and value.
    pub settings: Vec<(String, OsString)>,
    /// `argv[1..]` of the program.
    pub args: Vec<OsString>,
    /// The environment, as `KEY=VALUE` words.
    pub env: Vec<OsString>,
}

/// A word: a part that must stay unquoted, and a part that is quoted where necessary.
struct Word {
    bare: Vec<u8>,
    text: Vec<u8>,
}

impl CommandLine {
    /// Adds a setting.
    pub fn set(&mut self, key: &str, value: impl Into<OsString>) {
        self.settings.push((key.to_owned(), value.into()));
    }

    /// The line as the kernel reads it, for QEMU's `-append`.
    pub fn render(&self) -> OsString {
        let words: Vec<Vec<u8>> = self.words().iter().map(Word::direct).collect();
        OsString::from_vec(words.join(&b' '))
    }

    /// The line as arguments of GRUB's `multiboot2` command in a `grub.cfg`, or the first word
    /// that GRUB cannot carry.
    pub fn render_for_grub(&self) -> Result<Vec<u8>, OsString> {
        let mut words = Vec::new();
        for word in self.words() {
            words.push(
                word.for_grub()
                    .ok_or_else(|| OsString::from_vec(word.text.clone()))?,
            );
        }
        Ok(words.join(&b' '))
    }

    /// Reads a line as the kernel does.
    pub fn parse(line: &OsStr) -> Result<Self, String> {
        let mut parsed = Self::default();
        let (mut settings, mut env) = (true, false);
        for (word, quoted) in split(line.as_bytes())? {
            let setting = word
                .strip_prefix(b"lintel.")
                .filter(|_| settings && !quoted);
            if let Some(setting) = setting {
                let at = setting
                    .iter()
                    .position(|&byte| byte == b'=')
                    .unwrap_or(setting.len());
                let value = setting.get(at + 1..).unwrap_or_default();
                let key = String::from_utf8_lossy(&setting[..at]).into_owned();
                parsed
                    .settings
                    .push((key, OsString::from_vec(value.to_vec())));
                continue;
            }
            settings = false;
            match (env, word.as_slice()) {
                (false, b"--") if !quoted => env = true,
                (false, _) => parsed.args.push(OsString::from_vec(word)),
                (true, _) => parsed.env.push(OsString::from_vec(word)),
            }
        }
        Ok(parsed)
    }

    fn words(&self) -> Vec<Word> {
        let mut words = Vec::new();
        for (key, value) in &self.settings {
            words.push(Word::new(
                format!("lintel.{key}=").as_bytes(),
                value.as_bytes(),
            ));
        }
        words.extend(
            self.args
                .iter()
                .map(|argument| Word::new(b"", argument.as_bytes())),
        );
        if !self.env.is_empty() {
            words.push(Word::new(b"--", b""));
            words.extend(self.env.iter().map(|variable| Word::of_variable(variable)));
        }
        words
    }
}

impl Word {
    fn new(bare: &[u8], text: &[u8]) -> Self {
        Self {
            bare: bare.to_vec(),
            text: text.to_vec(),
        }
    }

    fn of_variable(variable: &OsStr) -> Self {
        let bytes = variable.as_bytes();
        let equals = bytes
            .iter()
            .position(|&byte| byte == b'=')
            .map_or(0, |at| at + 1);
        match bytes[..equals].iter().any(|&byte| needs_quotes(byte)) {
            true => Self::new(b"", bytes),
            false => Self::new(&bytes[..equals], &bytes[equals..]),
        }
    }

    /// An argument that would be taken for a separator or a setting if it stood unquoted.
    fn looks_special(&self) -> bool {
        self.bare.is_empty()
            && (self.text.is_empty() || self.text == b"--" || self.text.starts_with(b"lintel."))
    }

    fn direct(&self) -> Vec<u8> {
        let mut word = self.bare.clone();
        if !self.looks_special() && !self.text.iter().any(|&byte| needs_quotes(byte)) {
            word.extend(&self.text);
            return word;
        }
        word.push(b'"');
        for &byte in &self.text {
            match byte {
                b'"' | b'\\' => word.extend([b'\\', byte]),
                b'\n' => word.extend(b"\\n"),
                b'\t' => word.extend(b"\\t"),
                _ if byte.is_ascii_control() => word.extend(hex_escape(byte)),
                _ => word.push(byte),
            }
        }
        word.push(b'"');
        word
    }

    /// GRUB passes `\xHH` through, puts a backslash before every other backslash and quote, and
    /// wraps an argument that contains a blank in `"…"`. So blanks stay (but for the values of
    /// settings, whose words must not begin with a quote), every other awkward byte becomes
    /// `\xHH`, and so does the first byte of a word that must not be special. An empty word cannot
    /// be carried. Single quotes keep GRUB's own script language away.
    fn for_grub(&self) -> Option<Vec<u8>> {
        if self.bare.is_empty() && self.text.is_empty() {
            return None;
        }
        let mut word = vec![b'\''];
        word.extend(&self.bare);
        for (at, &byte) in self.text.iter().enumerate() {
            let awkward = needs_quotes(byte) || byte == b'\'';
            match (byte, awkward || (at == 0 && self.looks_special())) {
                (b' ', _) if self.bare.is_empty() => word.push(byte),
                (_, true) => word.extend(hex_escape(byte)),
                (_, false) => word.push(byte),
            }
        }
        word.push(b'\'');
        Some(word)
    }
}

/// The words of a line, and whether each begins with a quote.
fn split(line: &[u8]) -> Result<Vec<(Vec<u8>, bool)>, String> {
    let mut words = Vec::new();
    let mut bytes = line.iter().copied().peekable();
    loop {
        while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
        let Some(&first) = bytes.peek() else {
            return Ok(words);
        };
        let (mut word, mut inside) = (Vec::new(), false);
        while let Some(byte) = bytes.next_if(|byte| inside || !byte.is_ascii_whitespace()) {
            match byte {
                b'"' => inside = !inside,
                b'\\' if inside => word.push(unescape(&mut bytes)?),
                _ => word.push(byte),
            }
        }
        if inside {
            return Err("a quote is not closed".into());
        }
        words.push((word, first == b'"'));
    }
}

/// Reads what follows a backslash inside quotes.
fn unescape(bytes: &mut impl Iterator<Item = u8>) -> Result<u8, String> {
    let first = bytes.next();
    let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
    match first {
        Some(byte @ (b'"' | b'\\')) => Ok(byte),
        Some(b'n') => Ok(b'\n'),
        Some(b't') => Ok(b'\t'),
        Some(b'x') => match (digit(), digit()) {
            (Some(high), Some(low)) => Ok((high * 16 + low) as u8),
            _ => Err("\\x needs two hexadecimal digits".into()),
        },
        _ => Err("inside quotes a backslash may only begin \\\" \\\\ \\n \\t \\xHH".into()),
    }
}

fn needs_quotes(byte: u8) -> bool {
    byte.is_ascii_control() || matches!(byte, b' ' | b'"' | b'\\')
}

fn hex_escape(byte: u8) -> Vec<u8> {
    format!("\\x{byte:02x}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(settings: &[(&str, &str)], args: &[&str], env: &[&str]) -> CommandLine {
        let own = |list: &[&str]| list.iter().map(OsString::from).collect();
        let settings = settings
            .iter()
            .map(|&(key, value)| (key.into(), value.into()))
            .collect();
        CommandLine {
            settings,
            args: own(args),
            env: own(env),
        }
    }

    #[test]
    fn plain_words_stay_plain() {
        let line = line(
            &[("tick", "1"), ("tty", "")],
            &["a", "-x=1", "naïve"],
            &["K=V", "E="],
        );
        assert_eq!(
            line.render(),
            "lintel.tick=1 lintel.tty= a -x=1 naïve -- K=V E="
        );
    }

    #[test]
    fn special_and_awkward_words_are_quoted() {
        let line = line(
            &[("argv0", "/a b/app")],
            &["", "--", "lintel.x=1", "two words", "\"\\", "\n\t\r", "-- "],
            &["K=a b", "K E=v"],
        );
        assert_eq!(
            line.render(),
            r#"lintel.argv0="/a b/app" "" "--" "lintel.x=1" "two words" "\"\\" "\n\t\x0d" "-- " -- K="a b" "K E=v""#
        );
    }

    #[test]
    fn what_is_rendered_can_be_read() {
        let line = line(
            &[("argv0", "/a b/\"app\""), ("tty", ""), ("stdin", "null")],
            &["", "--", "lintel.x=1", "a=b", "\n\t\u{7f}\\"],
            &["K=a b", "K E=v", "lintel.y=--"],
        );
        assert_eq!(CommandLine::parse(&line.render()), Ok(line));
        assert!(CommandLine::parse(OsStr::new("\"open")).is_err());
        assert!(CommandLine::parse(OsStr::new(r#""\q""#)).is_err());
    }

    #[test]
    fn grub_gets_blanks_and_hex_escapes() {
        let line = line(
            &[("argv0", "/a b")],
            &["it's a", "--", "lintel.x", "$x"],
            &["K=\"q\""],
        );
        assert_eq!(
            String::from_utf8(line.render_for_grub().unwrap()).unwrap(),
            r"'lintel.argv0=/a\x20b' 'it\x27s a' '\x2d-' '\x6cintel.x' '$x' '--' 'K=\x22q\x22'"
        );
    }

    #[test]
    fn grub_cannot_carry_an_empty_argument() {
        assert_eq!(
            line(&[], &["a", ""], &[]).render_for_grub(),
            Err(OsString::new())
        );
        assert!(line(&[("tty", "")], &[], &["E="]).render_for_grub().is_ok());
    }
}
