//! Runs a program in its second life: prepares what the machine needs, boots it, reports.

pub mod accel;
mod bell;
pub mod control;
pub mod install;
pub mod native;
pub mod qemu;
pub mod recorder;
pub mod reporter;
pub mod session;
pub mod stdio;
mod symbolize;

use crate::cmdline::CommandLine;
use crate::strace::{self, Tracer};
use crate::{elf, failure, image, initrd};
use anyhow::{Context, Result};
use qemu::{Boot, Config, Machine};
use recorder::{Origin, Recorder};
use reporter::Reporter;
use session::{End, Output, Plumbing};
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use stdio::Input;
use tempfile::NamedTempFile;

/// RAM of the virtual machine in MiB, unless the root file system needs more.
const DEFAULT_MEM: u32 = 256;

/// A program and everything about the life it is to have.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The program, as an absolute path; `argv[0]` in both lives.
    pub elf: PathBuf,
    /// `argv[1..]`.
    pub args: Vec<OsString>,
    /// The whole environment, as `KEY=VALUE` words.
    pub env: Vec<OsString>,
    /// The directory that is `/` in the machine.
    pub root: Option<PathBuf>,
    /// The working directory.
    pub cwd: Option<PathBuf>,
    /// The machine.
    pub machine: Machine,
    /// The accelerator asked for.
    pub accel: accel::Choice,
    /// RAM in MiB.
    pub mem: Option<u32>,
    /// Boot through a CD image with GRUB.
    pub iso: bool,
    /// Reports asked for.
    pub debug: Vec<String>,
    /// What carries standard input and output.
    pub console: Console,
    /// Further settings of the kernel.
    pub settings: Vec<(&'static str, OsString)>,
    /// Time limit.
    pub timeout: Option<Duration>,
    /// Further arguments of QEMU.
    pub qemu_args: Vec<OsString>,
    /// Do not randomise addresses.
    pub no_aslr: bool,
    /// Do not say which accelerator is used.
    pub quiet: bool,
    /// Where to write the machine's events, debug events included, one JSON object a line.
    pub events: Option<PathBuf>,
    /// Where to write the profile.
    pub profile: Option<PathBuf>,
}

/// The device behind standard input and output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Console {
    /// virtio on microvm, the serial line elsewhere
    #[default]
    Auto,
    /// A virtio console: a buffer an exit (microvm)
    Virtio,
    /// The serial line: a byte an exit
    Serial,
}

/// QEMU as the install helper knows it.
pub const QEMU: install::Tool = install::Tool {
    program: qemu::PROGRAM,
    data: None,
    packages: &["qemu-system-x86"],
    elsewhere: "Fedora: qemu-system-x86-core, Arch: qemu-system-x86, Alpine: qemu-system-x86_64",
};

/// Runs the program in a virtual machine with our own standard streams and returns its exit code.
pub fn run(request: &Request) -> Result<u8> {
    elf::check(&request.elf)?;
    let qemu = install::ensure(&QEMU)?;
    let decide = if request.iso {
        accel::decide_for_firmware
    } else {
        accel::decide
    };
    let decision = decide(request.accel, &accel::observe(&qemu)).map_err(failure::environment)?;
    if request.console == Console::Virtio && machine(request) != Machine::Microvm {
        return Err(failure::user(
            "the virtio console is driven on microvm only: leave out --console virtio or --machine",
        ));
    }
    let input = Input::of_stdin();
    let files = Files::prepare(request, input)?;
    let mem = memory(request.mem, files.initrd_size());
    check_memory(&request.elf, mem, files.initrd_size())?;
    let config = Config {
        machine: machine(request),
        accel: decision.accel,
        mem,
        boot: files.boot(request),
        count_instructions: false,
        streams: (-1, -1),
        profile: None,
        events: None,
        extra: request.qemu_args.clone(),
    };
    if !request.quiet {
        eprintln!("lintel: {}, {}", config.machine.name(), decision.why);
    }
    let mut reporter = Reporter::new(request)?;
    let tracer = match strace::wanted(&request.debug) {
        true => Some(Tracer::new(reporter.events()?)),
        false => None,
    };
    let see = &mut |line, _: Instant| reporter.see(line);
    let plumbing = Plumbing {
        input,
        output: Output::Inherit,
        timeout: request.timeout,
        profile: recorder(request, &config)?,
        events: tracer,
    };
    let end = session::run(&qemu, config, plumbing, see)?;
    conclude(end, request.timeout)
}

