//! The benchmark program in its two lives, and in the emulator that counts instructions.

use super::rows::{Instructions, Pass};
use crate::cmdline::CommandLine;
use crate::runner;
use crate::runner::accel::Accel;
use crate::runner::control::Line;
use crate::runner::qemu::{Boot, Config, Machine};
use crate::runner::session::{self, Buffer, End, Output, Plumbing};
use crate::runner::stdio::Input;
use crate::runner::{Request, native};
use crate::{failure, initrd, sys};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// RAM of the machine, in MiB.
const MEM: u32 = 256;
/// A run of all rows that takes longer than this is stopped.
const LIMIT: Duration = Duration::from_secs(1200);
/// The same for the counting of one row.
const COUNT_LIMIT: Duration = Duration::from_secs(120);
/// How many calls are counted; then twice as many.
const COUNT: u64 = 100;
/// Emulators at a time. Counts do not depend on how long they take.
const JOBS: usize = 2;

/// The benchmark program and what it needs.
pub struct Program {
    elf: PathBuf,
    root: PathBuf,
    initrd: NamedTempFile,
    qemu: PathBuf,
}

impl Program {
    /// `elf` with the files under `root`.
    pub fn new(elf: PathBuf, root: PathBuf, qemu: PathBuf) -> Result<Self> {
        let initrd = initrd::pack(Some(&root), None, true)?;
        Ok(Self {
            elf,
            root,
            initrd,
            qemu,
        })
    }

    /// The names of the rows.
    pub fn rows(&self) -> Result<Vec<String>> {
        let (output, _) = self.process(&["--list".into()])?;
        let lines = String::from_utf8_lossy(&output).into_owned();
        let name = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
        Ok(lines.lines().map(name).collect())
    }

    /// All rows as a Linux process.
    pub fn native(&self, args: &[OsString]) -> Result<Pass> {
        let (output, ended) = self.process(args)?;
        pass(&output, ended, "as a process")
    }

    /// One process from start to end: what it printed, and how it ended if not well.
    fn process(&self, args: &[OsString]) -> Result<(Vec<u8>, Option<String>)> {
        let request = Request {
            elf: self.elf.clone(),
            args: args.to_vec(),
            root: Some(self.root.clone()),
            ..Request::default()
        };
        let mut command = native::command(&request);
        sys::tie_to_parent(&mut command, &[]);
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot run {}", self.elf.display()))?;
        let code = native::code(output.status);
        if let Some(libc::SIGINT | libc::SIGTERM | libc::SIGHUP) = output.status.signal() {
            return Err(stopped(code));
        }
        if code == failure::USER {
            return Err(failure::user("the benchmark has refused its arguments"));
        }
        let ended = (code != 0).then(|| format!("the program ended with code {code}"));
        Ok((output.stdout, ended))
    }

    /// All rows in a machine.
    pub fn machine(&self, accel: Accel, args: &[OsString]) -> Result<Pass> {
        let (output, ended) = self.boot(accel, false, args, LIMIT)?;
        pass(&output, ended, "in the machine")
    }

    /// Instructions a call of each of `rows`, where they can be counted. After a signal the rest is
    /// left out.
    pub fn count(&self, rows: &[String]) -> BTreeMap<String, Result<Option<Instructions>>> {
        let (next, counted) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        std::thread::scope(|scope| {
            for _ in 0..JOBS {
                scope.spawn(|| {
                    while let Some(row) = rows.get(next.fetch_add(1, Relaxed)) {
                        let result = self.count_row(row);
                        if result.as_ref().is_err_and(is_stop) {
                            next.store(rows.len(), Relaxed);
                        }
                        if let Ok(mut counted) = counted.lock() {
                            counted.insert(row.clone(), result);
                        }
                    }
                });
            }
        });
        counted.into_inner().unwrap_or_default()
    }

    /// Nothing for a row that has no instructions to count, because it sleeps.
    fn count_row(&self, row: &str) -> Result<Option<Instructions>> {
        let ticks = |calls: u64| {
            let args = ["--count", row, &calls.to_string()].map(OsString::from);
            let (output, ended) = self.boot(Accel::Tcg, true, &args, COUNT_LIMIT)?;
            let output = String::from_utf8_lossy(&output);
            ticks(&output, row).with_context(|| {
                ended.unwrap_or_else(|| format!("the program printed {:?}", output.trim()))
            })
        };
        let Some((once, calls)) = ticks(COUNT)? else {
            return Ok(None);
        };
        // A row that works in batches may have made more calls than it was asked for.
        let second = ticks(2 * calls)?;
        let of =
            |(twice, more): (u64, u64)| Instructions::of(more.saturating_sub(calls), once, twice);
        Ok(second.map(of))
    }

