//! Writes what the kernel's profiler sends to a file: whole lines only, the header completed with
//! what only the runner knows, and a note at the end if the kernel did not get there.

use crate::failure;
use crate::runner::session::End;
use anyhow::{Result, anyhow};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// What the runner adds to the header.
#[derive(Debug, Clone, Serialize)]
pub struct Origin {
    /// The machine's name.
    pub machine: &'static str,
    /// The accelerator's name.
    pub accel: &'static str,
    /// The program's name.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
}

/// A profile that is about to be recorded.
pub struct Recorder {
    path: PathBuf,
    file: File,
    origin: Origin,
}

/// A profile that is being recorded.
pub struct Recording {
    path: PathBuf,
    thread: JoinHandle<(File, io::Result<Ending>)>,
}

/// How the stream of the profile ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With the line that says so.
    Whole,
    /// Without it.
    Cut,
    /// Before it began.
    Empty,
}

/// Fails if a profile cannot be written to `path`. What is there stays as it is.
pub fn check(path: &Path) -> Result<()> {
    open(path).map(drop)
}

fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    options.open(path).map_err(|error| {
        failure::user(format!(
            "cannot write the profile to {}: {error}",
            path.display()
        ))
    })
}

impl Recorder {
    /// Opens and empties the file.
    pub fn create(path: &Path, origin: Origin) -> Result<Self> {
        let file = open(path)?;
        // A pipe or a terminal cannot be emptied, and need not be.
        let _ = file.set_len(0);
        Ok(Self {
            path: path.to_path_buf(),
            file,
            origin,
        })
    }

    /// Records in a thread what arrives on `from`, to its end.
    pub fn start(self, from: impl Read + Send + 'static) -> Recording {
        let Self {
            path,
            mut file,
            origin,
        } = self;
        let thread = std::thread::spawn(move || {
            let ending = record(from, &mut file, &origin);
            (file, ending)
        });
        Recording { path, thread }
    }
}

impl Recording {
    /// Waits for the end of the stream and notes in the file, and for the user, if it is not that
    /// of the profile. `end` says how the session ended.
    pub fn finish(self, end: &End) -> Result<()> {
        let path = self.path.display();
        let written = self.thread.join();
        let (mut file, ending) = written.map_err(|_| anyhow!("{path}: the writer failed"))?;
        let note = |error| anyhow!("cannot write the profile to {path}: {error}");
        let ending = ending.map_err(note)?;
        if ending == Ending::Whole {
            return Ok(());
        }
        let why = why(end, ending);
        let line = serde_json::json!({ "incomplete": why });
        writeln!(file, "{line}").map_err(note)?;
        eprintln!("lintel: the profile {path} is incomplete: {why}");
        Ok(())
    }
}

/// Copies whole lines. After an error of the file it goes on reading, for the kernel's sake.
fn record(from: impl Read, file: &mut impl Write, origin: &Origin) -> io::Result<Ending> {
    let mut from = BufReader::new(from);
    let (mut ending, mut written) = (Ending::Empty, Ok(()));
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) && line.ends_with(b"\n") {
        let whole = line.starts_with(b"{\"end\":true");
        if ending == Ending::Empty {
            complete_header(&mut line, origin);
        }
        if written.is_ok() {
            written = file.write_all(&line);
        }
        ending = if whole { Ending::Whole } else { Ending::Cut };
        line.clear();
    }
    written.map(|()| ending)
}

/// Adds the fields of `origin` to the object in `line`.
fn complete_header(line: &mut Vec<u8>, origin: &Origin) {
    let fields = serde_json::to_vec(origin).unwrap_or_default();
    let is_header = line.starts_with(b"{\"lintel_profile\"") && line.ends_with(b"}\n");
    if let (true, Some(fields)) = (is_header, fields.strip_prefix(b"{")) {
        line.truncate(line.len() - 2);
        line.push(b',');
        line.extend(fields);
        line.push(b'\n');
    }
}

/// How a session ended, as a clause.
pub fn how(end: &End) -> String {
    match end {
        End::Exit(code) => format!("the program ended with code {code}"),
        End::Lost(status, _) => format!("QEMU ended ({status}) before the program did"),
        End::Timeout => "the program was stopped at its time limit".into(),
        End::Signal(signal) => format!("the program was stopped by signal {signal}"),
        End::BrokenPipe => "the reader of its output has gone".into(),
    }
}

fn why(end: &End, ending: Ending) -> String {
    let how = how(end);
    match ending {
        Ending::Empty => format!("{how}; the kernel wrote no profile"),
        _ => format!("{how}; the kernel did not write the end of the profile"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"lintel_profile":1,"version":"0.1.0"}"#;

    fn recorded(text: &str) -> (String, Ending) {
        let origin = Origin {
            machine: "microvm",
            accel: "tcg",
            program: "hello".into(),
            args: vec!["a \"b\"".into()],
        };
        let mut file = Vec::new();
        let ending = record(text.as_bytes(), &mut file, &origin).unwrap();
        (String::from_utf8(file).unwrap(), ending)
    }

    #[test]
    fn the_header_is_completed() {
        let (text, ending) = recorded(&format!("{HEADER}\n{{\"end\":true,\"calls\":0}}\n"));
        assert_eq!(
            text,
            "{\"lintel_profile\":1,\"version\":\"0.1.0\",\"machine\":\"microvm\",\"accel\":\"tcg\",\
             \"program\":\"hello\",\"args\":[\"a \\\"b\\\"\"]}\n{\"end\":true,\"calls\":0}\n"
        );
        assert_eq!(ending, Ending::Whole);
    }

    #[test]
    fn only_whole_lines_are_kept() {
        let (text, ending) = recorded(&format!("{HEADER}\n{{\"nr\":1}}\n{{\"nr\":"));
        assert!(text.ends_with("{\"nr\":1}\n"), "{text}");
        assert_eq!(ending, Ending::Cut);
        assert_eq!(recorded("").1, Ending::Empty);
        assert!(why(&End::Exit(254), Ending::Empty).contains("code 254"));
    }

    #[test]
    fn an_unwritable_file_is_refused() {
        let error = check(Path::new("/proc/nowhere/p.jsonl")).unwrap_err();
        assert_eq!(failure::exit_code(&error), failure::USER);
        assert!(error.to_string().starts_with("cannot write the profile to"));
    }
}
