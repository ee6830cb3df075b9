//! Writes what the kernel's profiler sends to a file: whole profiles only, the header completed with
//! what only the runner knows, and a note at the end if the kernel did not get there.
//!
//! The kernel sends a profile at the end of the program, and one more whenever it is asked. The
//! newest whole one replaces the file at once (by renaming), so that there is always one to read.

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
    target: Target,
    origin: Origin,
}

/// A profile that is being recorded.
pub struct Recording {
    path: PathBuf,
    thread: JoinHandle<(Target, io::Result<Recorded>)>,
}

/// What came of the stream.
#[derive(Debug, PartialEq, Eq)]
struct Recorded {
    ending: Ending,
    /// The lines that are kept: the newest whole profile, or else the beginning of one.
    kept: Vec<u8>,
}

/// How the stream of the profile ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With the profile of the whole run.
    Whole,
    /// After a profile that was asked for, before that of the whole run.
    Asked,
    /// In the middle of the first profile.
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
    options
        .open(path)
        .map_err(|error| failure::user(unwritable(path, &error)))
}

/// Where profiles are written to.
struct Target {
    path: PathBuf,
    /// Opened at the start: what is no regular file can only be written to as it comes.
    file: File,
    regular: bool,
}

impl Target {
    fn open(path: &Path) -> Result<Self> {
        let file = open(path)?;
        let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        // A link stays one: what it names is replaced.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        Ok(Self {
            path,
            file,
            regular,
        })
    }

    /// Makes `text` the contents of the file, at once.
    fn replace(&mut self, text: &[u8]) -> io::Result<()> {
        if !self.regular {
            return self.file.write_all(text);
        }
        // A directory that takes no new file takes the text in place.
        self.rename(text)
            .or_else(|_| std::fs::write(&self.path, text))
    }

    fn rename(&self, text: &[u8]) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let mut new = tempfile::NamedTempFile::new_in(directory)?;
        new.write_all(text)?;
        let permissions = std::fs::metadata(&self.path)?.permissions();
        new.as_file().set_permissions(permissions)?;
        new.persist(&self.path)?;
        Ok(())
    }
}

impl Recorder {
    /// Opens the file. What was in it is replaced by a note that there is no profile yet.
    pub fn create(path: &Path, origin: Origin) -> Result<Self> {
        const NOT_YET: &str = "the run has not ended, or its runner was killed";
        let mut target = Target::open(path)?;
        if target.regular {
            let written = target.replace(&note(NOT_YET));
            written.map_err(|error| failure::user(unwritable(path, &error)))?;
        }
        Ok(Self { target, origin })
    }

    /// Records in a thread what arrives on `from`, to its end.
    pub fn start(self, from: impl Read + Send + 'static) -> Recording {
        let Self { mut target, origin } = self;
        let path = target.path.clone();
        let thread = std::thread::spawn(move || {
            let recorded = record(from, &origin, &mut |text| target.replace(text));
            (target, recorded)
        });
        Recording { path, thread }
    }
}

impl Recording {
    /// Waits for the end of the stream and notes in the file, and for the user, if it is not that
    /// of the profile. `end` says how the session ended.
    pub fn finish(self, end: &End) -> Result<()> {
        let path = self.path;
        let written = self.thread.join();
        let (mut target, recorded) =
            written.map_err(|_| anyhow!("{}: the writer failed", path.display()))?;
        let fail = |error| failure::user(unwritable(&path, &error));
        let Recorded { ending, mut kept } = recorded.map_err(fail)?;
        if ending == Ending::Whole {
            return Ok(());
        }
        let why = why(end, ending);
        match target.regular || ending == Ending::Cut {
            true => kept.extend(note(&why)),
            // What was asked for has been written already.
            false => kept = note(&why),
        }
        target.replace(&kept).map_err(fail)?;
        eprintln!(
            "lintel: the profile {} is incomplete: {why}",
            path.display()
        );
        Ok(())
    }
}

fn unwritable(path: &Path, error: &io::Error) -> String {
    format!("cannot write the profile to {}: {error}", path.display())
}

/// The line that says why there is no more.
fn note(why: &str) -> Vec<u8> {
    let line = serde_json::json!({ "incomplete": why });
    format!("{line}\n").into_bytes()
}

