//! One life of one case: the runner is called as a user would call it, and what comes out is kept.

use crate::runner::accel::Accel;
use crate::runner::native;
use crate::runner::qemu::Machine;
use crate::sys;
use crate::twolives::manifest::Case;
use anyhow::{Context, Result};
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// As what a program lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// A Linux process.
    Native,
    /// A virtual machine.
    Machine(Machine, Accel),
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => f.write_str("native"),
            Self::Machine(machine, accel) => write!(f, "{}/{}", machine.name(), accel.name()),
        }
    }
}

/// What came out of a life.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The exit code.
    pub code: u8,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// The machine's events, one JSON object a line.
    pub events: String,
    /// How long it took.
    pub time: Duration,
}

/// Lives `case` as `life`. `workspace` is what the paths in the case are relative to.
pub fn live(case: &Case, life: Life, elf: &Path, workspace: &Path) -> Result<Outcome> {
    let scratch = tempfile::Builder::new().prefix("lintel-test-").tempdir()?;
    let events = scratch.path().join("events");
    let mut command = command(case, life, elf, &events);
    command
        .current_dir(workspace)
        .arg("--root")
        .arg(root(case, life, workspace, scratch.path())?);
    if !case.args.is_empty() {
        command.arg("--").args(&case.args);
    }
    let start = Instant::now();
    let output = feed(command, case, workspace)?;
    Ok(Outcome {
        code: native::code(output.status),
        stdout: output.stdout,
        stderr: output.stderr,
        events: std::fs::read_to_string(events).unwrap_or_default(),
        time: start.elapsed(),
    })
}

/// The call of the runner, without root directory and arguments.
fn command(case: &Case, life: Life, elf: &Path, events: &Path) -> Command {
    let own = std::env::current_exe().unwrap_or_else(|_| "cargo-lintel".into());
    let mut command = Command::new(own);
    command
        .args(["run", "--quiet", "--timeout", &case.timeout.to_string()])
        .arg(elf);
    for variable in &case.env {
        command.args(["--env", variable]);
    }
    if let Some(cwd) = &case.cwd {
        command.arg("--cwd").arg(cwd);
    }
    let Life::Machine(machine, accel) = life else {
        command.arg("--native");
        return command;
    };
    command.args(["--machine", machine.name(), "--accel", accel.name()]);
    command.arg("--events").arg(events);
    if let Some(mem) = case.mem {
        command.args(["--mem", &mem.to_string()]);
    }
    if let Some(clock) = &case.clock {
        command.args(["--clock", clock]);
    }
    if let Some(console) = &case.console {
        command.args(["--console", console]);
    }
    for argument in &case.qemu_args {
        command.arg(format!("--qemu-arg={argument}"));
    }
    if !case.debug.is_empty() {
        command.args(["--debug", &case.debug.join(",")]);
    }
    for (wanted, flag) in [
        (case.iso, "--iso"),
        (case.tick, "--tick"),
        (case.lower == Some(false), "--no-lower"),
    ] {
        if wanted {
            command.arg(flag);
        }
    }
    command
}

/// The root directory: for a machine the one the case names, for a process a copy of it, because
/// the program may write there; without one an empty directory.
fn root(case: &Case, life: Life, workspace: &Path, scratch: &Path) -> Result<std::path::PathBuf> {
    let given = case.root.as_ref().map(|root| workspace.join(root));
    let copy = scratch.join("root");
    match (given, life) {
        (Some(given), Life::Machine(..)) => return Ok(given),
        (Some(given), Life::Native) => {
            let status = Command::new("cp").arg("-a").args([&given, &copy]).status();
            let copied = status.context("cannot start cp")?.success();
            anyhow::ensure!(copied, "cannot copy {}", given.display());
        }
        (None, _) => std::fs::create_dir(&copy)?,
    }
    Ok(copy)
}

/// Runs the command with the case's standard input and collects its outputs.
fn feed(mut command: Command, case: &Case, workspace: &Path) -> Result<std::process::Output> {
    let piped = match (&case.stdin, &case.stdin_pipe) {
        (Some(text), _) => Some(text.clone().into_bytes()),
        (None, Some(path)) => {
            let path = workspace.join(path);
            let read = std::fs::read(&path);
            Some(read.with_context(|| format!("cannot read {}", path.display()))?)
        }
        (None, None) => None,
    };
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(match (&piped, &case.stdin_file) {
            (Some(_), _) => Stdio::piped(),
            (None, Some(path)) => {
                let path = workspace.join(path);
                File::open(&path)
                    .with_context(|| format!("cannot open {}", path.display()))?
                    .into()
            }
            (None, None) => Stdio::null(),
        });
    sys::tie_to_parent(&mut command, &[]);
    let mut child = command.spawn().context("cannot start the runner")?;
    let feeder = child.stdin.take().zip(piped).map(|(mut to, text)| {
        std::thread::spawn(move || {
            // A program need not read all of its input.
            let _ = to.write_all(&text);
        })
    });
    let output = child
        .wait_with_output()
        .context("cannot wait for the runner")?;
    if let Some(feeder) = feeder {
        let _ = feeder.join();
    }
    Ok(output)
}
