//! The command line: what can be said, not what it does (that is [`crate::commands`]).

mod measure;

use crate::runner::Console;
use crate::runner::accel::Choice;
use crate::runner::qemu::Machine;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

pub use measure::{Bench, Boot, Diff, Profile, ProfileCommand};

/// Programs with two lives: a Linux process, and a virtual machine with nothing else inside
#[derive(Parser)]
#[command(
    name = "cargo lintel",
    bin_name = "cargo lintel",
    version,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    Run(Run),
    Build(Build),
    Object(Object),
    Image(Image),
    Boot(Boot),
    Profile(Profile),
    Bench(Bench),
    Test(Test),
    CheckObject(CheckObject),
}

/// Build a program and run it in a virtual machine
#[derive(Args)]
#[command(after_help = "Examples:
  cargo lintel run hello                        a package of this workspace
  cargo lintel run ./app --root data -- -v x    an ELF; the directory data is its /
  cargo lintel run hello --native               the same ELF as a Linux process
  cargo lintel run hello --debug lower,boot     with reports on standard error
  cargo lintel run hello --debug strace         with every system call on standard error
  cargo lintel run hello --profile p.jsonl      then: cargo lintel profile p.jsonl
  echo text | cargo lintel run wordfreq --root . --accel tcg

Exit codes: the program's own; 124 after --timeout; 125 when QEMU or KVM is at fault; 2 for a
mistake on the command line.")]
pub struct Run {
    /// A package, a C program of examples/ or tests/, or the path of an ELF file [default: the
    /// package of the current directory; in Lintel's own workspace a demonstration]
    #[arg(value_name = "NAME|ELF")]
    pub program: Option<String>,
    /// Which program of the package
    #[arg(long, value_name = "NAME")]
    pub bin: Option<String>,
    /// Run it as a Linux process, in the same circumstances
    #[arg(long)]
    pub native: bool,
    /// What runs the machine's instructions
    #[arg(long, value_enum, default_value_t)]
    pub accel: Choice,
    /// The machine
    #[arg(long, value_enum, default_value_t)]
    pub machine: Machine,
    /// RAM in MiB [default: 256, more for a large root directory]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub mem: Option<u32>,
    /// The directory that becomes / (natively: the working directory)
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// A variable of the environment; may be repeated. There are no others, in both lives
    #[arg(long, value_name = "K=V", value_parser = variable)]
    pub env: Vec<String>,
    /// The working directory, as seen by the program
    #[arg(long, value_name = "PATH")]
    pub cwd: Option<PathBuf>,
    /// Reports wanted: boot, clock, lower, syscalls, console, irq; and events, each as it happens:
    /// strace, irqs, faults, lowering, sched. `panic` provokes the report of a kernel panic
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub debug: Vec<String>,
    /// Stop the program after this many seconds
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    /// Keep the 100 Hz tick on all the time
    #[arg(long)]
    pub tick: bool,
    /// What carries standard input and output
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub console: Console,
    /// Where the machine takes the time from
    #[arg(long, value_enum)]
    pub clock: Option<Clock>,
    /// Leave every `syscall` instruction as it is: all of them trap
    #[arg(long)]
    pub no_lower: bool,
    /// Leave stack and mappings at the same addresses in every run, in both lives
    #[arg(long)]
    pub no_aslr: bool,
    /// Boot from a CD image with GRUB (machine pc)
    #[arg(long)]
    pub iso: bool,
    /// A further argument for QEMU; may be repeated
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub qemu_arg: Vec<OsString>,
    /// Cargo features to build with
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub features: Vec<String>,
    /// Say nothing but what the program says
    #[arg(short, long)]
    pub quiet: bool,
    /// Write the machine's events, debug events included, to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Build with the profiler and write what every system call cost to this file
    #[arg(long, value_name = "FILE", conflicts_with = "native")]
    pub profile: Option<PathBuf>,
    /// The program's arguments
    #[arg(last = true)]
    pub args: Vec<OsString>,
}