    /// One machine from start to end: what the program printed, and how it ended if not well.
    fn boot(
        &self,
        accel: Accel,
        count_instructions: bool,
        args: &[OsString],
        limit: Duration,
    ) -> Result<(Vec<u8>, Option<String>)> {
        let config = Config {
            machine: Machine::Microvm,
            accel,
            mem: MEM,
            boot: Boot::Kernel {
                elf: self.elf.clone(),
                initrd: Some(self.initrd.path().to_path_buf()),
                append: command_line(&self.elf, args).render(),
            },
            count_instructions,
            streams: (-1, -1),
            profile: None,
            events: None,
            extra: Vec::new(),
        };
        let output = Buffer::default();
        let plumbing = Plumbing {
            input: Input::Null,
            output: Output::Keep(output.clone()),
            timeout: Some(limit),
            profile: None,
            events: None,
        };
        let mut see = |line: Line, _: Instant| {
            if let Line::Text(text) = line {
                eprintln!("{text}");
            }
        };
        let end = session::run(&self.qemu, config, plumbing, &mut see)?;
        Ok((output.take(), ending(end, limit)?))
    }
}

/// How a machine ended, if it did not end well; an error if it was not its own doing.
fn ending(end: End, limit: Duration) -> Result<Option<String>> {
    Ok(match end {
        End::Exit(0) => None,
        End::Exit(code) => Some(format!("the program ended with code {code}")),
        End::Lost(status, complaints) => Some(
            format!("QEMU ended ({status}) {}", complaints.trim())
                .trim_end()
                .to_owned(),
        ),
        End::Timeout => Some(format!("stopped after {} s", limit.as_secs())),
        End::Signal(signal) => {
            let code = u8::try_from(128 + signal).unwrap_or(255);
            return Err(stopped(code));
        }
        End::BrokenPipe => Some("its output was closed".into()),
    })
}

/// We were told to stop by a signal; `code` is 128 and its number.
fn stopped(code: u8) -> anyhow::Error {
    failure::with_code(code, "stopped")
}

/// Whether an error is [`stopped`].
pub fn is_stop(error: &anyhow::Error) -> bool {
    failure::exit_code(error) > 128
}

fn pass(output: &[u8], ended: Option<String>, life: &str) -> Result<Pass> {
    let text = String::from_utf8_lossy(output);
    let pass = Pass::parse(&text, ended.clone()).map_err(|what| {
        failure::environment(format!("the benchmark printed {life} what is {what}"))
    })?;
    if !pass.rows.is_empty() {
        return Ok(pass);
    }
    let ended = ended.unwrap_or_else(|| "it ended well".into());
    Err(failure::environment(format!(
        "the benchmark printed nothing {life}: {ended}"
    )))
}

/// Finds the line `ROW TICKS CALLS ok`: the ticks, and how many calls they are of; or `ROW ok`, for
/// a row that is not counted.
fn ticks(output: &str, row: &str) -> Option<Option<(u64, u64)>> {
    output.lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            [name, ticks, calls, "ok"] if name == row => {
                Some(Some((ticks.parse().ok()?, calls.parse().ok()?)))
            }
            [name, "ok"] if name == row => Some(None),
            _ => None,
        }
    })
}

fn command_line(elf: &Path, args: &[OsString]) -> CommandLine {
    let mut line = runner::unattended(elf);
    line.args = args.to_vec();
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found() {
        let output = "x\nmmap_fault\t1234\t4096\tok\n";
        assert_eq!(ticks(output, "mmap_fault"), Some(Some((1234, 4096))));
        assert_eq!(ticks("nanosleep_100us ok\n", "nanosleep_100us"), Some(None));
        assert_eq!(ticks("getpid2\t1\t1\tok\n", "getpid"), None);
        assert_eq!(
            ticks("getpid\t-\t-\tmissing getpid ENOSYS\n", "getpid"),
            None
        );
    }

    #[test]
    fn endings_are_explained() {
        let limit = Duration::from_secs(5);
        assert_eq!(ending(End::Exit(0), limit).unwrap(), None);
        assert_eq!(
            ending(End::Exit(139), limit).unwrap().unwrap(),
            "the program ended with code 139"
        );
        assert!(
            ending(End::Timeout, limit)
                .unwrap()
                .unwrap()
                .contains("5 s")
        );
        let stopped = ending(End::Signal(libc::SIGINT), limit).unwrap_err();
        assert_eq!(failure::exit_code(&stopped), 130);
        assert!(is_stop(&stopped) && !is_stop(&anyhow::anyhow!("x")));
        let silent = pass(b"", Some("x".into()), "as a process").unwrap_err();
        assert!(silent.to_string().ends_with("as a process: x"));
    }
}