/// What writes the profile, if one was asked for.
fn recorder(request: &Request, config: &Config) -> Result<Option<Recorder>> {
    let Some(path) = &request.profile else {
        return Ok(None);
    };
    let lossy = |text: &OsString| text.to_string_lossy().into_owned();
    let origin = Origin {
        machine: config.machine.name(),
        accel: config.accel.name(),
        program: lossy(&request.elf.file_name().unwrap_or_default().to_owned()),
        args: request.args.iter().map(lossy).collect(),
    };
    Recorder::create(path, origin).map(Some)
}

/// GRUB needs firmware, which microvm lacks.
fn machine(request: &Request) -> Machine {
    match (request.iso, request.machine) {
        (true, Machine::Microvm) => Machine::Pc,
        (_, machine) => machine,
    }
}

/// RAM in MiB: as asked, or the default plus what a large root file system takes.
fn memory(asked: Option<u32>, initrd_bytes: u64) -> u32 {
    const STEP: u64 = 64;
    asked.unwrap_or_else(|| {
        let extra = (initrd_bytes >> 20).next_multiple_of(STEP);
        let extra = if initrd_bytes >> 20 < STEP {
            0
        } else {
            2 * extra
        };
        DEFAULT_MEM.saturating_add(u32::try_from(extra).unwrap_or(u32::MAX))
    })
}

/// An image that does not fit would be loaded in part, and a root on top of it would overwrite it;
/// neither could even say so.
fn check_memory(elf: &Path, mem: u32, initrd_bytes: u64) -> Result<()> {
    /// What the kernel itself takes behind the image before it can speak.
    const KERNEL: u64 = 224 << 10;
    let root = if initrd_bytes == 0 {
        0
    } else {
        initrd_bytes + KERNEL
    };
    let needed = (elf::memory_end(elf)? + root).div_ceil(1 << 20);
    if u64::from(mem) >= needed {
        return Ok(());
    }
    let with = if root == 0 {
        ""
    } else {
        " and its root file system"
    };
    Err(failure::user(format!(
        "{mem} MiB of RAM cannot hold {}{with}: use --mem {needed} or more",
        elf.display()
    )))
}

/// The temporary files of one run; they go when this is dropped.
struct Files {
    initrd: Option<NamedTempFile>,
    iso: Option<NamedTempFile>,
    line: CommandLine,
}

impl Files {
    fn prepare(request: &Request, input: Input) -> Result<Self> {
        let initrd = initrd(request, input)?;
        let line = command_line(request, input);
        let iso = match request.iso {
            true => Some(temporary_iso(&request.elf, initrd.as_ref(), &line)?),
            false => None,
        };
        Ok(Self { initrd, iso, line })
    }

    fn initrd_size(&self) -> u64 {
        let metadata = self
            .initrd
            .as_ref()
            .and_then(|file| file.as_file().metadata().ok());
        metadata.map_or(0, |metadata| metadata.len())
    }

    fn boot(&self, request: &Request) -> Boot {
        if let Some(iso) = &self.iso {
            return Boot::Iso(iso.path().to_path_buf());
        }
        Boot::Kernel {
            elf: request.elf.clone(),
            initrd: self.initrd.as_ref().map(|file| file.path().to_path_buf()),
            append: self.line.render(),
        }
    }
}

fn initrd(request: &Request, input: Input) -> Result<Option<NamedTempFile>> {
    let stdin = match input {
        Input::File => {
            let stdin = std::io::stdin().as_fd().try_clone_to_owned();
            Some(File::from(stdin.context("cannot use standard input")?))
        }
        _ => None,
    };
    if request.root.is_none() && stdin.is_none() {
        return Ok(None);
    }
    initrd::pack(request.root.as_deref(), stdin, request.quiet).map(Some)
}

