//! Debug events of a machine: read from their channel, printed as strace(1) does, kept as they are.
//!
//! The kernel sends JSON lines (`docs/src/events.md`); numbers become names here. [`record`] is
//! what a line says, [`line`] how it reads, [`calls`] and [`tables`] know the system calls.

mod calls;
mod line;
mod record;
mod tables;

use crate::failure;
use crate::runner::recorder;
use crate::runner::session::End;
use anyhow::{Result, anyhow};
use record::Message;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::thread::JoinHandle;

/// The names of `--debug` that are events; the others are reports.
pub const SOURCES: [&str; 6] = ["strace", "irqs", "faults", "fault", "lowering", "sched"];

/// The names of `--debug` that are reports, a kernel panic's among them.
const REPORTS: [&str; 7] = [
    "boot", "clock", "lower", "syscalls", "console", "irq", "panic",
];

/// Refuses a name that `--debug` does not know.
pub fn check(debug: &[String]) -> Result<()> {
    let known = |name: &&String| REPORTS.iter().chain(&SOURCES).any(|known| known == name);
    let Some(name) = debug.iter().find(|name| !known(name)) else {
        return Ok(());
    };
    Err(failure::user(format!(
        "--debug {name}: there is no such name; reports are {}; events are {}",
        REPORTS.join(", "),
        SOURCES.join(", ")
    )))
}

/// The version of the lines that is understood here.
const VERSION: u64 = 1;

/// Whether any of the names of `--debug` is one of events.
pub fn wanted(debug: &[String]) -> bool {
    debug.iter().any(|name| SOURCES.contains(&name.as_str()))
}

/// Prints events on standard error and keeps their lines in a file.
pub struct Tracer {
    file: Option<File>,
}

/// A tracer at work.
pub struct Tracing(JoinHandle<(Option<File>, io::Result<Ending>)>);

/// How the stream of events ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With the line that says so.
    Whole,
    /// Without it.
    Cut,
    /// Before it began.
    Empty,
}

impl Tracer {
    /// A tracer that appends the lines to `file`, too.
    pub fn new(file: Option<File>) -> Self {
        Self { file }
    }

    /// Reads in a thread what arrives on `from`, to its end.
    pub fn start(self, from: impl Read + Send + 'static) -> Tracing {
        let mut file = self.file;
        Tracing(std::thread::spawn(move || {
            let ending = trace(from, &mut file, &mut io::stderr());
            (file, ending)
        }))
    }
}

impl Tracing {
    /// Waits for the end of the stream and says, in the file too, if it is not that of the events.
    pub fn finish(self, end: &End) -> Result<()> {
        let joined = self.0.join().map_err(|_| anyhow!("the tracer failed"))?;
        let fail = |error| anyhow!("cannot write the events: {error}");
        let (file, ending) = (joined.0, joined.1.map_err(fail)?);
        // A kernel that sends none at all has said why.
        if ending == Ending::Cut || ending == Ending::Empty && !matches!(end, End::Exit(_)) {
            let why = format!("{}; the last ones were not sent", recorder::how(end));
            eprintln!("lintel: the events are incomplete: {why}");
            if let Some(mut file) = file {
                let line = serde_json::json!({ "incomplete": why });
                writeln!(file, "{line}").map_err(fail)?;
            }
        }
        Ok(())
    }
}

/// Copies whole lines to `file` and prints them for people to `out`. After an error of the file it
/// goes on reading, for the kernel's sake.
fn trace(from: impl Read, file: &mut Option<File>, out: &mut impl Write) -> io::Result<Ending> {
    let mut from = BufReader::new(from);
    let (mut ending, mut kept, mut khz) = (Ending::Empty, Ok(()), 0);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) && line.ends_with(b"\n") {
        if let (Some(file), true) = (file.as_mut(), kept.is_ok()) {
            kept = file.write_all(&line);
        }
        ending = Ending::Cut;
        let text = match serde_json::from_slice(&line) {
            Ok(Message::Event(event)) => line::of(&event, khz),
            Ok(Message::Header(header)) => {
                khz = header.tsc_khz;
                match header.lintel_events {
                    VERSION => String::new(),
                    other => format!(
                        "lintel: the kernel's events are of version {other}, and this tool knows \
                         {VERSION}: rebuild one of them"
                    ),
                }
            }
            Ok(Message::End(end)) => {
                ending = Ending::Whole;
                match end.lost {
                    0 => String::new(),
                    lost => format!("lintel: {lost} events are missing: the ring was too small"),
                }
            }
            Err(_) => format!(
                "lintel: not an event: {}",
                String::from_utf8_lossy(&line).trim_end()
            ),
        };
        if !text.is_empty() {
            // If our standard error is closed the guest must still not wait for it.
            let _ = out.write_all((text + "\n").as_bytes());
        }
        line.clear();
    }
    kept.map(|()| ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"lintel_events":1,"version":"0.1.0","tsc_khz":1000000,"clock":"pit"}"#;
    const WRITE: &str = r#"{"seq":0,"kind":"syscall","tsc":9,"nr":1,"name":"write","args":[1,4096,3],"result":3,"ticks":1200,"text":"a\"\u000a"}"#;

    fn traced(text: &str) -> (String, Ending) {
        let mut out = Vec::new();
        let ending = trace(text.as_bytes(), &mut None, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), ending)
    }

    #[test]
    fn a_whole_stream_is_printed() {
        let (out, ending) = traced(&format!(
            "{HEADER}\n{WRITE}\n{{\"end\":true,\"events\":1,\"lost\":0}}\n"
        ));
        assert_eq!(out, "write(1, \"a\\\"\\n\", 3) = 3 <1.2us>\n");
        assert_eq!(ending, Ending::Whole);
    }

    #[test]
    fn a_cut_foreign_or_lossy_stream_is_said_to_be_one() {
        let (out, ending) = traced(&format!("{HEADER}\n{WRITE}\n{}", &WRITE[..40]));
        assert_eq!((out.lines().count(), ending), (1, Ending::Cut));
        assert_eq!(traced("").1, Ending::Empty);
        assert_eq!(traced("hello\n").0, "lintel: not an event: hello\n");
        let other = HEADER.replace(":1,", ":2,");
        assert!(traced(&(other + "\n")).0.contains("of version 2"));
        let lossy = traced("{\"end\":true,\"events\":9,\"lost\":4}\n").0;
        assert!(lossy.starts_with("lintel: 4 events are missing"));
    }

    #[test]
    fn unknown_names_are_refused() {
        let refused = |name: &str| {
            check(&["boot".into(), name.into()])
                .unwrap_err()
                .to_string()
        };
        assert!(refused("nope").starts_with("--debug nope: there is no such name; reports are"));
        let all = REPORTS.iter().chain(&SOURCES).map(ToString::to_string);
        assert!(check(&all.collect::<Vec<_>>()).is_ok());
    }

    #[test]
    fn events_and_reports_are_told_apart() {
        let names = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(wanted(&names(&["boot", "strace"])));
        assert!(!wanted(&names(&["boot", "irq", "lower"])));
    }
}