/// Build programs with two lives and print the paths of their ELF files
#[derive(Args)]
#[command(
    after_help = "Example: qemu-system-x86_64 -M microvm -kernel $(cargo lintel build hello) …"
)]
pub struct Build {
    /// Packages or C programs [default: as for run]
    #[arg(value_name = "NAME")]
    pub programs: Vec<String>,
    /// Cargo features to build with
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub features: Vec<String>,
    /// Print nothing but the paths
    #[arg(short, long)]
    pub quiet: bool,
}

/// Build the kernel object for C programs and print its path
#[derive(Args)]
#[command(
    after_help = "Example: gcc -static -no-pie -O2 main.c \"$(cargo lintel object)\" -o app

The source of Lintel is the dependency `lintel` of the current project, or the workspace this tool
was built in; the variable LINTEL_SRC overrides both."
)]
pub struct Object {
    /// Cargo features of the crate `lintel`
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub features: Vec<String>,
    /// Print nothing but the path
    #[arg(short, long)]
    pub quiet: bool,
}

/// Write a bootable CD image (BIOS, GRUB)
#[derive(Args)]
#[command(after_help = "Example:
  cargo lintel image --iso hello.iso hello --root data --append '-v \"two words\" -- KEY=VALUE'
  qemu-system-x86_64 -M pc -cdrom hello.iso -serial stdio")]
pub struct Image {
    /// The image to write
    #[arg(long, value_name = "FILE")]
    pub iso: PathBuf,
    /// A package, a C program or the path of an ELF file
    #[arg(value_name = "NAME|ELF")]
    pub program: String,
    /// The directory that becomes /
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// The kernel command line: lintel.KEY=VALUE words, arguments, `--` and variables
    #[arg(long, value_name = "LINE", allow_hyphen_values = true)]
    pub append: Option<String>,
}

/// Run the tests: unit tests on the host, then every two-lives case natively and in machines
#[derive(Args)]
#[command(
    after_help = "The cases are in tests/two-lives.toml; their format is explained at the top of
cargo-lintel/src/twolives/manifest.rs.
The last line is `N passed, N failed` (and `, N skipped`); the exit code is 1 if anything failed."
)]
pub struct Test {
    /// Only cases whose name contains this
    pub filter: Option<String>,
    /// Run machines with this accelerator only [default: TCG, and KVM where usable]
    #[arg(long, value_enum)]
    pub accel: Option<Choice>,
    /// How many cases at a time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: u32,
    /// Only the unit tests and checks on the host
    #[arg(long, conflicts_with = "vm_only")]
    pub host_only: bool,
    /// Only the two-lives cases
    #[arg(long)]
    pub vm_only: bool,
    /// List the cases and stop
    #[arg(long)]
    pub list: bool,
}

/// Check the kernel object: fast handlers without vector registers, stack bounds, size, symbols
#[derive(Args)]
pub struct CheckObject {
    /// The object with all its symbols [default: build it]
    pub file: Option<PathBuf>,
}

/// Where the machine takes the time from.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Clock {
    /// The best there is
    Auto,
    /// KVM's paravirtual clock
    Pvclock,
    /// The frequency in CPUID
    Cpuid,
    /// Calibrated with the timer chip
    Pit,
}

/// Reads the command line; mistakes and `--help` end the process here.
pub fn parse() -> Command {
    // As an installed subcommand cargo calls us `cargo-lintel lintel …`.
    let mut words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).map(OsString::as_os_str) == Some(OsStr::new("lintel")) {
        words.remove(1);
    }
    Cli::parse_from(words).command
}

fn variable(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.is_empty() => Ok(text.to_owned()),
        _ => Err("give it as KEY=VALUE".into()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text
        .parse()
        .map_err(|_| "give a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(number) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("give a number of seconds above zero".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn values_are_checked() {
        assert!(variable("A=b=c").is_ok() && variable("=x").is_err() && variable("A").is_err());
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        assert!(seconds("0").is_err() && seconds("-1").is_err() && seconds("x").is_err());
    }
}