/// Reads to the end of the stream and hands every whole profile to `keep`. After an error of that
/// it goes on reading, for the kernel's sake.
fn record(
    from: impl Read,
    origin: &Origin,
    keep: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Recorded> {
    let mut from = BufReader::new(from);
    let (mut ending, mut written) = (Ending::Empty, Ok(()));
    let (mut kept, mut now, mut line) = (Vec::new(), Vec::new(), Vec::new());
    let mut asked = false;
    while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) && line.ends_with(b"\n") {
        if line.starts_with(HEADER) {
            // What came before and had no end stays unfinished: the kernel crashed in it.
            now.clear();
            asked = is_snapshot(&line);
            complete_header(&mut line, origin);
        }
        now.extend_from_slice(&line);
        if line.starts_with(b"{\"end\":true") {
            ending = if asked { Ending::Asked } else { Ending::Whole };
            kept = std::mem::take(&mut now);
            written = written.and_then(|()| keep(&kept));
        }
        line.clear();
    }
    if ending == Ending::Empty && !now.is_empty() {
        (ending, kept) = (Ending::Cut, now);
    }
    written.map(|()| Recorded { ending, kept })
}

/// How the first line of a profile begins.
const HEADER: &[u8] = b"{\"lintel_profile\"";

/// Whether a header is that of a profile that was asked for while the program ran.
fn is_snapshot(header: &[u8]) -> bool {
    let value: Option<serde_json::Value> = serde_json::from_slice(header).ok();
    value.is_some_and(|value| value.get("snapshot").is_some())
}

/// Adds the fields of `origin` to the object in `line`.
fn complete_header(line: &mut Vec<u8>, origin: &Origin) {
    let fields = serde_json::to_vec(origin).unwrap_or_default();
    let is_header = line.starts_with(HEADER) && line.ends_with(b"}\n");
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
        Ending::Asked => format!("{how}; this is the profile that was asked for last"),
        _ => format!("{how}; the kernel did not write the end of the profile"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"lintel_profile":1,"version":"0.1.0"}"#;
    const END: &str = r#"{"end":true,"calls":0}"#;

    fn recorded(text: &str) -> (Vec<String>, Recorded) {
        let origin = Origin {
            machine: "microvm",
            accel: "tcg",
            program: "hello".into(),
            args: vec!["a \"b\"".into()],
        };
        let mut kept = Vec::new();
        let recorded = record(text.as_bytes(), &origin, &mut |text| {
            kept.push(String::from_utf8(text.to_vec()).unwrap());
            Ok(())
        });
        (kept, recorded.unwrap())
    }

    #[test]
    fn the_header_is_completed() {
        let (kept, recorded) = recorded(&format!("{HEADER}\n{END}\n"));
        assert_eq!(
            kept,
            [
                "{\"lintel_profile\":1,\"version\":\"0.1.0\",\"machine\":\"microvm\",\"accel\":\"tcg\",\
             \"program\":\"hello\",\"args\":[\"a \\\"b\\\"\"]}\n{\"end\":true,\"calls\":0}\n"
            ]
        );
        assert_eq!(recorded.ending, Ending::Whole);
    }

    #[test]
    fn only_whole_lines_are_kept() {
        let (kept, recorded) = recorded(&format!("{HEADER}\n{{\"nr\":1}}\n{{\"nr\":"));
        assert!(kept.is_empty() && recorded.kept.ends_with(b"{\"nr\":1}\n"));
        assert_eq!(recorded.ending, Ending::Cut);
        assert_eq!(self::recorded("").1.ending, Ending::Empty);
        assert!(why(&End::Exit(254), Ending::Empty).contains("code 254"));
    }

    #[test]
    fn the_newest_whole_profile_is_kept() {
        let asked = |n| HEADER.replace('}', &format!(",\"snapshot\":{n}}}"));
        let (one, two) = (asked(1), asked(2));
        let cut = format!("{one}\n{END}\n{two}\n{{\"nr\":1}}\n{END}\n{HEADER}\n{{\"nr\":2}}\n");
        let (kept, rest) = recorded(&cut);
        assert_eq!(kept.len(), 2);
        assert!(kept[1].contains("\"snapshot\":2") && kept[1].contains("{\"nr\":1}"));
        assert_eq!(
            (rest.ending, rest.kept),
            (Ending::Asked, kept[1].clone().into())
        );
        assert_eq!(recorded(&(cut + END + "\n")).1.ending, Ending::Whole);
    }

    #[test]
    fn a_crash_in_a_profile_starts_another() {
        let (kept, rest) = recorded(&format!("{HEADER}\n{{\"nr\":1}}\n{HEADER}\n{END}\n"));
        assert_eq!((kept.len(), rest.ending), (1, Ending::Whole));
        assert!(!kept[0].contains("\"nr\""));
    }

    #[test]
    fn a_file_is_replaced_and_keeps_its_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (directory.path().join("p"), directory.path().join("l"));
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("p", &link).unwrap();
        let mut target = Target::open(&link).unwrap();
        target.replace(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert!(link.symlink_metadata().unwrap().is_symlink());
    }

    #[test]
    fn an_unwritable_file_is_refused() {
        let error = check(Path::new("/proc/nowhere/p.jsonl")).unwrap_err();
        assert_eq!(failure::exit_code(&error), failure::USER);
        assert!(error.to_string().starts_with("cannot write the profile to"));
    }
}