fn temporary_iso(
    elf: &Path,
    initrd: Option<&NamedTempFile>,
    line: &CommandLine,
) -> Result<NamedTempFile> {
    let iso = tempfile::Builder::new()
        .prefix("lintel-")
        .suffix(".iso")
        .tempfile()?;
    image::build(iso.path(), elf, initrd.map(NamedTempFile::path), line)?;
    Ok(iso)
}

/// The kernel command line of a run that nobody watches: no input, no terminal, both channels, and the
/// same addresses every time, so that the work is the same.
pub fn unattended(elf: &Path) -> CommandLine {
    let mut line = CommandLine::default();
    line.set("argv0", elf);
    line.set("stdin", Input::Null.name());
    line.set("tty", "");
    line.set("err", format!("{:#x}", qemu::port::ERR));
    line.set("ctl", format!("{:#x}", qemu::port::CTL));
    line.set("aslr", "0");
    line
}

/// What the kernel is told when its console, standard error and control channel are ours.
fn command_line(request: &Request, input: Input) -> CommandLine {
    let mut line = CommandLine::default();
    line.set("argv0", &request.elf);
    line.set("stdin", input.name());
    line.set("tty", stdio::terminals());
    if !stdio::outputs_are_one() {
        line.set("err", format!("{:#x}", qemu::port::ERR));
    }
    line.set("ctl", format!("{:#x}", qemu::port::CTL));
    if !request.debug.is_empty() {
        line.set("debug", request.debug.join(","));
    }
    if request.profile.is_some() {
        let (port, irq) = qemu::port::DOORBELL;
        line.set("profile", format!("{:#x}", qemu::port::PROFILE));
        line.set("doorbell", format!("{port:#x}:{irq}"));
    }
    if strace::wanted(&request.debug) {
        line.set("events", format!("{:#x}", qemu::port::EVENTS));
    }
    if machine(request) == Machine::Microvm && request.console != Console::Serial {
        line.set("console", qemu::VIRTIO_CONSOLE);
    }
    if request.no_aslr {
        line.set("aslr", "0");
    }
    if let Some(cwd) = &request.cwd {
        line.set("cwd", cwd);
    }
    for (key, value) in &request.settings {
        line.set(key, value);
    }
    line.args.clone_from(&request.args);
    line.env.clone_from(&request.env);
    line
}

/// Turns the end of a session into an exit code, with a message where the program is not at fault.
pub fn conclude(end: End, timeout: Option<Duration>) -> Result<u8> {
    match end {
        End::Exit(code) => Ok(code),
        End::Signal(signal) => Ok(u8::try_from(128 + signal).unwrap_or(255)),
        End::BrokenPipe => Ok(141),
        End::Timeout => {
            let seconds = timeout.unwrap_or_default().as_secs_f64();
            let message = format!("the program was stopped after {seconds} s (--timeout)");
            Err(failure::with_code(failure::TIMEOUT, message))
        }
        End::Lost(status, complaints) => {
            let complaints = complaints.trim_end();
            let details = if complaints.is_empty() {
                "QEMU said nothing"
            } else {
                complaints
            };
            Err(failure::environment(format!(
                "QEMU ended ({status}) before the program did\n{details}"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_with_the_root_file_system() {
        assert_eq!(memory(None, 0), 256);
        assert_eq!(memory(None, 10 << 20), 256);
        assert_eq!(memory(None, 100 << 20), 256 + 256);
        assert_eq!(memory(Some(32), 100 << 20), 32);
    }

    #[test]
    fn an_iso_needs_a_machine_with_firmware() {
        let request = Request {
            iso: true,
            ..Request::default()
        };
        assert_eq!(machine(&request), Machine::Pc);
        assert_eq!(machine(&Request::default()), Machine::Microvm);
    }

    #[test]
    fn ends_become_exit_codes() {
        assert_eq!(conclude(End::Exit(7), None).unwrap(), 7);
        assert_eq!(conclude(End::Signal(libc::SIGTERM), None).unwrap(), 143);
        assert_eq!(conclude(End::BrokenPipe, None).unwrap(), 141);
        let late = conclude(End::Timeout, Some(Duration::from_secs(2))).unwrap_err();
        assert_eq!(failure::exit_code(&late), 124);
    }
}
